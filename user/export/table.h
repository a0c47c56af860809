/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of shares for people: a name, seconds, percent, a bar, a remark; never wider than TABLE_COLUMNS. Bars are
 * drawn with block characters where the environment says that UTF-8 is understood, else with number signs.
 */
#ifndef KTALLY_TABLE_H
#define KTALLY_TABLE_H

#include <stdint.h>

#include "base/buffer.h"

#define TABLE_COLUMNS	100

void table_heading(struct buffer *text, const char *title, const char *remark);

/*
 * total: what is 100 percent, most: what fills the bar; remark: NULL or what stands at the end, with its share of the
 * row in percent.
 */
void table_row(struct buffer *text, unsigned int indent, const char *name, uint64_t weight, uint64_t total,
	       uint64_t most, const char *remark, unsigned int remark_percent);

double table_percent(uint64_t part, uint64_t whole);	/* 0 of nothing is 0 */

#endif
