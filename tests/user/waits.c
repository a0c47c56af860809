// SPDX-License-Identifier: GPL-2.0-or-later
/* profile/waits.c: what waits add up to, those that go on too, in any order that rings allow. */
#include "capture/capture.h"
#include "check.h"
#include "fake_records.h"
#include "profile/profile.h"

static const char kallsyms[] =
	"ffffffff81000000 T schedule\nffffffff81001000 T futex_wait\nffffffff81002000 T __x64_sys_futex\n"
	"ffffffff81003000 T pipe_read\nffffffff81004000 T _etext\n";

enum { FUTEX = 11, PIPE = 12 };	/* stacks */

/* Two threads, 1 and 2, that can wait for two things. */
static struct profile *start_with(bool cells)
{
	static const uint64_t futex[] = { 0xffffffff81000010, 0xffffffff81001010, 0xffffffff81002010 },
			      pipe[] = { 0xffffffff81000010, 0xffffffff81003010 };
	const struct profile_options options = { .cells = cells, .classes_only = !cells };
	struct profile *profile = profile_create(&options);
	const struct capture_item kernel = { .type = CAPTURE_KALLSYMS, .data = kallsyms, .bytes = sizeof(kallsyms) - 1 };
	struct ktally_task one = task_record(1, MM, 100, 100, "one"), two = task_record(2, MM, 100, 101, "two");

	profile_feed_item(profile, &kernel);
	feed_task(profile, &one);
	feed_task(profile, &two);
	feed_stack(profile, FUTEX, 0, futex, 3, NULL, 0);
	feed_stack(profile, PIPE, 0, pipe, 2, NULL, 0);
	return profile;
}

static struct profile *start(void)
{
	return start_with(true);
}

/* Nanoseconds of all threads for a cause, as the tally and the cells have them, which must agree. */
static uint64_t time_of(const struct profile *profile, const char *cause)
{
	const struct map *cells = &profile->offcpu.cells;
	uint64_t tallied = 0, in_cells = 0;
	size_t count;
	struct tally_row **rows = tally_rows(profile->offcpu.tally, &count);

	for (size_t i = 0; i < count; i++)
		tallied += check_same(rows[i]->class.cause, cause) ? rows[i]->weight : 0;
	for (struct map_slot *slot = map_next(cells, NULL); slot; slot = map_next(cells, slot)) {
		const struct profile_cell *cell = slot->value;

		in_cells += check_same(cell->cause, cause) ? cell->weight : 0;
	}
	check_number(in_cells, tallied, "cells and tally agree on %s", cause);
	return tallied;
}

static void whole(void)
{
	struct profile *profile = start();
	struct ktally_offcpu wait = wait_record(FUTEX, 1, 10 * SECOND, 300, 100, 0);

	feed_wait(profile, &wait);
	check_number(time_of(profile, "lock/futex"), 300, "blocked time has its cause");
	check_number(time_of(profile, "run queue"), 100, "the rest was spent on the run queue");
	check(profile->offcpu.samples == 1 && profile->offcpu.weight == 400, "one wait");
	check(!profile->oncpu.samples && !profile->oncpu.weight && !profile->oncpu.cells.used, "nothing ran");
	check(profile->first_time == 10 * SECOND && profile->last_time == 10 * SECOND + 400, "when");

	wait.weight = 40000;
	feed_wait(profile, &wait);
	check_number(time_of(profile, "lock/futex"), 300 + 30000, "a kept wait stands for others like it");
	check_number(time_of(profile, "run queue"), 100 + 10000, "in all their parts");

	wait = wait_record(PIPE, 2, 11 * SECOND, 0, 70, 0);
	wait.state = KTALLY_OFFCPU_PREEMPTED;
	feed_wait(profile, &wait);
	check_number(time_of(profile, "run queue"), 10170, "who is preempted waits for a CPU only");
	check_number(time_of(profile, "io/pipe"), 0, "wherever that was");

	wait = wait_record(PIPE, 2, 12 * SECOND, 0, 0, 0);
	feed_wait(profile, &wait);
	wait.weight = 1000;
	feed_wait(profile, &wait);
	check_number(profile->offcpu.weight, 40400 + 70 + 1000, "a wait of no length may stand for some");
	profile_destroy(profile);
}

