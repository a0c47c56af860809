// SPDX-License-Identifier: GPL-2.0
#include "table.h"

#include <errno.h>
#include <sys/ioctl.h>

struct table table;

void table_begin(uint32_t file)
{
	table.rules[0] = (struct ktally_unwind_rule) { .kind = KTALLY_UNWIND_NONE };
	table.request = (struct ktally_load_table) {
		.size = sizeof(table.request),
		.file = file,
		.rows = (uintptr_t)table.rows,
		.first_rows = (uintptr_t)table.first_rows,
		.rules = (uintptr_t)table.rules,
		.rule_count = 1,
	};
}

void table_make_large(uint32_t rows)
{
	uint32_t i;

	for (i = 0; i < rows; i++)
		table.rows[i] = (struct ktally_unwind_row) { (uint16_t)i, (uint16_t)(i % 2) };
	for (i = 0; i * 65536 < rows; i++)
		table.first_rows[i] = i * 65536;
	table.first_rows[i] = rows;
	table.rules[1] = (struct ktally_unwind_rule) { .kind = KTALLY_UNWIND_END };
	table.request.rule_count = 2;
	table.request.chunk_count = i;
	table.request.row_count = rows;
}

void table_make_small(void)
{
	table_make_large(4);
	table.rows[2].offset = 0;
	table.rows[3].offset = 0xffff;
	table.first_rows[1] = 2;
	table.first_rows[2] = 4;
	table.request.chunk_count = 2;
}

int table_load(int fd)
{
	table.request.evicted = 0;
	return ioctl(fd, KTALLY_IOC_LOAD_TABLE, &table.request) ? -errno : 0;
}

int table_replace(int fd)
{
	int error;

	table.request.flags = KTALLY_LOAD_TABLE_REPLACE;
	error = table_load(fd);
	table.request.flags = 0;
	return error;
}
