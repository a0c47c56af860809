// SPDX-License-Identifier: GPL-2.0
#include "record.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

/* Fails the record with a text when @condition does not hold. */
#define MUST(condition, ...) \
	do { \
		if (!(condition)) { \
			session_fail(session, __VA_ARGS__); \
			return false; \
		} \
	} while (0)

#define FRAME_TYPE(frame) ((frame) >> KTALLY_FRAME_TYPE_SHIFT)

/* No x86-64 kernel has addresses in its lower half, no process in its upper; with five-level tables halves are larger. */
#define KERNEL_HALF 0xff00000000000000ULL
#define USER_HALF (1ULL << 56)

static void *copy_of(const void *record, uint16_t size)
{
	void *copy = malloc(size);

	if (!copy)
		err(1, "malloc");
	return memcpy(copy, record, size);
}

static bool time_is_sane(struct session *session, uint64_t time)
{
	uint64_t now = now_ns();

	/* The kernel's fast clock may differ from the exact one by very little. */
	MUST(time + 1000000 >= session->begin && time <= now + 1000000, "time %ju is not between %ju and %ju",
	     (uintmax_t)time, (uintmax_t)session->begin, (uintmax_t)now);
	return true;
}

static bool is_same_task(const struct ktally_task *a, const struct ktally_task *b)
{
	return a->mm_id == b->mm_id && a->cgroup_id == b->cgroup_id && a->start_time == b->start_time &&
	       a->pid == b->pid && a->tid == b->tid && !memcmp(a->comm, b->comm, sizeof(a->comm)) &&
	       !((a->task_flags ^ b->task_flags) & ~KTALLY_TASK_EXEC);
}

static bool take_task(struct session *session, const struct ktally_task *task)
{
	size_t length = strnlen((const char *)task->comm, sizeof(task->comm));
	struct id *id;

	MUST(task->header.flags == 0, "task: flags %x", task->header.flags);
	MUST(task->task_id, "task: no id");
	/* The idle task has no number, and is sampled when it was interrupted by work. */
	MUST((task->pid && task->tid) || (!task->pid && !task->tid && task->task_flags & KTALLY_TASK_KERNEL),
	     "task: pid %u tid %u", task->pid, task->tid);
	MUST(!(task->task_flags & ~(KTALLY_TASK_KERNEL | KTALLY_TASK_EXEC | KTALLY_TASK_COMPAT)),
	     "task: unknown flags %x", task->task_flags);
	MUST(task->task_flags & KTALLY_TASK_KERNEL || task->mm_id || !task->parent, "task: a process with a parent, but no mm");
	for (; length < sizeof(task->comm); length++)
		MUST(!task->comm[length], "task: bytes after the end of its name");

	id = ids_get(&session->tasks, task->task_id);
	if (!id->record)
		id->record = copy_of(task, sizeof(*task));
	MUST(is_same_task(id->record, task), "task: id %jx stands for two", (uintmax_t)task->task_id);
	id->rings |= 1ULL << task->header.cpu;

	session->rings[task->header.cpu].tally.tasks++;
	if (task->task_flags & KTALLY_TASK_EXEC)
		session->rings[task->header.cpu].tally.execs++;
	return time_is_sane(session, task->time);
}

static bool take_exit(struct session *session, const struct ktally_exit *gone)
{
	MUST(gone->header.flags == 0, "exit: flags %x", gone->header.flags);
	MUST(gone->pid && gone->tid, "exit: pid %u tid %u", gone->pid, gone->tid);
	session->rings[gone->header.cpu].tally.exits++;
	return time_is_sane(session, gone->time);
}

