// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nothing that comes from processes stays for good, and nobody has all of what there is: names, their shares, the turns of those who
 * have stacks named; and a year of programs that come and go, after which all is as large as after its first weeks.
 */
#include <inttypes.h>
#include <malloc.h>
#include <unistd.h>

#include "base/intern.h"
#include "base/message.h"
#include "base/pool.h"
#include "capture/capture.h"
#include "check.h"
#include "classify/topics.h"
#include "export/cumulative.h"
#include "export/metrics.h"
#include "export/prometheus.h"
#include "fake_records.h"
#include "profile/turns.h"
#include "symbols/file.h"
#include "symbols/names.h"

static const struct export_host host = { .name = "h", .id = "", .os_name = "", .os_version = "" };

/* ---- names ---- */

static void passing_names(void)
{
	struct intern_statistics before, after;
	uint64_t counter = 0;
	const char *stays, *goes, *later;
	char name[32];

	intern_forget();
	intern_has_forgotten(&counter);
	intern_get_statistics(&before);
	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "passing %d", i);
		goes = intern_passing(name, sizeof(name));
	}
	stays = intern_passing("stays", 5);
	later = intern_passing("for good later", 14);
	check(intern_passing(name, sizeof(name)) == goes && intern("for good later") == later, "equal strings are one, of either sort");
	check(!intern_has_forgotten(&counter), "none has gone");
	intern_keep(stays);
	intern_keep("not interned");
	intern_keep(NULL);
	intern_forget();
	check(intern_has_forgotten(&counter) && !intern_has_forgotten(&counter), "whoever has names as keys is told once");
	check(intern_passing("stays", 5) == stays && intern("for good later") == later, "a name that was kept stays, and one for good");
	intern_get_statistics(&after);
	check_number(after.passing, before.passing + 1, "all others went");
	intern_keep(stays);
	intern_forget();
	check(!intern_has_forgotten(&counter), "nothing went, so nobody is told");
	intern_forget();
	intern_get_statistics(&after);
	check(after.passing == before.passing && after.bytes < before.bytes + 20000, "what is not kept again goes, and its room with it");
}

static void used_names(void)
{
	struct names names = { .pool = { .most = 100000 }, .holder = { .user = 1000, .process = 7 } };
	const char *used, *held;

	used = names_function(&names, "_ZN3foo3barEv", false);
	held = names_function(&names, "held", false);
	names_function(&names, "neither", false);
	names_forget(&names);
	intern_forget();
	check_number(names.shown.used, 3, "names that are new stay");
	names_function(&names, "_ZN3foo3barEv", false);
	intern_keep(held);
	names_forget(&names);
	intern_forget();
	check_number(names.shown.used, 2, "what nobody asked for nor holds goes");
	check(names_function(&names, "_ZN3foo3barEv", false) == used && names_function(&names, "held", false) == held, "the others are the same");
	for (int i = 0; i < 2; i++) {
		names_forget(&names);
		intern_forget();
	}
	check(!names.shown.used && !names.pool.used && !pool_of_user(&names.pool, 1000), "in the end nothing is left, nor of the share");
	names_free(&names);
}

/* ---- shares ---- */

static size_t take_all(struct pool *pool, uint32_t user, uint64_t process)
{
	const struct pool_holder holder = { user, process };
	size_t taken = 0;

	while (pool_take(pool, &holder, 10))
		taken += 10;
	return taken;
}

static void shares(void)
{
	struct pool pool = { .most = 120000 };
	const struct pool_holder first = { 1, 11 };
	size_t one, others = 0;

	one = take_all(&pool, 1, 11);
	check(one > 39000 && one <= 40000, "a process alone may have a third: %zu", one);
	for (uint64_t process = 12; process < 100; process++)
		others += take_all(&pool, 1, process);
	check(one + others > 59000 && one + others <= 60000, "its user half, with however many: %zu", one + others);
	check_number(pool_of_user(&pool, 1), one + others, "that is what it has");
	others = take_all(&pool, 2, 200);
	check(others >= 19000, "whoever comes next may have a third of what is free: %zu", others);
	for (uint32_t user = 3; user < 10; user++)
		check(take_all(&pool, user, user * 100), "there is something for the next");
	check(pool.used <= pool.most && pool.refused && pool.last_refused.user == 9, "and never more than there is");
	pool_give(&pool, &first, one);
	check(take_all(&pool, 4, 401) > 5000, "what is given back is there for others");
	pool_free(&pool);

	pool = (struct pool){ .most = 1000, .undivided = true };
	check_number(take_all(&pool, 1, 1), 1000, "with nobody to be protected one may have it all");
	pool_free(&pool);
}

