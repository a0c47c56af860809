// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory that is there or the program ends. A profiler that cannot get a few kilobytes cannot do anything sensible with
 * the failure either; large tables, which can be refused, are bounded by their owners and do not come through here
 * unbounded.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/message.h"

static void *there(void *memory, size_t count, size_t bytes)
{
	if (!memory)
		message_fatal(EXIT_FAILED, "out of memory, asking for %zu times %zu bytes: "
			      "raise MemoryMax or the container's limit", count, bytes);
	return memory;
}

void *memory_zeroed(size_t count, size_t bytes)
{
	return there(calloc(count ? count : 1, bytes ? bytes : 1), count, bytes);
}

/* Never frees: a size of zero gives one byte. */
void *memory_resized(void *memory, size_t count, size_t bytes)
{
	size_t all;

	if (__builtin_mul_overflow(count, bytes, &all))
		return there(NULL, count, bytes);
	return there(realloc(memory, all ? all : 1), count, bytes);
}

char *memory_string(const char *string)
{
	return there(strdup(string), 1, strlen(string) + 1);
}
