// SPDX-License-Identifier: GPL-2.0-or-later
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <gelf.h>
#include <string.h>
#include <unistd.h>

#include "convert.h"

#define RETURN_ADDRESS 16	/* its number as a register */

static bool is_base_register(const Dwarf_Op *op, unsigned int number, s64 offset)
{
	return op->atom == DW_OP_breg0 + number && (s64)op->number == offset;
}

/* Where the linker describes its stubs: rsp + 8 + ((rip & 15) >= N) << 3. */
static bool is_plt(const Dwarf_Op *ops, size_t count, struct ktally_unwind_rule *rule)
{
	if (count != 8 || ops[0].atom != DW_OP_breg7 || !is_base_register(&ops[1], RETURN_ADDRESS, 0) ||
	    ops[2].atom != DW_OP_lit15 || ops[3].atom != DW_OP_and || ops[4].atom < DW_OP_lit0 ||
	    ops[4].atom > DW_OP_lit31 || ops[5].atom != DW_OP_ge || ops[6].atom != DW_OP_lit3 ||
	    ops[7].atom != DW_OP_shl)
		return false;
	*rule = (struct ktally_unwind_rule) {
		.kind = KTALLY_UNWIND_PLT, .cfa_register = 7, .cfa_offset = (s32)ops[0].number,
		.deref_offset = ops[4].atom - DW_OP_lit0,
	};
	return true;
}

static bool take_cfa(Dwarf_Frame *frame, struct ktally_unwind_rule *rule)
{
	Dwarf_Op *ops;
	size_t count;

	if (dwarf_frame_cfa(frame, &ops, &count) || !count)
		return false;
	if (count == 1 && ops[0].atom == DW_OP_bregx && ops[0].number < 16) {
		*rule = (struct ktally_unwind_rule) {
			.kind = KTALLY_UNWIND_REGISTER, .cfa_register = (u8)ops[0].number, .cfa_offset = (s32)ops[0].number2,
		};
		return true;
	}
	if (count == 2 && ops[0].atom >= DW_OP_breg0 && ops[0].atom < DW_OP_breg16 && ops[1].atom == DW_OP_deref) {
		*rule = (struct ktally_unwind_rule) {
			.kind = KTALLY_UNWIND_DEREF, .cfa_register = (u8)(ops[0].atom - DW_OP_breg0),
			.cfa_offset = (s32)ops[0].number,
		};
		return true;
	}
	/* The sum is told last. */
	return count == 9 && ops[8].atom == DW_OP_plus && is_plt(ops, count - 1, rule);
}

enum place { LOST, SAME, SAVED, SAVED_FROM_RBP };

static enum place take_register(Dwarf_Frame *frame, int number, s64 *offset)
{
	Dwarf_Op memory[3], *ops;
	size_t count;

	if (dwarf_frame_register(frame, number, memory, &ops, &count))
		return LOST;
	if (!count)
		return SAME;	/* not said: the ABI's rule is that it is kept */
	*offset = 0;
	if (ops[0].atom != DW_OP_call_frame_cfa)
		return LOST;
	if (count == 1)
		return SAVED;
	*offset = (s64)ops[1].number;
	if (count == 2 && ops[1].atom == DW_OP_plus_uconst)
		return SAVED;
	/* An expression begins with the CFA on its stack, whether it uses it or not. */
	return count == 2 && ops[1].atom == DW_OP_breg6 ? SAVED_FROM_RBP : LOST;
}

/* What can be said of the range that this frame description is of. */
static bool take_rule(Dwarf_Frame *frame, bool is_signal, struct ktally_unwind_rule *rule)
{
	static const int numbers[KTALLY_UNWIND_SAVED] = { 6, 3, 12, 13, 14, 15 };
	Dwarf_Op memory[3], *ops;
	size_t count;
	s64 offset;

	if (is_signal) {
		*rule = (struct ktally_unwind_rule) { .kind = KTALLY_UNWIND_SIGNAL };
		return true;
	}
	if (!dwarf_frame_register(frame, RETURN_ADDRESS, memory, &ops, &count) && !count && ops) {
		*rule = (struct ktally_unwind_rule) { .kind = KTALLY_UNWIND_END };
		return true;
	}
	if (take_register(frame, RETURN_ADDRESS, &offset) != SAVED || offset != -8 || !take_cfa(frame, rule))
		return false;
	for (unsigned int i = 0; i < KTALLY_UNWIND_SAVED; i++) {
		enum place place = take_register(frame, numbers[i], &offset);

		if (place == SAME)
			continue;
		if (place == LOST || offset % 8 || offset / 8 != (s16)(offset / 8))
			return false;
		rule->saved |= (u16)(1 << i);
		if (place == SAVED_FROM_RBP)
			rule->saved |= (u16)(1 << (KTALLY_UNWIND_SAVED_FROM_RBP + i));
		rule->saved_at[i] = (s16)(offset / 8);
	}
	return true;
}

static void convert_segment(struct converted *converted, Dwarf_CFI *cfi, const GElf_Phdr *segment)
{
	static const struct ktally_unwind_rule none;
	u64 end = segment->p_vaddr + segment->p_filesz;
	struct ktally_unwind_rule rule;

	for (u64 address = segment->p_vaddr; address < end; ) {
		u64 offset = address - segment->p_vaddr + segment->p_offset;
		Dwarf_Addr first, past;
		Dwarf_Frame *frame;
		bool is_signal;

		if (dwarf_cfi_addrframe(cfi, address, &frame)) {
			maker_add(&converted->maker, offset, &none);
			address++;
			continue;
		}
		dwarf_frame_info(frame, &first, &past, &is_signal);
		if (take_rule(frame, is_signal, &rule)) {
			converted->rules[rule.kind]++;
			maker_add(&converted->maker, offset, &rule);
		} else {
			converted->refused++;
			maker_add(&converted->maker, offset, &none);
		}
		free(frame);
		address = past;
	}
	maker_finish(&converted->maker, end - segment->p_vaddr + segment->p_offset);
}

bool convert(struct converted *converted, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Dwarf_CFI *cfi;
	size_t count;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	cfi = elf ? dwarf_getcfi_elf(elf) : NULL;
	if (cfi && !elf_getphdrnum(elf, &count)) {
		for (size_t i = 0; i < count; i++) {
			GElf_Phdr segment;

			if (gelf_getphdr(elf, (int)i, &segment) && segment.p_type == PT_LOAD && segment.p_flags & PF_X)
				convert_segment(converted, cfi, &segment);
		}
	}
	if (cfi)
		dwarf_cfi_end(cfi);
	elf_end(elf);
	close(fd);
	return converted->maker.table.row_count;
}
