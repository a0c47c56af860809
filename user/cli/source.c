// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/ktally.h>

#include "base/map.h"
#include "base/message.h"
#include "cli/dwarf.h"
#include "cli/source.h"
#include "symbols/demangle.h"
#include "symbols/printable.h"

#define OPEN_MOST	2		/* files whose DWARF is in memory, at most 512 MiB each */
#define PLACES_MOST	(256U << 10)
#define NAME_BYTES_MOST	2048

/* What is known of one address of one file: names of the frames that it stands for, the innermost first. */
struct place {
	size_t count;
	struct {
		const char *name;	/* with its place, as "name (file:line)"; of the last one only that: it has its name already */
		struct source_line line;
	} frames[];
};

struct source {
	struct map places;		/* hash of file and address -> struct place */
	struct map without;		/* keys of files that have no lines */
	struct {
		struct dwarf *dwarf;
		uint64_t key, used;
	} open[OPEN_MOST];
	uint64_t uses;
};

struct source *source_create(void)
{
	return memory_zeroed(1, sizeof(struct source));
}

void source_destroy(struct source *source)
{
	if (!source)
		return;
	map_free_values(&source->places);
	map_free(&source->without);
	for (unsigned int i = 0; i < OPEN_MOST; i++)
		dwarf_close(source->open[i].dwarf);
	free(source);
}

static struct dwarf *dwarf_of(struct source *source, const struct symbols_opened *opened)
{
	unsigned int oldest = 0;

	for (unsigned int i = 0; i < OPEN_MOST; i++) {
		if (source->open[i].dwarf && source->open[i].key == opened->key) {
			source->open[i].used = ++source->uses;
			return source->open[i].dwarf;
		}
		if (source->open[i].used < source->open[oldest].used)
			oldest = i;
	}
	if (map_get(&source->without, opened->key))
		return NULL;
	dwarf_close(source->open[oldest].dwarf);
	source->open[oldest].dwarf = dwarf_open(opened);
	if (!source->open[oldest].dwarf) {
		map_put(&source->without, opened->key, source);
		return NULL;
	}
	source->open[oldest].key = opened->key;
	source->open[oldest].used = ++source->uses;
	return source->open[oldest].dwarf;
}

static size_t find_lines(struct source *source, const struct symbols_opened *opened, uint64_t address, struct line *list)
{
	struct dwarf *dwarf = dwarf_of(source, opened);
	bool failed = !dwarf || dwarf_has_failed(dwarf);
	size_t count = failed ? 0 : dwarf_find(dwarf, address, list);

	if (!failed && dwarf_has_failed(dwarf))
		message_warning("%s has debug information that cannot be read: its functions have no lines from here on",
				opened->path);
	return count;
}

/* The name of a function, which is empty for the last one, and where in it. */
static const char *describe(const struct line *line, bool last, struct source_line *source)
{
	char text[NAME_BYTES_MOST + 512] = "";
	const char *file = line->file ? strrchr(line->file, '/') : NULL;
	size_t bytes;

	file = file ? file + 1 : line->file;
	if (!last && (!line->function || demangle(line->function, text, NAME_BYTES_MOST)))
		snprintf(text, NAME_BYTES_MOST, "%s", line->function ? line->function : "[inlined]");
	bytes = strlen(text);
	*source = (struct source_line){
		.function = bytes ? intern_printable(text, bytes) : NULL, .line = file ? line->line : 0, .inlined = !last,
		.file = file ? intern_printable(line->file, strlen(line->file)) : NULL,
	};
	if (file && line->line)
		snprintf(text + bytes, sizeof(text) - bytes, " (%.480s:%u)", file, line->line);
	return intern_printable(text, strlen(text));
}

static struct place *find(struct source *source, struct symbols *symbols, uint64_t mm_id, const struct frame *frame)
{
	struct symbols_opened opened;
	struct line list[LINES_MOST];
	struct place *place;
	uint64_t key = hash_words(hash_words((uintptr_t)frame->object, frame->object_address), hash_words(mm_id, frame->file));
	size_t count;

	place = map_get(&source->places, key);
	if (place || source->places.used >= PLACES_MOST || symbols_open(symbols, mm_id, frame, &opened))
		return place;
	count = find_lines(source, &opened, frame->object_address, list);
	symbols_close(&opened);
	place = memory_zeroed(1, sizeof(*place) + count * sizeof(place->frames[0]));
	place->count = count;
	for (size_t i = 0; i < count; i++)
		place->frames[i].name = describe(&list[i], i + 1 == count, &place->frames[i].line);
	if (count)
		place->frames[count - 1].line.function = frame->function;
	map_put(&source->places, key, place);
	return place;
}

static const char *with_place(const char *function, const char *where)
{
	char text[NAME_BYTES_MOST + 512];

	if (!*where)
		return function;
	snprintf(text, sizeof(text), "%.*s%s", NAME_BYTES_MOST - 1, function, where);
	return intern_printable(text, strlen(text));
}

struct stack *source_expand(void *context, struct symbols *symbols, struct stack *stack)
{
	size_t count = (size_t)stack->kernel_frames + stack->user_frames, more = 0, to;
	struct place **places = memory_zeroed(count, sizeof(*places));

	for (size_t i = stack->kernel_frames; i < count; i++) {
		const struct frame *frame = &stack->frames[i];

		if (frame->kind != FRAME_NATIVE || !frame->function || !frame->object || frame->object[0] != '/')
			continue;
		places[i] = find(context, symbols, stack->mm_id, frame);
		if (!places[i] || !places[i]->count || stack->user_frames + more + places[i]->count > UINT16_MAX)
			places[i] = NULL;
		else
			more += places[i]->count - 1;
	}
	if (more)
		stack = memory_resized(stack, 1, sizeof(*stack) + (count + more) * sizeof(stack->frames[0]));
	to = count + more;
	for (size_t i = count; i-- > 0;) {
		const struct frame frame = stack->frames[i];
		size_t inlined = places[i] ? places[i]->count - 1 : 0;

		stack->frames[--to] = frame;
		if (places[i]) {
			stack->frames[to].function = with_place(frame.function, places[i]->frames[inlined].name);
			stack->frames[to].source = &places[i]->frames[inlined].line;
		}
		while (inlined--) {
			stack->frames[--to] = frame;
			stack->frames[to].function = places[i]->frames[inlined].name;
			stack->frames[to].source = &places[i]->frames[inlined].line;
			stack->frames[to].function_offset = 0;
		}
	}
	stack->user_frames += (uint16_t)more;
	free(places);
	return stack;
}
