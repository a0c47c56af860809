/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command of `ktally record -- command`: started, and held before it runs until sampling is on. */
#ifndef KTALLY_CHILD_H
#define KTALLY_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct child {
	pid_t pid;			/* 0: none */
	int go, report;			/* pipes: tells it to run; tells why it could not */
	int status;			/* of waitpid(), once it has ended */
	bool ended;
};

/* Forks, and lets it wait. `signals` is the mask that the command shall have. 0 or -errno. */
int child_start(struct child *child, char **command, const sigset_t *signals);

/* Lets the command run. 0; -errno: why it could not be executed. */
int child_go(struct child *child);

/* Sees whether it has ended. */
void child_look(struct child *child);

/* Ends it: asks with SIGTERM, waits for at most so many ms. Whether it has ended then. */
bool child_end(struct child *child, unsigned int milliseconds);

/* The exit code that a shell would give: its own, or 128 + signal. */
int child_exit_code(const struct child *child);

#endif
