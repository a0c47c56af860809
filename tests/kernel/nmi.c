// SPDX-License-Identifier: GPL-2.0
/*
 * Samples taken by NMIs, which hit anywhere: in the scheduler, in interrupts, in the timer's own capture. All on top of the timer's
 * samples, with processes that switch, fork and exit as fast as they can, and every record checked.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>

#include "device.h"
#include "harness.h"
#include "workload.h"

#define PARAMETERS "/sys/module/ktally_nmi/parameters/"
#define MONITOR "/run/ktally-monitor"

/* What ktally_test_overflow() has samples weigh. One of the timer's weighs more, at 10 kHz too. */
#define NMI_WEIGHT 1000

/**
 * struct hits - where NMIs hit
 * @all: samples by NMI
 * @in_kernel: with kernel frames
 * @in_user: with the CPU in user mode, and user frames
 * @in_syscall: in a system call, with kernel and user frames
 * @in_capture: in the timer's own capture
 */
struct hits {
	uint64_t all;
	uint64_t in_kernel;
	uint64_t in_user;
	uint64_t in_syscall;
	uint64_t in_capture;
};

/* The module's functions, and the kernel's that calls them when the timer overflows. */
static struct range module_text, timer;

static bool is_in(struct range range, uint64_t frame)
{
	uint64_t address = frame | 0xfULL << KTALLY_FRAME_TYPE_SHIFT;

	return address >= range.begin && address < range.end;
}

/* The symbols of a module come after the kernel's, in any order. */
static void find_functions(void)
{
	uint64_t first = UINT64_MAX, last = 0;
	char line[512], name[256], module[64], type;
	unsigned long long address;
	FILE *file = fopen("/proc/kallsyms", "r");
	int fields;

	while (file && fgets(line, sizeof(line), file)) {
		fields = sscanf(line, "%llx %c %255s %63s", &address, &type, name, module);
		if (fields == 3 && timer.begin && !timer.end && address > timer.begin)
			timer.end = address;
		if (fields == 3 && !strcmp(name, "perf_swevent_hrtimer"))
			timer.begin = address;
		if (fields < 4 || (type != 't' && type != 'T') || strcmp(module, "[ktally]"))
			continue;
		first = address < first ? address : first;
		last = address > last ? address : last;
	}
	if (file)
		fclose(file);
	module_text = (struct range) { first, (last | (KTALLY_PAGE_BYTES - 1)) + 1 };
}

/* The timer's handler had called the module, which had not returned. */
static bool hit_capture(const struct ktally_stack *stack)
{
	bool inside = false;
	unsigned int i;

	for (i = 0; i < stack->kernel_frames; i++) {
		inside |= is_in(module_text, stack->frames[i]);
		if (is_in(timer, stack->frames[i]))
			return inside;
	}
	return false;
}

static void on_record(struct session *session, const struct ktally_record *record)
{
	const struct ktally_sample *sample = (const void *)record;
	const struct ktally_stack *stack;
	struct hits *hits = session->context;

	if (record->type != KTALLY_RECORD_SAMPLE || sample->weight != NMI_WEIGHT)
		return;
	stack = session_stack(session, sample->stack_id);
	hits->all++;
	hits->in_kernel += stack->kernel_frames > 0;
	hits->in_user += !(record->flags & KTALLY_SAMPLE_KERNEL) && stack->user_frames > 0;
	hits->in_syscall += sample->syscall != KTALLY_SYSCALL_NONE && stack->kernel_frames && stack->user_frames;
	hits->in_capture += hit_capture(stack);
}

/* ------------------------------------------------------------------------------------------------ where NMIs come from */

/* By QEMU, which talks back. */
static int run_monitor(void *argument)
{
	int fd = open(MONITOR, O_RDWR | O_NONBLOCK);
	struct pollfd poller = { .fd = fd, .events = POLLIN | POLLOUT };
	char answer[4096];

	(void)argument;
	if (fd < 0)
		return 1;
	while (poll(&poller, 1, -1) > 0) {
		if (poller.revents & POLLOUT && write(fd, "nmi\n", 4) < 0 && errno != EAGAIN)
			return 1;
		if (poller.revents & POLLIN && read(fd, answer, sizeof(answer)) < 0 && errno != EAGAIN)
			return 1;
	}
	return 1;
}

/* By one CPU to the others, at random times, in bursts as dense as one CPU can make them. */
static int run_sender(void *argument)
{
	int fd = open(PARAMETERS "send", O_WRONLY), cpu = *(int *)argument;

	if (fd < 0)
		return 1;
	pin_to_cpu(0, cpu);
	srandom((unsigned int)cpu);
	while (pwrite(fd, "1", 1, 0) == 1) {
		volatile long left = random() % 4096;

		while (left)
			left--;
	}
	return 1;
}

