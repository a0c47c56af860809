// SPDX-License-Identifier: GPL-2.0-or-later
/* The command of ktally record: held until it may run, with the signals it would have without ktally. */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "cli/child.h"

static char path[64];

static void start(struct child *child, char **command)
{
	sigset_t signals;

	*child = (struct child){ 0 };
	sigprocmask(SIG_SETMASK, NULL, &signals);
	if (child_start(child, command, &signals)) {
		perror("child_start");
		exit(1);
	}
}

static void wait_for(struct child *child)
{
	for (int i = 0; i < 1000 && !child->ended; i++) {
		usleep(10 * 1000);
		child_look(child);
	}
}

static int exit_code(char *script)
{
	char *command[] = { "sh", "-c", script, NULL };
	struct child child;

	start(&child, command);
	check_number(child_go(&child), 0, "%s runs", script);
	wait_for(&child);
	return child_exit_code(&child);
}

static void test_hold(void)
{
	char *command[] = { "touch", path, NULL };
	struct child child;
	struct stat status;

	start(&child, command);
	usleep(50 * 1000);
	child_look(&child);
	check(!child.ended && stat(path, &status), "it does not run before it may");
	check_number(child_go(&child), 0, "then it does");
	wait_for(&child);
	check(child.ended && !stat(path, &status), "and ends");
	unlink(path);
}

static void test_missing(void)
{
	char *command[] = { "/nonexistent/program", NULL };
	char *directory[] = { "/", NULL };
	struct child child;

	start(&child, command);
	check_number(child_go(&child), -ENOENT, "a program that is not there is told");
	wait_for(&child);
	check_number(child_exit_code(&child), 127, "and its process ends as a shell's would");
	start(&child, directory);
	check_number(child_go(&child), -EACCES, "so is one that is no program");
	wait_for(&child);
}

static void test_mask(void)
{
	struct child child;
	char *command[] = { "sh", "-c", "kill -TERM $$; exit 0", NULL };
	sigset_t former, blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &former);
	child = (struct child){ 0 };
	if (child_start(&child, command, &former))
		exit(1);
	child_go(&child);
	wait_for(&child);
	check_number(child_exit_code(&child), 128 + SIGTERM, "signals that ktally blocks are not blocked in it");
	sigprocmask(SIG_SETMASK, &former, NULL);
}

static void test_end(void)
{
	char *command[] = { "sleep", "100", NULL };
	char *stubborn[] = { "sh", "-c", "trap '' TERM; touch $0; while :; do sleep 1; done", path, NULL };
	struct child child;
	struct stat status;

	start(&child, command);
	child_go(&child);
	check(child_end(&child, 5000), "a command is ended");
	check_number(child_exit_code(&child), 128 + SIGTERM, "by SIGTERM");
	start(&child, stubborn);
	child_go(&child);
	for (int i = 0; i < 1000 && stat(path, &status); i++)
		usleep(10 * 1000);
	check(!child_end(&child, 100), "one that ignores it is not waited for for ever");
	kill(child.pid, SIGKILL);
	wait_for(&child);
	unlink(path);
	child = (struct child){ 0 };
	check(child_end(&child, 100), "no command is ended already");
}

int main(void)
{
	snprintf(path, sizeof(path), "/tmp/ktally-child-%d", getpid());
	test_hold();
	check_number(exit_code("exit 7"), 7, "its exit code is its own");
	check_number(exit_code("kill -KILL $$"), 137, "or 128 and the signal");
	test_missing();
	test_mask();
	test_end();
	return check_end();
}
