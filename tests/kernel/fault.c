// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation and every copy from or to user space is made to fail once, in each operation on the device: the first, then the second,
 * until an operation has no more of them (/proc/thread-self/fail-nth, which counts all that a task asks for, the module's own requests
 * and those of what it calls). After each the same operation works, and at the end nothing has been lost.
 *
 * fault.sh, which starts this, notes in which lines of the module the failures were.
 */
#include <err.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "device.h"
#include "failures.h"
#include "harness.h"
#include "loaded.h"
#include "mapped.h"
#include "nobody.h"
#include "table.h"
#include "workload.h"

#define ONLINE "/sys/devices/system/cpu/cpu1/online"
#define ATTEMPTS_MAX 5000
/* As many as a process's first table has place for: NR_OPEN_DEFAULT. */
#define DESCRIPTORS 64

/**
 * struct operation - what is made to fail
 * @prepare: comes before each attempt, without failures; may be NULL
 * @act: 0 or -errno
 * @undo: after each attempt, @act having succeeded or not; may be NULL
 * @task: whose requests are counted, 0: those of the thread that calls @act
 */
struct operation {
	void (*prepare)(void);
	int (*act)(void);
	void (*undo)(void);
	pid_t task;
};

static struct session session;
static pid_t churners[2];
static int fd = -1;

/* ------------------------------------------------------------------------------------------------ failures */

static bool is_expected(int error)
{
	return !error || error == -ENOMEM || error == -EFAULT || error == -EAGAIN || error == -ENOSPC;
}

static void inject(struct __test_metadata *_metadata, const struct operation *operation)
{
	unsigned int nth, left = 0, refused = 0, errors[2] = {};
	int counter = failures_counter(operation->task), error = 0;

	for (nth = 1; nth < ATTEMPTS_MAX && !left; nth++) {
		if (operation->prepare)
			operation->prepare();
		failures_set(counter, nth);
		error = operation->act();
		left = failures_left(counter);
		failures_set(counter, 0);
		EXPECT_TRUE(is_expected(error)) {
			TH_LOG("the failure of number %u: %s", nth, strerror(-error));
		}
		refused += error != 0;
		errors[0] += error == -ENOMEM;
		errors[1] += error == -EFAULT;
		if (operation->undo)
			operation->undo();
	}
	close(counter);
	EXPECT_EQ(0, error);
	EXPECT_LT(nth, ATTEMPTS_MAX);
	EXPECT_GT(nth, 2);
	TH_LOG("%u failures: %u refused the operation (%u ENOMEM, %u EFAULT), %u did not", nth - 2, refused, errors[0], errors[1],
	       nth - 2 - refused);
}

/* ------------------------------------------------------------------------------------------------ before and after */

/* What the module has allotted, as a session with nothing to it sees it. */
static long module_bytes(struct __test_metadata *_metadata)
{
	static struct session small;
	struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU, .ring_bytes = KTALLY_RING_BYTES_MIN };
	long bytes;

	ASSERT_EQ(0, session_open(&small, &setup, false));
	bytes = session_figure(&small, "module_bytes");
	session_close(&small);
	return bytes;
}

FIXTURE(fault)
{
	long bytes;
};

FIXTURE_SETUP(fault)
{
	if (access("/proc/self/fail-nth", W_OK))
		SKIP(exit(255), "this kernel does not make allocations fail (CONFIG_FAULT_INJECTION)");
	failures_prepare();
	self->bytes = access(KTALLY_DEVICE_PATH, F_OK) ? 0 : module_bytes(_metadata);
}

FIXTURE_TEARDOWN(fault)
{
	unsigned int i;
	long bytes = 0;

	for (i = 0; i < ARRAY_SIZE(churners); i++)
		if (churners[i])
			stop_child(churners[i]);
	/* Workers give back what they have in their own time. */
	for (i = 0; i < 100 && (bytes = module_bytes(_metadata)) > self->bytes; i++)
		sleep_seconds(0.1);
	EXPECT_EQ(self->bytes, bytes);
}

static void start_churn(void)
{
	churners[0] = start_fork_storm();
	churners[1] = start_maze();
}

