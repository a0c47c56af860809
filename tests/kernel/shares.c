// SPDX-License-Identifier: GPL-2.0
/*
 * The profile is right: a process that measures the shares of its three functions by its own CPU clock is sampled, and the
 * samples say the same, by weight; the weights add up to the CPU time that the scheduler charged; the user stacks are whole.
 */
#include <math.h>

#include "device.h"
#include "harness.h"
#include "workload.h"

struct profile {
	uint64_t samples[PARTS];
	double weight[PARTS];
	double square[PARTS];
	uint64_t max_weight;
	uint64_t in_part;
	uint64_t whole_stacks;
};

static bool is_in(struct range range, uint64_t frame)
{
	uint64_t address = frame & KTALLY_FRAME_VALUE_MASK;

	return address >= range.begin && address < range.end;
}

/* leaf -> caller -> caller's caller, exactly. */
static bool is_whole(const struct ktally_stack *stack, int part)
{
	const __u64 *frames = stack->frames + stack->kernel_frames;

	return stack->user_end == KTALLY_END_COMPLETE && stack->user_frames == 4 && is_in(parts.inner[part], frames[0]) &&
	       is_in(parts.outer[part], frames[1]) && is_in(parts.mix, frames[2]) && is_in(parts.outermost, frames[3]);
}

static int part_of(const struct ktally_stack *stack)
{
	unsigned int i;
	int part;

	for (i = stack->kernel_frames; i < (unsigned int)stack->kernel_frames + stack->user_frames; i++)
		for (part = 0; part < PARTS; part++)
			if (is_in(parts.inner[part], stack->frames[i]))
				return part;
	return -1;
}

static void on_record(struct session *session, const struct ktally_record *record)
{
	const struct ktally_sample *sample = (const void *)record;
	struct profile *profile = session->context;
	const struct ktally_stack *stack;
	double weight;
	int part;

	if (record->type != KTALLY_RECORD_SAMPLE)
		return;
	stack = session_stack(session, sample->stack_id);
	weight = (double)sample->weight;
	if (sample->weight > profile->max_weight)
		profile->max_weight = sample->weight;
	part = part_of(stack);
	if (part < 0)
		return;
	profile->in_part++;
	profile->samples[part]++;
	profile->weight[part] += weight;
	profile->square[part] += weight * weight;
	profile->whole_stacks += is_whole(stack, part);
}

/**
 * struct run - a profiled run of the mix
 * @setup: how to profile
 * @seconds: how long
 * @rival: another process wants the same CPU
 */
struct run {
	struct ktally_setup setup;
	double seconds;
	bool rival;
	bool mapped;
};

/* As many of equal weight would tell as much: where a sample comes late, it stands for more than others. */
static double effective_samples(const struct profile *profile)
{
	double all = 0, squares = 0;
	int part;

	for (part = 0; part < PARTS; part++) {
		all += profile->weight[part];
		squares += profile->square[part];
	}
	return all * all / squares;
}

static void check_shares(struct __test_metadata *_metadata, const struct profile *profile, const struct mix *mix)
{
	double all = 0, measured = 0, effective = effective_samples(profile);
	int part;

	for (part = 0; part < PARTS; part++) {
		all += profile->weight[part];
		measured += (double)mix->ns[part];
	}
	for (part = 0; part < PARTS; part++) {
		double expected = (double)mix->ns[part] / measured;
		double sigma = sqrt(expected * (1 - expected) / effective);
		double seen = profile->weight[part] / all;

		TH_LOG("part %d: %.2f %% measured, %.2f %% sampled in %ju samples (sigma %.2f %%)", part, 100 * expected,
		       100 * seen, (uintmax_t)profile->samples[part], 100 * sigma);
		EXPECT_LT(fabs(seen - expected), 4 * sigma);
	}
}

