// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A flame graph as one HTML file: the page (flamegraph.html), its scripts and the profile as JSON, written one after
 * the other. Page and scripts are files of their own, taken in by the assembler: no generated source, and tools for
 * their languages see them.
 *
 * The JSON has numbers where it can, since there may be 100 000s of frames:
 *
 *	summary		a line about the profile
 *	time		what its nanoseconds are
 *	areas		names; causes of waits are below "waiting"
 *	objects		[path, short name], ...
 *	labels		text, enum tree_kind, index of the object or -1; text, ...
 *	nodes		level, index of the label; level, ...: each node before its children, siblings heaviest first
 *	selfs		index of the node, index of the area, ns, samples; ...: samples by the node that was their leaf
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "classify/classify.h"
#include "export/export.h"
#include "export/label.h"
#include "export/output.h"
#include "export/tree.h"

#define EMBED(name, path)						\
	__asm__(".pushsection .rodata\n"				\
		".global " #name "\n" #name ":\n"			\
		".incbin \"" path "\"\n"				\
		".byte 0\n"						\
		".popsection\n");					\
	extern const char name[] __attribute__((visibility("hidden")))

EMBED(flamegraph_page, "user/export/flamegraph.html");
EMBED(flamegraph_tree_script, "user/export/flamegraph_tree.js");
EMBED(flamegraph_script, "user/export/flamegraph.js");

/* Strings, and their places in the order of first use. */
struct list {
	const char **strings;
	size_t count, room;
	struct map places;	/* string, by its address -> place and one */
};

static size_t place(struct list *list, const char *string)
{
	uintptr_t known = (uintptr_t)map_get(&list->places, (uintptr_t)string);

	if (!known) {
		if (list->count == list->room) {
			list->room = list->room ? list->room * 2 : 64;
			list->strings = memory_resized(list->strings, list->room, sizeof(*list->strings));
		}
		list->strings[list->count] = string;
		known = ++list->count;
		map_put(&list->places, (uintptr_t)string, (void *)known);
	}
	return known - 1;
}

static void free_list(struct list *list)
{
	free(list->strings);
	map_free(&list->places);
}

static void write_text(struct buffer *json, const char *text)
{
	struct buffer clean = { 0 };

	label_text(&clean, text, NULL);
	buffer_json_string(json, clean.data);
	buffer_free(&clean);
}

static void write_summary(struct buffer *json, const struct profile *profile, uint32_t sources, const struct export_host *host)
{
	uint64_t lost = profile->lost[KTALLY_LOST_FULL].count + profile->lost[KTALLY_LOST_BUSY].count;
	struct buffer text = { 0 };

	buffer_format(&text, "%s, Linux %s: %.1f s", host->name ? host->name : "?", host->release ? host->release : "?",
		      (double)(profile->last_time - profile->first_time) / 1e9);
	if (sources & KTALLY_SOURCE_ONCPU)
		buffer_format(&text, ", %.2f s of CPU time in %" PRIu64 " samples", (double)profile->oncpu.weight / 1e9,
			      profile->oncpu.samples);
	if (sources & KTALLY_SOURCE_OFFCPU)
		buffer_format(&text, ", %.2f s of waiting in %" PRIu64 " records", (double)profile->offcpu.weight / 1e9,
			      profile->offcpu.samples);
	if (lost)
		buffer_format(&text, ", %" PRIu64 " lost", lost);
	buffer_string(json, "\"summary\":");
	write_text(json, text.data);
	buffer_free(&text);
}

static void write_labels(struct output *output, const struct tree *tree, struct list *objects)
{
	const struct tree_label **labels = memory_zeroed(tree->label_count, sizeof(*labels));

	for (struct map_slot *slot = map_next(&tree->labels, NULL); slot; slot = map_next(&tree->labels, slot)) {
		const struct tree_label *label = slot->value;

		labels[label->number] = label;
	}
	buffer_string(&output->buffer, ",\"labels\":[");
	for (uint32_t i = 0; i < tree->label_count; i++) {
		const struct tree_label *label = labels[i];

		buffer_string(&output->buffer, i ? "," : "");
		buffer_json_string(&output->buffer, label->text);
		buffer_format(&output->buffer, ",%d,%zd", label->kind,
			      label->object ? (ssize_t)place(objects, label->object) : -1);
		output_relieve(output);
	}
	buffer_string(&output->buffer, "]");
	free(labels);
}

