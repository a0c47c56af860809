// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An index by open addressing over rows that never move. Names are interned, so a row's key is its pointers, and looking
 * one up touches no text. Past the cap samples keep their runtime only, so that the sums over user and kernel time stay
 * right, and waits that they are some.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/message.h"
#include "tally/series.h"
#include "tally/tally.h"

#define RUNTIMES_MOST	32	/* there are a dozen */

/* Left for the rows of "other": a count of user and one of kernel samples, one for each runtime, and their time. */
#define SERIES_SPARE	20

#define SERIES_OF_A_ROW	3

struct tally {
	struct series *series;
	const struct owner *other;
	struct tally_row **rows;
	size_t count, room;
	struct tally_row **index;	/* NULL: free */
	size_t index_size;		/* a power of two */
	struct tally_row *others[RUNTIMES_MOST];
	size_t other_count;
	uint64_t overflow;
	uint64_t marks[TALLY_MARKS];
};

struct tally *tally_create(struct series *series, const struct owner *other)
{
	struct tally *tally = memory_zeroed(1, sizeof(*tally));

	tally->series = series;
	tally->other = other;
	tally->index_size = 64;
	tally->index = memory_zeroed(tally->index_size, sizeof(*tally->index));
	return tally;
}

void tally_destroy(struct tally *tally)
{
	if (!tally)
		return;
	for (size_t i = 0; i < tally->count; i++)
		free(tally->rows[i]);
	free(tally->rows);
	free(tally->index);
	free(tally);
}

static uint64_t hash_of(const struct tally_row *row)
{
	const struct class *class = &row->class;
	uint64_t hash = hash_words((uintptr_t)row->owner, (uintptr_t)row->syscall_name);

	hash = hash_words(hash, hash_words((uintptr_t)class->runtime, (uintptr_t)class->kernel_area));
	hash = hash_words(hash, hash_words((uintptr_t)class->kernel_proto, (uintptr_t)class->kernel_io));
	hash = hash_words(hash, hash_words((uintptr_t)class->syscall_name, (uintptr_t)class->shlib_name));
	hash = hash_words(hash, hash_words((uintptr_t)class->area, (uintptr_t)class->caller));
	return hash_words(hash, (uintptr_t)class->cause);
}

static bool has_key_of(const struct tally_row *row, const struct tally_row *key)
{
	const struct class *a = &row->class, *b = &key->class;

	return row->owner == key->owner && row->syscall_name == key->syscall_name &&
	       a->runtime == b->runtime && a->kernel_area == b->kernel_area && a->kernel_proto == b->kernel_proto &&
	       a->kernel_io == b->kernel_io && a->syscall_name == b->syscall_name && a->shlib_name == b->shlib_name &&
	       a->area == b->area && a->caller == b->caller && a->cause == b->cause;
}

/* Where the row with that key is, or would go. */
static struct tally_row **find(struct tally_row **index, size_t index_size, const struct tally_row *key)
{
	size_t place = hash_of(key) & (index_size - 1);

	while (index[place] && !has_key_of(index[place], key))
		place = (place + 1) & (index_size - 1);
	return &index[place];
}

static void grow(struct tally *tally)
{
	size_t size = tally->index_size * 2;
	struct tally_row **index = memory_zeroed(size, sizeof(*index));

	for (size_t i = 0; i < tally->index_size; i++) {
		if (tally->index[i])
			*find(index, size, tally->index[i]) = tally->index[i];
	}
	free(tally->index);
	tally->index = index;
	tally->index_size = size;
}

static struct tally_row *new_row(struct tally *tally, const struct tally_row *key)
{
	struct tally_row *row = memory_zeroed(1, sizeof(*row));

	*row = *key;
	if (tally->count == tally->room) {
		tally->room = tally->room ? tally->room * 2 : 64;
		tally->rows = memory_resized(tally->rows, tally->room, sizeof(*tally->rows));
	}
	tally->rows[tally->count++] = row;
	return row;
}

/*
 * The series that a row is part of: a count of user or kernel samples, one of its library or runtime, and time. What tells the points
 * of these metrics apart is in export/metrics_owners.c.
 */
