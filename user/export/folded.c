// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Folded stacks, as flamegraph.pl, inferno, speedscope and a dozen others read them: "process;outermost;...;innermost
 * WEIGHT", nanoseconds of CPU time or of waiting. Kernel frames end in _[k]. Stacks are in the order of their names, so two files can
 * be compared by diff.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/message.h"
#include "export/export.h"
#include "export/output.h"
#include "export/tree.h"

static void write_path(struct buffer *line, const struct tree *tree, const uint32_t *path, size_t depth)
{
	for (size_t i = 0; i < depth; i++) {
		const struct tree_label *label = tree->nodes[path[i]].label;

		if (i)
			buffer_append(line, ";", 1);
		buffer_string(line, label->text);
		if (label->kind == TREE_KERNEL)
			buffer_string(line, "_[k]");
	}
}

int export_folded(FILE *file, const struct profile *profile, uint32_t sources, const struct export_host *host)
{
	struct output output = { .file = file };
	uint32_t *walk, *path;
	struct tree tree;
	size_t depth = 0;

	(void)host;
	tree_build(&tree, profile, sources, TREE_OF_TEXT, ";");
	walk = tree_walk(&tree, TREE_BY_NAME);
	path = memory_zeroed(tree.node_count, sizeof(*path));
	for (size_t i = 1; i < tree.node_count; i++) {
		uint64_t weight = tree_own_weight(&tree, &tree.nodes[walk[i]]);

		while (depth && path[depth - 1] != tree.nodes[walk[i]].parent)
			depth--;
		path[depth++] = walk[i];
		if (!weight)
			continue;
		write_path(&output.buffer, &tree, path, depth);
		buffer_format(&output.buffer, " %" PRIu64 "\n", weight);
		output_relieve(&output);
	}
	free(path);
	free(walk);
	tree_free(&tree);
	return output_finish(&output);
}
