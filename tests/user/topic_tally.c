// SPDX-License-Identifier: GPL-2.0-or-later
/* tally/topic_tally.h: one row for each key, few enough of them whatever comes, and room again once what is idle is forgotten. */
#include <stdlib.h>

#include "attribute/owner.h"
#include "base/map.h"
#include "check.h"
#include "classify/topics.h"
#include "tally/topic_tally.h"

static const struct owner owners[64], other_owner;
static const struct topic_set sets[2], other_set;

static struct topic_row *row_of(struct topic_tally *tally, unsigned int owner)
{
	return topic_tally_row(tally, &owners[owner], &sets[0], NULL, &other_set);
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
	struct topic_tally *tally = topic_tally_create(0, &other_owner);
	const char *cause = intern("lock/futex");
	struct topic_row *rows[] = {
		topic_tally_row(tally, &owners[0], &sets[0], NULL, &other_set), topic_tally_row(tally, &owners[1], &sets[0], NULL, &other_set),
		topic_tally_row(tally, &owners[0], &sets[1], NULL, &other_set), topic_tally_row(tally, &owners[0], &sets[0], cause, &other_set),
	};

	for (int i = 0; i < 4; i++)
		for (int j = 0; j < i; j++)
			check(rows[i] != rows[j], "keys %d and %d are told apart", i, j);
	check(topic_tally_row(tally, &owners[0], &sets[0], cause, &other_set) == rows[3], "equal ones are one row");
	check_number(count_of(tally), 4, "four rows");
	topic_tally_destroy(tally);
}

static void past_the_cap(void)
{
	struct topic_tally *tally = topic_tally_create(2, &other_owner);
	struct topic_row *row;

	add(tally, 0, 2);
	row = row_of(tally, 2);
	check(row->owner == &other_owner && row->set == &sets[0], "past the cap the owner is another");
	check(row_of(tally, 3) == row, "of all that come");
	row = topic_tally_row(tally, &owners[2], &sets[1], NULL, &other_set);
	check(row->owner == &other_owner && row->set == &sets[1], "sets are still told apart");
	row = topic_tally_row(tally, &owners[2], &sets[1], intern("disk"), &other_set);
	check(row->owner == &other_owner && row->set == &other_set && !row->cause, "until there are as many rows again");
	check(row_of(tally, 0)->owner == &owners[0], "those that were there stay");
	check_number(count_of(tally), 5, "so many rows, and no more");
	topic_tally_destroy(tally);
}

static void forgotten(void)
{
	struct topic_tally *tally = topic_tally_create(10, &other_owner);
	struct topic_row *kept;

	add(tally, 0, 5);
	check(!topic_tally_has_many(tally), "half of the cap is not many");
	add(tally, 5, 12);
	check(topic_tally_has_many(tally), "more are");
	check_number(count_of(tally), 11, "ten rows, and the other");
	topic_tally_forget(tally);
	check_number(count_of(tally), 11, "what is new stays");
	topic_tally_forget(tally);
	check_number(count_of(tally), 11, "and what has not gone out");
	export(tally);
	kept = row_of(tally, 3);
	kept->weight += 1;
	row_of(tally, 4)->held = true;
	topic_tally_forget(tally);
	check_number(count_of(tally), 2, "else what is idle goes, but not what is held");
	check(row_of(tally, 3) == kept && kept->weight == 2, "rows that stay are found, with their sums");
	add(tally, 20, 28);
	check_number(count_of(tally), 10, "there is room again");
	check(row_of(tally, 27)->owner == &owners[27], "for as many");
	for (unsigned int i = 0; i < 64; i++) {
		add(tally, i, i + 1);
		export(tally);
		topic_tally_forget(tally);
	}
	check(count_of(tally) <= 3, "what was held goes once it is not");
	topic_tally_destroy(tally);
}

int main(void)
{
	keys();
	past_the_cap();
	forgotten();
	return check_end();
}
