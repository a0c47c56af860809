// SPDX-License-Identifier: GPL-2.0
/* The random calls, and the arguments that are nearly right. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"
#include "fuzz_calls.h"
#include "fuzz_setup.h"
#include "fuzz_table.h"
#include "workload.h"

#define FILES 6
#define MAPPINGS 12
#define PAGE KTALLY_PAGE_BYTES
#define NOBODY 65534

struct file {
	int fd;
	uint64_t area;		/* 0: not set up, as far as we know */
};

struct mapping {
	char *memory;
	size_t bytes;
};

/* Of a worker; a fork's child goes on with a copy. */
static struct file files[FILES];
static struct mapping mappings[MAPPINGS];
static char *scratch;		/* two pages that can be used, and one that cannot */
static int pipe_ends[2];
static unsigned int generation;

static struct file *any_file(void)
{
	return &files[below(FILES)];
}

static struct mapping *any_mapping(void)
{
	return &mappings[below(MAPPINGS)];
}

/* ------------------------------------------------------------------------------------------------ faults and waits */

static sigjmp_buf after_fault;

static void on_fault(int number)
{
	siglongjmp(after_fault, number);
}

static void on_alarm(int number)
{
	(void)number;
}

static void handle_signals(void)
{
	struct sigaction fault = { .sa_handler = on_fault, .sa_flags = SA_NODEFER }, wake = { .sa_handler = on_alarm };

	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGALRM, &wake, NULL);
}

/*
 * Whatever waits is interrupted, again and again: also a read() on a descriptor that another process, which shares it, has just
 * made a waiting one. A child needs a timer of its own.
 */
static void interrupt_waits(void)
{
	struct itimerval timer = { .it_value.tv_usec = 20000, .it_interval.tv_usec = 20000 };

	setitimer(ITIMER_REAL, &timer, NULL);
}

/* ------------------------------------------------------------------------------------------------ arguments */

/* Places where an argument can lie: mostly good ones. */
static void *place(size_t bytes)
{
	switch (below(24)) {
	case 0:
		return NULL;
	case 1:
		return (void *)0xffff888000000000;
	case 2:
		return (void *)tricky();
	case 3:
		return scratch + 2 * PAGE - below(bytes + 1);		/* ends where memory does */
	default:
		return scratch + below(64);
	}
}

/* Puts an argument where it is to lie, or not, if nothing can lie there. */
static void *put(const void *argument, size_t bytes)
{
	char *to = place(bytes);

	if (to >= scratch && to < scratch + 2 * PAGE)
		memcpy(to, argument, to + bytes <= scratch + 2 * PAGE ? bytes : (size_t)(scratch + 2 * PAGE - to));
	return to;
}

/* ------------------------------------------------------------------------------------------------ calls */

