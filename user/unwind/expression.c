// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * DWARF expressions, followed with names instead of numbers: what comes out is "rbp - 8" or "what rsp + 160 points to,
 * plus 8". Compilers and assembly write only such; and link editors one more, for the stubs of the procedure linkage
 * table, which is recognized as a whole.
 */
#include <string.h>

#include "unwind/cfi.h"

#define DEPTH_MOST	8
#define RBP_NUMBER	6
#define RSP_NUMBER	7

enum {
	OP_DEREF = 0x06, OP_CONST1U = 0x08, OP_CONST1S, OP_CONST2U, OP_CONST2S, OP_CONST4U, OP_CONST4S, OP_CONST8U,
	OP_CONST8S, OP_CONSTU, OP_CONSTS, OP_DUP, OP_DROP, OP_OVER, OP_PICK, OP_SWAP, OP_MINUS = 0x1c, OP_PLUS = 0x22,
	OP_PLUS_UCONST, OP_LIT0 = 0x30, OP_LIT31 = 0x4f, OP_BREG0 = 0x70, OP_BREG31 = 0x8f, OP_BREGX = 0x92,
	OP_NOP = 0x96, OP_CALL_FRAME_CFA = 0x9c,
};

enum base { BASE_NUMBER, BASE_REGISTER, BASE_CFA, BASE_DEREF };

/* base + offset; BASE_DEREF: *(register + inner) + offset */
struct term {
	enum base base;
	uint32_t number;
	int64_t offset, inner;
};

struct terms {
	struct term stack[DEPTH_MOST], none;
	unsigned int depth;
	bool failed;
};

static void push(struct terms *terms, enum base base, uint64_t number, int64_t offset)
{
	if (terms->depth == DEPTH_MOST || number > 31) {
		terms->failed = true;
		return;
	}
	terms->stack[terms->depth++] = (struct term){ .base = base, .number = (uint32_t)number, .offset = offset };
}

static struct term *top(struct terms *terms, unsigned int below)
{
	if (terms->depth > below)
		return &terms->stack[terms->depth - 1 - below];
	terms->failed = true;
	terms->none = (struct term){ .base = BASE_NUMBER };
	return &terms->none;
}

static void add(struct terms *terms, struct term *to, int64_t number)
{
	if (__builtin_add_overflow(to->offset, number, &to->offset))
		terms->failed = true;
}

/* A number may stand on either side of a sum, but only on the right of a difference. */
static void combine(struct terms *terms, bool minus)
{
	struct term *right = top(terms, 0), *left = top(terms, 1);

	if (terms->failed)
		return;
	if (right->base != BASE_NUMBER && left->base == BASE_NUMBER && !minus) {
		struct term swapped = *left;

		*left = *right;
		*right = swapped;
	}
	if (right->base != BASE_NUMBER || (minus && right->offset == INT64_MIN)) {
		terms->failed = true;
		return;
	}
	add(terms, left, minus ? -right->offset : right->offset);
	terms->depth--;
}

static void dereference(struct terms *terms)
{
	struct term *term = top(terms, 0);

	if (term->base != BASE_REGISTER) {
		terms->failed = true;
		return;
	}
	term->base = BASE_DEREF;
	term->inner = term->offset;
	term->offset = 0;
}

static void push_constant(struct terms *terms, unsigned int op, struct cursor *code)
{
	int64_t value;

	switch (op) {
	case OP_CONST1S:
		value = (int8_t)cursor_fixed(code, 1);
		break;
	case OP_CONST2S:
		value = (int16_t)cursor_fixed(code, 2);
		break;
	case OP_CONST4S:
		value = (int32_t)cursor_fixed(code, 4);
		break;
	case OP_CONSTU:
		value = (int64_t)cursor_unsigned(code);
		break;
	case OP_CONSTS:
		value = cursor_signed(code);
		break;
	default:
		value = (int64_t)cursor_fixed(code, 1U << ((op - OP_CONST1U) / 2));
	}
	push(terms, BASE_NUMBER, 0, value);
}

