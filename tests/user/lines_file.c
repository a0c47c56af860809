// SPDX-License-Identifier: GPL-2.0-or-later
/* Metrics as lines of JSON, and the file that they go to: rotation, full disks, files that go away. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "daemon/lines.h"
#include "export/json_lines.h"
#include "fake.h"

static char directory[] = "/tmp/ktally-test-lines-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void check_contents(const char *name, const char *wanted, const char *what)
{
	struct buffer text = { 0 };
	int error = buffer_read_file(&text, path_of(name), 1 << 20);

	check_string(error ? NULL : text.data, wanted, "%s", what);
	buffer_free(&text);
}

static void write_text(struct lines *lines, const char *text)
{
	struct buffer buffer = { 0 };

	buffer_string(&buffer, text);
	lines_write(lines, &buffer);
	buffer_free(&buffer);
}

static void write_file(const char *name, const char *text)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		message_fatal(EXIT_FAILED, "cannot write %s: %m", name);
	close(fd);
}

static struct lines *create(uint64_t bytes, unsigned int files)
{
	char path[128];
	struct lines *lines = NULL;

	snprintf(path, sizeof(path), "%s", path_of("l"));
	check_number(lines_create(&lines, path, bytes, files), EXIT_OK, "lines of %llu bytes in %u files", (unsigned long long)bytes, files);
	return lines;
}

static void check_rotation(void)
{
	struct lines *lines = create(10, 3);
	struct stat status;

	write_text(lines, "aaaa\n");
	write_text(lines, "bbbb\n");
	check_contents("l", "aaaa\nbbbb\n", "what fits is in one file");
	check(access(path_of("l.1"), F_OK), "which is the only one");
	write_text(lines, "c\n");
	check_contents("l", "c\n", "what does not begins another");
	check_contents("l.1", "aaaa\nbbbb\n", "and the first one is kept");
	write_text(lines, "dddddddddddddddddd\n");
	check_contents("l", "dddddddddddddddddd\n", "what is longer than a file is one by itself");
	check_contents("l.2", "aaaa\nbbbb\n", "the first one has moved on");
	write_text(lines, "e\n");
	check_contents("l.2", "c\n", "and is gone when there are too many");
	check(access(path_of("l.3"), F_OK), "of which there is none more");
	check(!stat(path_of("l"), &status) && (status.st_mode & 0777) == 0600, "they are for their owner");
	lines_destroy(lines);

	lines = create(10, 1);
	write_text(lines, "ffffffff\n");
	check_contents("l", "ffffffff\n", "with one file what was in it goes");
	check_contents("l.1", "dddddddddddddddddd\n", "and others are left alone");
	lines_destroy(lines);
	unlink(path_of("l.1"));
	unlink(path_of("l.2"));
}

static void check_others(void)
{
	struct lines *lines;
	char old[128], new[128];

	write_file("l", "whole\nhal");
	lines = create(1000, 2);
	write_text(lines, "next\n");
	check_contents("l", "whole\nnext\n", "half a line from before is cut off");
	snprintf(old, sizeof(old), "%s", path_of("l"));
	snprintf(new, sizeof(new), "%s", path_of("moved"));
	rename(old, new);
	write_text(lines, "after\n");
	check_contents("moved", "whole\nnext\n", "nothing more goes to a file that was moved away");
	check_contents("l", "after\n", "but to another at its path");
	unlink(old);
	write_text(lines, "again\n");
	check_contents("l", "again\n", "and so it is with one that was removed");
	lines_destroy(lines);
	unlink(new);

	write_file("l", "no line at all");
	lines = create(1000, 2);
	check_contents("l", "", "what is no line at all is none");
	lines_destroy(lines);
	unlink(path_of("l"));
	check_number(lines_create(&lines, "/nonexistent/l", 10, 2), EXIT_FAILED, "a path that is none is told");
	check_number(lines_create(&lines, "/dev/null", 10, 2), EXIT_FAILED, "so is a device");
	check_number(lines_create(&lines, directory, 10, 2), EXIT_FAILED, "so is a directory");
}

/* A limit on the size of files stands for the end of the disk. */
static void check_full(void)
{
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY }, small = { 12, RLIM_INFINITY };
	struct lines *lines = create(1000, 2);

	signal(SIGXFSZ, SIG_IGN);
	write_text(lines, "before\n");
	setrlimit(RLIMIT_FSIZE, &small);
	write_text(lines, "too\nlong\n");
	setrlimit(RLIMIT_FSIZE, &none);
	check_contents("l", "before\n", "on a full disk there is not half of what was to be written");
	check_number(lines_lost(lines), 9, "it is counted");
	write_text(lines, "after\n");
	check_contents("l", "before\nafter\n", "later all goes well again");
	check_number(lines_lost(lines), 9, "and nothing more is lost");
	lines_destroy(lines);
	unlink(path_of("l"));
}

