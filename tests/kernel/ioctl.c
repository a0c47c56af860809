// SPDX-License-Identifier: GPL-2.0
/* Every call with everything that can be wrong about it: what is refused, how, and that a refusal leaves no trace. */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "device.h"
#include "harness.h"
#include "workload.h"

static const struct ktally_setup good = {
	.size = sizeof(struct ktally_setup),
	.sources = KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU,
	.threads = 64,
	.capture = KTALLY_CAPTURE_USER,
	.ring_bytes = KTALLY_RING_BYTES_MIN,
};

/* Patient where it is too often. */
static int call(int fd, unsigned long command, const void *argument)
{
	int patience;

	for (patience = 0; ioctl(fd, command, argument) < 0; patience++) {
		if (errno != EAGAIN || patience == 100)
			return -errno;
		sleep_seconds(0.02);
	}
	return 0;
}

/* SETUP on this descriptor; the module fills in what it granted. */
static int set_up(int fd)
{
	struct ktally_setup setup = good;

	return call(fd, KTALLY_IOC_SETUP, &setup);
}

/* SETUP on a session of its own. */
static int try_setup(struct ktally_setup setup)
{
	int error, fd = device_open();

	if (fd < 0)
		return fd;
	error = call(fd, KTALLY_IOC_SETUP, &setup);
	close(fd);
	return error;
}

