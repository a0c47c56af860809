// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <linux/ktally.h>

#include "base/map.h"
#include "base/message.h"
#include "cli/ends.h"
#include "export/label.h"
#include "export/output.h"
#include "export/table.h"

/* All stacks that end alike in code of the same file, or, where it is of none, in the same program. */
struct row {
	uint8_t end;			/* KTALLY_END_* */
	const char *object;		/* of the last frame; NULL: of no file */
	const char *process_name;	/* of one that had such a stack */
	uint64_t weight;		/* ns */
	uint64_t samples;
};

struct rows {
	struct map all;
	uint64_t total, whole;		/* ns of all user stacks, and of those that are whole */
};

/* What to say of an end, and what may be done about it. */
static const struct {
	const char *what, *cure;
} words[] = {
	[KTALLY_END_TRUNCATED] = { "deeper than was asked for", "record with a larger --depth" },
	[KTALLY_END_BROKEN] = { "no sensible registers", NULL },
	[KTALLY_END_HOLE] = { "memory of the stack was not there, or paged out", NULL },
	[KTALLY_END_NO_TABLE] = {
		"no unwind table knew this code, and there was no frame pointer",
		"in the first second of a file it is being read; later: build it with -fasynchronous-unwind-tables or "
		"-fno-omit-frame-pointer",
	},
	[KTALLY_END_FOREIGN] = { "went on on another stack, as a coroutine's does", NULL },
};

#define WORDS (sizeof(words) / sizeof(words[0]))

static struct row *row_for(struct rows *rows, const struct profile_cell *cell)
{
	const struct stack *stack = cell->stack;
	const struct frame *last = &stack->frames[stack->kernel_frames + stack->user_frames - 1];
	const char *object = stack->user_frames ? last->object : NULL;
	const char *who = object ? object : cell->task->process_name;
	uint64_t key = hash_words((uintptr_t)who, stack->user_end);
	struct row *row = map_get(&rows->all, key);

	if (!row) {
		row = memory_zeroed(1, sizeof(*row));
		row->end = stack->user_end;
		row->object = object;
		row->process_name = cell->task->process_name;
		map_put(&rows->all, key, row);
	}
	return row;
}

static void add_cells(struct rows *rows, const struct map *cells)
{
	for (struct map_slot *slot = map_next(cells, NULL); slot; slot = map_next(cells, slot)) {
		const struct profile_cell *cell = slot->value;
		struct row *row;

		if (cell->stack->user_end == KTALLY_END_NONE)
			continue;
		rows->total += cell->weight;
		if (cell->stack->user_end == KTALLY_END_COMPLETE) {
			rows->whole += cell->weight;
			continue;
		}
		row = row_for(rows, cell);
		row->weight += cell->weight;
		row->samples += cell->samples;
	}
}

static int compare(const void *a_place, const void *b_place)
{
	const struct row *a = *(const struct row *const *)a_place, *b = *(const struct row *const *)b_place;
	int difference;

	if (a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	difference = strcmp(a->object ? a->object : a->process_name, b->object ? b->object : b->process_name);
	return difference ? difference : (int)a->end - (int)b->end;
}

static void write_row(struct buffer *text, const struct row *row, uint64_t total)
{
	const char *name = row->object ? label_base_name(row->object) : row->process_name;

	buffer_format(text, "%12.2f  %5.1f %%  %8" PRIu64 "  ", (double)row->weight / 1e9, table_percent(row->weight, total),
		      row->samples);
	label_text(text, name ? name : "[unknown]", NULL);
	if (row->object && name != row->object) {
		buffer_string(text, "  ");
		label_text(text, row->object, NULL);
	}
	if (!row->object)
		buffer_string(text, ", code of no file");
	if (row->end >= WORDS || !words[row->end].what)
		buffer_format(text, "\n%14sas a newer module says with %u\n", "ends ", row->end);
	else
		buffer_format(text, "\n%14s%s\n", "ends ", words[row->end].what);
	if (row->end < WORDS && words[row->end].cure && (row->object || row->end != KTALLY_END_NO_TABLE))
		buffer_format(text, "%14s%s\n", "cure: ", words[row->end].cure);
}

int ends_write(FILE *file, const struct profile *profile, uint32_t sources, size_t most)
{
	struct output output = { .file = file };
	struct rows rows = { 0 };
	struct row **sorted;
	size_t count;

	if (sources & KTALLY_SOURCE_ONCPU)
		add_cells(&rows, &profile->oncpu.cells);
	if (sources & KTALLY_SOURCE_OFFCPU)
		add_cells(&rows, &profile->offcpu.cells);
	sorted = map_sorted(&rows.all, compare);
	count = rows.all.used;
	buffer_format(&output.buffer, "Of %.2f s in processes the user stack is whole for %.1f %%.\n", (double)rows.total / 1e9,
		      table_percent(rows.whole, rows.total));
	if (count && most)
		buffer_format(&output.buffer, "\n%12s  %7s  %8s  STACKS END IN\n", "seconds", "share", "samples");
	for (size_t i = 0; i < count && i < most; i++)
		write_row(&output.buffer, sorted[i], rows.total);
	if (most < count)
		buffer_format(&output.buffer, "and %zu more\n", count - most);
	free(sorted);
	map_free_values(&rows.all);
	return output_finish(&output);
}
