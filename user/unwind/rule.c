// SPDX-License-Identifier: GPL-2.0-or-later
#include "unwind/cfi.h"

#define RBP_NUMBER		6
#define RSP_NUMBER		7
#define REGISTERS		16
/* In the struct ucontext that rsp points to when a signal handler returns. */
#define UCONTEXT_RSP		160
#define UCONTEXT_RIP		168

/* A place that counts from rbp or rsp counts from the CFA too, if that does. */
static struct place from_cfa(const struct frame *frame, enum followed which)
{
	struct place place = frame->places[which];
	uint32_t number = place.kind == PLACE_RBP ? RBP_NUMBER : RSP_NUMBER;

	if ((place.kind != PLACE_RBP && place.kind != PLACE_RSP) || frame->cfa.kind != CFA_REGISTER ||
	    frame->cfa.number != number)
		return place;
	place.kind = PLACE_CFA;
	if (__builtin_sub_overflow(place.offset, frame->cfa.offset, &place.offset))
		place.kind = PLACE_UNKNOWN;
	return place;
}

/* How C libraries said that a frame is a signal's before there was a letter for it. */
static bool is_signal(const struct frame *frame)
{
	const struct place *address = &frame->places[RETURN_ADDRESS];

	return frame->cfa.kind == CFA_DEREF && frame->cfa.number == RSP_NUMBER && frame->cfa.offset == UCONTEXT_RSP &&
	       !frame->cfa.deref_offset && address->kind == PLACE_RSP && address->offset == UCONTEXT_RIP;
}

static bool put_cfa(const struct cfa *cfa, struct ktally_unwind_rule *rule)
{
	if (cfa->number >= REGISTERS || cfa->offset != (int32_t)cfa->offset ||
	    cfa->deref_offset != (int32_t)cfa->deref_offset)
		return false;
	switch (cfa->kind) {
	case CFA_REGISTER:
		rule->kind = KTALLY_UNWIND_REGISTER;
		break;
	case CFA_DEREF:
		rule->kind = KTALLY_UNWIND_DEREF;
		break;
	case CFA_PLT:
		rule->kind = KTALLY_UNWIND_PLT;
		break;
	default:
		return false;
	}
	rule->cfa_register = (uint8_t)cfa->number;
	rule->cfa_offset = (int32_t)cfa->offset;
	rule->deref_offset = (int32_t)cfa->deref_offset;
	return true;
}

/* False if it is not known in which way a register was saved. */
static bool put_place(const struct frame *frame, unsigned int which, struct ktally_unwind_rule *rule)
{
	struct place place = from_cfa(frame, which);

	if (place.kind == PLACE_SAME || place.kind == PLACE_UNDEFINED)
		return true;
	if ((place.kind != PLACE_CFA && place.kind != PLACE_RBP) || place.offset % 8 ||
	    place.offset / 8 != (int16_t)(place.offset / 8))
		return false;
	rule->saved |= (uint16_t)(1U << which);
	if (place.kind == PLACE_RBP)
		rule->saved |= (uint16_t)(1U << (KTALLY_UNWIND_SAVED_FROM_RBP + which));
	rule->saved_at[which] = (int16_t)(place.offset / 8);
	return true;
}

/*
 * Callers find their CFA by rsp or rbp; by another register hardly ever, so the rule that does not know one of those is
 * still worth having. Of assembly that keeps rbp elsewhere nothing is told.
 */
static bool put_saved(const struct frame *frame, struct ktally_unwind_rule *rule, bool *all)
{
	enum place_kind stack_pointer = frame->places[RSP].kind;

	*all = true;
	for (unsigned int i = RBX; i < KTALLY_UNWIND_SAVED; i++)
		*all &= put_place(frame, i, rule);
	return put_place(frame, RBP, rule) && (stack_pointer == PLACE_SAME || stack_pointer == PLACE_IS_CFA);
}

struct ktally_unwind_rule rule_of_frame(const struct cie *cie, const struct frame *frame, enum rule_loss *loss)
{
	static const struct ktally_unwind_rule none;
	struct ktally_unwind_rule rule = none;
	struct place address = from_cfa(frame, RETURN_ADDRESS);
	bool all;

	*loss = LOSS_NONE;
	if (cie->signal || is_signal(frame)) {
		rule.kind = KTALLY_UNWIND_SIGNAL;
		return rule;
	}
	if (address.kind == PLACE_UNDEFINED) {
		rule.kind = KTALLY_UNWIND_END;
		return rule;
	}
	if (address.kind != PLACE_CFA || address.offset != -8)
		*loss = LOSS_RETURN_ADDRESS;
	else if (!put_cfa(&frame->cfa, &rule))
		*loss = LOSS_CFA;
	else if (!put_saved(frame, &rule, &all))
		*loss = LOSS_SAVED;
	else if (!all)
		*loss = LOSS_REGISTER;
	return *loss == LOSS_NONE || *loss == LOSS_REGISTER ? rule : none;
}