#define EXPECT_SETUP(expected, ...) \
	do { \
		struct ktally_setup changed = good; \
		struct ktally_setup *const s = &changed; \
		__VA_ARGS__; \
		EXPECT_EQ(expected, try_setup(changed)) { \
			TH_LOG("with %s", #__VA_ARGS__); \
		} \
	} while (0)

TEST(setup_checks_every_field)
{
	int32_t pids[2] = { getpid(), getpid() }, none[1] = { 0x3ffffff }, negative[1] = { -1 }, zero[1] = { 0 };
	int32_t files[1] = { open("/", O_RDONLY | O_DIRECTORY) }, closed[1] = { 1000 };

	EXPECT_SETUP(0, (void)s);
	EXPECT_SETUP(-EINVAL, s->sources = 0);
	EXPECT_SETUP(-EINVAL, s->sources = 4);
	EXPECT_SETUP(-EINVAL, s->sources = KTALLY_SOURCE_ONCPU | 1U << 31);
	EXPECT_SETUP(0, s->capture = 0);
	EXPECT_SETUP(-EINVAL, s->capture = KTALLY_CAPTURE_FILES);
	EXPECT_SETUP(0, s->capture = KTALLY_CAPTURE_FILES | KTALLY_CAPTURE_USER);
	EXPECT_SETUP(-EINVAL, s->capture = 32);
	EXPECT_SETUP(-EINVAL, s->capture = 1U << 31);
	EXPECT_SETUP(0, s->rate = KTALLY_RATE_MAX);
	EXPECT_SETUP(-EINVAL, s->rate = KTALLY_RATE_MAX + 1);
	EXPECT_SETUP(-EINVAL, s->rate = UINT32_MAX);
	EXPECT_SETUP(0, s->depth = 1);
	EXPECT_SETUP(0, s->depth = KTALLY_DEPTH_MAX);
	EXPECT_SETUP(-EINVAL, s->depth = KTALLY_DEPTH_MAX + 1);
	EXPECT_SETUP(-EINVAL, s->depth = UINT32_MAX);
	EXPECT_SETUP(0, s->ring_bytes = 0);
	EXPECT_SETUP(-EINVAL, s->ring_bytes = KTALLY_RING_BYTES_MIN / 2);
	EXPECT_SETUP(-EINVAL, s->ring_bytes = KTALLY_RING_BYTES_MIN + 4096);
	EXPECT_SETUP(0, s->ring_bytes = KTALLY_RING_BYTES_MAX);
	EXPECT_SETUP(-EINVAL, s->ring_bytes = 2 * KTALLY_RING_BYTES_MAX);
	EXPECT_SETUP(-EINVAL, s->ring_bytes = 1U << 31);
	EXPECT_SETUP(0, s->watermark_bytes = 1);
	EXPECT_SETUP(0, s->watermark_bytes = s->ring_bytes);
	EXPECT_SETUP(-EINVAL, s->watermark_bytes = s->ring_bytes + 1);
	EXPECT_SETUP(0, s->latency_ms = KTALLY_LATENCY_MS_MAX);
	EXPECT_SETUP(-EINVAL, s->latency_ms = KTALLY_LATENCY_MS_MAX + 1);
	EXPECT_SETUP(0, s->budget_ppm = KTALLY_BUDGET_PPM_MAX);
	EXPECT_SETUP(-EINVAL, s->budget_ppm = KTALLY_BUDGET_PPM_MAX + 1);
	EXPECT_SETUP(-EINVAL, s->filter = 2);
	EXPECT_SETUP(-EINVAL, s->filter = KTALLY_FILTER_CHILDREN);
	EXPECT_SETUP(-EINVAL, s->reserved = 1);
	EXPECT_SETUP(-EINVAL, s->reserved2 = 1);
	EXPECT_SETUP(-EINVAL, s->reserved3 = 1);
	EXPECT_SETUP(-EINVAL, s->keep_ns = KTALLY_KEEP_NS_MAX + 1);
	EXPECT_SETUP(-EINVAL, s->wait_min_ns = KTALLY_KEEP_NS_MAX + 1);
	EXPECT_SETUP(-EINVAL, s->threads = KTALLY_THREADS_MAX + 1);
	EXPECT_SETUP(-EINVAL, s->capture = KTALLY_CAPTURE_WAKER_STACK);

	EXPECT_SETUP(0, s->pids = (uintptr_t)pids, s->pid_count = 2, s->filter = KTALLY_FILTER_CHILDREN);
	EXPECT_SETUP(-ESRCH, s->pids = (uintptr_t)none, s->pid_count = 1);
	EXPECT_SETUP(-ESRCH, s->pids = (uintptr_t)negative, s->pid_count = 1);
	EXPECT_SETUP(-ESRCH, s->pids = (uintptr_t)zero, s->pid_count = 1);
	EXPECT_SETUP(-EFAULT, s->pids = 8, s->pid_count = 1);
	EXPECT_SETUP(-EFAULT, s->pids = UINT64_MAX - 3, s->pid_count = 2);
	EXPECT_SETUP(-EFAULT, s->pids = 0xffff888000000000, s->pid_count = 1);
	EXPECT_SETUP(-EINVAL, s->pids = (uintptr_t)pids, s->pid_count = KTALLY_PIDS_MAX + 1);
	EXPECT_SETUP(-EINVAL, s->pids = (uintptr_t)pids, s->pid_count = UINT32_MAX);

	EXPECT_SETUP(-EBADF, s->cgroup_fds = (uintptr_t)files, s->cgroup_count = 1);
	EXPECT_SETUP(-EBADF, s->cgroup_fds = (uintptr_t)closed, s->cgroup_count = 1);
	EXPECT_SETUP(-EBADF, s->cgroup_fds = (uintptr_t)negative, s->cgroup_count = 1);
	EXPECT_SETUP(-EFAULT, s->cgroup_fds = 8, s->cgroup_count = 1);
	EXPECT_SETUP(-EINVAL, s->cgroup_fds = (uintptr_t)files, s->cgroup_count = KTALLY_CGROUPS_MAX + 1);
	close(files[0]);
}

/* More often than there may be sessions: a refusal gives back what it had taken. */
TEST(setup_after_many_refusals)
{
	struct ktally_setup setup = good;
	int32_t none[1] = { 0x3ffffff };
	int fd = device_open(), i;

	setup.pids = (uintptr_t)none;
	setup.pid_count = 1;
	for (i = 0; i < 100; i++)
		EXPECT_EQ(-ESRCH, call(fd, KTALLY_IOC_SETUP, &setup));
	EXPECT_EQ(0, set_up(fd));
	EXPECT_EQ(-EBUSY, set_up(fd));
	close(fd);
}

TEST(setup_fills_in_what_was_granted)
{
	struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU };
	struct ktally_info info;
	int fd = device_open();

	ASSERT_EQ(0, device_info(fd, &info));
	ASSERT_EQ(0, device_setup(fd, &setup));
	EXPECT_EQ(sizeof(setup), setup.size);
	EXPECT_EQ(KTALLY_RATE_DEFAULT, setup.rate);
	EXPECT_EQ(KTALLY_DEPTH_DEFAULT, setup.depth);
	EXPECT_EQ(KTALLY_RING_BYTES_DEFAULT, setup.ring_bytes);
	EXPECT_EQ(KTALLY_RING_BYTES_DEFAULT / 4, setup.watermark_bytes);
	EXPECT_EQ(KTALLY_LATENCY_MS_DEFAULT, setup.latency_ms);
	EXPECT_EQ(KTALLY_BUDGET_PPM_DEFAULT, setup.budget_ppm);
	EXPECT_EQ(2 * KTALLY_PAGE_BYTES + 2 * KTALLY_RING_BYTES_DEFAULT, setup.area_bytes);
	EXPECT_EQ(info.cpus, setup.cpus);
	EXPECT_EQ(0, setup.reserved);
	close(fd);
}

