// SPDX-License-Identifier: GPL-2.0-or-later
#include "unwind/cfi.h"

#define REMEMBERED_MOST	16	/* compilers nest one deep */

enum {
	OP_NOP, OP_SET_LOC, OP_ADVANCE_LOC1, OP_ADVANCE_LOC2, OP_ADVANCE_LOC4, OP_OFFSET_EXTENDED, OP_RESTORE_EXTENDED,
	OP_UNDEFINED, OP_SAME_VALUE, OP_REGISTER, OP_REMEMBER_STATE, OP_RESTORE_STATE, OP_DEF_CFA, OP_DEF_CFA_REGISTER,
	OP_DEF_CFA_OFFSET, OP_DEF_CFA_EXPRESSION, OP_EXPRESSION, OP_OFFSET_EXTENDED_SF, OP_DEF_CFA_SF,
	OP_DEF_CFA_OFFSET_SF, OP_VAL_OFFSET, OP_VAL_OFFSET_SF, OP_VAL_EXPRESSION,
	OP_MIPS_ADVANCE_LOC8 = 0x1d, OP_GNU_WINDOW_SAVE = 0x2d, OP_GNU_ARGS_SIZE, OP_GNU_NEGATIVE_OFFSET_EXTENDED,
	OP_ADVANCE_LOC = 0x40, OP_OFFSET = 0x80, OP_RESTORE = 0xc0,	/* with an operand in the lower six bits */
};

struct machine {
	const struct cie *cie;
	const struct origin *origin;
	struct cursor code;
	uint64_t start, location, end;
	struct frame *frame;
	struct frame remembered[REMEMBERED_MOST];
	unsigned int depth;
	struct rows *rows;
	bool bad, done;
};

/* Where a register is kept; NULL for those that rules do not tell of. */
static struct place *place_of(struct machine *machine, uint64_t number)
{
	static const signed char followed[] = { -1, -1, -1, RBX, -1, -1, RBP, RSP, -1, -1, -1, -1, R12, R13, R14, R15 };

	if (number == machine->cie->return_register)
		return &machine->frame->places[RETURN_ADDRESS];
	if (number < sizeof(followed) && followed[number] >= 0)
		return &machine->frame->places[(unsigned char)followed[number]];
	return NULL;
}

static void put(struct machine *machine, uint64_t number, enum place_kind kind, int64_t offset)
{
	struct place *place = place_of(machine, number);

	if (place)
		*place = (struct place){ .kind = kind, .offset = offset };
}

/* Offsets that overflow are nonsense, and so is the rest of such a function. */
static int64_t factored(struct machine *machine, int64_t count)
{
	int64_t offset;

	if (__builtin_mul_overflow(count, machine->cie->data_factor, &offset)) {
		machine->bad = true;
		return 0;
	}
	return offset;
}

static int64_t unsigned_factored(struct machine *machine)
{
	uint64_t count = cursor_unsigned(&machine->code);

	if (count > INT64_MAX) {
		machine->bad = true;
		return 0;
	}
	return factored(machine, (int64_t)count);
}

static void move_to(struct machine *machine, uint64_t location)
{
	if (!machine->rows || location < machine->location) {
		machine->bad = true;
		return;
	}
	if (location == machine->location)
		return;
	rows_frame(machine->rows, machine->location - machine->start, machine->frame);
	machine->location = location;
	if (location >= machine->end)
		machine->done = true;
}

static void advance(struct machine *machine, uint64_t count)
{
	uint64_t bytes, location;

	if (__builtin_mul_overflow(count, machine->cie->code_factor, &bytes) ||
	    __builtin_add_overflow(machine->location, bytes, &location))
		location = UINT64_MAX;
	move_to(machine, location);
}

static void restore(struct machine *machine, uint64_t number)
{
	struct place *place = place_of(machine, number);

	if (!machine->rows)
		machine->bad = true;	/* a CIE has nothing to go back to */
	else if (place)
		*place = machine->cie->initial.places[place - machine->frame->places];
}

static void remember(struct machine *machine)
{
	if (machine->depth == REMEMBERED_MOST)
		machine->bad = true;
	else
		machine->remembered[machine->depth++] = *machine->frame;
}

static void restore_state(struct machine *machine)
{
	if (!machine->depth)
		machine->bad = true;
	else
		*machine->frame = machine->remembered[--machine->depth];
}

static void define_cfa(struct machine *machine, uint64_t number, int64_t offset)
{
	machine->frame->plain = (struct cfa){
		.kind = CFA_REGISTER,
		.number = number < 32 ? (uint32_t)number : 32,
		.offset = offset,
	};
	machine->frame->cfa = machine->frame->plain;
	machine->frame->by_expression = false;
}

/* Only one half: there must have been another. An expression stays what the CFA is when only the offset changes. */
static void redefine_register(struct machine *machine, uint64_t number)
{
	if (machine->frame->plain.kind != CFA_REGISTER)
		machine->bad = true;
	define_cfa(machine, number, machine->frame->plain.offset);
}

static void redefine_offset(struct machine *machine, int64_t offset)
{
	struct frame *frame = machine->frame;

	if (frame->plain.kind != CFA_REGISTER)
		machine->bad = true;
	frame->plain.offset = offset;
	if (!frame->by_expression)
		frame->cfa = frame->plain;
}

static int64_t unsigned_offset(struct machine *machine)
{
	uint64_t offset = cursor_unsigned(&machine->code);

	if (offset > INT64_MAX)
		machine->bad = true;
	return (int64_t)offset;
}

