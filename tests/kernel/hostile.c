// SPDX-License-Identifier: GPL-2.0
/* Calls on the device that nobody should make: what others see of it is in bystander.h. */
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "bystander.h"
#include "harness.h"
#include "loaded.h"
#include "workload.h"

static struct session session;

FIXTURE(hostile)
{
};

FIXTURE_SETUP(hostile)
{
	ASSERT_EQ(0, bystander_begin());
}

FIXTURE_TEARDOWN(hostile)
{
	struct tally total;

	EXPECT_EQ(0, bystander_end(&total)) {
		TH_LOG("%s", bystander.session.error);
	}
	TH_LOG("the bystander: %ju samples, %ju lost", (uintmax_t)total.samples, (uintmax_t)tally_lost_samples(&total).count);
	EXPECT_GT(total.samples, 50);
}

/* ------------------------------------------------------------------------------------------------ tails */

static void *write_tails(void *argument)
{
	const struct session *victim = argument;
	unsigned int seed = 1;

	while (!is_over()) {
		unsigned int cpu;

		for (cpu = 0; cpu < victim->setup.cpus; cpu++) {
			volatile struct ktally_ring_consumer *consumer = victim->rings[cpu].consumer;
			const volatile struct ktally_ring_producer *producer = victim->rings[cpu].producer;
			uint64_t tails[] = {
				producer ? producer->head : 0, producer ? producer->head + 8 : 8, producer ? producer->head - 4 : 4, 0,
				UINT64_MAX, UINT64_MAX - 7, 1ULL << 63, (uint64_t)rand_r(&seed) * 8, (uint64_t)rand_r(&seed),
			};

			if (consumer)
				consumer->tail = tails[(unsigned int)rand_r(&seed) % ARRAY_SIZE(tails)];
		}
	}
	return NULL;
}

static void *keep_reading(void *argument)
{
	const struct session *victim = argument;
	static __thread char buffer[100000];
	unsigned int seed = 2;

	while (!is_over())
		if (read(victim->fd, buffer, 8 + (unsigned int)rand_r(&seed) % (sizeof(buffer) - 8)) < 0 &&
		    errno != EAGAIN && errno != EINVAL)
			return "read";
	return NULL;
}

TEST_F_TIMEOUT(hostile, tails_change_while_it_reads, 600)
{
	pthread_t threads[4];
	void *wrong;
	size_t i;

	ASSERT_EQ(0, session_open(&session, &everything, true));
	ASSERT_EQ(0, fcntl(session.fd, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, device_enable(session.fd));
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, i % 2 ? write_tails : keep_reading, &session));
	while (!is_over()) {
		ASSERT_EQ(0, bystander_drain());
		sleep_seconds(0.1);
	}
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &wrong));
		EXPECT_EQ(NULL, wrong);
	}
	EXPECT_EQ(KTALLY_STATE_ENABLED, session.rings[0].producer->state);
	session_close(&session);
}

/* ------------------------------------------------------------------------------------------------ calls */

static void *call_at_random(void *argument)
{
	const int *fd = argument;
	unsigned int seed = (unsigned int)(uintptr_t)&seed;
	char buffer[20000];

	while (!is_over()) {
		struct ktally_setup setup = everything;
		struct pollfd poller = { .fd = *fd, .events = POLLIN };
		struct ktally_info info;
		uint32_t status;
		void *memory;
		int opened;

		switch (rand_r(&seed) % 11) {
		case 0:
			device_setup(*fd, &setup);
			break;
		case 1:
		case 2:
			device_enable(*fd);
			break;
		case 3:
			device_disable(*fd);
			break;
		case 4:
			device_flush(*fd, (uint32_t)rand_r(&seed) % 2);
			break;
		case 5:
			device_set_rate(*fd, 1 + (uint32_t)rand_r(&seed) % KTALLY_RATE_MAX);
			break;
		case 6:
			device_set_keep(*fd, (uint64_t)rand_r(&seed), 0);
			break;
		case 7:
			device_info(*fd, &info);
			break;
		case 8:
			poll(&poller, 1, 1);
			if (read(*fd, buffer, sizeof(buffer)) < 0)
				break;
			break;
		case 9:
			memory = mmap(NULL, KTALLY_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
			if (memory != MAP_FAILED)
				munmap(memory, KTALLY_PAGE_BYTES);
			break;
		default:
			opened = device_open_file(*fd, (uint32_t)rand_r(&seed) % 100, buffer, &status);
			if (opened >= 0)
				close(opened);
		}
	}
	return NULL;
}

TEST_F_TIMEOUT(hostile, a_storm_of_calls_on_one_descriptor, 600)
{
	long bytes = bystander_bytes();
	pthread_t threads[8];
	int fd = device_open();
	size_t i;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_NONBLOCK));
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, call_at_random, &fd));
	while (!is_over()) {
		ASSERT_EQ(0, bystander_drain());
		sleep_seconds(0.1);
	}
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	close(fd);
	EXPECT_TRUE(bystander_is_alone(bytes));
}

