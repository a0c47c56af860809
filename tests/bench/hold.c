// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a command while a session samples everything, and reads the records only when the command has ended: what the module
 * costs, without a reader. Prints the number of samples and waits and the bytes of all records on standard error.
 *
 * usage: hold (--rate HZ | --keep NANOSECONDS) COMMAND...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libktally.h>

int main(int argc, char **argv)
{
	struct ktally_setup setup = {
		.size = sizeof(setup),
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER,
		.ring_bytes = 8 << 20,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
		.latency_ms = KTALLY_LATENCY_MS_MAX,
	};
	unsigned long samples = 0, bytes = 0;
	const struct ktally_record *record;
	struct ktally_session *session;
	pid_t child;
	int err;

	if (argc < 4)
		return 2;
	if (!strcmp(argv[1], "--rate")) {
		setup.sources = KTALLY_SOURCE_ONCPU;
		setup.rate = (__u32)atoi(argv[2]);
	} else {
		setup.sources = KTALLY_SOURCE_OFFCPU;
		setup.keep_ns = strtoull(argv[2], NULL, 0);
		setup.wait_min_ns = setup.keep_ns == KTALLY_KEEP_NS_MAX ? KTALLY_KEEP_NS_MAX : 0;
	}
	err = ktally_open(&session);
	if (!err)
		err = ktally_set_up(session, &setup);
	if (!err)
		err = ktally_enable(session);
	if (err)
		return 1;
	child = fork();
	if (!child) {
		execvp(argv[3], argv + 3);
		_exit(127);
	}
	waitpid(child, NULL, 0);
	ktally_disable(session);
	while ((record = ktally_next(session))) {
		samples += record->type == KTALLY_RECORD_SAMPLE || record->type == KTALLY_RECORD_OFFCPU;
		bytes += record->size;
	}
	fprintf(stderr, "%lu %lu\n", samples, bytes);
	ktally_close(session);
	return 0;
}
