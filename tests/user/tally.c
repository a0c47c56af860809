// SPDX-License-Identifier: GPL-2.0-or-later
/* tally/tally.h: against sums kept apart, with stable rows, and past the cap. */
#include <stdint.h>
#include <stdio.h>

#include "base/map.h"
#include "check.h"
#include "tally/series.h"
#include "tally/tally.h"

#define KEYS	3000

/* What a tally leaves for "other". */
#define SPARE	20

/* Owners are told apart by where they are. */
static const struct owner owners[KEYS], other;

struct key {
	const struct owner *owner;
	const char *syscall_name;
	struct class class;
	uint64_t samples, weight;
};

/* Every field of the class is in the key: two keys differ in exactly one of them, in turn. */
static struct key key_of(unsigned int i)
{
	struct key key = { .owner = &owners[0] };
	const char **fields[] = {
		NULL, &key.syscall_name, &key.class.runtime, &key.class.kernel_area, &key.class.kernel_proto,
		&key.class.kernel_io, &key.class.syscall_name, &key.class.shlib_name, &key.class.area, &key.class.caller,
		&key.class.cause,
	};
	char text[32];

	key.class.runtime = intern("native");
	snprintf(text, sizeof(text), "name%u", i / 11);
	if (fields[i % 11])
		*fields[i % 11] = intern(text);
	else
		key.owner = &owners[i / 11];
	return key;
}

static size_t rows_with(struct tally_row **rows, size_t count, const struct key *key, struct tally_row **row)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		if (rows[i]->owner == key->owner && rows[i]->syscall_name == key->syscall_name &&
		    !memcmp(&rows[i]->class, &key->class, sizeof(key->class))) {
			*row = rows[i];
			found++;
		}
	}
	return found;
}

static void against_sums(void)
{
	static struct key keys[KEYS];
	struct tally *tally = tally_create(NULL, &other);
	struct tally_row **rows, *first = NULL, *row = NULL;
	unsigned int random = 1, wrong = 0;
	size_t count;

	for (unsigned int i = 0; i < KEYS; i++)
		keys[i] = key_of(i);
	for (unsigned int i = 0; i < 20 * KEYS; i++) {
		struct key *key;

		random = random * 1103515245 + 12345;
		key = &keys[i < KEYS ? i : random / 65536 % KEYS];
		tally_add(tally, tally_row(tally, key->owner, &key->class, key->syscall_name), i % 3, i);
		key->samples += i % 3;
		key->weight += i;
		if (i == 0)
			rows_with(tally_rows(tally, &count), 1, key, &first);
	}
	rows = tally_rows(tally, &count);
	check_number(count, KEYS, "a row for each distinct key");
	for (unsigned int i = 0; i < KEYS; i += 7) {
		wrong += rows_with(rows, count, &keys[i], &row) != 1;
		wrong += row->samples != keys[i].samples || row->weight != keys[i].weight;
	}
	check_number(wrong, 0, "each row has the sums of its key");
	rows_with(rows, count, &keys[0], &row);
	check(first && row == first, "rows do not move while others are added");
	check_number(tally_overflow(tally), 0, "nothing went to other");
	check_number(tally_marks(tally)[0] | tally_marks(tally)[TALLY_MARKS - 1], 0, "marks begin at zero");
	tally_marks(tally)[TALLY_MARKS - 1] = 7;
	check_number(tally_marks(tally)[TALLY_MARKS - 1], 7, "marks are kept");
	tally_destroy(tally);
}

static void past_the_cap(void)
{
	const char *runtimes[] = { intern("native"), intern("kernel"), NULL };
	struct series *series = series_create(SPARE + 20);
	struct tally *tally = tally_create(series, &other);
	struct tally_row **rows;
	uint64_t samples = 0, weight = 0, others = 0, native = 0;
	size_t count;

	for (unsigned int i = 0; i < 3000; i++) {
		struct class class = { .runtime = runtimes[i % 3], .area = intern("area") };

		tally_add(tally, tally_row(tally, &owners[i], &class, NULL), 2, i);
	}
	rows = tally_rows(tally, &count);
	check_number(count, 9 + 3, "nine rows, and another one for each runtime");
	for (size_t i = 0; i < count; i++) {
		samples += rows[i]->samples;
		weight += rows[i]->weight;
		if (rows[i]->owner == &other) {
			others += rows[i]->samples;
			native += rows[i]->class.runtime == runtimes[0] ? rows[i]->samples : 0;
			check_string(rows[i]->class.area, "other", "area of the rest");
		}
	}
	check_number(samples, 6000, "no sample is lost to the cap");
	check_number(weight, 2999 * 3000 / 2, "no time is lost to the cap");
	check_number(others, 6000 - 18, "what came after the cap is in other");
	check_number(native, 2 * (1000 - 3), "other keeps the runtimes apart");
	check_number(tally_overflow(tally), 6000 - 18, "and is counted");
	tally_add(tally, tally_row(tally, &owners[0], &(struct class){ .runtime = runtimes[0], .area = intern("area") }, NULL), 1,
		  1);
	check_number(tally_overflow(tally), 6000 - 18, "rows from before the cap still count by themselves");
	check_number(series_count(series), 18 + 2 + 3 + 1, "other has series too: two of the kernel, three of native code, and time of neither");
	tally_destroy(tally);
	series_destroy(series);
}

static struct tally_row *row_of(struct tally *tally, unsigned int owner)
{
	const struct class class = { .area = intern("area") };	/* of one series */

	return tally_row(tally, &owners[owner], &class, NULL);
}

static void add_all(struct tally *tally, unsigned int from, unsigned int to)
{
	for (unsigned int i = from; i < to; i++)
		tally_add(tally, row_of(tally, i), 1, 1);
}

static void export_all(struct tally *tally)
{
	size_t count;
	struct tally_row **rows = tally_rows(tally, &count);

	for (size_t i = 0; i < count; i++) {
		rows[i]->samples_exported = rows[i]->samples;
		rows[i]->weight_exported = rows[i]->weight;
	}
}

static size_t count_of(const struct tally *tally)
{
	size_t count;

	tally_rows(tally, &count);
	return count;
}

static void forgotten(void)
{
	struct series *series = series_create(SPARE + 30);
	struct tally *tally = tally_create(series, &other);
	struct tally_row *kept;

	add_all(tally, 0, 25);
	add_all(tally, 25, 32);
	check_number(count_of(tally), 31, "thirty rows and the other");
	tally_forget(tally);
	check_number(count_of(tally), 31, "what is new stays");
	tally_forget(tally);
	check_number(count_of(tally), 31, "and what has not gone out");
	export_all(tally);
	kept = row_of(tally, 3);
	tally_add(tally, kept, 1, 1);
	row_of(tally, 4)->held = true;
	tally_forget(tally);
	check_number(count_of(tally), 3, "else what is idle goes, but not what is held, nor the other");
	check(row_of(tally, 3) == kept && kept->samples == 2, "rows that stay are found, with their sums");
	add_all(tally, 40, 67);
	check_number(tally_overflow(tally), 2, "there is room again");
	check_number(count_of(tally), 30, "for as many, but one that other has");
	export_all(tally);
	tally_forget(tally);
	tally_forget(tally);
	check_number(count_of(tally), 1, "what was held goes once it is not");
	check_number(series_count(series), 1, "and its series with it");
	tally_destroy(tally);
	series_destroy(series);
}

int main(void)
{
	against_sums();
	past_the_cap();
	forgotten();
	return check_end();
}
