// SPDX-License-Identifier: MIT
/*
 * What makes bytes a record. Checked is what a consumer would stumble over: that the fields of its type are there, that
 * a stack has the frames it claims, that identifiers and indices are such. Unknown types, flags and frames are left
 * alone: newer modules have them.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/libktally.h"

static bool stack_is_whole(const struct ktally_stack *stack, __u32 size)
{
	__u32 frames = (__u32)stack->kernel_frames + stack->user_frames;

	return stack->stack_id && size == sizeof(*stack) + frames * sizeof(stack->frames[0]);
}

static bool record_is_whole(const void *data, __u16 type, __u32 size)
{
	const struct ktally_task *task = data;
	const struct ktally_stack *stack = data;
	const struct ktally_sample *sample = data;
	const struct ktally_offcpu *offcpu = data;
	const struct ktally_lost *lost = data;
	const struct ktally_throttle *throttle = data;
	const struct ktally_file *file = data;

	switch (type) {
	case 0:
		return false;
	case KTALLY_RECORD_TASK:
		return size >= sizeof(*task) && task->task_id;
	case KTALLY_RECORD_EXIT:
		return size >= sizeof(struct ktally_exit);
	case KTALLY_RECORD_STACK:
		return size >= sizeof(*stack) && stack_is_whole(stack, size);
	case KTALLY_RECORD_SAMPLE:
		return size >= sizeof(*sample) && sample->stack_id && sample->task_id;
	case KTALLY_RECORD_LOST:
		return size >= sizeof(*lost) && lost->cause < KTALLY_LOST_CAUSES;
	case KTALLY_RECORD_THROTTLE:
		return size >= sizeof(*throttle) && throttle->thin;
	case KTALLY_RECORD_OFFCPU:
		return size >= sizeof(*offcpu) && offcpu->stack_id && offcpu->task_id;
	case KTALLY_RECORD_FILE:
		return size >= sizeof(*file) && file->file;
	default:
		return true;
	}
}

int ktally_check_record(const void *data, __u64 bytes)
{
	const struct ktally_record *record = data;
	__u16 type, size;

	if (bytes < sizeof(*record))
		return 0;
	type = __atomic_load_n(&record->type, __ATOMIC_RELAXED);
	size = __atomic_load_n(&record->size, __ATOMIC_RELAXED);
	if (size < sizeof(*record) || size % 8 || size > KTALLY_RECORD_BYTES_MAX)
		return -EBADMSG;
	if (bytes < size)
		return 0;
	return record_is_whole(data, type, size) ? size : -EBADMSG;
}
