// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/message.h"
#include "cli/child.h"

/* In the child. Nothing comes through `go` when ktally ends before it lets the command run. */
__attribute__((noreturn)) static void wait_and_execute(int go, int report, char **command, const sigset_t *signals)
{
	char byte;
	int error;

	if (read(go, &byte, 1) != 1)
		_exit(EXIT_COMMAND);
	sigprocmask(SIG_SETMASK, signals, NULL);
	execvp(command[0], command);
	error = errno;
	_exit(write(report, &error, sizeof(error)) == sizeof(error) ? EXIT_COMMAND : EXIT_FAILED);
}

int child_start(struct child *child, char **command, const sigset_t *signals)
{
	int go[2], report[2], error;

	if (pipe2(go, O_CLOEXEC))
		return -errno;
	if (pipe2(report, O_CLOEXEC)) {
		error = -errno;
		goto close_go;
	}
	child->pid = fork();
	if (!child->pid) {
		close(go[1]);
		wait_and_execute(go[0], report[1], command, signals);
	}
	error = child->pid < 0 ? -errno : 0;
	close(report[1]);
	if (error) {
		child->pid = 0;
		close(report[0]);
		goto close_go;
	}
	close(go[0]);
	child->go = go[1];
	child->report = report[0];
	return 0;

close_go:
	close(go[0]);
	close(go[1]);
	return error;
}

/* `report` is closed by a successful exec, which ends the read with nothing. */
int child_go(struct child *child)
{
	ssize_t bytes;
	int error = 0;

	if (write(child->go, "", 1) != 1)
		error = errno;
	close(child->go);
	do
		bytes = read(child->report, &error, sizeof(error));
	while (bytes < 0 && errno == EINTR);
	close(child->report);
	return -error;
}

void child_look(struct child *child)
{
	if (child->pid && !child->ended && waitpid(child->pid, &child->status, WNOHANG) == child->pid)
		child->ended = true;
}

bool child_end(struct child *child, unsigned int milliseconds)
{
	child_look(child);
	if (!child->pid || child->ended)
		return true;
	kill(child->pid, SIGTERM);
	for (unsigned int waited = 0; !child->ended && waited < milliseconds; waited += 10) {
		usleep(10 * 1000);
		child_look(child);
	}
	return child->ended;
}

int child_exit_code(const struct child *child)
{
	return WIFSIGNALED(child->status) ? 128 + WTERMSIG(child->status) : WEXITSTATUS(child->status);
}
