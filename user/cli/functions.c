// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/message.h"
#include "cli/functions.h"
#include "export/label.h"
#include "export/output.h"
#include "export/table.h"

#define NAME_COLUMNS	36

struct function {
	const char *name;		/* NULL: all frames without a name of the object */
	const char *object;
	const struct frame *frame;	/* one of them */
	uint64_t self, inclusive;	/* ns */
	size_t counted;			/* number of the last cell that counted, so that recursion counts once */
};

/* Names are interned, so equal pointers are equal functions. */
static struct function *find(struct map *functions, const struct frame *frame)
{
	uint64_t key = hash_words((uintptr_t)frame->function, (uintptr_t)frame->object);
	struct function *function;

	while ((function = map_get(functions, key)) &&
	       (function->name != frame->function || function->object != frame->object))
		key++;
	if (!function) {
		function = memory_zeroed(1, sizeof(*function));
		*function = (struct function){ .name = frame->function, .object = frame->object, .frame = frame };
		map_put(functions, key, function);
	}
	return function;
}

static void add(struct map *functions, const struct profile_cell *cell, size_t number)
{
	const struct stack *stack = cell->stack;

	for (unsigned int i = 0; i < (unsigned int)stack->kernel_frames + stack->user_frames; i++) {
		struct function *function = find(functions, &stack->frames[i]);

		if (!i)
			function->self += cell->weight;
		if (function->counted != number)
			function->inclusive += cell->weight;
		function->counted = number;
	}
}

static int compare(const void *a_place, const void *b_place)
{
	const struct function *a = *(const struct function *const *)a_place;
	const struct function *b = *(const struct function *const *)b_place;
	int difference;

	if (a->self != b->self)
		return a->self > b->self ? -1 : 1;
	if (a->inclusive != b->inclusive)
		return a->inclusive > b->inclusive ? -1 : 1;
	difference = strcmp(a->name ? a->name : "", b->name ? b->name : "");
	return difference ? difference : strcmp(a->object ? a->object : "", b->object ? b->object : "");
}

static void write_function(struct buffer *text, const struct function *function, uint64_t total)
{
	struct buffer name = { 0 };
	const char *object = function->object ? label_base_name(function->object) : "";

	label_frame(&name, function->frame, false, NULL);
	buffer_format(text, "%12.2f  %5.1f %%  %10.2f  %5.1f %%  ", (double)function->self / 1e9,
		      table_percent(function->self, total), (double)function->inclusive / 1e9,
		      table_percent(function->inclusive, total));
	label_padded(text, name.data, NAME_COLUMNS);
	buffer_string(text, "  ");
	label_padded(text, object, TABLE_COLUMNS - 44 - NAME_COLUMNS - 2);
	while (text->data[text->bytes - 1] == ' ')
		text->data[--text->bytes] = '\0';
	buffer_string(text, "\n");
	buffer_free(&name);
}

int functions_write(FILE *file, const struct profile *profile, size_t most)
{
	struct output output = { .file = file };
	struct map functions = { 0 };
	struct function **sorted;
	size_t count, number = 0;
	uint64_t total = 0;

	for (struct map_slot *slot = map_next(&profile->oncpu.cells, NULL); slot; slot = map_next(&profile->oncpu.cells, slot)) {
		const struct profile_cell *cell = slot->value;

		add(&functions, cell, ++number);
		total += cell->weight;
	}
	sorted = map_sorted(&functions, compare);
	count = functions.used;
	if (count && most)
		buffer_format(&output.buffer, "\n%12s  %7s  %10s  %7s  FUNCTIONS\n", "self seconds", "share",
			      "inclusive", "share");
	for (size_t i = 0; i < count && i < most; i++)
		write_function(&output.buffer, sorted[i], total);
	free(sorted);
	map_free_values(&functions);
	return output_finish(&output);
}
