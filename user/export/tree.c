// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/message.h"
#include "export/cells.h"
#include "export/label.h"
#include "export/tree.h"

/* The array with room for one more. */
static void *grown(void *array, size_t count, size_t *room, size_t bytes)
{
	if (count >= UINT32_MAX - 1)
		message_fatal(EXIT_FAILED, "more than 4 billion frames in a tree of calls: record for a shorter time");
	if (count == *room) {
		*room = *room ? *room * 2 : 1024;
		array = memory_resized(array, *room, bytes);
	}
	return array;
}

/* Names of different kinds are kept apart: a process may be called like a function, a function like a mark. */
static const struct tree_label *find_label(struct tree *tree, const char *text, enum tree_kind kind, const char *object)
{
	size_t bytes = strlen(text);
	uint64_t key = hash_words(hash_names(text, bytes, kind), (uintptr_t)object);
	struct tree_label *label;

	while ((label = map_get(&tree->labels, key)) &&
	       (label->kind != kind || label->object != object || strcmp(label->text, text)))
		key++;
	if (!label) {
		label = memory_zeroed(1, sizeof(*label) + bytes + 1);
		label->number = tree->label_count++;
		label->kind = kind;
		label->object = object;
		memcpy(label->text, text, bytes);
		map_put(&tree->labels, key, label);
	}
	return label;
}

static uint32_t new_node(struct tree *tree, uint32_t parent, const struct tree_label *label)
{
	tree->nodes = grown(tree->nodes, tree->node_count, &tree->node_room, sizeof(*tree->nodes));
	tree->nodes[tree->node_count] = (struct tree_node){ .label = label, .parent = parent };
	return (uint32_t)tree->node_count++;
}

static uint32_t child(struct tree *tree, uint32_t parent, const char *text, enum tree_kind kind, const char *object)
{
	const struct tree_label *label = find_label(tree, text, kind, object);
	uint64_t key = (uint64_t)parent << 32 | label->number;
	uint32_t index = (uint32_t)(uintptr_t)map_get(&tree->children, key);	/* never 0: that is the root */

	if (!index) {
		index = new_node(tree, parent, label);
		map_put(&tree->children, key, (void *)(uintptr_t)index);
	}
	return index;
}

static uint32_t mark(struct tree *tree, uint32_t parent, uint8_t end)
{
	if (end == KTALLY_END_TRUNCATED)
		return child(tree, parent, "[truncated]", TREE_MARK, NULL);
	if (end >= KTALLY_END_BROKEN)
		return child(tree, parent, "[broken]", TREE_MARK, NULL);
	return parent;
}

/* Waits have areas of their own, beside those of what runs: "waiting/io/disk". */
static const char *area_of(const struct profile_cell *cell)
{
	char text[64];

	if (!cell->cause)
		return cell->stack->class.area;
	snprintf(text, sizeof(text), "waiting/%s", cell->cause);
	return intern(text);
}

static void add_self(struct tree *tree, uint32_t node, const struct profile_cell *cell)
{
	const char *area = area_of(cell);
	uint32_t index = tree->nodes[node].self;

	while (index && tree->selfs[index - 1].area != area)
		index = tree->selfs[index - 1].next;
	if (!index) {
		tree->selfs = grown(tree->selfs, tree->self_count, &tree->self_room, sizeof(*tree->selfs));
		tree->selfs[tree->self_count++] = (struct tree_self){ .area = area, .next = tree->nodes[node].self };
		index = tree->nodes[node].self = (uint32_t)tree->self_count;
	}
	tree->selfs[index - 1].weight += cell->weight;
	tree->selfs[index - 1].samples += cell->samples;
	tree->nodes[node].weight += cell->weight;
	tree->nodes[node].samples += cell->samples;
}

/* From the outermost of the frames down to the innermost. */
static uint32_t descend(struct tree *tree, struct buffer *text, uint32_t node, enum tree_kind kind,
			const struct frame *frames, unsigned int count)
{
	while (count--) {
		const struct frame *frame = &frames[count];

		buffer_clear(text);
		label_frame(text, frame, tree->style == TREE_OF_TEXT, tree->separators);
		node = child(tree, node, text->data, kind, tree->style == TREE_OF_TEXT ? NULL : frame->object);
	}
	return node;
}

