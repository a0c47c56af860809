// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a mangled name: what comes of it fits, and comes soon (the fuzzer's time limit). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/demangle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	char *mangled = calloc(bytes + 1, 1), shown[2048];

	if (!mangled)
		abort();
	if (bytes)
		memcpy(mangled, data, bytes);
	if (!demangle(mangled, shown, sizeof(shown)) && (!*shown || strlen(shown) >= sizeof(shown)))
		abort();
	free(mangled);
	return 0;
}
