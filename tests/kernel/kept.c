// SPDX-License-Identifier: GPL-2.0
/* What is kept of many waits is an unbiased estimate of all, with the spread that theory gives, in as many records as that says. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "device.h"
#include "harness.h"
#include "workload.h"

#define KEEP_NS 1000000
#define TRIALS 20

/**
 * struct trial - a run of a thread that only sleeps
 * @truth: time it slept
 * @variance: of the estimate, by theory, given those waits
 * @expected: number of records, by theory
 * @estimate: sum of weights
 * @records: number
 */
struct trial {
	double truth, variance, expected, estimate;
	uint64_t records;
};

struct sleeps {
	int go[2], done[2];
	unsigned int count;
};

static struct sleeps *sleeps;

/* From 10 us to 200 ms, each order of magnitude as likely as the other; of the longest there are few, since they take long. */
static double draw_sleep(void)
{
	double limit = random() % 32 ? 0.005 : 0.2;

	return 1e-5 * pow(limit / 1e-5, (double)random() / RAND_MAX);
}

static int run_sleeps(void *argument)
{
	unsigned int i;
	char byte;

	(void)argument;
	for (;;) {
		if (read(sleeps->go[0], &byte, 1) != 1)
			return 0;
		for (i = 0; i < sleeps->count; i++)
			sleep_seconds(draw_sleep());
		if (write(sleeps->done[1], "", 1) != 1)
			return 1;
	}
}

static bool is_a_sleep(const struct ktally_record *record)
{
	const struct ktally_offcpu *wait = (const void *)record;

	return record->type == KTALLY_RECORD_OFFCPU && !(record->flags & KTALLY_OFFCPU_PARTIAL) &&
	       wait->syscall == SYS_clock_nanosleep;
}

/* One session sees all sleeps, which is the truth; the other what is kept of them. */
static void take_truth(struct session *all, const struct ktally_record *record)
{
	const struct ktally_offcpu *wait = (const void *)record;
	struct trial *trial = all->context;
	double took = (double)(wait->time - wait->start), keep = KEEP_NS;

	if (!is_a_sleep(record))
		return;
	trial->truth += took;
	if (took < keep)
		trial->variance += took * (keep - took);
	trial->expected += took < keep ? took / keep : 1;
}

static void take_kept(struct session *kept, const struct ktally_record *record)
{
	const struct ktally_offcpu *wait = (const void *)record;
	struct trial *trial = kept->context;

	if (!is_a_sleep(record))
		return;
	trial->estimate += (double)wait->weight;
	trial->records++;
	if (wait->weight < KEEP_NS)
		session_fail(kept, "a weight of %ju", (uintmax_t)wait->weight);
}

static struct session all_waits, kept_waits;

/* All the trials together. */
struct sum {
	double error, variance, chi, expected;
	uint64_t records;
};

static bool is_as_theory_says(const struct sum *sum)
{
	/* Of 20 degrees of freedom: 1 in 1000 is outside on either side. */
	return fabs(sum->error) < 3 * sqrt(sum->variance) && sum->chi > 5.9 && sum->chi < 45.3 &&
	       fabs((double)sum->records - sum->expected) < 4 * sqrt(sum->expected);
}

static void run_trials(struct __test_metadata *_metadata, struct sum *sum)
{
	unsigned int run;

	for (run = 0; run < TRIALS; run++) {
		struct trial trial = {};
		char byte;

		all_waits.context = kept_waits.context = &trial;
		ASSERT_EQ(0, device_enable(all_waits.fd));
		ASSERT_EQ(0, device_enable(kept_waits.fd));
		ASSERT_EQ(1, write(sleeps->go[1], "", 1));
		ASSERT_EQ(1, read(sleeps->done[0], &byte, 1));
		ASSERT_EQ(0, device_disable(kept_waits.fd));
		ASSERT_EQ(0, device_disable(all_waits.fd));
		ASSERT_EQ(0, session_settle(&all_waits));
		ASSERT_EQ(0, session_settle(&kept_waits));
		sum->error += trial.estimate - trial.truth;
		sum->variance += trial.variance;
		sum->chi += (trial.estimate - trial.truth) * (trial.estimate - trial.truth) / trial.variance;
		sum->records += trial.records;
		sum->expected += trial.expected;
	}
	TH_LOG("the sum of %d runs is off by %+.3f ms, standard error %.3f ms; chi-square %.1f; %ju records, %.1f expected", TRIALS,
	       sum->error / 1e6, sqrt(sum->variance) / 1e6, sum->chi, (uintmax_t)sum->records, sum->expected);
}

/* One in two hundred is outside these bounds by chance; what is wrong is so every time. */
TEST(what_is_kept_is_unbiased)
{
	pid_t child;
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_OFFCPU,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
		.ring_bytes = 1 << 20,
		.pids = (uintptr_t)&child,
		.pid_count = 1,
	};
	struct sum first = {}, second = {};

	sleeps = mmap(NULL, sizeof(*sleeps), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(0, pipe(sleeps->go));
	ASSERT_EQ(0, pipe(sleeps->done));
	sleeps->count = is_slow() ? 200 : 500;
	child = start_child(run_sleeps, NULL);
	ASSERT_EQ(0, session_open(&all_waits, &setup, true));
	setup.keep_ns = KEEP_NS;
	ASSERT_EQ(0, session_open(&kept_waits, &setup, true));
	all_waits.on_record = take_truth;
	kept_waits.on_record = take_kept;

	run_trials(_metadata, &first);
	if (!is_as_theory_says(&first)) {
		run_trials(_metadata, &second);
		EXPECT_TRUE(is_as_theory_says(&second));
	}
	EXPECT_TRUE(session_is_exact(&all_waits));
	EXPECT_TRUE(session_is_exact(&kept_waits));
	ASSERT_STREQ("", all_waits.error);
	ASSERT_STREQ("", kept_waits.error);

	stop_child(child);
	session_close(&all_waits);
	session_close(&kept_waits);
}

TEST_HARNESS_MAIN