static void call_open(struct file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = open(KTALLY_DEVICE_PATH, (one_in(8) ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_CLOEXEC);
	file->area = 0;
}

static void call_setup(struct file *file)
{
	struct ktally_setup setup = any_setup(any_file()->fd);
	struct ktally_setup *argument = put(&setup, sizeof(setup));

	if (!ioctl(file->fd, KTALLY_IOC_SETUP, argument) && (char *)argument >= scratch)
		memcpy(&file->area, &argument->area_bytes, sizeof(file->area));
	if (numbers[2] > 0)
		close(numbers[2]);
	numbers[2] = 0;
}

static void call_open_file(const struct file *file)
{
	struct ktally_open_file request = {
		.size = any_size(sizeof(request)),
		.file = one_in(8) ? (uint32_t)tricky() : (uint32_t)below(50),
		.path = one_in(4) ? 0 : (uintptr_t)place(PAGE),
		.path_bytes = one_in(4) ? (uint32_t)tricky() : PAGE,
	};
	struct ktally_open_file *argument;

	if (one_in(8))
		request.flags = (uint32_t)tricky();
	argument = put(&request, sizeof(request));
	if (ioctl(file->fd, KTALLY_IOC_OPEN_FILE, argument) || (char *)argument < scratch)
		return;
	memcpy(&request, argument, sizeof(request));
	if (read(request.fd, scratch + PAGE, 16) > 16)
		abort();
	close(request.fd);
}

static void call_ioctl(struct file *file)
{
	struct ktally_info info = { .size = any_size(sizeof(info)) };
	struct ktally_rate rate = { .size = any_size(sizeof(rate)), .rate = (uint32_t)below(3000) };
	struct ktally_flush flush = { .size = any_size(sizeof(flush)), .flags = (uint32_t)below(3) };
	struct ktally_keep keep = { .size = any_size(sizeof(keep)), .keep_ns = below(10000000) };
	struct ktally_restrict restricted = { .size = any_size(sizeof(restricted)), .rights = below(2 * KTALLY_RIGHTS_ALL) };
	struct ktally_cpus cpus = {
		.size = any_size(sizeof(cpus)), .which = (uint32_t)below(4), .mask = (uintptr_t)place(64), .words = (uint32_t)below(9),
	};
	struct ktally_space_of space = { .size = any_size(sizeof(space)), .pid = (uint32_t)below(2000) };
	struct ktally_load_table table;

	switch (below(12)) {
	case 0:
		ioctl(file->fd, KTALLY_IOC_INFO, put(&info, sizeof(info)));
		break;
	case 1:
		if (one_in(6))
			rate.rate = (uint32_t)tricky();
		ioctl(file->fd, KTALLY_IOC_SET_RATE, put(&rate, sizeof(rate)));
		break;
	case 2:
	case 3:
		ioctl(file->fd, KTALLY_IOC_FLUSH, put(&flush, sizeof(flush)));
		break;
	case 4:
		if (one_in(6))
			keep.wait_min_ns = tricky();
		ioctl(file->fd, KTALLY_IOC_SET_KEEP, put(&keep, sizeof(keep)));
		break;
	case 5:
		call_open_file(file);
		break;
	case 6:
		table = any_table();
		ioctl(file->fd, KTALLY_IOC_LOAD_TABLE, put(&table, sizeof(table)));
		break;
	case 7:
		/* Now and then, as little can be done afterwards. */
		if (one_in(20))
			ioctl(file->fd, KTALLY_IOC_RESTRICT, put(&restricted, sizeof(restricted)));
		break;
	case 8:
		ioctl(file->fd, KTALLY_IOC_GET_CPUS, put(&cpus, sizeof(cpus)));
		break;
	case 9:
		ioctl(file->fd, KTALLY_IOC_SPACE_OF, put(&space, sizeof(space)));
		break;
	case 10:
		ioctl(file->fd, _IOC(below(4), KTALLY_IOC_TYPE, below(13), one_in(2) ? 0 : below(200)), place(80));
		break;
	default:
		ioctl(file->fd, tricky(), tricky());
	}
}

static void call_mmap(const struct file *file)
{
	struct mapping *mapping = any_mapping();
	uint64_t area = file->area ?: 2 * PAGE + 2 * KTALLY_RING_BYTES_MIN;
	uint64_t offset = area * below(3), bytes = area;
	int protection = PROT_READ;
	void *memory;

	switch (below(5)) {
	case 0:
		bytes = PAGE;
		protection |= PROT_WRITE;
		break;
	case 1:
		offset += PAGE;
		bytes -= PAGE;
		break;
	case 2:
		offset += PAGE * below(area / PAGE);
		bytes = 1 + below(area);
		break;
	case 3:
		offset = one_in(3) ? tricky() : tricky() & ~(PAGE - 1ULL);
		bytes = tricky() & 0xffffff;
		break;
	}
	if (one_in(6))
		protection = (int)below(8);
	memory = mmap(NULL, bytes, protection, one_in(10) ? MAP_PRIVATE : one_in(6) ? MAP_SHARED | MAP_POPULATE : MAP_SHARED,
		      file->fd, (off_t)offset);
	if (memory == MAP_FAILED)
		return;
	if (mapping->memory)
		munmap(mapping->memory, mapping->bytes);
	*mapping = (struct mapping) { memory, bytes };
}

/* What one can do to a mapping, or a part of it, with calls. */
static void call_on_memory(struct mapping *mapping)
{
	static const int advice[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_WILLNEED, MADV_DONTNEED, MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK, MADV_HUGEPAGE,
		MADV_MERGEABLE, MADV_DODUMP, MADV_FREE, MADV_COLD, MADV_PAGEOUT,
	};
	size_t pages = (mapping->bytes + PAGE - 1) / PAGE, first = below(pages), count = 1 + below(pages - first);
	char *part = mapping->memory + first * PAGE;
	void *moved;
	size_t bytes;

	if (!mapping->memory)
		return;
	switch (below(7)) {
	case 0:
		mprotect(part, count * PAGE, (int)below(8));
		break;
	case 1:
		madvise(part, count * PAGE, advice[below(ARRAY_SIZE(advice))]);
		break;
	case 2:
		munmap(part, count * PAGE);
		break;
	case 3:
		bytes = 1 + below(2 * mapping->bytes);
		moved = mremap(mapping->memory, mapping->bytes, bytes, one_in(2) ? MREMAP_MAYMOVE : 0);
		if (moved != MAP_FAILED)
			*mapping = (struct mapping) { moved, bytes };
		break;
	case 4:
		msync(part, count * PAGE, MS_SYNC);
		break;
	case 5:
		if (one_in(2))
			mlock(part, count * PAGE);
		else
			munlock(part, count * PAGE);
		break;
	default:
		/* The kernel copies from the ring, and into it. */
		if (write(pipe_ends[1], part, PAGE) > 0 && read(pipe_ends[0], one_in(2) ? part : scratch, PAGE) < 0)
			while (read(pipe_ends[0], scratch, PAGE) > 0)
				continue;
	}
}

/* A hostile reader: looks anywhere, and claims to have read what it likes. */
static void touch(const struct mapping *mapping)
{
	volatile uint64_t *words = (volatile uint64_t *)mapping->memory;
	size_t count = mapping->bytes / sizeof(*words);
	int i;

	if (!count || sigsetjmp(after_fault, 1))
		return;
	for (i = 0; i < 8; i++)
		(void)words[below(count)];
	words[0] = one_in(2) ? tricky() : words[0] + 8 * below(4096);
	if (one_in(16))
		words[below(count)] = any();
}

static void call_read(const struct file *file)
{
	bool wait = one_in(50);
	ssize_t got;

	if (wait)
		fcntl(file->fd, F_SETFL, 0);
	/* Into a mapping as well; no more than one page, for what follows it may be anybody's. */
	if (one_in(8) && any_mapping()->memory)
		got = read(file->fd, any_mapping()->memory, PAGE);
	else
		got = read(file->fd, place(PAGE), one_in(4) ? tricky() & 0x7fffffff : below(2 * PAGE));
	if (got > (ssize_t)(KTALLY_RING_BYTES_MIN << 5) * CPUS_MAX)
		abort();
	if (wait)
		fcntl(file->fd, F_SETFL, O_NONBLOCK);
}

static void call_file(struct file *file)
{
	struct pollfd pollers[FILES];
	struct file *other = any_file();
	char path[64];
	int i, fd;

	switch (below(7)) {
	case 0:
		for (i = 0; i < FILES; i++)
			pollers[i] = (struct pollfd) { .fd = files[i].fd, .events = (short)any() };
		poll(pollers, FILES, one_in(20) ? 1 : 0);
		break;
	case 1:
		if (other != file) {
			if (other->fd >= 0)
				close(other->fd);
			other->fd = dup(file->fd);
			other->area = file->area;
		}
		break;
	case 2:
		if (write(file->fd, scratch, below(100)) > 0)
			abort();
		break;
	case 3:
		lseek(file->fd, (off_t)tricky(), (int)below(4));
		break;
	case 4:
		fcntl(file->fd, F_SETFL, O_NONBLOCK | (one_in(4) ? O_ASYNC : 0));
		break;
	default:
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", file->fd);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			if (read(fd, scratch, PAGE) < 0)
				abort();
			close(fd);
		}
	}
}

