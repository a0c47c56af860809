// SPDX-License-Identifier: GPL-2.0
#include "stretch.h"

#include <linux/ktally.h>
#include <linux/mm.h>

#include "files.h"
#include "spaces.h"
#include "stack.h"
#include "tables.h"

static void note_file(struct ktally_stack_buffer *stack, u32 file)
{
	if (!WARN_ON_ONCE(stack->file_count == ARRAY_SIZE(stack->files)))
		stack->files[stack->file_count++] = file;
}

bool ktally_stretch_find(struct ktally_view *view, u64 address, struct ktally_stretch *stretch)
{
	struct ktally_mapping mapping;
	u64 offset;
	u32 file;

	if (!ktally_space_find(view, address, &mapping))
		return false;
	*stretch = (struct ktally_stretch) {
		.start	= mapping.start,
		.bytes	= mapping.end - mapping.start,
		.frame	= KTALLY_FRAME_USER << KTALLY_FRAME_TYPE_SHIFT | mapping.start,
	};
	file = mapping.file ? ktally_file_number(mapping.file) : 0;
	offset = (u64)mapping.first_page << PAGE_SHIFT;
	if (!file || offset + (mapping.end - mapping.start) > KTALLY_FRAME_OFFSET_MASK)
		return true;
	stretch->frame = KTALLY_FRAME_FILE << KTALLY_FRAME_TYPE_SHIFT | (u64)file << KTALLY_FRAME_FILE_SHIFT | offset;
	stretch->offset = offset;
	note_file(view->stack, file);
	stretch->table = ktally_tables_find(file);
	return true;
}
