// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as the text of /proc/kallsyms, which a capture may bring from anywhere. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/kallsyms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct kallsyms kallsyms;
	const char *object;
	uint64_t start;

	if (kallsyms_parse(&kallsyms, (const char *)data, bytes))
		return 0;
	for (size_t i = 0; i < kallsyms.table.count; i++) {
		uint64_t address = kallsyms.table.base + kallsyms.table.entries[i].start;
		const char *name = kallsyms_find(&kallsyms, address, &start, &object);

		if (!object || (name && (start > address || strlen(name) > 512)))
			abort();
	}
	kallsyms_has(&kallsyms, "a", true);
	kallsyms_free(&kallsyms);
	return 0;
}