static void make_calls(uint64_t count);

/* A child has the same descriptors, and goes on with them beside us. */
static void call_fork(void)
{
	pid_t child;

	if (generation)
		return;
	child = fork();
	if (child) {
		if (child > 0 && one_in(2))
			while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
				continue;
		return;
	}
	generation++;
	interrupt_waits();
	state ^= (uint64_t)getpid() << 20 | 1;
	make_calls(30);
	_exit(0);
}

/* What takes long, for the kernel waits for all CPUs in it, comes rarely. */
static void make_call(void)
{
	struct file *file = any_file();
	uint64_t kind = below(1000);

	if (file->fd < 0 && one_in(4))
		return call_open(file);
	if (kind < 3)
		call_open(file);
	else if (kind < 40)
		call_setup(file);
	else if (kind < 45)
		ioctl(file->fd, KTALLY_IOC_ENABLE, one_in(10) ? place(8) : NULL);
	else if (kind < 48)
		ioctl(file->fd, KTALLY_IOC_DISABLE, one_in(10) ? place(8) : NULL);
	else if (kind < 51)
		call_fork();
	else if (kind < 250)
		call_ioctl(file);
	else if (kind < 400)
		call_mmap(file);
	else if (kind < 550)
		call_on_memory(any_mapping());
	else if (kind < 750)
		touch(any_mapping());
	else if (kind < 900)
		call_read(file);
	else
		call_file(file);
}

static void make_calls(uint64_t count)
{
	while (count--) {
		make_call();
		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
	}
}

int run_worker(void *argument)
{
	const struct worker *worker = argument;
	int i;

	if (!worker->privileged && (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
				    setresuid(NOBODY, NOBODY, NOBODY) || prctl(PR_SET_DUMPABLE, 1)))
		return 1;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	state = worker->seed;
	scratch = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (scratch == MAP_FAILED || mprotect(scratch + 2 * PAGE, PAGE, PROT_NONE) || pipe2(pipe_ends, O_NONBLOCK))
		return 2;
	for (i = 0; i < FILES; i++)
		files[i].fd = -1;
	handle_signals();
	interrupt_waits();
	make_calls(worker->calls);
	return 0;
}