static void turns(void)
{
	const struct pool_holder flood[] = { { 65534, 1 }, { 65534, 2 } }, victim = { 0, 3 }, new = { 1000, 4 };
	struct turns turns = { .pressure = PROFILE_BEHIND };

	check(turns_has(&turns, &flood[0]), "nobody had anything: it may be");
	for (int i = 0; i < 100; i++)
		turns_end(&turns, &flood[i & 1], turns_begin() - 1000000);
	turns_end(&turns, &victim, turns_begin() - 50000);
	check(!turns_has(&turns, &flood[0]) && !turns_has(&turns, &flood[1]), "under pressure those go without who had most");
	check(turns_has(&turns, &victim) && turns_has(&turns, &new), "and those beside them do not");
	turns.pressure = PROFILE_FULL;
	check(!turns_has(&turns, &victim), "when there is no time at all, all do");
	turns.pressure = PROFILE_AT_EASE;
	check(turns_has(&turns, &flood[0]), "without pressure nobody does");
	turns.pressure = PROFILE_BEHIND;
	turns.window -= 3 * SECOND;
	turns_end(&turns, &victim, turns_begin());
	check(turns_has(&turns, &flood[0]), "nothing is held against anybody for long");
	turns_free(&turns);
}

static struct file *file_of(size_t bytes)
{
	struct file *file = memory_zeroed(1, sizeof(*file));

	file->bytes = bytes;
	return file;
}

static void tables(void)
{
	struct cache cache = { .most_bytes = 1000, .user = 0 };

	for (uint64_t key = 1; key <= 4; key++) {
		cache_put(&cache, key, file_of(60));
		cache_get(&cache, key);
	}
	cache.user = 65534;
	for (uint64_t key = 100; key < 200; key++) {
		cache_put(&cache, key, file_of(90));
		cache_get(&cache, key);
	}
	check(cache.bytes <= 1000 && cache.evicted > 90, "tables are dropped to make room");
	for (uint64_t key = 1; key <= 4; key++)
		check(cache_get(&cache, key), "those of the one who brought them all, and not of others");
	cache_put(&cache, 200, file_of(950));
	for (uint64_t key = 1; key <= 4; key++)
		check(cache_get(&cache, key), "nor for one file that takes nearly all there may be");
	cache_get(&cache, 200);
	cache_put(&cache, 201, file_of(950));
	check(cache.bytes <= 1500 && !cache_get(&cache, 200), "the next of that size takes its place");
	for (uint64_t key = 1; key <= 4; key++)
		check(cache_get(&cache, key), "and again none of others");
	cache_free(&cache);
}

/* ---- a program with a map of made-up functions ---- */

#define FUNCTIONS	2000
#define CODE		0x700000000000ULL

static uint32_t write_map(uint32_t pid, unsigned int functions, const char *prefix)
{
	char path[64], pad[200];
	FILE *file;

	memset(pad, 'x', sizeof(pad) - 1);
	pad[sizeof(pad) - 1] = '\0';
	snprintf(path, sizeof(path), "/tmp/perf-%u.map", pid);
	file = fopen(path, "w");
	for (unsigned int i = 0; file && i < functions; i++)
		fprintf(file, "%llx 10 %s_%u_%u_%s\n", CODE + i * 16ULL, prefix, pid, i, pad);
	if (file)
		fclose(file);
	return pid;
}

static void remove_map(uint32_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%u.map", pid);
	unlink(path);
}

/* Numbers that no process has: their maps are those that a process left. */
#define PID(n)	(400000000U + (uint32_t)getpid() + 100000U * (n))