static void profile_mix(struct __test_metadata *_metadata, const struct run *run, struct session *session,
			double tolerance)
{
	struct ktally_setup setup = run->setup;
	struct profile profile = {};
	uint64_t before, used;
	struct tally total;
	pid_t rival = 0, child;
	struct mix *mix = create_mix(&child);
	double weights;

	setup.sources = KTALLY_SOURCE_ONCPU;
	setup.capture |= KTALLY_CAPTURE_USER;
	setup.pids = (uintptr_t)&child;
	setup.pid_count = 1;
	ASSERT_EQ(0, session_open(session, &setup, run->mapped));
	session->on_record = on_record;
	session->context = &profile;

	if (run->rival) {
		pin_to_cpu(child, 1);
		rival = start_spinner(1);
	}
	before = cpu_time(child);
	ASSERT_EQ(0, device_enable(session->fd));
	start_mix(mix, run->seconds);
	while (!__atomic_load_n(&mix->done, __ATOMIC_ACQUIRE)) {
		ASSERT_EQ(0, session_run(session, 0.5));
	}
	ASSERT_EQ(0, device_disable(session->fd));
	used = cpu_time(child) - before;
	ASSERT_EQ(0, session_settle(session));
	EXPECT_TRUE(session_is_exact(session));
	ASSERT_STREQ("", session->error);

	total = session_total(session);
	weights = (double)total.weight + (double)tally_lost_samples(&total).weight;
	TH_LOG("%ju samples, %ju lost, %ju throttles: %.3f s, scheduler %.3f s: %+.2f %%", (uintmax_t)total.samples,
	       (uintmax_t)tally_lost_samples(&total).count, (uintmax_t)total.throttles, weights / 1e9, (double)used / 1e9,
	       100 * (weights - (double)used) / (double)used);
	/* Which of the two ran is drawn with each sample, and half of them are this one's. */
	if (run->rival)
		tolerance = 4 * sqrt(0.5 * 0.5 / (2 * effective_samples(&profile))) / 0.5;
	EXPECT_LT(fabs(weights - (double)used), tolerance * (double)used + 2 * (double)profile.max_weight);

	check_shares(_metadata, &profile, mix);
	/* An instruction or two of a function are before its frame pointer is set, or after it is gone. */
	TH_LOG("%ju of %ju stacks are exactly leaf, caller, caller's caller, outermost", (uintmax_t)profile.whole_stacks,
	       (uintmax_t)profile.in_part);
	EXPECT_GE(profile.whole_stacks * 1000, profile.in_part * 995);

	stop_child(child);
	if (rival)
		stop_child(rival);
}

static struct session session;

TEST(shares_at_199_hz)
{
	struct run run = {
		.setup = { .rate = 199, .capture = KTALLY_CAPTURE_KERNEL, .budget_ppm = KTALLY_BUDGET_PPM_MAX },
		.seconds = is_slow() ? 10 : 30,
		.mapped = true,
	};

	profile_mix(_metadata, &run, &session, 0.02);
	EXPECT_EQ(0, session_total(&session).throttles);
	session_close(&session);
}

/* Most periods are not the process's: what it is given of them must be its share all the same. */
TEST(shares_of_half_a_cpu)
{
	struct run run = {
		.setup = { .rate = 499, .budget_ppm = KTALLY_BUDGET_PPM_MAX },
		.seconds = 4,
		.rival = true,
	};

	profile_mix(_metadata, &run, &session, 0);
	session_close(&session);
}

/* Thinned by the time budget, fewer samples stand for the same time. */
TEST(shares_when_throttled)
{
	struct run run = {
		.setup = { .rate = 1999, .budget_ppm = 2000 },
		.seconds = 6,
		.mapped = true,
	};
	uint64_t samples;

	profile_mix(_metadata, &run, &session, 0.02);
	samples = session_total(&session).samples;
	EXPECT_GT(session_total(&session).throttles, 0);
	EXPECT_LT(samples, (uint64_t)(run.seconds * 1999 / 2));
	session_close(&session);
}

TEST_HARNESS_MAIN
