/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The calls of a profile as one tree: a root, below it processes by name, below them frames from the outermost inwards.
 * Folded stacks are its paths, a flame graph its picture.
 *
 * A stack that is not whole says so in the tree, by a frame of that name where the missing ones belong ("[truncated]":
 * deeper than was asked for; "[broken]": the chain of callers breaks off), so that a cut stack never looks like a
 * complete one.
 */
#ifndef KTALLY_TREE_H
#define KTALLY_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "profile/profile.h"

enum tree_kind {
	TREE_ROOT,
	TREE_PROCESS,
	TREE_KERNEL,
	TREE_USER,
	TREE_MARK,		/* stands for frames that are missing */
};

enum tree_style {
	TREE_OF_TEXT,		/* told apart by what they are called: frames without a name by object and address */
	TREE_OF_FRAMES,		/* by name and object; frames without a name are those of their object */
};

/* What a node is; equal nodes share it. */
struct tree_label {
	uint32_t number;	/* in the order of first use */
	enum tree_kind kind;
	const char *object;	/* NULL: none, or a tree of text */
	char text[];
};

struct tree_node {
	const struct tree_label *label;
	uint32_t parent;	/* index; always less than the node's own */
	uint32_t self;		/* index + 1 of the first of its own samples, 0: none */
	uint64_t weight;	/* ns, with all below */
	uint64_t samples;
};

/* Samples whose leaf a node is, by area; waits by cause, as areas below "waiting". */
struct tree_self {
	uint32_t next;		/* index + 1 of another area's, 0: none */
	const char *area;	/* interned; NULL: not classified */
	uint64_t weight, samples;
};

struct tree {
	struct tree_node *nodes;
	struct tree_self *selfs;
	size_t node_count, node_room;
	size_t self_count, self_room;
	uint32_t label_count;
	struct map labels;	/* hash of text and kind -> struct tree_label */
	struct map children;	/* parent and number of the label -> index of the node */
	enum tree_style style;
	const char *separators;
};

/* separators: characters that no label may have, see label_text(). */
void tree_build(struct tree *tree, const struct profile *profile, uint32_t sources, enum tree_style style,
		const char *separators);
void tree_free(struct tree *tree);

/* Of the samples whose leaf the node is, ns. */
uint64_t tree_own_weight(const struct tree *tree, const struct tree_node *node);

enum tree_order {
	TREE_BY_NAME,
	TREE_BY_WEIGHT,		/* heaviest first */
};

/* Indices of all nodes, each before its children, siblings in the order asked for. To be freed. */
uint32_t *tree_walk(const struct tree *tree, enum tree_order order);

#endif
