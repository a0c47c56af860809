// SPDX-License-Identifier: GPL-2.0
/*
 * What a process does under credentials that are not its own. A union file system does all its work under those of who mounted it: so
 * root that walks a container's files has the ids of the container's user for that time, and is root's process all the same.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "device.h"
#include "harness.h"
#include "nobody.h"
#include "workload.h"

#define DIRECTORY "/tmp/ktally-borrowed"

static struct session session;

static int write_map(const char *path, unsigned int id)
{
	char map[32];

	snprintf(map, sizeof(map), "0 %u 1", id);
	return write_file(path, map);
}

/* A user namespace of nobody's, with a union file system that he has mounted. */
static int make_container(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) || write_file("/proc/self/setgroups", "deny") ||
	    write_map("/proc/self/uid_map", NOBODY) || write_map("/proc/self/gid_map", NOBODY))
		return -1;
	if (mount("tmpfs", DIRECTORY, "tmpfs", 0, NULL) || chdir(DIRECTORY) || mkdir("lower", 0755) || mkdir("upper", 0755) ||
	    mkdir("work", 0755) || mkdir("merged", 0755))
		return -1;
	return mount("overlay", "merged", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work");
}

/* Looks for ever new names where they do not exist, by way of another's root directory. */
static int look_around(void *argument)
{
	unsigned int number = 0;
	struct stat status;
	char path[128];

	prctl(PR_SET_NAME, "visitor");
	for (;;) {
		snprintf(path, sizeof(path), "/proc/%d/root" DIRECTORY "/merged/%u", *(pid_t *)argument, number++);
		if (!stat(path, &status) || errno != ENOENT)
			return 1;
	}
}

static unsigned int seen_visitors, seen_frames;

static void note_visitor(struct session *from, const struct ktally_record *record)
{
	const struct ktally_sample *sample = (const void *)record;
	const struct ktally_task *task;

	if (record->type != KTALLY_RECORD_SAMPLE && record->type != KTALLY_RECORD_OFFCPU)
		return;
	/* Both records have these in the same places. */
	task = session_task(from, sample->task_id);
	if (!task || strcmp((const char *)task->comm, "visitor"))
		return;
	seen_visitors++;
	seen_frames += session_stack(from, sample->stack_id)->user_frames;
}

struct pipes {
	int ready[2];
	int visited[2];
};

static int watch_container(void *argument)
{
	const struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU,
		.capture = KTALLY_CAPTURE_USER,
		.rate = 1999,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
		.ring_bytes = 1 << 20,
	};
	struct pipes *pipes = argument;
	char byte = 0;

	become_nobody(0);
	if (make_container())
		byte = 1;
	if (write(pipes->ready[1], &byte, 1) != 1 || read(pipes->visited[0], &byte, 1) != 1)
		return 1;
	if (session_open(&session, &setup, true))
		return 2;
	session.on_record = note_visitor;
	if (device_enable(session.fd) || session_run(&session, is_slow() ? 6 : 3) || session_finish(&session))
		return 3;
	fprintf(stderr, "# %u samples and waits of root's process, with %u user frames\n%s", seen_visitors, seen_frames, session.error);
	return session.error[0] ? 4 : seen_visitors ? 5 : 0;
}

TEST(who_borrows_credentials_is_himself)
{
	struct pipes pipes;
	pid_t watcher, visitor;
	char failed;

	mkdir(DIRECTORY, 0755);
	if (system("modprobe -q overlay"))
		SKIP(return, "no union file systems here");
	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	ASSERT_EQ(0, pipe(pipes.ready) | pipe(pipes.visited));
	watcher = start_child(watch_container, &pipes);
	ASSERT_EQ(1, read(pipes.ready[0], &failed, 1));
	if (failed) {
		stop_child(watcher);
		SKIP(return, "nobody may not mount a union file system here");
	}
	visitor = start_child(look_around, &watcher);
	ASSERT_EQ(1, write(pipes.visited[1], "", 1));
	EXPECT_EQ(0, wait_for_child(watcher));
	EXPECT_LT(100000000, cpu_time(visitor));
	stop_child(visitor);
}

TEST_HARNESS_MAIN
