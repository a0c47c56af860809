// SPDX-License-Identifier: GPL-2.0
/* poll(), read() and what /proc tells: when records are reported, how they are handed out, and how reading ends. */
#include <fcntl.h>
#include <poll.h>

#include "device.h"
#include "harness.h"
#include "workload.h"

static struct session session;
static char buffer[64 << 10] __attribute__((aligned(8)));

static struct ktally_setup setup_of(const pid_t *child)
{
	return (struct ktally_setup) {
		.sources = KTALLY_SOURCE_ONCPU,
		.capture = KTALLY_CAPTURE_USER,
		.rate = 997,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
		.pids = (uintptr_t)child,
		.pid_count = 1,
	};
}

/* What poll() says within so many seconds, and after how many. */
static int poll_for(double patience, double *took)
{
	struct pollfd poller = { .fd = session.fd, .events = POLLIN };
	uint64_t begin = now_ns();

	poll(&poller, 1, (int)(patience * 1000));
	*took = (double)(now_ns() - begin) / 1e9;
	return poller.revents;
}

static uint64_t unread(unsigned int cpu)
{
	return session.rings[cpu].producer->head - session.rings[cpu].consumer->tail;
}

TEST(poll_reports_the_watermark)
{
	pid_t child = start_spinner(1);
	struct ktally_setup setup = setup_of(&child);
	double took;

	setup.watermark_bytes = 4096;
	setup.latency_ms = 60000;
	ASSERT_EQ(0, session_open(&session, &setup, true));
	EXPECT_EQ(0, poll_for(0, &took));
	ASSERT_EQ(0, device_enable(session.fd));
	EXPECT_EQ(POLLIN, poll_for(20, &took));
	EXPECT_LT(took, 5);
	EXPECT_GE(unread(1), 4096);
	ASSERT_LT(0, session_drain(&session));
	EXPECT_EQ(0, poll_for(0, &took));
	/* It wakes whoever sleeps there, again and again. */
	EXPECT_EQ(POLLIN, poll_for(20, &took));
	EXPECT_LT(took, 5);
	EXPECT_STREQ("", session.error);
	session_close(&session);
	stop_child(child);
}

TEST(poll_reports_the_latency)
{
	pid_t child = start_spinner(1);
	struct ktally_setup setup = setup_of(&child);
	double took;

	setup.rate = 19;
	setup.watermark_bytes = setup.ring_bytes = 1 << 20;
	setup.latency_ms = 500;
	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	EXPECT_EQ(POLLIN, poll_for(20, &took));
	EXPECT_LT(took, 3);
	EXPECT_LT(unread(1), 100000);
	ASSERT_LT(0, session_drain(&session));
	EXPECT_EQ(0, poll_for(0.1, &took));
	EXPECT_EQ(POLLIN, poll_for(20, &took));
	EXPECT_GT(took, 0.1);
	EXPECT_LT(took, 3);
	session_close(&session);
	stop_child(child);
}

TEST(poll_reports_a_flush_and_a_disable)
{
	pid_t child = start_spinner(1);
	struct ktally_setup setup = setup_of(&child);
	double took;

	setup.watermark_bytes = setup.ring_bytes = 1 << 20;
	setup.latency_ms = 60000;
	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	EXPECT_EQ(0, poll_for(0.3, &took));
	EXPECT_GT(unread(1), 0);
	ASSERT_EQ(0, device_flush(session.fd, 0));
	EXPECT_EQ(POLLIN, poll_for(0, &took));
	ASSERT_LT(0, session_drain(&session));
	EXPECT_EQ(0, poll_for(0.3, &took));
	ASSERT_EQ(0, device_disable(session.fd));
	EXPECT_EQ(POLLIN, poll_for(0, &took));
	session_close(&session);
	stop_child(child);
}

static ssize_t read_some(size_t bytes)
{
	ssize_t got = read(session.fd, buffer, bytes);

	return got < 0 ? -errno : got;
}

TEST(read_before_setup)
{
	session.fd = device_open();
	EXPECT_EQ(-EINVAL, read_some(sizeof(buffer)));
	close(session.fd);
}

