// SPDX-License-Identifier: GPL-2.0-or-later
/* The breakdown for people: what stands in it, that it adds up, that it fits. */
#include <errno.h>

#include "check.h"
#include "fake.h"

static char *breakdown(const struct profile *profile)
{
	size_t bytes;
	int error;
	char *text = fake_export(export_breakdown, profile, &bytes, &error);

	check_number(error, 0, "a breakdown is written");
	return text;
}

static void check_page(void)
{
	static const char expected[] =
		"testhost, Linux 6.1.0-44-amd64: 20.0 s at 199 samples per second and CPU, by timer\n"
		"\n"
		"  CPU time           10.00 s  0.50 of 4 CPUs were busy\n"
		"  samples                100  of 6 stacks in 3 processes\n"
		"  lost                    10  9.09 % of the samples, 1.00 s: the reader was late; larger rings help\n"
		"  named               90.0 %  of the time the function that ran is known; else its file counts\n"
		"  whole stacks        77.8 %  of the time in processes the user stack is whole;\n"
		"                      11.1 %  breaks off: `ktally report --ends` tells where;\n"
		"                      11.1 %  is deeper than was asked for (--depth)\n"
		"\n"
		"WHERE CPU TIME WENT            seconds   share\n"
		"  kernel                          5.00    50.0 %  ########\n"
		"    network/tcp                   3.00    30.0 %  #####\n"
		"      write                       2.00    20.0 %  ###\n"
		"      read                        1.00    10.0 %  ##\n"
		"    disk/write                    1.00    10.0 %  ##\n"
		"    memory                        1.00    10.0 %  ##\n"
		"  native                          5.00    50.0 %  ########\n"
		"\n"
		"USER CODE                      seconds   share                     mostly in\n"
		"  libcrypto                       4.00    40.0 %  ###############  openssl 100 %\n"
		"  liblzma                         1.00    10.0 %  ####             xz 100 %\n"
		"\n"
		"PROCESSES                      seconds   share                     mostly\n"
		"  openssl                         8.00    80.0 %  ###############  native/libcrypto 50 %\n"
		"  kworker/0:1                     1.00    10.0 %  ##               kernel/disk/write 100 %\n"
		"  xz                              1.00    10.0 %  ##               native/liblzma 100 %\n"
		"\n"
		"SYSTEM CALLS                   seconds   share                     mostly\n"
		"  write                           2.00    20.0 %  ###############  kernel/network/tcp/write 100 %\n"
		"  read                            1.00    10.0 %  ########         kernel/network/tcp/read 100 %\n";
	struct profile *profile = fake_profile();
	struct task *openssl = fake_task(profile, 10, 10, "openssl", "openssl"),
		    *xz = fake_task(profile, 11, 11, "xz", "xz");
	struct task *worker = fake_task(profile, 5, 5, "kworker/0:1", "kworker/0:1");
	struct stack *stack;
	char *text;

	fake_cell(profile, openssl, fake_stack(profile, "native/libcrypto", "u:aes@/usr/lib/libcrypto.so.3"), 40,
		  4000000000);
	stack = fake_stack(profile, "kernel/network/tcp/write", "k:tcp_sendmsg u:write@/usr/lib/libc.so.6");
	stack->class.syscall_name = intern("write");
	fake_cell(profile, openssl, stack, 20, 2000000000);
	stack = fake_stack(profile, "kernel/network/tcp/read", "k:tcp_recvmsg u:read@/usr/lib/libc.so.6");
	stack->class.syscall_name = intern("read");
	stack->user_end = KTALLY_END_TRUNCATED;
	fake_cell(profile, openssl, stack, 10, 1000000000);
	fake_cell(profile, openssl, fake_stack(profile, "kernel/memory", "k:clear_page u:main@/usr/bin/openssl"), 10,
		  1000000000);
	stack = fake_stack(profile, "native/liblzma", "u:@/usr/lib/liblzma.so.5");
	stack->user_end = KTALLY_END_BROKEN;
	fake_cell(profile, xz, stack, 10, 1000000000);
	fake_cell(profile, worker, fake_stack(profile, "kernel/disk/write", "k:ext4_writepages"), 10, 1000000000);
	profile->lost[KTALLY_LOST_FULL] = (struct ktally_loss){ .count = 10, .weight = 1000000000 };

	text = breakdown(profile);
	check_string(text, expected, "the whole page");
	free(text);
	check_number(fake_export_full(export_breakdown, profile), -ENOSPC, "a full disk is told");

	profile->lost[KTALLY_LOST_BUSY] = (struct ktally_loss){ .count = 3, .weight = 30000000 };
	profile->lost[KTALLY_LOST_NOTICE] = (struct ktally_loss){ .count = 4 };
	profile->orphans = 5;
	profile->bad_records = 6;
	profile->throttles = 7;
	text = breakdown(profile);
	check(strstr(text,
		     "  lost                     3  2.65 % of the samples, 0.03 s: interrupts were off for long\n"),
	      "the other loss of samples");
	check(strstr(text, "  lost                     4  announcements of exec and exit, not samples\n"),
	      "lost announcements");
	check(strstr(text, "  orphans                  5  samples of a task or stack that was not announced"),
	      "orphans");
	check(strstr(text, "  left out                 6  records that cannot be understood\n"), "bad records");
	check(strstr(text, "  thinned                  7  times"), "throttling");
	free(text);
	fake_free(profile);
}

