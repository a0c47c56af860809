// SPDX-License-Identifier: GPL-2.0-or-later
/* The text of perf script: to the letter, and as stackcollapse-perf.pl understands it. */
#include <ctype.h>
#include <errno.h>

#include "check.h"
#include "fake.h"

static struct ktally_sample fake_record(uint64_t time, uint64_t weight, uint16_t cpu, uint32_t tid)
{
	return (struct ktally_sample){
		.header = { .type = KTALLY_RECORD_SAMPLE, .size = sizeof(struct ktally_sample), .cpu = cpu },
		.time = time, .weight = weight, .tid = tid, .syscall = KTALLY_SYSCALL_NONE,
	};
}

static char *script(const struct ktally_sample *record, const struct task *task, const struct stack *stack)
{
	struct profile_sample sample = { .record = record, .task = task, .stack = stack };
	size_t bytes;
	char *text = NULL;
	FILE *file = open_memstream(&text, &bytes);

	check_number(export_perf_script(file, &sample), 0, "a sample is written");
	fclose(file);
	return text;
}

/*
 * What stackcollapse-perf.pl makes of it, written from its description: an event line is "NAME PID/TID [CPU] TIME:
 * PERIOD EVENT:" (the name may have blanks), a frame line is blanks, hexadecimal address, function, "(object)"; an
 * empty line ends the sample.
 */
static char *collapse(const char *text)
{
	char *frames[64], *copy = memory_string(text), *next = copy, *line;
	struct buffer folded = { 0 };
	unsigned int count = 0;
	uint64_t period = 0;
	char name[64] = "";

	while ((line = strsep(&next, "\n")) && next) {
		if (!*line) {
			buffer_string(&folded, name);
			while (count)
				buffer_format(&folded, ";%s", frames[--count]);
			buffer_format(&folded, " %llu\n", (unsigned long long)period);
		} else if (!isspace((unsigned char)*line)) {
			unsigned int pid, tid, cpu, seconds, microseconds;
			char *at = strchr(line, '/');
			int used = 0;

			while (at > line && isdigit((unsigned char)at[-1]))
				at--;
			if (sscanf(at, "%u/%u [%u] %u.%6u: %lu cpu-clock:%n", &pid, &tid, &cpu, &seconds, &microseconds,
				   &period, &used) != 6 ||
			    !used)
				continue;
			while (at > line && at[-1] == ' ')
				at--;
			snprintf(name, sizeof(name), "%.*s", (int)(at - line), line);
		} else if (count < 64) {
			char *function = line + strspn(line, " \t");
			char *object = strrchr(line, '(');

			function += strspn(function, "0123456789abcdef") + 1;
			if (object && object > function && strstr(function, "+0x"))
				*strstr(function, "+0x") = '\0';
			else if (object)
				object[-1] = '\0';
			frames[count++] = function;
		}
	}
	free(copy);
	return folded.data;
}

int main(void)
{
	struct profile *profile = fake_profile();
	struct task *task = fake_task(profile, 3921, 3922, "openssl", "ssl worker");
	struct ktally_sample record = fake_record(2133931830456ULL, 10101010, 3, 3922);
	struct stack *stack =
		fake_stack(profile, "kernel/other",
			   "k:nft_do_chain@[nf_tables]#ffffffffc0a01234 k:do_syscall_64 "
			   "u:write@/usr/lib/x86_64-linux-gnu/libc.so.6#155507 u:@/usr/bin/dash#9e90 a:#7f0012345678 "
			   "x:#56486ec82aa0");
	static const char expected[] =
		"ssl worker  3921/3922  [003]  2133.931830:   10101010 cpu-clock: \n"
		"\tffffffffc0a01234 nft_do_chain+0x4 ([nf_tables])\n"
		"\tffffffff81000010 do_syscall_64+0x4 ([kernel.kallsyms])\n"
		"\t          155507 write+0x4 (/usr/lib/x86_64-linux-gnu/libc.so.6)\n"
		"\t            9e90 [unknown] (/usr/bin/dash)\n"
		"\t    7f0012345678 [unknown] (//anon)\n"
		"\t    56486ec82aa0 [unknown] ([unknown])\n"
		"\n";
	char *text = script(&record, task, stack), *folded;
	struct profile_sample sample = { .record = &record, .task = task, .stack = stack };
	FILE *full = fopen("/dev/full", "w");

	check_string(text, expected, "as perf 6.1 prints it");
	folded = collapse(text);
	check_string(folded, "ssl worker;[unknown];[unknown];[unknown];write;do_syscall_64;nft_do_chain 10101010\n",
		     "read back: name, frames from the outermost, period");
	free(folded);
	free(text);

	record = fake_record(999ULL, 5, 0, 7);
	task = fake_task(profile, 7, 7, "k", "a\nb  1/2 [000] 1.0: 5 cpu-clock:");
	stack = fake_stack(profile, "kernel/other", "u:X@/x");
	stack->frames[0].function = intern("bad\n\n\tname");
	text = script(&record, task, stack);
	check_string(text, "a?b  1/2 [000] 1.0: 5 cpu-clock:     7/7     [000]     0.000000:          5 cpu-clock: \n"
		     "\t            1000 bad???name+0x4 (/x)\n\n", "hostile names make no lines");
	free(text);

	stack = fake_stack(profile, "unknown", "");
	text = script(&record, fake_task(profile, 7, 7, "k", "idle"), stack);
	check_string(text, "idle     7/7     [000]     0.000000:          5 cpu-clock: \n\n", "an empty stack");
	free(text);

	if (check(full, "/dev/full opens")) {
		setbuf(full, NULL);
		check_number(export_perf_script(full, &sample), -ENOSPC, "a full disk is told");
		fclose(full);
	}
	fake_free(profile);
	return check_end();
}
