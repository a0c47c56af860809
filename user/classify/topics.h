/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stack's time is counted for beside its class: all areas that any of its frames is in (inclusive time), with what
 * those are part of ("kernel/disk" of "kernel/disk/read"), and categories. It is found out once for each distinct stack;
 * stacks with the same topics share one set, so that a sample is one addition, whatever it counts for.
 */
#ifndef KTALLY_TOPICS_H
#define KTALLY_TOPICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profile/frame.h"

struct categories;

enum topic_kind {
	TOPIC_AREA,			/* inclusive time */
	TOPIC_SELF, TOPIC_INCLUSIVE,	/* of a category */
};

struct topic {
	enum topic_kind kind;
	const char *name;		/* of the area or category, interned; NULL: the number is not in use */
	unsigned int category;		/* its number, of categories */
};

/* A set is never changed, and stays until topics_forget(): its address tells it from others. */
struct topic_set {
	bool kept;			/* of topics_keep() */
	uint16_t count;
	uint16_t open;			/* categories that depend on the system call too, behind the others; see topics_in_syscall() */
	uint32_t numbers[];
};

struct topics;

struct topics *topics_create(struct categories *categories);	/* NULL: there are none; must outlive the topics */
void topics_destroy(struct topics *topics);

/* The set of a stack that is named and classified; executable and runtime as for classify(). */
const struct topic_set *topics_of_stack(struct topics *topics, const struct stack *stack, const char *executable,
					const char *runtime);

/* What counts in that system call: a set without open ones. syscall: NULL: in none. */
const struct topic_set *topics_in_syscall(struct topics *topics, const struct topic_set *set, const char *syscall);

/*
 * Areas are named for files, which come and go. Drops all sets but those that were kept since the last call, and the areas that none of
 * these has, whose numbers may be given to others; and keeps the names of the areas that stay (intern.h).
 */
void topics_keep(const struct topic_set *set);		/* NULL: there is nothing to keep */
void topics_forget(struct topics *topics);

/* The set of what there was no room to tell apart: area "other". */
const struct topic_set *topics_other(const struct topics *topics);

/* By the numbers that sets have. */
const struct topic *topics_get(const struct topics *topics, uint32_t number);
size_t topics_count(const struct topics *topics);
const struct categories *topics_categories(const struct topics *topics);	/* NULL: none */

#endif