static void goes_on(void)
{
	struct profile *profile = start();
	struct ktally_offcpu told = wait_record(PIPE, 1, 10 * SECOND, 2 * SECOND, 0, KTALLY_OFFCPU_PARTIAL), ended;

	feed_wait(profile, &told);
	check_number(time_of(profile, "io/pipe"), 2 * SECOND, "what has passed of it");
	check_number(profile->offcpu.samples, 0, "it has not ended");
	profile_extend_waits(profile, 15 * SECOND);
	check_number(time_of(profile, "io/pipe"), 5 * SECOND, "it goes on");
	profile_extend_waits(profile, 14 * SECOND);
	check_number(time_of(profile, "io/pipe"), 5 * SECOND, "time does not go back");
	feed_wait(profile, &told);
	check_number(time_of(profile, "io/pipe"), 5 * SECOND, "told again it counts once");
	check_number(profile->last_time, 15 * SECOND, "the picture reaches to there");

	/* Woken at 14 s, which nobody knew at 15. */
	ended = wait_record(PIPE, 1, 10 * SECOND, 4 * SECOND, 3 * SECOND, 0);
	feed_wait(profile, &ended);
	check_number(profile->offcpu.weight, 7 * SECOND, "in the end it is as long as its record says");
	check_number(time_of(profile, "run queue"), 2 * SECOND, "what was not yet counted was on the run queue");
	check_number(profile->offcpu.samples, 1, "one wait");
	profile_extend_waits(profile, 30 * SECOND);
	check_number(profile->offcpu.weight, 7 * SECOND, "and no longer");

	feed_wait(profile, &told);
	profile_extend_waits(profile, 40 * SECOND);
	check_number(profile->offcpu.weight, 7 * SECOND, "word of it that comes late, from another ring, is ignored");
	profile_destroy(profile);
}

static void never_ends(void)
{
	struct profile *profile = start();
	struct ktally_task one = task_record(1, MM, 100, 100, "one");
	struct ktally_offcpu first = wait_record(PIPE, 1, 10 * SECOND, SECOND, 0, KTALLY_OFFCPU_PARTIAL),
			     second = wait_record(FUTEX, 2, 10 * SECOND, SECOND, 0, KTALLY_OFFCPU_PARTIAL), later;

	feed_wait(profile, &first);
	feed_wait(profile, &second);
	feed_exit(profile, &one, 12 * SECOND);
	profile_extend_waits(profile, 20 * SECOND);
	check_number(time_of(profile, "io/pipe"), SECOND, "a thread that ended waits no more");
	check_number(time_of(profile, "lock/futex"), 10 * SECOND, "another does");

	profile_doubt_waits(profile);
	profile_end_doubtful_waits(profile);
	profile_extend_waits(profile, 30 * SECOND);
	check_number(time_of(profile, "lock/futex"), 10 * SECOND, "after a loss, one that is not told again has ended");

	feed_wait(profile, &second);
	profile_doubt_waits(profile);
	feed_wait(profile, &second);
	profile_end_doubtful_waits(profile);
	profile_extend_waits(profile, 40 * SECOND);
	check_number(time_of(profile, "lock/futex"), 30 * SECOND, "one that is told again goes on");

	later = wait_record(FUTEX, 2, 50 * SECOND, 5, 0, 0);
	feed_wait(profile, &later);
	profile_extend_waits(profile, 60 * SECOND);
	check_number(time_of(profile, "lock/futex"), 30 * SECOND + 5, "a later wait of the same thread ends it");
	profile_destroy(profile);
}

static void orphans(void)
{
	struct profile *profile = start();
	struct ktally_offcpu wait = wait_record(99, 1, 10 * SECOND, 7, 0, 0);

	feed_wait(profile, &wait);
	wait = wait_record(PIPE, 99, 10 * SECOND, 5, 0, KTALLY_OFFCPU_PARTIAL);
	feed_wait(profile, &wait);
	profile_extend_waits(profile, 30 * SECOND);
	check_number(profile->orphans, 2, "waits without their stack or task are counted");
	check_number(profile->offcpu.weight, 7, "their time too, once they ended");
	profile_destroy(profile);
}

/* A daemon forgets stacks and tasks; what it added up stays, and so does an open wait. */
static void forgotten(void)
{
	struct profile *profile = start_with(false);
	struct ktally_offcpu told = wait_record(PIPE, 1, 10 * SECOND, SECOND, 0, KTALLY_OFFCPU_PARTIAL);

	feed_wait(profile, &told);
	for (int i = 0; i < 3; i++)
		profile_forget(profile);
	check_number(profile->stacks.used, 0, "the stack is forgotten");
	profile_extend_waits(profile, 20 * SECOND);
	check_number(profile->offcpu.weight, 10 * SECOND, "a wait goes on when its stack was forgotten");
	profile_destroy(profile);
}

int main(void)
{
	whole();
	goes_on();
	never_ends();
	orphans();
	forgotten();
	return check_end();
}
