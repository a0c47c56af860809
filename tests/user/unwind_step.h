/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One step from a frame to its caller, as a rule says and as elfutils' libdw says, on a stack that is made up: what lies
 * at an address is a hash of the address. Two ways to say the same thing come to the same registers then, and two
 * different ones hardly ever.
 */
#ifndef KTALLY_UNWIND_STEP_H
#define KTALLY_UNWIND_STEP_H

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/map.h"
#include "unwind/table.h"

#define STEP_REGISTERS	17	/* and 16 is the address of the code */

enum step_end { STEP_NONE, STEP_END, STEP_DONE };

struct step {
	enum step_end end;
	uint64_t registers[STEP_REGISTERS];
};

/* What rules tell of: the registers a caller still has after a call. */
static const unsigned int step_kept[] = { 6, 3, 12, 13, 14, 15, 7, 16 };

static inline uint64_t step_memory(uint64_t address)
{
	return hash_words(address, 4711);
}

static inline struct step step_by_rule(const struct ktally_unwind_rule *rule, const uint64_t *from)
{
	static const unsigned char context[STEP_REGISTERS] = { 144, 136, 152, 128, 112, 104, 120, 160, 40, 48, 56, 64, 72,
							       80, 88, 96, 168 };
	struct step step = { .end = STEP_DONE };
	uint64_t cfa;

	memcpy(step.registers, from, sizeof(step.registers));
	cfa = from[rule->cfa_register] + (uint64_t)(int64_t)rule->cfa_offset;
	switch (rule->kind) {
	case KTALLY_UNWIND_REGISTER:
		break;
	case KTALLY_UNWIND_DEREF:
		cfa = step_memory(cfa) + (uint64_t)(int64_t)rule->deref_offset;
		break;
	case KTALLY_UNWIND_PLT:
		cfa += (from[16] & 15) >= (uint64_t)rule->deref_offset ? 8 : 0;
		break;
	case KTALLY_UNWIND_SIGNAL:
		for (unsigned int i = 0; i < STEP_REGISTERS; i++)
			step.registers[i] = step_memory(from[7] + context[i]);
		return step;
	default:
		step.end = rule->kind == KTALLY_UNWIND_END ? STEP_END : STEP_NONE;
		return step;
	}
	for (unsigned int i = 0; i < KTALLY_UNWIND_SAVED; i++) {
		uint64_t base = rule->saved >> (KTALLY_UNWIND_SAVED_FROM_RBP + i) & 1 ? from[6] : cfa;

		if (rule->saved >> i & 1)
			step.registers[step_kept[i]] = step_memory(base + (uint64_t)(int64_t)(rule->saved_at[i] * 8));
	}
	step.registers[7] = cfa;
	step.registers[16] = step_memory(cfa - 8);
	return step;
}

/*
 * An expression's value; is_place: it gives where the value is. False if it has something that this does not know, which
 * the caller has to complain about.
 */
static inline bool step_evaluate(const Dwarf_Op *ops, size_t count, const uint64_t *from, uint64_t cfa, bool is_place,
				 uint64_t *value)
{
	uint64_t stack[16] = { cfa };
	unsigned int depth = 1;

	for (size_t i = 0; i < count; i++) {
		uint64_t number = ops[i].number, top = stack[depth - 1], below = depth > 1 ? stack[depth - 2] : 0;
		unsigned int atom = ops[i].atom;

		if (depth >= 15)
			return false;
		if (atom >= DW_OP_breg0 && atom <= DW_OP_breg16) {
			stack[depth++] = from[atom - DW_OP_breg0] + number;
		} else if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31) {
			stack[depth++] = atom - DW_OP_lit0;
		} else if ((atom >= DW_OP_reg0 && atom <= DW_OP_reg15) || (atom == DW_OP_regx && number < 17)) {
			*value = from[atom == DW_OP_regx ? number : atom - DW_OP_reg0];
			return count == 1;
		} else {
			switch (atom) {
			case DW_OP_bregx:
				if (number >= STEP_REGISTERS)
					return false;
				stack[depth++] = from[number] + ops[i].number2;
				break;
			case DW_OP_const1u: case DW_OP_const1s: case DW_OP_const2u: case DW_OP_const2s:
			case DW_OP_const4u: case DW_OP_const4s: case DW_OP_const8u: case DW_OP_const8s:
			case DW_OP_constu: case DW_OP_consts:
				stack[depth++] = number;
				break;
			case DW_OP_call_frame_cfa:
				stack[depth++] = cfa;
				break;
			case DW_OP_plus_uconst:
				stack[depth - 1] = top + number;
				break;
			case DW_OP_deref:
				stack[depth - 1] = step_memory(top);
				break;
			case DW_OP_plus:
				stack[--depth - 1] = below + top;
				break;
			case DW_OP_minus:
				stack[--depth - 1] = below - top;
				break;
			case DW_OP_and:
				stack[--depth - 1] = below & top;
				break;
			case DW_OP_shl:
				stack[--depth - 1] = below << top;
				break;
			case DW_OP_mul:
				stack[--depth - 1] = below * top;
				break;
			case DW_OP_ge:
				stack[--depth - 1] = (int64_t)below >= (int64_t)top;
				break;
			case DW_OP_stack_value:
				is_place = false;
				break;
			default:
				return false;
			}
		}
	}
	*value = is_place ? step_memory(stack[depth - 1]) : stack[depth - 1];
	return true;
}

/* False if libdw's answer has something that is not understood here. */
static inline bool step_by_libdw(Dwarf_Frame *frame, const uint64_t *from, struct step *step)
{
	Dwarf_Op memory[3], *ops;
	uint64_t cfa;
	size_t count;

	*step = (struct step){ .end = STEP_DONE };
	memcpy(step->registers, from, sizeof(step->registers));
	if (dwarf_frame_register(frame, 16, memory, &ops, &count))
		return false;
	if (!count && ops == memory) {
		step->end = STEP_END;
		return true;
	}
	if (dwarf_frame_cfa(frame, &ops, &count) || !step_evaluate(ops, count, from, 0, false, &cfa))
		return false;
	for (size_t i = 0; i < sizeof(step_kept) / sizeof(step_kept[0]); i++) {
		unsigned int number = step_kept[i];

		if (dwarf_frame_register(frame, (int)number, memory, &ops, &count))
			return false;
		if (count && !step_evaluate(ops, count, from, cfa, true, &step->registers[number]))
			return false;
		if (!count && number == 7)
			step->registers[number] = cfa;
	}
	return true;
}

/* exact: also in the registers by which hardly any caller finds its CFA. */
static inline bool step_same(const struct step *a, const struct step *b, bool exact)
{
	if (a->end != b->end)
		return false;
	for (size_t i = 0; a->end == STEP_DONE && i < sizeof(step_kept) / sizeof(step_kept[0]); i++)
		if (a->registers[step_kept[i]] != b->registers[step_kept[i]] &&
		    (exact || step_kept[i] == 6 || step_kept[i] == 7 || step_kept[i] == 16))
			return false;
	return true;
}

#endif