/* ------------------------------------------------------------------------------------------------ what they hit */

static __attribute__((noipa, noinline)) uint64_t spin_deep(unsigned int depth)
{
	uint64_t left = depth;

	if (depth)
		left += spin_deep(depth - 1);
	else
		spin(100000000);
	return left;
}

/* Its captures take long, for it is deep: a wide mark for NMIs. */
static int run_deep_spinner(void *argument)
{
	(void)argument;
	for (;;)
		spin_deep(600);
	return 0;
}

/* ------------------------------------------------------------------------------------------------ tests */

/**
 * struct storm - processes that make NMIs, and processes to be hit
 */
struct storm {
	pid_t children[16];
	unsigned int count;
};

static void start_storm(struct storm *storm)
{
	int cpu, cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);

	storm->count = 0;
	for (cpu = 0; cpu < cpus && cpu < 4; cpu++)
		storm->children[storm->count++] = start_child(run_sender, &cpu);
	storm->children[storm->count++] = start_child(run_monitor, NULL);
	storm->children[storm->count++] = start_child(run_deep_spinner, NULL);
	storm->children[storm->count++] = start_child(run_deep_spinner, NULL);
	storm->children[storm->count++] = start_ping_pong();
	storm->children[storm->count++] = start_fork_storm();
}

static void stop_storm(struct storm *storm)
{
	while (storm->count)
		stop_child(storm->children[--storm->count]);
}

static struct session session;
static struct hits hits;

/* How many is a matter of luck, and of how much of its processors the host spares: so wait until there are enough. */
#define PATIENCE_SECONDS 60

static bool are_enough(const struct hits *least)
{
	return hits.all >= least->all && hits.in_kernel >= least->in_kernel && hits.in_user >= least->in_user &&
	       hits.in_syscall >= least->in_syscall && hits.in_capture >= least->in_capture;
}

/* The reader comes every @pause seconds, or when poll() says so. */
static void sample_in_storm(struct __test_metadata *_metadata, struct ktally_setup setup, bool mapped, double pause_seconds,
			    const struct hits *least)
{
	struct storm storm;
	struct tally total;
	uint64_t end, overflows;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU has nobody to send it NMIs");
	find_functions();
	ASSERT_NE(0, timer.begin);
	ASSERT_LT(timer.begin, timer.end);
	ASSERT_LT(module_text.begin, module_text.end);

	setup.sources = KTALLY_SOURCE_ONCPU;
	setup.budget_ppm = KTALLY_BUDGET_PPM_MAX;
	ASSERT_EQ(0, session_open(&session, &setup, mapped));
	session.nested = true;
	session.on_record = on_record;
	session.context = &hits;
	memset(&hits, 0, sizeof(hits));

	/* Reading goes before what is read. */
	setpriority(PRIO_PROCESS, 0, -10);
	start_storm(&storm);
	overflows = (uint64_t)read_number(PARAMETERS "overflows");
	ASSERT_EQ(0, device_enable(session.fd));
	end = now_ns() + PATIENCE_SECONDS * 1000000000ULL;
	while (now_ns() < end && !session.error[0] && !are_enough(least)) {
		if (pause_seconds > 0) {
			sleep_seconds(pause_seconds);
			ASSERT_LE(0, session_drain(&session));
		} else {
			ASSERT_EQ(0, session_run(&session, 0.5));
		}
	}
	ASSERT_EQ(0, device_disable(session.fd));
	stop_storm(&storm);
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_TRUE(session_is_exact(&session));
	EXPECT_STREQ("", session.error);

	/* Whatever an NMI came in between of, each is a sample or a loss. */
	total = session_total(&session);
	EXPECT_EQ((uint64_t)read_number(PARAMETERS "overflows") - overflows, total.samples + tally_lost_samples(&total).count);
	TH_LOG("%ju samples, %ju by NMI: %ju with kernel frames, %ju in user mode, %ju in a system call, %ju in a capture",
	       (uintmax_t)total.samples, (uintmax_t)hits.all, (uintmax_t)hits.in_kernel, (uintmax_t)hits.in_user,
	       (uintmax_t)hits.in_syscall, (uintmax_t)hits.in_capture);
	TH_LOG("%ju lost in a full ring, %ju for want of a slot; %ju notices lost; %ju stacks, %ju tasks, %ju exits",
	       (uintmax_t)total.lost[KTALLY_LOST_FULL].count, (uintmax_t)total.lost[KTALLY_LOST_BUSY].count,
	       (uintmax_t)total.lost[KTALLY_LOST_NOTICE].count, (uintmax_t)total.stacks, (uintmax_t)total.tasks,
	       (uintmax_t)total.exits);
	EXPECT_TRUE(are_enough(least));
}