/* Columns that a line takes on a terminal. */
static unsigned int columns_of(const char *line)
{
	unsigned int columns = 0;

	for (; *line && *line != '\n'; line++)
		columns += (*line & 0xc0) != 0x80;
	return columns;
}

static void check_limits(void)
{
	struct profile *profile = fake_profile();
	unsigned int widest = 0, controls = 0, rows = 0;
	char *text, *at;

	for (unsigned int i = 0; i < 300; i++) {
		char name[400], area[200], frames[64];
		struct task *task;

		snprintf(name, sizeof(name), "%s%u-\xc3\xbc\xe2\x82\xac\n\x1b[31m-%0*u",
			 i % 2 ? "a process with a long name " : "", i, i, i);
		snprintf(area, sizeof(area), "%s/%0*u", i % 3 ? "kernel/subsystem" : "native", i % 150 + 1, i % 20);
		snprintf(frames, sizeof(frames), "u:f%u@/usr/lib/l%u.so", i, i);
		task = fake_task(profile, i, i, name, "x");
		fake_cell(profile, task, fake_stack(profile, area, frames), UINT64_C(1) << 40, UINT64_C(1) << (i % 55));
	}
	text = breakdown(profile);
	for (at = text; *at; at += strcspn(at, "\n") + 1) {
		widest = columns_of(at) > widest ? columns_of(at) : widest;
		rows++;
	}
	for (at = text; *at; at++)
		controls += (unsigned char)*at < ' ' && *at != '\n';
	check(widest <= 100, "no line is wider than 100 columns: %u", widest);
	check_number(controls, 0, "no control character of a name gets through");
	check(rows < 150, "many processes and libraries do not make it long: %u lines", rows);
	check(strstr(text, "  288 more  "), "what is not shown is counted");
	free(text);
	fake_free(profile);
}

/* The rows of a table and what is not shown are all there is. */
static void check_sum(void)
{
	struct profile *profile = fake_profile();
	double sum = 0;
	char *text, *at;

	for (unsigned int i = 1; i <= 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%u", i);
		fake_cell(profile, fake_task(profile, i, i, name, name), fake_stack(profile, "native/x", "u:f@/x"), 1,
			  i * 1000000000ULL);
	}
	text = breakdown(profile);
	at = strstr(text, "PROCESSES");
	at = at ? strchr(at, '\n') : NULL;
	while (at && at[1] == ' ') {
		double seconds = 0;

		sscanf(at + 1 + 26, "%lf", &seconds);
		sum += seconds;
		at = strchr(at + 1, '\n');
	}
	check_number((long long)sum, 5050, "rows and the rest make the whole");
	free(text);
	fake_free(profile);
}

static void check_empty(void)
{
	struct profile *profile = fake_profile();
	char *text;

	profile->last_time = profile->first_time;
	text = breakdown(profile);
	check(strstr(text, "CPU time            0.00 s\n") && strstr(text, "lost                  none\n"),
	      "nothing sampled");
	check(!strstr(text, "nan") && !strstr(text, "inf") && !strstr(text, "WHERE"), "nothing is divided by it");
	free(text);
	fake_free(profile);
}

int main(void)
{
	setenv("LC_ALL", "C", 1);
	check_page();
	check_limits();
	check_sum();
	check_empty();
	setenv("LC_ALL", "C.UTF-8", 1);
	check_limits();
	return check_end();
}