static struct cursor block(struct machine *machine)
{
	return cursor_part(&machine->code, cursor_unsigned(&machine->code));
}

static void put_expression(struct machine *machine, bool is_value)
{
	uint64_t number = cursor_unsigned(&machine->code);
	struct place place = expression_place(block(machine), is_value);

	put(machine, number, place.kind, place.offset);
}

/* Rules that name a register before what they say of it. */
static void put_extended(struct machine *machine, unsigned int op)
{
	uint64_t number = cursor_unsigned(&machine->code);
	int64_t offset;

	switch (op) {
	case OP_OFFSET_EXTENDED:
		put(machine, number, PLACE_CFA, unsigned_factored(machine));
		break;
	case OP_OFFSET_EXTENDED_SF:
		put(machine, number, PLACE_CFA, factored(machine, cursor_signed(&machine->code)));
		break;
	case OP_GNU_NEGATIVE_OFFSET_EXTENDED:
		put(machine, number, PLACE_CFA, -unsigned_factored(machine));
		break;
	case OP_VAL_OFFSET:
	case OP_VAL_OFFSET_SF:
		offset = op == OP_VAL_OFFSET ? unsigned_factored(machine) :
					       factored(machine, cursor_signed(&machine->code));
		put(machine, number, offset ? PLACE_UNKNOWN : PLACE_IS_CFA, 0);
		break;
	case OP_UNDEFINED:
		put(machine, number, PLACE_UNDEFINED, 0);
		break;
	case OP_SAME_VALUE:
		put(machine, number, PLACE_SAME, 0);
		break;
	case OP_REGISTER:
		cursor_unsigned(&machine->code);
		put(machine, number, PLACE_UNKNOWN, 0);
		break;
	case OP_RESTORE_EXTENDED:
		restore(machine, number);
		break;
	}
}

static void step(struct machine *machine)
{
	struct cursor *code = &machine->code;
	unsigned int op = (unsigned int)cursor_fixed(code, 1);
	uint64_t number;

	switch (op & 0xc0) {
	case OP_ADVANCE_LOC:
		advance(machine, op & 0x3f);
		return;
	case OP_OFFSET:
		put(machine, op & 0x3f, PLACE_CFA, unsigned_factored(machine));
		return;
	case OP_RESTORE:
		restore(machine, op & 0x3f);
		return;
	}
	switch (op) {
	case OP_NOP:
	case OP_GNU_WINDOW_SAVE:	/* of other machines */
		break;
	case OP_SET_LOC:
		move_to(machine, cursor_address(code, machine->cie->encoding, machine->origin));
		break;
	case OP_ADVANCE_LOC1:
	case OP_ADVANCE_LOC2:
	case OP_ADVANCE_LOC4:
		advance(machine, cursor_fixed(code, 1U << (op - OP_ADVANCE_LOC1)));
		break;
	case OP_MIPS_ADVANCE_LOC8:
		advance(machine, cursor_fixed(code, 8));
		break;
	case OP_REMEMBER_STATE:
		remember(machine);
		break;
	case OP_RESTORE_STATE:
		restore_state(machine);
		break;
	case OP_DEF_CFA:
		number = cursor_unsigned(code);
		define_cfa(machine, number, unsigned_offset(machine));
		break;
	case OP_DEF_CFA_SF:
		number = cursor_unsigned(code);
		define_cfa(machine, number, factored(machine, cursor_signed(code)));
		break;
	case OP_DEF_CFA_REGISTER:
		redefine_register(machine, cursor_unsigned(code));
		break;
	case OP_DEF_CFA_OFFSET:
		redefine_offset(machine, unsigned_offset(machine));
		break;
	case OP_DEF_CFA_OFFSET_SF:
		redefine_offset(machine, factored(machine, cursor_signed(code)));
		break;
	case OP_DEF_CFA_EXPRESSION:
		machine->frame->cfa = expression_cfa(block(machine));
		machine->frame->by_expression = true;
		break;
	case OP_EXPRESSION:
	case OP_VAL_EXPRESSION:
		put_expression(machine, op == OP_VAL_EXPRESSION);
		break;
	case OP_GNU_ARGS_SIZE:		/* for exceptions only */
		cursor_unsigned(code);
		break;
	case OP_OFFSET_EXTENDED:
	case OP_OFFSET_EXTENDED_SF:
	case OP_GNU_NEGATIVE_OFFSET_EXTENDED:
	case OP_VAL_OFFSET:
	case OP_VAL_OFFSET_SF:
	case OP_UNDEFINED:
	case OP_SAME_VALUE:
	case OP_REGISTER:
	case OP_RESTORE_EXTENDED:
		put_extended(machine, op);
		break;
	default:
		machine->bad = true;
	}
}

bool cfi_run(const struct cie *cie, struct cursor instructions, const struct origin *origin, uint64_t start, uint64_t end,
	     struct frame *frame, struct rows *rows)
{
	struct machine machine;

	machine.cie = cie;
	machine.origin = origin;
	machine.code = instructions;
	machine.start = start;
	machine.location = start;
	machine.end = end;
	machine.frame = frame;
	machine.depth = 0;
	machine.rows = rows;
	machine.bad = machine.done = false;
	while (cursor_left(&machine.code) && !machine.bad && !machine.done) {
		step(&machine);
		machine.bad |= machine.code.broken;
	}
	if (rows && !machine.done)
		rows_frame(rows, machine.location - start, machine.bad ? NULL : frame);
	return !machine.bad;
}
