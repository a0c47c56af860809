/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The unwind table of one ELF file: what to do, at each place in its code, to get from a frame to its caller. The kernel
 * module looks up one row per frame, in interrupt context, so the table is three flat arrays that are checked once, when
 * they are loaded.
 *
 * It is keyed by the offset in the file, because frames are: two processes have the same file at different addresses.
 */
#ifndef KTALLY_UNWIND_TABLE_H
#define KTALLY_UNWIND_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

/*
 * A row: from here on, up to the next row, a rule holds. Rows lie in chunks of 64 KiB of the file, so 16 bits are
 * enough for where. The first row of a chunk has offset 0; offsets in a chunk strictly increase.
 */
struct ktally_unwind_row {
	__u16 offset;		/* low 16 bits of the offset in the file */
	__u16 rule;		/* which of the rules */
};

/*
 * A rule. The CFA, the canonical frame address, is the stack pointer's value before the call instruction pushed the
 * return address; so the return address is at CFA - 8, and the caller's rsp is the CFA, in every rule but SIGNAL and
 * END.
 *
 * Registers have DWARF's numbers: 0 rax, 1 rdx, 2 rcx, 3 rbx, 4 rsi, 5 rdi, 6 rbp, 7 rsp, 8 to 15 r8 to r15.
 *
 * After a step rsp is the CFA; callee-saved registers are read from where the rule says they were saved, or keep their
 * values if it does not; the others become unknown. In the innermost frame, and after SIGNAL, all are known. A caller's
 * row is looked up by its return address - 1, as a call may be a function's last instruction; after SIGNAL by the exact
 * address.
 *
 * Fields that a kind has no use for are 0.
 */
struct ktally_unwind_rule {
	__u8 kind;		/* KTALLY_UNWIND_* */
	__u8 cfa_register;
	__u16 saved;		/* bit i: saved_at[i] holds; bit 8 + i: and counts from rbp, see below */
	__s32 cfa_offset;	/* bytes */
	__s32 deref_offset;
	__s16 saved_at[6];	/* of rbp, rbx, r12, r13, r14, r15; in units of 8 bytes, from the CFA */
};

#define KTALLY_UNWIND_NONE	0	/* nothing is known here: what rule 0 always says, and only it */
#define KTALLY_UNWIND_END	1	/* the outermost frame: _start, where a thread begins */
#define KTALLY_UNWIND_REGISTER	2	/* CFA = register + cfa_offset */
#define KTALLY_UNWIND_DEREF	3	/* CFA = *(u64 *)(register + cfa_offset) + deref_offset */
#define KTALLY_UNWIND_PLT	4	/* CFA = rsp + cfa_offset + ((rip & 15) >= deref_offset ? 8 : 0) */
#define KTALLY_UNWIND_SIGNAL	5	/* rsp points to a struct ucontext, whose sigcontext has all registers */

#define KTALLY_UNWIND_SAVED		6	/* registers that a rule can say were saved */

/*
 * A function that aligns its stack does not know how far from the CFA it saved registers, only how far from its own rbp.
 * With bit 8 + i of `saved`, saved_at[i] counts from the value that rbp has in this frame, instead of from the CFA.
 */
#define KTALLY_UNWIND_SAVED_FROM_RBP	8

#define KTALLY_UNWIND_CHUNK_SHIFT	16
#define KTALLY_UNWIND_CHUNKS_MAX	(1U << 20)	/* as frames have 36 bits for the offset in the file */
#define KTALLY_UNWIND_RULES_MAX	65535

struct unwind_table {
	uint32_t first_chunk;			/* which 64 KiB of the file the first chunk is */
	uint32_t chunk_count, row_count, rule_count;
	uint32_t *first_row;			/* chunk c has rows first_row[c] to first_row[c + 1] - 1 */
	struct ktally_unwind_row *rows;
	struct ktally_unwind_rule *rules;
};

/* 0 if everything above holds, so that lookups stay within the arrays whatever they are asked for; else -EINVAL. */
int unwind_table_check(const struct unwind_table *table);

/* The rule at an offset in the file; rule 0 where the table ends. */
const struct ktally_unwind_rule *unwind_table_find(const struct unwind_table *table, uint64_t offset);

size_t unwind_table_bytes(const struct unwind_table *table);	/* of the three arrays */
void unwind_table_free(struct unwind_table *table);

#endif
