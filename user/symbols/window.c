// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "base/message.h"
#include "symbols/window.h"

#define TIMES_MOST	8
#define SLACK_BYTES	(4U << 20)	/* what is small may be in any order */
#define BYTES_MOST	(1U << 30)

uint64_t window_most(uint64_t bytes)
{
	return bytes < (BYTES_MOST - SLACK_BYTES) / TIMES_MOST ? TIMES_MOST * bytes + SLACK_BYTES : BYTES_MOST;
}

void window_open(struct window *window, const struct elf *elf, uint64_t offset, uint64_t bytes)
{
	*window = (struct window){ .elf = elf, .offset = offset, .bytes = bytes, .left = window_most(bytes) };
	window->data = memory_zeroed(WINDOW_BYTES, 1);
}

const char *window_at(struct window *window, uint64_t at, size_t *bytes)
{
	uint64_t offset;

	if (at >= window->bytes)
		return NULL;
	if (*bytes > window->bytes - at)
		*bytes = (size_t)(window->bytes - at);
	if (at < window->start || at - window->start > window->filled || *bytes > window->filled - (at - window->start)) {
		uint64_t filled = window->bytes - at < WINDOW_BYTES ? window->bytes - at : WINDOW_BYTES;

		window->filled = 0;
		if (filled > window->left)
			return NULL;
		window->left -= filled;
		if (__builtin_add_overflow(window->offset, at, &offset) ||
		    elf_read(window->elf, offset, window->data, filled))
			return NULL;
		window->start = at;
		window->filled = filled;
	}
	return window->data + (at - window->start);
}

void window_close(struct window *window)
{
	free(window->data);
	*window = (struct window){ 0 };
}
