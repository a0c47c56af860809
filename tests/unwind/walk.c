// SPDX-License-Identifier: GPL-2.0-or-later
/* The user unwinder on stacks that are made by hand: each kind of rule, each end, and what a process can do to it. */
#include "check.h"
#include "scene.h"

#define FUNCTION(n)	(CODE + 0x1000 + 0x100 * (u64)(n))	/* where the n-th function begins */
#define SP		(STACK + STACK_BYTES / 2)
#define RULE(...)	((struct ktally_unwind_rule) { .kind = __VA_ARGS__ })
#define BY_RSP(offset)	RULE(KTALLY_UNWIND_REGISTER, 7, .cfa_offset = (offset))
#define IS_END		RULE(KTALLY_UNWIND_END)

/* One rule for each function, from the first. */
static void functions(const struct ktally_unwind_rule *rules, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		scene_rule(FUNCTION(i), 0x100, rules[i]);
}

#define FUNCTIONS(...) do {									\
	const struct ktally_unwind_rule rules[] = { __VA_ARGS__ };				\
												\
	functions(rules, sizeof(rules) / sizeof(rules[0]));					\
} while (0)

/* The walk ends like this, and with these addresses in its frames, the last 0. */
static void expect_frames(const char *name, u8 end, const u64 *addresses)
{
	unsigned int count = 0, wrong = 0;

	scene_walk();
	while (addresses[count]) {
		wrong += count >= scene.count || scene.frames[count] != scene_frame(addresses[count]);
		count++;
	}
	check(scene.end == end && scene.count == count && !wrong, "%s", name);
	if (scene.end == end && scene.count == count && !wrong)
		return;
	printf("# end %u, wanted %u; %u frames, wanted %u\n", scene.end, end, scene.count, count);
	for (unsigned int i = 0; i < scene.count && i < 8; i++)
		printf("# %#llx, wanted %#llx\n", scene.frames[i], i < count ? scene_frame(addresses[i]) : 0);
}

#define expect(name, end, ...) expect_frames(name, end, (const u64[]) { __VA_ARGS__, 0 })

/* ------------------------------------------------------------------------------------------------ kinds of rules */

static void register_rules(void)
{
	scene_begin();
	FUNCTIONS(BY_RSP(8), BY_RSP(32), IS_END);
	scene.registers.ip = FUNCTION(0) + 0x20;
	scene_word(SP, FUNCTION(1) + 0x40);
	scene_word(SP + 32, FUNCTION(2) + 0x10);
	expect("CFA by rsp, to the outermost frame", KTALLY_END_COMPLETE, FUNCTION(0) + 0x20, FUNCTION(1) + 0x3f,
	       FUNCTION(2) + 0xf);

	/* A call that does not return is the last of its function: its return address is in the next. */
	scene_begin();
	FUNCTIONS(BY_RSP(8), BY_RSP(32), IS_END);
	scene.registers.ip = FUNCTION(0);
	scene_word(SP, FUNCTION(2));
	scene_word(SP + 32, FUNCTION(2) + 0x10);
	expect("the rule of a caller is the one of its call", KTALLY_END_COMPLETE, FUNCTION(0), FUNCTION(2) - 1,
	       FUNCTION(2) + 0xf);

	scene_begin();
	FUNCTIONS(RULE(KTALLY_UNWIND_REGISTER, 6, 1, 16, .saved_at = { -2 }),
		  RULE(KTALLY_UNWIND_REGISTER, 6, 1, 16, .saved_at = { -2 }), IS_END);
	scene.registers.ip = FUNCTION(0) + 8;
	scene.registers.bp = SP + 0x80;
	scene_word(SP + 0x80, SP + 0x200);
	scene_word(SP + 0x88, FUNCTION(1) + 8);
	scene_word(SP + 0x208, FUNCTION(2) + 8);
	expect("CFA by rbp, which is restored", KTALLY_END_COMPLETE, FUNCTION(0) + 8, FUNCTION(1) + 7, FUNCTION(2) + 7);

	scene_begin();
	FUNCTIONS(RULE(KTALLY_UNWIND_REGISTER, 10, .cfa_offset = 0), IS_END);
	scene.registers.ip = FUNCTION(0) + 8;
	scene.registers.r10 = SP + 0x100;
	scene_word(SP + 0xf8, FUNCTION(1) + 8);
	expect("CFA by any register at the leaf", KTALLY_END_COMPLETE, FUNCTION(0) + 8, FUNCTION(1) + 7);

	scene_begin();
	FUNCTIONS(BY_RSP(8), RULE(KTALLY_UNWIND_REGISTER, 10), IS_END);
	scene.registers.ip = FUNCTION(0) + 8;
	scene.registers.r10 = SP + 0x100;
	scene_word(SP, FUNCTION(1) + 8);
	scene_word(SP + 0xf8, FUNCTION(2) + 8);
	expect("but not by one that the callee may have changed", KTALLY_END_NO_TABLE, FUNCTION(0) + 8, FUNCTION(1) + 7);
}

