// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "symbols/jit.h"

#define CHUNK_BYTES	65536
#define READ_BYTES_MOST	(64U << 20)	/* at once; the rest later */

static bool parse_hexadecimal(const char **at, const char *end, uint64_t *number)
{
	const char *begin;

	*number = 0;
	if (end - *at > 2 && (*at)[0] == '0' && ((*at)[1] | 0x20) == 'x')
		*at += 2;
	for (begin = *at; *at < end; ++*at) {
		unsigned int c = (unsigned char)**at, digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (c | 0x20) - 'a' + 10;
		else
			break;
		if (*number >> 60)
			return false;
		*number = *number << 4 | digit;
	}
	return *at > begin;
}

static void take_line(struct codes *codes, const char *line, const char *end)
{
	uint64_t start, bytes;

	if (!parse_hexadecimal(&line, end, &start) || line == end || *line++ != ' ' ||
	    !parse_hexadecimal(&line, end, &bytes) || line == end || *line++ != ' ')
		return;
	codes_add(codes, start, bytes, line, (size_t)(end - line));
}

/* A line without its end is being written: it is read next time. */
void perf_map_read(struct jit *jit, const struct elf_source *source)
{
	const struct elf reader = { .source = *source };
	uint64_t most = source->bytes, at_once = jit->piece ? jit->piece : READ_BYTES_MOST;
	char *chunk = memory_zeroed(CHUNK_BYTES, 1);

	if (most - jit->read_until > at_once)
		most = jit->read_until + at_once;
	while (jit->read_until < most && !jit->codes.refused) {
		size_t bytes = most - jit->read_until < CHUNK_BYTES ? (size_t)(most - jit->read_until) : CHUNK_BYTES;
		const char *line = chunk, *end = chunk + bytes, *newline;

		if (elf_read(&reader, jit->read_until, chunk, bytes))
			break;
		while ((newline = memchr(line, '\n', (size_t)(end - line)))) {
			if (!jit->in_line)
				take_line(&jit->codes, line, newline);
			jit->in_line = false;
			line = newline + 1;
		}
		if (line == chunk && bytes < CHUNK_BYTES)
			break;
		if (line == chunk) {
			jit->in_line = true;
			line = end;
		}
		jit->read_until += (uint64_t)(line - chunk);
	}
	free(chunk);
}
