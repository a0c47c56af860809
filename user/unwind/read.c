// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "unwind/frames.h"
#include "unwind/linker.h"
#include "unwind/pclntab.h"
#include "unwind/rows.h"
#include "unwind/section.h"
#include "unwind/sframe.h"

#define FUNCTIONS_MOST	(2U << 20)	/* the largest Go program around has half a million */

struct reading {
	const struct elf *elf;
	struct index index;
	struct section sections[UNWIND_SOURCES];
	struct frames *frames[2];	/* of .eh_frame and .debug_frame */
	struct sframe sframe;
	struct pclntab pclntab;
	struct unwind_statistics *statistics;
};

void rows_rule(struct rows *rows, uint64_t within, const struct ktally_unwind_rule *rule)
{
	if (within < rows->end - rows->start)
		builder_row(rows->builder, rows->start + within, rule);
}

void rows_frame(struct rows *rows, uint64_t within, const struct frame *frame)
{
	struct ktally_unwind_rule rule;
	enum rule_loss loss;

	if (within >= rows->end - rows->start)
		return;
	if (!frame) {
		rows_rule(rows, within, NULL);
		return;
	}
	rule = rule_of_frame(rows->cie, frame, &loss);
	rows->statistics->lost_cfa += loss == LOSS_CFA;
	rows->statistics->lost_return_address += loss == LOSS_RETURN_ADDRESS;
	rows->statistics->lost_saved += loss == LOSS_SAVED;
	rows->statistics->inexact += loss == LOSS_REGISTER;
	rows_rule(rows, within, &rule);
}

/* Without section headers the index, which the program headers know, says where .eh_frame begins. */
static int load_by_index(const struct elf *elf, struct section *section)
{
	const struct elf_segment *segment = &elf->unwind_index;
	uint8_t header[4 + 10];
	struct origin origin = { .start = header, .address = segment->address, .data = segment->address };
	struct cursor cursor = cursor_over(header, sizeof(header));
	uint8_t encoding;
	uint64_t address;

	if (segment->file_bytes < sizeof(header))
		return -ENOENT;
	if (elf_read(elf, segment->offset, header, sizeof(header)) || header[0] != 1)
		return -EBADMSG;
	encoding = header[1];
	cursor.at += 4;
	address = cursor_address(&cursor, encoding, &origin);
	return cursor.broken ? -EBADMSG : section_load_address(elf, address, UINT64_MAX, section);
}

static void add_frames(struct reading *reading, const struct elf *elf, enum unwind_source source)
{
	struct section *section = &reading->sections[source];
	struct frames *frames;
	bool ends_at_zero = false;

	if (section_load(elf, source == UNWIND_EH_FRAME ? ".eh_frame" : ".debug_frame", section)) {
		if (source != UNWIND_EH_FRAME || load_by_index(elf, section))
			return;
		ends_at_zero = true;
	}
	frames = memory_zeroed(1, sizeof(*frames));
	*frames = (struct frames){
		.data = section->data,
		.bytes = section->bytes,
		.origin = { .start = section->data, .address = section->address },
		.debug = source == UNWIND_DEBUG_FRAME,
		.ends_at_zero = ends_at_zero,
	};
	frames_index(frames, &reading->index, source);
	reading->statistics->functions[source] = index_merge(&reading->index);
	reading->statistics->malformed += frames->malformed;
	reading->frames[source] = frames;
}

static void add_sframe(struct reading *reading, const struct elf *elf)
{
	const struct elf_segment *segment = &elf->simple_frames;
	struct section *section = &reading->sections[UNWIND_SFRAME];

	if ((section_load(elf, ".sframe", section) &&
	     section_load_address(elf, segment->address, segment->file_bytes, section)) ||
	    !sframe_open(&reading->sframe, section))
		return;
	sframe_index(&reading->sframe, &reading->index, UNWIND_SFRAME);
	reading->statistics->functions[UNWIND_SFRAME] = index_merge(&reading->index);
}

static void add_pclntab(struct reading *reading, const struct elf *elf)
{
	if (!pclntab_open(&reading->pclntab, elf))
		return;
	pclntab_index(&reading->pclntab, &reading->index, UNWIND_PCLNTAB);
	reading->statistics->functions[UNWIND_PCLNTAB] = index_merge(&reading->index);
}

static bool run(struct reading *reading, const struct function *function, struct rows *rows)
{
	switch (function->source) {
	case UNWIND_EH_FRAME:
	case UNWIND_DEBUG_FRAME:
		return frames_run(reading->frames[function->source], function->at, rows);
	case UNWIND_SFRAME:
		return sframe_run(&reading->sframe, function->at, rows);
	case UNWIND_PCLNTAB:
		return pclntab_run(&reading->pclntab, function->at, rows);
	case UNWIND_LINKER:
		linker_run(function->at, rows);
		return true;
	}
	return false;
}