/* How many of its functions have a name. */
static unsigned int name_all(struct symbols *symbols, uint64_t mm_id, uint32_t user, unsigned int functions)
{
	static const char mappings[] = "700000000000-700001000000 rwxp 00000000 00:00 0 \n";
	uint32_t pid = write_map(PID(mm_id), functions, "function");
	unsigned int named = 0;

	symbols_set_user(symbols, mm_id, user);
	symbols_set_mappings(symbols, mm_id, pid, "", mappings, sizeof(mappings) - 1);
	for (unsigned int i = 0; i < functions; i++) {
		struct frame frame = { .kind = FRAME_NATIVE, .address = CODE + i * 16ULL + 4 };

		symbols_name(symbols, mm_id, false, &frame);
		named += frame.function && strstr(frame.function, "function_");
	}
	remove_map(pid);
	return named;
}

static void hostile_map(bool divided)
{
	struct symbols *symbols = symbols_create(4 << 20);
	struct symbols_statistics statistics;
	unsigned int named = 0;

	if (divided)
		symbols_divide(symbols);
	/* One process after the other, as much as there is. */
	for (uint64_t mm_id = 1; mm_id <= 5; mm_id++)
		named += name_all(symbols, mm_id, 65534, FUNCTIONS);
	symbols_get_statistics(symbols, &statistics);
	check(named && statistics.names_refused, "a user with ten thousand functions is refused some: %u named, %" PRIu64 " refused", named,
	      statistics.names_refused);
	named = name_all(symbols, 10, 1000, 50);
	if (divided) {
		check_number(named, 50, "and everybody else's have names");
		check_number(statistics.refused_user, 65534, "it is known whose were refused");
	} else {
		check_number(named, 0, "without shares that leaves none to anybody");
	}
	for (uint64_t mm_id = 1; mm_id <= 5; mm_id++)
		symbols_forget(symbols, mm_id);
	for (int i = 0; i < 2; i++) {
		symbols_forget_names(symbols);
		intern_forget();
	}
	check(name_all(symbols, 20, 65534, 50) == 50, "once they are forgotten there is room again");
	symbols_destroy(symbols);
}

/* ---- a year ---- */

#define HOURS		(365 * 24)
#define PODS		2		/* of an hour */
#define SERVICE_ID	1

/* In use: what malloc() gave out, as the sanitizer or the C library counts it. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t memory_in_use(void)
{
	return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() : mallinfo2().uordblks;
}

static void feed_program(struct profile *profile, uint64_t id, const char *name, const char *library, uint64_t time)
{
	const uint64_t in_library[] = { 0x7f0000001000, 0x400100 }, in_code[] = { CODE + 4, 0x400100 };
	char path[64], mappings[512], declared[160];
	/* One in eight makes code as it runs. */
	uint32_t pid = id % 8 ? PID(id) : write_map(PID(id), 1, name);
	const struct capture_item owner = { .type = CAPTURE_OWNER, .mm_id = id, .data = declared, .bytes = (size_t)snprintf(declared, sizeof(declared),
					    "k8s.pod.name=%s\nservice.name=service of %s\n", name, name) };
	const struct capture_item item = { .type = CAPTURE_MAPPINGS, .mm_id = id, .pid = pid, .path = path, .data = mappings,
					   .bytes = (size_t)snprintf(mappings, sizeof(mappings),
					   "400000-500000 r-xp 00000000 fe:01 %u /opt/%s/bin/%s\n"
					   "700000000000-700001000000 rwxp 00000000 00:00 0 \n"
					   "7f0000000000-7f0000100000 r-xp 00000000 fe:01 %u /opt/%s/lib/%s.so.1\n", pid, name, name, pid + 1,
					   name, library) };
	struct ktally_task task;

	snprintf(path, sizeof(path), "/opt/%s/bin/%s", name, name);
	symbols_set_user(profile->symbols, id, (uint32_t)(id % 5));
	profile_feed_item(profile, &owner);
	profile_feed_item(profile, &item);
	/* It renames its thread, too. */
	for (uint64_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%" PRIx64 "-%s", i, name);
		task = task_record(id * 10 + i, id, pid, pid, path);
		task.time = time;
		task.start_time = time;
		task.cgroup_id = id;
		profile_feed(profile, &task.header, NULL);
		feed_stack(profile, id * 10 + i, id, NULL, 0, i ? in_library : in_code, 2);
		feed_sample(profile, id * 10 + i, id * 10 + i, time, 1000000, -1, NULL);
	}
	if (!(id % 8))
		remove_map(pid);
}

