// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Captures that somebody damaged, by chance or on purpose, through everything that reads them. The sanitizers are the
 * judges; beyond that each command has to end with an exit code of its own.
 */
#include <getopt.h>
#include <sys/stat.h>

#include "check.h"
#include "cli/load.h"
#include "command.h"
#include "fake.h"

#define CAPTURES 400

static char directory[] = "/tmp/ktally-test-hostile-XXXXXX";
static char path[64], damaged_path[64];
static uint64_t state = 0x123456789abcdef;

/* xorshift: the same captures each time. */
static uint64_t next(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

static void damage(struct buffer *capture)
{
	static const uint64_t extremes[] = { 0, UINT64_MAX, 1ULL << 63, UINT32_MAX, 0xffff, 8, 1 };
	size_t place = next(capture->bytes), bytes = next(24) + 1;

	if (place + bytes > capture->bytes)
		bytes = capture->bytes - place;
	switch (next(5)) {
	case 0:
		capture->data[place] = (char)next(256);
		break;
	case 1:
		capture->data[place] ^= (char)(1 << next(8));
		break;
	case 2:
		place = place / 8 * 8;
		if (place + 8 <= capture->bytes)
			memcpy(capture->data + place, &extremes[next(sizeof(extremes) / 8)], 8);
		break;
	case 3:
		memmove(capture->data + place, capture->data + place + bytes, capture->bytes - place - bytes);
		capture->bytes -= bytes < capture->bytes ? bytes : 0;
		break;
	default:
		capture->bytes = next(4) ? capture->bytes : place + 1;
	}
}

static bool is_exit_code(int code)
{
	return code == EXIT_OK || code == EXIT_FAILED;
}

static bool read_by_all(void)
{
	static export_writer *const writers[] = {
		export_pprof, export_folded, export_flamegraph, export_metrics_json, export_breakdown,
	};
	char *dump[] = { "dump", "-i", damaged_path, NULL }, *script[] = { "script", "-i", damaged_path, NULL };
	struct load load = { .cells = true };
	bool fine = is_exit_code(load_capture(&load, damaged_path));

	for (size_t i = 0; load.profile && i < sizeof(writers) / sizeof(writers[0]); i++) {
		char *text = NULL;
		size_t bytes;
		FILE *file = open_memstream(&text, &bytes);

		fine &= !writers[i](file, load.profile, KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU, &load.host);
		fclose(file);
		free(text);
	}
	load_release(&load);
	optind = 1;
	fine &= is_exit_code(command_dump(3, dump));
	optind = 1;
	fine &= is_exit_code(command_script(3, script));
	fflush(stdout);
	return fine;
}

/* In a process of its own, with what it says in a file: a sanitizer ends it with its last words. */
static int read_damaged(const struct buffer *whole)
{
	struct buffer capture = { 0 };
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < CAPTURES; i++) {
		FILE *file = fopen(damaged_path, "w");

		buffer_clear(&capture);
		buffer_append(&capture, whole->data, whole->bytes);
		for (uint64_t times = 1ULL << next(6); times; times--)
			damage(&capture);
		if (fwrite(capture.data, 1, capture.bytes, file) != capture.bytes || fclose(file))
			return 3;
		wrong += !read_by_all();
	}
	buffer_free(&capture);
	return wrong ? 2 : 0;
}

int main(void)
{
	char said[80], command[256];
	struct buffer whole = { 0 };
	int status = -1;
	pid_t child;

	if (!mkdtemp(directory))
		message_fatal(EXIT_FAILED, "cannot make %s: %m", directory);
	snprintf(path, sizeof(path), "%s/capture", directory);
	snprintf(damaged_path, sizeof(damaged_path), "%s/damaged", directory);
	snprintf(said, sizeof(said), "%s/said", directory);
	recording_make(path, true);
	if (buffer_read_file(&whole, path, 1 << 20))
		message_fatal(EXIT_FAILED, "cannot read %s", path);
	fflush(stdout);
	child = fork();
	if (!child) {
		dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		dup2(open(said, O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
		exit(read_damaged(&whole));
	}
	waitpid(child, &status, 0);
	if (!check(WIFEXITED(status) && !WEXITSTATUS(status),
		   "%d damaged captures are read, each to an exit code of the command", CAPTURES)) {
		snprintf(command, sizeof(command), "tail -n 30 %s | sed 's/^/# /'; cp %s /tmp/ktally-hostile-capture",
			 said, damaged_path);
		status = system(command);
	}
	buffer_free(&whole);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	check(system(command) == 0, "cleaned up");
	return check_end();
}
