// SPDX-License-Identifier: GPL-2.0
#include "records.h"

#include <linux/bitops.h>
#include <linux/lockdep.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "files.h"
#include "identity.h"
#include "session.h"

/*
 * Files are told rarely. A stack with more that are new may be lost in a nearly full ring; next time
 * some of them are known.
 */
#define FILES_OF_CAPTURE 16

/*
 * A capture is let in only if the largest there can be would fit. Were each record judged by its
 * own size, a nearly full ring would take samples of known stacks and never a new stack, and what
 * is new would vanish from the profile. What is kept free this way also lets losses be announced
 * however full the ring is.
 */
static u64 largest_capture(const struct ktally_cpu *cpu)
{
	u32 depth = cpu->session->setup.depth;
	u32 frames = depth + min_t(u32, depth, KTALLY_DEPTH_KERNEL_MAX), files = 0;

	if (cpu->session->setup.capture & KTALLY_CAPTURE_FILES)
		files = FILES_OF_CAPTURE;
	return sizeof(struct ktally_task) + files * sizeof(struct ktally_file) +
	       sizeof(struct ktally_stack) + frames * sizeof(u64) +
	       max(sizeof(struct ktally_sample), sizeof(struct ktally_offcpu)) +
	       KTALLY_LOST_CAUSES * sizeof(struct ktally_lost);
}

bool ktally_records_admit(const struct ktally_cpu *cpu)
{
	return ktally_ring_room(&cpu->ring) >= largest_capture(cpu);
}

static void announce_losses(struct ktally_cpu *cpu)
{
	ktally_ring_announce(&cpu->ring, cpu->cpu, ktime_get_mono_fast_ns());
	cpu->last_announcement = READ_ONCE(cpu->ring.head);
}

/*
 * Pending losses go first: they are of records before those that follow. But while the ring is
 * nearly full, a LOST record before each sample would take the room that the next sample needs, and
 * so make the next loss; so then only one in a sixteenth of the ring.
 */
void ktally_records_begin(struct ktally_cpu *cpu)
{
	const struct ktally_ring *ring = &cpu->ring;

	lockdep_assert_irqs_disabled();
	ktally_ring_begin(&cpu->ring);
	if (ktally_ring_has_losses(ring) &&
	    (ktally_ring_room(ring) >= ring->bytes / 2 ||
	     READ_ONCE(ring->head) - cpu->last_announcement >= ring->bytes / 16))
		announce_losses(cpu);
}

void ktally_records_flush(struct ktally_cpu *cpu)
{
	lockdep_assert_irqs_disabled();
	ktally_ring_begin(&cpu->ring);
	announce_losses(cpu);
	ktally_records_end(cpu);
}

/* The reader's copy of our figures. A sample that found no slot to wait in was taken too. */
static void show_figures(struct ktally_cpu *cpu)
{
	struct ktally_ring_producer *producer = cpu->ring.producer;

	WRITE_ONCE(producer->samples, cpu->samples + READ_ONCE(cpu->ring.lost[KTALLY_LOST_BUSY].count));
	WRITE_ONCE(producer->stacks, cpu->stack_records);
	WRITE_ONCE(producer->throttles, cpu->throttle_records);
	WRITE_ONCE(producer->thin, cpu->budget.thin);
	WRITE_ONCE(producer->rate, READ_ONCE(cpu->session->rate));
	WRITE_ONCE(producer->waits, cpu->offcpu.waits);
	WRITE_ONCE(producer->waits_short.count, cpu->offcpu.waits_short.count);
	WRITE_ONCE(producer->waits_short.weight, cpu->offcpu.waits_short.weight);
	WRITE_ONCE(producer->clock_regressions, cpu->offcpu.clock_regressions);
	WRITE_ONCE(producer->offcpu_thin, cpu->offcpu.budget.thin);
	WRITE_ONCE(producer->unsampled.count, cpu->throttles.count + READ_ONCE(cpu->paused.count));
	WRITE_ONCE(producer->unsampled.weight, cpu->throttles.weight + READ_ONCE(cpu->paused.weight));
}

/*
 * Make what was written visible, and wake the reader when this made the ring reach the watermark, or
 * tells of a file: until its unwind table is loaded, stacks break off there. Should the reader have
 * moved its tail in the meantime, the worst is that it is woken by the latency timer instead. The
 * wake-up goes through an irq_work because the scheduler may hold its locks here.
 */
void ktally_records_end(struct ktally_cpu *cpu)
{
	u32 watermark = cpu->session->setup.watermark_bytes;
	u64 before = ktally_ring_unread(&cpu->ring);
	bool file_told = cpu->file_told;

	show_figures(cpu);
	cpu->file_told = false;
	ktally_ring_end(&cpu->ring);
	if (file_told)
		WRITE_ONCE(cpu->due, READ_ONCE(cpu->ring.published));
	if (file_told || (before < watermark && ktally_ring_unread(&cpu->ring) >= watermark))
		irq_work_queue(&cpu->wake);
}