static void add_cell(struct tree *tree, struct buffer *text, const struct profile_cell *cell)
{
	const struct stack *stack = cell->stack;
	uint32_t node;

	buffer_clear(text);
	label_text(text, *cell->task->process_name ? cell->task->process_name : "?", tree->separators);
	node = child(tree, 0, text->data, TREE_PROCESS, NULL);
	node = mark(tree, node, stack->user_end);
	node = descend(tree, text, node, TREE_USER, stack->frames + stack->kernel_frames, stack->user_frames);
	node = mark(tree, node, stack->kernel_end);
	node = descend(tree, text, node, TREE_KERNEL, stack->frames, stack->kernel_frames);
	add_self(tree, node, cell);
}

void tree_build(struct tree *tree, const struct profile *profile, uint32_t sources, enum tree_style style,
		const char *separators)
{
	const struct profile_cell **cells;
	struct buffer text = { 0 };
	size_t count;

	*tree = (struct tree){ .style = style, .separators = separators };
	new_node(tree, 0, find_label(tree, "all", TREE_ROOT, NULL));
	cells = cells_sorted(profile, sources, &count);
	for (size_t i = 0; i < count; i++)
		add_cell(tree, &text, cells[i]);
	free(cells);
	buffer_free(&text);
	for (size_t i = tree->node_count - 1; i > 0; i--) {
		struct tree_node *parent = &tree->nodes[tree->nodes[i].parent];

		parent->weight += tree->nodes[i].weight;
		parent->samples += tree->nodes[i].samples;
	}
}

void tree_free(struct tree *tree)
{
	map_free_values(&tree->labels);
	map_free(&tree->children);
	free(tree->nodes);
	free(tree->selfs);
	*tree = (struct tree){ 0 };
}

uint64_t tree_own_weight(const struct tree *tree, const struct tree_node *node)
{
	uint64_t weight = 0;

	for (uint32_t i = node->self; i; i = tree->selfs[i - 1].next)
		weight += tree->selfs[i - 1].weight;
	return weight;
}

struct sorting {
	const struct tree *tree;
	enum tree_order order;
};

static const char *object_of(const struct tree_node *node)
{
	return node->label->object ? node->label->object : "";
}

/* By parent, so that siblings stand together; then as asked for. */
static int compare(const void *a_place, const void *b_place, void *context)
{
	const struct sorting *sorting = context;
	const struct tree_node *a = &sorting->tree->nodes[*(const uint32_t *)a_place];
	const struct tree_node *b = &sorting->tree->nodes[*(const uint32_t *)b_place];
	int difference;

	if (a->parent != b->parent)
		return a->parent < b->parent ? -1 : 1;
	if (sorting->order == TREE_BY_WEIGHT && a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	difference = strcmp(a->label->text, b->label->text);
	if (!difference)
		difference = (int)a->label->kind - (int)b->label->kind;
	return difference ? difference : strcmp(object_of(a), object_of(b));
}

uint32_t *tree_walk(const struct tree *tree, enum tree_order order)
{
	struct sorting sorting = { tree, order };
	uint32_t *siblings = memory_zeroed(tree->node_count, sizeof(*siblings));	/* of each parent, together */
	uint32_t *first = memory_zeroed(tree->node_count + 1, sizeof(*first));		/* of each parent's children */
	uint32_t *walk = memory_zeroed(tree->node_count, sizeof(*walk));
	uint32_t *waiting = memory_zeroed(tree->node_count, sizeof(*waiting));
	size_t count = tree->node_count - 1, walked = 0, waits = 0;

	for (size_t i = 0; i < count; i++)
		siblings[i] = (uint32_t)i + 1;		/* all but the root */
	qsort_r(siblings, count, sizeof(*siblings), compare, &sorting);
	for (size_t i = 0, parent = 0; parent <= tree->node_count; parent++) {
		while (i < count && tree->nodes[siblings[i]].parent < parent)
			i++;
		first[parent] = (uint32_t)i;
	}
	waiting[waits++] = 0;
	while (waits) {
		uint32_t node = waiting[--waits];

		walk[walked++] = node;
		for (uint32_t i = first[node + 1]; i-- > first[node];)
			waiting[waits++] = siblings[i];
	}
	free(waiting);
	free(first);
	free(siblings);
	return walk;
}
