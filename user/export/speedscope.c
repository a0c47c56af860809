// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file format of speedscope (https://www.speedscope.app/file-format-schema.json): a table of frames, and for each path of the
 * tree of calls that has time of its own its frames, outermost first, with the process in front, and its nanoseconds. Paths come
 * heaviest first, so what speedscope shows as an order of time is one of weight.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/message.h"
#include "export/export.h"
#include "export/output.h"
#include "export/tree.h"
#include "lib/libktally.h"

/* Frames have the numbers of their labels but for the root, which has 0. */
static void write_frames(struct output *output, const struct tree *tree)
{
	const struct tree_label **labels = memory_zeroed(tree->label_count, sizeof(*labels));

	for (struct map_slot *slot = map_next(&tree->labels, NULL); slot; slot = map_next(&tree->labels, slot)) {
		const struct tree_label *label = slot->value;

		labels[label->number] = label;
	}
	for (uint32_t i = 1; i < tree->label_count; i++) {
		buffer_string(&output->buffer, i > 1 ? ",\n{\"name\":" : "\n{\"name\":");
		buffer_json_string(&output->buffer, labels[i]->text);
		if (labels[i]->object) {
			buffer_string(&output->buffer, ",\"file\":");
			buffer_json_string(&output->buffer, labels[i]->object);
		}
		buffer_string(&output->buffer, "}");
		output_relieve(output);
	}
	free(labels);
}

static void write_samples(struct output *output, const struct tree *tree, const uint32_t *walk)
{
	uint32_t *path = memory_zeroed(tree->node_count, sizeof(*path));
	const char *separator = "";
	size_t depth = 0;

	for (size_t i = 1; i < tree->node_count; i++) {
		const struct tree_node *node = &tree->nodes[walk[i]];

		while (depth && path[depth - 1] != node->parent)
			depth--;
		path[depth++] = walk[i];
		if (!tree_own_weight(tree, node))
			continue;
		buffer_format(&output->buffer, "%s\n[", separator);
		for (size_t j = 0; j < depth; j++)
			buffer_format(&output->buffer, j ? ",%" PRIu32 : "%" PRIu32, tree->nodes[path[j]].label->number - 1);
		buffer_string(&output->buffer, "]");
		separator = ",";
		output_relieve(output);
	}
	free(path);
}

static void write_weights(struct output *output, const struct tree *tree, const uint32_t *walk)
{
	const char *separator = "";

	for (size_t i = 1; i < tree->node_count; i++) {
		uint64_t weight = tree_own_weight(tree, &tree->nodes[walk[i]]);

		if (!weight)
			continue;
		buffer_format(&output->buffer, "%s%" PRIu64, separator, weight);
		separator = ",";
		output_relieve(output);
	}
}

int export_speedscope(FILE *file, const struct profile *profile, uint32_t sources, const struct export_host *host)
{
	struct output output = { .file = file };
	struct buffer name = { 0 };
	struct tree tree;
	uint32_t *walk;

	tree_build(&tree, profile, sources, TREE_OF_FRAMES, NULL);
	walk = tree_walk(&tree, TREE_BY_WEIGHT);
	buffer_format(&name, "%s of %s", export_time_name(sources), host->name ? host->name : "an unknown host");
	buffer_format(&output.buffer, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"exporter\":\"ktally@%s\",\"name\":",
		      ktally_version());
	buffer_json_string(&output.buffer, name.data);
	buffer_string(&output.buffer, ",\"activeProfileIndex\":0,\n\"shared\":{\"frames\":[");
	write_frames(&output, &tree);
	buffer_string(&output.buffer, "]},\n\"profiles\":[{\"type\":\"sampled\",\"name\":");
	buffer_json_string(&output.buffer, name.data);
	buffer_format(&output.buffer, ",\"unit\":\"nanoseconds\",\"startValue\":0,\"endValue\":%" PRIu64 ",\n\"samples\":[", tree.nodes[0].weight);
	write_samples(&output, &tree, walk);
	buffer_string(&output.buffer, "],\n\"weights\":[");
	write_weights(&output, &tree, walk);
	buffer_string(&output.buffer, "]}]}\n");
	free(walk);
	tree_free(&tree);
	buffer_free(&name);
	return output_finish(&output);
}
