// SPDX-License-Identifier: GPL-2.0
#include "stretch.h"

#include <linux/ktally.h>
#include <linux/mm.h>

#include "files.h"
#include "spaces.h"
#include "tables.h"

bool ktally_stretch_find(struct ktally_view *view, u64 address, struct ktally_stretch *stretch)
{
	struct ktally_mapping mapping;
	u64 offset;
	u32 file;

	if (!ktally_space_find(view, address, &mapping))
		return false;
	*stretch = (struct ktally_stretch) {
		.start	= mapping.start,
		.end	= mapping.end,
		.frame	= KTALLY_FRAME_USER << KTALLY_FRAME_TYPE_SHIFT | mapping.start,
	};
	file = mapping.file ? ktally_file_number(mapping.file) : 0;
	offset = (u64)mapping.first_page << PAGE_SHIFT;
	if (!file || offset + (mapping.end - mapping.start) > KTALLY_FRAME_OFFSET_MASK)
		return true;
	stretch->frame = KTALLY_FRAME_FILE << KTALLY_FRAME_TYPE_SHIFT | (u64)file << KTALLY_FRAME_FILE_SHIFT | offset;
	stretch->offset = offset;
	stretch->table = ktally_tables_find(file);
	return true;
}
