// SPDX-License-Identifier: GPL-2.0-or-later
/* session/live.h on a device of our own: what becomes of records while files are opened, in time and too late. */
#include <pthread.h>
#include <time.h>

#include "cells.h"
#include "check.h"
#include "device.h"
#include "fake_elf.h"
#include "base/message.h"
#include "session/live.h"
#include "session/session.h"
#include "symbols/file.h"

#define NUMBER	7

static const struct fake_symbol functions[] = {
	{ "first", 0x10, 0x20, STB_GLOBAL, STT_FUNC, false }, { NULL, 0, 0, 0, 0, false },
};

static char path[64], fdinfo[64];
static unsigned int samples, named;

static void on_sample(void *context, const struct profile_sample *sample)
{
	check(context == &samples, "the context");
	samples++;
	named += sample->stack->frames[0].function && !strcmp(sample->stack->frames[0].function, "first");
}

static void put_file(void)
{
	struct buffer data = fake_elf(&(struct fake_elf){ .symbols = functions });
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	check(fd >= 0 && write(fd, data.data, data.bytes) == (ssize_t)data.bytes, "a file");
	close(fd);
	buffer_free(&data);
}

static void start(struct live *live)
{
	struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU };

	plug_in();
	put_file();
	device.file = path;
	samples = named = 0;
	*live = (struct live){ .profile = NULL };
	check(!ktally_open_fd(&live->session, device.fd) && !ktally_set_up(live->session, &setup), "a session");
	live_create_profile(live, LIVE_KEEP);
	check(live->loader, "with a loader");
}

static void stop(struct live *live)
{
	live_destroy_profile(live);
	ktally_close(live->session);
	unlink(path);
}

static void write_file(unsigned int cpu, uint32_t number)
{
	const struct ktally_file file = { .header = { .type = KTALLY_RECORD_FILE, .size = sizeof(file) }, .file = number };

	write_bytes(cpu, &file, sizeof(file));
}

/* A stack of one frame in a file, and a sample of it. */
static void write_sample(unsigned int cpu, uint64_t id, uint32_t number)
{
	const struct ktally_task task = { .header = { .type = KTALLY_RECORD_TASK, .size = sizeof(task) }, .task_id = 1 + number };
	struct {
		struct ktally_stack stack;
		uint64_t frame;
	} stack = {
		.stack = { .header = { .type = KTALLY_RECORD_STACK, .size = sizeof(stack) }, .stack_id = id, .user_frames = 1,
			   .user_end = KTALLY_END_COMPLETE },
		.frame = KTALLY_FRAME_FILE << KTALLY_FRAME_TYPE_SHIFT | (uint64_t)number << KTALLY_FRAME_FILE_SHIFT |
			 (FAKE_TEXT_OFFSET + 0x12),
	};
	const struct ktally_sample sample = {
		.header = { .type = KTALLY_RECORD_SAMPLE, .size = sizeof(sample) },
		.stack_id = id, .task_id = 1 + number, .time = 5, .weight = 1000, .syscall = KTALLY_SYSCALL_NONE,
	};

	write_bytes(cpu, &task, sizeof(task));
	write_bytes(cpu, &stack, sizeof(stack));
	write_bytes(cpu, &sample, sizeof(sample));
	producer_of(cpu)->samples++;
}

static int drain(struct live *live)
{
	return live_drain(live, 1000000, on_sample, &samples);
}

static void drain_until(struct live *live, unsigned int wanted)
{
	for (unsigned int i = 0; i < 5000 && samples < wanted; i++) {
		usleep(1000);
		drain(live);
	}
	check_number(samples, wanted, "samples come");
}

static void in_time(void)
{
	struct loader_statistics statistics;
	struct live live;

	start(&live);
	device.hold = true;
	write_sample(0, 10, 0);
	write_file(0, NUMBER);
	write_sample(0, 11, NUMBER);
	write_sample(0, 12, NUMBER);
	check_number(drain(&live), 0, "all is read");
	check_number(samples, 1, "what comes before a file is taken at once");
	check_number((long long)live.profile->tasks.used, 2, "and so are tasks that come after it");
	check_number(tail_of(0), device.head[0], "and the ring is empty");
	write_sample(1, 13, 0);
	drain(&live);
	check_number(samples, 1, "what comes after it waits for its turn");
	__atomic_store_n(&device.hold, false, __ATOMIC_RELEASE);
	drain_until(&live, 4);
	check_number(named, 2, "and then has names");
	check_number(device.files_opened, 1, "the file was opened");
	loader_get_statistics(live.loader, &statistics);
	check_number((long long)statistics.tables, 1, "its unwind table was loaded");
	check_number((long long)statistics.tables_evicted, 2, "what went for it is known");
	check(device.tables == 1 && device.table_file == NUMBER, "for its number");

	write_file(1, NUMBER);
	write_sample(1, 14, NUMBER);
	drain(&live);
	check_number(samples, 5, "told again by another ring it is known");
	check_number(device.files_opened, 1, "and not opened again");
	stop(&live);
}