/* ------------------------------------------------------------------------------------------------ a session's life */

static int do_open(void)
{
	fd = device_open();
	return fd < 0 ? fd : 0;
}

static void do_close(void)
{
	if (fd >= 0)
		close(fd);
	fd = -1;
}

static void must_open(void)
{
	if (do_open())
		errx(1, "cannot open the device");
}

TEST_F_TIMEOUT(fault, open, 600)
{
	inject(_metadata, &(struct operation) { .act = do_open, .undo = do_close });
}

static struct ktally_setup wanted;

static int do_setup(void)
{
	struct ktally_setup setup = wanted;

	return device_setup(fd, &setup);
}

static void must_set_up(void)
{
	must_open();
	if (do_setup())
		errx(1, "cannot set up a session");
}

#define CAPTURE_ALL (KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER | KTALLY_CAPTURE_WAKER | KTALLY_CAPTURE_WAKER_STACK | KTALLY_CAPTURE_FILES)
#define SOURCES_ALL (KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU)

static const struct ktally_setup everything = {
	.sources = SOURCES_ALL,
	.capture = CAPTURE_ALL,
	.rate = 199,
	.ring_bytes = KTALLY_RING_BYTES_MIN,
	.threads = 1024,
	.budget_ppm = KTALLY_BUDGET_PPM_MAX,
};

TEST_F_TIMEOUT(fault, setup_for_cpu_time, 600)
{
	wanted = (struct ktally_setup) { .sources = KTALLY_SOURCE_ONCPU, .ring_bytes = KTALLY_RING_BYTES_MIN };
	inject(_metadata, &(struct operation) { must_open, do_setup, do_close, 0 });
}

/* What the module counts by users it does for those without rights only. */
static int set_up_as_nobody(void *argument)
{
	struct __test_metadata *_metadata = argument;

	become_nobody(0);
	inject(_metadata, &(struct operation) { must_open, do_setup, do_close, 0 });
	return !_metadata->passed;
}

TEST_F_TIMEOUT(fault, setup_of_nobody, 600)
{
	ASSERT_EQ(0, chmod(KTALLY_DEVICE_PATH, 0666));
	wanted = (struct ktally_setup) { .sources = KTALLY_SOURCE_ONCPU, .ring_bytes = KTALLY_RING_BYTES_MIN };
	EXPECT_EQ(0, wait_for_child(start_child(set_up_as_nobody, _metadata)));
}

static void want_everything(void)
{
	static pid_t pids[2];
	static int groups[1];

	pids[0] = getpid();
	pids[1] = getppid();
	groups[0] = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	wanted = everything;
	wanted.pids = (uintptr_t)pids;
	wanted.pid_count = ARRAY_SIZE(pids);
	wanted.filter = KTALLY_FILTER_CHILDREN;
	wanted.cgroup_fds = (uintptr_t)groups;
	wanted.cgroup_count = groups[0] >= 0;
}

/*
 * How often the kernel needs pages for what it is asked for is different each time, so a failure can jump over one of the module's
 * requests: hardly three times.
 */
TEST_F_TIMEOUT(fault, setup_without_files, 600)
{
	unsigned int round;

	want_everything();
	wanted.capture &= ~KTALLY_CAPTURE_FILES;
	for (round = 0; round < 3; round++)
		inject(_metadata, &(struct operation) { must_open, do_setup, do_close, 0 });
}

TEST_F_TIMEOUT(fault, setup_for_everything, 600)
{
	want_everything();
	inject(_metadata, &(struct operation) { must_open, do_setup, do_close, 0 });
}

/* A CPU that had a ring and could not be started is what ENABLE fails by. */
static int do_enable(void)
{
	int error = device_enable(fd);
	uint64_t dark = 0;

	/* Asking for it can fail in its turn. */
	if (!error && device_get_cpus(fd, KTALLY_CPUS_DARK, &dark) > 0 && dark)
		return -EIO;
	return error;
}

