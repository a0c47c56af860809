// SPDX-License-Identifier: GPL-2.0-or-later
#include "unwind/sframe.h"

#define MAGIC			0xdee2
#define ABI_AMD64		3
#define FLAG_RELATIVE_TO_FIELD	0x4
#define RETURN_ADDRESS_OFFSET	(-8)
#define FUNCTION_BYTES_2	20
#define FUNCTION_BYTES_3	16
#define WORDS_MOST		15
#define FLEXIBLE		1
#define STUB_BYTES		16
#define RBP_NUMBER		6
#define RSP_NUMBER		7

struct description {
	uint64_t address;
	uint32_t bytes, row_count;
	uint8_t info, repeated;
	bool flexible, signal;
	struct cursor rows;
};

struct row {
	uint32_t within;
	bool from_rsp;
	unsigned int count;
	int64_t words[WORDS_MOST];
};

bool sframe_open(struct sframe *sframe, const struct section *section)
{
	struct cursor header = cursor_over(section->data, section->bytes);
	uint64_t functions, rows, row_bytes, begin;
	unsigned int extra;

	*sframe = (struct sframe){ .section = section };
	if (cursor_fixed(&header, 2) != MAGIC)
		return false;
	sframe->version = (unsigned int)cursor_fixed(&header, 1);
	sframe->flags = (unsigned int)cursor_fixed(&header, 1);
	if ((sframe->version != 2 && sframe->version != 3) || cursor_fixed(&header, 1) != ABI_AMD64)
		return false;
	sframe->rbp_offset = (int8_t)cursor_fixed(&header, 1);
	if ((int8_t)cursor_fixed(&header, 1) != RETURN_ADDRESS_OFFSET)
		return false;
	extra = (unsigned int)cursor_fixed(&header, 1);
	sframe->function_count = (uint32_t)cursor_fixed(&header, 4);
	cursor_fixed(&header, 4);	/* how many rows there are */
	row_bytes = cursor_fixed(&header, 4);
	functions = cursor_fixed(&header, 4);
	rows = cursor_fixed(&header, 4);
	cursor_part(&header, extra);
	if (header.broken)
		return false;
	begin = section->bytes - cursor_left(&header);
	if (functions > cursor_left(&header) || rows > cursor_left(&header) || row_bytes > cursor_left(&header) - rows ||
	    sframe->function_count > (cursor_left(&header) - functions) /
		    (sframe->version == 2 ? FUNCTION_BYTES_2 : FUNCTION_BYTES_3))
		return false;
	sframe->functions = begin + functions;
	sframe->rows = cursor_over(section->data + begin + rows, row_bytes);
	sframe->budget = 4 * (uint64_t)section->bytes;
	return true;
}

static bool describe(const struct sframe *sframe, uint32_t number, struct description *description)
{
	size_t at = sframe->functions + (size_t)number * (sframe->version == 2 ? FUNCTION_BYTES_2 : FUNCTION_BYTES_3);
	struct cursor cursor = cursor_over(sframe->section->data + at, sframe->section->bytes - at);
	uint64_t distance, rows_at;
	uint8_t more;

	distance = sframe->version == 2 ? (uint64_t)(int32_t)cursor_fixed(&cursor, 4) : cursor_fixed(&cursor, 8);
	description->address = sframe->section->address + distance +
			       (sframe->flags & FLAG_RELATIVE_TO_FIELD ? at : 0);
	description->bytes = (uint32_t)cursor_fixed(&cursor, 4);
	rows_at = cursor_fixed(&cursor, 4);
	description->rows = sframe->rows;
	cursor_part(&description->rows, rows_at);
	if (sframe->version == 2) {
		description->row_count = (uint32_t)cursor_fixed(&cursor, 4);
		description->info = (uint8_t)cursor_fixed(&cursor, 1);
		description->repeated = (uint8_t)cursor_fixed(&cursor, 1);
		description->flexible = description->signal = false;
	} else {
		description->row_count = (uint32_t)cursor_fixed(&description->rows, 2);
		description->info = (uint8_t)cursor_fixed(&description->rows, 1);
		more = (uint8_t)cursor_fixed(&description->rows, 1) & 0x1f;
		description->repeated = (uint8_t)cursor_fixed(&description->rows, 1);
		description->flexible = more == FLEXIBLE;
		description->signal = description->info & 0x80;
		if (more > FLEXIBLE)
			return false;
	}
	return !cursor.broken && !description->rows.broken;
}

void sframe_index(const struct sframe *sframe, struct index *index, unsigned int source)
{
	struct description description;

	for (uint32_t i = 0; i < sframe->function_count; i++)
		if (describe(sframe, i, &description))
			index_add(index, source, description.address, description.bytes, i);
}