static void flushed(void)
{
	struct live live;

	start(&live);
	device.hold = true;
	write_file(0, NUMBER);
	write_sample(0, 11, NUMBER);
	write_sample(0, 15, NUMBER);
	check_number(live_flush(&live, on_sample, &samples), 0, "a flush");
	check_number(samples, 2, "does not wait for long");
	check_number(named, 0, "then there is no name");
	write_sample(0, 11, NUMBER);
	drain(&live);
	check_number(named, 0, "nor as long as it is not read");
	profile_name_late(live.profile);
	check_string(name_in_cells(live.profile, 15), "", "nor late");
	profile_forget(live.profile);
	profile_forget(live.profile);
	check_string(name_in_cells(live.profile, 15), "", "what a cell refers to is not forgotten");
	__atomic_store_n(&device.hold, false, __ATOMIC_RELEASE);
	loader_wait(live.loader, 5000);
	check_number(live_flush(&live, on_sample, &samples), 0, "the flush after it was read");
	check_string(name_in_cells(live.profile, 15), "first", "has names of stacks that were not sampled again");
	check_number(named, 0, "though they were sampled before");
	write_sample(0, 11, NUMBER);
	drain(&live);
	check_number(named, 1, "but then there is, though nobody tells of the file again");
	check_number(live.late, 0, "and nothing more is expected");
	write_file(1, NUMBER);
	write_sample(1, 12, NUMBER);
	drain(&live);
	check_number(named, 2, "of another stack too");

	device.file_error = ESTALE;
	write_file(0, NUMBER + 1);
	write_sample(0, 13, NUMBER + 1);
	check_number(live_flush(&live, on_sample, &samples), 0, "a file that the device does not hold");
	check_number(samples, 6, "holds nobody up");
	device.file_error = 0;
	write_file(1, NUMBER + 1);
	write_sample(1, 14, NUMBER + 1);
	drain_until(&live, 7);
	check_number(named, 3, "told again it is tried again");
	check_number(device.files_opened, 3, "once each");
	stop(&live);
}

static void *let_go(void *argument)
{
	usleep(300000);
	__atomic_store_n(&device.hold, false, __ATOMIC_RELEASE);
	return argument;
}

/* What was flushed without its names gets them at the end. */
static void stopped(void)
{
	struct live live;
	pthread_t thread;

	start(&live);
	device.hold = true;
	write_file(0, NUMBER);
	write_sample(0, 11, NUMBER);
	check_number(live_flush(&live, on_sample, &samples), 0, "a flush that does not wait");
	check_string(name_in_cells(live.profile, 11), "", "for names");
	check(!pthread_create(&thread, NULL, let_go, NULL), "the file can be read soon");
	check_number(live_stop(&live, on_sample, &samples), 0, "the end");
	check_string(name_in_cells(live.profile, 11), "first", "waits for them");
	pthread_join(thread, NULL);
	stop(&live);
}

static void add_symbols(struct live *live, uint32_t number)
{
	struct symbols_file file = { .identity.file = number, .path = "", .fd = -1, .names = memory_zeroed(1, sizeof(*file.names)) };

	file.names->bytes = 1 << 30;
	symbols_set_file(live->profile->symbols, &file);
}

/* Symbols of which the cache has none left after this: of one user's, who asks for one file that fills it, before another one comes. */
static void drop_symbols(struct live *live, uint32_t number)
{
	unsigned int before = samples, named_before = named;

	add_symbols(live, number);
	write_sample(0, number, number);
	drain_until(live, samples + 1);
	samples = before;
	named = named_before;
	add_symbols(live, number + 1);
	check(symbols_were_dropped(live->profile->symbols, NUMBER), "symbols are dropped to make room");
}

static void dropped(void)
{
	struct loader_statistics statistics;
	struct live live;

	start(&live);
	write_file(0, NUMBER);
	write_sample(0, 11, NUMBER);
	drain_until(&live, 1);
	check_number(named, 1, "a file's symbols are there");
	drop_symbols(&live, 90);
	device.hold = true;
	write_sample(0, 11, NUMBER);
	drain(&live);
	check_number(samples, 2, "a stack that has its names does not need them");
	write_sample(0, 12, NUMBER);
	drain(&live);
	check_number(samples, 2, "a new one waits until they are read again");
	__atomic_store_n(&device.hold, false, __ATOMIC_RELEASE);
	drain_until(&live, 3);
	check_number(named, 3, "and then has names");
	check_number(device.files_opened, 2, "the file was opened once more");
	check_number(live.again, 0, "nothing is being read any more");
	loader_get_statistics(live.loader, &statistics);
	check_number((long long)statistics.tables, 1, "and its unwind table not loaded once more");

	drop_symbols(&live, 92);
	device.file_error = ESTALE;
	write_sample(0, 13, NUMBER);
	drain_until(&live, 4);
	check_number(named, 3, "a file that is gone has no names any more");
	check_number(live.again, 0, "and holds nobody up");
	stop(&live);
}

