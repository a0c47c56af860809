// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What samples cost the daemon, from its rings to its tallies, with rules for categories: see daemon.sh. The rings are
 * those of the tests' device, in memory; what drains them is what drains the daemon's.
 *
 * Stacks are made, at random but the same each time: kernel frames of 4000 functions that kallsyms names, user frames
 * in 60 files, every other stack with a file that rules ask for. They are of 20 programs with 10 threads each, and a
 * sample is of any thread of its program.
 *
 * usage: daemon RULES SAMPLES ROUNDS
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/message.h"
#include "base/number.h"
#include "capture/capture.h"
#include "classify/categories.h"
#include "device.h"
#include "session/live.h"

#define STACKS		20000
#define KERNEL_FRAMES	12
#define USER_FRAMES	16
#define FUNCTIONS	4000
#define FILES		60
#define PROGRAMS	20
#define THREADS		10
#define ROUNDS_MOST	100
#define NO_PID		0x3ffffff0	/* more than there can be: nothing is found in /proc */

void drain_new(struct live *live);
void drain_known(struct live *live);

typedef void drain(struct live *live);

static uint64_t state = 1;

static uint32_t random_below(uint32_t bound)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((state >> 33) % bound);
}

static uint64_t text_address(uint32_t function)
{
	return 0xffffffff81000000 + 0x100 * (uint64_t)function;
}

/* ---- what is known before ---- */

/* Names as the kernel has them: some words, put together. */
static void name_kernel(struct profile *profile)
{
	static const char *const words[] = {
		"tcp", "skb", "page", "vfs", "inode", "queue", "alloc", "lock", "read", "write",
	};
	struct buffer text = { 0 };

	for (unsigned int i = 0; i < FUNCTIONS; i++)
		buffer_format(&text, "%llx T %s_%s_%s_%u\n", (unsigned long long)text_address(i), words[i % 10],
			      words[i / 10 % 10], words[i / 100 % 10], i);
	buffer_format(&text, "%llx T _etext\n", (unsigned long long)text_address(FUNCTIONS));
	if (symbols_load_kernel(profile->symbols, text.data, text.bytes))
		abort();
	buffer_free(&text);
}

static void name_files(struct profile *profile)
{
	for (unsigned int i = 0; i < FILES; i++) {
		struct symbols_file file = { .identity = { .file = i + 1 }, .error = -ENOENT, .fd = -1 };
		char path[64];

		snprintf(path, sizeof(path), "/opt/lib/libnumber%02u.so.1", i);
		file.path = path;
		symbols_set_file(profile->symbols, &file);
	}
}

static void name_programs(struct profile *profile)
{
	for (unsigned int i = 0; i < PROGRAMS; i++) {
		static const char mappings[] = "00400000-00500000 r-xp 00000000 00:63 99 /usr/bin/server\n";
		struct capture_item item = {
			.type = CAPTURE_MAPPINGS, .data = mappings, .bytes = sizeof(mappings) - 1,
			.mm_id = i + 1, .pid = NO_PID + i,
		};
		char path[64];

		snprintf(path, sizeof(path), "/usr/bin/server%u", i);
		item.path = path;
		profile_feed_item(profile, &item);
	}
}

static void add_pattern(struct categories *categories, unsigned int match, enum part part,
			enum condition condition, const char *text)
{
	if (categories_add_pattern(categories, match, part, condition, text))
		abort();
}

/* Three sorts in turn: by a name that some functions have, by a part of names with a caller, by a file. */
static struct categories *make_rules(unsigned int count)
{
	static const char *const patterns[] = { "tcp_skb_%u", "*_%u", "libnumber%02u" };
	struct categories *categories = categories_create();

	for (unsigned int i = 0; i < count; i++) {
		char text[64];
		unsigned int category, match;

		snprintf(text, sizeof(text), "category-%u", i);
		category = (unsigned int)categories_add(categories, text, text, MODE_BOTH);
		match = (unsigned int)categories_add_match(categories, category, false);
		snprintf(text, sizeof(text), patterns[i % 3], i);
		add_pattern(categories, match, PART_FRAME, i % 3 == 2 ? CONDITION_FILE : CONDITION_FUNCTION, text);
		if (i % 3 == 1)
			add_pattern(categories, match, PART_CALLED_BY, CONDITION_FUNCTION, "vfs_*");
	}
	categories_compile(categories);
	return categories;
}

static void open_session(struct live *live)
{
	struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU };

	plug_in();
	if (ktally_open_fd(&live->session, device.fd) || ktally_set_up(live->session, &setup))
		abort();
	live_create_profile(live, LIVE_COUNT);
	name_kernel(live->profile);
	name_files(live->profile);
	name_programs(live->profile);
}

/* ---- draining ---- */

static void drain_all(struct live *live)
{
	while (live_drain(live, 65536, NULL, NULL) > 0)
		;
}

/*
 * Each stack for the first time: it is named, classified and put into categories. Functions of their own for callgrind
 * to count.
 */
__attribute__((noinline)) void drain_new(struct live *live)
{
	drain_all(live);
}

__attribute__((noinline)) void drain_known(struct live *live)
{
	drain_all(live);
}

static double cpu_seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double timed(drain *drain, struct live *live)
{
	double start = cpu_seconds();

	drain(live);
	return cpu_seconds() - start;
}

/* When the ring is full all rings are drained. Returns the seconds that took. */
static double put(unsigned int cpu, const struct ktally_record *record, drain *drain, struct live *live)
{
	double seconds = 0;

	if (!write_bytes(cpu, record, record->size)) {
		seconds = timed(drain, live);
		if (!write_bytes(cpu, record, record->size))
			abort();
	}
	return seconds;
}