static void end_program(struct profile *profile, uint64_t id, uint64_t time)
{
	struct ktally_task task = task_record(id * 10, id, PID(id), PID(id), "x");

	task.start_time = time;
	feed_exit(profile, &task, time + SECOND);
}

struct size {
	size_t memory, scrape, names, topics;
};

/* An hour: what came is exported and scraped, and what is old forgotten. */
static void end_hour(struct profile *profile, struct cumulative *cumulative, uint64_t hour, struct size *size)
{
	struct intern_statistics names;
	struct metrics new, totals;
	struct buffer page = { 0 };

	metrics_build(&new, profile, &host, hour * 3600 * SECOND, (hour + 1) * 3600 * SECOND, false);
	cumulative_take(cumulative, &new, true, &totals);
	prometheus_write(&page, &totals, PROMETHEUS_TEXT);
	metrics_free(&new);
	metrics_free(&totals);
	export_metrics_mark(profile);
	profile_forget(profile);
	size->scrape = page.bytes;
	buffer_free(&page);
	intern_get_statistics(&names);
	size->names = names.passing;
	size->topics = topics_count(profile->topics);
	size->memory = memory_in_use();
}

static bool knows_area(const struct profile *profile, const char *area)
{
	size_t count;
	struct tally_row **rows = tally_rows(profile->oncpu.tally, &count);

	for (size_t i = 0; i < count; i++) {
		if (rows[i]->class.area && !strcmp(rows[i]->class.area, area))
			return true;
	}
	return false;
}

static void a_year(void)
{
	const struct profile_options options = { .classes_only = true, .live = true, .symbol_bytes = 4 << 20, .series = 2000 };
	struct profile *profile = profile_create(&options);
	struct cumulative *cumulative = cumulative_create(options.series + 256);
	struct size weeks = { 0 }, year = { 0 };
	char name[32], library[32], area[64];
	unsigned int unknown = 0;

	for (uint64_t hour = 0; hour < HOURS; hour++) {
		uint64_t time = (hour + 1) * 3600 * SECOND;

		feed_program(profile, SERVICE_ID, "service", "libservice", time);
		for (uint64_t pod = 0; pod < PODS; pod++) {
			uint64_t id = 100 + hour * PODS + pod;

			snprintf(name, sizeof(name), "p%" PRIx64, id);
			snprintf(library, sizeof(library), "libp%" PRIx64, id);
			feed_program(profile, id, name, library, time);
			end_program(profile, id, time);
			snprintf(area, sizeof(area), "native/%s", library);
			unknown += !knows_area(profile, area);
		}
		end_hour(profile, cumulative, hour, &year);
		if (hour == 21 * 24)
			weeks = year;
	}
	check_number(unknown, 0, "of %d programs that ran once each had its area, to the last", HOURS * PODS);
	check(knows_area(profile, "native/libservice"), "and what runs all the time has it still");
	/* A map may have doubled meanwhile: which ones have is by chance, as hashes have a secret. */
	check(year.memory < weeks.memory + weeks.memory / 4, "memory is flat: %zu bytes after three weeks, %zu after a year", weeks.memory,
	      year.memory);
	check(year.scrape < weeks.scrape + weeks.scrape / 10, "and what is scraped: %zu and %zu", weeks.scrape, year.scrape);
	check(year.names < weeks.names + 100, "and names: %zu and %zu", weeks.names, year.names);
	check(year.topics < weeks.topics + 100, "and areas: %zu and %zu", weeks.topics, year.topics);
	check_number(tally_overflow(profile->oncpu.tally), 0, "nothing was counted for others");
	cumulative_destroy(cumulative);
	profile_destroy(profile);
}

int main(void)
{
	passing_names();
	used_names();
	shares();
	turns();
	tables();
	hostile_map(true);
	hostile_map(false);
	a_year();
	return check_end();
}
