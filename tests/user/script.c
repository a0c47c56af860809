// SPDX-License-Identifier: GPL-2.0-or-later
/* ktally script: a capture as the text of perf script, by time. */
#include "check.h"
#include "command.h"
#include "fake.h"

static char directory[] = "/tmp/ktally-test-script-XXXXXX";
static char path[64];

static struct result script(const char *input)
{
	char line[128];

	snprintf(line, sizeof(line), "script -i %s", input);
	return command_run(command_script, line);
}

static void check_text(bool mappings_first)
{
	static const char head[] =
		"# ========\n"
		"# captured on    : Tue Nov 14 22:13:40 2023\n"
		"# hostname : recorded\n"
		"# os release : 6.1.0-test\n"
		"# ktally version : ";
	static const char samples[] =
		"# arch : x86_64\n"
		"# nrcpus online : 2\n"
		"# cmdline : openssl speed\n"
		"# event : name = cpu-clock, its periods are nanoseconds\n"
		"# ========\n"
		"#\n"
		"openssl    10/10    [000]    20.000001:    5000000 cpu-clock: \n"
		"\t            1010 [unknown] (/nonexistent/libcrypto.so.3)\n"
		"\t             100 [unknown] (/nonexistent/openssl)\n"
		"\n"
		"kthreadd     2/2     [001]    21.000001:    5000000 cpu-clock: \n"
		"\tffffffff81000308 worker_thread+0x8 ([kernel.kallsyms])\n"
		"\n"
		"openssl    10/10    [001]    23.000001:    5000000 cpu-clock: \n"
		"\t            1010 [unknown] (/nonexistent/libcrypto.so.3)\n"
		"\t             100 [unknown] (/nonexistent/openssl)\n"
		"\n"
		"0123456789abcdef    10/11    [000]    24.000001:    5000000 cpu-clock: \n"
		"\tffffffff81000104 tcp_sendmsg+0x4 ([kernel.kallsyms])\n"
		"\tffffffff81000208 do_syscall_64+0x8 ([kernel.kallsyms])\n"
		"\t            1020 [unknown] (/nonexistent/libcrypto.so.3)\n"
		"\n";
	struct result result;
	const char *at;

	recording_make(path, mappings_first);
	result = script(path);
	check_number(result.code, EXIT_OK, "a capture becomes text, mappings %s", mappings_first ? "first" : "last");
	check(!strncmp(result.out, head, strlen(head)), "its head");
	at = strstr(result.out, "# arch");
	check_string(at, samples, "samples in the order of time, leaf first, with their names");
	check(strstr(result.err, "3 of 8 samples were lost while recording"), "losses are told");
	check(strstr(result.err, "1 samples are left out"), "and what is left out");
	result_free(&result);
}

static void check_cut(void)
{
	char cut[80], line[128];
	struct result result;
	int full = open("/dev/full", O_WRONLY);

	snprintf(cut, sizeof(cut), "%s.cut", path);
	recording_cut(path, cut, recording_bytes(path) - 300);
	result = script(cut);
	check(result.code == EXIT_FAILED && strstr(result.err, "ends in the middle"), "a cut capture is told as such");
	check(strstr(result.out, "    20.000001:"), "after what there is");
	result_free(&result);
	snprintf(line, sizeof(line), "script -i %s", path);
	result = command_run_to(command_script, line, full);
	check(result.code == EXIT_FAILED && strstr(result.err, "No space left on device"), "a full disk is told");
	result_free(&result);
	close(full);
}

/* Two CPUs, one read long after the other: all samples come, in order. */
static void check_order(void)
{
	struct capture_writer *writer;
	struct result result;
	double last = 0, time;
	size_t samples = 0, disorder = 0;

	if (capture_create(&writer, path))
		message_fatal(EXIT_FAILED, "cannot create %s", path);
	recording_write_task(writer, 0xa3, 2, 2, "kthreadd");
	recording_write_stack(writer, recording_stacks[2], 0);
	for (int cpu = 0; cpu < 2; cpu++)
		for (int i = 0; i < 20000; i++)
			recording_write_sample(writer, (uint16_t)cpu,
					       1000000000ULL + (uint64_t)i * 10000 + (uint64_t)cpu * 5000, 0x53, 0xa3,
					       2, -1);
	capture_close(writer);
	result = script(path);
	for (const char *at = result.out; at && *at; at = strchr(at, '\n'), at += at != NULL) {
		const char *bracket = *at == '#' || *at == '\t' || *at == '\n' ? NULL : strchr(at, ']');

		if (!bracket)
			continue;
		time = strtod(bracket + 1, NULL);
		disorder += time < last;
		last = time;
		samples++;
	}
	check_number(samples, 40000, "every sample comes");
	check_number(disorder, 0, "in the order of time");
	result_free(&result);
}

static void check_options(void)
{
	struct result result = command_run(command_script, "script --help");

	check(result.code == EXIT_OK && !strncmp(result.out, "usage: ktally script", 20), "--help");
	result_free(&result);
	result = command_run(command_script, "script --nonsense");
	check_number(result.code, EXIT_USAGE, "an unknown option");
	result_free(&result);
	result = command_run(command_script, "script -i /nonexistent");
	check(result.code == EXIT_FAILED && strstr(result.err, "there is no capture /nonexistent"), "no capture");
	result_free(&result);
}

int main(void)
{
	char command[64];

	setenv("TZ", "UTC", 1);
	if (!mkdtemp(directory))
		message_fatal(EXIT_FAILED, "cannot make %s: %m", directory);
	snprintf(path, sizeof(path), "%s/capture", directory);
	check_text(true);
	check_text(false);
	check_cut();
	check_order();
	check_options();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	check(system(command) == 0, "cleaned up");
	return check_end();
}
