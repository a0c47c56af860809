// SPDX-License-Identifier: GPL-2.0-or-later
/* The tables of ktally top. */
#include "check.h"
#include "cli/ranking.h"
#include "cli/screen.h"

#define MANY 30000

static void add(struct ranking *ranking, const char *name, const char *place, uint64_t weight)
{
	ranking_add(ranking, intern(name), place ? intern(place) : NULL, weight);
}

static void test_order(void)
{
	struct ranking ranking = { 0 };
	const struct ranked *rows[10];
	size_t count;

	add(&ranking, "a", NULL, 10);
	add(&ranking, "b", "x", 20);
	add(&ranking, "b", "y", 5);
	add(&ranking, "a", NULL, 15);
	check_number(ranking_top(&ranking, false, rows, 10), 3, "names in different places are different");
	ranking_advance(&ranking);
	check_number(ranking.shown, 50, "what came in the interval is summed up");
	count = ranking_top(&ranking, false, rows, 10);
	check_number(count, 3, "three rows");
	check_string(rows[0]->name, "a", "the greatest is first");
	check_number(rows[0]->shown, 25, "with all that was added to it");
	check_string(rows[1]->place, "x", "then the next");

	add(&ranking, "b", "y", 7);
	ranking_advance(&ranking);
	ranking_top(&ranking, false, rows, 10);
	check_string(rows[0]->place, "y", "in the next interval another is first");
	check_number(rows[0]->shown, 7, "by what came in it");
	check_number(rows[0]->total, 12, "the total goes on");
	ranking_top(&ranking, true, rows, 10);
	check_string(rows[0]->name, "a", "by total it is the one that had most");
	check_number(ranking_top(&ranking, true, rows, 2), 2, "no more rows than asked for");
	check_number(ranking.total, 57, "the sum of all");
	ranking_free(&ranking);
}

static void test_bound(void)
{
	struct ranking ranking = { 0 };
	const struct ranked *rows[4];
	char name[32];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "function%d", i);
		add(&ranking, name, NULL, (uint64_t)i + 1);
	}
	ranking_advance(&ranking);
	check_number(ranking.rows.used, MANY, "what ran in the last interval stays");
	add(&ranking, "function7", NULL, 3);
	ranking_advance(&ranking);
	check(ranking.rows.used <= MANY / 2, "what did not, and has least, goes");
	ranking_top(&ranking, false, rows, 4);
	check_string(rows[0]->name, "function7", "but for what ran just now");
	check_number(rows[0]->total, 11, "with its total");
	ranking_top(&ranking, true, rows, 4);
	check_number(rows[0]->total, MANY, "and what has most");
	add(&ranking, "function29999", NULL, 1);
	ranking_top(&ranking, true, rows, 4);
	check_number(rows[0]->total, MANY + 1, "which is found again");
	ranking_free(&ranking);
}

int main(void)
{
	test_order();
	test_bound();
	check_number(screen_fit("abc", 10), 3, "a short text fits");
	check_number(screen_fit("abcdef", 3), 3, "a long one is cut");
	check_number(screen_fit("\xc3\xa4\xc3\xb6\xc3\xbc", 2), 4, "between characters");
	check_number(screen_fit("a\xe2\x82\xac", 2), 4, "a character may have three bytes");
	check_number(screen_fit("abc", 0), 0, "nothing fits into nothing");
	return check_end();
}
