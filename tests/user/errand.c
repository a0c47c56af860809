// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * symbols/errand.h in a session on a device of our own: who takes records opens and reads nothing that lies where a process chose, and
 * is kept by nothing of it. Opening and reading are this test's own here: they tell who does it, and hang for one file. Meant for the
 * thread sanitizer too.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "check.h"
#include "device.h"
#include "fake_elf.h"
#include "base/message.h"
#include "loop/loop.h"
#include "session/live.h"
#include "session/session.h"
#include "symbols/errand.h"
#include "symbols/proc.h"

#define MM	5
#define MS	1000000ULL
#define SECOND	1000000000ULL

static bool guarded, hold, hold_maps;
static ino_t hung_inode;
static unsigned int breaches, samples;
static const char *last_name;
static char library_path[64], map_path[64];

static bool is_guarded(void)
{
	return __atomic_load_n(&guarded, __ATOMIC_ACQUIRE) && syscall(SYS_gettid) == getpid();
}

static void note(const char *call, const char *path)
{
	breaches++;
	printf("# %s(%s) by who takes records\n", call, path);
}

/*
 * Text that the kernel writes: what leads to the files of a process is not, and what waits for its lock, or takes hold of its memory and may
 * be the last to let go, is not harmless.
 */
static bool is_text(const char *path)
{
	return !strncmp(path, "/proc/", 6) && !strstr(path, "/root") && !strstr(path, "/map_files") && !strstr(path, "/exe") &&
	       !strstr(path, "/fd/") && !strstr(path, "/maps") && !strstr(path, "/environ") && !strstr(path, "/cmdline") &&
	       !strstr(path, "/stat");
}

static void on_open(const char *path)
{
	if (is_guarded() && !is_text(path))
		note("open", path);
	while (__atomic_load_n(&hold_maps, __ATOMIC_ACQUIRE) && strstr(path, "/maps"))
		usleep(1000);
}

int openat(int directory, const char *path, int flags, ...)
{
	if (is_guarded())
		note("openat", path);
	return (int)syscall(SYS_openat, directory, path, flags, 0);
}

ssize_t pread(int fd, void *into, size_t bytes, off_t offset)
{
	struct stat status;

	if (is_guarded())
		note("pread", "");
	if (__atomic_load_n(&hold, __ATOMIC_ACQUIRE) && !fstat(fd, &status) && status.st_ino == hung_inode)
		while (__atomic_load_n(&hold, __ATOMIC_ACQUIRE))
			usleep(1000);
	return syscall(SYS_pread64, fd, into, bytes, offset);
}

static void on_sample(void *context, const struct profile_sample *sample)
{
	(void)context;
	samples++;
	last_name = sample->stack->frames[0].function;
}

static void start(struct live *live)
{
	struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU };
	struct ktally_task task = { .header = { .type = KTALLY_RECORD_TASK, .size = sizeof(task) }, .task_id = 1, .mm_id = MM };
	char comm[64] = "";
	uint64_t ticks = 0;

	plug_in();
	device.on_open = on_open;
	*live = (struct live){ .profile = NULL };
	check(!ktally_open_fd(&live->session, device.fd) && !ktally_set_up(live->session, &setup), "a session");
	live_create_profile(live, LIVE_KEEP);
	task.pid = task.tid = (uint32_t)getpid();
	check(!proc_read_thread(task.pid, task.tid, &ticks, comm, sizeof(comm)), "this process");
	task.start_time = ticks * (SECOND / (uint64_t)sysconf(_SC_CLK_TCK)) + 12345;
	memcpy(task.comm, comm, strnlen(comm, sizeof(task.comm)));
	write_bytes(0, &task, sizeof(task));
	samples = breaches = 0;
}

static void stop(struct live *live)
{
	live_destroy_profile(live);
	ktally_close(live->session);
}

/* A sample of one frame is taken; how long that takes, ms. */
static uint64_t take_sample(struct live *live, const char *address)
{
	struct {
		struct ktally_stack stack;
		uint64_t frame;
	} stack = {
		.stack = { .header = { .type = KTALLY_RECORD_STACK, .size = sizeof(stack) }, .stack_id = (uintptr_t)address, .mm_id = MM,
			   .user_frames = 1, .user_end = KTALLY_END_COMPLETE },
		.frame = (uint64_t)KTALLY_FRAME_USER << KTALLY_FRAME_TYPE_SHIFT | (uintptr_t)address,
	};
	const struct ktally_sample sample = {
		.header = { .type = KTALLY_RECORD_SAMPLE, .size = sizeof(sample) },
		.stack_id = (uintptr_t)address, .task_id = 1, .time = 5, .weight = 1000, .syscall = KTALLY_SYSCALL_NONE,
	};
	unsigned int before = samples;
	uint64_t began = loop_now();

	write_bytes(0, &stack, sizeof(stack));
	write_bytes(0, &sample, sizeof(sample));
	producer_of(0)->samples++;
	__atomic_store_n(&guarded, true, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < 5000 && samples == before; i++)
		live_drain(live, 1000, on_sample, NULL);
	__atomic_store_n(&guarded, false, __ATOMIC_RELEASE);
	if (samples != before + 1)
		check(false, "a sample is taken");
	return (loop_now() - began) / MS;
}

