/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of ktally. main() takes the options that come before the command's name and hands over the rest: argv[0] is
 * "ktally " and the name of the command, argv[argc] is NULL. A command parses its own options with getopt_long() (optind is
 * 1 when it is called), answers --help itself, and returns one of enum exit_code (base/message.h).
 */
#ifndef KTALLY_COMMAND_H
#define KTALLY_COMMAND_H

int command_record(int argc, char **argv);	/* sample into a capture, or straight into files for other tools */
int command_profile(int argc, char **argv);	/* a profile by the running daemon */
int command_top(int argc, char **argv);		/* live breakdown */
int command_report(int argc, char **argv);	/* a capture as a breakdown, pprof, folded stacks, flame graph, metrics */
int command_script(int argc, char **argv);	/* a capture as the text of `perf script` */
int command_dump(int argc, char **argv);	/* a capture's raw records as JSON lines */
int command_check(int argc, char **argv);	/* what this host has and lacks */

#endif