TEST(read_hands_out_whole_records)
{
	pid_t child = start_maze();
	struct ktally_setup setup = setup_of(&child);
	ssize_t got, sum = 0;
	size_t room;

	ASSERT_EQ(0, session_open(&session, &setup, false));
	ASSERT_EQ(0, device_enable(session.fd));
	sleep_seconds(0.5);
	ASSERT_EQ(0, device_disable(session.fd));
	/* No record is as small as this. */
	for (room = 0; room < sizeof(struct ktally_exit); room++)
		EXPECT_EQ(-EINVAL, read_some(room));
	EXPECT_EQ(-1, syscall(SYS_read, session.fd, 8UL, 8192UL));
	EXPECT_EQ(EFAULT, errno);
	/* With room for one record of any size, each call gives some, until all are there. */
	for (room = KTALLY_RECORD_BYTES_MAX; (got = read_some(room)) > 0; sum += got) {
		ssize_t at = 0;

		while (at < got) {
			const struct ktally_record *record = (const void *)(buffer + at);

			ASSERT_GE(got - at, record->size);
			ASSERT_GE(record->size, sizeof(*record));
			at += record->size;
		}
		EXPECT_EQ(got, at);
		if (room > 8000)
			room -= 64;
	}
	EXPECT_EQ(0, got);
	EXPECT_EQ(session.rings[0].producer->head + session.rings[1].producer->head, sum);
	EXPECT_EQ(0, read_some(sizeof(buffer)));
	session_close(&session);
	stop_child(child);
}

TEST(read_without_blocking)
{
	pid_t child = start_spinner(1);
	struct ktally_setup setup = setup_of(&child);

	setup.rate = 1;
	ASSERT_EQ(0, session_open(&session, &setup, false));
	ASSERT_EQ(0, fcntl(session.fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(0, read_some(sizeof(buffer)));
	ASSERT_EQ(0, device_enable(session.fd));
	while (read_some(sizeof(buffer)) > 0)
		continue;
	EXPECT_EQ(-EAGAIN, read_some(sizeof(buffer)));
	ASSERT_EQ(0, device_disable(session.fd));
	while (read_some(sizeof(buffer)) > 0)
		continue;
	EXPECT_EQ(0, read_some(sizeof(buffer)));
	session_close(&session);
	stop_child(child);
}

static int disable_later(void *argument)
{
	sleep_seconds(1);
	return device_disable(*(int *)argument);
}

/* DISABLE ends the wait of a reader: first with what is left, then with the end of the file. */
TEST(read_waits)
{
	pid_t helper, child = start_spinner(1);
	struct ktally_setup setup = setup_of(&child);
	uint64_t begin;

	setup.latency_ms = 60000;
	setup.watermark_bytes = setup.ring_bytes = 1 << 20;
	ASSERT_EQ(0, session_open(&session, &setup, false));
	ASSERT_EQ(0, device_enable(session.fd));
	while (fcntl(session.fd, F_SETFL, O_NONBLOCK), read_some(sizeof(buffer)) > 0)
		continue;
	stop_child(child);
	while (read_some(sizeof(buffer)) > 0)
		continue;
	ASSERT_EQ(0, fcntl(session.fd, F_SETFL, 0));
	helper = start_child(disable_later, &session.fd);
	begin = now_ns();
	EXPECT_LE(0, read_some(sizeof(buffer)));
	EXPECT_GT(now_ns() - begin, 500000000);
	EXPECT_EQ(0, wait_for_child(helper));
	while (read_some(sizeof(buffer)) > 0)
		continue;
	EXPECT_EQ(0, read_some(sizeof(buffer)));
	session_close(&session);
}

TEST(writing_and_seeking_are_refused)
{
	struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU };

	ASSERT_EQ(0, session_open(&session, &setup, false));
	EXPECT_EQ(-1, write(session.fd, buffer, 8));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(session.fd, 0, SEEK_SET));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, pread(session.fd, buffer, 4096, 0));
	EXPECT_EQ(ESPIPE, errno);
	session_close(&session);
}

