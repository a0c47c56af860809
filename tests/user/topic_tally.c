// SPDX-License-Identifier: GPL-2.0-or-later
/* tally/topic_tally.h: one row for each key, few enough series whatever comes, and room again once what is idle is forgotten. */
#include <stdlib.h>

#include "attribute/owner.h"
#include "base/map.h"
#include "check.h"
#include "classify/topics.h"
#include "tally/series.h"
#include "tally/topic_tally.h"

static const struct owner owners[64], other_owner;

/* Sets of the area "other" and of another one. */
static struct topics *topics;
static const struct topic_set *other_set, *sets[2];

static void make_sets(void)
{
	static struct stack stacks[2];

	topics = topics_create(NULL);
	other_set = topics_other(topics);
	for (int i = 0; i < 2; i++) {
		stacks[i].class.area = intern(i ? "kernel/disk" : "kernel");
		sets[i] = topics_of_stack(topics, &stacks[i], NULL, NULL);
	}
}

static struct topic_row *row_of(struct topic_tally *tally, unsigned int owner)
{
	return topic_tally_row(tally, &owners[owner], sets[0], NULL);
}

static size_t count_of(const struct topic_tally *tally)
{
	size_t count;

	topic_tally_rows(tally, &count);
	return count;
}

static void add(struct topic_tally *tally, unsigned int first, unsigned int end)
{
	for (unsigned int i = first; i < end; i++)
		row_of(tally, i)->weight += 1;
}

static void export(const struct topic_tally *tally)
{
	size_t count;
	struct topic_row **rows = topic_tally_rows(tally, &count);

	for (size_t i = 0; i < count; i++)
		rows[i]->weight_exported = rows[i]->weight;
}

static void keys(void)
{
	struct series *series = series_create(100);
	struct topic_tally *tally = topic_tally_create(series, topics, &other_owner);
	const char *cause = intern("lock/futex");
	struct topic_row *rows[] = {
		topic_tally_row(tally, &owners[0], sets[0], NULL), topic_tally_row(tally, &owners[1], sets[0], NULL),
		topic_tally_row(tally, &owners[0], sets[1], NULL), topic_tally_row(tally, &owners[0], sets[0], cause),
	};

	for (int i = 0; i < 4; i++)
		for (int j = 0; j < i; j++)
			check(rows[i] != rows[j], "keys %d and %d are told apart", i, j);
	check(topic_tally_row(tally, &owners[0], sets[0], cause) == rows[3], "equal ones are one row");
	check_number(count_of(tally), 4, "four rows");
	check_number(series_count(series), 4, "of four series: areas of two owners, that which the second set has more, and of waits");
	topic_tally_row(tally, &owners[0], sets[0], intern("io/disk"));
	topic_tally_row(tally, &owners[0], sets[0], intern("idle/poll"));
	check_number(count_of(tally), 6, "each cause is a row");
	check_number(series_count(series), 4, "of the same series, and idle ones of none");
	topic_tally_destroy(tally);
	series_destroy(series);
}

static void past_the_cap(void)
{
	struct series *series = series_create(8);	/* five of owners, one more of other, and two */
	struct topic_tally *tally = topic_tally_create(series, topics, &other_owner);
	const char *disk = intern("io/disk");
	struct topic_row *row;

	add(tally, 0, 5);
	check(row_of(tally, 4)->owner == &owners[4], "owners have their rows");
	row = row_of(tally, 5);
	check(row->owner == &other_owner && row->set == sets[0], "past the cap the owner is another");
	check(row_of(tally, 6) == row, "of all that come");
	row = topic_tally_row(tally, &owners[7], sets[1], NULL);
	check(row->owner == &other_owner && row->set == other_set && !row->cause, "sets are told apart as long as there is room");
	row = topic_tally_row(tally, &owners[7], sets[1], disk);
	check(row->owner == &other_owner && row->set == other_set && row->cause == intern("other"), "waits always are");
	check(topic_tally_row(tally, &owners[7], sets[1], intern("io/pipe")) == row, "but not their causes");
	check(row_of(tally, 0)->owner == &owners[0], "those that were there stay");
	check_number(count_of(tally), 8, "so many rows, and no more");
	check_number(series_count(series), 8, "and series");
	topic_tally_destroy(tally);
	series_destroy(series);
}

static void forgotten(void)
{
	struct series *series = series_create(16);	/* twelve of owners */
	struct topic_tally *tally = topic_tally_create(series, topics, &other_owner);
	struct topic_row *kept;

	add(tally, 0, 8);
	add(tally, 8, 14);
	check_number(count_of(tally), 13, "twelve rows, and the other");
	topic_tally_forget(tally);
	check_number(count_of(tally), 13, "what is new stays");
	topic_tally_forget(tally);
	check_number(count_of(tally), 13, "and what has not gone out");
	export(tally);
	kept = row_of(tally, 3);
	kept->weight += 1;
	row_of(tally, 4)->held = true;
	topic_tally_forget(tally);
	check_number(count_of(tally), 2, "else what is idle goes, but not what is held");
	check(row_of(tally, 3) == kept && kept->weight == 2, "rows that stay are found, with their sums");
	add(tally, 20, 30);
	check_number(count_of(tally), 12, "there is room again");
	check(row_of(tally, 29)->owner == &owners[29], "for as many");
	for (unsigned int i = 0; i < 64; i++) {
		add(tally, i, i + 1);
		export(tally);
		topic_tally_forget(tally);
	}
	check(count_of(tally) <= 3, "what was held goes once it is not");
	check_number(series_count(series), count_of(tally), "and its series with it");
	topic_tally_destroy(tally);
	series_destroy(series);
}

int main(void)
{
	make_sets();
	keys();
	past_the_cap();
	forgotten();
	topics_destroy(topics);
	return check_end();
}
