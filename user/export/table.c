// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "export/label.h"
#include "export/table.h"

#define NAME_COLUMNS	24
#define BAR_COLUMNS	15
#define REMARK_COLUMNS	27

double table_percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* What setlocale() would look at. */
static bool understands_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

static void write_bar(struct buffer *text, uint64_t part, uint64_t whole)
{
	static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	unsigned int length = (unsigned int)(table_percent(part, whole) * BAR_COLUMNS * 8 / 100 + 0.5), column = 0;
	bool utf8 = understands_utf8();

	if (length > BAR_COLUMNS * 8)
		length = BAR_COLUMNS * 8;
	if (!utf8)
		length = (length + 4) / 8 * 8;
	for (; column < length / 8; column++)
		buffer_string(text, utf8 ? "█" : "#");
	if (length % 8) {
		buffer_string(text, eighths[length % 8]);
		column++;
	}
	buffer_format(text, "%*s", (int)(BAR_COLUMNS - column), "");
}

static void end_line(struct buffer *text)
{
	while (text->bytes && text->data[text->bytes - 1] == ' ')
		text->data[--text->bytes] = '\0';
	buffer_string(text, "\n");
}

void table_heading(struct buffer *text, const char *title, const char *remark)
{
	buffer_string(text, "\n");
	label_padded(text, title, 2 + NAME_COLUMNS);
	buffer_format(text, "%12s  %6s    %*s  %s", "seconds", "share", BAR_COLUMNS, "", remark);
	end_line(text);
}

void table_row(struct buffer *text, unsigned int indent, const char *name, uint64_t weight, uint64_t total,
	       uint64_t most, const char *remark, unsigned int remark_percent)
{
	buffer_format(text, "%*s", 2 + (int)indent, "");
	label_padded(text, name, NAME_COLUMNS - indent);
	buffer_format(text, "%12.2f  %6.1f %%  ", (double)weight / 1e9, table_percent(weight, total));
	write_bar(text, weight, most);
	if (remark) {
		size_t start;

		buffer_string(text, "  ");
		start = text->bytes;
		label_padded(text, remark, REMARK_COLUMNS);
		while (text->bytes > start && text->data[text->bytes - 1] == ' ')
			text->data[--text->bytes] = '\0';
		buffer_format(text, " %u %%", remark_percent);
	}
	end_line(text);
}
