/* SPDX-License-Identifier: GPL-2.0 */
/* What the fuzzer sets sessions up with: nearly right, with one field wrong now and then. */
#ifndef KTALLY_TEST_FUZZ_SETUP_H
#define KTALLY_TEST_FUZZ_SETUP_H

#include <fcntl.h>
#include <unistd.h>

#include <linux/ktally.h>

#include "fuzz_values.h"

static uint32_t any_size(uint32_t right)
{
	return one_in(10) ? (uint32_t)tricky() : one_in(10) ? right + (uint32_t)below(64) : right;
}

/* Descriptors and process ids, where setup says they are. */
static int32_t numbers[4];
static uint64_t cpu_words[2];

static struct ktally_setup any_setup(int any_fd)
{
	struct ktally_setup setup = {
		.size = any_size(sizeof(setup)),
		.sources = KTALLY_SOURCE_ONCPU,
		.capture = (uint32_t)below(4),
		.threads = 16U << below(10),
		.rate = (uint32_t)below(300),
		.depth = (uint32_t)below(KTALLY_DEPTH_MAX + 1),
		.ring_bytes = KTALLY_RING_BYTES_MIN << below(5),
		.budget_ppm = one_in(2) ? 1 + (uint32_t)below(20000) : 0,
		.latency_ms = (uint32_t)below(50),
	};
	uint32_t *field = (uint32_t *)&setup + 1 + below(sizeof(setup) / sizeof(uint32_t) - 1);

	if (one_in(3)) {
		setup.sources |= KTALLY_SOURCE_OFFCPU;
		setup.capture = (uint32_t)below(16);
		setup.keep_ns = below(10000000);
		setup.wait_min_ns = one_in(2) ? below(100000) : 0;
	}
	if (one_in(2))
		setup.capture |= KTALLY_CAPTURE_FILES;
	if (one_in(3))
		setup.watermark_bytes = (uint32_t)below(setup.ring_bytes);
	if (one_in(3)) {
		numbers[0] = getpid();
		numbers[1] = one_in(8) ? (int32_t)tricky() : getppid();
		setup.pids = (uintptr_t)numbers;
		setup.pid_count = 1 + (uint32_t)below(2);
		setup.filter = (uint32_t)below(2);
	}
	if (one_in(6)) {
		numbers[2] = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		numbers[3] = one_in(2) ? any_fd : 0;
		setup.cgroup_fds = (uintptr_t)&numbers[2];
		setup.cgroup_count = 1 + one_in(4);
	}
	if (one_in(6)) {
		cpu_words[0] = one_in(8) ? tricky() : 1 + below(3);
		setup.cpu_mask = (uintptr_t)cpu_words;
		setup.cpu_words = 1 + one_in(4);
	}
	if (one_in(4))
		*field = (uint32_t)tricky();
	return setup;
}

#endif /* KTALLY_TEST_FUZZ_SETUP_H */
