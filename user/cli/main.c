// SPDX-License-Identifier: GPL-2.0-or-later
/* ktally: the command line tool. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/message.h"
#include "cli/command.h"
#include "lib/libktally.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{ "record", command_record, "sample into a capture file" },
	{ "profile", command_profile, "a whole profile by the daemon that runs here, into a file or to its backend" },
	{ "top", command_top, "show what runs, live" },
	{ "report", command_report, "a capture as a breakdown, pprof, folded stacks, flame graph or metrics" },
	{ "script", command_script, "a capture as the text of perf script" },
	{ "dump", command_dump, "the raw records of a capture as JSON lines" },
	{ "check", command_check, "what this host has and lacks for sampling" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *file)
{
	fprintf(file, "usage: ktally [--help] [--version] COMMAND [options]\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(file, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fprintf(file, "\n`ktally COMMAND --help` says more, and so do the manual pages: ktally(1), ktally-COMMAND(1).\n");
}

/* What was printed into a full disk was not printed. */
static int flushed(int code)
{
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	if (errno != EPIPE)
		message_error("cannot write to standard output: %s", strerror(errno));
	return code == EXIT_OK ? EXIT_FAILED : code;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	char whole[32];

	message_program = "ktally";
	if (!name) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		print_help(stdout);
		return flushed(EXIT_OK);
	}
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		printf("ktally %s\n", ktally_version());
		return flushed(EXIT_OK);
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(name, commands[i].name))
			continue;
		snprintf(whole, sizeof(whole), "ktally %s", name);
		argv[1] = whole;	/* getopt_long() begins its messages with it */
		return flushed(commands[i].run(argc - 1, argv + 1));
	}
	message_error("there is no command \"%s\": see ktally --help", name);
	return EXIT_USAGE;
}