static void write_objects(struct output *output, const struct list *objects)
{
	buffer_string(&output->buffer, ",\"objects\":[");
	for (size_t i = 0; i < objects->count; i++) {
		const char *path = objects->strings[i], *library = library_name(path);

		buffer_string(&output->buffer, i ? ",[" : "[");
		write_text(&output->buffer, path);
		buffer_string(&output->buffer, ",");
		write_text(&output->buffer, library ? library : label_base_name(path));
		buffer_string(&output->buffer, "]");
		output_relieve(output);
	}
	buffer_string(&output->buffer, "]");
}

static void write_nodes(struct output *output, const struct tree *tree, const uint32_t *walk)
{
	uint32_t *levels = memory_zeroed(tree->node_count, sizeof(*levels));

	buffer_string(&output->buffer, ",\"nodes\":[");
	for (size_t i = 0; i < tree->node_count; i++) {
		const struct tree_node *node = &tree->nodes[walk[i]];

		if (i)
			levels[walk[i]] = levels[node->parent] + 1;
		buffer_format(&output->buffer, "%s%" PRIu32 ",%" PRIu32, i ? "," : "", levels[walk[i]],
			      node->label->number);
		output_relieve(output);
	}
	buffer_string(&output->buffer, "]");
	free(levels);
}

static void write_selfs(struct output *output, const struct tree *tree, const uint32_t *walk, struct list *areas)
{
	const char *comma = "";

	buffer_string(&output->buffer, ",\"selfs\":[");
	for (size_t i = 0; i < tree->node_count; i++) {
		for (uint32_t next = tree->nodes[walk[i]].self; next; next = tree->selfs[next - 1].next) {
			const struct tree_self *self = &tree->selfs[next - 1];

			buffer_format(&output->buffer, "%s%zu,%zu,%" PRIu64 ",%" PRIu64, comma, i,
				      place(areas, self->area ? self->area : "unknown"), self->weight, self->samples);
			comma = ",";
		}
		output_relieve(output);
	}
	buffer_string(&output->buffer, "]");
}

static void write_areas(struct output *output, const struct list *areas)
{
	buffer_string(&output->buffer, ",\"areas\":[");
	for (size_t i = 0; i < areas->count; i++) {
		buffer_string(&output->buffer, i ? "," : "");
		write_text(&output->buffer, areas->strings[i]);
	}
	buffer_string(&output->buffer, "]");
}

static void write_profile(struct output *output, const struct profile *profile, uint32_t sources,
			  const struct export_host *host)
{
	struct list objects = { 0 }, areas = { 0 };
	struct tree tree;
	uint32_t *walk;

	tree_build(&tree, profile, sources, TREE_OF_FRAMES, NULL);
	walk = tree_walk(&tree, TREE_BY_WEIGHT);
	buffer_string(&output->buffer, "{");
	write_summary(&output->buffer, profile, sources, host);
	buffer_format(&output->buffer, ",\"time\":\"%s\"", export_time_name(sources));
	write_labels(output, &tree, &objects);
	write_objects(output, &objects);
	write_nodes(output, &tree, walk);
	write_selfs(output, &tree, walk, &areas);
	write_areas(output, &areas);
	buffer_string(&output->buffer, "}");
	free(walk);
	tree_free(&tree);
	free_list(&objects);
	free_list(&areas);
}

/* The page up to a mark, which is where the scripts and the profile go; returns what follows the mark. */
static const char *write_until(struct buffer *text, const char *page, const char *mark)
{
	const char *found = strstr(page, mark);

	if (!found)
		message_fatal(EXIT_FAILED, "the page of the flame graph was built without %s: build ktally again",
			      mark);
	buffer_append(text, page, (size_t)(found - page));
	return found + strlen(mark);
}

int export_flamegraph(FILE *file, const struct profile *profile, uint32_t sources, const struct export_host *host)
{
	struct output output = { .file = file };
	const char *page = flamegraph_page;

	page = write_until(&output.buffer, page, "@PROFILE@");
	write_profile(&output, profile, sources, host);
	page = write_until(&output.buffer, page, "@SCRIPT@");
	buffer_string(&output.buffer, "\n");
	buffer_string(&output.buffer, flamegraph_tree_script);
	buffer_string(&output.buffer, flamegraph_script);
	buffer_string(&output.buffer, page);
	return output_finish(&output);
}
