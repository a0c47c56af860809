// SPDX-License-Identifier: GPL-2.0-or-later
/* ktally report: a capture in the form that one wants to see it in. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/message.h"
#include "base/number.h"
#include "cli/command.h"
#include "cli/ends.h"
#include "cli/functions.h"
#include "cli/load.h"
#include "cli/source.h"
#include "cli/unknown.h"
#include "cli/wall.h"
#include "config/categories.h"
#include "config/config.h"
#include "export/format.h"
#include "symbols/download.h"

#define ROWS_DEFAULT	15

/* Of the tables that are the text's own. */
static size_t rows_most = ROWS_DEFAULT;
static bool by_thread;

static int write_text(FILE *file, const struct profile *profile, uint32_t sources, const struct export_host *host)
{
	int error = export_breakdown(file, profile, sources, host);

	if (!error)
		error = wall_write(file, profile, by_thread, rows_most);
	return error ? error : functions_write(file, profile, rows_most);
}

/* Besides those of whole profiles. The first is what there is if nothing else is said, and tells of losses by itself. */
static const struct format own_formats[] = {
	{ "text", ".txt", write_text, false },
	{ "metrics", ".json", export_metrics_json, false },
};

static int write_unknown(FILE *file, const struct profile *profile, uint32_t sources, const struct export_host *host)
{
	(void)host;
	return unknown_write(file, profile, sources, rows_most);
}

static int write_ends(FILE *file, const struct profile *profile, uint32_t sources, const struct export_host *host)
{
	(void)host;
	return ends_write(file, profile, sources, rows_most);
}

static const struct format unknown_format = { "unknown", "", write_unknown, false };
static const struct format ends_format = { "ends", "", write_ends, false };

static const char help[] =
	"usage: ktally report [-i FILE] [-f FORMAT] [-o FILE] [-s SOURCE] [-n ROWS] [-l] [-d] [-t] [-u | -e] [-c FILE]\n"
	"\n"
	"Shows a capture.\n"
	"\n"
	"  -i, --input FILE        the capture (" LOAD_DEFAULT "); - is standard input\n"
	"  -f, --format FORMAT     text     where CPU time went, for people; the default\n"
	"                          pprof    for go tool pprof: gzipped profile.proto\n"
	"                          otlp     OTLP profiles, for OpenTelemetry: the message ProfilesData\n"
	"                          folded   stacks with their nanoseconds, for flamegraph.pl, speedscope\n"
	"                          flame    flame graph, one HTML file\n"
	"                          speedscope  JSON for speedscope.app\n"
	"                          metrics  the OTLP metrics as JSON\n"
	"  -o, --output FILE       standard output if not given; the format follows from .txt, .pb.gz, .otlp,\n"
	"                          .folded, .html, .speedscope.json and .json unless -f says it\n"
	"  -s, --source SOURCE     on-cpu   what ran: CPU time; the default\n"
	"                          off-cpu  what threads waited for (ktally record --off-cpu)\n"
	"                          wall     both, which is wall time\n"
	"                          for whole profiles; text and metrics tell of both\n"
	"  -n, --top ROWS          so many functions, and processes or threads, in the text (15)\n"
	"  -l, --lines             functions with their source line, and inlined ones, where DWARF is there: slow\n"
	"  -d, --download          debug files that are not here from the servers of DEBUGINFOD_URLS\n"
	"  -t, --threads           wall time by thread instead of by process in the text\n"
	"  -u, --unknown           what has no names, why, and what would cure it\n"
	"  -e, --ends              in which code user stacks break off, how, and what would cure it\n"
	"  -c, --config FILE       categories are those of this file (" CONFIG_DEFAULT ", if it can be read)\n"
	"  -h, --help\n"
	"\n"
	"See ktally-report(1).\n";

