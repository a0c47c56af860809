// SPDX-License-Identifier: GPL-2.0-or-later
/* kmod/sizes.h: what sessions take by default, on hosts of any size, of the memory that all may take. */
#include "../../kmod/sizes.h"
#include "check.h"

#define MIB	(1ULL << 20)
#define LIMIT	(256 * MIB)

/* Without its table of waits, 4.5 MiB for the default number of threads, and what files take once for all, a few more. */
#define BESIDES	(8 * MIB)

static unsigned long long default_session(unsigned long long share, unsigned int cpus)
{
	return ktally_parts_bytes(ktally_ring_bytes_default(share, cpus), cpus) + BESIDES;
}

static void defaults(void)
{
	const unsigned long long share = ktally_share_of_session(LIMIT);

	check_number(ktally_ring_bytes_default(share, 1), 256 << 10, "a small host");
	check_number(ktally_ring_bytes_default(share, 64), 256 << 10, "64 CPUs");
	check_number(ktally_ring_bytes_default(share, 260), 256 << 10, "260 CPUs");
	check_number(ktally_ring_bytes_default(share, 261), 128 << 10, "261 CPUs");
	check_number(ktally_ring_bytes_default(share, 512), 64 << 10, "512 CPUs");
	check_number(ktally_ring_bytes_default(share, 1024), 16 << 10, "1024 CPUs");
	check_number(ktally_ring_bytes_default(share, 8192), KTALLY_RING_BYTES_MIN, "there is a least");
	check_number(ktally_ring_bytes_default(0, 2), KTALLY_RING_BYTES_MIN, "whatever the share");
	check_number((long long)(ktally_parts_bytes(256 << 10, 64) / MIB), 21, "the table of sizes.h: 64 CPUs");
	check_number((long long)(ktally_parts_bytes(256 << 10, 256) / MIB), 84, "256");
	check_number((long long)(ktally_parts_bytes(64 << 10, 512) / MIB), 72, "512");
	check_number((long long)(ktally_parts_bytes(16 << 10, 1024) / MIB), 96, "1024");
}

static void they_fit(void)
{
	unsigned int two = 0, unprivileged = 0, more = 0;

	for (unsigned int cpus = 1; cpus <= 1024; cpus++) {
		unsigned long long session = default_session(ktally_share_of_session(LIMIT), cpus);
		unsigned long long theirs = default_session(ktally_share_of_users_session(LIMIT), cpus);

		two += 2 * session <= LIMIT;
		if (cpus <= 256)
			unprivileged += 2 * theirs <= ktally_share_of_user(LIMIT) + 2 * BESIDES;
		if (cpus <= 64)
			more += 4 * theirs + 2 * session <= LIMIT;
	}
	check_number(two, 1024, "two sessions fit on every host of up to 1024 CPUs");
	check_number(unprivileged, 256, "two of an unprivileged user in his share on up to 256");
	check_number(more, 64, "and on up to 64 all four of the unprivileged, and two others beside them");
}

static void shares(void)
{
	check(ktally_share_of_unprivileged(LIMIT) == LIMIT / 2, "the unprivileged have half");
	check(2 * ktally_share_of_user(LIMIT) == ktally_share_of_unprivileged(LIMIT), "a user half of that");
	/* Even with the largest rings that they may have. */
	check(ktally_share_of_unprivileged(LIMIT) + default_session(ktally_share_of_session(LIMIT), 64) <= LIMIT,
	      "whatever they take, there is room for a session on 64 CPUs");
}

int main(void)
{
	defaults();
	they_fit();
	shares();
	return check_end();
}