static size_t series_of(const struct tally_row *row, uint64_t *keys)
{
	const struct class *class = &row->class;
	bool kernel = class->runtime == intern("kernel"), user = class->runtime && !kernel, native = class->runtime == intern("native");
	uint64_t owner = (uintptr_t)row->owner, syscall = kernel || class->cause ? (uintptr_t)row->syscall_name : 0;
	uint64_t kernel_class = hash_words(hash_words((uintptr_t)class->kernel_area, (uintptr_t)class->kernel_proto),
					   hash_words((uintptr_t)class->kernel_io, syscall));
	uint64_t whole = hash_words(hash_words((uintptr_t)class->area, (uintptr_t)class->caller), kernel_class);
	enum { KERNEL_COUNT = 1, USER_COUNT, RUNTIME_COUNT, WAIT_TIME, TIME };
	size_t count = 0;

	if (class->cause) {
		keys[count++] = hash_words(hash_words(owner, WAIT_TIME), hash_words(whole, (uintptr_t)class->cause));
		return count;
	}
	if (kernel)
		keys[count++] = hash_words(hash_words(owner, KERNEL_COUNT), kernel_class);
	if (user) {
		keys[count++] = hash_words(owner, USER_COUNT);
		keys[count++] = hash_words(hash_words(owner, RUNTIME_COUNT),
					   hash_words((uintptr_t)class->runtime, native ? (uintptr_t)class->shlib_name : 0));
	}
	keys[count++] = hash_words(hash_words(owner, TIME + kernel + 2 * user), whole);
	return count;
}

/* The row for everything of that runtime that came too late. */
static struct tally_row *other(struct tally *tally, const char *runtime, const char *cause)
{
	const char *name = intern("other");
	const struct class class = { .runtime = runtime, .area = name, .cause = cause ? name : NULL };
	const struct tally_row key = { .owner = tally->other, .class = class, .is_other = true };
	uint64_t series[SERIES_OF_A_ROW];

	for (size_t i = 0; i < tally->other_count; i++) {
		if (tally->others[i]->class.runtime == runtime && tally->others[i]->class.cause == class.cause)
			return tally->others[i];
	}
	if (tally->other_count == RUNTIMES_MOST)
		return tally->others[RUNTIMES_MOST - 1];
	series_hold(tally->series, series, series_of(&key, series), SERIES_ALWAYS);
	tally->others[tally->other_count] = new_row(tally, &key);
	return tally->others[tally->other_count++];
}

static struct tally_row *row_for(struct tally *tally, const struct tally_row *key)
{
	struct tally_row *row = *find(tally->index, tally->index_size, key);
	uint64_t series[SERIES_OF_A_ROW];

	if (row)
		return row;
	/* Rows that are all of the same series take memory too. */
	if (tally->count - tally->other_count >= series_most(tally->series) ||
	    !series_hold(tally->series, series, series_of(key, series), SERIES_SPARE))
		return NULL;
	if (tally->count + 1 > tally->index_size / 2)
		grow(tally);
	row = new_row(tally, key);
	*find(tally->index, tally->index_size, key) = row;
	return row;
}

struct tally_row *tally_row(struct tally *tally, const struct owner *owner, const struct class *class, const char *syscall_name)
{
	const struct tally_row key = { .owner = owner, .class = *class, .syscall_name = syscall_name };
	struct tally_row *row = row_for(tally, &key);

	return row ? row : other(tally, class->runtime, class->cause);
}

void tally_add(struct tally *tally, struct tally_row *row, uint64_t samples, uint64_t weight)
{
	row->samples += samples;
	row->weight += weight;
	if (row->is_other)
		tally->overflow += samples;
}

struct tally_row **tally_rows(const struct tally *tally, size_t *count)
{
	*count = tally->count;
	return tally->rows;
}

static bool can_go(const struct tally_row *row)
{
	return !row->held && !row->is_other && row->samples == row->samples_before && row->weight == row->weight_before &&
	       row->samples == row->samples_exported && row->weight == row->weight_exported;
}

void tally_forget(struct tally *tally)
{
	uint64_t series[SERIES_OF_A_ROW];
	size_t kept = 0;

	memset(tally->index, 0, tally->index_size * sizeof(*tally->index));
	for (size_t i = 0; i < tally->count; i++) {
		struct tally_row *row = tally->rows[i];

		if (can_go(row)) {
			series_release(tally->series, series, series_of(row, series));
			free(row);
			continue;
		}
		row->held = false;
		row->samples_before = row->samples;
		row->weight_before = row->weight;
		tally->rows[kept++] = row;
		if (!row->is_other)
			*find(tally->index, tally->index_size, row) = row;
	}
	tally->count = kept;
}

uint64_t tally_overflow(const struct tally *tally)
{
	return tally->overflow;
}

uint64_t *tally_marks(struct tally *tally)
{
	return tally->marks;
}
