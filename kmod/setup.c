// SPDX-License-Identifier: GPL-2.0
#include "setup.h"

#include <linux/log2.h>
#include <linux/threads.h>

#include "area.h"
#include "session.h"
#include "sizes.h"
#include "waits.h"

/* The unprivileged get rings of at most a megabyte. */
u32 ktally_setup_ring_bytes_max(const struct ktally_session *session)
{
	return session->gate.privileged ? KTALLY_RING_BYTES_MAX : 1 << 20;
}

/* For those that are online: hosts often could have many more than they ever do. */
static u32 ring_bytes_default(const struct ktally_session *session)
{
	u64 limit = ktally_memory_limit();
	unsigned int number;
	u32 cpus = 0;

	for_each_cpu_and(number, session->sampled, cpu_online_mask)
		cpus++;
	return ktally_ring_bytes_default(session->gate.privileged ? ktally_share_of_session(limit) :
					 ktally_share_of_users_session(limit), cpus);
}

/* A table for the unprivileged is for their own threads. */
static u32 threads_max(const struct ktally_session *session)
{
	return session->gate.privileged ? KTALLY_THREADS_MAX : KTALLY_THREADS_DEFAULT;
}

#define CAPTURE_ALL_WAKER (KTALLY_CAPTURE_WAKER | KTALLY_CAPTURE_WAKER_STACK)
#define CAPTURE_ALL_USER (KTALLY_CAPTURE_USER | KTALLY_CAPTURE_FILES)
#define CAPTURE_ALL (KTALLY_CAPTURE_KERNEL | CAPTURE_ALL_USER | CAPTURE_ALL_WAKER)

u32 ktally_setup_rate_max(const struct ktally_session *session)
{
	return session->gate.privileged ? KTALLY_RATE_MAX : KTALLY_RATE_MAX_UNPRIVILEGED;
}

int ktally_setup_check(const struct ktally_session *session, struct ktally_setup *setup)
{
	setup->rate = setup->rate ?: KTALLY_RATE_DEFAULT;
	setup->depth = setup->depth ?: KTALLY_DEPTH_DEFAULT;
	setup->ring_bytes = setup->ring_bytes ?: ring_bytes_default(session);
	setup->watermark_bytes = setup->watermark_bytes ?: setup->ring_bytes / 4;
	setup->latency_ms = setup->latency_ms ?: KTALLY_LATENCY_MS_DEFAULT;
	setup->budget_ppm = setup->budget_ppm ?: KTALLY_BUDGET_PPM_DEFAULT;
	setup->threads = setup->threads ?: KTALLY_THREADS_DEFAULT;

	if (!setup->sources || setup->sources & ~(KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU) ||
	    setup->capture & ~CAPTURE_ALL || (setup->capture & CAPTURE_ALL_WAKER) == KTALLY_CAPTURE_WAKER_STACK ||
	    (setup->capture & CAPTURE_ALL_USER) == KTALLY_CAPTURE_FILES ||
	    setup->filter & ~KTALLY_FILTER_CHILDREN || setup->reserved || setup->reserved2 ||
	    setup->keep_ns > KTALLY_KEEP_NS_MAX || setup->wait_min_ns > KTALLY_KEEP_NS_MAX ||
	    setup->threads > threads_max(session) ||
	    (setup->filter & KTALLY_FILTER_CHILDREN && !setup->pid_count) ||
	    setup->rate > ktally_setup_rate_max(session) || setup->depth > KTALLY_DEPTH_MAX ||
	    setup->ring_bytes < KTALLY_RING_BYTES_MIN || !is_power_of_2(setup->ring_bytes) ||
	    setup->ring_bytes > ktally_setup_ring_bytes_max(session) ||
	    setup->watermark_bytes > setup->ring_bytes || setup->latency_ms > KTALLY_LATENCY_MS_MAX ||
	    setup->budget_ppm > KTALLY_BUDGET_PPM_MAX ||
	    setup->pid_count > KTALLY_PIDS_MAX || setup->cgroup_count > KTALLY_CGROUPS_MAX)
		return -EINVAL;

	if (setup->capture & KTALLY_CAPTURE_KERNEL &&
	    !(ktally_gate_allowed(&session->gate) & KTALLY_ALLOWED_KERNEL_FRAMES))
		return -EPERM;
	return 0;
}

u64 ktally_setup_bytes(const struct ktally_setup *setup)
{
	u64 bytes = sizeof(struct ktally_session) + KTALLY_ANNOUNCED_BITS / 8 + nr_cpu_ids * sizeof(void *);

	if (setup->pid_count)
		bytes += PID_MAX_LIMIT / 8;
	if (setup->sources & KTALLY_SOURCE_OFFCPU)
		bytes += ktally_waits_bytes(setup->threads);
	return bytes;
}
