// SPDX-License-Identifier: GPL-2.0-or-later
/* cli/source.h on a stack of this very program: inlined functions become frames, and all tell their lines. */
#include <unistd.h>

#include "base/message.h"
#include "check.h"
#include "cli/source.h"

#define MM	7

enum { LINE_OF_INNERMOST = __LINE__ + 6, LINE_OF_CALL = __LINE__ + 14 };

static inline __attribute__((always_inline)) uintptr_t innermost(void)
{
	uintptr_t here;

	__asm__ volatile("leaq 0(%%rip), %0; nop; nop" : "=r" (here));
	return here;
}

__attribute__((noinline, noipa)) static uintptr_t function(void)
{
	__asm__ volatile("nop; nop");

	return innermost();
}

__attribute__((noinline, noipa)) static void never_returns(void)
{
	_exit(0);
}

static struct stack *stack_of(struct symbols *symbols, const uint64_t *addresses, size_t count)
{
	struct stack *stack = memory_zeroed(1, sizeof(*stack) + count * sizeof(stack->frames[0]));

	stack->mm_id = MM;
	stack->user_frames = (uint16_t)count;
	for (size_t i = 0; i < count; i++) {
		stack->frames[i].address = addresses[i];
		symbols_name(symbols, MM, false, &stack->frames[i]);
	}
	return stack;
}

int main(void)
{
	struct symbols *symbols = symbols_create(0);
	struct source *source = source_create();
	const uintptr_t inside = function();
	const uint64_t addresses[] = { inside, inside, 0x1000, (uintptr_t)never_returns + 1 };
	char *executable, *text, inlined[64], outer[64];
	struct stack *stack;
	size_t bytes;

	if (symbols_read_mappings((uint32_t)getpid(), &executable, &text, &bytes))
		message_fatal(EXIT_FAILED, "cannot read my own mappings");
	symbols_set_mappings(symbols, MM, (uint32_t)getpid(), executable, text, bytes);
	snprintf(inlined, sizeof(inlined), "innermost (source.c:%u)", LINE_OF_INNERMOST);
	snprintf(outer, sizeof(outer), "function (source.c:%u)", LINE_OF_CALL);
	stack = stack_of(symbols, addresses, 4);
	check_string(stack->frames[0].function, "function", "without lines");
	stack = source_expand(source, symbols, stack);
	if (check_number(stack->user_frames, 6, "two frames more")) {
		check_string(stack->frames[0].function, inlined, "the innermost function, at the instruction");
		check_string(stack->frames[1].function, outer, "what it was inlined into");
		check_string(stack->frames[2].function, inlined, "again, as a caller");
		check_string(stack->frames[3].function, outer, "at the same one");
		check_string(stack->frames[0].source->function, "innermost", "its name alone");
		check(strstr(stack->frames[0].source->file, "tests/user/source.c"), "its file, with its path");
		check_number(stack->frames[0].source->line, LINE_OF_INNERMOST, "its line");
		check(stack->frames[0].source->inlined && !stack->frames[1].source->inlined, "it was inlined, the other was not");
		check_string(stack->frames[1].source->function, "function", "whose name is known alone, too");
		check_number(stack_inlined(stack, 0), 2, "they are at one address");
		check_number(stack_inlined(stack, 4), 1, "others are by themselves");
		check_string(stack->frames[4].function, NULL, "an address that is nowhere");
		check(stack->frames[5].function && !strncmp(stack->frames[5].function, "never_returns (source.c:", 24),
		      "a function without inlined ones: %s", stack->frames[5].function);
		check(stack->frames[0].address == inside && stack->frames[1].address == inside &&
		      stack->frames[0].object == stack->frames[1].object && !stack->frames[0].function_offset,
		      "both are at the same address of the same file");
	}
	free(stack);
	source_destroy(source);
	symbols_destroy(symbols);
	free(executable);
	free(text);
	return check_end();
}