/* Each of the registers that are kept across calls, from where it was saved two calls ago. */
static void saved_registers(void)
{
	static const u8 numbers[] = { 6, 3, 12, 13, 14, 15 };

	for (unsigned int i = 0; i < KTALLY_UNWIND_SAVED; i++) {
		struct ktally_unwind_rule saves = BY_RSP(128), restored = RULE(KTALLY_UNWIND_REGISTER, numbers[i]);
		char name[64];

		saves.saved = (u16)(1U << i);
		saves.saved_at[i] = (s16)(-3 - (int)i);
		scene_begin();
		FUNCTIONS(saves, BY_RSP(16), restored, IS_END);
		scene.registers.ip = FUNCTION(0) + 8;
		scene_word(SP + 128 - 8 * (3 + i), SP + 0x400);
		scene_word(SP + 120, FUNCTION(1) + 8);
		scene_word(SP + 136, FUNCTION(2) + 8);
		scene_word(SP + 0x3f8, FUNCTION(3) + 8);
		snprintf(name, sizeof(name), "register %u is restored and kept", numbers[i]);
		expect(name, KTALLY_END_COMPLETE, FUNCTION(0) + 8, FUNCTION(1) + 7, FUNCTION(2) + 7, FUNCTION(3) + 7);

		saves.saved_at[i] = 0x7fff;
		scene_begin();
		FUNCTIONS(saves, IS_END);
		scene.registers.ip = FUNCTION(0) + 8;
		scene_word(SP + 120, FUNCTION(1) + 8);
		snprintf(name, sizeof(name), "a hole where register %u was saved", numbers[i]);
		expect(name, KTALLY_END_HOLE, FUNCTION(0) + 8);
	}
}

