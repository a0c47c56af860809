// SPDX-License-Identifier: GPL-2.0
/*
 * A stack is whatever a process cares to put there, and a table, though its form has been checked,
 * says what its author likes. So every address is checked before it is read, every step must lead
 * further up the same stack, and a walk ends after `depth` frames in any case, and after so many changes
 * from mapping to mapping: its length has a bound, and it has no other effect than its frames.
 *
 * User memory is opened once for each stretch of the walk, not for each frame: that has a serializing
 * instruction. While it is open no function may be called, and objtool sees to it: what is needed
 * there is always inline, the search in the table included. Not copy_from_user_nofault(): in some
 * kernels between 5.19 and 6.3 that takes a lock which an interrupted vmalloc() may hold. Page faults
 * are off: a page that is not there makes a read fail.
 */
#ifdef __KERNEL__
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/jiffies.h>
#include <linux/kcsan-checks.h>
#include <linux/ktally.h>
#include <linux/nospec.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <asm/processor.h>
#include <asm/segment.h>
#endif

#include "stretch.h"
#include "table.h"
#include "unwind_user.h"

/* DWARF's numbers, and the only ones whose meaning matters here. */
enum { RBX = 3, RBP = 6, RSP = 7, R12 = 12, R13 = 13, R14 = 14, R15 = 15, REGISTERS = 16 };

#define KEPT_ACROSS_CALLS (BIT(RBX) | BIT(RBP) | BIT(R12) | BIT(R13) | BIT(R14) | BIT(R15))

/* Of struct ucontext, which a 64-bit process has on its stack while a signal handler runs. */
#define SIGCONTEXT_OFFSET 40

/**
 * struct frame - the one that the walk has come to
 * @registers: by DWARF number
 * @known: bit i: registers[i] is known; rsp and rbp always are
 * @words: eight bytes can be read below this address
 * @ip: where it executes, or will go on
 * @exact: @ip is that of an instruction that was executing; else the call is before it
 * @linked: rbp was read from where another frame pointer pointed, so a zero one is the end of a chain
 * @changed: a signal frame has led to another stack
 * @compat: of a 32-bit program
 */
struct frame {
	u64 registers[REGISTERS];
	unsigned long known;
	u64 words;
	u64 ip;
	bool exact;
	bool linked;
	bool changed;
	bool compat;
};

/* ------------------------------------------------------------------------------------------------ user memory */

static __always_inline bool is_user_range(u64 address, u64 bytes)
{
	return address <= TASK_SIZE_MAX - bytes;
}

/*
 * What lies beyond has the address 0 instead, where nothing is. By a mask: a processor that executes
 * ahead as if a check had said yes could read what lies in the kernel, and be made to decide by it
 * what is read next.
 */
static __always_inline u64 user_address(u64 address, u64 end)
{
	return address & array_index_mask_nospec(address, end);
}

static __always_inline bool read_word(const struct frame *frame, u64 address, u64 *word)
{
	address = user_address(address, frame->words);
	unsafe_get_user(*word, (const u64 __user *)(unsigned long)address, fault);
	return true;
fault:
	return false;
}

/* What a function that keeps a frame pointer leaves on the stack: that of its caller, and where it returns to. */
static __always_inline bool read_link(const struct frame *frame, u64 address, u64 *pointer, u64 *ip)
{
	const u32 __user *halves = (const u32 __user *)(unsigned long)user_address(address, frame->words);
	u32 half_pointer, half_ip;

	if (!frame->compat)
		return read_word(frame, address, pointer) && read_word(frame, address + sizeof(u64), ip);

	unsafe_get_user(half_pointer, &halves[0], fault);
	unsafe_get_user(half_ip, &halves[1], fault);
	*pointer = half_pointer;
	*ip = half_ip;
	return true;
fault:
	return false;
}

/* ------------------------------------------------------------------------------------------------ steps */

/*
 * Each goes from a frame to its caller's: KTALLY_END_NONE, or why there is none.
 */

/* Further up the same stack: a frame has at least the return address, and is not larger than any frame is. */
static __always_inline bool is_further_up(u64 stack_pointer, u64 next)
{
	return next - stack_pointer - 1 < KTALLY_UNWIND_FRAME_BYTES;
}