TEST(roomy_ring)
{
	struct ktally_setup setup = {
		.rate = 1000, .capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER, .ring_bytes = 4 << 20,
		.depth = KTALLY_DEPTH_MAX,
	};

	struct hits least = { .all = 1000, .in_kernel = 200, .in_user = 100, .in_syscall = 100, .in_capture = 1 };

	sample_in_storm(_metadata, setup, true, 0, &least);
	session_close(&session);
}

/* Full most of the time; the timer as fast as it can be, so that NMIs often hit its captures. */
TEST(small_ring)
{
	struct ktally_setup setup = {
		.rate = KTALLY_RATE_MAX, .capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER,
		.ring_bytes = KTALLY_RING_BYTES_MIN, .depth = KTALLY_DEPTH_MAX,
	};
	struct hits least = { .all = 500, .in_capture = 1 };

	sample_in_storm(_metadata, setup, false, 0.2, &least);
	EXPECT_GT(session_total(&session).lost[KTALLY_LOST_FULL].count, 0);
	session_close(&session);
}

TEST(no_kernel_frames)
{
	struct ktally_setup setup = { .rate = 1000, .capture = KTALLY_CAPTURE_USER, .ring_bytes = 64 << 10, .depth = 4 };
	struct hits least = { .all = 500, .in_user = 50 };

	sample_in_storm(_metadata, setup, true, 0, &least);
	EXPECT_EQ(0, hits.in_kernel);
	session_close(&session);
}

/* No other owner of the hardware is to be had here, so the counter is taken away as one would. FLUSH notices, and has it back. */
TEST(a_counter_that_is_taken_away)
{
	struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU, .rate = 499, .budget_ppm = KTALLY_BUDGET_PPM_MAX };
	const size_t count = offsetof(struct ktally_ring_producer, unsampled.count);
	const size_t weight = offsetof(struct ktally_ring_producer, unsampled.weight);
	pid_t spinner = start_spinner(0);
	uint64_t samples, unsampled, before;

	pin_to_cpu(0, 0);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 0.5));
	ASSERT_EQ(0, session_settle(&session));
	/* Where a host keeps a CPU from running for long, its timer is late, too. */
	unsampled = session_sum(&session, count);
	before = session_sum(&session, weight);
	ASSERT_EQ(0, write_file(PARAMETERS "pause", "1"));
	ASSERT_LE(0, session_drain(&session));
	samples = session.rings[0].tally.samples;
	sleep_seconds(0.5);
	ASSERT_LE(0, session_drain(&session));
	EXPECT_GT(20, session.rings[0].tally.samples - samples);
	ASSERT_EQ(0, device_flush(session.fd, 0));
	EXPECT_LT(unsampled, session_sum(&session, count));
	EXPECT_LT(before + 400000000, session_sum(&session, weight));
	samples = session.rings[0].tally.samples;
	/* Where there is little time for the machine, it takes longer. */
	for (int i = 0; i < 20 && session.rings[0].tally.samples - samples <= 50; i++)
		ASSERT_EQ(0, session_run(&session, 0.5));
	EXPECT_LT(50, session.rings[0].tally.samples - samples);
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_STREQ("", session.error);
	session_close(&session);
	stop_child(spinner);
}

/* The monitor alone: no NMI but its own, all on CPUs that are busy. */
TEST(injected)
{
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_ONCPU, .rate = 1000, .budget_ppm = KTALLY_BUDGET_PPM_MAX,
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER,
	};
	pid_t monitor, spinner, ping_pong;
	long before, count;

	if (access(MONITOR, W_OK))
		SKIP(return, "there is no " MONITOR);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.nested = true;
	session.on_record = on_record;
	session.context = &hits;
	spinner = start_spinner(0);
	ping_pong = start_ping_pong();
	ASSERT_EQ(0, device_enable(session.fd));
	before = read_number(PARAMETERS "count");
	monitor = start_child(run_monitor, NULL);
	ASSERT_EQ(0, session_run(&session, 4));
	stop_child(monitor);
	ASSERT_EQ(0, device_disable(session.fd));
	count = read_number(PARAMETERS "count") - before;
	stop_child(spinner);
	stop_child(ping_pong);
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_TRUE(session_is_exact(&session));
	EXPECT_STREQ("", session.error);
	TH_LOG("%ld NMIs, %ju samples by them", count, (uintmax_t)hits.all);
	EXPECT_GT(hits.all, 0);
	EXPECT_LE(hits.all, (uint64_t)count);
	session_close(&session);
}

static void open_for_stop(struct __test_metadata *_metadata, bool mapped)
{
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_ONCPU, .rate = 999, .capture = KTALLY_CAPTURE_USER, .latency_ms = KTALLY_LATENCY_MS_MAX,
		.ring_bytes = 1 << 20, .watermark_bytes = 1 << 20,
	};

	ASSERT_EQ(0, session_open(&session, &setup, mapped));
	ASSERT_EQ(0, device_enable(session.fd));
	sleep_seconds(0.5);
}