/* A file on a server that does not answer. */
static void stuck(void)
{
	struct live live;

	start(&live);
	device.hold = true;
	write_file(0, NUMBER);
	write_sample(0, 11, NUMBER);
	drain(&live);
	check_number(samples, 0, "a file that cannot be read keeps samples waiting");
	drain_until(&live, 0);
	for (unsigned int i = 0; i < 8000 && !samples; i++) {
		usleep(1000);
		drain(&live);
	}
	check_number(samples, 1, "but not for good");
	write_file(0, NUMBER + 1);
	write_sample(0, 12, NUMBER + 1);
	drain(&live);
	check_number(samples, 2, "nor others behind it");
	__atomic_store_n(&device.hold, false, __ATOMIC_RELEASE);
	stop(&live);
}

/* What waits while a flush is refused waits no longer than it takes to say so. */
static bool in_a_hurry;
static unsigned int pauses;

int nanosleep(const struct timespec *pause, struct timespec *left)
{
	if (!in_a_hurry)
		return clock_nanosleep(CLOCK_MONOTONIC, 0, pause, left) ? -1 : 0;
	pauses++;
	return 0;
}

/* The module admits only so many in a second: they are made when it does. */
static void flushed_too_often(void)
{
	struct live live;

	start(&live);
	device.flushes_refused = 3;
	check_number(live_flush(&live, NULL, NULL), 0, "a flush that is too early is made later");
	check_number(device.flushes, 4, "as soon as it may");
	device.flushes_refused = 1000000;
	in_a_hurry = true;
	check_number(session_flush(live.session, 0), -EAGAIN, "but not waited for without end");
	in_a_hurry = false;
	check(pauses >= 900 && pauses <= 1000, "for 20 seconds, as long as the worker of who has very many threads rests: %u", pauses);
	device.flushes_refused = 0;
	stop(&live);
}

static void put_fdinfo(const char *text)
{
	FILE *file = fopen(fdinfo, "w");

	check(file && fputs(text, file) >= 0 && !fclose(file), "a text for fdinfo");
	device.fdinfo = fdinfo;
}

/* Since the session began: the module counts from when it was loaded. */
static void refused(void)
{
	struct buffer text = { 0 };
	struct live live;

	start(&live);
	put_fdinfo("pos:\t0\nprivileged:\t1\nrefused_files:\t10\nrefused_new_files:\t7\n");
	check_number(live_enable(&live), EXIT_OK, "a session of a module that has refused before");
	live_flush(&live, NULL, NULL);
	live_describe_losses(&live, &text);
	check_string(text.data, "nothing lost", "which is not told");
	put_fdinfo("refused_files:\t10\nrefused_new_files:\t19\nrefused_lookups:\t3\nrefused_lookups_of_tomorrow:\t5\nrefused_\nrefused_holds\n"
		   "refused_numbers:\tx\n");
	live_flush(&live, NULL, NULL);
	check_number(live.profile->refused.counts[REFUSED_NEW_FILES], 12, "what came since");
	buffer_clear(&text);
	live_describe_losses(&live, &text);
	check_string(text.data, "nothing lost; the module refused 12 files that were too many in a second, 3 look-ups of mappings, 5 things that "
				"only a newer ktally knows, more than one user or one stack may take: these frames have no names", "is");
	put_fdinfo("pos:\t0\n");
	live_flush(&live, NULL, NULL);
	check_number(live.profile->refused.counts[REFUSED_NEW_FILES], 12, "what cannot be read has not gone back");
	buffer_free(&text);
	stop(&live);
	unlink(fdinfo);
}

static void described(void)
{
	struct buffer text = { 0 };
	struct live live;

	start(&live);
	live_describe_losses(&live, &text);
	check_string(text.data, "nothing lost", "all is well");
	device.dark = 2;
	producer_of(1)->unsampled = (struct ktally_loss){ 12, 3400000000 };
	buffer_clear(&text);
	live_describe_losses(&live, &text);
	check(strstr(text.data, "2 CPUs are not sampled"), "CPUs that are dark are told of");
	check(strstr(text.data, "the timer stood still 12 times, for 3.4 s at most: perf throttles it"), "and a timer that did not run");
	stop(&live);
	device_clock = KTALLY_CLOCK_CYCLES;
	start(&live);
	device.dark = 1;
	producer_of(1)->unsampled = (struct ktally_loss){ 1, 2000000000 };
	buffer_clear(&text);
	live_describe_losses(&live, &text);
	check(strstr(text.data, "; 1 CPU is not sampled"), "so is one CPU");
	check(strstr(text.data, "counters stood still once, for 2 s at most: perf throttles them"), "and a counter that did not count");
	buffer_free(&text);
	stop(&live);
}

int main(void)
{
	snprintf(path, sizeof(path), "/tmp/ktally-live.%d", (int)getpid());
	snprintf(fdinfo, sizeof(fdinfo), "/tmp/ktally-live-fdinfo.%d", (int)getpid());
	in_time();
	flushed();
	stopped();
	dropped();
	stuck();
	flushed_too_often();
	refused();
	described();
	return check_end();
}
