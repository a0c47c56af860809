// SPDX-License-Identifier: GPL-2.0
#include "stretch.h"

#include <linux/ktally.h>

#include "spaces.h"
#include "tables.h"

bool ktally_stretch_find(struct ktally_view *view, u64 address, struct ktally_stretch *stretch)
{
	const struct ktally_mapping *mapping = &view->last;
	struct ktally_place place;

	if (!ktally_space_find(view, address, &place))
		return false;
	stretch->start = mapping->start;
	stretch->end = mapping->end;
	stretch->offset = place.offset - (address - mapping->start);
	if (stretch->offset + (mapping->end - mapping->start) > KTALLY_FRAME_OFFSET_MASK)
		return false;
	stretch->frame = KTALLY_FRAME_FILE << KTALLY_FRAME_TYPE_SHIFT |
			 (u64)place.number << KTALLY_FRAME_FILE_SHIFT | stretch->offset;
	stretch->table = ktally_tables_find(place.number);
	return true;
}
