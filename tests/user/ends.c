// SPDX-License-Identifier: GPL-2.0-or-later
/* ktally report --ends: which stacks break off where, of what ran and what waited. */
#include "check.h"
#include "cli/ends.h"
#include "fake.h"

static char *report(const struct profile *profile, uint32_t sources, size_t most)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *file = open_memstream(&text, &bytes);

	check_number(ends_write(file, profile, sources, most), 0, "the report is written");
	fclose(file);
	return text;
}

static struct stack *ending(struct profile *profile, const char *frames, uint8_t end)
{
	struct stack *stack = fake_stack(profile, "native", frames);

	stack->user_end = end;
	return stack;
}

/* As much time each: by name, then by end. */
static void in_order(void)
{
	struct profile *profile = fake_profile();
	struct task *task = fake_task(profile, 7, 7, "node", "node");
	char *text, *at;
	bool ordered = true;

	for (unsigned int i = 0; i < 8; i++) {
		char frames[32];

		snprintf(frames, sizeof(frames), "u:f@/usr/lib/lib%c.so", 'a' + i * 5 % 8);
		fake_cell(profile, task, ending(profile, frames, KTALLY_END_TRUNCATED), 1, 1000);
		fake_cell(profile, task, ending(profile, frames, KTALLY_END_BROKEN), 1, 1000);
	}
	at = text = report(profile, KTALLY_SOURCE_ONCPU, 99);
	for (unsigned int i = 0; i < 16 && ordered; i++) {
		char line[32];

		snprintf(line, sizeof(line), "/usr/lib/lib%c.so\n", 'a' + i / 2);
		at = strstr(at, line);
		ordered = at && !strncmp(strstr(at, "ends ") + 5, i % 2 ? "no sensible" : "deeper", 6);
		at = at ? at + 1 : at;
	}
	check(ordered, "those with as much time are in order");
	free(text);
	fake_free(profile);
}

int main(void)
{
	static const char expected[] =
		"Of 10.00 s in processes the user stack is whole for 50.0 %.\n"
		"\n"
		"     seconds    share   samples  STACKS END IN\n"
		"        3.00   30.0 %        30  libfoo.so.1  /usr/lib/libfoo.so.1\n"
		"         ends no unwind table knew this code, and there was no frame pointer\n"
		"        cure: in the first second of a file it is being read; later: build it with -fasynchronous-unwind-tables "
		"or -fno-omit-frame-pointer\n"
		"        1.00   10.0 %        10  node, code of no file\n"
		"         ends no unwind table knew this code, and there was no frame pointer\n"
		"        0.60    6.0 %         5  libfoo.so.1  /usr/lib/libfoo.so.1\n"
		"         ends deeper than was asked for\n"
		"        cure: record with a larger --depth\n"
		"and 1 more\n";
	struct profile *profile = fake_profile();
	struct task *task = fake_task(profile, 7, 7, "node", "node");
	char *text;

	fake_cell(profile, task, fake_stack(profile, "kernel", "k:schedule"), 9, 9000000000);
	fake_cell(profile, task, ending(profile, "u:f@/usr/bin/node u:main@/usr/bin/node", KTALLY_END_COMPLETE), 50, 5000000000);
	fake_cell(profile, task, ending(profile, "u:a@/usr/bin/node u:b@/usr/lib/libfoo.so.1", KTALLY_END_NO_TABLE), 20, 2000000000);
	fake_cell(profile, task, ending(profile, "k:x u:b@/usr/lib/libfoo.so.1", KTALLY_END_NO_TABLE), 10, 1000000000);
	fake_cell(profile, task, ending(profile, "u:c@/usr/lib/libfoo.so.1", KTALLY_END_TRUNCATED), 5, 600000000);
	fake_cell(profile, task, ending(profile, "u:d@/usr/lib/libfoo.so.1 a:", KTALLY_END_NO_TABLE), 10, 1000000000);
	fake_cell(profile, task, ending(profile, "u:e@/usr/bin/node", 99), 5, 400000000);
	fake_wait(profile, task, ending(profile, "u:w@/usr/lib/libbar.so", KTALLY_END_FOREIGN), "lock", 3, 4000000000);

	text = report(profile, KTALLY_SOURCE_ONCPU, 3);
	check_string(text, expected, "what ran: files by the time that their ends concern");
	free(text);
	text = report(profile, KTALLY_SOURCE_ONCPU, 9);
	check(strstr(text, "ends as a newer module says with 99\n"), "an end that is not known yet");
	free(text);
	text = report(profile, KTALLY_SOURCE_OFFCPU, 9);
	check(strstr(text, "Of 4.00 s") && strstr(text, "/usr/lib/libbar.so\n") && strstr(text, "coroutine"), "what waited");
	free(text);
	fake_free(profile);
	in_order();
	return check_end();
}
