// SPDX-License-Identifier: GPL-2.0-or-later
/* unwind/cfi.h, unwind/frames.h: every instruction of call frame information, by hand, and everything that can be wrong. */
#include "fake_frames.h"

#define START	0x100		/* of the function, in the code */
#define LENGTH	0x80
#define ADDRESS	(FAKE_TEXT_ADDRESS + START)

/* Version 1, no augmentation, factors 1 and -8, return address 16; then CFA = rsp + 8, return address at CFA - 8. */
static const uint8_t plain_cie[] = { 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1 };

struct sample {
	const char *name;
	const uint8_t *code;
	size_t bytes;
	const char *first, *second;	/* the rules at the function's beginning, and 16 bytes later */
};

#define GO_ON	0x50		/* DW_CFA_advance_loc 16 */

static const struct sample samples[] = {
	{ "nothing at all", BYTES(0), "rsp+8", "rsp+8" },
	{ "advance_loc", BYTES(GO_ON, 0x0e, 16), "rsp+8", "rsp+16" },
	{ "advance_loc1", BYTES(0x02, 16, 0x0e, 16), "rsp+8", "rsp+16" },
	{ "advance_loc2", BYTES(0x03, 16, 0, 0x0e, 16), "rsp+8", "rsp+16" },
	{ "advance_loc4", BYTES(0x04, 16, 0, 0, 0, 0x0e, 16), "rsp+8", "rsp+16" },
	{ "MIPS_advance_loc8", BYTES(0x1d, 16, 0, 0, 0, 0, 0, 0, 0, 0x0e, 16), "rsp+8", "rsp+16" },
	{ "set_loc", BYTES(0x01, 0x10, 0x31, 0x40, 0, 0, 0, 0, 0, 0x0e, 16), "rsp+8", "rsp+16" },
	{ "a step of no bytes", BYTES(0x40, 0x0e, 16, GO_ON, 0x0e, 24), "rsp+16", "rsp+24" },
	{ "def_cfa", BYTES(0x0c, 6, 16), "rbp+16", "rbp+16" },
	{ "def_cfa_sf", BYTES(0x12, 6, 0x7e), "rbp+16", "rbp+16" },
	{ "def_cfa_register", BYTES(0x0d, 10), "r10+8", "r10+8" },
	{ "def_cfa_offset_sf", BYTES(0x13, 0x7d), "rsp+24", "rsp+24" },
	{ "offset", BYTES(0x86, 2), "rsp+8 rbp-16", "rsp+8 rbp-16" },
	{ "offset of each", BYTES(0x86, 2, 0x83, 3, 0x8c, 4, 0x8d, 5, 0x8e, 6, 0x8f, 7),
	  "rsp+8 rbp-16 rbx-24 r12-32 r13-40 r14-48 r15-56", "rsp+8 rbp-16 rbx-24 r12-32 r13-40 r14-48 r15-56" },
	{ "offset_extended", BYTES(0x05, 6, 2), "rsp+8 rbp-16", "rsp+8 rbp-16" },
	{ "offset_extended_sf", BYTES(0x11, 6, 0x7e), "rsp+8 rbp+16", "rsp+8 rbp+16" },
	{ "GNU_negative_offset_extended", BYTES(0x2f, 6, 2), "rsp+8 rbp+16", "rsp+8 rbp+16" },
	{ "offset of a register that nobody needs", BYTES(0x80, 2, 0x05, 0x11, 2), "rsp+8", "rsp+8" },
	{ "restore", BYTES(0x86, 2, GO_ON, 0xc6), "rsp+8 rbp-16", "rsp+8" },
	{ "restore_extended", BYTES(0x86, 2, GO_ON, 0x06, 6), "rsp+8 rbp-16", "rsp+8" },
	{ "same_value", BYTES(0x86, 2, GO_ON, 0x08, 6), "rsp+8 rbp-16", "rsp+8" },
	{ "undefined return address", BYTES(0x07, 16), "end", "end" },
	{ "undefined callee-saved", BYTES(0x07, 3), "rsp+8", "rsp+8" },
	{ "remember and restore", BYTES(0x0e, 16, 0x86, 2, 0x0a, 0x0e, 8, 0xc6, GO_ON, 0x0b), "rsp+8", "rsp+16 rbp-16" },
	{ "register", BYTES(0x09, 6, 11), "none", "none" },
	{ "register of one that hardly matters", BYTES(0x09, 3, 11), "rsp+8", "rsp+8" },
	{ "return address in a register", BYTES(0x09, 16, 1, GO_ON, 0x05, 16, 1), "none", "rsp+8" },
	{ "return address elsewhere", BYTES(0x90, 2), "none", "none" },
	{ "return address same", BYTES(0x08, 16), "none", "none" },
	{ "val_offset of rsp", BYTES(0x14, 7, 0), "rsp+8", "rsp+8" },
	{ "val_offset of rsp, another", BYTES(0x14, 7, 1), "none", "none" },
	{ "val_offset_sf", BYTES(0x15, 7, 0x7f), "none", "none" },
	{ "rsp saved", BYTES(0x87, 2), "none", "none" },
	{ "GNU_args_size", BYTES(0x2e, 0x80, 1, 0x0e, 16), "rsp+16", "rsp+16" },
	{ "GNU_window_save", BYTES(0x2d, 0x0e, 16), "rsp+16", "rsp+16" },
	{ "the last two rows after the end", BYTES(0x02, LENGTH, 0x0e, 16, GO_ON, 0x0e, 24), "rsp+8", "rsp+8" },
	{ "far away", BYTES(0x04, 255, 255, 255, 255, 0x0e, 16), "rsp+8", "rsp+8" },

	{ "expression: register", BYTES(0x0f, 2, 0x76, 16), "rbp+16", "rbp+16" },
	{ "expression: bregx", BYTES(0x0f, 3, 0x92, 6, 16), "rbp+16", "rbp+16" },
	{ "expression: DRAP", BYTES(0x0f, 3, 0x76, 0x78, 0x06), "*(rbp-8)+0", "*(rbp-8)+0" },
	{ "expression: OpenSSL", BYTES(0x0f, 6, 0x77, 0x98, 1, 0x06, 0x23, 8), "*(rsp+152)+8", "*(rsp+152)+8" },
	{ "expression: literal plus", BYTES(0x0f, 5, 0x77, 8, 0x06, 0x38, 0x22), "*(rsp+8)+8", "*(rsp+8)+8" },
	{ "expression: literal minus", BYTES(0x0f, 5, 0x77, 8, 0x06, 0x38, 0x1c), "*(rsp+8)-8", "*(rsp+8)-8" },
	{ "expression: number first", BYTES(0x0f, 4, 0x38, 0x77, 8, 0x22), "rsp+16", "rsp+16" },
	{ "expression: constants", BYTES(0x0f, 17, 0x77, 0, 0x08, 200, 0x22, 0x09, 0xff, 0x22, 0x0a, 1, 0, 0x22, 0x0b, 0xff,
	  0xff, 0x22, 0x96), "rsp+199", "rsp+199" },
	{ "expression: more constants", BYTES(0x0f, 19, 0x77, 0, 0x0c, 1, 0, 0, 0, 0x22, 0x0d, 0xfe, 0xff, 0xff, 0xff, 0x22,
	  0x10, 0x81, 1, 0x22, 0x96), "rsp+128", "rsp+128" },
	{ "expression: stub", BYTES(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22), "rsp+8 plt 11",
	  "rsp+8 plt 11" },
	{ "expression: stub of 2017", BYTES(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x35, 0x2a, 0x33, 0x24, 0x22),
	  "rsp+8 plt 5", "rsp+8 plt 5" },
	{ "expression: no stub, too short", BYTES(0x0f, 10, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24), "none",
	  "none" },
	{ "expression: no stub, literal 16", BYTES(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x40, 0x2a, 0x33, 0x24, 0x22),
	  "none", "none" },
	{ "expression: two registers", BYTES(0x0f, 5, 0x77, 8, 0x79, 0, 0x22), "none", "none" },
	{ "expression: twice dereferenced", BYTES(0x0f, 4, 0x77, 8, 0x06, 0x06), "none", "none" },
	{ "expression: empty", BYTES(0x0f, 0), "none", "none" },
	{ "expression: nothing to add to", BYTES(0x0f, 1, 0x22), "none", "none" },
	{ "expression: a number only", BYTES(0x0f, 1, 0x38), "none", "none" },
	{ "expression: piece of machine code", BYTES(0x0f, 2, 0x94, 4), "none", "none" },
	{ "expression: register 31", BYTES(0x0f, 2, 0x8f, 0), "none", "none" },
	{ "expression: overflow", BYTES(0x0f, 14, 0x77, 8, 0x11, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0x22),
	  "none", "none" },
	{ "expression: too deep", BYTES(0x0f, 10, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30), "none", "none" },
	{ "expression, then another offset", BYTES(0x0f, 2, 0x76, 16, 0x0e, 32), "rbp+16", "rbp+16" },
	{ "expression, then another register", BYTES(0x0f, 2, 0x76, 16, 0x0e, 32, 0x0d, 7), "rsp+32", "rsp+32" },

	{ "saved at rbp, which is known", BYTES(0x0c, 6, 16, 0x10, 6, 2, 0x76, 0), "rbp+16 rbp-16", "rbp+16 rbp-16" },
	{ "saved at rbp, which is not", BYTES(0x0c, 10, 0, 0x10, 6, 2, 0x76, 0, GO_ON, 0x0f, 3, 0x76, 0x78, 0x06),
	  "r10+0 rbp=rbp+0", "*(rbp-8)+0 rbp=rbp+0" },
	{ "saved at rsp, which is known", BYTES(0x0e, 32, 0x10, 3, 2, 0x77, 8), "rsp+32 rbx-24", "rsp+32 rbx-24" },
	{ "saved at rsp, which is not", BYTES(0x0c, 10, 0, 0x10, 6, 2, 0x77, 8), "none", "none" },
	{ "saved at the CFA", BYTES(0x10, 3, 2, 0x23, 16), "rsp+8 rbx+16", "rsp+8 rbx+16" },
	{ "saved at call_frame_cfa", BYTES(0x10, 3, 3, 0x9c, 0x38, 0x1c), "rsp+8 rbx-8", "rsp+8 rbx-8" },
	{ "saved at an odd place", BYTES(0x10, 6, 2, 0x76, 1), "none", "none" },
	{ "saved at what is pointed to", BYTES(0x10, 6, 3, 0x77, 8, 0x06), "none", "none" },
	{ "val_expression of rsp", BYTES(0x16, 7, 0), "rsp+8", "rsp+8" },
	{ "val_expression of rbp", BYTES(0x16, 6, 2, 0x77, 8), "none", "none" },
	{ "return address by expression", BYTES(0x0e, 32, 0x10, 16, 2, 0x77, 24), "rsp+32", "rsp+32" },
	{ "old signal frame", BYTES(0x0f, 4, 0x77, 0xa0, 1, 0x06, 0x10, 16, 3, 0x77, 0xa8, 1), "signal", "signal" },
	{ "no signal frame, by 8 bytes", BYTES(0x0f, 6, 0x77, 0xa0, 1, 0x06, 0x23, 8, 0x10, 16, 3, 0x77, 0xa8, 1), "none", "none" },
	{ "no signal frame", BYTES(0x0f, 4, 0x77, 0xa8, 1, 0x06, 0x10, 16, 3, 0x77, 0xa8, 1), "none", "none" },

	{ "CFA too far", BYTES(0x0e, 0x80, 0x80, 0x80, 0x80, 0x08), "none", "none" },
	{ "saved too far", BYTES(0x05, 6, 0x81, 0x80, 0x02), "none", "none" },
	{ "CFA from register 16", BYTES(0x0c, 16, 8), "none", "none" },
	{ "CFA from register 2^40", BYTES(0x0c, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 8), "none", "none" },

	/* Malformed: what was said before counts, nothing after. */
	{ "unknown instruction", BYTES(0x0e, 16, GO_ON, 0x3f), "rsp+16", "none" },
	{ "operand cut off", BYTES(0x0e, 16, GO_ON, 0x0c, 7), "rsp+16", "none" },
	{ "number that does not end", BYTES(0x0e, 16, GO_ON, 0x0e, 0x80, 0x80), "rsp+16", "none" },
	{ "number of more than 64 bits", BYTES(GO_ON, 0x0e, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), "rsp+8",
	  "none" },
	{ "restore_state of nothing", BYTES(0x0e, 16, GO_ON, 0x0b), "rsp+16", "none" },
	{ "remembered too often", BYTES(GO_ON, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10), "rsp+8",
	  "none" },
	{ "block cut off", BYTES(GO_ON, 0x0f, 9, 0x77), "rsp+8", "none" },
	{ "going back", BYTES(GO_ON, 0x01, 0x08, 0x31, 0x40, 0, 0, 0, 0, 0), "rsp+8", "none" },
	{ "offset that overflows", BYTES(GO_ON, 0x11, 6, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0xc0, 0), "rsp+8",
	  "none" },
};

