/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call frame information: the little programs of .eh_frame and .debug_frame that say, row by row, where a frame's CFA is
 * and where it saved registers; and how what they say becomes a rule. Only what a rule can tell is followed: the
 * callee-saved registers, the stack pointer and the return address.
 */
#ifndef KTALLY_UNWIND_CFI_H
#define KTALLY_UNWIND_CFI_H

#include "unwind/dwarf.h"
#include "unwind/table.h"

/* The first six are in the order of a rule's saved_at. */
enum followed { RBP, RBX, R12, R13, R14, R15, RSP, RETURN_ADDRESS, FOLLOWED };

enum place_kind {
	PLACE_SAME,		/* not saved */
	PLACE_CFA,		/* at CFA + offset */
	PLACE_RBP, PLACE_RSP,	/* at that register's value in this frame + offset */
	PLACE_IS_CFA,		/* not saved: the value is the CFA */
	PLACE_UNDEFINED,
	PLACE_UNKNOWN,		/* a way that no rule can tell */
};

struct place {
	int64_t offset;
	enum place_kind kind;
};

enum cfa_kind { CFA_UNKNOWN, CFA_REGISTER, CFA_DEREF, CFA_PLT };

struct cfa {
	enum cfa_kind kind;
	uint32_t number;		/* of the register, as in DWARF */
	int64_t offset, deref_offset;
};

struct frame {
	struct cfa cfa;
	struct cfa plain;		/* the last register and offset: half of it may change, after an expression too */
	bool by_expression;
	struct place places[FOLLOWED];
};

/* What all functions of a CIE have in common. */
struct cie {
	bool usable, signal, has_augmentation;
	uint8_t encoding;
	uint32_t return_register;
	uint64_t code_factor;
	int64_t data_factor;
	struct frame initial;
};

/*
 * Where the rows of a function go, in turn: from so many bytes after its beginning on, a frame is like this. frame NULL:
 * nothing is known from there.
 */
struct rows;
void rows_frame(struct rows *rows, uint64_t within, const struct frame *frame);

/*
 * Runs the instructions of a function that lies at [start, end). False if they are malformed: then the rows up to there
 * were told, and that nothing is known from there. rows NULL: the instructions of a CIE, whose only row is left in
 * *frame.
 */
bool cfi_run(const struct cie *cie, struct cursor instructions, const struct origin *origin, uint64_t start, uint64_t end,
	     struct frame *frame, struct rows *rows);

/* What an expression gives as CFA, CFA_UNKNOWN if that is none of what rules can tell; as place, PLACE_UNKNOWN. */
struct cfa expression_cfa(struct cursor expression);
struct place expression_place(struct cursor expression, bool is_value);

enum rule_loss { LOSS_NONE, LOSS_CFA, LOSS_RETURN_ADDRESS, LOSS_SAVED, LOSS_REGISTER };

/*
 * The rule that says what a frame says; KTALLY_UNWIND_NONE if none does, with what stood in the way. LOSS_REGISTER: it
 * says all but where one of rbx, r12 to r15 was saved.
 */
struct ktally_unwind_rule rule_of_frame(const struct cie *cie, const struct frame *frame, enum rule_loss *loss);

#endif