/* After RESEND, every stack and task is said again before it is used. */
TEST(resend_says_everything_again)
{
	pid_t child = start_spinner(1);
	struct ktally_setup setup = setup_of(&child);
	uint64_t stacks, tasks, i;

	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 1));
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	stacks = session_total(&session).stacks;
	tasks = session_total(&session).tasks;
	EXPECT_GT(stacks, 0);
	EXPECT_GT(tasks, 0);

	/* From here on, the check of records takes nothing for announced. */
	ASSERT_EQ(0, device_flush(session.fd, KTALLY_FLUSH_RESEND));
	for (i = 0; i < session.tasks.size; i++)
		session.tasks.slots[i].rings = 0;
	for (i = 0; i < session.stacks.size; i++)
		session.stacks.slots[i].rings = 0;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 1));
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_STREQ("", session.error);
	EXPECT_TRUE(session_is_exact(&session));
	EXPECT_GT(session_total(&session).stacks, stacks);
	EXPECT_GT(session_total(&session).tasks, tasks);
	session_close(&session);
	stop_child(child);
}

/* The number on the line of /proc/self/fdinfo that begins with @name; -1: there is none. */
static long fdinfo(const char *name, char *word, size_t bytes)
{
	char path[64], line[256], format[64];
	long number = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", session.fd);
	snprintf(format, sizeof(format), "%s:\t", name);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, format, strlen(format)))
			continue;
		number = atol(line + strlen(format));
		if (word) {
			line[strcspn(line, "\n")] = 0;
			snprintf(word, bytes, "%s", line + strlen(format));
		}
	}
	if (file)
		fclose(file);
	return number;
}

TEST(fdinfo_tells_how_it_goes)
{
	pid_t child = start_maze();
	struct ktally_setup setup = setup_of(&child);
	struct tally total;
	char word[32] = "";

	session.fd = device_open();
	fdinfo("state", word, sizeof(word));
	EXPECT_STREQ("new", word);
	setup.ring_bytes = KTALLY_RING_BYTES_MIN;
	ASSERT_EQ(0, session_adopt(&session, session.fd, &setup, true));
	fdinfo("state", word, sizeof(word));
	EXPECT_STREQ("ready", word);
	EXPECT_EQ(1, fdinfo("privileged", NULL, 0));
	ASSERT_EQ(0, device_enable(session.fd));
	fdinfo("state", word, sizeof(word));
	EXPECT_STREQ("enabled", word);
	sleep_seconds(2);
	ASSERT_EQ(0, device_disable(session.fd));
	EXPECT_GT(fdinfo("unread_bytes", NULL, 0), 1000);
	ASSERT_EQ(0, session_settle(&session));
	total = session_total(&session);
	EXPECT_EQ(0, fdinfo("unread_bytes", NULL, 0));
	EXPECT_EQ(997, fdinfo("rate", NULL, 0));
	EXPECT_EQ(2, fdinfo("rings", NULL, 0));
	EXPECT_EQ(KTALLY_RING_BYTES_MIN, fdinfo("ring_bytes", NULL, 0));
	EXPECT_EQ(total.samples + tally_lost_samples(&total).count, fdinfo("samples", NULL, 0));
	EXPECT_EQ(total.stacks, fdinfo("stacks", NULL, 0));
	EXPECT_EQ(total.lost[KTALLY_LOST_FULL].count, fdinfo("lost_full", NULL, 0));
	EXPECT_EQ(total.lost[KTALLY_LOST_BUSY].count, fdinfo("lost_busy", NULL, 0));
	EXPECT_EQ(total.throttles, fdinfo("throttles", NULL, 0));
	EXPECT_EQ(1, fdinfo("thin", NULL, 0));
	EXPECT_GT(total.lost[KTALLY_LOST_FULL].count, 0);
	EXPECT_STREQ("", session.error);
	session_close(&session);
	stop_child(child);
}

TEST_HARNESS_MAIN