static bool are_frames_sane(struct session *session, const struct ktally_stack *stack)
{
	unsigned int i, count = stack->kernel_frames + stack->user_frames;
	bool addresses = false;

	for (i = 0; i < count; i++) {
		uint64_t frame = stack->frames[i], value = frame & KTALLY_FRAME_VALUE_MASK;

		if (i >= stack->kernel_frames && frame_is_file(frame)) {
			const struct id *file = ids_find(&session->files, frame_file(frame));

			MUST(session->setup.capture & KTALLY_CAPTURE_FILES, "stack: a file that was not asked for");
			MUST(file && file->rings & 1ULL << stack->header.cpu, "stack: file %u was not announced in ring %u",
			     frame_file(frame), stack->header.cpu);
			MUST(frame_offset(frame) < ((const struct ktally_file *)file->record)->bytes + KTALLY_PAGE_BYTES,
			     "stack: offset %jx in file %u is past its end", (uintmax_t)frame_offset(frame),
			     frame_file(frame));
			continue;
		}
		addresses |= i >= stack->kernel_frames;
		if (i < stack->kernel_frames)
			MUST(FRAME_TYPE(frame) == KTALLY_FRAME_KERNEL && (value | 0xfULL << 60) >= KERNEL_HALF,
			     "stack: frame %u of %u is %jx, not a kernel address", i, count, (uintmax_t)frame);
		else
			MUST(FRAME_TYPE(frame) == KTALLY_FRAME_USER && value < USER_HALF,
			     "stack: frame %u of %u is %jx, not a user address", i, count, (uintmax_t)frame);
	}
	MUST(!stack->mm_id == !addresses, "stack: %u user frames in mm %jx", stack->user_frames, (uintmax_t)stack->mm_id);
	return true;
}

static bool take_stack(struct session *session, const struct ktally_stack *stack)
{
	uint32_t depth = session->setup.depth, capture = session->setup.capture;
	uint32_t kernel_depth = depth < KTALLY_DEPTH_KERNEL_MAX ? depth : KTALLY_DEPTH_KERNEL_MAX;
	struct id *id;

	MUST(stack->header.flags == 0, "stack: flags %x", stack->header.flags);
	MUST(stack->stack_id, "stack: no id");
	MUST(!stack->reserved, "stack: reserved %x", stack->reserved);
	MUST(stack->kernel_frames <= kernel_depth && stack->user_frames <= depth, "stack: %u and %u frames",
	     stack->kernel_frames, stack->user_frames);
	MUST(stack->kernel_end <= KTALLY_END_BROKEN && stack->user_end <= KTALLY_END_FOREIGN, "stack: ends %u and %u",
	     stack->kernel_end, stack->user_end);
	MUST(capture & KTALLY_CAPTURE_KERNEL || (!stack->kernel_frames && !stack->kernel_end),
	     "stack: kernel frames that were not asked for");
	MUST(capture & KTALLY_CAPTURE_USER || (!stack->user_frames && !stack->user_end),
	     "stack: user frames that were not asked for");
	MUST(stack->kernel_end != KTALLY_END_TRUNCATED || stack->kernel_frames == kernel_depth,
	     "stack: %u kernel frames called truncated", stack->kernel_frames);
	MUST(stack->user_end != KTALLY_END_TRUNCATED || stack->user_frames == depth ||
		     stack->user_frames >= KTALLY_UNWIND_MAPPINGS,
	     "stack: %u user frames called truncated", stack->user_frames);
	if (!are_frames_sane(session, stack))
		return false;

	id = ids_get(&session->stacks, stack->stack_id);
	if (!id->record)
		id->record = copy_of(stack, stack->header.size);
	else
		MUST(!memcmp((const char *)id->record + sizeof(stack->header), &stack->stack_id,
			     stack->header.size - sizeof(stack->header)),
		     "stack: id %jx stands for two", (uintmax_t)stack->stack_id);
	id->rings |= 1ULL << stack->header.cpu;
	session->rings[stack->header.cpu].tally.stacks++;
	return true;
}

static bool take_file(struct session *session, const struct ktally_file *file)
{
	const struct ktally_file *known;
	struct id *id;

	MUST(session->setup.capture & KTALLY_CAPTURE_FILES, "file: not asked for");
	MUST(file->header.flags == 0, "file: flags %x", file->header.flags);
	MUST(file->file && file->file < 1U << (KTALLY_FRAME_TYPE_SHIFT - KTALLY_FRAME_FILE_SHIFT), "file: number %u", file->file);
	MUST(file->bytes, "file %u: empty", file->file);

	id = ids_get(&session->files, file->file);
	if (!id->record)
		id->record = copy_of(file, sizeof(*file));
	known = id->record;
	MUST(!memcmp(&known->file, &file->file, sizeof(*file) - offsetof(struct ktally_file, file)),
	     "file: number %u stands for two", file->file);
	id->rings |= 1ULL << file->header.cpu;
	session->rings[file->header.cpu].tally.files++;
	return time_is_sane(session, file->time);
}

