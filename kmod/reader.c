// SPDX-License-Identifier: GPL-2.0
#include "reader.h"

#include <linux/cpumask.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "session.h"

/* ------------------------------------------------------------------------------------------------ readiness */

/*
 * Enough records, or some that are old enough. A tail beyond what is due reads as due long ago,
 * hence the signed difference.
 */
static bool is_ready(struct ktally_cpu *cpu)
{
	u64 unread = ktally_ring_unread(&cpu->ring);

	return unread >= cpu->session->setup.watermark_bytes ||
	       (unread && (s64)(READ_ONCE(cpu->due) - READ_ONCE(cpu->ring.consumer->tail)) > 0);
}

static bool any_ready(struct ktally_session *session)
{
	unsigned int i;

	for (i = 0; i < nr_cpu_ids; i++) {
		struct ktally_cpu *cpu = ktally_session_cpu(session, i);

		if (cpu && is_ready(cpu))
			return true;
	}
	return false;
}

__poll_t ktally_poll(struct file *file, poll_table *table)
{
	struct ktally_session *session = file->private_data;
	u32 state = ktally_session_state(session);
	__poll_t events = 0;

	if (!state)
		return EPOLLERR;
	poll_wait(file, &session->wait, table);
	if (any_ready(session))
		events |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(session->state) == KTALLY_STATE_STOPPED)
		events |= EPOLLHUP;
	return events;
}

/* ------------------------------------------------------------------------------------------------ read */

/*
 * How many bytes of whole records lie from @tail on, at most @room. The reader can write its tail
 * and so make us look into the middle of records, or at ones that are being written: whatever is
 * found there is checked, and never leads out of the ring's data.
 */
static ssize_t whole_records(const struct ktally_ring *ring, u64 tail, u64 head, size_t room)
{
	const void *data = ring->data + (tail & (ring->bytes - 1));
	size_t bytes = 0;

	while (bytes < head - tail) {
		u16 size = READ_ONCE(((const struct ktally_record *)(data + bytes))->size);

		if (size < sizeof(struct ktally_record) || size % 8 || size > head - tail - bytes)
			return -EINVAL;
		if (size > room - bytes)
			break;
		bytes += size;
	}
	return bytes;
}

/* Returns the bytes copied; 0: nothing there; -ENOSPC: the next record does not fit into @room. */
static ssize_t read_ring(struct ktally_ring *ring, char __user *buffer, size_t room)
{
	u64 tail = READ_ONCE(ring->consumer->tail);
	u64 head = smp_load_acquire(&ring->published);	/* C, see ring.c */
	ssize_t bytes;

	if (head == tail)
		return 0;
	bytes = head - tail <= ring->bytes && !(tail % 8) ? whole_records(ring, tail, head, room) : -EINVAL;
	if (bytes < 0) {
		/* Somebody wrote a tail that is no place between records: all we can do is to go on with what comes. */
		WRITE_ONCE(ring->consumer->tail, head);
		return 0;
	}
	if (!bytes)
		return -ENOSPC;
	if (copy_to_user(buffer, ring->data + (tail & (ring->bytes - 1)), bytes))
		return -EFAULT;
	smp_store_release(&ring->consumer->tail, tail + bytes);		/* A, see ring.c */
	return bytes;
}

/* Goes on with the ring after the one it ended with, so that a busy CPU does not keep the others waiting. */
static ssize_t read_rings(struct ktally_session *session, char __user *buffer, size_t bytes)
{
	size_t done = 0;
	unsigned int i;

	for (i = 0; i < nr_cpu_ids; i++) {
		struct ktally_cpu *cpu;
		ssize_t part;

		session->read_cpu = (session->read_cpu + 1) % nr_cpu_ids;
		cpu = ktally_session_cpu(session, session->read_cpu);
		if (!cpu)
			continue;
		part = read_ring(&cpu->ring, buffer + done, bytes - done);
		if (part == -ENOSPC)
			return done ?: -EINVAL;
		if (part < 0)
			return done ?: part;
		done += part;
	}
	return done;
}

ssize_t ktally_read(struct file *file, char __user *buffer, size_t bytes, loff_t *position)
{
	struct ktally_session *session = file->private_data;
	ssize_t done;
	int err;

	if (!ktally_session_state(session))
		return -EINVAL;
	for (;;) {
		if (bytes && !(file->f_flags & O_NONBLOCK)) {
			err = wait_event_interruptible(session->wait, any_ready(session) ||
						       READ_ONCE(session->state) != KTALLY_STATE_ENABLED);
			if (err)
				return err;
		}
		err = mutex_lock_interruptible(&session->read_lock);
		if (err)
			return err;
		done = read_rings(session, buffer, bytes);
		mutex_unlock(&session->read_lock);

		if (done || !bytes || READ_ONCE(session->state) != KTALLY_STATE_ENABLED)
			return done;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		/* Who keeps writing tails that make no sense has rings that are ready and empty as long as he likes. */
		if (signal_pending(current))
			return -ERESTARTSYS;
		cond_resched();
	}
}

/* ------------------------------------------------------------------------------------------------ mmap */

int ktally_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ktally_session *session = file->private_data;
	unsigned long area_pages, page = vma->vm_pgoff;
	struct ktally_cpu *cpu;
	u64 number;

	if (!ktally_session_state(session))
		return -EINVAL;
	area_pages = session->setup.area_bytes / PAGE_SIZE;
	number = page / area_pages;
	if (number >= nr_cpu_ids)
		return -EINVAL;
	cpu = ktally_session_cpu(session, array_index_nospec(number, nr_cpu_ids));
	if (!cpu)
		return -ENXIO;
	return ktally_area_mmap(&cpu->area, vma, page % area_pages);
}
