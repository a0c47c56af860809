// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of files are anybody's, and so are the ways to call from one to another: topics and sets are bounded. What comes too late is
 * counted for the area "other", but categories always are counted. Both are forgotten when nothing is counted for them any more.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/message.h"
#include "classify/categories.h"
#include "classify/kernel.h"
#include "classify/topics.h"

#define TOPICS_MOST	8192
#define SETS_MOST	20000
#define AREA_PARTS_MOST	5		/* kernel/network/tcp/write has four */

/* An area and what it is part of, as topics. */
struct area {
	size_t count;
	uint32_t numbers[AREA_PARTS_MOST];
};

/* What a set is in a system call. */
struct in_syscall {
	const struct topic_set *set, *result;
	const char *syscall;
};

#define IN_SYSCALLS_MOST	65536	/* of these, then they are found out anew */

struct topics {
	struct categories *categories;
	struct topic *list;
	size_t count, unused;		/* of the list; unused: numbers in it that were given back */
	struct map areas;		/* interned name -> struct area */
	uint64_t names;			/* for intern_has_forgotten() */
	struct map sets;		/* hash -> struct topic_set */
	size_t set_count;
	struct map in_syscalls;		/* hash -> struct in_syscall */
	const struct topic_set *other;
	uint32_t *self, *inclusive;	/* of each category, its topics */

	/* What is being put together: */
	struct origin *origins;
	size_t origins_room;
	uint32_t *stamps, stamp;	/* of each topic: it is in already, when equal */
	uint32_t *numbers;
	size_t numbers_count, numbers_room;
	uint32_t *open;			/* number of a match, and whether the leaf meets it: twice that number, and one more */
	size_t open_count, open_room;
	unsigned int self_category;	/* the first one, or as many as there are */
};

static uint32_t add_topic(struct topics *topics, enum topic_kind kind, const char *name, unsigned int category)
{
	for (uint32_t i = 0; topics->unused; i++) {
		if (!topics->list[i].name) {
			topics->list[i] = (struct topic){ kind, name, category };
			topics->unused--;
			return i;
		}
	}
	if ((topics->count & (topics->count - 1)) == 0) {
		size_t room = topics->count ? topics->count * 2 : 1;

		topics->list = memory_resized(topics->list, room, sizeof(*topics->list));
		topics->stamps = memory_resized(topics->stamps, room, sizeof(*topics->stamps));
	}
	topics->list[topics->count] = (struct topic){ kind, name, category };
	topics->stamps[topics->count] = 0;
	return (uint32_t)topics->count++;
}

static void append(uint32_t **numbers, size_t *count, size_t *room, uint32_t number)
{
	if (*count == *room) {
		*room = *room ? *room * 2 : 64;
		*numbers = memory_resized(*numbers, *room, sizeof(**numbers));
	}
	(*numbers)[(*count)++] = number;
}

static void begin(struct topics *topics)
{
	if (!++topics->stamp) {
		memset(topics->stamps, 0, topics->count * sizeof(*topics->stamps));
		topics->stamp = 1;
	}
	topics->numbers_count = 0;
	topics->open_count = 0;
	topics->self_category = topics->categories ? (unsigned int)categories_count(topics->categories) : 0;
}

static void take(struct topics *topics, uint32_t number)
{
	if (topics->stamps[number] == topics->stamp)
		return;
	topics->stamps[number] = topics->stamp;
	append(&topics->numbers, &topics->numbers_count, &topics->numbers_room, number);
}

/* ---- areas ---- */

static uint32_t area_topic(struct topics *topics, const char *name)
{
	for (size_t i = 0; i < topics->count; i++) {
		if (topics->list[i].kind == TOPIC_AREA && topics->list[i].name == name)
			return (uint32_t)i;
	}
	return topics->count - topics->unused < TOPICS_MOST ? add_topic(topics, TOPIC_AREA, name, 0) : topics->other->numbers[0];
}

/* Only the kernel is taken apart. */
static struct area *make_area(struct topics *topics, const char *name)
{
	struct area *area = memory_zeroed(1, sizeof(*area));
	bool kernel = !strncmp(name, "kernel/", strlen("kernel/"));

	area->numbers[area->count++] = area_topic(topics, name);
	for (size_t end = strlen(name); kernel && end && area->count < AREA_PARTS_MOST; end--) {
		if (name[end] == '/')
			area->numbers[area->count++] = area_topic(topics, intern_bytes(name, end));
	}
	map_put(&topics->areas, (uintptr_t)name, area);
	return area;
}

static void take_area(struct topics *topics, const char *name)
{
	const struct area *area;

	if (intern_has_forgotten(&topics->names))
		map_free_values(&topics->areas);
	area = name ? map_get(&topics->areas, (uintptr_t)name) : NULL;
	if (!area && name)
		area = make_area(topics, name);
	for (size_t i = 0; area && i < area->count; i++)
		take(topics, area->numbers[i]);
}

/* ---- sets ---- */

