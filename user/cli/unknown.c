// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <linux/ktally.h>

#include "base/map.h"
#include "base/message.h"
#include "cli/package.h"
#include "cli/unknown.h"
#include "export/label.h"
#include "export/output.h"
#include "export/table.h"
#include "symbols/download.h"

#define NAME_COLUMNS	36

/* All frames that lack the same of the same file, or, where there is none, of the same program. */
struct row {
	struct symbols_diagnosis diagnosis;
	const char *object;		/* NULL: no file */
	const struct task *task;	/* one that had such a frame */
	const char *runtime;
	uint64_t self, inclusive;	/* ns: it ran itself, or something that it called */
	uint64_t samples;		/* with such a frame */
	size_t last;			/* number of the cell that was counted last */
	const char *package;		/* "" */
};

struct rows {
	struct map all;
	uint64_t total, named;		/* ns: in all, and with a name for what ran */
	size_t cells;
};

static struct row *row_for(struct rows *rows, const struct profile *profile, const struct profile_cell *cell,
			   const struct frame *frame)
{
	struct symbols_diagnosis diagnosis;
	const char *who;
	uint64_t key;
	struct row *row;

	symbols_diagnose(profile->symbols, cell->stack->mm_id, frame, &diagnosis);
	if (diagnosis.lack == SYMBOLS_LACK_NOTHING)
		return NULL;
	who = frame->object ? frame->object : intern(cell->task->process_name);
	key = hash_words(hash_words((uintptr_t)who, diagnosis.lack),
			 hash_bytes(diagnosis.build_id, strlen(diagnosis.build_id), diagnosis.deleted));
	row = map_get(&rows->all, key);
	if (!row) {
		row = memory_zeroed(1, sizeof(*row));
		row->diagnosis = diagnosis;
		row->object = frame->object;
		row->task = cell->task;
		row->runtime = symbols_runtime(profile->symbols, cell->task->mm_id);
		row->package = "";
		map_put(&rows->all, key, row);
	}
	return row;
}

static void add_cell(struct rows *rows, const struct profile *profile, const struct profile_cell *cell)
{
	const struct stack *stack = cell->stack;
	size_t count = (size_t)stack->kernel_frames + stack->user_frames;

	rows->cells++;
	rows->total += cell->weight;
	if (count && stack->frames[0].function)
		rows->named += cell->weight;
	for (size_t i = 0; i < count; i++) {
		struct row *row = stack->frames[i].function ? NULL : row_for(rows, profile, cell, &stack->frames[i]);

		if (!row)
			continue;
		if (!i)
			row->self += cell->weight;
		if (row->last != rows->cells) {
			row->last = rows->cells;
			row->inclusive += cell->weight;
			row->samples += cell->samples;
		}
	}
}

static int compare(const void *a_place, const void *b_place)
{
	const struct row *a = *(const struct row *const *)a_place, *b = *(const struct row *const *)b_place;
	int difference;

	if (a->self != b->self)
		return a->self > b->self ? -1 : 1;
	if (a->inclusive != b->inclusive)
		return a->inclusive > b->inclusive ? -1 : 1;
	difference = strcmp(a->object ? a->object : a->task->process_name, b->object ? b->object : b->task->process_name);
	return difference ? difference : (int)a->diagnosis.lack - (int)b->diagnosis.lack;
}

static const char *lack_of(const struct row *row)
{
	switch (row->diagnosis.lack) {
	case SYMBOLS_LACK_KERNEL:
		return "symbols of the kernel";
	case SYMBOLS_LACK_MAPPINGS:
		return "the process's mappings: nobody read them while it was there";
	case SYMBOLS_LACK_MAPPING:
		return "a mapping: no code is known to be at these addresses";
	case SYMBOLS_LACK_FILE:
		if (row->diagnosis.deleted)
			return "the file: it was deleted or replaced";
		if (row->diagnosis.error == -ESTALE)
			return "the file: another one has its path now";
		return row->diagnosis.error == -EACCES || row->diagnosis.error == -EPERM ?
		       "permission to read the file" : "the file: it is not here";
	case SYMBOLS_LACK_ELF:
		return "symbols: the file is no ELF program";
	case SYMBOLS_LACK_TABLE:
		return "symbols: the file is stripped, and its debug file is not here";
	case SYMBOLS_LACK_FUNCTION:
		return "symbols for these addresses; for others the file has them";
	case SYMBOLS_LACK_MAP:
		return "a map of just-in-time compiled code";
	case SYMBOLS_LACK_COMPILED:
		return "these addresses in the map of just-in-time compiled code";
	case SYMBOLS_LACK_NOTHING:
		break;
	}
	return "";
}

/* How the runtime is told to write down what it compiles. */
static const char *cure_of_runtime(const char *runtime)
{
	static const struct {
		const char *runtime, *cure;
	} cures[] = {
		{ "v8js", "start it with node --perf-basic-prof" },
		{ "jvm", "jcmd PID Compiler.perfmap while it runs, or java -XX:+DumpPerfMapAtExit (JDK 17)" },
		{ "dotnet", "start it with DOTNET_PerfMapEnabled=1 in its environment" },
		{ "cpython", "start it with python3 -X perf (Python 3.12)" },
		{ "ruby", "start it with ruby --yjit-perf (Ruby 3.3)" },
		{ "php", "set opcache.jit_debug=16" },
		{ "beam", "start it with erl +JPperf true" },
	};

	for (size_t i = 0; runtime && i < sizeof(cures) / sizeof(cures[0]); i++)
		if (!strcmp(runtime, cures[i].runtime))
			return cures[i].cure;
	return "its compiler must write /tmp/perf-PID.map or a jitdump file";
}

