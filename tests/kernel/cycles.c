// SPDX-License-Identifier: GPL-2.0
/*
 * The module is loaded and unloaded a thousand times while processes come and go, every fifth time with a session in between that samples,
 * waits, knows files and is given a table. What the kernel has allotted must not grow: slabs, vmalloc, modules' memory.
 *
 * KTALLY_CYCLES is for how many (1000).
 */
#include <fcntl.h>

#include "device.h"
#include "harness.h"
#include "loaded.h"
#include "mapped.h"
#include "table.h"
#include "workload.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 2400

static struct session session;

/* kB of a line of /proc/meminfo. */
static long meminfo(const char *name)
{
	char line[128];
	long kb = -1;
	FILE *file = fopen("/proc/meminfo", "r");

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			kb = atol(line + strlen(name) + 1);
	if (file)
		fclose(file);
	return kb;
}

/* kB in modules' part of the address space, which the kernel gives back when it gets to it; and how many areas. */
static long module_kb(unsigned int *areas)
{
	unsigned long start, end;
	char line[512];
	long kb = 0;
	FILE *file = fopen("/proc/vmallocinfo", "r");

	*areas = 0;
	while (file && fgets(line, sizeof(line), file)) {
		++*areas;
		/* "0x...-0x... bytes caller": addresses are shown to root alone. */
		if (sscanf(line, "0x%lx-0x%lx", &start, &end) == 2 && start >= 0xffffffffa0000000)
			kb += (long)(end - start) >> 10;
	}
	if (file)
		fclose(file);
	return kb;
}

/**
 * struct memory - in kB, what the kernel has allotted for itself
 * @available: could still be had
 * @slab: slabs that cannot be reclaimed
 * @vmalloc: in vmalloc's areas
 * @modules: of modules
 * @areas: number of vmalloc's areas
 */
struct memory {
	long available, slab, vmalloc, modules;
	unsigned int areas;
};

static struct memory measure(void)
{
	struct memory memory;

	/* What is freed after a grace period is free. */
	sleep_seconds(2);
	memory.available = available_kb();
	memory.slab = meminfo("SUnreclaim");
	memory.vmalloc = meminfo("VmallocUsed");
	memory.modules = module_kb(&memory.areas);
	return memory;
}

static void live(struct __test_metadata *_metadata)
{
	const struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU,
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER | KTALLY_CAPTURE_WAKER | KTALLY_CAPTURE_FILES,
		.rate = 997,
		.ring_bytes = 256 << 10,
		.threads = 4096,
		.keep_ns = 1000000,
	};

	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, device_enable(session.fd));
	sleep_seconds(0.02);
	ASSERT_EQ(0, device_flush(session.fd, KTALLY_FLUSH_RESEND));
	ASSERT_LE(0, session_drain(&session));
	EXPECT_STREQ("", session.error);
	table_begin(1);
	table_make_small();
	table_load(session.fd);
	session_close(&session);
}

TEST(load_and_unload)
{
	unsigned int round, rounds = (unsigned int)number_from("KTALLY_CYCLES", 1000), sessions = 0;
	struct memory before, after;
	pid_t churners[] = { start_fork_storm(), start_ping_pong() };
	uint64_t began;
	size_t i;

	if (!module_find())
		SKIP(exit(255), "KTALLY_MODULES does not say where ktally.ko is");
	/* What the kernel needs once for all. */
	for (round = 0; round < 20; round++) {
		ASSERT_EQ(0, module_unload());
		ASSERT_EQ(0, module_load());
		live(_metadata);
	}
	ASSERT_EQ(0, module_unload());
	before = measure();
	began = now_ns();
	for (round = 0; round < rounds; round++) {
		ASSERT_EQ(0, module_load());
		if (!(round % 5)) {
			live(_metadata);
			sessions++;
		}
		ASSERT_EQ(0, module_unload());
	}
	TH_LOG("%u loads and unloads, %u with a session, in %.1f s", rounds, sessions, (double)(now_ns() - began) / 1e9);
	after = measure();
	TH_LOG("kB before: available %ld, slabs %ld, vmalloc %ld in %u areas, modules %ld", before.available, before.slab, before.vmalloc,
	       before.areas, before.modules);
	TH_LOG("kB after:  available %ld, slabs %ld, vmalloc %ld in %u areas, modules %ld", after.available, after.slab, after.vmalloc,
	       after.areas, after.modules);
	ASSERT_EQ(0, module_load());
	for (i = 0; i < ARRAY_SIZE(churners); i++)
		stop_child(churners[i]);
	/* A byte each time would be seen in none of these, a page each time in all. */
	EXPECT_LT(after.slab, before.slab + 2048);
	EXPECT_LT(after.vmalloc, before.vmalloc + 1024);
	EXPECT_LE(after.modules, before.modules + 256);
	EXPECT_LE(after.areas, before.areas + 32);
	EXPECT_GT(after.available, before.available - 16 * 1024);
}

TEST_HARNESS_MAIN