/* As a function does it that aligns its stack: where rbp points to is its caller's. */
static void saved_from_rbp(void)
{
	scene_begin();
	FUNCTIONS(RULE(KTALLY_UNWIND_DEREF, 6, 5 | 5 << KTALLY_UNWIND_SAVED_FROM_RBP, -8, 0, { 0, 0, -3 }),
		  RULE(KTALLY_UNWIND_REGISTER, 6), RULE(KTALLY_UNWIND_REGISTER, 12), IS_END);
	scene.registers.ip = FUNCTION(0) + 8;
	scene.registers.bp = SP + 0x40;
	scene_word(SP + 0x40, SP + 0x100);
	scene_word(SP + 0x38, SP + 0x60);
	scene_word(SP + 0x28, SP + 0x200);
	scene_word(SP + 0x58, FUNCTION(1) + 8);
	scene_word(SP + 0xf8, FUNCTION(2) + 8);
	scene_word(SP + 0x1f8, FUNCTION(3) + 8);
	expect("registers saved from rbp on", KTALLY_END_COMPLETE, FUNCTION(0) + 8, FUNCTION(1) + 7, FUNCTION(2) + 7,
	       FUNCTION(3) + 7);

	scene_begin();
	FUNCTIONS(RULE(KTALLY_UNWIND_DEREF, 6, 5 | 1 << KTALLY_UNWIND_SAVED_FROM_RBP, -8, 0, { 0, 0, -3 }),
		  RULE(KTALLY_UNWIND_REGISTER, 6), RULE(KTALLY_UNWIND_REGISTER, 12), IS_END);
	scene.registers.ip = FUNCTION(0) + 8;
	scene.registers.bp = SP + 0x40;
	scene_word(SP + 0x40, SP + 0x100);
	scene_word(SP + 0x38, SP + 0x60);
	scene_word(SP + 0x48, SP + 0x200);
	scene_word(SP + 0x58, FUNCTION(1) + 8);
	scene_word(SP + 0xf8, FUNCTION(2) + 8);
	scene_word(SP + 0x1f8, FUNCTION(3) + 8);
	expect("one from rbp, one from the CFA", KTALLY_END_COMPLETE, FUNCTION(0) + 8, FUNCTION(1) + 7, FUNCTION(2) + 7,
	       FUNCTION(3) + 7);

	scene_begin();
	FUNCTIONS(RULE(KTALLY_UNWIND_REGISTER, 7, 1 | 1 << KTALLY_UNWIND_SAVED_FROM_RBP, 8), IS_END);
	scene.registers.ip = BARE;
	scene.registers.bp = SP + 0x40;
	scene_word(SP + 0x40, 0x1000);
	scene_word(SP + 0x48, FUNCTION(0) + 8);
	scene_word(SP + 0x50, FUNCTION(1) + 8);
	expect("a hole there", KTALLY_END_HOLE, BARE, FUNCTION(0) + 7);
}

static void dereferenced(void)
{
	scene_begin();
	FUNCTIONS(RULE(KTALLY_UNWIND_DEREF, 6, .cfa_offset = -8, .deref_offset = 16), IS_END);
	scene.registers.ip = FUNCTION(0) + 8;
	scene.registers.bp = SP + 0x20;
	scene_word(SP + 0x18, SP + 0x100);
	scene_word(SP + 0x108, FUNCTION(1) + 8);
	expect("CFA by what a register points to", KTALLY_END_COMPLETE, FUNCTION(0) + 8, FUNCTION(1) + 7);

	scene.registers.bp = BARE;
	expect("a hole there", KTALLY_END_HOLE, FUNCTION(0) + 8);
	scene.registers.bp = 0;
	expect("an address below zero there", KTALLY_END_HOLE, FUNCTION(0) + 8);
	scene.registers.bp = 0xffffffff81000000;
	expect("an address in the kernel there", KTALLY_END_HOLE, FUNCTION(0) + 8);
}

/* jmp *slot; push index; jmp first: after the push, there is a word more on the stack. */
static void procedure_linkage(void)
{
	for (unsigned int at = 0; at < 16; at++) {
		char name[64];

		scene_begin();
		FUNCTIONS(RULE(KTALLY_UNWIND_PLT, .cfa_offset = 8, .deref_offset = 11), IS_END, IS_END);
		scene.registers.ip = FUNCTION(0) + 0x20 + at;
		scene_word(SP, FUNCTION(1) + 8);
		scene_word(SP + 8, FUNCTION(2) + 8);
		snprintf(name, sizeof(name), "byte %u of a procedure linkage stub", at);
		expect(name, KTALLY_END_COMPLETE, FUNCTION(0) + 0x20 + at, FUNCTION(at < 11 ? 1 : 2) + 7);
	}
}

/* A signal frame at @at: the struct ucontext to which rsp points when the handler has returned. */
static void put_context(u64 at, u64 ip, u64 sp)
{
	for (unsigned int i = 0; i < 16; i++)
		scene_word(at + 40 + 8 * i, 0x1000 + i);
	scene_word(at + 40 + 8 * 15, sp);
	scene_word(at + 40 + 8 * 16, ip);
}

