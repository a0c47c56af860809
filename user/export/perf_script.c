// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The text of `perf script -F comm,pid,tid,cpu,time,period,event,ip,sym,symoff,dso`, to the blank: scripts for it are
 * older than most profilers. The event is always cpu-clock, whose period is in nanoseconds, as our weights are.
 */
#include <inttypes.h>
#include <string.h>

#include "export/export.h"
#include "export/label.h"
#include "export/output.h"

static const char *object_name(const struct frame *frame)
{
	if (!frame->object)
		return frame->kind == FRAME_ANONYMOUS ? "//anon" : "[unknown]";
	return strcmp(frame->object, "[kernel]") ? frame->object : "[kernel.kallsyms]";
}

static void write_frame(struct buffer *text, const struct frame *frame)
{
	uint64_t address = frame->kind == FRAME_NATIVE ? frame->object_address : frame->address;

	buffer_format(text, "\t%16" PRIx64 " ", address);
	if (frame->function) {
		label_text(text, frame->function, NULL);
		buffer_format(text, "+0x%" PRIx64, frame->function_offset);
	} else {
		buffer_string(text, "[unknown]");
	}
	buffer_string(text, " (");
	label_text(text, object_name(frame), NULL);
	buffer_string(text, ")\n");
}

int export_perf_script(FILE *file, const struct profile_sample *sample)
{
	const struct ktally_sample *record = sample->record;
	const struct stack *stack = sample->stack;
	struct output output = { .file = file };	/* not finished here: one sample is not worth a flush */
	uint64_t microseconds = record->time / 1000;

	label_text(&output.buffer, sample->task->comm, NULL);
	buffer_format(&output.buffer, " %5u/%-5u [%03u] %5" PRIu64 ".%06" PRIu64 ": %10" PRIu64 " cpu-clock: \n",
		      sample->task->pid, record->tid, record->header.cpu, microseconds / 1000000,
		      microseconds % 1000000, (uint64_t)record->weight);
	for (unsigned int i = 0; i < (unsigned int)stack->kernel_frames + stack->user_frames; i++)
		write_frame(&output.buffer, &stack->frames[i]);
	buffer_string(&output.buffer, "\n");
	output_write(&output, output.buffer.data, output.buffer.bytes);
	buffer_free(&output.buffer);
	return output.error;
}