static void step(struct terms *terms, struct cursor *code)
{
	unsigned int op = (unsigned int)cursor_fixed(code, 1);
	uint64_t number;

	if (op >= OP_LIT0 && op <= OP_LIT31) {
		push(terms, BASE_NUMBER, 0, op - OP_LIT0);
	} else if (op >= OP_BREG0 && op <= OP_BREG31) {
		push(terms, BASE_REGISTER, op - OP_BREG0, cursor_signed(code));
	} else if (op >= OP_CONST1U && op <= OP_CONSTS) {
		push_constant(terms, op, code);
	} else {
		switch (op) {
		case OP_BREGX:
			number = cursor_unsigned(code);
			push(terms, BASE_REGISTER, number, cursor_signed(code));
			break;
		case OP_CALL_FRAME_CFA:
			push(terms, BASE_CFA, 0, 0);
			break;
		case OP_DEREF:
			dereference(terms);
			break;
		case OP_PLUS:
		case OP_MINUS:
			combine(terms, op == OP_MINUS);
			break;
		case OP_PLUS_UCONST:
			add(terms, top(terms, 0), (int64_t)cursor_unsigned(code));
			break;
		case OP_NOP:
			break;
		default:
			terms->failed = true;
		}
	}
}

/* What is left on top; false if some of it is not understood. */
static bool evaluate(struct cursor code, struct terms *terms, struct term *result)
{
	while (cursor_left(&code) && !terms->failed)
		step(terms, &code);
	*result = *top(terms, 0);
	return !terms->failed && !code.broken;
}

/*
 * rsp + n + ((rip & 15) >= m) * 8: a stub of 16 bytes has pushed something, or not yet.
 *
 *	breg7 n; breg16 0; lit15; and; lit m; ge; lit3; shl; plus
 */
static bool is_stub(struct cursor code, struct cfa *cfa)
{
	static const uint8_t before[] = { OP_BREG0 + 16, 0, OP_LIT0 + 15, 0x1a };
	static const uint8_t after[] = { 0x2a, OP_LIT0 + 3, 0x24, OP_PLUS };
	int64_t offset;

	if (cursor_fixed(&code, 1) != OP_BREG0 + RSP_NUMBER)
		return false;
	offset = cursor_signed(&code);
	if (cursor_left(&code) != sizeof(before) + 1 + sizeof(after) || memcmp(code.at, before, sizeof(before)) ||
	    memcmp(code.at + sizeof(before) + 1, after, sizeof(after)) ||
	    code.at[sizeof(before)] < OP_LIT0 || code.at[sizeof(before)] >= OP_LIT0 + 16)
		return false;
	*cfa = (struct cfa){ .kind = CFA_PLT, .number = RSP_NUMBER, .offset = offset,
			     .deref_offset = code.at[sizeof(before)] - OP_LIT0 };
	return true;
}

struct cfa expression_cfa(struct cursor expression)
{
	struct terms terms = { .depth = 0 };
	struct cfa cfa = { .kind = CFA_UNKNOWN };
	struct term term;

	if (is_stub(expression, &cfa))
		return cfa;
	if (!evaluate(expression, &terms, &term))
		return cfa;
	if (term.base == BASE_REGISTER)
		cfa = (struct cfa){ .kind = CFA_REGISTER, .number = term.number, .offset = term.offset };
	else if (term.base == BASE_DEREF)
		cfa = (struct cfa){ .kind = CFA_DEREF, .number = term.number, .offset = term.inner,
				    .deref_offset = term.offset };
	return cfa;
}

/* It begins with the CFA on the stack. */
struct place expression_place(struct cursor expression, bool is_value)
{
	struct terms terms = { .depth = 1, .stack = { { .base = BASE_CFA } } };
	struct place place = { .kind = PLACE_UNKNOWN };
	struct term term;

	if (!evaluate(expression, &terms, &term))
		return place;
	if (is_value) {
		if (term.base == BASE_CFA && !term.offset)
			place.kind = PLACE_IS_CFA;
		return place;
	}
	place.offset = term.offset;
	if (term.base == BASE_CFA)
		place.kind = PLACE_CFA;
	else if (term.base == BASE_REGISTER && term.number == RBP_NUMBER)
		place.kind = PLACE_RBP;
	else if (term.base == BASE_REGISTER && term.number == RSP_NUMBER)
		place.kind = PLACE_RSP;
	return place;
}