static double put_sample(unsigned int cpu, uint32_t stack, drain *drain, struct live *live)
{
	const struct ktally_sample record = {
		.header = { .type = KTALLY_RECORD_SAMPLE, .size = sizeof(record) }, .time = 1, .stack_id = stack + 1,
		.task_id = 1 + stack % PROGRAMS * THREADS + random_below(THREADS),
		.weight = 1000000, .syscall = 0,
	};

	return put(cpu, &record.header, drain, live);
}

static uint64_t kernel_frame(uint32_t function)
{
	uint64_t address = text_address(function) + 16;

	return (address & KTALLY_FRAME_VALUE_MASK) | KTALLY_FRAME_KERNEL << KTALLY_FRAME_TYPE_SHIFT;
}

static uint64_t user_frame(uint64_t file)
{
	return KTALLY_FRAME_FILE << KTALLY_FRAME_TYPE_SHIFT | file << KTALLY_FRAME_FILE_SHIFT | random_below(0x100000);
}

static double put_stack(unsigned int cpu, uint32_t number, drain *drain, struct live *live)
{
	union {
		struct ktally_stack stack;
		uint64_t words[sizeof(struct ktally_stack) / 8 + KERNEL_FRAMES + USER_FRAMES];
	} record = { .stack = {
		.header = { .type = KTALLY_RECORD_STACK, .size = sizeof(record) },
		.stack_id = number + 1, .mm_id = number % PROGRAMS + 1,
		.kernel_frames = KERNEL_FRAMES, .user_frames = USER_FRAMES,
	} };

	for (unsigned int i = 0; i < KERNEL_FRAMES; i++)
		record.stack.frames[i] = kernel_frame(random_below(FUNCTIONS));
	for (unsigned int i = 0; i < USER_FRAMES; i++)
		record.stack.frames[KERNEL_FRAMES + i] = user_frame(1 + random_below(FILES) % (number % 16 + 1));
	return put(cpu, &record.stack.header, drain, live);
}

static void put_tasks(struct live *live)
{
	for (unsigned int i = 0; i < PROGRAMS * THREADS; i++) {
		const struct ktally_task task = {
			.header = { .type = KTALLY_RECORD_TASK, .size = sizeof(task) },
			.task_id = i + 1, .mm_id = i / THREADS + 1,
			.pid = NO_PID + i / THREADS, .tid = NO_PID + i, .comm = "worker",
		};

		put(0, &task.header, drain_all, live);
	}
	drain_all(live);
}

/* A stack comes before its sample in the same ring. */
static double put_new(struct live *live)
{
	double seconds = 0;

	for (uint32_t i = 0; i < STACKS; i++) {
		seconds += put_stack(i % 2, i, drain_new, live);
		seconds += put_sample(i % 2, i, drain_new, live);
	}
	return seconds + timed(drain_new, live);
}

static double put_known(struct live *live, uint64_t samples)
{
	double seconds = 0;

	for (uint64_t i = 0; i < samples; i++)
		seconds += put_sample(i % 2, random_below(STACKS), drain_known, live);
	return seconds + timed(drain_known, live);
}

/* ---- results ---- */

static int compare(const void *a, const void *b)
{
	double first = *(const double *)a, second = *(const double *)b;

	return (first > second) - (first < second);
}

static double most_resident_mib(void)
{
	struct buffer text = { 0 };
	unsigned long kib = 0;
	const char *line;

	if (!buffer_read_file(&text, "/proc/self/status", 65536)) {
		line = strstr(text.data, "VmHWM:");
		if (line)
			kib = strtoul(line + strlen("VmHWM:"), NULL, 10);
	}
	buffer_free(&text);
	return (double)kib / 1024;
}

/* That what was counted is what was sent: a benchmark of something that fails is fast. */
static void look_for_errors(const struct profile *profile, uint64_t samples)
{
	if (profile->oncpu.samples == samples && !profile->orphans && !profile->bad_records)
		return;
	message_error("%" PRIu64 " of %" PRIu64 " samples were counted", profile->oncpu.samples - profile->orphans,
		      samples);
	exit(1);
}

/* Prints microseconds for a new stack; millions of known ones per second, the best round and the median; rows; MiB. */
int main(int argc, char **argv)
{
	double new, known[ROUNDS_MOST];
	uint64_t rules, samples, rounds;
	struct live live = { .profile = NULL };
	size_t rows;

	if (argc != 4 || number_parse(argv[1], 0, CATEGORIES_MOST, &rules) ||
	    number_parse(argv[2], 1, UINT32_MAX, &samples) || number_parse(argv[3], 1, ROUNDS_MOST, &rounds))
		return 2;
	live.categories = make_rules((unsigned int)rules);
	open_session(&live);
	put_tasks(&live);
	new = put_new(&live);
	for (uint64_t i = 0; i < rounds; i++)
		known[i] = put_known(&live, samples);
	look_for_errors(live.profile, STACKS + rounds * samples);
	qsort(known, rounds, sizeof(*known), compare);
	topic_tally_rows(live.profile->oncpu.topics, &rows);
	printf("%.2f %.2f %.2f %zu %.1f\n", new * 1e6 / STACKS, (double)samples / known[0] / 1e6,
	       (double)samples / known[rounds / 2] / 1e6, rows, most_resident_mib());
	live_destroy_profile(&live);
	ktally_close(live.session);
	categories_destroy(live.categories);
	return 0;
}