TEST_F_TIMEOUT(fault, enable, 600)
{
	/* On these threads the CPUs begin to be sampled. */
	static const char *const names[] = { "cpuhp/0", "cpuhp/1" };
	unsigned int i;

	start_churn();
	wanted = everything;
	inject(_metadata, &(struct operation) { must_set_up, do_enable, do_close, 0 });
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		pid_t thread = failures_thread(names[i]);

		if (thread)
			inject(_metadata, &(struct operation) { must_set_up, do_enable, do_close, thread });
	}
}

/* ------------------------------------------------------------------------------------------------ while it lives */

static int do_map(void)
{
	size_t bytes = session.setup.area_bytes - KTALLY_PAGE_BYTES;
	char *data = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, session.fd, KTALLY_PAGE_BYTES);

	if (data == MAP_FAILED)
		return -errno;
	/* What fails here is not the module's, and fails once. */
	while (munmap(data, bytes))
		;
	return 0;
}

static int do_flush(void)
{
	return device_flush(session.fd, KTALLY_FLUSH_RESEND);
}

static void make_readable(void)
{
	if (do_flush())
		errx(1, "cannot flush");
}

static int do_read(void)
{
	static char buffer[1 << 16];

	return read(session.fd, buffer, sizeof(buffer)) < 0 ? -errno : 0;
}

static int do_set_rate(void)
{
	return device_set_rate(session.fd, 97);
}

static int do_info(void)
{
	struct ktally_info info;

	return device_info(session.fd, &info);
}

/* What fails in opening it is not the module's. */
static void open_fdinfo(void)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/thread-self/fdinfo/%d", session.fd);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", name);
}

static int read_fdinfo(void)
{
	static char text[4096];

	return read(fd, text, sizeof(text)) < 0 ? -errno : 0;
}

TEST_F_TIMEOUT(fault, while_it_is_enabled, 600)
{
	start_churn();
	ASSERT_EQ(0, session_open(&session, &everything, false));
	ASSERT_EQ(0, fcntl(session.fd, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, device_enable(session.fd));
	inject(_metadata, &(struct operation) { .act = do_map });
	inject(_metadata, &(struct operation) { .act = do_flush });
	inject(_metadata, &(struct operation) { .prepare = make_readable, .act = do_read });
	inject(_metadata, &(struct operation) { .act = do_set_rate });
	inject(_metadata, &(struct operation) { .act = do_info });
	inject(_metadata, &(struct operation) { open_fdinfo, read_fdinfo, do_close, 0 });
	session_close(&session);
}

static int do_set_lower_rate(void)
{
	return device_set_rate(session.fd, KTALLY_RATE_MIN);
}

static int use_as_nobody(void *argument)
{
	struct __test_metadata *_metadata = argument;

	become_nobody(0);
	inject(_metadata, &(struct operation) { .act = do_set_lower_rate });
	return !_metadata->passed;
}

/* Whoever was handed a session is remembered by the pace of his calls. */
TEST_F_TIMEOUT(fault, handed_over, 600)
{
	struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU, .ring_bytes = KTALLY_RING_BYTES_MIN };

	ASSERT_EQ(0, session_open(&session, &setup, false));
	ASSERT_EQ(0, device_enable(session.fd));
	EXPECT_EQ(0, wait_for_child(start_child(use_as_nobody, _metadata)));
	session_close(&session);
}

/* ------------------------------------------------------------------------------------------------ files */

static char path[KTALLY_PATH_BYTES_MAX];

static int do_load_table(void)
{
	return table_replace(session.fd);
}

static int do_open_file(void)
{
	uint32_t status;

	fd = device_open_file(session.fd, table.request.file, path, &status);
	return fd < 0 ? fd : 0;
}

/* The numbers of files that were told. */
static uint32_t told[100];
static unsigned int told_count;

static void note_file(struct session *from, const struct ktally_record *record)
{
	(void)from;
	if (record->type == KTALLY_RECORD_FILE && told_count < ARRAY_SIZE(told))
		told[told_count++] = ((const struct ktally_file *)record)->file;
}

/* The number of this program, in which the churners spin: it is held for as long as they do. */
static uint32_t find_own(void)
{
	uint32_t own = 0;

	for (unsigned int i = 0; i < told_count && !own; i++) {
		const char *name;

		table.request.file = told[i];
		if (do_open_file())
			continue;
		name = strrchr(path, '/');
		if (name && !strcmp(name, "/fault"))
			own = told[i];
		do_close();
	}
	return own;
}

