/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a session takes, and how much it may: arithmetic only.
 *
 * The limit of all (parameter memory_limit_mb, 256) is cut up so that nobody can keep others out:
 *
 *	a session by default	at most a third, so that a second fits beside it whatever the host, and
 *				there is room for their tables of waits and what all have in common
 *	all unprivileged	at most a half, so that the other is left to CAP_PERFMON
 *	an unprivileged user	at most a half of that
 *	one of his sessions	by default at most a half of his share, so that two fit
 *
 * Only the rings give way, from 256 KiB for each CPU down to 16 KiB, which is the least there is.
 * With 256 MiB, in MiB, of a session opened with CAP_PERFMON:
 *
 *	CPUs	ring, KiB	all its CPUs' parts
 *	  64	256		 21
 *	 256	256		 84
 *	 512	 64		 72
 *	1024	 16		 96
 *
 * This file compiles in user space as well (tests/user/sizes.c).
 */
#ifndef KTALLY_SIZES_H
#define KTALLY_SIZES_H

#include <linux/ktally.h>
#include <linux/types.h>

/* Of a CPU's part, besides its ring's records: rounded up, see cpu.c. */
#define KTALLY_PART_BYTES (80U << 10)

static inline __u64 ktally_share_of_session(__u64 limit)
{
	return limit / 3;
}

static inline __u64 ktally_share_of_unprivileged(__u64 limit)
{
	return limit / 2;
}

static inline __u64 ktally_share_of_user(__u64 limit)
{
	return ktally_share_of_unprivileged(limit) / 2;
}

static inline __u64 ktally_share_of_users_session(__u64 limit)
{
	return ktally_share_of_user(limit) / 2;
}

/* All CPUs' parts of a session. */
static inline __u64 ktally_parts_bytes(__u32 ring_bytes, __u32 cpus)
{
	return (__u64)cpus * (KTALLY_PART_BYTES + ring_bytes);
}

/* The largest rings up to KTALLY_RING_BYTES_DEFAULT with which a session keeps to its share, if there are any. */
static inline __u32 ktally_ring_bytes_default(__u64 share, __u32 cpus)
{
	__u32 bytes = KTALLY_RING_BYTES_DEFAULT;

	while (bytes > KTALLY_RING_BYTES_MIN && ktally_parts_bytes(bytes, cpus) > share)
		bytes /= 2;
	return bytes;
}

#endif /* KTALLY_SIZES_H */