static struct fake_table read_frames(const uint8_t *cie, size_t cie_bytes, const uint8_t *augmentation,
				     size_t augmentation_bytes, const uint8_t *code, size_t bytes)
{
	struct buffer section = { 0 }, body = { 0 };
	struct fake_table fake;

	buffer_append(&body, cie, cie_bytes);
	put_entry(&section, 0, &body);
	buffer_clear(&body);
	put_number(&body, ADDRESS, 8);
	put_number(&body, LENGTH, 8);
	buffer_append(&body, augmentation, augmentation_bytes);
	buffer_append(&body, code, bytes);
	put_entry(&section, (uint32_t)section.bytes + 4, &body);
	put_number(&section, 0, 4);
	fake = read_fake_section(".eh_frame", &section);
	buffer_free(&body);
	buffer_free(&section);
	return fake;
}

static void instructions(void)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct sample *sample = &samples[i];
		struct fake_table fake = read_frames(plain_cie, sizeof(plain_cie), NULL, 0, sample->code, sample->bytes);

		check_string(fake_rule(&fake, START), sample->first, "%s: at first", sample->name);
		check_string(fake_rule(&fake, START + 16), sample->second, "%s: then", sample->name);
		if (strcmp(fake_rule(&fake, START - 1), "none") || strcmp(fake_rule(&fake, START + LENGTH), "none"))
			check(false, "%s: only within the function", sample->name);
		free_fake(&fake);
	}
}

