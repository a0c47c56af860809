// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a command while a session samples everything, and prints the number of samples and waits and the bytes of all records on
 * standard error. The records are read only when the command has ended: what the module costs, without a reader. Or meanwhile, with
 * --drain, as a daemon would that did nothing else with them.
 *
 * usage: hold [--drain] [--files] (--rate HZ | --keep NANOSECONDS [--min NANOSECONDS]) COMMAND...
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libktally.h>

static struct ktally_session *session;
static unsigned long samples, bytes;

static void drain(void)
{
	const struct ktally_record *record;

	while ((record = ktally_next(session))) {
		samples += record->type == KTALLY_RECORD_SAMPLE || record->type == KTALLY_RECORD_OFFCPU;
		bytes += record->size;
	}
}

static void on_child(int number)
{
	(void)number;	/* only to end the waiting */
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "drain", no_argument, NULL, 'd' },
		{ "files", no_argument, NULL, 'f' },
		{ "rate", required_argument, NULL, 'r' },
		{ "keep", required_argument, NULL, 'k' },
		{ "min", required_argument, NULL, 'm' },
		{},
	};
	struct ktally_setup setup = {
		.size = sizeof(setup),
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER,
		.ring_bytes = 8 << 20,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
		.latency_ms = KTALLY_LATENCY_MS_MAX,
	};
	int option, status, draining = 0;
	pid_t child;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			draining = 1;
			setup.latency_ms = 0;	/* the usual one, and ring */
			setup.ring_bytes = 0;
			break;
		case 'f':
			setup.capture |= KTALLY_CAPTURE_FILES;
			break;
		case 'r':
			setup.sources = KTALLY_SOURCE_ONCPU;
			setup.rate = (__u32)atoi(optarg);
			break;
		case 'k':
			setup.sources = KTALLY_SOURCE_OFFCPU;
			setup.keep_ns = strtoull(optarg, NULL, 0);
			break;
		case 'm':
			setup.wait_min_ns = strtoull(optarg, NULL, 0);
			break;
		default:
			return 2;
		}
	}
	if (optind == argc || !setup.sources)
		return 2;
	if (ktally_open(&session) || ktally_set_up(session, &setup) || ktally_enable(session))
		return 1;
	signal(SIGCHLD, on_child);
	child = fork();
	if (!child) {
		execvp(argv[optind], argv + optind);
		_exit(127);
	}
	/* A child that ends just before the waiting begins is found after the latency. */
	while (draining && !waitpid(child, &status, WNOHANG)) {
		ktally_wait(session, 1000);
		drain();
	}
	if (!draining)
		waitpid(child, &status, 0);
	ktally_disable(session);
	drain();
	fprintf(stderr, "%lu %lu\n", samples, bytes);
	ktally_close(session);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
