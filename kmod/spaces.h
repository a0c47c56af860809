/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Address spaces: what file, and where in it, an address of a process's code is.
 *
 * A space remembers what its samples hit: executable mappings of files, and ranges that are none.
 * It is filled by looking at the one mapping an address is in, in the interrupt that needs it,
 * while the process is stopped there: so it works for a process that lives for no longer than its
 * only sample, costs nothing for mappings that are never hit, and needs neither a walk over all of
 * them nor a bound on their number. The kernel's own lock is only tried: mmap_read_trylock(), as
 * BPF's stack maps do for build ids; released from a true hard interrupt it may wake a writer, and
 * that is allowed there, since whoever was interrupted had interrupts on and so holds no lock that
 * waking takes. (BPF goes through an irq_work because it may also be called with interrupts off, or
 * from an NMI.) With PREEMPT_RT the lock cannot be had in an interrupt. Where it cannot be had,
 * because somebody is changing the mappings, what is unknown stays unknown this time, and a worker
 * looks at the whole space soon after, it too without waiting.
 *
 * What is remembered may be out of date. Two figures of the mm that cost nothing to read say when
 * it surely is not:
 *
 *   - the generation of its TLB entries (mm.context.tlb_gen): nothing that ran can be unmapped, and
 *     something else mapped there, without flushing, and every flush counts it up;
 *   - the size of its executable mappings (mm.exec_vm): no code can appear without changing it.
 *
 * A remembered file mapping is right while the first is what it was; a range that was no file's,
 * while both are. If not, the kernel is asked again about the mapping in question. If its lock
 * cannot be had just then, a file mapping is believed if the second figure at least is the same.
 *
 * One stack asks the kernel so often at most, and makes so many files known, that interrupts are not off for
 * long; what is unknown then stays unknown this time. How often it may come here at all, unwind_user.c says.
 *
 * A space is found by its mm, of which it keeps the structure (mmgrab()), not the memory: so a dead
 * mm is seen by its having no users any more, whatever it died of (exit, exec, the end of a vfork),
 * and the worker drops its space.
 */
#ifndef KTALLY_SPACES_H
#define KTALLY_SPACES_H

#include <linux/types.h>

#include "space.h"

struct ktally_stack_buffer;
struct task_struct;

/**
 * struct ktally_view - a space as one stack sees it
 * @mm: whose
 * @space: NULL: there is none
 * @generation: of TLB entries now
 * @exec_vm: size of executable mappings now
 * @lock: KTALLY_LOCK_*, of the mm
 * @lookups: how often the kernel may still be asked for a mapping
 * @files: how many files may still be new
 * @stack: whose files are noted as they are found
 * @irq_flags: interrupts are off meanwhile
 */
struct ktally_view {
	struct mm_struct *mm;
	struct ktally_space *space;
	u64 generation;
	u32 exec_vm;
	u32 lock;
	u32 lookups;
	u32 files;
	struct ktally_stack_buffer *stack;
	unsigned long irq_flags;
};

#define KTALLY_LOCK_UNTRIED	0
#define KTALLY_LOCK_HELD	1
#define KTALLY_LOCK_REFUSED	2

/*
 * Any context but NMI; nothing is allocated, and no lock waited for but short raw ones. The mm is the
 * task's, and has users meanwhile; the task is another than the current one when a worker has borrowed
 * its mm. Also where interrupts are off because the scheduler's locks are held: there only
 * what is remembered is found. Between begin and end interrupts are off and the mm may be locked
 * for reading, so nothing in between may fault or sleep, or touch the view of another mm.
 */
void ktally_view_begin(struct ktally_view *view, struct mm_struct *mm, struct task_struct *task,
		       struct ktally_stack_buffer *stack);
void ktally_view_end(struct ktally_view *view);

/*
 * The mapping that an address is in; its file stays for as long as the view. False: nothing is known of the
 * address. One after a return from a call should be taken back by one.
 */
bool ktally_space_find(struct ktally_view *view, unsigned long address, struct ktally_mapping *mapping);

/* Module load and unload. */
int ktally_spaces_init(void);
void ktally_spaces_exit(void);

/*
 * With the life of each session that captures files, for which alone views may be had. Process
 * context.
 */
int ktally_spaces_start(void);
void ktally_spaces_stop(void);

/* For those who look from outside. */
u32 ktally_spaces_count(void);

#endif /* KTALLY_SPACES_H */
