// SPDX-License-Identifier: GPL-2.0
/*
 * What may be mapped, how, and what is found there. To be run with init_on_alloc=0 on the kernel's command line, or the
 * kernel itself would clear what the module forgets to.
 */
#include <setjmp.h>
#include <sys/mman.h>

#include "device.h"
#include "harness.h"
#include "workload.h"

#define PAGE KTALLY_PAGE_BYTES

static int fd;
static uint64_t area;
static struct ktally_setup setup;

static void set_up(struct __test_metadata *_metadata)
{
	setup = (struct ktally_setup) {
		.sources = KTALLY_SOURCE_ONCPU,
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER,
		.rate = 997,
		.ring_bytes = KTALLY_RING_BYTES_MIN,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};
	fd = device_open();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, device_setup(fd, &setup));
	area = setup.area_bytes;
}

/* Maps and unmaps; 0 or -errno. */
static int try(uint64_t offset, uint64_t bytes, int protection, int flags)
{
	void *memory = mmap(NULL, bytes, protection, flags, fd, (off_t)offset);

	if (memory == MAP_FAILED)
		return -errno;
	munmap(memory, bytes);
	return 0;
}

TEST(what_may_be_mapped)
{
	const int r = PROT_READ, w = PROT_WRITE, x = PROT_EXEC;

	fd = device_open();
	EXPECT_EQ(-EINVAL, try(0, PAGE, r, MAP_SHARED));
	close(fd);
	set_up(_metadata);

	EXPECT_EQ(0, try(0, PAGE, r | w, MAP_SHARED));
	EXPECT_EQ(0, try(0, PAGE, r, MAP_SHARED));
	EXPECT_EQ(0, try(0, area, r, MAP_SHARED));
	EXPECT_EQ(0, try(PAGE, area - PAGE, r, MAP_SHARED));
	EXPECT_EQ(0, try(2 * PAGE, PAGE, r, MAP_SHARED));
	EXPECT_EQ(0, try(area - PAGE, PAGE, r, MAP_SHARED));
	EXPECT_EQ(0, try(area, area, r, MAP_SHARED));
	EXPECT_EQ(0, try(area, PAGE, r | w, MAP_SHARED));
	EXPECT_EQ(0, try(0, 100, r | w, MAP_SHARED));

	/* Nothing but the consumer page, alone, may be written; nothing at all executed. */
	EXPECT_EQ(-EPERM, try(0, 2 * PAGE, r | w, MAP_SHARED));
	EXPECT_EQ(-EPERM, try(0, area, r | w, MAP_SHARED));
	EXPECT_EQ(-EPERM, try(PAGE, PAGE, r | w, MAP_SHARED));
	EXPECT_EQ(-EPERM, try(PAGE, PAGE, w, MAP_SHARED));
	EXPECT_EQ(-EPERM, try(2 * PAGE, area - 2 * PAGE, r | w, MAP_SHARED));
	EXPECT_EQ(-EPERM, try(area - PAGE, PAGE, w, MAP_SHARED));
	EXPECT_EQ(-EPERM, try(0, PAGE, r | x, MAP_SHARED));
	EXPECT_EQ(-EPERM, try(PAGE, PAGE, r | x, MAP_SHARED));
	EXPECT_EQ(-EPERM, try(0, PAGE, r | w | x, MAP_SHARED));

	EXPECT_EQ(-EINVAL, try(0, PAGE, r, MAP_PRIVATE));
	EXPECT_EQ(-EINVAL, try(PAGE, area - PAGE, r | w, MAP_PRIVATE));
	EXPECT_EQ(-EINVAL, try(0, area + PAGE, r, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try(PAGE, area, r, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try(area - PAGE, 2 * PAGE, r, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try(0, 1ULL << 40, r, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try(setup.cpus * area, PAGE, r, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try(1ULL << 50, PAGE, r, MAP_SHARED));
	EXPECT_NE(0, try(INT64_MAX & ~4095ULL, PAGE, r, MAP_SHARED));
	EXPECT_NE(0, try(1ULL << 63, PAGE, r, MAP_SHARED));
	EXPECT_EQ(-EINVAL, try(1, PAGE, r, MAP_SHARED));
	close(fd);
}

static void *map(uint64_t offset, uint64_t bytes, int protection)
{
	void *memory = mmap(NULL, bytes, protection, MAP_SHARED, fd, (off_t)offset);

	return memory == MAP_FAILED ? NULL : memory;
}

TEST(no_rights_can_be_gained_later)
{
	char *consumer, *whole, *rest;

	set_up(_metadata);
	consumer = map(0, PAGE, PROT_READ | PROT_WRITE);
	whole = map(0, area, PROT_READ);
	rest = map(PAGE, area - PAGE, PROT_READ);
	ASSERT_TRUE(consumer && whole && rest);
	EXPECT_EQ(-1, mprotect(rest, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(rest, area - PAGE, PROT_WRITE));
	EXPECT_EQ(-1, mprotect(rest + PAGE, PAGE, PROT_READ | PROT_EXEC));
	EXPECT_EQ(-1, mprotect(whole, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(-1, mprotect(whole, area, PROT_READ | PROT_EXEC));
	EXPECT_EQ(-1, mprotect(consumer, PAGE, PROT_READ | PROT_EXEC));
	EXPECT_EQ(0, mprotect(consumer, PAGE, PROT_READ));
	EXPECT_EQ(0, mprotect(consumer, PAGE, PROT_READ | PROT_WRITE));
	/* A mapping may shrink and move, not grow. */
	EXPECT_EQ(MAP_FAILED, mremap(consumer, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(rest, area - PAGE, area, MREMAP_MAYMOVE));
	close(fd);
}

static sigjmp_buf out;

static void on_fault(int signal)
{
	siglongjmp(out, signal);
}

static int read_in_child(void *memory)
{
	signal(SIGSEGV, on_fault);
	if (sigsetjmp(out, 1))
		return 7;
	return *(volatile char *)memory ? 1 : 2;
}

TEST(a_fork_does_not_inherit)
{
	char *consumer, *rest;

	set_up(_metadata);
	consumer = map(0, PAGE, PROT_READ | PROT_WRITE);
	rest = map(PAGE, area - PAGE, PROT_READ);
	ASSERT_TRUE(consumer && rest);
	EXPECT_EQ(7, wait_for_child(start_child(read_in_child, consumer)));
	EXPECT_EQ(7, wait_for_child(start_child(read_in_child, rest)));
	close(fd);
}

/* A mapping is as good as a descriptor: the session goes on until both are gone. */
TEST(a_mapping_keeps_the_session)
{
	pid_t spinner = start_spinner(0);	/* whose ring is looked at */
	const volatile struct ktally_ring_producer *producer;
	uint64_t before;
	int tries;

	set_up(_metadata);
	producer = map(PAGE, area - PAGE, PROT_READ);
	ASSERT_NE(NULL, producer);
	ASSERT_EQ(0, device_enable(fd));
	close(fd);
	before = producer->samples;
	for (tries = 0; tries < 300 && producer->samples == before; tries++)
		sleep_seconds(0.1);
	EXPECT_GT(producer->samples, before);
	EXPECT_EQ(KTALLY_STATE_ENABLED, producer->state);
	munmap((void *)(uintptr_t)producer, area - PAGE);
	stop_child(spinner);
}

/* Fills much of the free memory and gives it back, so that what is not cleared shows. */
static void dirty_memory(void)
{
	size_t bytes = 512 << 20;
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return;
	memset(memory, 0xa5, bytes);
	munmap(memory, bytes);
}

static uint64_t count_dirty(const char *memory, uint64_t from, uint64_t to)
{
	uint64_t i, dirty = 0;

	for (i = from; i < to; i++)
		dirty += memory[i] != 0;
	return dirty;
}

TEST(nothing_of_the_kernel_s_memory_leaks)
{
	const struct ktally_ring_producer *producer;
	pid_t spinner = start_spinner(0);
	const char *memory;
	int round;

	/* After the first round it is what the one before left that must not be seen. */
	dirty_memory();
	for (round = 0; round < 3; round++) {
		set_up(_metadata);
		memory = map(0, area, PROT_READ);
		ASSERT_NE(NULL, memory);
		producer = (const void *)(memory + PAGE);
		EXPECT_EQ(0, count_dirty(memory, 0, PAGE));
		EXPECT_EQ(0, count_dirty(memory, PAGE + sizeof(*producer), area));
		EXPECT_EQ(0, count_dirty((const char *)producer->reserved, 0, sizeof(producer->reserved)));
		EXPECT_EQ(0, count_dirty((const char *)producer->reserved_head, 0, sizeof(producer->reserved_head)));
		EXPECT_EQ(0, producer->head);
		EXPECT_EQ(0, producer->samples);
		EXPECT_EQ(0, count_dirty((const char *)producer->lost, 0, sizeof(producer->lost)));
		EXPECT_EQ(KTALLY_STATE_READY, producer->state);
		EXPECT_EQ(1, producer->thin);
		EXPECT_EQ(997, producer->rate);
		EXPECT_EQ(0, producer->data_bytes & (producer->data_bytes - 1));

		/* Records fill the ring from its beginning; what they have not reached is still zero. */
		ASSERT_EQ(0, device_enable(fd));
		while (!__atomic_load_n(&producer->head, __ATOMIC_ACQUIRE))
			sleep_seconds(0.001);
		ASSERT_EQ(0, device_disable(fd));
		EXPECT_LE(producer->head, setup.ring_bytes);
		EXPECT_EQ(0, count_dirty(memory, 2 * PAGE + producer->head, 2 * PAGE + setup.ring_bytes));
		EXPECT_EQ(0, memcmp(memory + 2 * PAGE, memory + 2 * PAGE + setup.ring_bytes, setup.ring_bytes));
		EXPECT_EQ(0, count_dirty(memory, PAGE + sizeof(*producer), 2 * PAGE));
		munmap((void *)(uintptr_t)memory, area);
		close(fd);
	}
	stop_child(spinner);
}

TEST_HARNESS_MAIN
