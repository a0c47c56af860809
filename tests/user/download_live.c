// SPDX-License-Identifier: GPL-2.0-or-later
/* session/live.h while a debug file is downloaded: nothing waits for it, all else is read meanwhile, and its names come later. */
#include <time.h>

#include "cells.h"
#include "debuginfod.h"
#include "device.h"
#include "session/live.h"
#include "symbols/download.h"
#include "symbols/file.h"

static char stripped[128], other[128];
static uint64_t here;			/* where in the file the function is of which only the debug file knows */
static unsigned int samples, named;

static void on_sample(void *context, const struct profile_sample *sample)
{
	const struct stack *stack = sample->stack;

	check(context == &samples, "the context");
	samples++;
	named += stack->user_frames && stack->frames[0].function && !strcmp(stack->frames[0].function, "only_here");
}

static void start(struct live *live, enum live_purpose purpose)
{
	struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU };

	plug_in();
	device.file = stripped;
	samples = named = 0;
	*live = (struct live){ .profile = NULL };
	check(!ktally_open_fd(&live->session, device.fd) && !ktally_set_up(live->session, &setup), "a session");
	live_create_profile(live, purpose);
}

static void stop(struct live *live)
{
	live_destroy_profile(live);
	ktally_close(live->session);
}

static void write_file(uint32_t number)
{
	const struct ktally_file file = { .header = { .type = KTALLY_RECORD_FILE, .size = sizeof(file) }, .file = number };

	write_bytes(0, &file, sizeof(file));
}

static void write_sample(uint64_t id, uint32_t number)
{
	const struct ktally_task task = { .header = { .type = KTALLY_RECORD_TASK, .size = sizeof(task) }, .task_id = 1 };
	struct {
		struct ktally_stack stack;
		uint64_t frame;
	} stack = {
		.stack = { .header = { .type = KTALLY_RECORD_STACK, .size = sizeof(stack) }, .stack_id = id, .user_frames = 1,
			   .user_end = KTALLY_END_COMPLETE },
		.frame = KTALLY_FRAME_FILE << KTALLY_FRAME_TYPE_SHIFT | (uint64_t)number << KTALLY_FRAME_FILE_SHIFT | here,
	};
	const struct ktally_sample sample = {
		.header = { .type = KTALLY_RECORD_SAMPLE, .size = sizeof(sample) },
		.stack_id = id, .task_id = 1, .time = 5, .weight = 1000, .syscall = KTALLY_SYSCALL_NONE,
	};

	write_bytes(0, &task, sizeof(task));
	write_bytes(0, &stack, sizeof(stack));
	write_bytes(0, &sample, sizeof(sample));
	producer_of(0)->samples++;
}

static void drain_until(struct live *live, unsigned int wanted)
{
	for (unsigned int i = 0; i < 4000 && samples < wanted; i++) {
		usleep(1000);
		live_drain(live, 1000000, on_sample, &samples);
	}
	check_number(samples, wanted, "samples come");
}

static void drain_while_late(struct live *live)
{
	for (unsigned int i = 0; i < 20000 && live->late; i++) {
		usleep(1000);
		live_drain(live, 1000000, on_sample, &samples);
	}
	check_number(live->late, 0, "all comes at last");
}

static void later(enum live_purpose purpose)
{
	struct loader_statistics statistics;
	unsigned int requests = debuginfod_requests();
	struct live live;

	check(tools_run(ID "rm -rf cache && cp a.debug server/$id && touch server/hold"), "a server that does not answer yet");
	start(&live, purpose);
	write_file(7);
	write_sample(10, 7);
	write_sample(11, 7);
	drain_until(&live, 2);
	check_number(named, 0, "with the names that are here");
	check_number(live.late, 1, "more are expected");
	for (unsigned int i = 0; i < 5000 && debuginfod_requests() == requests; i++)
		usleep(1000);
	check_number(debuginfod_requests() - requests, 1, "the server was asked");
	write_sample(10, 7);
	drain_until(&live, 3);
	check_number(live_flush(&live, on_sample, &samples), 0, "a flush does not wait for it");

	device.file = other;
	write_file(8);
	write_sample(12, 8);
	drain_until(&live, 4);
	check_number(device.files_opened, 2, "a file that comes meanwhile is read");
	loader_wait(live.loader, 20000);
	loader_get_statistics(live.loader, &statistics);
	check_number((long long)statistics.tables, 2, "and its table loaded");
	check(!loader_is_busy_with(live.loader, 8), "nobody waits for anything");

	check(tools_run("rm server/hold"), "the server answers");
	drain_while_late(&live);
	check_number(device.files_opened, 2, "the file was still open, and not opened again");
	if (purpose == LIVE_KEEP) {
		check_number(live_flush(&live, on_sample, &samples), 0, "the flush after that");
		check_string(name_in_cells(live.profile, 11), "only_here", "has names of stacks that were not sampled again");
	}
	named = 0;
	write_sample(10, 7);
	write_sample(13, 7);
	drain_until(&live, 6);
	if (purpose == LIVE_KEEP)
		check_number(named, 2, "a stack of before has its name, and a new one");
	stop(&live);
}

/* Whoever shows nothing but classes keeps no frames, but needs those that are to be named again. */
static void counted(void)
{
	const struct stack *stack;
	struct live live;

	check(tools_run("rm -rf cache && touch server/hold"), "the server does not answer yet");
	start(&live, LIVE_COUNT);
	write_file(7);
	write_sample(10, 7);
	drain_until(&live, 1);
	stack = map_get(&live.profile->stacks, 10);
	check(stack && stack->named && stack->user_frames == 1, "a stack is counted, and its frames are kept");
	check(tools_run("rm server/hold"), "the server answers");
	drain_while_late(&live);
	stack = map_get(&live.profile->stacks, 10);
	check(stack && !stack->named, "it is to be named again");
	write_sample(10, 7);
	drain_until(&live, 2);
	stack = map_get(&live.profile->stacks, 10);
	check(stack && stack->named && !stack->user_frames, "after which its frames are not needed any more");
	stop(&live);
}

/* The thread does not wait for a server when it is to end. */
static void ended(void)
{
	unsigned int requests = debuginfod_requests();
	struct live live;

	check(tools_run("rm -rf cache && touch server/hold"), "the server does not answer");
	start(&live, LIVE_KEEP);
	write_file(7);
	write_sample(10, 7);
	drain_until(&live, 1);
	for (unsigned int i = 0; i < 5000 && debuginfod_requests() == requests; i++)
		usleep(1000);
	requests = (unsigned int)time(NULL);
	stop(&live);
	check((unsigned int)time(NULL) - requests < 4, "the end does not wait for it");
	check(tools_run("rm server/hold"), "the server answers");
}

static void read_here(void)
{
	struct file *file = tools_read("whole", 1 << 20);

	here = tools_address(file, "only_here");	/* gcc's first segments are where they lie in the file */
	check(here, "a function");
	file_free(file);
	snprintf(stripped, sizeof(stripped), "%s/stripped", tools_directory);
	snprintf(other, sizeof(other), "%s/other", tools_directory);
}

int main(void)
{
	if (!debuginfod_begin_test())
		return check_end();
	read_here();
	check_number(download_allow(DOWNLOAD_LATER), 0, "downloads are allowed");
	later(LIVE_KEEP);
	later(LIVE_SHOW);
	counted();
	ended();
	debuginfod_end_test();
	return check_end();
}
