// SPDX-License-Identifier: GPL-2.0-or-later
/* classify/automaton.h: against matching every pattern by itself, with random patterns over few letters, so that all overlap. */
#include <string.h>

#include "check.h"
#include "classify/automaton.h"

#define PATTERNS	60
#define TEXTS		2000

static unsigned int state = 1;

static unsigned int random_below(unsigned int bound)
{
	state = state * 1103515245 + 12345;
	return state / 65536 % bound;
}

static void random_text(char *text, unsigned int least, unsigned int most)
{
	unsigned int bytes = least + random_below(most - least + 1);

	for (unsigned int i = 0; i < bytes; i++)
		text[i] = "abc_"[random_below(4)];
	text[bytes] = '\0';
}

static bool ends(char c)
{
	return c == '\0' || c == '.';
}

/* What automaton.h says a pattern means, word by word. */
static bool matches(const char *pattern, const char *text)
{
	bool anywhere = pattern[0] == '*';
	size_t bytes = strlen(pattern + anywhere);
	bool open_ended = bytes && pattern[anywhere + bytes - 1] == '*';

	bytes -= open_ended;
	for (size_t start = 0; start + bytes <= strlen(text) && (anywhere || start == 0); start++) {
		if (!strncmp(text + start, pattern + anywhere, bytes) && (open_ended || ends(text[start + bytes])))
			return true;
	}
	return false;
}

static void mark(void *context, unsigned int rule)
{
	((unsigned char *)context)[rule] = 1;
}

static void against_each_by_itself(void)
{
	unsigned int wrong = 0, hits = 0;

	for (unsigned int round = 0; round < 20; round++) {
		struct automaton *automaton = automaton_create();
		char patterns[PATTERNS][16];

		for (unsigned int i = 0; i < PATTERNS; i++) {
			char text[8];
			unsigned int kind = random_below(4);

			random_text(text, 1, 6);
			snprintf(patterns[i], sizeof(patterns[i]), "%s%s%s", kind & 1 ? "*" : "", text, kind & 2 ? "*" : "");
			automaton_add(automaton, patterns[i], i);
		}
		automaton_compile(automaton);
		for (unsigned int i = 0; i < TEXTS; i++) {
			unsigned char found[PATTERNS] = { 0 };
			char text[32];

			random_text(text, 0, 12);
			if (i % 3 == 0)
				strcat(text, ".isra.0");
			automaton_match(automaton, text, mark, found);
			for (unsigned int j = 0; j < PATTERNS; j++) {
				wrong += found[j] != matches(patterns[j], text);
				hits += found[j];
			}
		}
		automaton_destroy(automaton);
	}
	check_number(wrong, 0, "finds what matching each pattern by itself finds");
	check(hits > 100000, "and that is much: %u", hits);
}

static void by_hand(void)
{
	static const struct {
		const char *text;
		unsigned int rule;
		bool found;
	} cases[] = {
		{ "tcp_read_sock", 0, true }, { "__tcp_read_sock", 0, false }, { "tcp_rea", 0, false },
		{ "do_futex", 1, true }, { "futex", 1, true }, { "futx", 1, false },
		{ "schedule", 2, true }, { "schedule.isra.0", 2, true }, { "schedule.12", 2, true }, { "schedule.other", 2, false }, { "schedule.", 2, false }, { "schedule_idle", 2, false }, { "__schedule", 2, false },
		{ "mutex_slowpath", 3, true }, { "mutex_slowpath.part.0", 3, true }, { "mutex_slowpath_x", 3, false },
		{ "two", 4, true }, { "three", 4, true }, { "", 0, false }, { "\xff\xfe", 1, false },
	};
	struct automaton *automaton = automaton_create();

	automaton_add(automaton, "tcp_read*", 0);
	automaton_add(automaton, "*futex*", 1);
	automaton_add(automaton, "schedule", 2);
	automaton_add(automaton, "*_slowpath", 3);
	automaton_add(automaton, "\ttwo  three\n", 4);
	automaton_compile(automaton);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned char found[5] = { 0 };

		automaton_match(automaton, cases[i].text, mark, found);
		check_number(found[cases[i].rule], cases[i].found, "\"%s\" %s rule %u", cases[i].text[0] & 0x80 ? "(bytes)" : cases[i].text,
			     cases[i].found ? "matches" : "does not match", cases[i].rule);
	}
	automaton_destroy(automaton);
	automaton_destroy(NULL);
}

int main(void)
{
	by_hand();
	against_each_by_itself();
	return check_end();
}
