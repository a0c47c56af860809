// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "session/files.h"

static void take_loaded(struct live *live, struct loaded *loaded)
{
	uint32_t number = loaded->file.identity.file;

	live->late -= live->late && (loaded->downloaded || symbols_are_awaited(live->profile->symbols, number));
	if (loaded->downloaded) {
		symbols_end_download(live->profile->symbols, number, loaded->file.names);
		profile_name_again(live->profile, number);
	} else if (loaded->again) {
		live->again--;
		symbols_set_names(live->profile->symbols, number, loaded->file.names);
	} else {
		if (live->recorder)
			recorder_write_file(live->recorder, loaded);
		symbols_set_file(live->profile->symbols, &loaded->file);
		live->late += loaded->file.downloading;
	}
	loaded_free(loaded);
}

static void take_file(struct live *live, uint32_t number)
{
	struct loaded loaded;

	if (live->loader && loader_take(live->loader, number, &loaded))
		take_loaded(live, &loaded);
}

void files_take_late(struct live *live)
{
	struct loaded loaded;

	while (live->late && loader_take_any(live->loader, &loaded))
		take_loaded(live, &loaded);
}

/* The number of the file that the next user frame is in, from frame *at on; 0: there is none. */
static uint32_t next_file(const struct ktally_stack *stack, size_t *at)
{
	size_t count = (size_t)stack->kernel_frames + stack->user_frames;

	while (*at < count) {
		uint64_t frame = stack->frames[(*at)++];

		if (frame >> KTALLY_FRAME_TYPE_SHIFT == KTALLY_FRAME_FILE)
			return (uint32_t)((frame & KTALLY_FRAME_VALUE_MASK) >> KTALLY_FRAME_FILE_SHIFT);
	}
	return 0;
}

void files_take(struct live *live, const struct ktally_record *record)
{
	const struct ktally_stack *stack = (const void *)record;
	uint32_t number;

	if (record->type == KTALLY_RECORD_FILE) {
		number = ((const struct ktally_file *)record)->file;
		take_file(live, number);
		live->late += live->loader && !symbols_find_file(live->profile->symbols, number);
	}
	if (record->type != KTALLY_RECORD_STACK)
		return;
	for (size_t at = stack->kernel_frames; live->again && (number = next_file(stack, &at)); )
		take_file(live, number);
}

/* One that came too late, or that its process keeps a lease of, is tried again whenever another CPU tells of it. */
static void submit(struct live *live, const struct ktally_file *file)
{
	const struct symbols_file *known = symbols_find_file(live->profile->symbols, file->file);

	if (!loader_has(live->loader, file->file) && (!known || known->error == -ESTALE || known->error == -EAGAIN))
		loader_submit(live->loader, file);
}

/* Symbols that were dropped to make room are wanted again, unless the stack is merely told again. */
static void submit_again(struct live *live, const struct ktally_stack *stack)
{
	const struct stack *known = map_get(&live->profile->stacks, stack->stack_id);
	struct symbols *symbols = live->profile->symbols;
	uint32_t number;

	if (known && known->named)
		return;
	for (size_t at = stack->kernel_frames; (number = next_file(stack, &at)); ) {
		if (!symbols_were_dropped(symbols, number) || loader_has(live->loader, number))
			continue;
		loader_submit_again(live->loader, symbols_find_file(symbols, number));
		live->again++;
	}
}

void files_submit(struct live *live, const struct ktally_record *record)
{
	if (live->loader && record->type == KTALLY_RECORD_FILE)
		submit(live, (const void *)record);
	if (live->loader && record->type == KTALLY_RECORD_STACK)
		submit_again(live, (const void *)record);
}

bool files_are_being_read(const struct live *live, const struct ktally_record *record)
{
	const struct ktally_stack *stack = (const void *)record;
	uint32_t number;

	if (record->type == KTALLY_RECORD_FILE)
		return loader_is_busy_with(live->loader, ((const struct ktally_file *)record)->file);
	if (record->type != KTALLY_RECORD_STACK || !live->again)
		return false;
	for (size_t at = stack->kernel_frames; (number = next_file(stack, &at)); )
		if (loader_is_busy_with(live->loader, number))
			return true;
	return false;
}