static void signals(void)
{
	static const struct { u8 number, place; } order[] = {
		{ 0, 13 }, { 1, 12 }, { 2, 14 }, { 3, 11 }, { 4, 9 }, { 5, 8 }, { 6, 10 }, { 8, 0 }, { 9, 1 }, { 10, 2 },
		{ 11, 3 }, { 12, 4 }, { 13, 5 }, { 14, 6 }, { 15, 7 },
	};
	const u64 context = SP + 0x108;
	unsigned int i;

	/* The handler, the trampoline to which it returns, and a function of which the signal hit the first byte. */
	scene_begin();
	FUNCTIONS(BY_RSP(0x108), RULE(KTALLY_UNWIND_SIGNAL), BY_RSP(24), BY_RSP(8), IS_END);
	scene.registers.ip = FUNCTION(0) + 8;
	scene_word(SP + 0x100, FUNCTION(1) + 1);
	put_context(context, FUNCTION(3), SP + 0x400);
	scene_word(SP + 0x400, FUNCTION(4) + 8);
	expect("a signal frame", KTALLY_END_COMPLETE, FUNCTION(0) + 8, FUNCTION(1) + 1, FUNCTION(3), FUNCTION(4) + 7);

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		char name[64];

		scene_begin();
		FUNCTIONS(BY_RSP(8), RULE(KTALLY_UNWIND_SIGNAL), RULE(KTALLY_UNWIND_REGISTER, order[i].number), IS_END);
		scene.registers.ip = FUNCTION(0);
		scene_word(SP, FUNCTION(1) + 1);
		put_context(SP + 8, FUNCTION(2), SP + 0x400);
		scene_word(SP + 8 + 40 + 8 * order[i].place, SP + 0x500);
		scene_word(SP + 0x4f8, FUNCTION(3) + 8);
		snprintf(name, sizeof(name), "a signal frame has register %u", order[i].number);
		expect(name, KTALLY_END_COMPLETE, FUNCTION(0), FUNCTION(1) + 1, FUNCTION(2), FUNCTION(3) + 7);
	}

	scene_begin();
	FUNCTIONS(RULE(KTALLY_UNWIND_SIGNAL), BY_RSP(8), IS_END);
	scene.registers.ip = FUNCTION(0);
	scene.registers.sp = OTHER_STACK + 0x100;
	put_context(OTHER_STACK + 0x100, FUNCTION(1), SP);
	scene_word(SP, FUNCTION(2) + 8);
	expect("from the alternate stack, below", KTALLY_END_COMPLETE, FUNCTION(0), FUNCTION(1), FUNCTION(2) + 7);

	scene_begin();
	FUNCTIONS(RULE(KTALLY_UNWIND_SIGNAL), BY_RSP(8), IS_END);
	scene.registers.ip = FUNCTION(0);
	put_context(SP, FUNCTION(1), OTHER_STACK + 0x100);
	scene_word(OTHER_STACK + 0x100, FUNCTION(2) + 8);
	expect("from the alternate stack, above", KTALLY_END_COMPLETE, FUNCTION(0), FUNCTION(1), FUNCTION(2) + 7);

	scene_begin();
	FUNCTIONS(RULE(KTALLY_UNWIND_SIGNAL), IS_END);
	scene.registers.ip = FUNCTION(0);
	put_context(SP, FUNCTION(0), OTHER_STACK + 0x100);
	put_context(OTHER_STACK + 0x100, FUNCTION(0), SP);
	expect("to another stack only once", KTALLY_END_FOREIGN, FUNCTION(0), FUNCTION(0));

	scene_begin();
	FUNCTIONS(RULE(KTALLY_UNWIND_SIGNAL), IS_END);
	scene.registers.ip = FUNCTION(0);
	put_context(SP, 0xffffffff81000000, SP + 0x400);
	expect("a signal in the kernel", KTALLY_END_BROKEN, FUNCTION(0));
	scene.registers.sp = STACK + STACK_BYTES - 40 - 8 * 16;
	expect("a hole instead of its rip", KTALLY_END_HOLE, FUNCTION(0));
	scene.registers.sp = STACK + STACK_BYTES - 40;
	expect("a hole instead of a signal frame", KTALLY_END_HOLE, FUNCTION(0));
}

