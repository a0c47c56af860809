/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers as people write them on a command line: all of the text must be the number, and it must be within bounds. So
 * "19x", "-1", "" and what does not fit are refused rather than read as something near, as strtoul() would.
 */
#ifndef KTALLY_NUMBER_H
#define KTALLY_NUMBER_H

#include <stdint.h>

/* 0; -EINVAL: not a number; -ERANGE: not within least and most. *value is left alone then. */
int number_parse(const char *text, uint64_t least, uint64_t most, uint64_t *value);

/* The same with a suffix K, M or G for powers of 1024: "256K". */
int number_parse_bytes(const char *text, uint64_t least, uint64_t most, uint64_t *bytes);

/* Seconds with up to three decimals, or with a suffix ms, s, m or h: "30", "0.5", "90s", "5m". Bounds are milliseconds too. */
int number_parse_duration(const char *text, uint64_t least, uint64_t most, uint64_t *milliseconds);

/* A whole number with a suffix ns, us, ms or s: "500ns", "20us"; 0 needs none. Bounds are nanoseconds. */
int number_parse_nanoseconds(const char *text, uint64_t least, uint64_t most, uint64_t *nanoseconds);

#endif