static __always_inline u8 follow_return(struct frame *frame, u64 ip)
{
	if (ip - 1 >= frame->words)
		return ip ? KTALLY_END_BROKEN : KTALLY_END_COMPLETE;
	frame->ip = ip;
	frame->exact = false;
	return KTALLY_END_NONE;
}

/*
 * For code of which nothing is known. Most of it keeps no frame pointer, so rbp can be anything: what
 * it points to has to look like a frame. A zero one marks the outermost frame, if it ends a chain; at
 * the leaf it says nothing.
 */
static __always_inline u8 step_frame_pointer(struct frame *frame)
{
	unsigned int word = frame->compat ? sizeof(u32) : sizeof(u64);
	u64 pointer = frame->registers[RBP], next, ip;
	u8 end;

	if (!pointer)
		return frame->linked ? KTALLY_END_COMPLETE : KTALLY_END_NO_TABLE;
	if (pointer & (word - 1) || !is_further_up(frame->registers[RSP], pointer + 2 * word) ||
	    pointer < frame->registers[RSP] || !is_user_range(pointer, 2 * sizeof(u64)))
		return KTALLY_END_NO_TABLE;
	if (!read_link(frame, pointer, &next, &ip))
		return KTALLY_END_HOLE;
	end = follow_return(frame, ip);
	if (end)
		return end == KTALLY_END_BROKEN ? KTALLY_END_NO_TABLE : end;

	frame->registers[RSP] = pointer + 2 * word;
	frame->registers[RBP] = next;
	frame->known = BIT(RSP) | BIT(RBP);
	frame->linked = true;
	return KTALLY_END_NONE;
}

/*
 * The handler may have had a stack of its own. The way back from it is the only one that may lead
 * anywhere; there is one such stack to a thread, so it can be taken once.
 */
static __always_inline u8 step_signal(struct frame *frame)
{
	/* As in struct sigcontext. Not by an index: where the compiler checks bounds, it would call to complain. */
	static const u8 order[REGISTERS] = { 8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7 };
	u64 from = frame->registers[RSP], at = from + SIGCONTEXT_OFFSET, ip;
	const u8 *number;

	for (number = order; number < order + REGISTERS; number++, at += sizeof(u64))
		if (!read_word(frame, at, &frame->registers[*number % REGISTERS]))
			return KTALLY_END_HOLE;
	if (!read_word(frame, at, &ip))
		return KTALLY_END_HOLE;

	if (!is_further_up(from, frame->registers[RSP])) {
		if (frame->changed)
			return KTALLY_END_FOREIGN;
		frame->changed = true;
	}
	if (!is_user_range(ip, 1))
		return KTALLY_END_BROKEN;
	frame->ip = ip;
	frame->exact = true;
	frame->known = BIT(REGISTERS) - 1;
	frame->linked = false;
	return KTALLY_END_NONE;
}

/* The @number'th of those that can be saved, if it is. @near: all of them are where the CFA says. */
static __always_inline bool restore(struct frame *frame, const struct ktally_unwind_rule *rule, u64 cfa, bool near,
				    unsigned int number, unsigned int reg)
{
	u64 base = near || !(rule->saved & BIT(KTALLY_UNWIND_SAVED_FROM_RBP + number)) ? cfa : frame->registers[RBP];

	if (!(rule->saved & BIT(number)))
		return true;
	frame->known |= BIT(reg);
	return read_word(frame, base + (u64)rule->saved_at[number] * sizeof(u64), &frame->registers[reg]);
}

/* rbp may be the base: it comes last. */
static __always_inline bool restore_all(struct frame *frame, const struct ktally_unwind_rule *rule, u64 cfa, bool near)
{
	return restore(frame, rule, cfa, near, KTALLY_UNWIND_RBX, RBX) &&
	       restore(frame, rule, cfa, near, KTALLY_UNWIND_R12, R12) &&
	       restore(frame, rule, cfa, near, KTALLY_UNWIND_R13, R13) &&
	       restore(frame, rule, cfa, near, KTALLY_UNWIND_R14, R14) &&
	       restore(frame, rule, cfa, near, KTALLY_UNWIND_R15, R15) &&
	       restore(frame, rule, cfa, near, KTALLY_UNWIND_RBP, RBP);
}