/* ------------------------------------------------------------------------------------------------ frame pointers */

static void frame_pointers(void)
{
	const u64 bare = BARE + 0x500, nowhere = 0x7f3000000000;

	/* From a table's code to code without one, and back, and on. */
	scene_begin();
	FUNCTIONS(BY_RSP(8), RULE(KTALLY_UNWIND_REGISTER, 6, .cfa_offset = 16), IS_END);
	scene.registers.ip = FUNCTION(0) + 8;
	scene.registers.bp = SP + 0x40;
	scene_word(SP, bare);
	scene_word(SP + 0x40, SP + 0x80);
	scene_word(SP + 0x48, FUNCTION(1) + 8);
	scene_word(SP + 0x88, FUNCTION(2) + 8);
	expect("a frame pointer where no table is, then tables again", KTALLY_END_COMPLETE, FUNCTION(0) + 8, bare - 1,
	       FUNCTION(1) + 7, FUNCTION(2) + 7);

	/* Between functions, where the table knows nothing. */
	scene_begin();
	FUNCTIONS(IS_END);
	scene.registers.ip = FUNCTION(5);
	scene.registers.bp = SP + 0x40;
	scene_word(SP + 0x48, FUNCTION(0) + 8);
	expect("a frame pointer where the table has a gap", KTALLY_END_COMPLETE, FUNCTION(5), FUNCTION(0) + 7);

	scene_begin();
	scene.registers.ip = nowhere;
	scene.registers.bp = SP + 0x40;
	scene_word(SP + 0x40, SP + 0x80);
	scene_word(SP + 0x48, nowhere + 0x100);
	scene_word(SP + 0x88, nowhere + 0x200);
	expect("code of no file; a zero link is the end", KTALLY_END_COMPLETE, nowhere, nowhere + 0xff, nowhere + 0x1ff);
	scene_word(SP + 0x88, 0);
	expect("a zero return address is the end", KTALLY_END_COMPLETE, nowhere, nowhere + 0xff);
	scene_word(SP + 0x88, 0xffffffff81000000);
	expect("a return to the kernel", KTALLY_END_NO_TABLE, nowhere, nowhere + 0xff);
	scene_word(SP + 0x88, nowhere + 0x200);
	scene_word(SP + 0x40, SP + 0x40);
	expect("a link to itself", KTALLY_END_NO_TABLE, nowhere, nowhere + 0xff);
	scene_word(SP + 0x40, SP + 0x81);
	expect("a link that is not aligned", KTALLY_END_NO_TABLE, nowhere, nowhere + 0xff);
	scene_word(SP + 0x40, STACK + STACK_BYTES - 8);
	expect("a link to the end of what can be read", KTALLY_END_HOLE, nowhere, nowhere + 0xff);
	scene_word(SP + 0x40, SP + (1 << 30));
	expect("a link much further up", KTALLY_END_NO_TABLE, nowhere, nowhere + 0xff);
	scene_word(SP + 0x40, 0xffffffff81000000);
	expect("a link to the kernel", KTALLY_END_NO_TABLE, nowhere, nowhere + 0xff);
	scene.registers.bp = 0;
	expect("no frame pointer at all", KTALLY_END_NO_TABLE, nowhere);
	scene.registers.bp = SP - 8;
	expect("a frame pointer below the stack pointer", KTALLY_END_NO_TABLE, nowhere);
	scene.registers.bp = UINT64_MAX - 7;
	expect("a frame pointer at the end of all addresses", KTALLY_END_NO_TABLE, nowhere);

	scene_begin();
	FUNCTIONS(RULE(KTALLY_UNWIND_REGISTER, 12), IS_END);
	scene.registers.ip = bare;
	scene.registers.bp = SP + 0x40;
	scene.registers.r12 = SP + 0x100;
	scene_word(SP + 0x48, FUNCTION(0) + 8);
	scene_word(SP + 0xf8, FUNCTION(1) + 8);
	expect("what it has saved is not known", KTALLY_END_NO_TABLE, bare, FUNCTION(0) + 7);

	scene_begin();
	FUNCTIONS(RULE(KTALLY_UNWIND_REGISTER, 7, 4, 16, .saved_at = { 0, 0, -2 }), RULE(KTALLY_UNWIND_REGISTER, 12), IS_END);
	scene.registers.ip = bare;
	scene.registers.bp = SP + 0x40;
	scene_word(SP + 0x48, FUNCTION(0) + 8);
	scene_word(SP + 0x50, SP + 0x100);
	scene_word(SP + 0x58, FUNCTION(1) + 8);
	scene_word(SP + 0xf8, FUNCTION(2) + 8);
	expect("but what its callers have", KTALLY_END_COMPLETE, bare, FUNCTION(0) + 7, FUNCTION(1) + 7, FUNCTION(2) + 7);

	scene_begin();
	FUNCTIONS(RULE(KTALLY_UNWIND_SIGNAL));
	scene.registers.ip = bare;
	scene.registers.bp = SP + 0x40;
	scene_word(SP + 0x40, SP + 0x100);
	scene_word(SP + 0x48, FUNCTION(0) + 1);
	put_context(SP + 0x50, bare + 0x10, SP + 0x400);
	scene_word(SP + 0x50 + 40 + 8 * 10, 0);
	expect("a zero that came with a signal is no end", KTALLY_END_NO_TABLE, bare, FUNCTION(0) + 1, bare + 0x10);

	/* rbp, as a function without a table left it, was saved by one with a table: it need not be a frame pointer. */
	scene_begin();
	FUNCTIONS(RULE(KTALLY_UNWIND_REGISTER, 7, 1, 24, .saved_at = { -2 }));
	scene.registers.ip = FUNCTION(0) + 8;
	scene_word(SP + 0x10, bare);
	expect("a zero that nobody linked is no end", KTALLY_END_NO_TABLE, FUNCTION(0) + 8, bare - 1);
}

