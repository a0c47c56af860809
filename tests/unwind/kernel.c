// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel.h"
#include "stretch.h"

struct opened opened;
unsigned long jiffies = 1000;

bool ktally_stretch_find(struct ktally_view *view, u64 address, struct ktally_stretch *stretch)
{
	must(opened.rcu && !opened.access && address < TASK_SIZE_MAX);
	for (size_t i = 0; i < view->count; i++) {
		const struct mapping *mapping = &view->mappings[i];

		if (address < mapping->start || address >= mapping->end)
			continue;
		*stretch = (struct ktally_stretch) {
			.start = mapping->start,
			.bytes = mapping->end - mapping->start,
			.frame = KTALLY_FRAME_FILE << KTALLY_FRAME_TYPE_SHIFT | (u64)mapping->file << 36 | mapping->offset,
			.offset = mapping->offset,
			.table = mapping->table,
		};
		return true;
	}
	return false;
}