static void check_json(void)
{
	static const char script[] =
		"import json, sys\n"
		"fields = [\"@timestamp\", \"start\", \"metric\", \"unit\", \"value\", \"attributes\", \"resource\"]\n"
		"lines = [json.loads(line) for line in open(sys.argv[1])]; time = 0; seen = set()\n"
		"for line in lines:\n"
		"    assert list(line) == fields, line\n"
		"    assert line[\"@timestamp\"] == \"2023-11-14T22:14:20.000Z\" and line[\"start\"] == \"2023-11-14T22:13:50.123Z\", line\n"
		"    assert all(type(v) is str for key in (\"attributes\", \"resource\") for v in line[key].values())\n"
		"    key = json.dumps([line[\"metric\"], line[\"attributes\"], line[\"resource\"]], sort_keys=True)\n"
		"    assert key not in seen, key\n"
		"    seen.add(key)\n"
		"    assert line[\"unit\"] in (\"1\", \"s\") and (type(line[\"value\"]) is float) == (line[\"unit\"] == \"s\")\n"
		"    time += line[\"value\"] if line[\"metric\"] == \"ktally.cpu.time\" else 0\n"
		"assert abs(time - 3.500000042) < 1e-9, time\n"
		"assert any(line[\"resource\"].get(\"process.executable.name\") == \"e\\\"vil?\" for line in lines)\n";
	struct profile *profile = fake_profile();
	struct task *openssl = fake_task(profile, 10, 10, "openssl", "openssl"), *evil = fake_task(profile, 1, 1, "e\"vil\n", "evil");
	struct stack *stack = fake_stack(profile, "native/libcrypto", "u:aes@/usr/lib/libcrypto.so.3 u:main@/usr/bin/openssl");
	struct buffer text = { 0 };
	struct metrics metrics;
	char command[4096], *said;
	int status;

	stack->class.runtime = "native";
	fake_cell(profile, openssl, stack, 20, 3500000000);
	fake_cell(profile, evil, stack, 2, 42);
	metrics_build(&metrics, profile, &fake_host, 1700000030123456789ULL, 1700000060000000000ULL, false);
	json_lines(&text, &metrics);
	metrics_free(&metrics);
	check(strstr(text.data, "\n{\"@timestamp\":\"2023-11-14T22:14:20.000Z\",\"start\":\"2023-11-14T22:13:50.123Z\",\"metric\":\"ktally.cpu.time\","
		     "\"unit\":\"s\",\"value\":3.500000000,\"attributes\":{\"ktally.area\":\"native/libcrypto\",\"cpu.mode\":\"user\"},"
		     "\"resource\":{"), "a line is as it is documented");
	write_file("json", text.data);
	snprintf(command, sizeof(command), "python3 -c '%s' %s 2>&1", script, path_of("json"));
	said = fake_output(command, &status);
	check(status == 0, "a reader of JSON finds a line for each series%s%s", said && *said ? ": " : "", said ? said : "");
	free(said);
	buffer_free(&text);
	fake_free(profile);
	unlink(path_of("json"));
}

int main(void)
{
	if (!mkdtemp(directory))
		message_fatal(EXIT_FAILED, "cannot make %s: %m", directory);
	check_rotation();
	check_others();
	check_full();
	check_json();
	check(!rmdir(directory), "nothing is left behind");
	return check_end();
}