/* Links of 32-bit programs are half as wide, and tables are not for them. */
static void compat(void)
{
	scene_begin();
	FUNCTIONS(IS_END);
	scene.registers.cs = __USER32_CS;
	scene.registers.ip = FUNCTION(0);
	scene.registers.bp = SP + 0x44;
	scene_word(SP + 0x44, 0x804800000000000);
	expect("the return address of a 32-bit program", KTALLY_END_COMPLETE, FUNCTION(0), 0x8047fff);
	scene_word(SP + 0x44, 0x80480000000beef);
	expect("a link of a 32-bit program", KTALLY_END_NO_TABLE, FUNCTION(0), 0x8047fff);
	scene.registers.sp = TASK_SIZE_MAX - 64;
	scene.registers.bp = TASK_SIZE_MAX - 4;
	expect("a link that reaches beyond the user's addresses", KTALLY_END_NO_TABLE, FUNCTION(0));
}

/* As for a session that did not ask for files. */
static void without_view(void)
{
	scene_begin();
	FUNCTIONS(BY_RSP(8), IS_END);
	scene.no_view = true;
	scene.registers.ip = FUNCTION(0);
	scene.registers.bp = SP + 0x40;
	scene_word(SP, FUNCTION(1) + 8);
	scene_word(SP + 0x48, FUNCTION(0) + 8);
	expect("tables are not looked at without a view", KTALLY_END_COMPLETE, FUNCTION(0), FUNCTION(0) + 7);
	check_number(scene.maker.table.used, 0, "nor marked");
}

/* ------------------------------------------------------------------------------------------------ ends */

