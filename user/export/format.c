// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "export/format.h"

const struct format formats[] = {
	{ "pprof", ".pb.gz", export_pprof, true },
	{ "otlp", ".otlp", export_otlp, true },
	{ "folded", ".folded", export_folded, false },
	{ "flame", ".html", export_flamegraph, false },
	{ "speedscope", ".speedscope.json", export_speedscope, false },
};

const size_t format_count = sizeof(formats) / sizeof(formats[0]);

const struct format *format_named(const char *name)
{
	for (size_t i = 0; i < format_count; i++) {
		if (!strcmp(name, formats[i].name))
			return &formats[i];
	}
	return NULL;
}

const struct format *format_of_file(const char *path)
{
	size_t bytes = strlen(path);

	for (size_t i = 0; i < format_count; i++) {
		size_t suffix = strlen(formats[i].suffix);

		if (bytes > suffix && !strcmp(path + bytes - suffix, formats[i].suffix))
			return &formats[i];
	}
	return NULL;
}

static const struct {
	const char *name;
	uint32_t sources;
} sources_named[] = {
	{ "on-cpu", KTALLY_SOURCE_ONCPU },
	{ "off-cpu", KTALLY_SOURCE_OFFCPU },
	{ "wall", KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU },
};

uint32_t format_sources(const char *name)
{
	for (size_t i = 0; i < sizeof(sources_named) / sizeof(sources_named[0]); i++) {
		if (!strcmp(name, sources_named[i].name))
			return sources_named[i].sources;
	}
	return 0;
}

const char *format_sources_name(uint32_t sources)
{
	for (size_t i = 0; i < sizeof(sources_named) / sizeof(sources_named[0]); i++) {
		if (sources == sources_named[i].sources)
			return sources_named[i].name;
	}
	return "none";
}