static int read_blocked(void *argument)
{
	char buffer[KTALLY_RECORD_BYTES_MAX];

	(void)argument;
	return read(session.fd, buffer, sizeof(buffer)) < 0;
}

/* The module found itself wrong: what was taken can be read, and nothing comes after. */
TEST(stopped)
{
	struct pollfd poller = { .events = POLLIN };
	char buffer[KTALLY_RECORD_BYTES_MAX];
	pid_t spinner = start_spinner(-1), reader;
	uint64_t samples, begin;
	int mapped;

	for (mapped = 0; mapped < 2; mapped++) {
		open_for_stop(_metadata, mapped);
		poller.fd = session.fd;
		ASSERT_EQ(0, poll(&poller, 1, 0));
		reader = mapped ? 0 : start_child(read_blocked, NULL);
		sleep_seconds(0.2);
		if (reader)
			ASSERT_EQ(0, waitpid(reader, NULL, WNOHANG));

		begin = now_ns();
		ASSERT_EQ(0, write_file(PARAMETERS "stop", "1"));
		ASSERT_EQ(1, poll(&poller, 1, 2000));
		EXPECT_TRUE(poller.revents & POLLHUP);
		if (reader) {
			EXPECT_EQ(0, wait_for_child(reader));
			/* It is woken, not by the latency that it asked for. */
			EXPECT_LT(now_ns() - begin, KTALLY_LATENCY_MS_MAX / 2 * 1000000ULL);
			/* What the other reader took is missed here, so only that an end comes can be seen. */
			while (read(session.fd, buffer, sizeof(buffer)) > 0)
				continue;
		}
		EXPECT_EQ(KTALLY_STATE_STOPPED, session.rings[0].producer->state);
		EXPECT_EQ(-ENODEV, device_enable(session.fd));

		if (mapped) {
			ASSERT_EQ(0, session_settle(&session));
			EXPECT_TRUE(session_is_exact(&session));
			EXPECT_STREQ("", session.error);
			samples = session_total(&session).samples;
			EXPECT_GT(samples, 0);
			sleep_seconds(0.3);
			ASSERT_EQ(0, session_settle(&session));
			EXPECT_EQ(samples, session_total(&session).samples);
		}
		EXPECT_EQ(0, read(session.fd, buffer, sizeof(buffer)));
		EXPECT_EQ(0, device_disable(session.fd));
		EXPECT_EQ(-ENODEV, device_enable(session.fd));
		ASSERT_EQ(1, poll(&poller, 1, 0));
		EXPECT_TRUE(poller.revents & POLLHUP);
		session_close(&session);
	}
	stop_child(spinner);
}

static int sleep_and_end(void *argument)
{
	(void)argument;
	sleep_seconds(0.5);
	return 0;
}

/* Who waits when a session is stopped may end before it is closed; nothing is told of them, and nothing that is gone is looked at. */
TEST(ends_after_a_stop)
{
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU, .capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER,
		.threads = 4096,
	};
	pid_t children[100];
	uint64_t open_waits;
	int i;

	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	for (i = 0; i < 100; i++)
		children[i] = start_child(sleep_and_end, NULL);
	sleep_seconds(0.2);
	ASSERT_EQ(0, session_settle(&session));
	ASSERT_EQ(0, write_file(PARAMETERS "stop", "1"));
	open_waits = session_total(&session).open_waits;
	for (i = 0; i < 100; i++)
		EXPECT_EQ(0, wait_for_child(children[i]));
	sleep_seconds(0.5);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, device_flush(session.fd, KTALLY_FLUSH_RESEND));
		sleep_seconds(0.05);
	}
	ASSERT_LE(0, session_drain(&session));
	EXPECT_EQ(open_waits, session_total(&session).open_waits);
	EXPECT_STREQ("", session.error);
	session_close(&session);
}

/* For which there is no room any more: the host's CPU comes all the same. */
TEST(a_cpu_that_comes_after_a_stop)
{
	const struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU };

	if (set_cpu_online(1, false))
		SKIP(return, "CPU 1 cannot be taken offline here");
	ASSERT_EQ(0, session_open(&session, &setup, false));
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, write_file(PARAMETERS "stop", "1"));
	ASSERT_EQ(0, write_file("/sys/module/ktally/parameters/memory_limit_mb", "0"));
	EXPECT_EQ(0, set_cpu_online(1, true));
	EXPECT_EQ(0, write_file("/sys/module/ktally/parameters/memory_limit_mb", "256"));
	EXPECT_EQ(0, set_cpu_online(1, true));
	session_close(&session);
}

TEST_HARNESS_MAIN