static const struct option long_options[] = {
	{ "input", required_argument, NULL, 'i' },
	{ "format", required_argument, NULL, 'f' },
	{ "output", required_argument, NULL, 'o' },
	{ "source", required_argument, NULL, 's' },
	{ "top", required_argument, NULL, 'n' },
	{ "lines", no_argument, NULL, 'l' },
	{ "download", no_argument, NULL, 'd' },
	{ "threads", no_argument, NULL, 't' },
	{ "unknown", no_argument, NULL, 'u' },
	{ "ends", no_argument, NULL, 'e' },
	{ "config", required_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

struct report {
	const char *input, *output, *config;
	const struct format *format;
	uint32_t sources;
	bool lines, download;
};

static const struct format *find_by_name(const char *name)
{
	for (size_t i = 0; i < sizeof(own_formats) / sizeof(own_formats[0]); i++) {
		if (!strcmp(name, own_formats[i].name))
			return &own_formats[i];
	}
	return format_named(name);
}

/* Theirs first: .speedscope.json is a .json too. */
static const struct format *find_by_suffix(const char *path)
{
	const struct format *format = format_of_file(path);
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; !format && dot && dot != path && i < sizeof(own_formats) / sizeof(own_formats[0]); i++) {
		if (!strcmp(dot, own_formats[i].suffix))
			format = &own_formats[i];
	}
	return format;
}

/* -1: go on, else the exit code. */
static int parse(struct report *report, int argc, char **argv)
{
	uint64_t number;
	int option;

	while ((option = getopt_long(argc, argv, "i:f:o:s:n:ldtuec:h", long_options, NULL)) != -1) {
		switch (option) {
		case 'i':
			report->input = optarg;
			break;
		case 'f':
			report->format = find_by_name(optarg);
			if (!report->format) {
				message_error("-f: there is no format \"%s\": take text, pprof, otlp, folded, flame, "
					      "speedscope or metrics", optarg);
				return EXIT_USAGE;
			}
			break;
		case 'o':
			report->output = optarg;
			break;
		case 's':
			report->sources = format_sources(optarg);
			if (!report->sources) {
				message_error("-s: there is no source \"%s\": take on-cpu, off-cpu or wall", optarg);
				return EXIT_USAGE;
			}
			break;
		case 'n':
			if (number_parse(optarg, 0, 1000000, &number)) {
				message_error("-n: \"%s\" is not a number of rows", optarg);
				return EXIT_USAGE;
			}
			rows_most = number;
			break;
		case 'l':
			report->lines = true;
			break;
		case 'd':
			report->download = true;
			break;
		case 'u':
			report->format = &unknown_format;
			break;
		case 'e':
			report->format = &ends_format;
			break;
		case 'c':
			report->config = optarg;
			break;
		case 't':
			by_thread = true;
			break;
		case 'h':
			fputs(help, stdout);
			return EXIT_OK;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		message_error("\"%s\": report takes no arguments; -i names the capture", argv[optind]);
		return EXIT_USAGE;
	}
	if (report->output && !strcmp(report->output, "-"))
		report->output = NULL;
	if (!report->format)
		report->format = report->output ? find_by_suffix(report->output) : &own_formats[0];
	if (!report->format) {
		message_error("-o %s: what is it to be? Say -f text, pprof, otlp, folded, flame, speedscope or metrics", report->output);
		return EXIT_USAGE;
	}
	if (!report->output && report->format->binary && isatty(STDOUT_FILENO)) {
		message_error("-f %s is not for terminals: name a file with -o", report->format->name);
		return EXIT_USAGE;
	}
	return -1;
}

static int write_report(const struct report *report, const struct load *load)
{
	int error;

	if (report->output)
		error = export_file(report->output, report->format->write, load->profile, report->sources, &load->host);
	else
		error = report->format->write(stdout, load->profile, report->sources, &load->host);
	if (!error)
		return EXIT_OK;
	message_error("cannot write %s: %s", report->output ? report->output : "standard output", strerror(-error));
	clearerr(stdout);	/* said */
	return error == -EACCES || error == -EPERM ? EXIT_PERMISSION : EXIT_FAILED;
}

/* NULL after a message. Only categories and their sets are of interest here; ktallyd says what is wrong with the rest. */
static struct categories *read_categories(const char *path)
{
	struct document *document = NULL;
	struct categories *categories = NULL;

	if (!path && !access(CONFIG_DEFAULT, R_OK))
		path = CONFIG_DEFAULT;
	if (!path || !document_read(&document, path))
		categories = config_categories(document, document ? config_category_sets(document) : NULL);
	document_free(document);
	return categories;
}

int command_report(int argc, char **argv)
{
	struct report report = { .input = LOAD_DEFAULT, .sources = KTALLY_SOURCE_ONCPU };
	struct load load = { .cells = true };
	int code = parse(&report, argc, argv), written;

	if (code >= 0)
		return code;
	if (report.download && download_allow(DOWNLOAD_AT_ONCE))
		return EXIT_USAGE;
	load.categories = read_categories(report.config);
	if (!load.categories)
		return EXIT_USAGE;
	if (report.lines)
		load.source = source_create();
	code = load_capture(&load, report.input);
	if (!load.profile) {
		source_destroy(load.source);
		categories_destroy(load.categories);
		return code;
	}
	if (!load.profile->oncpu.samples && !load.profile->offcpu.weight)
		message_warning("there are no samples in %s: what was recorded did not run on a CPU meanwhile",
				report.input);
	else if (report.sources == KTALLY_SOURCE_OFFCPU && !load.profile->offcpu.weight)
		message_warning("there are no waits in %s: `ktally record --off-cpu` records them", report.input);
	if (report.format != &own_formats[0])
		load_warn_of_losses(&load);
	written = write_report(&report, &load);
	load_release(&load);
	categories_destroy(load.categories);
	source_destroy(load.source);
	return written == EXIT_OK ? code : written;
}
