// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "symbols/window.h"
#include "unwind/pclntab.h"

#define MAGIC_1_16		0xfffffffa	/* and 1.17 */
#define MAGIC_1_18		0xfffffff0	/* and 1.19 */
#define MAGIC_1_20		0xfffffff1	/* and later */
#define HEADER_BYTES		72
#define TOP_FRAME		1		/* of a function's flags */
#define RSP_NUMBER		7
#define SMALL_BYTES		32
#define FUNCTIONS_MOST		(4U << 20)
#define SEARCH_STEP		16
#define SEARCHED_MOST		(256U << 20)
#define MOVES_MOST		(256U << 20)	/* functions share them, so a small file can have very many */

enum which { FUNCTIONS, REST };

/* Bytes at a place in the section; NULL past its end. They stay until the next call with that window. */
static const uint8_t *peek(struct pclntab *pclntab, enum which which, uint64_t at, size_t bytes)
{
	const struct elf_source *source = &pclntab->elf->source;
	typeof(pclntab->windows[0]) *window = &pclntab->windows[which];

	if (at > pclntab->bytes || bytes > pclntab->bytes - at)
		return NULL;
	if (source->memory)
		return (const uint8_t *)source->memory + pclntab->offset + at;
	if (at < window->at || at + bytes > window->at + window->bytes) {
		uint64_t here = pclntab->bytes - at < WINDOW_BYTES ? pclntab->bytes - at : WINDOW_BYTES;

		if (!window->data)
			window->data = memory_zeroed(WINDOW_BYTES, 1);
		window->bytes = 0;
		if (here > pclntab->left)
			return NULL;
		pclntab->left -= here;
		if (elf_read(pclntab->elf, pclntab->offset + at, window->data, here))
			return NULL;
		window->at = at;
		window->bytes = here;
	}
	return window->data + (at - window->at);
}

/* From now on this part of the file; what was seen of another is forgotten. */
static void look_at(struct pclntab *pclntab, uint64_t offset, uint64_t bytes)
{
	pclntab->offset = offset;
	pclntab->bytes = bytes;
	pclntab->left = window_most(bytes);
	pclntab->windows[FUNCTIONS].bytes = 0;
	pclntab->windows[REST].bytes = 0;
}

static uint64_t number_at(struct pclntab *pclntab, enum which which, uint64_t at, unsigned int bytes, bool *there)
{
	const uint8_t *data = peek(pclntab, which, at, bytes);
	uint64_t number = 0;

	if (data)
		memcpy(&number, data, bytes);
	else
		*there = false;
	return number;
}

static bool is_header(const uint8_t *header, uint32_t *magic)
{
	memcpy(magic, header, sizeof(*magic));
	return (*magic == MAGIC_1_16 || *magic == MAGIC_1_18 || *magic == MAGIC_1_20) && !header[4] && !header[5] &&
	       header[6] == 1 && header[7] == 8;
}

/* Other linkers than Go's own put it somewhere among what is constant once it is relocated. */
static bool search(struct pclntab *pclntab)
{
	for (uint64_t at = 0; pclntab->bytes - at >= HEADER_BYTES && at < SEARCHED_MOST; at += SEARCH_STEP) {
		const uint8_t *header = peek(pclntab, REST, at, 8);

		if (!header)
			return false;
		if (is_header(header, &pclntab->magic)) {
			look_at(pclntab, pclntab->offset + at, pclntab->bytes - at);
			return true;
		}
	}
	return false;
}

static bool find(struct pclntab *pclntab)
{
	static const char *const names[] = { ".gopclntab", ".data.rel.ro.gopclntab", ".data.rel.ro" };
	const struct elf *elf = pclntab->elf;

	if (!elf->has_go_note && !elf_find_section(elf, ".go.buildinfo") && !elf_find_section(elf, ".gopclntab"))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct elf_section *section = elf_find_section(elf, names[i]);

		if (!section || section->type == SHT_NOBITS || section->offset > elf->source.bytes ||
		    section->bytes > elf->source.bytes - section->offset || section->bytes < HEADER_BYTES)
			continue;
		look_at(pclntab, section->offset, section->bytes);
		if (search(pclntab))
			return true;
	}
	return false;
}

