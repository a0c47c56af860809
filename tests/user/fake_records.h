/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records as the device would write them, fed to a profile: for the tests of what becomes of them. */
#ifndef KTALLY_FAKE_RECORDS_H
#define KTALLY_FAKE_RECORDS_H

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "profile/profile.h"

#define SECOND	1000000000ULL
#define MM	0x77			/* an address space */

static inline struct ktally_task task_record(uint64_t id, uint64_t mm_id, uint32_t pid, uint32_t tid, const char *comm)
{
	struct ktally_task task = {
		.header = { .type = KTALLY_RECORD_TASK, .size = sizeof(task) },
		.time = 5 * SECOND,
		.task_id = id,
		.mm_id = mm_id,
		.cgroup_id = 9,
		.start_time = 3 * SECOND,
		.pid = pid,
		.tid = tid,
		.parent = 1,
	};

	memcpy(task.comm, comm, strnlen(comm, sizeof(task.comm)));
	return task;
}

static inline void feed_task(struct profile *profile, const struct ktally_task *task)
{
	check(!profile_feed(profile, &task->header, NULL), "a TASK is no sample");
}

static inline void feed_stack(struct profile *profile, uint64_t id, uint64_t mm_id, const uint64_t *kernel,
			      unsigned int kernel_frames, const uint64_t *user, unsigned int user_frames)
{
	union {
		struct ktally_stack stack;
		uint64_t words[sizeof(struct ktally_stack) / 8 + 16];
	} record = { 0 };
	size_t bytes = sizeof(record.stack) + (kernel_frames + user_frames) * sizeof(record.stack.frames[0]);

	if (bytes > sizeof(record))
		abort();
	record.stack.header.type = KTALLY_RECORD_STACK;
	record.stack.header.size = (uint16_t)bytes;
	record.stack.stack_id = id;
	record.stack.mm_id = mm_id;
	record.stack.kernel_frames = (uint16_t)kernel_frames;
	record.stack.user_frames = (uint16_t)user_frames;
	record.stack.kernel_end = kernel_frames ? KTALLY_END_COMPLETE : KTALLY_END_NONE;
	record.stack.user_end = user_frames ? KTALLY_END_BROKEN : KTALLY_END_NONE;
	for (unsigned int i = 0; i < kernel_frames; i++)
		record.stack.frames[i] = (kernel[i] & KTALLY_FRAME_VALUE_MASK) |
					 KTALLY_FRAME_KERNEL << KTALLY_FRAME_TYPE_SHIFT;
	for (unsigned int i = 0; i < user_frames; i++)
		record.stack.frames[kernel_frames + i] = user[i] | KTALLY_FRAME_USER << KTALLY_FRAME_TYPE_SHIFT;
	profile_feed(profile, &record.stack.header, NULL);
}

static inline bool feed_sample(struct profile *profile, uint64_t stack, uint64_t task, uint64_t time, uint64_t weight,
			       int syscall, struct profile_sample *sample)
{
	static struct ktally_sample record;

	record = (struct ktally_sample){
		.header = { .type = KTALLY_RECORD_SAMPLE, .size = sizeof(record) },
		.time = time, .stack_id = stack, .task_id = task, .weight = weight, .tid = 1, .syscall = syscall,
	};
	return profile_feed(profile, &record.header, sample);
}

static inline void feed_exit(struct profile *profile, const struct ktally_task *task, uint64_t time)
{
	const struct ktally_exit record = {
		.header = { .type = KTALLY_RECORD_EXIT, .size = sizeof(record) },
		.time = time, .start_time = task->start_time, .pid = task->pid, .tid = task->tid,
	};

	profile_feed(profile, &record.header, NULL);
}

/* A wait that began at `start` and was blocked, then on the run queue; flags: KTALLY_OFFCPU_*. It weighs what it took. */
static inline struct ktally_offcpu wait_record(uint64_t stack, uint64_t task, uint64_t start, uint64_t blocked, uint64_t run_queue,
					       uint16_t flags)
{
	return (struct ktally_offcpu){
		.header = { .type = KTALLY_RECORD_OFFCPU, .flags = flags, .size = sizeof(struct ktally_offcpu) },
		.time = start + blocked + run_queue,
		.stack_id = stack,
		.task_id = task,
		.weight = blocked + run_queue,
		.start = start,
		.blocked = blocked,
		.run_queue = run_queue,
		.state = KTALLY_OFFCPU_SLEEP,
		.syscall = KTALLY_SYSCALL_NONE,
	};
}

static inline void feed_wait(struct profile *profile, const struct ktally_offcpu *wait)
{
	check(!profile_feed(profile, &wait->header, NULL), "an OFFCPU is no sample");
}

#endif