static bool take_sample(struct session *session, const struct ktally_sample *sample)
{
	struct ring *ring = &session->rings[sample->header.cpu];
	const struct id *task = ids_find(&session->tasks, sample->task_id);
	const struct id *stack = ids_find(&session->stacks, sample->stack_id);
	const struct ktally_stack *frames;

	MUST(!(sample->header.flags & ~(KTALLY_SAMPLE_KERNEL | KTALLY_SAMPLE_COMPAT)), "sample: flags %x",
	     sample->header.flags);
	MUST(task && task->rings & 1ULL << sample->header.cpu, "sample: task %jx was not announced in ring %u",
	     (uintmax_t)sample->task_id, sample->header.cpu);
	MUST(stack && stack->rings & 1ULL << sample->header.cpu, "sample: stack %jx was not announced in ring %u",
	     (uintmax_t)sample->stack_id, sample->header.cpu);
	MUST(sample->tid == ((const struct ktally_task *)task->record)->tid, "sample: tid %u is not its task's",
	     sample->tid);
	MUST(sample->syscall >= KTALLY_SYSCALL_NONE && sample->syscall < 1024, "sample: syscall %d", sample->syscall);
	MUST(sample->header.flags & KTALLY_SAMPLE_KERNEL || sample->syscall == KTALLY_SYSCALL_NONE,
	     "sample: in user mode and in syscall %d", sample->syscall);
	frames = stack->record;
	MUST(sample->header.flags & KTALLY_SAMPLE_KERNEL || !frames->kernel_frames,
	     "sample: in user mode with kernel frames");
	MUST(session->nested || sample->time >= ring->last_time, "sample: earlier than the one before");
	MUST(sample->weight < 1000ULL * 1000 * 1000 * 1000, "sample: weight %ju", (uintmax_t)sample->weight);

	ring->last_time = sample->time;
	ring->tally.samples++;
	ring->tally.weight += sample->weight;
	return time_is_sane(session, sample->time);
}

/* Whoever woke it was told in some ring, which need not have been read yet: that is for the test to check at its end. */
static bool take_offcpu(struct session *session, const struct ktally_offcpu *wait)
{
	struct ring *ring = &session->rings[wait->header.cpu];
	const struct id *task = ids_find(&session->tasks, wait->task_id);
	const struct id *stack = ids_find(&session->stacks, wait->stack_id);
	bool partial = wait->header.flags & KTALLY_OFFCPU_PARTIAL;

	MUST(session->setup.sources & KTALLY_SOURCE_OFFCPU, "wait: not asked for");
	MUST(!(wait->header.flags & ~(KTALLY_OFFCPU_PARTIAL | KTALLY_OFFCPU_COMPAT | KTALLY_OFFCPU_INTERRUPT)),
	     "wait: flags %x", wait->header.flags);
	MUST(task && task->rings & 1ULL << wait->header.cpu, "wait: task %jx was not announced in ring %u",
	     (uintmax_t)wait->task_id, wait->header.cpu);
	MUST(stack && stack->rings & 1ULL << wait->header.cpu, "wait: stack %jx was not announced in ring %u",
	     (uintmax_t)wait->stack_id, wait->header.cpu);
	MUST(wait->time - wait->start == wait->blocked + wait->run_queue, "wait: %ju ns, of which %ju and %ju",
	     (uintmax_t)(wait->time - wait->start), (uintmax_t)wait->blocked, (uintmax_t)wait->run_queue);
	MUST(wait->weight >= wait->time - wait->start, "wait: weight %ju is less than its %ju ns", (uintmax_t)wait->weight,
	     (uintmax_t)(wait->time - wait->start));
	MUST(wait->syscall >= KTALLY_SYSCALL_NONE && wait->syscall < 1024, "wait: syscall %d", wait->syscall);
	MUST(wait->state >= KTALLY_OFFCPU_SLEEP && wait->state <= KTALLY_OFFCPU_CREATED, "wait: state %u", wait->state);
	MUST(session->setup.capture & KTALLY_CAPTURE_WAKER || (!wait->waker_task_id && !wait->waker_stack_id),
	     "wait: a waker that was not asked for");
	MUST((wait->state != KTALLY_OFFCPU_PREEMPTED && wait->state != KTALLY_OFFCPU_YIELDED &&
	      wait->state != KTALLY_OFFCPU_CREATED) || !wait->blocked, "wait: in state %u, and %ju ns blocked", wait->state,
	     (uintmax_t)wait->blocked);

	if (partial)
		ring->tally.open_waits++;
	else
		ring->tally.waits++;
	return time_is_sane(session, wait->time) && time_is_sane(session, wait->start);
}