/* Those that the function has saved; the others it has not touched. */
static __always_inline bool restore_saved(struct frame *frame, const struct ktally_unwind_rule *rule, u64 cfa)
{
	if (!rule->saved)
		return true;
	if (rule->saved & BIT(KTALLY_UNWIND_RBP))
		frame->linked = false;
	if (likely(rule->saved < BIT(KTALLY_UNWIND_SAVED_FROM_RBP)))
		return restore_all(frame, rule, cfa, true);
	return restore_all(frame, rule, cfa, false);
}

/* What the registers were when the function was called, but for rsp. KTALLY_END_NONE, or why it cannot be said. */
static __always_inline u8 find_cfa(struct frame *frame, const struct ktally_unwind_rule *rule, u64 *cfa)
{
	unsigned int base = rule->kind == KTALLY_UNWIND_PLT ? RSP : rule->cfa_register % REGISTERS;

	*cfa = frame->registers[base] + (s64)rule->cfa_offset;
	if (!(frame->known & BIT(base)))
		return KTALLY_END_NO_TABLE;
	if (likely(rule->kind == KTALLY_UNWIND_REGISTER))
		return KTALLY_END_NONE;
	if (rule->kind == KTALLY_UNWIND_DEREF) {
		if (!read_word(frame, *cfa, cfa))
			return KTALLY_END_HOLE;
		*cfa += (s64)rule->deref_offset;
	} else if ((s32)(frame->ip % 16) >= rule->deref_offset) {
		*cfa += sizeof(u64);
	}
	return KTALLY_END_NONE;
}

static __always_inline u8 step_rule(struct frame *frame, const struct ktally_unwind_rule *rule)
{
	u64 cfa, ip;
	u8 end;

	end = find_cfa(frame, rule, &cfa);
	if (end)
		return end;
	if (!is_further_up(frame->registers[RSP], cfa) || cfa - sizeof(u64) >= frame->words)
		return KTALLY_END_FOREIGN;
	if (!read_word(frame, cfa - sizeof(u64), &ip))
		return KTALLY_END_HOLE;
	frame->known &= KEPT_ACROSS_CALLS;
	if (!restore_saved(frame, rule, cfa))
		return KTALLY_END_HOLE;
	frame->registers[RSP] = cfa;
	frame->known |= BIT(RSP);
	return follow_return(frame, ip);
}

/* Where to look for what is known of the frame: inside the instruction that was executing. */
static __always_inline u64 address_of(const struct frame *frame)
{
	return frame->exact ? frame->ip : frame->ip - 1;
}

/*
 * No call leads to a signal frame, so its address is not before it, though its rule is: whoever looks
 * that up does not know yet.
 */
static __always_inline u8 step(struct frame *frame, const struct ktally_stretch *stretch, u64 *out)
{
	const struct ktally_unwind_rule *rule = NULL;
	u64 at = address_of(frame) - stretch->start;

	*out = stretch->frame + at;
	if (stretch->table && !frame->compat)
		rule = ktally_table_find(stretch->table, stretch->offset + at);
	if (!rule || rule->kind == KTALLY_UNWIND_NONE)
		return step_frame_pointer(frame);
	if (likely(rule->kind == KTALLY_UNWIND_REGISTER))
		return step_rule(frame, rule);
	if (rule->kind == KTALLY_UNWIND_END)
		return KTALLY_END_COMPLETE;
	if (rule->kind == KTALLY_UNWIND_SIGNAL) {
		*out += !frame->exact;
		return step_signal(frame);
	}
	return step_rule(frame, rule);
}

/* ------------------------------------------------------------------------------------------------ the walk */

/*
 * The task may be just changing its registers, in exec or sigreturn, and be interrupted by this: that
 * is no race, and KCSAN is told so. What they are by then is checked like all else that a process
 * chooses.
 */
static void begin(struct frame *frame, const struct pt_regs *regs)
{
	kcsan_disable_current();
	*frame = (struct frame) {
		.registers = {
			regs->ax, regs->dx, regs->cx, regs->bx, regs->si, regs->di, regs->bp, regs->sp,
			regs->r8, regs->r9, regs->r10, regs->r11, regs->r12, regs->r13, regs->r14, regs->r15,
		},
		.known	= BIT(REGISTERS) - 1,
		.words	= TASK_SIZE_MAX - sizeof(u64) + 1,
		.ip	= regs->ip,
		.exact	= true,
		.compat	= regs->cs == __USER32_CS,
	};
	kcsan_enable_current();
}