static int compare_numbers(const void *a_place, const void *b_place)
{
	uint32_t a = *(const uint32_t *)a_place, b = *(const uint32_t *)b_place;

	return a < b ? -1 : a > b;
}

static const struct topic_set *find_set(const struct topics *topics, uint64_t *key, const struct topic_set *set)
{
	size_t count = (size_t)set->count + set->open;
	const struct topic_set *found;

	*key = hash_bytes(set->numbers, count * sizeof(set->numbers[0]), set->count);
	while ((found = map_get(&topics->sets, *key)) &&
	       (found->count != set->count || found->open != set->open ||
		memcmp(found->numbers, set->numbers, count * sizeof(set->numbers[0]))))
		++*key;
	return found;
}

static size_t without_areas(const struct topics *topics, uint32_t *numbers, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (topics->list[numbers[i]].kind != TOPIC_AREA)
			numbers[kept++] = numbers[i];
	}
	numbers[kept++] = topics->other->numbers[0];
	return kept;
}

/* The set of what was put together. NULL: there are so many already. */
static const struct topic_set *find_or_add(struct topics *topics, size_t most)
{
	size_t count = topics->numbers_count + topics->open_count;
	struct topic_set *set = memory_zeroed(1, sizeof(*set) + count * sizeof(set->numbers[0]));
	const struct topic_set *found;
	uint64_t key;

	if (topics->numbers_count)
		qsort(topics->numbers, topics->numbers_count, sizeof(*topics->numbers), compare_numbers);
	if (topics->open_count)
		qsort(topics->open, topics->open_count, sizeof(*topics->open), compare_numbers);
	set->count = (uint16_t)topics->numbers_count;
	set->open = (uint16_t)topics->open_count;
	for (size_t i = 0; i < count; i++)
		set->numbers[i] = i < set->count ? topics->numbers[i] : topics->open[i - set->count];
	found = find_set(topics, &key, set);
	if (found || topics->set_count >= most) {
		free(set);
		return found;
	}
	map_put(&topics->sets, key, set);
	topics->set_count++;
	return set;
}

static const struct topic_set *end(struct topics *topics)
{
	const struct topic_set *set;

	if (topics->categories && topics->self_category < categories_count(topics->categories))
		take(topics, topics->self[topics->self_category]);
	if (topics->numbers_count > UINT16_MAX || topics->open_count > UINT16_MAX)
		return topics->other;
	set = find_or_add(topics, SETS_MOST);
	if (!set) {
		topics->numbers_count = without_areas(topics, topics->numbers, topics->numbers_count);
		set = find_or_add(topics, 2 * SETS_MOST);
	}
	return set ? set : topics->other;
}

/* ---- stacks ---- */

static void take_category(struct topics *topics, unsigned int number, bool is_leaf)
{
	const struct category *category = categories_get(topics->categories, number);

	if (category->modes & MODE_INCLUSIVE)
		take(topics, topics->inclusive[number]);
	if (is_leaf && (category->modes & MODE_SELF) && number < topics->self_category)
		topics->self_category = number;
}

static void take_match(void *context, const struct category_match *match)
{
	struct topics *topics = context;

	if (match->needs_syscall)
		append(&topics->open, &topics->open_count, &topics->open_room, match->match * 2 + match->is_leaf);
	else
		take_category(topics, match->category, match->is_leaf);
}

/* From the root on: what calls just-in-time compiled code tells whose it is. */
static void find_origins(struct topics *topics, const struct stack *stack, const char *executable, const char *runtime)
{
	size_t count = (size_t)stack->kernel_frames + stack->user_frames;
	const char *kernel = intern("kernel"), *outer = NULL;

	if (topics->origins_room < count) {
		topics->origins_room = count;
		topics->origins = memory_resized(topics->origins, count, sizeof(*topics->origins));
	}
	for (size_t i = count; i-- > stack->kernel_frames;) {
		topics->origins[i] = origin_of(&stack->frames[i], executable, runtime, outer);
		outer = origin_outer(&stack->frames[i], outer);
	}
	for (size_t i = 0; i < stack->kernel_frames; i++)
		topics->origins[i] = (struct origin){ .runtime = kernel, .area = kernel_area(stack->frames[i].function) };
}

const struct topic_set *topics_of_stack(struct topics *topics, const struct stack *stack, const char *executable,
					const char *runtime)
{
	size_t count = (size_t)stack->kernel_frames + stack->user_frames;

	find_origins(topics, stack, executable, runtime);
	begin(topics);
	take_area(topics, stack->class.area);
	for (size_t i = 0; i < count; i++)
		take_area(topics, topics->origins[i].area);
	if (topics->categories)
		categories_match(topics->categories, stack, topics->origins, take_match, topics);
	return end(topics);
}

/* ---- system calls ---- */

static void take_match_in_syscall(void *context, const struct category_match *match)
{
	take_category(context, match->category, match->is_leaf);
}