/* In a ring that is full nothing is said of files. */
static void drain(void)
{
	if (session_drain(&session) < 0)
		errx(1, "cannot read");
}

TEST_F_TIMEOUT(fault, files, 600)
{
	struct ktally_setup setup;
	unsigned int tries;
	uint32_t own = 0;
	int spare = 0;

	start_churn();
	setup = files_setup(NULL, 0);
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = note_file;
	ASSERT_EQ(0, device_enable(session.fd));
	for (tries = 0; tries < 100 && !own; tries++) {
		ASSERT_EQ(0, session_run(&session, 0.1));
		own = find_own();
	}
	ASSERT_NE(0, own);
	table_begin(own);
	table_make_small();
	inject(_metadata, &(struct operation) { .prepare = drain, .act = do_load_table });
	table_make_large(100000);
	inject(_metadata, &(struct operation) { .prepare = drain, .act = do_load_table });
	/* One descriptor is left for the counter; for the next one the process's table of them must grow. */
	while (spare < DESCRIPTORS - 2) {
		spare = dup(session.fd);
		ASSERT_LE(0, spare);
	}
	inject(_metadata, &(struct operation) { .prepare = drain, .act = do_open_file, .undo = do_close });
	for (; spare > session.fd; spare--)
		close(spare);
	session_close(&session);
}

/* Who gives interrupts the memory that they cannot ask for themselves. */
TEST_F_TIMEOUT(fault, workers, 600)
{
	struct ktally_setup setup = files_setup(NULL, 0);
	unsigned int round;

	start_churn();
	failures_of_marked(30);
	failures_mark("kworker/u", true);
	setup.ring_bytes = 1 << 20;
	/* Each time all is new to them. */
	for (round = 0; round < 15; round++) {
		if (round)
			session_close(&session);
		EXPECT_EQ(0, session_open(&session, &setup, true));
		EXPECT_EQ(0, device_enable(session.fd));
		EXPECT_EQ(0, session_run(&session, 1));
	}
	failures_mark("kworker/u", false);
	failures_of_marked(0);
	/* Afterwards it is as if nothing had been. */
	EXPECT_EQ(0, session_run(&session, 2));
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	TH_LOG("%ju samples, %ju files", (uintmax_t)session_total(&session).samples, (uintmax_t)session_total(&session).files);
	EXPECT_GT(session_total(&session).samples, 100);
	session_close(&session);
}

/* ------------------------------------------------------------------------------------------------ hotplug, load */

static void go_offline(void)
{
	if (set_cpu_online(1, false))
		errx(1, "CPU 1 does not go offline");
	must_set_up();
	if (do_enable())
		errx(1, "cannot enable a session");
}

static int go_online(void)
{
	return write_file(ONLINE, "1");
}

static void end_online(void)
{
	if (device_flush(fd, KTALLY_FLUSH_RESEND))
		errx(1, "cannot flush");
	do_close();
	/* It may have come online without the session. */
	if (set_cpu_online(1, true))
		errx(1, "CPU 1 does not come online");
}

TEST_F_TIMEOUT(fault, hotplug, 600)
{
	/* On this thread each CPU brings itself up. */
	pid_t thread = failures_thread("cpuhp/1");

	if (access(ONLINE, W_OK) || !thread)
		SKIP(return, "CPU 1 cannot be taken offline here");
	start_churn();
	wanted = everything;
	inject(_metadata, &(struct operation) { go_offline, go_online, end_online, thread });
}

static void do_unload(void)
{
	module_unload();
}

/* This is the last: what was noted so far could not be named any more without the module. */
TEST_F_TIMEOUT(fault, load, 600)
{
	failures_save_trace();
	if (!module_find())
		SKIP(return, "KTALLY_MODULES does not say where ktally.ko is");
	do_unload();
	inject(_metadata, &(struct operation) { .act = module_load, .undo = do_unload });
	EXPECT_EQ(0, module_load());
}

TEST_HARNESS_MAIN