static bool take_lost(struct session *session, const struct ktally_lost *lost)
{
	struct ktally_loss *loss;

	MUST(lost->header.flags == 0, "lost: flags %x", lost->header.flags);
	MUST(lost->cause <= KTALLY_LOST_THREADS, "lost: cause %u", lost->cause);
	MUST(!lost->reserved, "lost: reserved %x", lost->reserved);
	MUST(lost->loss.count, "lost: nothing");
	MUST((lost->cause != KTALLY_LOST_NOTICE && lost->cause != KTALLY_LOST_THREADS) || !lost->loss.weight,
	     "lost: cause %u, and a weight", lost->cause);
	loss = &session->rings[lost->header.cpu].tally.lost[lost->cause];
	loss->count += lost->loss.count;
	loss->weight += lost->loss.weight;
	return time_is_sane(session, lost->time);
}

static bool take_throttle(struct session *session, const struct ktally_throttle *throttle)
{
	MUST(throttle->header.flags == 0, "throttle: flags %x", throttle->header.flags);
	MUST(throttle->thin && throttle->thin <= 1024 && !(throttle->thin & (throttle->thin - 1)), "throttle: by %u",
	     throttle->thin);
	MUST(throttle->source == KTALLY_SOURCE_ONCPU || throttle->source == KTALLY_SOURCE_OFFCPU, "throttle: of source %x",
	     throttle->source);
	MUST(throttle->window && throttle->spent <= throttle->window, "throttle: %ju of %ju ns",
	     (uintmax_t)throttle->spent, (uintmax_t)throttle->window);
	session->rings[throttle->header.cpu].tally.throttles++;
	return time_is_sane(session, throttle->time);
}

static bool take(struct session *session, const void *data)
{
	const struct ktally_record *record = data;
	const struct ktally_stack *stack = data;

	static const uint16_t sizes[] = {
		[KTALLY_RECORD_TASK]		= sizeof(struct ktally_task),
		[KTALLY_RECORD_EXIT]		= sizeof(struct ktally_exit),
		[KTALLY_RECORD_SAMPLE]		= sizeof(struct ktally_sample),
		[KTALLY_RECORD_LOST]		= sizeof(struct ktally_lost),
		[KTALLY_RECORD_THROTTLE]	= sizeof(struct ktally_throttle),
		[KTALLY_RECORD_OFFCPU]		= sizeof(struct ktally_offcpu),
		[KTALLY_RECORD_FILE]		= sizeof(struct ktally_file),
	};

	if (record->type == KTALLY_RECORD_STACK) {
		MUST(record->size >= sizeof(*stack) &&
		     record->size == sizeof(*stack) + (stack->kernel_frames + stack->user_frames) * sizeof(uint64_t),
		     "stack: %u and %u frames in %u bytes", stack->kernel_frames, stack->user_frames, record->size);
		return take_stack(session, data);
	}
	MUST(record->type && record->type < sizeof(sizes) / sizeof(sizes[0]), "a record of type %u", record->type);
	MUST(record->size == sizes[record->type], "a record of type %u with %u bytes", record->type, record->size);

	switch (record->type) {
	case KTALLY_RECORD_TASK:
		return take_task(session, data);
	case KTALLY_RECORD_EXIT:
		return take_exit(session, data);
	case KTALLY_RECORD_SAMPLE:
		return take_sample(session, data);
	case KTALLY_RECORD_LOST:
		return take_lost(session, data);
	case KTALLY_RECORD_THROTTLE:
		return take_throttle(session, data);
	case KTALLY_RECORD_FILE:
		return take_file(session, data);
	default:
		return take_offcpu(session, data);
	}
}

unsigned int record_take(struct session *session, const void *data, uint64_t bytes, int cpu)
{
	const struct ktally_record *record = data;

	if (bytes < sizeof(*record) || record->size < sizeof(*record) || record->size % 8 ||
	    record->size > KTALLY_RECORD_BYTES_MAX || record->size > bytes) {
		session_fail(session, "%ju bytes are no record: type %u size %u", (uintmax_t)bytes, record->type,
			     record->size);
		return 0;
	}
	if (record->cpu >= session->setup.cpus || record->cpu >= CPUS_MAX || (cpu >= 0 && record->cpu != cpu)) {
		session_fail(session, "a record of CPU %u in the ring of CPU %d", record->cpu, cpu);
		return 0;
	}
	if (take(session, data) && session->on_record)
		session->on_record(session, record);
	return record->size;
}
