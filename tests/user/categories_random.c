// SPDX-License-Identifier: GPL-2.0-or-later
/* classify/categories.h and topics.h, with random rules and stacks: against looking at every rule for every frame. */
#include <stdlib.h>

#include "base/map.h"
#include "base/message.h"
#include "check.h"
#include "classify/categories.h"
#include "classify/classify.h"
#include "classify/topics.h"

#define RULES	300
#define STACKS	3000

static unsigned int state = 7;

static unsigned int random_below(unsigned int bound)
{
	state = state * 1103515245 + 12345;
	return state / 65536 % bound;
}

/* Names over few letters, so that much matches; functions and files. */
static const char *random_name(const char *prefix)
{
	char text[16];

	snprintf(text, sizeof(text), "%s%c%c", prefix, "abcd"[random_below(4)], "abcd"[random_below(4)]);
	return intern(text);
}

struct condition_on {
	const char *function, *file;	/* NULL: none */
};

struct rule {
	bool at_leaf;
	unsigned int modes;
	struct condition_on parts[PARTS];
	const char *syscall;
};

static bool meets(const struct condition_on *on, const struct frame *frame)
{
	return (!on->function || frame->function == on->function) && (!on->file || frame->object == on->file);
}

static bool is_set(const struct condition_on *on)
{
	return on->function || on->file;
}

static bool any_meets(const struct condition_on *on, const struct stack *stack, unsigned int from, unsigned int to)
{
	for (unsigned int i = from; i < to; i++) {
		if (meets(on, &stack->frames[i]))
			return true;
	}
	return false;
}

static bool frame_meets(const struct rule *rule, const struct stack *stack, unsigned int i)
{
	return meets(&rule->parts[PART_FRAME], &stack->frames[i]) && !(rule->at_leaf && i) &&
	       (!is_set(&rule->parts[PART_CALLED_BY]) || any_meets(&rule->parts[PART_CALLED_BY], stack, i + 1, stack->user_frames)) &&
	       (!is_set(&rule->parts[PART_CALLS]) || any_meets(&rule->parts[PART_CALLS], stack, 0, i));
}

static struct condition_on random_condition(void)
{
	unsigned int kind = 1 + random_below(3);

	return (struct condition_on){ kind & 1 ? random_name("f") : NULL, kind & 2 ? random_name("/l/") : NULL };
}

static void add_condition(struct categories *categories, unsigned int match, enum part part, const struct condition_on *on)
{
	if (on->function && categories_add_pattern(categories, match, part, CONDITION_FUNCTION, on->function))
		abort();
	if (on->file && categories_add_pattern(categories, match, part, CONDITION_FILE, on->file))
		abort();
}

static struct rule add_random_rule(struct categories *categories, unsigned int number)
{
	struct rule rule = { .at_leaf = random_below(5) == 0, .modes = 1 + random_below(3) };
	char name[16];
	unsigned int match;

	snprintf(name, sizeof(name), "c%u", number);
	match = (unsigned int)categories_add_match(categories, (unsigned int)categories_add(categories, name, name, rule.modes), rule.at_leaf);
	for (enum part part = PART_FRAME; part < PARTS; part++) {
		if (part != PART_FRAME && random_below(3))
			continue;
		rule.parts[part] = random_condition();
		add_condition(categories, match, part, &rule.parts[part]);
	}
	if (random_below(4) == 0) {
		rule.syscall = random_below(2) ? intern("read") : intern("write");
		if (categories_add_pattern(categories, match, PART_FRAME, CONDITION_SYSCALL, rule.syscall))
			abort();
	}
	return rule;
}

static struct stack *random_stack(void)
{
	struct stack *stack = memory_zeroed(1, sizeof(*stack) + 12 * sizeof(stack->frames[0]));

	stack->user_frames = (uint16_t)(1 + random_below(12));
	for (unsigned int i = 0; i < stack->user_frames; i++)
		stack->frames[i] = (struct frame){ .kind = FRAME_NATIVE, .function = random_name("f"), .object = random_name("/l/") };
	classify(stack, NULL, NULL);
	return stack;
}

static bool counts_for(const struct topics *topics, const struct topic_set *set, enum topic_kind kind, unsigned int category)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct topic *topic = topics_get(topics, set->numbers[i]);

		if (topic->kind == kind && topic->category == category)
			return true;
	}
	return false;
}

static void test_against_everything(void)
{
	struct categories *categories = categories_create();
	struct rule rules[RULES];
	struct topics *topics;
	unsigned int wrong = 0, hits = 0, self_hits = 0;

	for (unsigned int i = 0; i < RULES; i++)
		rules[i] = add_random_rule(categories, i);
	categories_compile(categories);
	topics = topics_create(categories);
	for (unsigned int n = 0; n < STACKS; n++) {
		struct stack *stack = random_stack();
		const char *syscall = n % 3 == 0 ? NULL : n % 3 == 1 ? intern("read") : intern("write");
		const struct topic_set *set = topics_in_syscall(topics, topics_of_stack(topics, stack, NULL, NULL), syscall);
		bool self_found = false;

		for (unsigned int i = 0; i < RULES; i++) {
			bool inclusive = false, self = false, in_call = !rules[i].syscall || rules[i].syscall == syscall;

			for (unsigned int j = 0; j < stack->user_frames; j++)
				inclusive |= in_call && frame_meets(&rules[i], stack, j);
			self = in_call && !self_found && (rules[i].modes & MODE_SELF) && frame_meets(&rules[i], stack, 0);
			self_found |= self;
			wrong += counts_for(topics, set, TOPIC_SELF, i) != self;
			wrong += counts_for(topics, set, TOPIC_INCLUSIVE, i) != (inclusive && (rules[i].modes & MODE_INCLUSIVE));
			hits += inclusive;
			self_hits += self;
		}
		free(stack);
	}
	check_number(wrong, 0, "every rule for every frame says the same");
	check(hits > 10000 && self_hits > 1000, "and that is much: %u, %u", hits, self_hits);
	topics_destroy(topics);
	categories_destroy(categories);
}

int main(void)
{
	test_against_everything();
	return check_end();
}