static const char *name_in_time(struct live *live, const char *address)
{
	take_sample(live, address);
	for (unsigned int i = 0; i < 200 && !last_name; i++) {
		usleep(20000);
		take_sample(live, address);
	}
	return last_name;
}

static void hang(const char *path)
{
	struct stat status;

	check(!stat(path, &status), "a file");
	hung_inode = status.st_ino;
	__atomic_store_n(&hold, true, __ATOMIC_RELEASE);
}

static void let_go(void)
{
	__atomic_store_n(&hold, false, __ATOMIC_RELEASE);
}

static const char *map_library(void)
{
	static const struct fake_symbol functions[] = {
		{ "function_of_library", 0x10, 0x10, STB_GLOBAL, STT_FUNC, false }, { NULL, 0, 0, 0, 0, false },
	};
	struct buffer data = fake_elf(&(struct fake_elf){ .symbols = functions });
	int fd = open(library_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char *code;

	check(fd >= 0 && write(fd, data.data, data.bytes) == (ssize_t)data.bytes, "a library");
	code = (void *)syscall(SYS_mmap, NULL, data.bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0L);
	close(fd);
	buffer_free(&data);
	return code + FAKE_TEXT_OFFSET + 0x11;
}

static const char *make_code(void)
{
	char *code = (void *)syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
	FILE *map = fopen(map_path, "we");

	check(map && fprintf(map, "%lx 100 compiled\n", (unsigned long)code) > 0 && !fclose(map), "a map");
	return code + 8;
}

static void answers(const char *library, const char *code)
{
	struct live live;

	start(&live);
	check_string(name_in_time(&live, library), "function_of_library", "a mapped file");
	check_string(name_in_time(&live, code), "compiled", "compiled code");
	check_number(breaches, 0, "who takes records opened and read nothing for that");
	stop(&live);
}

static void hangs(const char *path, const char *address, const char *name)
{
	uint64_t took, all = 0;
	struct live live;

	start(&live);
	hang(path);
	took = take_sample(&live, address);
	check(took < 1000, "%s hangs: the first sample takes %llu ms", path, (unsigned long long)took);
	check(!last_name, "and has no name");
	for (unsigned int i = 0; i < 100; i++)
		all += take_sample(&live, address);
	check(all < 1000, "a hundred more take %llu ms", (unsigned long long)all);
	let_go();
	check_string(name_in_time(&live, address), name, "when it answers, the name comes");
	check_number(breaches, 0, "who takes records opened and read nothing for that");
	stop(&live);
}

/* A process that holds the lock of its mappings. */
static void locks(const char *address)
{
	struct live live;
	uint64_t took;

	start(&live);
	__atomic_store_n(&hold_maps, true, __ATOMIC_RELEASE);
	took = take_sample(&live, address);
	check(took < 1000, "the mappings cannot be read: the first sample takes %llu ms", (unsigned long long)took);
	check(!last_name, "and has no name");
	__atomic_store_n(&hold_maps, false, __ATOMIC_RELEASE);
	check_string(name_in_time(&live, address), "function_of_library", "when they can, the name comes");
	check_number(breaches, 0, "who takes records opened and read nothing for that");
	stop(&live);
}

/* What was read of a process that is sampled no more does not pile up until the next flush. */
static void comes_late(const char *address)
{
	struct live live;

	start(&live);
	__atomic_store_n(&hold_maps, true, __ATOMIC_RELEASE);
	take_sample(&live, address);
	check(!symbols_have_mappings(live.profile->symbols, MM), "the mappings cannot be read");
	__atomic_store_n(&hold_maps, false, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < 100 && !symbols_have_mappings(live.profile->symbols, MM); i++) {
		usleep(20000);
		live_drain(&live, 1000, on_sample, NULL);
	}
	check(symbols_have_mappings(live.profile->symbols, MM), "when they can, they are taken without another sample");
	stop(&live);
}

/* What was asked for comes back when nobody wants it any more. */
static void ends(const char *path, const char *address)
{
	static struct loader *kept;	/* to the end of the process, by the thread that hangs */
	struct live live;
	uint64_t before, took;

	start(&live);
	kept = live.loader;
	hang(path);
	take_sample(&live, address);
	before = loop_now();
	stop(&live);
	took = (loop_now() - before) / MS;
	check(kept && took < 2500, "a session that waits for %s ends within %llu ms", path, (unsigned long long)took);
	let_go();
	usleep(300000);
}

int main(void)
{
	const char *library, *code;

	snprintf(library_path, sizeof(library_path), "/tmp/ktally-errand.%d", (int)getpid());
	snprintf(map_path, sizeof(map_path), "/tmp/perf-%d.map", (int)getpid());
	setenv("CACHE_DIRECTORY", "none", 1);
	library = map_library();
	code = make_code();
	alarm(100);
	answers(library, code);
	hangs(library_path, library, "function_of_library");
	hangs(map_path, code, "compiled");
	locks(library);
	comes_late(library);
	ends(map_path, code);
	unlink(library_path);
	unlink(map_path);
	return check_end();
}