static bool is_old(const struct pclntab *pclntab)
{
	return pclntab->magic == MAGIC_1_16;
}

/* Where function number n begins: from the text on, but in old ones an address. */
static uint64_t beginning(struct pclntab *pclntab, uint32_t number, bool *there)
{
	unsigned int bytes = is_old(pclntab) ? 8 : 4;

	return number_at(pclntab, FUNCTIONS, pclntab->functions + 2ULL * bytes * number, bytes, there);
}

static bool load_moves(struct pclntab *pclntab, uint64_t start, uint64_t end)
{
	uint64_t bytes = end - start;

	if (start >= end || end > pclntab->bytes || bytes > SECTION_BYTES_MOST)
		return false;
	pclntab->moves.bytes = bytes;
	if (pclntab->elf->source.memory) {
		pclntab->moves.data = (const uint8_t *)pclntab->elf->source.memory + pclntab->offset + start;
		return true;
	}
	pclntab->moves.owned = memory_zeroed(bytes, 1);
	pclntab->moves.data = pclntab->moves.owned;
	return !elf_read(pclntab->elf, pclntab->offset + start, pclntab->moves.owned, bytes);
}

static bool read_header(struct pclntab *pclntab)
{
	unsigned int skipped = is_old(pclntab) ? 0 : 1;	/* newer ones have the text's address before the offsets */
	uint64_t count, moves, entry_bytes = is_old(pclntab) ? 16 : 8;
	uint64_t first, last;
	bool there = true;

	count = number_at(pclntab, REST, 8, 8, &there);
	pclntab->text = skipped ? number_at(pclntab, REST, 24, 8, &there) : 0;
	pclntab->names = number_at(pclntab, REST, 24 + 8 * skipped, 8, &there);
	moves = number_at(pclntab, REST, 48 + 8 * skipped, 8, &there);
	pclntab->functions = number_at(pclntab, REST, 56 + 8 * skipped, 8, &there);
	if (!there || !count || count > FUNCTIONS_MOST || pclntab->functions > pclntab->bytes ||
	    count > (pclntab->bytes - pclntab->functions) / entry_bytes)
		return false;
	pclntab->function_count = (uint32_t)count;
	first = beginning(pclntab, 0, &there);
	last = beginning(pclntab, pclntab->function_count, &there);
	if (!there)
		return false;
	if (!pclntab->text && !is_old(pclntab)) {
		pclntab->text = gomodule_text(pclntab->elf, first, last);
		if (!pclntab->text)
			return false;
	}
	return load_moves(pclntab, moves, pclntab->functions);
}

bool pclntab_open(struct pclntab *pclntab, const struct elf *elf)
{
	*pclntab = (struct pclntab){ .elf = elf, .budget = MOVES_MOST };
	if (find(pclntab) && read_header(pclntab))
		return true;
	pclntab_close(pclntab);
	return false;
}

void pclntab_close(struct pclntab *pclntab)
{
	section_free(&pclntab->moves);
	for (size_t i = 0; i < 2; i++) {
		free(pclntab->windows[i].data);
		pclntab->windows[i].data = NULL;
	}
}

void pclntab_index(struct pclntab *pclntab, struct index *index, unsigned int source)
{
	bool there = true;
	uint64_t start = beginning(pclntab, 0, &there);

	for (uint32_t i = 0; i < pclntab->function_count && there; i++) {
		uint64_t end = beginning(pclntab, i + 1, &there);

		if (there && end > start)
			index_add(index, source, pclntab->text + start, end - start, i);
		start = end;
	}
}

/* Go 1.16 had no flags yet. */
static bool is_top_by_name(struct pclntab *pclntab, uint64_t name)
{
	static const char *const tops[] = { "runtime.goexit", "runtime.mstart", "runtime.rt0_go" };
	uint64_t at = pclntab->names + name, bytes = at < pclntab->bytes ? pclntab->bytes - at : 0;
	char here[16] = "";

	/* Not by a window, which would go to and fro between names and descriptions. */
	if (bytes > sizeof(here))
		bytes = sizeof(here);
	if (!bytes || elf_read(pclntab->elf, pclntab->offset + at, here, (size_t)bytes))
		return false;
	for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++)
		if (strlen(tops[i]) < bytes && !memcmp(here, tops[i], strlen(tops[i]) + 1))
			return true;
	return false;
}

