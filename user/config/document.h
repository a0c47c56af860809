/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A YAML file as a tree of texts, lists and maps, each of which knows its line. Of YAML that is what configuration needs:
 * one document, no anchors and aliases (which can make a page of text into gigabytes), no tags (all is text, who uses it
 * says what it means), no key twice, no control characters. Whatever the file has, memory is bounded by its size.
 */
#ifndef KTALLY_DOCUMENT_H
#define KTALLY_DOCUMENT_H

#include <stddef.h>

#define DOCUMENT_BYTES_MOST		(1 << 20)	/* of a file */
#define DOCUMENT_DEPTH_MOST		16		/* lists and maps within each other */
#define DOCUMENT_KEYS_MOST		256		/* of one map */

enum node_kind { NODE_TEXT, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	unsigned int line;		/* from 1 */
	const char *key;		/* of an item of a map, else NULL */
	const char *text;		/* of a text */
	struct node *first, *next;	/* items of lists and maps, in the order of the file; NULL: no more */
};

struct document {
	const char *path;
	struct node *root;		/* a map; one without items for an empty file */
	struct document_block *blocks;	/* memory that it is in */
};

/* 0, or -errno after a message that names the file and, for nonsense in it (-EINVAL), the line. */
int document_read(struct document **document, const char *path);
int document_parse(struct document **document, const char *path, const void *data, size_t bytes);	/* path: what it is called in messages */
void document_free(struct document *document);

const struct node *document_find(const struct node *map, const char *key);	/* NULL: it has no such item */

/* Says what is wrong with a node, and where that is. -EINVAL. */
__attribute__((format(printf, 3, 4))) int document_refuse(const struct document *document, const struct node *node, const char *format, ...);

#endif