static void walk(struct reading *reading, struct builder *builder)
{
	const struct index *index = &reading->index;
	struct rows rows = { .builder = builder, .statistics = reading->statistics };
	uint64_t malformed = 0;

	reading->statistics->lost_cfa = 0;
	reading->statistics->lost_return_address = 0;
	reading->statistics->lost_saved = 0;
	reading->statistics->inexact = 0;
	for (size_t i = 0; i < index->count && !builder->overflow; i++) {
		const struct function *function = &index->list[i];
		uint64_t next = i + 1 < index->count ? index->list[i + 1].start : UINT64_MAX;

		rows.start = function->start;
		rows.end = function->start + function->bytes;
		if (rows.end > next)
			rows.end = next;
		if (!run(reading, function, &rows))
			malformed++;
		if (rows.end < next)
			builder_row(builder, rows.end, NULL);
	}
	reading->statistics->malformed += malformed;
}

static void executable_range(const struct elf *elf, uint64_t *start, uint64_t *end)
{
	*start = UINT64_MAX;
	*end = 0;
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct elf_segment *segment = &elf->segments[i];
		uint64_t segment_end;

		if (!segment->executable || !segment->file_bytes ||
		    __builtin_add_overflow(segment->offset, segment->file_bytes, &segment_end) ||
		    segment_end > elf->source.bytes)
			continue;
		if (segment->offset < *start)
			*start = segment->offset;
		if (segment_end > *end)
			*end = segment_end;
	}
}

static uint64_t known_bytes(const struct unwind_table *table, uint64_t from, uint64_t to)
{
	uint64_t known = 0;

	for (uint32_t chunk = 0; chunk < table->chunk_count; chunk++) {
		uint64_t base = ((uint64_t)table->first_chunk + chunk) << KTALLY_UNWIND_CHUNK_SHIFT;

		for (uint32_t i = table->first_row[chunk]; i < table->first_row[chunk + 1]; i++) {
			uint64_t start = base + table->rows[i].offset;
			uint64_t end = base + (i + 1 < table->first_row[chunk + 1] ? table->rows[i + 1].offset : 0x10000);

			if (start < from)
				start = from;
			if (end > to)
				end = to;
			if (table->rows[i].rule && start < end)
				known += end - start;
		}
	}
	return known;
}

static void count(const struct elf *elf, const struct unwind_table *table, struct unwind_statistics *statistics)
{
	statistics->rows = table->row_count;
	statistics->rules = table->rule_count;
	statistics->bytes = unwind_table_bytes(table);
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct elf_segment *segment = &elf->segments[i];

		if (!segment->executable || segment->offset > UINT64_MAX - segment->file_bytes)
			continue;
		statistics->code_bytes += segment->file_bytes;
		statistics->uncovered_bytes += segment->file_bytes -
			known_bytes(table, segment->offset, segment->offset + segment->file_bytes);
	}
}

static int build(struct reading *reading, struct unwind_table *table, size_t most_bytes)
{
	struct builder builder;
	uint64_t start, end;
	int error;

	executable_range(reading->elf, &start, &end);
	if (start >= end)
		return -ENODATA;
	error = builder_begin(&builder, start, end, most_bytes);
	if (error)
		return error;
	walk(reading, &builder);
	if (builder_again(&builder))
		walk(reading, &builder);
	reading->statistics->lost_rules = builder.rows_given_up;
	error = builder_finish(&builder, table);
	if (!error && unwind_table_bytes(table) > most_bytes) {
		unwind_table_free(table);
		error = -EFBIG;
	}
	return error;
}

int unwind_read(struct unwind_table *table, const struct elf *elf, const struct elf *debug, size_t most_bytes,
		struct unwind_statistics *statistics)
{
	struct reading reading = { .elf = elf, .index = { .elf = elf, .most = FUNCTIONS_MOST },
				   .statistics = statistics };
	int error;

	*statistics = (struct unwind_statistics){ 0 };
	*table = (struct unwind_table){ 0 };
	if (!elf->is64 || elf->machine != EM_X86_64)
		return -ENOEXEC;
	add_frames(&reading, elf, UNWIND_EH_FRAME);
	add_pclntab(&reading, elf);
	add_frames(&reading, elf, UNWIND_DEBUG_FRAME);
	if (!reading.frames[UNWIND_DEBUG_FRAME] && debug)
		add_frames(&reading, debug, UNWIND_DEBUG_FRAME);
	add_sframe(&reading, elf);
	linker_index(elf, &reading.index, UNWIND_LINKER);
	statistics->functions[UNWIND_LINKER] = index_merge(&reading.index);
	error = reading.index.overflow ? -EFBIG : build(&reading, table, most_bytes);
	if (!error)
		count(elf, table, statistics);
	for (size_t i = 0; i < UNWIND_SOURCES; i++)
		section_free(&reading.sections[i]);
	free(reading.frames[UNWIND_EH_FRAME]);
	free(reading.frames[UNWIND_DEBUG_FRAME]);
	pclntab_close(&reading.pclntab);
	free(reading.index.list);
	return error;
}