static struct ktally_record header(const struct ktally_cpu *cpu, u16 type, u16 flags, u16 size)
{
	return (struct ktally_record) { .type = type, .flags = flags, .size = size, .cpu = cpu->cpu };
}

bool ktally_write_task(struct ktally_cpu *cpu, struct ktally_task *task, bool again)
{
	struct ktally_session *session = cpu->session;
	struct ktally_task *record;

	if (ktally_set_contains(&cpu->tasks, task->task_id) && !again)
		return true;
	record = ktally_ring_reserve(&cpu->ring, sizeof(*record));
	if (!record)
		return false;
	task->header = header(cpu, KTALLY_RECORD_TASK, 0, sizeof(*record));
	*record = *task;
	ktally_set_add(&cpu->tasks, task->task_id);
	set_bit(ktally_life_hash(&session->key, task->tid, task->start_time) % KTALLY_ANNOUNCED_BITS,
		session->announced);
	return true;
}

static bool write_file(struct ktally_cpu *cpu, u32 number)
{
	struct ktally_file *record, file;

	if (ktally_set_contains(&cpu->files, number))
		return true;
	if (!ktally_file_describe(number, &file))
		return false;
	record = ktally_ring_reserve(&cpu->ring, sizeof(*record));
	if (!record)
		return false;
	file.header = header(cpu, KTALLY_RECORD_FILE, 0, sizeof(*record));
	file.time = ktime_get_mono_fast_ns();
	*record = file;
	ktally_set_add(&cpu->files, number);
	cpu->file_told = true;
	return true;
}

static bool write_files(struct ktally_cpu *cpu, const struct ktally_stack_buffer *buffer)
{
	u32 i;

	for (i = 0; i < buffer->file_count; i++)
		if (!write_file(cpu, buffer->files[i]))
			return false;
	return true;
}

bool ktally_write_stack(struct ktally_cpu *cpu, struct ktally_stack_buffer *buffer)
{
	struct ktally_stack *stack = ktally_stack_of(buffer);
	u32 size = sizeof(*stack) + (stack->kernel_frames + stack->user_frames) * sizeof(stack->frames[0]);
	void *record;

	if (ktally_set_contains(&cpu->stacks, stack->stack_id))
		return true;
	if (!write_files(cpu, buffer))
		return false;
	record = ktally_ring_reserve(&cpu->ring, size);
	if (!record)
		return false;
	stack->header = header(cpu, KTALLY_RECORD_STACK, 0, size);
	memcpy(record, stack, size);
	ktally_set_add(&cpu->stacks, stack->stack_id);
	cpu->stack_records++;
	return true;
}

bool ktally_write_sample(struct ktally_cpu *cpu, struct ktally_sample *sample, u16 flags)
{
	struct ktally_sample *record = ktally_ring_reserve(&cpu->ring, sizeof(*record));

	if (!record)
		return false;
	sample->header = header(cpu, KTALLY_RECORD_SAMPLE, flags, sizeof(*record));
	*record = *sample;
	return true;
}

bool ktally_write_offcpu(struct ktally_cpu *cpu, struct ktally_offcpu *offcpu, u16 flags)
{
	struct ktally_offcpu *record = ktally_ring_reserve(&cpu->ring, sizeof(*record));

	if (!record)
		return false;
	offcpu->header = header(cpu, KTALLY_RECORD_OFFCPU, flags, sizeof(*record));
	*record = *offcpu;
	return true;
}

bool ktally_write_exit(struct ktally_cpu *cpu)
{
	struct ktally_exit *record = ktally_ring_reserve(&cpu->ring, sizeof(*record));

	if (!record)
		return false;
	*record = (struct ktally_exit) {
		.header		= header(cpu, KTALLY_RECORD_EXIT, 0, sizeof(*record)),
		.time		= ktime_get_mono_fast_ns(),
		.start_time	= current->start_boottime,
		.pid		= current->tgid,
		.tid		= current->pid,
	};
	return true;
}

bool ktally_write_throttle(struct ktally_cpu *cpu, const struct ktally_budget_verdict *verdict)
{
	struct ktally_throttle *record = ktally_ring_reserve(&cpu->ring, sizeof(*record));

	if (!record)
		return false;
	*record = (struct ktally_throttle) {
		.header	= header(cpu, KTALLY_RECORD_THROTTLE, 0, sizeof(*record)),
		.time	= ktime_get_mono_fast_ns(),
		.thin	= verdict->thin,
		.source	= verdict->source,
		.spent	= verdict->spent,
		.window	= verdict->window,
	};
	cpu->throttle_records++;
	return true;
}
