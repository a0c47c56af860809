/* SPDX-License-Identifier: GPL-2.0 */
/* An unwind table to be loaded. */
#ifndef KTALLY_TEST_TABLE_H
#define KTALLY_TEST_TABLE_H

#include <stdint.h>

#include <linux/ktally.h>

#define TABLE_ROWS_MAX 400000
#define TABLE_CHUNKS_MAX 8
#define TABLE_RULES_MAX 8

/* There is one at a time: its arrays, and the request that names them. */
struct table {
	struct ktally_unwind_row rows[TABLE_ROWS_MAX];
	uint32_t first_rows[TABLE_CHUNKS_MAX + 1];
	struct ktally_unwind_rule rules[TABLE_RULES_MAX];
	struct ktally_load_table request;
};

extern struct table table;

/* For this file; one rule, that nothing is known, and nothing else. */
void table_begin(uint32_t file);
/* So many rows, by turns with the first two rules; the second is that of an outermost frame. */
void table_make_large(uint32_t rows);
/* Two chunks with two rows each. */
void table_make_small(void);

/* 0 or -errno. */
int table_load(int fd);
int table_replace(int fd);

#endif /* KTALLY_TEST_TABLE_H */
