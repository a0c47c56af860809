/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats of whole profiles, by the names that people call them by and the suffixes of files. */
#ifndef KTALLY_FORMAT_H
#define KTALLY_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "export/export.h"

struct format {
	const char *name, *suffix;
	export_writer *write;
	bool binary;			/* not for terminals */
};

extern const struct format formats[];
extern const size_t format_count;

/* NULL: there is none of that name; of no such suffix. */
const struct format *format_named(const char *name);
const struct format *format_of_file(const char *path);

/* "on-cpu", "off-cpu", "wall": KTALLY_SOURCE_*. 0: there is none of that name. And back. */
uint32_t format_sources(const char *name);
const char *format_sources_name(uint32_t sources);

#endif
