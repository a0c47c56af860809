/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration file. Its top-level keys are the long options of ktallyd, without dashes; the table for getopt_long() is
 * the one place that defines them. Values are what the option takes:
 *
 *	rate: 99			--rate 99
 *	no-kernel: true			--no-kernel; false is as if it were not there
 *	off-cpu: 1ms			--off-cpu=1ms; true is without a value
 *	category-sets: [gc, rpc]	--category-sets gc,rpc
 *	attribute: { a: b, c: d }	--attribute a=b --attribute c=d
 *
 * and there is "categories", see categories.h, which the command line has not. What is said elsewhere goes before: first the
 * command line, then the environment, then the file, then defaults.
 */
#ifndef KTALLY_CONFIG_H
#define KTALLY_CONFIG_H

#include <getopt.h>

#include "config/document.h"

#define CONFIG_DEFAULT	"/etc/ktally/ktally.yaml"

/* What takes an option and its argument, which stays valid as long as the document. -1: go on; else an exit code, after a message. */
typedef int config_take(void *context, int option, const char *argument);

/*
 * Calls take() for each key, in the order of the file. `options` ends with an empty one; those in `barred` (ends with NULL) make
 * no sense in a file. -1; else an exit code, after a message that names file, line and cure.
 */
int config_take_options(const struct document *document, const struct option *options, const char *const *barred, config_take *take,
			void *context);

#endif
