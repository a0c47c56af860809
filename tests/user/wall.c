// SPDX-License-Identifier: GPL-2.0-or-later
/* What goes out of a profile that has waits: each source by itself, both as wall time, and the metrics and texts that tell of both. */
#include "check.h"
#include "cli/wall.h"
#include "fake.h"

/* A server that computes, waits for its disk and a lock, and idles; and a thread of it that only waits for a CPU. */
static struct profile *make(void)
{
	struct profile *profile = fake_profile();
	struct task *main = fake_task(profile, 10, 10, "server", "server");
	struct task *worker = fake_task(profile, 10, 11, "server", "worker");
	struct task *other = fake_task(profile, 20, 20, "other", "other");
	struct stack *runs = fake_stack(profile, "native/server", "u:compute@/bin/server u:main@/bin/server");
	struct stack *reads = fake_stack(profile, "kernel/disk/read", "k:io_schedule k:filemap_read u:read@/lib/libc.so.6 u:main@/bin/server");
	struct stack *locks = fake_stack(profile, "kernel/synchronization", "k:futex_wait u:main@/bin/server");
	struct stack *polls = fake_stack(profile, "kernel/poll", "k:ep_poll u:main@/bin/server");

	fake_cell(profile, main, runs, 20, 2000000000);
	fake_cell(profile, other, runs, 5, 500000000);
	fake_wait(profile, main, reads, "io/disk", 3, 4000000000);
	fake_wait(profile, main, reads, "run queue", 0, 1000000000);
	fake_wait(profile, main, locks, "lock/futex", 2, 250000000);
	fake_wait(profile, main, polls, "idle/poll", 7, 90000000000);
	fake_wait(profile, worker, runs, "run queue", 9, 3000000000);
	return profile;
}

static bool says(const char *text, const char *wanted)
{
	bool found = text && strstr(text, wanted);

	if (!found)
		printf("# no \"%s\" in:\n# %s\n", wanted, text);
	return found;
}

static void check_folded(const struct profile *profile)
{
	size_t bytes;
	int error;
	char *oncpu = fake_export_source(export_folded, profile, KTALLY_SOURCE_ONCPU, &bytes, &error);
	char *offcpu = fake_export_source(export_folded, profile, KTALLY_SOURCE_OFFCPU, &bytes, &error);
	char *wall = fake_export_source(export_folded, profile, KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU, &bytes, &error);

	check_string(oncpu, "other;main;compute 500000000\nserver;main;compute 2000000000\n", "what ran");
	check_string(offcpu,
		     "server;main;compute 3000000000\n"
		     "server;main;ep_poll_[k] 90000000000\n"
		     "server;main;futex_wait_[k] 250000000\n"
		     "server;main;read;filemap_read_[k];io_schedule_[k] 5000000000\n", "what waited, whatever for");
	check(says(wall, "server;main;compute 5000000000\n") && says(wall, "server;main;ep_poll_[k] 90000000000\n"),
	      "both add up to wall time");
	free(oncpu);
	free(offcpu);
	free(wall);
}

static void check_flamegraph(const struct profile *profile)
{
	size_t bytes;
	int error;
	char *offcpu = fake_export_source(export_flamegraph, profile, KTALLY_SOURCE_OFFCPU, &bytes, &error);
	char *wall = fake_export_source(export_flamegraph, profile, KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU, &bytes, &error);

	check(says(offcpu, "\"time\":\"waiting\"") && says(offcpu, "98.25 s of waiting in 21 records"), "it says what its time is");
	check(says(offcpu, "\"waiting/io/disk\"") && says(offcpu, "\"waiting/run queue\""), "causes are its areas");
	check(!strstr(offcpu, "\"native/server\""), "areas are not");
	check(says(wall, "\"native/server\"") && says(wall, "\"waiting/lock/futex\"") && says(wall, "\"time\":\"wall time\""),
	      "wall time has both");
	free(offcpu);
	free(wall);
}

static void check_metrics(struct profile *profile)
{
	size_t bytes;
	int error;
	char *text = fake_export_source(export_metrics_json, profile, 0, &bytes, &error);
	struct buffer first = { 0 }, second = { 0 };

	check(says(text, "\"name\":\"ktally.offcpu.time\",\"description\":\"Time waited\",\"unit\":\"s\""), "time waited is a metric");
	check(says(text, "{\"key\":\"ktally.cause\",\"value\":{\"stringValue\":\"io/disk\"}},"
			 "{\"key\":\"ktally.area\",\"value\":{\"stringValue\":\"kernel/disk/read\"}}"), "with its cause and where");
	check(says(text, "\"asDouble\":90}") && says(text, "\"name\":\"ktally.waits.time\""), "in seconds, and the sum");
	check(says(text, "\"asDouble\":98.25}"), "of all");
	free(text);

	check(export_metrics_protobuf(&first, profile, &fake_host, 1, 2) > 5, "the window has its points");
	check_number(export_metrics_protobuf(&second, profile, &fake_host, 2, 3), 0, "the next has none");
	buffer_free(&first);
	buffer_free(&second);
}

static void check_breakdown(const struct profile *profile)
{
	size_t bytes;
	int error;
	char *text = fake_export(export_breakdown, profile, &bytes, &error);

	check(says(text, "  waiting            98.25 s  in 21 records of waits\n"), "how long was waited");
	check(says(text, "\nWHAT THREADS WAITED FOR ") && says(text, "\n  io/disk                         4.00    48.5 %") &&
	      says(text, "\n  run queue                       4.00    48.5 %") && says(text, "\n  lock/futex                      0.25     3.0 %"),
	      "what for");
	check(says(text, "\nIDLE, WAITING FOR WORK ") && says(text, "\n  idle/poll                      90.00   100.0 %"),
	      "idle waits are told apart");
	check(says(text, "\n  native                          2.50   100.0 %"), "CPU time is not mixed with it");
	free(text);
}

static char *wall_of(const struct profile *profile, bool threads, size_t most)
{
	char *text = NULL;
	size_t bytes;
	FILE *file = open_memstream(&text, &bytes);

	check_number(wall_write(file, profile, threads, most), 0, "a table of wall time");
	fclose(file);
	return text;
}

static void check_wall(const struct profile *profile)
{
	char *processes = wall_of(profile, false, 10), *threads = wall_of(profile, true, 2), *none = wall_of(profile, false, 0);

	check_string(processes,
		     "\nWALL TIME OF PROCESSES, s         on CPU run queue       I/O      lock     other      idle       all\n"
		     "  server                            2.00      4.00      4.00      0.25      0.00     90.00    100.25\n"
		     "  other                             0.50      0.00      0.00      0.00      0.00      0.00      0.50\n",
		     "of processes");
	check_string(threads,
		     "\nWALL TIME OF THREADS, s           on CPU run queue       I/O      lock     other      idle       all\n"
		     "  10 server                         2.00      1.00      4.00      0.25      0.00     90.00     97.25\n"
		     "  11 worker                         0.00      3.00      0.00      0.00      0.00      0.00      3.00\n",
		     "of threads, as many as asked for");
	check_string(none, "", "or none");
	free(processes);
	free(threads);
	free(none);
}

int main(void)
{
	struct profile *profile = make(), *without = fake_profile();
	char *text;

	setenv("LC_ALL", "C", 1);
	check_folded(profile);
	check_flamegraph(profile);
	check_breakdown(profile);
	check_wall(profile);
	check_metrics(profile);
	text = wall_of(without, false, 10);
	check_string(text, "", "without waits there is no wall time to show");
	free(text);
	fake_free(profile);
	fake_free(without);
	return check_end();
}