static bool read_row(struct description *description, struct row *row)
{
	struct cursor *cursor = &description->rows;
	unsigned int type = description->info & 0x0f, info, width;

	if (type > 2)
		return false;
	row->within = (uint32_t)cursor_fixed(cursor, 1U << type);
	info = (unsigned int)cursor_fixed(cursor, 1);
	row->from_rsp = info & 1;
	row->count = info >> 1 & 0xf;
	width = info >> 5 & 3;
	if (width > 2)
		return false;
	for (unsigned int i = 0; i < row->count; i++) {
		uint64_t word = cursor_fixed(cursor, 1U << width);

		row->words[i] = width == 0 ? (int8_t)word : width == 1 ? (int16_t)word : (int32_t)word;
	}
	return !cursor->broken;
}

static void plain_frame(const struct sframe *sframe, const struct row *row, struct frame *frame)
{
	frame->cfa = (struct cfa){ .kind = CFA_REGISTER, .number = row->from_rsp ? RSP_NUMBER : RBP_NUMBER,
				   .offset = row->words[0] };
	if (sframe->rbp_offset)
		frame->places[RBP] = (struct place){ .kind = PLACE_CFA, .offset = sframe->rbp_offset };
	else if (row->count > 1)
		frame->places[RBP] = (struct place){ .kind = PLACE_CFA, .offset = row->words[1] };
}

static struct place flexible_place(int64_t control, int64_t offset)
{
	bool is_register = control & 1, deref = control & 2;
	int64_t number = control >> 3 & 0x1f;
	struct place place = { .kind = PLACE_UNKNOWN, .offset = offset };

	if (!is_register)
		place.kind = PLACE_CFA;
	else if (deref && number == RBP_NUMBER)
		place.kind = PLACE_RBP;
	else if (deref && number == RSP_NUMBER)
		place.kind = PLACE_RSP;
	return place;
}

/* Pairs of a control word, how, and an offset; of the CFA, the return address, rbp. A single 0 stands for "as always". */
static bool flexible_frame(const struct row *row, struct frame *frame)
{
	unsigned int at = 2;

	if (row->count < 2 || !(row->words[0] & 1))
		return false;
	frame->cfa.kind = row->words[0] & 2 ? CFA_DEREF : CFA_REGISTER;
	frame->cfa.number = (uint32_t)(row->words[0] >> 3 & 0x1f);
	frame->cfa.offset = row->words[1];
	for (unsigned int i = 0; i < 2 && at < row->count; i++) {
		if (!row->words[at]) {
			at++;
			continue;
		}
		if (at + 1 >= row->count)
			return false;
		frame->places[i ? RBP : RETURN_ADDRESS] = flexible_place(row->words[at], row->words[at + 1]);
		at += 2;
	}
	return true;
}

static bool make_frame(const struct sframe *sframe, const struct description *description, const struct row *row,
		       struct frame *frame)
{
	*frame = (struct frame){ .cfa = { .kind = CFA_UNKNOWN } };
	frame->places[RETURN_ADDRESS] = (struct place){ .kind = PLACE_CFA, .offset = RETURN_ADDRESS_OFFSET };
	if (!row->count) {
		frame->places[RETURN_ADDRESS].kind = PLACE_UNDEFINED;
		return true;
	}
	if (description->flexible)
		return flexible_frame(row, frame);
	plain_frame(sframe, row, frame);
	return true;
}

/* The same few rows for each of many equal stubs: nothing pushed yet, and one thing pushed. */
static bool run_stubs(struct description *description, struct rows *rows)
{
	struct frame frame = { .cfa = { .kind = CFA_UNKNOWN } };
	struct row before, after;

	frame.places[RETURN_ADDRESS] = (struct place){ .kind = PLACE_CFA, .offset = RETURN_ADDRESS_OFFSET };
	if (description->repeated == STUB_BYTES && !(description->address % STUB_BYTES) &&
	    description->row_count == 2 && read_row(description, &before) && read_row(description, &after) &&
	    !before.within && after.within < STUB_BYTES && before.from_rsp && after.from_rsp && before.count == 1 && after.count == 1 &&
	    after.words[0] == before.words[0] + 8)
		frame.cfa = (struct cfa){ .kind = CFA_PLT, .number = RSP_NUMBER, .offset = before.words[0],
					  .deref_offset = after.within };
	rows_frame(rows, 0, &frame);
	return !description->rows.broken;
}

bool sframe_run(struct sframe *sframe, uint32_t number, struct rows *rows)
{
	static const struct cie plain, of_signal = { .signal = true };
	struct description description;
	uint32_t within = 0;
	struct frame frame;
	struct row row;

	if (!describe(sframe, number, &description))
		return false;
	rows->cie = description.signal ? &of_signal : &plain;
	if (description.info & 0x10)
		return run_stubs(&description, rows);
	for (uint32_t i = 0; i < description.row_count; i++) {
		if (!sframe->budget || !read_row(&description, &row) || row.within < within ||
		    !make_frame(sframe, &description, &row, &frame)) {
			rows_frame(rows, within, NULL);
			return false;
		}
		sframe->budget--;
		within = row.within;
		rows_frame(rows, within, &frame);
	}
	return true;
}
