// SPDX-License-Identifier: GPL-2.0-or-later
/* ktally report: a capture in all its forms. */
#include <sys/stat.h>

#include "check.h"
#include "cli/functions.h"
#include "command.h"
#include "fake.h"

static char directory[] = "/tmp/ktally-test-report-XXXXXX";
static char path[64];

__attribute__((format(printf, 1, 2)))
static struct result report(const char *format, ...)
{
	struct buffer line = { 0 };
	struct result result;
	va_list arguments;
	char options[256];

	va_start(arguments, format);
	vsnprintf(options, sizeof(options), format, arguments);
	va_end(arguments);
	buffer_format(&line, "report -i %s%s", path, options);
	result = command_run(command_report, line.data);
	buffer_free(&line);
	return result;
}

static bool says(const char *text, const char *wanted)
{
	bool found = text && strstr(text, wanted);

	if (!found)
		printf("# no \"%s\" in:\n# %s\n", wanted, text);
	return found;
}

static void check_names(void)
{
	struct result unknown = report(" --unknown"), lines = report(" --lines"), plain = report("%s", "");

	check(unknown.code == EXIT_OK && says(unknown.out, "WITHOUT NAMES") &&
	      says(unknown.out, "lacks the file: "), "what has no names");
	check(!strstr(unknown.out, "WHERE CPU TIME WENT"), "and nothing else");
	check(lines.code == EXIT_OK && !strcmp(lines.out, plain.out), "lines change nothing where there is no DWARF");
	result_free(&unknown);
	result_free(&lines);
	result_free(&plain);
}

static void check_text(void)
{
	struct result result = report("%s", ""), short_result = report(" --top 1"), none = report(" -n 0");

	check(result.code == EXIT_OK && !*result.err, "the text needs no format named, and tells all by itself");
	check(says(result.out, "recorded, Linux 6.1.0-test: 4.0 s at 199 samples per second and CPU, by timer\n"),
	      "where it was recorded");
	check(says(result.out, "  CPU time            0.03 s  0.01 of 2 CPUs were busy\n"), "how busy it was");
	check(says(result.out, "  samples                  5  of 3 stacks in 2 processes\n"), "how much was sampled");
	check(says(result.out, "  lost                     3  37.50 % of the samples, 0.01 s"), "what was lost");
	check(says(result.out, "  orphans                  1  samples"), "what cannot be resolved");
	check(says(result.out, "  openssl                         0.01    60.0 %"), "processes");
	check(says(result.out, "  write                           0.01    20.0 %"), "system calls, by number");
	check(says(result.out, "  accounted           0.02 s  by the kernel in the same time on the CPUs sampled; "
			       "samples stand for 25.0 % more\n"), "how near that is to the kernel's account");
	check(says(result.out, "  left out                    CPUs 2-3 were not sampled: nothing below is of them\n"), "of which CPUs it is");
	check(says(result.out, "\nSERVICES                       seconds   share                     mostly\n"
			       "  shop                            0.01    60.0 %"), "services");
	check(says(result.out, "\nCONTAINERS                     seconds   share                     mostly\n"
			       "  0123456789ab                    0.02    80.0 %"), "containers");
	check(says(result.out, "  /docker/0123456789abcdef                                            0.01        0.01     -10.0 %\n"),
	      "the accounts of cgroups");
	check(says(result.out,
		   "\nself seconds    share   inclusive    share  FUNCTIONS\n"
		   "        0.01   50.0 %        0.01   75.0 %  [libcrypto.so.3]                      libcrypto.so.3\n"),
	      "functions by self time");
	check(says(result.out,
		   "        0.00    0.0 %        0.01   50.0 %  [openssl]                             openssl\n"),
	      "and inclusive");
	check(says(short_result.out, "FUNCTIONS") && !strstr(short_result.out, "tcp_sendmsg"), "as many as asked for");
	check(!strstr(none.out, "FUNCTIONS"), "or none");
	result_free(&result);
	result_free(&short_result);
	result_free(&none);
}

static void check_formats(void)
{
	static const char *const files[] = { "out.txt", "out.pb.gz", "out.folded", "out.html", "out.json" };
	static const char *const starts[] = { "recorded, Linux", "\x1f\x8b", "kthreadd;", "<!DOCTYPE html>", "{" };
	struct result result = report(" -f folded");

	check_string(result.out,
		     "kthreadd;worker_thread_[k] 5000000\n"
		     "openssl;[broken];[libcrypto.so.3+0x1020];do_syscall_64_[k];tcp_sendmsg_[k] 5000000\n"
		     "openssl;[openssl+0x100];[libcrypto.so.3+0x1010] 10000000\n", "folded stacks on standard output");
	check(says(result.err, "3 of 8 samples were lost while recording") &&
		      says(result.err, "1 samples are left out"),
	      "a format without room for losses has them told beside");
	result_free(&result);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct buffer file = { 0 };
		char name[128];

		snprintf(name, sizeof(name), "%s/%s", directory, files[i]);
		result = report(" -o %s", name);
		check(result.code == EXIT_OK && !buffer_read_file(&file, name, 1 << 24) &&
			      file.bytes > strlen(starts[i]) && !memcmp(file.data, starts[i], strlen(starts[i])),
		      "the format follows from the name %s", files[i]);
		buffer_free(&file);
		result_free(&result);
	}
}

