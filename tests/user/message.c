// SPDX-License-Identifier: GPL-2.0-or-later
/* base/message.h: lines as people and the journal get them, whatever is in them. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/message.h"
#include "check.h"

static void plain(void)
{
	message_error("cannot open %s: %s", "/dev/ktally", "no such file");
	message_warning("odd");
	message_info("%d", 42);
}

static void hostile(void)
{
	message_info("a\nktally: forged\x1b[31m\x7f\t");
}

static void lengthy(void)
{
	char text[5000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	message_error("%s", text);
}

static void with_errno(void)
{
	errno = ENOSPC;
	message_error("writing: %m");
	if (errno != ENOSPC)
		_exit(99);
}

static void fatal(void)
{
	message_program = "ktallyd";
	message_fatal(EXIT_PERMISSION, "not allowed");
}

static void no_memory(void)
{
	memory_resized(NULL, SIZE_MAX / 2, 4);
}

static void memory(void)
{
	char *string = memory_string("abc"), *zeros = memory_zeroed(3, 5);

	if (strcmp(string, "abc") || memcmp(zeros, (char [15]) { 0 }, 15))
		_exit(99);
	free(string);
	free(zeros);
	free(memory_resized(memory_zeroed(0, 0), 0, 8));
}

/*
 * What a child says, and how it ends. `journal`: 1: its standard error is the journal; -1: it was, and is elsewhere
 * now.
 */
static int run(void (*function)(void), int journal, struct buffer *said)
{
	char stream[64];
	struct stat status;
	int fds[2], exit_status = -1;
	pid_t child;

	buffer_clear(said);
	if (pipe(fds))
		return -1;
	fstat(fds[1], &status);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
		 (unsigned long long)status.st_ino + (journal < 0));
	child = fork();
	if (!child) {
		dup2(fds[1], STDERR_FILENO);
		unsetenv("JOURNAL_STREAM");
		if (journal)
			setenv("JOURNAL_STREAM", stream, 1);
		function();
		_exit(0);
	}
	close(fds[1]);
	buffer_read_fd(said, fds[0], 1 << 20);
	close(fds[0]);
	waitpid(child, &exit_status, 0);
	return WIFEXITED(exit_status) ? WEXITSTATUS(exit_status) : -1;
}

int main(void)
{
	struct buffer said = { 0 };

	check_number(run(plain, 0, &said), 0, "says three things");
	check_string(said.data, "ktally: cannot open /dev/ktally: no such file\nktally: warning: odd\nktally: 42\n",
		     "to people");
	run(plain, 1, &said);
	check_string(said.data, "<3>cannot open /dev/ktally: no such file\n<4>odd\n<6>42\n", "to the journal");
	run(plain, -1, &said);
	check(!strncmp(said.data, "ktally: ", 8), "to people, when standard error is not the journal any more");
	run(hostile, 0, &said);
	check_string(said.data, "ktally: a?ktally: forged?[31m??\n", "control characters do not get through");
	run(lengthy, 0, &said);
	check(said.bytes == 2047 && !strcmp(said.data + said.bytes - 5, "x...\n"), "a long line is cut, and shows it");
	check_number(run(with_errno, 0, &said), 0, "errno survives");
	check_string(said.data, "ktally: writing: No space left on device\n", "and can be said");
	check_number(run(fatal, 0, &said), EXIT_PERMISSION, "a fatal message ends the program");
	check_string(said.data, "ktallyd: not allowed\n", "by its name");
	check_number(run(no_memory, 0, &said), EXIT_FAILED, "a size that overflows is no memory");
	check(strstr(said.data, "out of memory"), "and says so");
	check_number(run(memory, 0, &said), 0, "memory is what it should be");
	buffer_free(&said);
	return check_end();
}
