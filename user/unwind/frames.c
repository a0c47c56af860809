// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/map.h"
#include "unwind/frames.h"

/*
 * They are run again for each function where the CIE fell out of the cache: longer than this, a file could make that take
 * for ever. Real ones have five to twenty bytes.
 */
#define CIE_INSTRUCTIONS_MOST	64

struct entry {
	size_t next;		/* where the one after it begins */
	struct cursor body;	/* after the id */
	uint64_t cie;		/* where its CIE is */
	bool is_cie;
};

/* False at the end, or where it is not known how to go on. entry->body is empty for what is neither. */
static bool read_entry(const struct frames *frames, size_t at, struct entry *entry)
{
	struct cursor cursor = cursor_over(frames->data, frames->bytes);
	unsigned int id_bytes = 4;
	uint64_t length, id, id_at;

	if (at >= frames->bytes)
		return false;
	cursor.at += at;
	length = cursor_fixed(&cursor, 4);
	if (!length && !frames->ends_at_zero && !cursor.broken) {
		*entry = (struct entry){ .next = at + 4, .body = { cursor.at, cursor.at, false } };
		return true;		/* files linked of parts that each had their end */
	}
	if (length == UINT32_MAX) {
		length = cursor_fixed(&cursor, 8);
		id_bytes = frames->debug ? 8 : 4;
	}
	entry->body = cursor_part(&cursor, length);
	if (!length || cursor.broken)
		return false;
	entry->next = (size_t)(cursor.at - frames->data);
	id_at = (uint64_t)(entry->body.at - frames->data);
	id = cursor_fixed(&entry->body, id_bytes);
	if (frames->debug) {
		entry->is_cie = id == (id_bytes == 8 ? UINT64_MAX : UINT32_MAX);
		entry->cie = id;
	} else {
		entry->is_cie = !id;
		entry->cie = id_at - id;
	}
	return true;
}

/* The letters after "z" say in which order things come; of an unknown letter one only knows that it ends the known. */
static void read_augmentation(struct cursor *body, const char *letters, struct cie *cie)
{
	struct cursor data = cursor_part(body, cursor_unsigned(body));
	struct origin nowhere = { .start = data.at };
	uint8_t encoding;

	for (; *letters; letters++) {
		switch (*letters) {
		case 'R':
			cie->encoding = (uint8_t)cursor_fixed(&data, 1);
			break;
		case 'P':
			encoding = (uint8_t)cursor_fixed(&data, 1);
			if (encoding != ENCODING_OMITTED)
				cursor_address(&data, encoding == ENCODING_ALIGNED ? encoding : encoding & 0x0f, &nowhere);
			break;
		case 'L':
			cursor_fixed(&data, 1);
			break;
		case 'S':
			cie->signal = true;
			break;
		default:
			return;
		}
	}
	body->broken |= data.broken;
}

static void read_cie(const struct frames *frames, struct cursor body, struct cie *cie)
{
	unsigned int version = (unsigned int)cursor_fixed(&body, 1);
	const char *augmentation = cursor_string(&body);

	*cie = (struct cie){ .encoding = ENCODING_ABSOLUTE };
	if (version != 1 && version != 3 && !(version == 4 && frames->debug))
		return;
	if (!strcmp(augmentation, "eh"))
		cursor_fixed(&body, 8);		/* of GCC 2 */
	else if (augmentation[0] && augmentation[0] != 'z')
		return;
	if (version == 4 && cursor_fixed(&body, 2) != 8)
		return;		/* addresses of 8 bytes, no segment selector */
	cie->code_factor = cursor_unsigned(&body);
	cie->data_factor = cursor_signed(&body);
	cie->return_register = (uint32_t)(version == 1 ? cursor_fixed(&body, 1) : cursor_unsigned(&body));
	cie->has_augmentation = augmentation[0] == 'z';
	if (cie->has_augmentation)
		read_augmentation(&body, augmentation + 1, cie);
	if (body.broken || cie->return_register != 16 || cursor_left(&body) > CIE_INSTRUCTIONS_MOST)
		return;
	cie->usable = cfi_run(cie, body, &frames->origin, 0, 0, &cie->initial, NULL);
}

static const struct cie *get_cie(struct frames *frames, uint64_t at)
{
	size_t slot = hash_words(at, 0) % FRAMES_CIES_KEPT;
	struct entry entry;

	if (frames->kept[slot].valid && frames->kept[slot].at == at)
		return &frames->kept[slot].cie;
	frames->kept[slot].valid = true;
	frames->kept[slot].at = at;
	frames->kept[slot].cie.usable = false;
	if (read_entry(frames, at, &entry) && entry.is_cie && cursor_left(&entry.body))
		read_cie(frames, entry.body, &frames->kept[slot].cie);
	return &frames->kept[slot].cie;
}

/* Its CIE and where it is; leaves *body at its instructions. */
static const struct cie *read_function(struct frames *frames, const struct entry *entry, struct cursor *body,
				       uint64_t *address, uint64_t *bytes)
{
	const struct cie *cie = get_cie(frames, entry->cie);

	*body = entry->body;
	if (!cie->usable)
		return NULL;
	*address = cursor_address(body, cie->encoding, &frames->origin);
	*bytes = cursor_address(body, cie->encoding & 0x0f, &frames->origin);
	if (cie->has_augmentation)
		cursor_part(body, cursor_unsigned(body));
	return body->broken ? NULL : cie;
}

void frames_index(struct frames *frames, struct index *index, unsigned int source)
{
	struct entry entry;

	for (size_t at = 0; !index->overflow && read_entry(frames, at, &entry); at = entry.next) {
		uint64_t address, bytes;
		struct cursor body;

		if (entry.is_cie || !cursor_left(&entry.body))
			continue;
		if (at > UINT32_MAX || !read_function(frames, &entry, &body, &address, &bytes))
			frames->malformed++;
		else
			index_add(index, source, address, bytes, (uint32_t)at);
	}
}

bool frames_run(struct frames *frames, uint32_t at, struct rows *rows)
{
	uint64_t address, bytes, end;
	struct entry entry;
	struct cursor body;
	struct frame frame;

	if (!read_entry(frames, at, &entry) || entry.is_cie)
		return false;
	rows->cie = read_function(frames, &entry, &body, &address, &bytes);
	if (!rows->cie)
		return false;
	if (__builtin_add_overflow(address, bytes, &end))
		end = UINT64_MAX;
	frame = rows->cie->initial;
	return cfi_run(rows->cie, body, &frames->origin, address, end, &frame, rows);
}