static void losses(void)
{
	const struct {
		const char *name;
		const uint8_t *code;
		size_t bytes;
		size_t counter;
	} lost[] = {
#define COUNTER(name)	(offsetof(struct unwind_statistics, name) / sizeof(uint64_t))
		{ "the CFA", BYTES(0x0f, 0), COUNTER(lost_cfa) },
		{ "the return address", BYTES(0x90, 2), COUNTER(lost_return_address) },
		{ "rbp", BYTES(0x09, 6, 11), COUNTER(lost_saved) },
		{ "rbx", BYTES(0x09, 3, 11), COUNTER(inexact) },
		{ "the rest of the function", BYTES(0x3f), COUNTER(malformed) },
	};

	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
		struct fake_table fake = read_frames(plain_cie, sizeof(plain_cie), NULL, 0, lost[i].code, lost[i].bytes);
		uint64_t counters[sizeof(fake.statistics) / sizeof(uint64_t)];

		memcpy(counters, &fake.statistics, sizeof(counters));
		for (size_t j = 0; j < sizeof(lost) / sizeof(lost[0]); j++)
			if (counters[lost[j].counter] != (i == j))
				check(false, "what is lost: %s, not %s", lost[i].name, lost[j].name);
		check_number(counters[lost[i].counter], 1, "what is lost: %s is counted", lost[i].name);
		check_number(fake.statistics.functions[UNWIND_EH_FRAME], 1, "what is lost: the function counts");
		check_number(fake.statistics.code_bytes, FAKE_TEXT_BYTES, "what is lost: of so much code");
		check_number(fake.statistics.uncovered_bytes, FAKE_TEXT_BYTES - (lost[i].counter == COUNTER(inexact) ? LENGTH : 0),
			     "what is lost: so much is not covered");
		free_fake(&fake);
	}
}

