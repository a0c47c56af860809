/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Categories: named sets of stacks that the user asks about. All rules are compiled once; what a stack costs depends on how
 * many of them its frames match, not on how many there are.
 *
 * A category has matches, one of which is enough. A match is about a frame:
 *
 *	function	name of the function, demangled, without parameters: "SSL_write", "google::protobuf::*"
 *	class		"std::vector" of std::vector<int>::push_back, "com.foo.Bar" of a method, "Server" of Go's (*Server).Serve
 *	package		what begins it: "std", "com.foo", "net/http"
 *	file		the file that its code is from: path (patterns with a slash), last part of it, or the name of the
 *			library without version and ending ("libssl")
 *	frame_type	as profile.frame.type has it: kernel, native, go, rust, cpython, jvm, v8js, php, ruby, perl, dotnet, beam
 *
 * and about the stack as a whole:
 *
 *	syscall		the system call that the thread was in: "fsync"
 *	area		where its leaf is, as ktally.area has it: "kernel/network*"
 *
 * Patterns of one condition are alternatives; conditions must all be met, by the same frame. A match without a condition on
 * frames is met by all frames of its stacks. It may want the frame to be the leaf; and to be called, directly or not, by a
 * frame with conditions of its own, or to call one; with both, it is between them.
 *
 * The inclusive time of a category is that of all stacks with a frame that matches, once however many do. Its self time is
 * that of stacks whose leaf matches; it belongs to one category only, the first that was added, so that self times add up.
 */
#ifndef KTALLY_CATEGORIES_H
#define KTALLY_CATEGORIES_H

#include <stdbool.h>
#include <stddef.h>

#include "classify/object.h"
#include "profile/frame.h"

enum condition {
	CONDITION_FUNCTION,
	CONDITION_CLASS,
	CONDITION_PACKAGE,
	CONDITION_FILE,
	CONDITION_FRAME_TYPE,
	CONDITION_SYSCALL,		/* from here on: of the stack */
	CONDITION_AREA,
	CONDITIONS,
};

enum part {
	PART_FRAME,			/* that the match is about */
	PART_CALLED_BY,			/* a frame further out */
	PART_CALLS,			/* a frame further in */
	PARTS,
};

enum { MODE_SELF = 1, MODE_INCLUSIVE = 2, MODE_BOTH = 3 };

#define CATEGORIES_MOST		2000
#define CATEGORY_MATCHES_MOST	20000	/* of all categories */
#define CATEGORY_PATTERN_MOST	256	/* bytes */
#define CATEGORY_PATTERNS_MOST	50000	/* bytes of all patterns */

struct category {
	const char *name, *label;	/* interned; label is for people */
	unsigned int modes;		/* MODE_* */
};

struct categories;

struct categories *categories_create(void);
void categories_destroy(struct categories *categories);

/* The number of the category, or of the match, which is the category's; -EEXIST: there is one of that name; -E2BIG: too many. */
int categories_add(struct categories *categories, const char *name, const char *label, unsigned int modes);
int categories_add_match(struct categories *categories, unsigned int category, bool at_leaf);

/*
 * One pattern, see automaton.h. A star that is neither first nor last must be behind a parenthesis, as in Go's "(*Server).Serve",
 * and means itself. 0; -EINVAL: no pattern, or a part that cannot have that condition; -E2BIG: too long, or too much in all.
 */
int categories_add_pattern(struct categories *categories, unsigned int match, enum part part, enum condition condition,
			   const char *pattern);

/* No more is added from now on. A match must have conditions, and with PART_CALLED_BY or PART_CALLS some on its frame: else it never matches. */
void categories_compile(struct categories *categories);

size_t categories_count(const struct categories *categories);
const struct category *categories_get(const struct categories *categories, size_t category);

/*
 * Calls found() for each match that the stack meets. origins: of its frames; those of the kernel have the runtime "kernel".
 * is_leaf: by the leaf too. needs_syscall: it also has a condition on the system call, which is asked for each time: a stack may
 * be met in several.
 */
struct category_match {
	unsigned int match, category;
	bool is_leaf, needs_syscall;
};
typedef void categories_found(void *context, const struct category_match *match);
void categories_match(struct categories *categories, const struct stack *stack, const struct origin *origins,
		      categories_found *found, void *context);

/* Does any match have a condition on system calls? Is it met (syscall: interned)? Which matches have no other condition? */
bool categories_need_syscalls(const struct categories *categories);
unsigned int categories_of_match(const struct categories *categories, unsigned int match);
bool categories_match_syscall(struct categories *categories, unsigned int match, const char *syscall);
void categories_match_syscalls_only(struct categories *categories, const char *syscall, categories_found *found, void *context);

#endif
