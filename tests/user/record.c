// SPDX-License-Identifier: GPL-2.0-or-later
/* ktally_check_record(): every type at its smallest size and one field short, and what no record may contain. */
#include <errno.h>
#include <stdint.h>

#include "check.h"
#include "lib/libktally.h"

static union {
	struct ktally_record header;
	struct ktally_task task;
	struct ktally_exit exit;
	struct ktally_stack stack;
	struct ktally_sample sample;
	struct ktally_lost lost;
	struct ktally_throttle throttle;
	struct ktally_offcpu offcpu;
	struct ktally_file file;
	unsigned char room[KTALLY_RECORD_BYTES_MAX + 8];
} record __attribute__((aligned(8)));

/* Everything that a type requires not to be zero is one. */
static void make(uint16_t type, size_t size)
{
	memset(&record, 0, sizeof(record));
	record.header = (struct ktally_record) { .type = type, .size = (uint16_t)size };
	switch (type) {
	case KTALLY_RECORD_TASK:
		record.task.task_id = 1;
		break;
	case KTALLY_RECORD_STACK:
		record.stack.stack_id = 1;
		break;
	case KTALLY_RECORD_SAMPLE:
		record.sample.stack_id = record.sample.task_id = 1;
		break;
	case KTALLY_RECORD_THROTTLE:
		record.throttle.thin = 1;
		break;
	case KTALLY_RECORD_OFFCPU:
		record.offcpu.stack_id = record.offcpu.task_id = 1;
		break;
	case KTALLY_RECORD_FILE:
		record.file.file = 1;
		break;
	}
}

static int examine(void)
{
	return ktally_check_record(&record, sizeof(record));
}

static void sizes(void)
{
	static const struct {
		uint16_t type;
		size_t size;
		const char *name;
	} types[] = {
		{ KTALLY_RECORD_TASK, 80, "TASK" },
		{ KTALLY_RECORD_EXIT, 32, "EXIT" },
		{ KTALLY_RECORD_STACK, 32, "STACK" },
		{ KTALLY_RECORD_SAMPLE, 48, "SAMPLE" },
		{ KTALLY_RECORD_LOST, 40, "LOST" },
		{ KTALLY_RECORD_THROTTLE, 40, "THROTTLE" },
		{ KTALLY_RECORD_OFFCPU, 88, "OFFCPU" },
		{ KTALLY_RECORD_FILE, 64, "FILE" },
		{ 9, 8, "a type to come" },
		{ 65535, 8, "the last type" },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		unsigned int wrong = 0;

		make(types[i].type, types[i].size);
		check_number(examine(), types[i].size, "%s is taken", types[i].name);
		for (size_t bytes = 0; bytes < types[i].size; bytes++)
			wrong += ktally_check_record(&record, bytes) != 0;
		check_number(wrong, 0, "%s cut short needs more bytes", types[i].name);
		make(types[i].type, types[i].size - 8);
		check_number(examine(), -EBADMSG, "%s without its last field is none", types[i].name);
		make(types[i].type, types[i].size + 4);
		check_number(examine(), -EBADMSG, "%s of a size that is no multiple of 8 is none", types[i].name);
		make(types[i].type, KTALLY_RECORD_BYTES_MAX + 8);
		check_number(examine(), -EBADMSG, "%s past the largest size is none", types[i].name);
	}
	make(100, KTALLY_RECORD_BYTES_MAX);
	check_number(examine(), KTALLY_RECORD_BYTES_MAX, "the largest record is taken");
	make(0, 8);
	check_number(examine(), -EBADMSG, "type 0 is none");
	memset(&record, 0, sizeof(record));
	check_number(examine(), -EBADMSG, "zeros are no record");
}

static void stacks(void)
{
	make(KTALLY_RECORD_STACK, 32 + 5 * 8);
	record.stack.kernel_frames = 2;
	record.stack.user_frames = 3;
	check_number(examine(), 72, "a stack of 2 and 3 frames");
	record.stack.user_frames = 4;
	check_number(examine(), -EBADMSG, "a stack that claims a frame more");
	record.stack.user_frames = 2;
	check_number(examine(), -EBADMSG, "a stack that claims a frame less");
	record.stack.kernel_frames = 65535;
	record.stack.user_frames = 6;
	check_number(examine(), -EBADMSG, "counts that make 5 when added in 16 bits");
	make(KTALLY_RECORD_STACK, 32 + (KTALLY_DEPTH_MAX + KTALLY_DEPTH_KERNEL_MAX) * 8);
	record.stack.kernel_frames = KTALLY_DEPTH_KERNEL_MAX;
	record.stack.user_frames = KTALLY_DEPTH_MAX;
	check_number(examine(), record.header.size, "the deepest stack");
}

static void fields(void)
{
	make(KTALLY_RECORD_TASK, 80);
	record.task.task_id = 0;
	check_number(examine(), -EBADMSG, "a task without id");
	make(KTALLY_RECORD_STACK, 32);
	record.stack.stack_id = 0;
	check_number(examine(), -EBADMSG, "a stack without id");
	make(KTALLY_RECORD_SAMPLE, 48);
	record.sample.stack_id = 0;
	check_number(examine(), -EBADMSG, "a sample without stack");
	make(KTALLY_RECORD_SAMPLE, 48);
	record.sample.task_id = 0;
	check_number(examine(), -EBADMSG, "a sample without task");
	make(KTALLY_RECORD_OFFCPU, 88);
	record.offcpu.stack_id = 0;
	check_number(examine(), -EBADMSG, "a wait without stack");
	make(KTALLY_RECORD_OFFCPU, 88);
	record.offcpu.task_id = 0;
	check_number(examine(), -EBADMSG, "a wait without task");
	make(KTALLY_RECORD_FILE, 64);
	record.file.file = 0;
	check_number(examine(), -EBADMSG, "a file without number");
	make(KTALLY_RECORD_LOST, 40);
	record.lost.cause = KTALLY_LOST_CAUSES;
	check_number(examine(), -EBADMSG, "a loss whose cause is no index");
	make(KTALLY_RECORD_THROTTLE, 40);
	record.throttle.thin = 0;
	check_number(examine(), -EBADMSG, "one of no samples");
	make(KTALLY_RECORD_SAMPLE, 48);
	record.header.flags = 0xffff;
	check_number(examine(), 48, "unknown flags are let through");
}

int main(void)
{
	sizes();
	stacks();
	fields();
	return check_end();
}