static void cies(void)
{
	const struct {
		const char *name;
		const uint8_t *cie;
		size_t cie_bytes;
		const uint8_t *augmentation;
		size_t augmentation_bytes;
		const char *rule;
	} list[] = {
		{ "version 3", BYTES(3, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1), NULL, 0, "rsp+16" },
		{ "version 2", BYTES(2, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1), NULL, 0, "none" },
		{ "version 4 in .eh_frame", BYTES(4, 0, 8, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1), NULL, 0, "none" },
		{ "augmentation z", BYTES(1, 'z', 0, 1, 0x78, 16, 0, 0x0c, 7, 8, 0x90, 1), BYTES(2, 0xff, 0xff), "rsp+16" },
		{ "augmentation zR", BYTES(1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x04, 0x0c, 7, 8, 0x90, 1), BYTES(0), "rsp+16" },
		{ "augmentation zPLR",
		  BYTES(1, 'z', 'P', 'L', 'R', 0, 1, 0x78, 16, 7, 0x9b, 1, 2, 3, 4, 0x1b, 0x04, 0x0c, 7, 8, 0x90, 1), BYTES(0),
		  "rsp+16" },
		{ "augmentation zPR without personality",
		  BYTES(1, 'z', 'P', 'R', 0, 1, 0x78, 16, 2, 0xff, 0x04, 0x0c, 7, 8, 0x90, 1), BYTES(0), "rsp+16" },
		{ "augmentation zRS", BYTES(1, 'z', 'R', 'S', 0, 1, 0x78, 16, 1, 0x04, 0x0c, 7, 8, 0x90, 1), BYTES(0), "signal" },
		{ "unknown letters after z", BYTES(1, 'z', '?', 0, 1, 0x78, 16, 2, 1, 2, 0x0c, 7, 8, 0x90, 1), BYTES(0), "rsp+16" },
		{ "unknown letters", BYTES(1, '?', 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1), NULL, 0, "none" },
		{ "augmentation eh", BYTES(1, 'e', 'h', 0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1), NULL, 0,
		  "rsp+16" },
		{ "augmentation longer than the entry", BYTES(1, 'z', 0, 1, 0x78, 16, 200, 0x0c, 7, 8, 0x90, 1), BYTES(0), "none" },
		{ "augmentation of the function longer than it", BYTES(1, 'z', 0, 1, 0x78, 16, 0, 0x0c, 7, 8, 0x90, 1), BYTES(200),
		  "none" },
		{ "augmentation that does not end", BYTES(1, 'z', 'R'), NULL, 0, "none" },
		{ "another return address", BYTES(1, 0, 1, 0x78, 17, 0x0c, 7, 8, 0x91, 1), NULL, 0, "none" },
		{ "indirect addresses", BYTES(1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x84, 0x0c, 7, 8, 0x90, 1), BYTES(0), "none" },
		{ "addresses relative to text", BYTES(1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x24, 0x0c, 7, 8, 0x90, 1), BYTES(0), "none" },
		{ "addresses relative to data", BYTES(1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x34, 0x0c, 7, 8, 0x90, 1), BYTES(0), "none" },
		{ "instructions that move", BYTES(1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1, 0x41), NULL, 0, "none" },
		{ "instructions that restore", BYTES(1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1, 0xc6), NULL, 0, "none" },
		{ "no CFA", BYTES(1, 0, 1, 0x78, 16, 0x90, 1), NULL, 0, "none" },
		{ "cut off", BYTES(1, 0, 1), NULL, 0, "none" },
	};
	uint8_t many[400] = { 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1 };
	struct fake_table fake;

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		fake = read_frames(list[i].cie, list[i].cie_bytes, list[i].augmentation, list[i].augmentation_bytes,
				   BYTES(0x0e, 16));
		check_string(fake_rule(&fake, START), list[i].rule, "CIE: %s", list[i].name);
		check(!strcmp(list[i].rule, "none") == !!fake.statistics.malformed, "CIE: %s: counted if it is refused",
		      list[i].name);
		free_fake(&fake);
	}
	fake = read_frames(many, sizeof(many), NULL, 0, BYTES(0x0e, 16));
	check_string(fake_rule(&fake, START), "none", "CIE: with more instructions than any has");
	free_fake(&fake);
}

int main(void)
{
	instructions();
	losses();
	cies();
	return check_end();
}