/* ------------------------------------------------------------------------------------------------ other ways in */

static int inherit(void *ring)
{
	return ((struct ktally_ring_producer *)((char *)ring + KTALLY_PAGE_BYTES))->magic != KTALLY_RING_MAGIC;
}

/* What other calls make of the device: an error, or what read() and a mapping give anyway. */
TEST_F_TIMEOUT(hostile, other_calls_on_the_device, 600)
{
	static char buffer[1 << 16];
	struct iovec pieces[] = { { buffer, 8192 }, { buffer + 8192, sizeof(buffer) - 8192 } };
	int pipes[2], file = memfd_create("sink", MFD_CLOEXEC);
	struct ktally_setup next = everything;
	struct ktally_ring_producer kept;
	loff_t zero = 0;
	char *ring;
	size_t area;

	next.rate = 97;
	ASSERT_EQ(0, session_open(&session, &everything, false));
	ASSERT_EQ(0, fcntl(session.fd, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(100, write(file, buffer, 100));
	area = session.setup.area_bytes;
	ring = mmap(NULL, area, PROT_READ, MAP_SHARED, session.fd, 0);
	ASSERT_NE(MAP_FAILED, ring);

	EXPECT_EQ(-1, splice(session.fd, NULL, pipes[1], NULL, 65536, SPLICE_F_NONBLOCK));
	EXPECT_EQ(-1, splice(session.fd, &zero, pipes[1], NULL, 65536, SPLICE_F_NONBLOCK));
	EXPECT_EQ(-1, sendfile(file, session.fd, NULL, 65536));
	EXPECT_EQ(-1, sendfile(session.fd, file, &zero, 100));
	EXPECT_EQ(-1, copy_file_range(session.fd, NULL, file, NULL, 65536, 0));
	EXPECT_EQ(-1, ftruncate(session.fd, 0));
	EXPECT_EQ(-1, fallocate(session.fd, 0, 0, 4096));
	EXPECT_EQ(-1, ioctl(session.fd, 0x5401 /* TCGETS */, buffer));
	EXPECT_EQ(MAP_FAILED, mremap(ring, area, 2 * area, MREMAP_MAYMOVE));
	EXPECT_EQ(-1, madvise(ring, area, MADV_REMOVE));
	EXPECT_EQ(-1, mprotect(ring, area, PROT_READ | PROT_WRITE));

	/* Neither does harm to anybody else: a mapping that a child inherits, is elsewhere in the ring, is locked, or has lost its pages. */
	madvise(ring, area, MADV_DOFORK);
	EXPECT_EQ(0, wait_for_child(start_child(inherit, ring)));
	remap_file_pages(ring + 3 * KTALLY_PAGE_BYTES, KTALLY_PAGE_BYTES, 0, 2, 0);
	mlock(ring, area);
	munlock(ring, area);
	madvise(ring + 2 * KTALLY_PAGE_BYTES, area - 2 * KTALLY_PAGE_BYTES, MADV_DONTNEED);

	/* A page that a pipe holds stays what its session left in it, whoever has a session next. */
	pieces[0] = (struct iovec) { ring + KTALLY_PAGE_BYTES, KTALLY_PAGE_BYTES };
	if (vmsplice(pipes[1], pieces, 1, SPLICE_F_GIFT | SPLICE_F_NONBLOCK) == KTALLY_PAGE_BYTES) {
		munmap(ring, area);
		session_close(&session);
		ASSERT_EQ(0, session_open(&session, &next, false));
		ASSERT_EQ(0, device_enable(session.fd));
		sleep_seconds(0.3);
		ASSERT_EQ(sizeof(kept), read(pipes[0], &kept, sizeof(kept)));
		EXPECT_EQ(KTALLY_RING_MAGIC, kept.magic);
		EXPECT_EQ(KTALLY_STATE_READY, kept.state);
		EXPECT_EQ(everything.rate, kept.rate);
	}
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	session_close(&session);
	close(file);
	close(pipes[0]);
	close(pipes[1]);
}

/* io_uring reads, also into buffers that are pinned, polls, and cancels; the ring outlives the descriptor. */
TEST_F_TIMEOUT(hostile, io_uring, 600)
{
	/* Of nobody's file: older kernels pin no page of a mapping that has one, as that of the program's data may. */
	char (*buffer)[1 << 16] = mmap(NULL, 8 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long bytes = bystander_bytes();
	uint64_t reads = 0, polls = 0, rounds = 0;
	struct io_uring ring;
	struct iovec pinned = { buffer[0], sizeof(buffer[0]) };

	ASSERT_NE(MAP_FAILED, (void *)buffer);
	if (io_uring_queue_init(16, &ring, 0))
		SKIP(return, "io_uring is not to be had here");
	ASSERT_EQ(0, io_uring_register_buffers(&ring, &pinned, 1));
	while (!is_over()) {
		struct io_uring_cqe *completion;
		unsigned int i, count = 0, rest;

		ASSERT_EQ(0, session_open(&session, &everything, false));
		ASSERT_EQ(0, device_enable(session.fd));
		for (i = 0; i < 8; i++) {
			struct io_uring_sqe *request = io_uring_get_sqe(&ring);

			if (i % 4 == 3)
				io_uring_prep_poll_multishot(request, session.fd, POLLIN);
			else if (!i)
				io_uring_prep_read_fixed(request, session.fd, buffer[0], sizeof(buffer[0]), 0, 0);
			else
				io_uring_prep_read(request, session.fd, buffer[i], sizeof(buffer[i]), 0);
			request->user_data = i;
		}
		ASSERT_EQ(8, io_uring_submit(&ring));
		sleep_seconds(0.05);
		/* With reads of workers waiting in it. */
		device_flush(session.fd, 0);
		if (rounds++ % 2)
			device_disable(session.fd);
		session_close(&session);
		for (i = 0; i < 8; i++) {
			struct io_uring_sqe *request = io_uring_get_sqe(&ring);

			io_uring_prep_cancel64(request, i, 0);
			request->user_data = 100;
		}
		io_uring_submit(&ring);
		for (rest = 0; rest < 20 && count < 8; rest++) {
			struct __kernel_timespec patience = { .tv_nsec = 100000000 };

			if (io_uring_wait_cqe_timeout(&ring, &completion, &patience))
				continue;
			rest = 0;
			if (completion->user_data < 8 && completion->res > 0)
				(*(completion->user_data % 4 == 3 ? &polls : &reads))++;
			if (completion->user_data < 8 && !(completion->flags & IORING_CQE_F_MORE))
				count++;
			io_uring_cqe_seen(&ring, completion);
		}
		ASSERT_EQ(0, bystander_drain());
	}
	io_uring_queue_exit(&ring);
	TH_LOG("%ju sessions, %ju reads, %ju polls", (uintmax_t)rounds, (uintmax_t)reads, (uintmax_t)polls);
	EXPECT_GT(reads, 0);
	EXPECT_TRUE(bystander_is_alone(bytes));
}

/* ------------------------------------------------------------------------------------------------ unload */

static void *keep_unloading(void *argument)
{
	uint64_t *tries = argument;

	for (; !is_over(); ++*tries)
		if (!module_unload())
			return "the module went while it was in use";
	return NULL;
}

/* The bystander holds the module, so no moment of another's opening and closing is one at which it may go. */
TEST_F_TIMEOUT(hostile, unload_while_sessions_come_and_go, 600)
{
	uint64_t tries = 0, rounds = 0;
	pthread_t unloader;
	void *wrong;

	ASSERT_EQ(0, pthread_create(&unloader, NULL, keep_unloading, &tries));
	while (!is_over()) {
		ASSERT_EQ(0, session_open(&session, &everything, rounds % 2));
		if (rounds++ % 3)
			ASSERT_EQ(0, device_enable(session.fd));
		session_close(&session);
		ASSERT_EQ(0, bystander_drain());
	}
	ASSERT_EQ(0, pthread_join(unloader, &wrong));
	EXPECT_EQ(NULL, wrong);
	TH_LOG("%ju sessions, %ju attempts to unload", (uintmax_t)rounds, (uintmax_t)tries);
	EXPECT_GT(tries, 100);
}

TEST_HARNESS_MAIN