/* Where a function is described: which of the moves are its own, and whether nothing called it. */
static bool describe(struct pclntab *pclntab, uint32_t number, uint64_t *moves, bool *top)
{
	unsigned int bytes = is_old(pclntab) ? 8 : 4, flags;
	bool there = true;
	uint64_t entry = pclntab->functions + 2ULL * bytes * number, name;
	uint64_t at = number_at(pclntab, FUNCTIONS, entry + bytes, bytes, &there);

	if (!there || at > pclntab->bytes - pclntab->functions)
		return false;
	at += pclntab->functions;
	flags = pclntab->magic == MAGIC_1_18 ? 37 : 41;
	name = number_at(pclntab, REST, at + bytes, 4, &there);
	*moves = number_at(pclntab, REST, at + bytes + 12, 4, &there);
	*top = number_at(pclntab, REST, at + flags, 1, &there) & TOP_FRAME;
	if (there && !*top && is_old(pclntab))
		*top = is_top_by_name(pclntab, name);
	return there;
}

/* Pairs of numbers: the stack pointer was moved by so much (zigzag), for so many bytes of code. */
static bool run_moves(struct pclntab *pclntab, struct cursor moves, struct rows *rows)
{
	struct ktally_unwind_rule rule = { .kind = KTALLY_UNWIND_REGISTER, .cfa_register = RSP_NUMBER };
	uint64_t length = rows->end - rows->start;
	int64_t moved = -1;

	for (uint64_t at = 0; at < length;) {
		uint64_t change = cursor_unsigned(&moves), bytes;

		if (!change && at)
			return true;	/* padding follows */
		bytes = cursor_unsigned(&moves);
		if (moves.broken || change > UINT32_MAX || !bytes || !pclntab->budget) {
			rows_rule(rows, at, NULL);
			return false;
		}
		pclntab->budget--;
		moved += (int64_t)(change >> 1) ^ -(int64_t)(change & 1);
		rule.cfa_offset = (int32_t)(moved + 8);
		rows_rule(rows, at, moved >= 0 && moved < INT32_MAX - 8 ? &rule : NULL);
		if (bytes > length)
			break;
		at += bytes;
	}
	return true;
}

/* Go has its own of what a signal handler returns to: "mov $15, %eax; syscall", in one of two encodings. */
static bool is_signal_return(const struct pclntab *pclntab, const struct rows *rows)
{
	static const uint8_t wide[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 };
	static const uint8_t narrow[] = { 0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05 };
	uint8_t code[sizeof(wide)];

	return rows->end - rows->start <= SMALL_BYTES && !elf_read(pclntab->elf, rows->start, code, sizeof(code)) &&
	       (!memcmp(code, wide, sizeof(wide)) || !memcmp(code, narrow, sizeof(narrow)));
}

bool pclntab_run(struct pclntab *pclntab, uint32_t number, struct rows *rows)
{
	static const struct ktally_unwind_rule end = { .kind = KTALLY_UNWIND_END };
	static const struct ktally_unwind_rule signal = { .kind = KTALLY_UNWIND_SIGNAL };
	struct cursor moves = cursor_over(pclntab->moves.data, pclntab->moves.bytes);
	uint64_t at;
	bool top;

	if (!describe(pclntab, number, &at, &top))
		return false;
	if (top) {
		rows_rule(rows, 0, &end);
		return true;
	}
	if (is_signal_return(pclntab, rows)) {
		/* A handler returns to its beginning, as if the byte before had called it: that is where it is looked up. */
		builder_row(rows->builder, rows->start ? rows->start - 1 : 0, &signal);
		return true;
	}
	if (!at) {
		rows_rule(rows, 0, NULL);	/* no code: a mark that the linker made */
		return true;
	}
	if (at >= pclntab->moves.bytes)
		return false;
	moves.at += at;
	return run_moves(pclntab, moves, rows);
}