TEST(info)
{
	struct ktally_info info;
	int fd = device_open();

	ASSERT_EQ(0, device_info(fd, &info));
	EXPECT_EQ(sizeof(info), info.size);
	EXPECT_EQ(KTALLY_ABI_VERSION, info.abi_version);
	EXPECT_TRUE(info.features & KTALLY_FEATURE_ONCPU);
	EXPECT_EQ(KTALLY_ALLOWED_ALL_PROCESSES | KTALLY_ALLOWED_KERNEL_FRAMES, info.allowed);
	EXPECT_GE(info.clock, KTALLY_CLOCK_CPU);
	EXPECT_LE(info.clock, KTALLY_CLOCK_REF_CYCLES);
	EXPECT_GE(info.cpus, sysconf(_SC_NPROCESSORS_CONF));
	EXPECT_EQ(KTALLY_RATE_MIN, info.rate_min);
	EXPECT_EQ(KTALLY_RATE_MAX, info.rate_max);
	EXPECT_EQ(KTALLY_RATE_DEFAULT, info.rate_default);
	EXPECT_EQ(KTALLY_DEPTH_MAX, info.depth_max);
	EXPECT_EQ(KTALLY_RING_BYTES_MIN, info.ring_bytes_min);
	EXPECT_EQ(KTALLY_RING_BYTES_MAX, info.ring_bytes_max);
	EXPECT_EQ(KTALLY_RIGHTS_ALL, info.rights);
	close(fd);
}

/* Each structure as an older and as a newer consumer would pass it. */
TEST(structures_can_grow)
{
	struct {
		unsigned long command;
		uint32_t least, known;
		int good;
	} calls[] = {
		{ KTALLY_IOC_INFO, KTALLY_INFO_SIZE_V1, KTALLY_INFO_SIZE_V2 },
		{ KTALLY_IOC_SETUP, KTALLY_SETUP_SIZE_V1, KTALLY_SETUP_SIZE_V3 },
		{ KTALLY_IOC_SET_RATE, KTALLY_RATE_SIZE_V1, KTALLY_RATE_SIZE_V1 },
		{ KTALLY_IOC_FLUSH, KTALLY_FLUSH_SIZE_V1, KTALLY_FLUSH_SIZE_V1 },
		{ KTALLY_IOC_SET_KEEP, KTALLY_KEEP_SIZE_V1, KTALLY_KEEP_SIZE_V1 },
		{ KTALLY_IOC_OPEN_FILE, KTALLY_OPEN_FILE_SIZE_V1, KTALLY_OPEN_FILE_SIZE_V1, -ENOENT },
		{ KTALLY_IOC_GET_CPUS, KTALLY_CPUS_SIZE_V1, KTALLY_CPUS_SIZE_V1 },
		{ KTALLY_IOC_RESTRICT, KTALLY_RESTRICT_SIZE_V1, KTALLY_RESTRICT_SIZE_V1 },
		{ KTALLY_IOC_SPACE_OF, KTALLY_SPACE_OF_SIZE_V1, KTALLY_SPACE_OF_SIZE_V1, -ESRCH },
	};
	static union {
		uint32_t size;
		struct ktally_setup setup;
		struct ktally_rate rate;
		struct ktally_restrict restrict_to;
		char bytes[8192];
	} argument;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		uint32_t least = calls[i].least, known = calls[i].known, size;
		int fd = device_open();

		if (calls[i].command != KTALLY_IOC_SETUP && calls[i].command != KTALLY_IOC_INFO) {
			ASSERT_EQ(0, set_up(fd));
		}
		for (size = 0; size < 5000; size += size < 8 || (size > least - 4 && size < known + 9) ? 1 : size < 200 ? 8 : 800) {
			int expected = size < least || size > 4096 ? -EINVAL : calls[i].good;

			memset(&argument, 0, sizeof(argument));
			if (calls[i].command == KTALLY_IOC_SETUP)
				argument.setup = good;
			if (calls[i].command == KTALLY_IOC_SET_RATE)
				argument.rate.rate = 19;
			if (calls[i].command == KTALLY_IOC_RESTRICT)
				argument.restrict_to.rights = KTALLY_RIGHTS_ALL;
			argument.size = size;
			if (expected == calls[i].good && size > known) {
				argument.bytes[size - 1] = 1;
				EXPECT_EQ(-E2BIG, call(fd, calls[i].command, &argument));
				argument.bytes[size - 1] = 0;
				argument.bytes[known] = 1;
				EXPECT_EQ(-E2BIG, call(fd, calls[i].command, &argument));
				argument.bytes[known] = 0;
			}
			/* What lies beyond the size is none of the module's business. */
			argument.bytes[size < sizeof(argument) - 1 && size > 3 ? size : 8000] = 0x55;
			EXPECT_EQ(expected, call(fd, calls[i].command, &argument)) {
				TH_LOG("ioctl %lx with %u bytes", calls[i].command, size);
			}
			if (expected == calls[i].good) {
				EXPECT_EQ(0x55, argument.bytes[size]);
				EXPECT_EQ(size, argument.size);
			}
			if (calls[i].command == KTALLY_IOC_SETUP) {
				close(fd);
				fd = device_open();
			}
		}
		close(fd);
	}
}

