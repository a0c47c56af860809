// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/message.h"
#include "classify/wait.h"
#include "cli/wall.h"
#include "export/label.h"
#include "export/output.h"

#define NAME_COLUMNS	28

enum column { ON_CPU, RUN_QUEUE, IO, LOCK, OTHER, IDLE, COLUMNS };

static const char *const titles[COLUMNS] = { "on CPU", "run queue", "I/O", "lock", "other", "idle" };

struct row {
	const struct task *task;	/* one of them */
	uint64_t columns[COLUMNS];	/* ns */
	uint64_t all;
};

static bool begins(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static enum column column_of(const char *cause)
{
	if (!cause)
		return ON_CPU;
	if (wait_is_idle(cause))
		return IDLE;
	if (begins(cause, "io/") || begins(cause, "page fault"))
		return IO;
	if (begins(cause, "lock/"))
		return LOCK;
	return strcmp(cause, WAIT_CAUSE_RUN_QUEUE) ? OTHER : RUN_QUEUE;
}

static void add(struct map *rows, const struct profile_cell *cell, bool threads)
{
	uint64_t key = threads ? hash_words(cell->task->tid, cell->task->start_time) : (uintptr_t)intern(cell->task->process_name);
	struct row *row = map_get(rows, key);

	if (!row) {
		row = memory_zeroed(1, sizeof(*row));
		row->task = cell->task;
		map_put(rows, key, row);
	}
	row->columns[column_of(cell->cause)] += cell->weight;
	row->all += cell->weight;
}

static void add_cells(struct map *rows, const struct map *cells, bool threads)
{
	for (struct map_slot *slot = map_next(cells, NULL); slot; slot = map_next(cells, slot))
		add(rows, slot->value, threads);
}

static int compare(const void *a_place, const void *b_place)
{
	const struct row *a = *(const struct row *const *)a_place, *b = *(const struct row *const *)b_place;
	uint64_t a_time = a->all - a->columns[IDLE], b_time = b->all - b->columns[IDLE];

	if (a_time != b_time)
		return a_time > b_time ? -1 : 1;
	if (a->all != b->all)
		return a->all > b->all ? -1 : 1;
	return a->task->tid < b->task->tid ? -1 : a->task->tid > b->task->tid;
}

static void write_name(struct buffer *text, const struct task *task, bool threads)
{
	struct buffer name = { 0 };

	if (threads)
		buffer_format(&name, "%" PRIu32 " %s", task->tid, task->comm);
	else
		buffer_string(&name, *task->process_name ? task->process_name : "?");
	label_padded(text, name.data, NAME_COLUMNS);
	buffer_free(&name);
}

static void write_row(struct buffer *text, const struct row *row, bool threads)
{
	buffer_string(text, "  ");
	write_name(text, row->task, threads);
	for (int i = 0; i < COLUMNS; i++)
		buffer_format(text, "%10.2f", (double)row->columns[i] / 1e9);
	buffer_format(text, "%10.2f\n", (double)row->all / 1e9);
}

static void write_titles(struct buffer *text, bool threads)
{
	buffer_format(text, "\n%-*s", 2 + NAME_COLUMNS, threads ? "WALL TIME OF THREADS, s" : "WALL TIME OF PROCESSES, s");
	for (int i = 0; i < COLUMNS; i++)
		buffer_format(text, "%10s", titles[i]);
	buffer_format(text, "%10s\n", "all");
}

int wall_write(FILE *file, const struct profile *profile, bool threads, size_t most)
{
	struct output output = { .file = file };
	struct map rows = { 0 };
	struct row **sorted;
	size_t count;

	if (!profile->offcpu.cells.used)
		return 0;
	add_cells(&rows, &profile->oncpu.cells, threads);
	add_cells(&rows, &profile->offcpu.cells, threads);
	sorted = map_sorted(&rows, compare);
	count = rows.used;
	if (most)
		write_titles(&output.buffer, threads);
	for (size_t i = 0; i < count && i < most; i++)
		write_row(&output.buffer, sorted[i], threads);
	free(sorted);
	map_free_values(&rows);
	return output_finish(&output);
}