static const struct topic_set *find_in_syscall(struct topics *topics, const struct topic_set *set, const char *syscall)
{
	begin(topics);
	for (size_t i = 0; i < set->count; i++) {
		const struct topic *topic = &topics->list[set->numbers[i]];

		if (topic->kind == TOPIC_SELF)
			topics->self_category = topic->category;
		else
			take(topics, set->numbers[i]);
	}
	for (size_t i = set->count; syscall && i < (size_t)set->count + set->open; i++) {
		unsigned int match = set->numbers[i] / 2;

		if (categories_match_syscall(topics->categories, match, syscall))
			take_category(topics, categories_of_match(topics->categories, match), set->numbers[i] & 1);
	}
	if (syscall)
		categories_match_syscalls_only(topics->categories, syscall, take_match_in_syscall, topics);
	return end(topics);
}

const struct topic_set *topics_in_syscall(struct topics *topics, const struct topic_set *set, const char *syscall)
{
	uint64_t key = hash_words((uintptr_t)set, (uintptr_t)syscall);
	struct in_syscall *known;

	if (!topics->categories || !categories_need_syscalls(topics->categories))
		return set;
	while ((known = map_get(&topics->in_syscalls, key)) && (known->set != set || known->syscall != syscall))
		key++;
	if (known)
		return known->result;
	if (topics->in_syscalls.used >= IN_SYSCALLS_MOST)
		map_free_values(&topics->in_syscalls);
	known = memory_zeroed(1, sizeof(*known));
	*known = (struct in_syscall){ .set = set, .syscall = syscall, .result = find_in_syscall(topics, set, syscall) };
	map_put(&topics->in_syscalls, key, known);
	return known->result;
}

/* ---- forgetting ---- */

void topics_keep(const struct topic_set *set)
{
	if (set)
		((struct topic_set *)(uintptr_t)set)->kept = true;
}

/* Into a new map, as a hole in the old one would hide a neighbour. The topics of sets that stay are stamped. */
static void forget_sets(struct topics *topics)
{
	struct map sets = topics->sets;

	topics->sets = (struct map){ .used = 0 };
	for (struct map_slot *slot = map_next(&sets, NULL); slot; slot = map_next(&sets, slot)) {
		struct topic_set *set = slot->value;
		uint64_t key;

		if (!set->kept) {
			free(set);
			topics->set_count--;
			continue;
		}
		set->kept = false;
		for (size_t i = 0; i < set->count; i++)
			take(topics, set->numbers[i]);
		find_set(topics, &key, set);
		map_put(&topics->sets, key, set);
	}
	map_free(&sets);
}

/* Sets of the same topics in the same order have the same numbers only as long as these stay: a number goes with its last set. */
static void forget_areas(struct topics *topics)
{
	for (size_t i = 0; i < topics->count; i++) {
		struct topic *topic = &topics->list[i];

		if (topic->kind != TOPIC_AREA || !topic->name)
			continue;
		if (topics->stamps[i] == topics->stamp) {
			intern_keep(topic->name);
		} else {
			topic->name = NULL;
			topics->unused++;
		}
	}
	map_free_values(&topics->areas);
}

void topics_forget(struct topics *topics)
{
	map_free_values(&topics->in_syscalls);
	topics_keep(topics->other);
	begin(topics);
	forget_sets(topics);
	forget_areas(topics);
}

/* ---- all of them ---- */

struct topics *topics_create(struct categories *categories)
{
	struct topics *topics = memory_zeroed(1, sizeof(*topics));
	size_t count = categories ? categories_count(categories) : 0;
	uint32_t other = add_topic(topics, TOPIC_AREA, intern("other"), 0);

	topics->categories = categories;
	topics->self = memory_zeroed(count + 1, sizeof(*topics->self));
	topics->inclusive = memory_zeroed(count + 1, sizeof(*topics->inclusive));
	for (unsigned int i = 0; i < count; i++) {
		const struct category *category = categories_get(categories, i);

		topics->self[i] = add_topic(topics, TOPIC_SELF, category->name, i);
		topics->inclusive[i] = add_topic(topics, TOPIC_INCLUSIVE, category->name, i);
	}
	begin(topics);
	take(topics, other);
	topics->other = find_or_add(topics, SETS_MOST);
	return topics;
}

void topics_destroy(struct topics *topics)
{
	if (!topics)
		return;
	map_free_values(&topics->in_syscalls);
	map_free_values(&topics->areas);
	map_free_values(&topics->sets);
	free(topics->list);
	free(topics->self);
	free(topics->inclusive);
	free(topics->origins);
	free(topics->stamps);
	free(topics->numbers);
	free(topics->open);
	free(topics);
}

const struct topic_set *topics_other(const struct topics *topics)
{
	return topics->other;
}

const struct topic *topics_get(const struct topics *topics, uint32_t number)
{
	return &topics->list[number];
}

size_t topics_count(const struct topics *topics)
{
	return topics->count;
}

const struct categories *topics_categories(const struct topics *topics)
{
	return topics->categories;
}