TEST(bad_pointers)
{
	static const unsigned long commands[] = {
		KTALLY_IOC_INFO, KTALLY_IOC_SETUP, KTALLY_IOC_SET_RATE, KTALLY_IOC_FLUSH, KTALLY_IOC_OPEN_FILE,
		KTALLY_IOC_RESTRICT, KTALLY_IOC_GET_CPUS, KTALLY_IOC_SPACE_OF,
	};
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = device_open();
	uint32_t *last;
	size_t i;

	ASSERT_NE(MAP_FAILED, (void *)pages);
	ASSERT_EQ(0, munmap(pages + 4096, 4096));
	last = (uint32_t *)(pages + 4092);
	*last = 100;
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		EXPECT_EQ(-EFAULT, call(fd, commands[i], NULL));
		EXPECT_EQ(-EFAULT, call(fd, commands[i], (void *)0xffff888000000000));
		EXPECT_EQ(-EFAULT, call(fd, commands[i], (void *)UINTPTR_MAX));
		EXPECT_EQ(-EFAULT, call(fd, commands[i], last));
	}
	/* Read-only memory cannot be filled in. A session that could not be told what it got is refused later. */
	memcpy(pages, &(struct ktally_info) { .size = sizeof(struct ktally_info) }, sizeof(struct ktally_info));
	ASSERT_EQ(0, mprotect(pages, 4096, PROT_READ));
	EXPECT_EQ(-EFAULT, call(fd, KTALLY_IOC_INFO, pages));
	munmap(pages, 4096);
	close(fd);
}

TEST(calls_in_the_wrong_order)
{
	struct ktally_setup setup = good;
	int fd = device_open();

	EXPECT_EQ(-EINVAL, device_enable(fd));
	EXPECT_EQ(-EINVAL, device_disable(fd));
	EXPECT_EQ(-EINVAL, device_set_rate(fd, 19));
	EXPECT_EQ(-EINVAL, device_flush(fd, 0));
	ASSERT_EQ(0, device_setup(fd, &setup));
	EXPECT_EQ(0, device_disable(fd));
	EXPECT_EQ(0, device_set_rate(fd, 19));
	EXPECT_EQ(0, device_flush(fd, 0));
	EXPECT_EQ(0, device_enable(fd));
	EXPECT_EQ(0, device_enable(fd));
	EXPECT_EQ(-EBUSY, device_setup(fd, &setup));
	EXPECT_EQ(0, device_disable(fd));
	EXPECT_EQ(0, device_disable(fd));
	EXPECT_EQ(0, device_enable(fd));
	close(fd);
}

TEST(other_arguments)
{
	struct ktally_setup setup = good;
	int fd = device_open();

	ASSERT_EQ(0, device_setup(fd, &setup));
	EXPECT_EQ(-EINVAL, device_set_rate(fd, 0));
	EXPECT_EQ(-EINVAL, device_set_rate(fd, KTALLY_RATE_MAX + 1));
	EXPECT_EQ(-EINVAL, device_set_rate(fd, UINT32_MAX));
	EXPECT_EQ(0, device_set_rate(fd, KTALLY_RATE_MAX));
	EXPECT_EQ(-EINVAL, device_flush(fd, 2));
	EXPECT_EQ(-EINVAL, device_flush(fd, 1U << 31));
	EXPECT_EQ(0, device_flush(fd, KTALLY_FLUSH_RESEND));
	EXPECT_EQ(-EINVAL, call(fd, KTALLY_IOC_ENABLE, &setup));
	EXPECT_EQ(-EINVAL, call(fd, KTALLY_IOC_DISABLE, &setup));
	EXPECT_EQ(-ENOTTY, call(fd, _IOC(_IOC_READ | _IOC_WRITE, KTALLY_IOC_TYPE, 6, 0), &setup));
	EXPECT_EQ(-ENOTTY, call(fd, _IOC(_IOC_NONE, KTALLY_IOC_TYPE, 0, 0), &setup));
	EXPECT_EQ(-ENOTTY, call(fd, _IOC(_IOC_READ | _IOC_WRITE, KTALLY_IOC_TYPE, 1, 80), &setup));
	EXPECT_EQ(-ENOTTY, call(fd, 0x5401, &setup));
	close(fd);
}

TEST_HARNESS_MAIN