static void ends(void)
{
	scene_begin();
	scene.registers.ip = 0xffffffff81000000;
	scene_walk();
	check(scene.count == 0 && scene.end == KTALLY_END_BROKEN, "no user address to begin with");
	scene.registers.ip = TASK_SIZE_MAX;
	scene_walk();
	check(scene.count == 0 && scene.end == KTALLY_END_BROKEN, "the first address that is not a user's");

	scene_begin();
	FUNCTIONS(BY_RSP(8));
	scene.registers.ip = FUNCTION(0);
	expect("a return address of zero", KTALLY_END_COMPLETE, FUNCTION(0));
	scene_word(SP, 1ULL << 60);
	expect("a return address that is none", KTALLY_END_BROKEN, FUNCTION(0));
	scene.registers.sp = STACK + STACK_BYTES;
	expect("a hole instead of the return address", KTALLY_END_HOLE, FUNCTION(0));
	scene.registers.sp = STACK + STACK_BYTES - 4;
	expect("half a return address", KTALLY_END_HOLE, FUNCTION(0));
	scene.registers.sp = 0xffffffff81000000;
	expect("a stack in the kernel", KTALLY_END_FOREIGN, FUNCTION(0));
	scene.registers.sp = UINT64_MAX - 7;
	expect("a stack at the end of all addresses", KTALLY_END_FOREIGN, FUNCTION(0));
	scene.registers.sp = TASK_SIZE_MAX - 8;
	expect("a stack at the end of the user's addresses", KTALLY_END_HOLE, FUNCTION(0));
	scene.registers.sp = TASK_SIZE_MAX - 7;
	expect("a stack that reaches beyond them", KTALLY_END_FOREIGN, FUNCTION(0));

	scene_begin();
	FUNCTIONS(BY_RSP(0));
	scene.registers.ip = FUNCTION(0);
	scene_word(SP - 8, FUNCTION(0) + 8);
	expect("a frame of no size", KTALLY_END_FOREIGN, FUNCTION(0));
	scene_begin();
	FUNCTIONS(BY_RSP(-64));
	scene.registers.ip = FUNCTION(0);
	scene_word(SP - 72, FUNCTION(0) + 8);
	expect("a frame that leads down", KTALLY_END_FOREIGN, FUNCTION(0));
	scene_begin();
	FUNCTIONS(BY_RSP(INT32_MAX));
	scene.registers.ip = FUNCTION(0);
	expect("a frame larger than any", KTALLY_END_FOREIGN, FUNCTION(0));
	scene_begin();
	FUNCTIONS(RULE(KTALLY_UNWIND_REGISTER, 3, .cfa_offset = 8), IS_END);
	scene.registers.ip = FUNCTION(0);
	scene.registers.bx = OTHER_STACK + 0x100;
	scene_word(OTHER_STACK + 0x100, FUNCTION(1) + 8);
	expect("a coroutine's way to another stack", KTALLY_END_FOREIGN, FUNCTION(0));

	/* A frame that returns into itself goes up for ever. */
	scene_begin();
	FUNCTIONS(BY_RSP(8));
	for (u64 at = SP; at < STACK + STACK_BYTES; at += 8)
		scene_word(at, FUNCTION(0) + 8);
	for (scene.depth = 1; scene.depth <= FRAMES_MAX; scene.depth *= 2) {
		scene.registers.ip = FUNCTION(0);
		scene_walk();
		check(scene.count == scene.depth && scene.end == KTALLY_END_TRUNCATED, "%u frames, and more",
		      scene.depth);
	}
	scene.depth = 2;
	scene_word(SP + 8, 0);
	expect("as many frames as asked for, and no more", KTALLY_END_COMPLETE, FUNCTION(0), FUNCTION(0) + 7);
}

static void use_is_marked(void)
{
	scene_begin();
	FUNCTIONS(IS_END);
	scene.registers.ip = FUNCTION(0);
	scene_walk();
	check(scene.maker.table.used == jiffies, "a table that is used says when");
	scene.maker.table.used = 0;
	scene.registers.ip = BARE;
	scene_walk();
	check(scene.maker.table.used == 0, "one that is not used does not");
}

int main(void)
{
	register_rules();
	saved_registers();
	saved_from_rbp();
	dereferenced();
	procedure_linkage();
	signals();
	frame_pointers();
	compat();
	without_view();
	ends();
	use_is_marked();
	scene_end();
	return check_end();
}
