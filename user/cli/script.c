// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ktally script: a capture as the text of perf script, in the order of time.
 *
 * Each CPU's records are in order, those of all CPUs are not: they were read ring after ring. So samples are kept until
 * many more have come, and the older half of them is written. Where a reader was so late that even that is not enough,
 * samples come out of order, which the readers of this text can live with; none is left out.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/message.h"
#include "cli/command.h"
#include "cli/load.h"
#include "export/label.h"
#include "lib/libktally.h"

#define KEPT_MOST	(1U << 20)

struct kept {
	struct ktally_sample record;
	const struct stack *stack;
	const struct task *task;
};

struct script {
	struct load load;
	struct kept *kept;
	size_t count, room;
	int error;		/* of the first write that failed */
	bool begun;
};

static const char help[] =
	"usage: ktally script [-i FILE]\n"
	"\n"
	"Writes a capture as `perf script` would: for FlameScope, speedscope, stackcollapse-perf.pl and others.\n"
	"\n"
	"  -i, --input FILE        the capture (" LOAD_DEFAULT "); - is standard input\n"
	"  -h, --help\n"
	"\n"
	"See ktally-script(1).\n";

static const struct option long_options[] = {
	{ "input", required_argument, NULL, 'i' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

/* As `perf script --header` begins: some readers know the format by it. */
static void write_header(struct script *script)
{
	const struct export_host *host = &script->load.host;
	time_t seconds = (time_t)(export_realtime(host, script->load.profile->first_time) / 1000000000);
	struct buffer text = { 0 };
	char date[64] = "?";
	struct tm local;

	if (localtime_r(&seconds, &local))
		strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &local);
	buffer_format(&text, "# ========\n# captured on    : %s\n# hostname : ", date);
	label_text(&text, host->name, NULL);
	buffer_string(&text, "\n# os release : ");
	label_text(&text, host->release, NULL);
	buffer_format(&text, "\n# ktally version : %s\n# arch : x86_64\n# nrcpus online : %u\n", ktally_version(),
		      host->cpus);
	if (script->load.command) {
		buffer_string(&text, "# cmdline : ");
		label_text(&text, script->load.command, NULL);
		buffer_string(&text, "\n");
	}
	buffer_string(&text, "# event : name = cpu-clock, its periods are nanoseconds\n# ========\n#\n");
	if (fwrite(text.data, 1, text.bytes, stdout) != text.bytes)
		script->error = errno ? -errno : -EIO;
	buffer_free(&text);
}

static int compare(const void *a_place, const void *b_place)
{
	const struct ktally_sample *a = &((const struct kept *)a_place)->record;
	const struct ktally_sample *b = &((const struct kept *)b_place)->record;

	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	return (int)a->header.cpu - (int)b->header.cpu;
}

/* The oldest so many. */
static void write_oldest(struct script *script, size_t count)
{
	if (!script->begun)
		write_header(script);
	script->begun = true;
	if (!script->count)
		return;
	qsort(script->kept, script->count, sizeof(*script->kept), compare);
	for (size_t i = 0; i < count && !script->error; i++) {
		const struct kept *kept = &script->kept[i];
		const struct profile_sample sample = { &kept->record, kept->stack, kept->task, NULL };

		script->error = export_perf_script(stdout, &sample);
	}
	script->count -= count;
	memmove(script->kept, script->kept + count, script->count * sizeof(*script->kept));
}

static void keep(void *context, const struct profile_sample *sample)
{
	struct script *script = context;

	if (script->count == KEPT_MOST)
		write_oldest(script, KEPT_MOST / 2);
	if (script->count == script->room) {
		script->room = script->room ? script->room * 2 : 1024;
		script->kept = memory_resized(script->kept, script->room, sizeof(*script->kept));
	}
	script->kept[script->count++] = (struct kept){ *sample->record, sample->stack, sample->task };
}

int command_script(int argc, char **argv)
{
	struct script script = { .load.on_sample = keep, .load.context = &script };
	const char *input = LOAD_DEFAULT;
	int option, code;

	while ((option = getopt_long(argc, argv, "i:h", long_options, NULL)) != -1) {
		switch (option) {
		case 'i':
			input = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return EXIT_OK;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		message_error("\"%s\": script takes no arguments; -i names the capture", argv[optind]);
		return EXIT_USAGE;
	}
	code = load_capture(&script.load, input);
	if (!script.load.profile)
		return code;
	write_oldest(&script, script.count);
	if (!script.error && fflush(stdout))
		script.error = errno ? -errno : -EIO;
	load_warn_of_losses(&script.load);
	free(script.kept);
	load_release(&script.load);
	if (!script.error)
		return code;
	message_error("cannot write standard output: %s", strerror(-script.error));
	clearerr(stdout);	/* said */
	return EXIT_FAILED;
}