static void check_sources(void)
{
	struct result oncpu = report(" -f folded -s on-cpu"), offcpu = report(" -f folded -s off-cpu"), wall = report(" -f folded -s wall");

	check(says(oncpu.out, "kthreadd;"), "what ran");
	check(offcpu.code == EXIT_OK && !*offcpu.out && says(offcpu.err, "there are no waits in"), "a capture without waits is told");
	check_string(wall.out, oncpu.out, "without waits wall time is CPU time");
	result_free(&oncpu);
	result_free(&offcpu);
	result_free(&wall);
}

static void check_failures(void)
{
	char cut[80], line[160];
	struct result result;
	int full = open("/dev/full", O_WRONLY);

	snprintf(line, sizeof(line), "report -f folded -i %s", path);
	result = command_run_to(command_report, line, full);
	check(result.code == EXIT_FAILED && says(result.err, "cannot write standard output: No space left on device"),
	      "a full disk is told");
	result_free(&result);
	close(full);
	result = report(" -o /nonexistent/x.html");
	check(result.code == EXIT_FAILED && says(result.err, "cannot write /nonexistent/x.html: No such file"),
	      "no such directory");
	result_free(&result);
	snprintf(cut, sizeof(cut), "%s.cut", path);
	recording_cut(path, cut, recording_bytes(path) - 300);
	snprintf(line, sizeof(line), "report -i %s", cut);
	result = command_run(command_report, line);
	check(result.code == EXIT_FAILED && says(result.err, "ends in the middle") &&
		      says(result.out, "WHERE CPU TIME WENT"),
	      "a cut capture is shown, and told as such");
	result_free(&result);
	result = command_run(command_report, "report -i /nonexistent");
	check(result.code == EXIT_FAILED && says(result.err, "there is no capture /nonexistent"), "no capture");
	result_free(&result);
	result = command_run(command_report, "report -i /etc/passwd");
	check(result.code == EXIT_FAILED && says(result.err, "is not a capture"), "a file that is no capture");
	result_free(&result);
}

static void check_options(void)
{
	static const struct {
		const char *options, *message;
	} wrong[] = {
		{ " -f svg", "there is no format \"svg\"" },
		{ " -s gpu", "there is no source \"gpu\"" },
		{ " -n many", "is not a number" },
		{ " -n -1", "is not a number" },
		{ " -o file", "what is it to be?" },
		{ " more", "report takes no arguments" },
		{ " --nonsense", "unrecognized option" },
	};
	struct result result = report(" --help");

	check(result.code == EXIT_OK && !strncmp(result.out, "usage: ktally report", 20), "--help");
	result_free(&result);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		result = report("%s", wrong[i].options);
		check(result.code == EXIT_USAGE && says(result.err, wrong[i].message), "refused:%s", wrong[i].options);
		result_free(&result);
	}
}

/* A function that calls itself has its time once. */
static void check_recursion(void)
{
	struct profile *profile = fake_profile();
	struct task *task = fake_task(profile, 1, 1, "p", "p");
	char *text = NULL;
	size_t bytes;
	FILE *file = open_memstream(&text, &bytes);

	fake_cell(profile, task, fake_stack(profile, "native/x", "u:again@/bin/x u:again@/bin/x u:main@/bin/x"), 1,
		  3000000000);
	fake_cell(profile, task, fake_stack(profile, "native/x", "u:other@/bin/x u:again@/bin/x u:main@/bin/x"), 1,
		  1000000000);
	check_number(functions_write(file, profile, 2), 0, "functions of a program with recursion");
	fclose(file);
	check_string(text,
		     "\nself seconds    share   inclusive    share  FUNCTIONS\n"
		     "        3.00   75.0 %        4.00  100.0 %  again                                 x\n"
		     "        1.00   25.0 %        1.00   25.0 %  other                                 x\n",
		     "recursion counts once");
	free(text);
	fake_free(profile);
}

/* From a pipe, in one pass. */
static void check_pipe(void)
{
	struct result result;
	int file = open(path, O_RDONLY), kept = dup(STDIN_FILENO);

	dup2(file, STDIN_FILENO);
	result = command_run(command_report, "report -i - -f folded");
	dup2(kept, STDIN_FILENO);
	close(kept);
	close(file);
	check(result.code == EXIT_OK && says(result.out, "openssl;[openssl+0x100];[libcrypto.so.3+0x1010] 10000000\n"),
	      "standard input");
	result_free(&result);
}

int main(void)
{
	char command[64];

	setenv("LC_ALL", "C", 1);
	if (!mkdtemp(directory))
		message_fatal(EXIT_FAILED, "cannot make %s: %m", directory);
	snprintf(path, sizeof(path), "%s/capture", directory);
	recording_make(path, true);
	check_text();
	check_names();
	check_formats();
	check_sources();
	check_failures();
	check_options();
	check_pipe();
	check_recursion();
	recording_make(path, false);
	check_text();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	check(system(command) == 0, "cleaned up");
	return check_end();
}