/* Many CPUs may use the same table: a line that all of them read is written once a tick at most. */
static void mark_used(struct ktally_table *table)
{
	unsigned long now = READ_ONCE(jiffies);

	if (table && READ_ONCE(table->used) != now)
		WRITE_ONCE(table->used, now);
}

/* Programs whose libraries call each other by turns come back to one of so few. */
#define STRETCHES_KEPT 8

/**
 * struct stretches - what the walk has asked for
 * @asked: how often
 * @kept: the last ones, number n in place n % STRETCHES_KEPT; those that are still to come are empty
 */
struct stretches {
	unsigned int asked;
	struct ktally_stretch kept[STRETCHES_KEPT];
};

static __always_inline bool is_in(const struct ktally_stretch *stretch, u64 address)
{
	return address - stretch->start < stretch->bytes;
}

static void begin_stretches(struct stretches *stretches)
{
	struct ktally_stretch *stretch;

	stretches->asked = 0;
	for (stretch = stretches->kept; stretch < stretches->kept + STRETCHES_KEPT; stretch++)
		stretch->bytes = 0;
}

static void ask_for_stretch(struct ktally_view *view, u64 address, struct ktally_stretch *stretch)
{
	if (view && ktally_stretch_find(view, address, stretch)) {
		mark_used(stretch->table);
		return;
	}
	/* Without a view nothing is known of any address. */
	stretch->start = view ? address : 0;
	stretch->bytes = view ? 1 : TASK_SIZE_MAX;
	stretch->frame = KTALLY_FRAME_USER << KTALLY_FRAME_TYPE_SHIFT | stretch->start;
	stretch->offset = 0;
	stretch->table = NULL;
}

/* NULL: the walk has asked often enough. */
static const struct ktally_stretch *find_stretch(struct stretches *stretches, struct ktally_view *view, u64 address)
{
	struct ktally_stretch *stretch;

	for (stretch = stretches->kept; stretch < stretches->kept + STRETCHES_KEPT; stretch++)
		if (is_in(stretch, address))
			return stretch;
	if (stretches->asked == KTALLY_UNWIND_MAPPINGS)
		return NULL;
	stretch = &stretches->kept[stretches->asked++ % STRETCHES_KEPT];
	ask_for_stretch(view, address, stretch);
	return stretch;
}

/*
 * The count is the interrupted task's, which may be reading or changing it: but it is as it was when
 * the task goes on. That is no race, and KCSAN is told so.
 */
static void set_page_faults(bool on)
{
	kcsan_disable_current();
	if (on)
		pagefault_enable();
	else
		pagefault_disable();
	kcsan_enable_current();
}

unsigned int ktally_unwind_user(const struct pt_regs *regs, struct ktally_view *view, u64 *frames,
				unsigned int depth, u8 *end)
{
	const struct ktally_stretch *stretch;
	struct stretches stretches;
	unsigned int count = 0;
	struct frame frame;
	u8 how;

	*end = KTALLY_END_BROKEN;
	/* A process can put anything there, by sigreturn() or by a jump to nowhere. */
	begin(&frame, regs);
	if (!is_user_range(frame.ip, 1))
		return 0;
	/* A constant would be made anew at each use, and the masks of older kernels take no large one. */
	OPTIMIZER_HIDE_VAR(frame.words);

	begin_stretches(&stretches);
	rcu_read_lock();
	set_page_faults(false);
	do {
		how = KTALLY_END_TRUNCATED;
		stretch = find_stretch(&stretches, view, address_of(&frame));
		if (!stretch)
			break;
		how = KTALLY_END_BROKEN;
		kcsan_disable_current();	/* with some options it asks for the count, see set_page_faults() */
		if (!user_access_begin((const void __user *)0, TASK_SIZE_MAX)) {
			kcsan_enable_current();
			break;
		}
		do {
			if (count == depth) {
				how = KTALLY_END_TRUNCATED;
				break;
			}
			how = step(&frame, stretch, &frames[count++]);
		} while (how == KTALLY_END_NONE &&
			 is_in(stretch, address_of(&frame)));
		user_access_end();
		kcsan_enable_current();
	} while (how == KTALLY_END_NONE);
	set_page_faults(true);
	rcu_read_unlock();
	*end = how;
	return count;
}