static void write_cure(struct buffer *text, const struct row *row)
{
	const struct symbols_diagnosis *diagnosis = &row->diagnosis;

	switch (diagnosis->lack) {
	case SYMBOLS_LACK_KERNEL:
		buffer_string(text, "record with CAP_SYSLOG, and kernel.kptr_restrict below 2");
		break;
	case SYMBOLS_LACK_FILE:
		if (diagnosis->deleted)
			buffer_string(text, "start the process again, so that it runs the file that is there now");
		else if (diagnosis->error == -EACCES || diagnosis->error == -EPERM)
			buffer_string(text, "report as root");
		else if (row->object && row->object[0] == '/')
			buffer_string(text, "report where and while it was recorded");
		break;
	case SYMBOLS_LACK_TABLE:
		if (row->package[0])
			buffer_format(text, "apt install %s%s", row->package, strcmp(row->package, "libc6") ? "-dbgsym" : "-dbg");
		if (row->package[0] && diagnosis->build_id[0])
			buffer_string(text, ", or ");
		if (diagnosis->build_id[0])
			buffer_format(text, download_is_allowed() ? "another server: those of DEBUGINFOD_URLS have no %s" :
				      "--download, or debuginfod-find debuginfo %s", diagnosis->build_id);
		else if (!row->package[0])
			buffer_string(text, "build it with -Wl,--build-id, and do not strip it");
		break;
	case SYMBOLS_LACK_MAP:
		buffer_string(text, cure_of_runtime(row->runtime));
		break;
	default:
		break;
	}
}

static void write_row(struct buffer *text, const struct row *row, uint64_t total)
{
	const char *name = row->object ? label_base_name(row->object) : row->task->process_name;
	struct buffer cure = { 0 };

	buffer_format(text, "%12.2f  %5.1f %%  %10.2f  %5.1f %%  %8" PRIu64 "  ", (double)row->self / 1e9,
		      table_percent(row->self, total), (double)row->inclusive / 1e9,
		      table_percent(row->inclusive, total), row->samples);
	label_text(text, name ? name : "[unknown]", NULL);
	if (row->object && name != row->object) {
		buffer_string(text, "  ");
		label_text(text, row->object, NULL);
	}
	buffer_format(text, "\n%14s%s\n", "lacks ", lack_of(row));
	write_cure(&cure, row);
	if (cure.bytes)
		buffer_format(text, "%14s%s\n", "cure: ", cure.data);
	buffer_free(&cure);
}

static void find_packages(struct row **sorted, size_t count, struct package_query *queries)
{
	size_t asked = 0;

	for (size_t i = 0; i < count; i++)
		if (sorted[i]->diagnosis.lack == SYMBOLS_LACK_TABLE && sorted[i]->object)
			queries[asked++].path = sorted[i]->object;
	if (asked)
		package_find(NULL, queries, asked);
	asked = 0;
	for (size_t i = 0; i < count; i++)
		if (sorted[i]->diagnosis.lack == SYMBOLS_LACK_TABLE && sorted[i]->object)
			sorted[i]->package = queries[asked++].name;
}

static void add_cells(struct rows *rows, const struct profile *profile, const struct map *cells)
{
	for (struct map_slot *slot = map_next(cells, NULL); slot; slot = map_next(cells, slot))
		add_cell(rows, profile, slot->value);
}

int unknown_write(FILE *file, const struct profile *profile, uint32_t sources, size_t most)
{
	struct output output = { .file = file };
	struct package_query *queries;
	struct rows rows = { 0 };
	struct row **sorted;
	size_t count;

	if (sources & KTALLY_SOURCE_ONCPU)
		add_cells(&rows, profile, &profile->oncpu.cells);
	if (sources & KTALLY_SOURCE_OFFCPU)
		add_cells(&rows, profile, &profile->offcpu.cells);
	sorted = map_sorted(&rows.all, compare);
	count = rows.all.used;
	if (most > count)
		most = count;
	queries = memory_zeroed(most, sizeof(*queries));
	find_packages(sorted, most, queries);
	buffer_format(&output.buffer, "Of %.2f s the function that ran has a name for %.1f %%.\n", (double)rows.total / 1e9,
		      table_percent(rows.named, rows.total));
	if (most)
		buffer_format(&output.buffer, "\n%12s  %7s  %10s  %7s  %8s  WITHOUT NAMES\n", "self seconds", "share",
			      "inclusive", "share", "samples");
	for (size_t i = 0; i < count && i < most; i++)
		write_row(&output.buffer, sorted[i], rows.total);
	if (most < count)
		buffer_format(&output.buffer, "and %zu more\n", count - most);
	free(queries);
	free(sorted);
	map_free_values(&rows.all);
	return output_finish(&output);
}
