// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Waits of known causes and lengths: what a profile of waits should say, told by those who waited.
 *
 * usage: causes SECONDS [DISK]
 *
 * Runs one process for each cause, all at a time, each with an executable of its own name (a link beside this one), and
 * prints in the end for how long each of them was blocked in those of its calls that block, by its own clocks; without
 * the time on the run queue after it:
 *
 *	NAME CAUSE NANOSECONDS
 *
 * Those that read from a disk, which is to be a slow one, only run if there is one. Nothing but what is measured waits
 * for the same cause in a process; so the first thread never joins the others, it sleeps while they are at work.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/fs.h>

/*
 * Waits are long enough for what an emulator needs to switch tasks, up to a millisecond: the scheduler counts that as
 * time of the task that comes.
 */
#define MILLISECOND	1000000ull
#define SECOND		1000000000ull
#define PAGE		4096

static uint64_t end;			/* when all should be done, in nanoseconds of CLOCK_MONOTONIC */
static atomic_ullong waited;		/* the truth */
static atomic_uint at_work;		/* threads */

static void fail(const char *what)
{
	fprintf(stderr, "causes: %s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

static int must(int result, const char *what)
{
	if (result < 0)
		fail(what);
	return result;
}

static uint64_t clock_now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static uint64_t now(void)
{
	return clock_now(CLOCK_MONOTONIC);
}

/* For how long this thread has been able to run, and did not; as the scheduler counts it. */
static uint64_t time_on_run_queue(void)
{
	static __thread int file = -1;
	unsigned long long running, waiting;
	char text[128] = "";

	if (file < 0)
		file = must(open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC), "/proc/thread-self/schedstat");
	must((int)pread(file, text, sizeof(text) - 1, 0), "/proc/thread-self/schedstat");
	if (sscanf(text, "%llu %llu", &running, &waiting) != 2)
		fail("/proc/thread-self/schedstat");
	return waiting;
}

/* Grows by the time for which this thread is blocked. */
static uint64_t time_blocked(void)
{
	return now() - clock_now(CLOCK_THREAD_CPUTIME_ID) - time_on_run_queue();
}

static void pause_for(uint64_t nanoseconds)
{
	struct timespec time = { .tv_sec = (time_t)(nanoseconds / SECOND), .tv_nsec = (long)(nanoseconds % SECOND) };

	nanosleep(&time, NULL);
}

/* A statement that waits. */
#define MEASURE(statement) do {			\
	uint64_t before = time_blocked();	\
	statement;				\
	waited += time_blocked() - before;	\
} while (0)

struct work {
	void (*function)(void);
};

static void *work_thread(void *context)
{
	const struct work *work = context;

	work->function();
	at_work--;
	return NULL;
}

static void run_threads(unsigned int count, void (*function)(void))
{
	struct work work = { function };

	at_work = count;
	for (unsigned int i = 0; i < count; i++) {
		pthread_t thread;

		errno = pthread_create(&thread, NULL, work_thread, &work);
		if (errno)
			fail("pthread_create");
		pthread_detach(thread);
	}
	while (at_work)
		pause_for(20 * MILLISECOND);
}

/* ---- one lock, held by a thread that sleeps */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void convoy_thread(void)
{
	while (now() < end) {
		MEASURE(pthread_mutex_lock(&lock));
		pause_for(8 * MILLISECOND);
		pthread_mutex_unlock(&lock);
		pause_for(MILLISECOND);
	}
}

static void convoy(char **arguments)
{
	(void)arguments;
	run_threads(4, convoy_thread);
}

/* ---- a disk: read, and mapped */

static uint64_t disk_pages(int disk)
{
	uint64_t bytes = 0;

	if (ioctl(disk, BLKGETSIZE64, &bytes) < 0)
		bytes = (uint64_t)lseek(disk, 0, SEEK_END);
	if (bytes < PAGE)
		fail("the disk is too small");
	return bytes / PAGE;
}

static void slow_disk(char **arguments)
{
	int disk = must(open(arguments[0], O_RDONLY | O_DIRECT | O_CLOEXEC), arguments[0]);
	uint64_t pages = disk_pages(disk);
	void *page = aligned_alloc(PAGE, PAGE);

	while (now() < end) {
		off_t offset = (off_t)((uint64_t)random() % pages * PAGE);

		MEASURE(must((int)pread(disk, page, PAGE, offset), "pread"));
	}
}

/* Far apart and in no order, so that nothing is read ahead. */
static void page_fault(char **arguments)
{
	int disk = must(open(arguments[0], O_RDONLY | O_CLOEXEC), arguments[0]);
	uint64_t pages = disk_pages(disk);
	volatile const char *map = mmap(NULL, pages * PAGE, PROT_READ, MAP_SHARED, disk, 0);

	if (map == MAP_FAILED)
		fail("mmap");
	must(madvise((void *)map, pages * PAGE, MADV_RANDOM), "madvise");
	must(posix_fadvise(disk, 0, 0, POSIX_FADV_DONTNEED) ? -1 : 0, "posix_fadvise");
	while (now() < end) {
		uint64_t page = (uint64_t)random() % pages;

		MEASURE((void)map[page * PAGE]);
	}
}

/* ---- a server that takes its time */

static void server(char **arguments)
{
	int connection, listener = atoi(arguments[0]);
	char byte;

	MEASURE(connection = must(accept(listener, NULL, NULL), "accept"));
	for (;;) {
		ssize_t bytes;

		MEASURE(bytes = recv(connection, &byte, 1, 0));
		if (bytes <= 0)
			return;
		pause_for(25 * MILLISECOND);
		must((int)send(connection, &byte, 1, MSG_NOSIGNAL), "send");
	}
}

static void client(char **arguments)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = (in_port_t)atoi(arguments[0]),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int connection = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
	char byte = 0;

	must(connect(connection, (struct sockaddr *)&address, sizeof(address)), "connect");
	while (now() < end) {
		must((int)send(connection, &byte, 1, MSG_NOSIGNAL), "send");
		MEASURE(must((int)recv(connection, &byte, 1, 0), "recv"));
		pause_for(20 * MILLISECOND);
	}
}

/* ---- three for one CPU */

static void overcommit_thread(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	must(sched_setaffinity(0, sizeof(cpus), &cpus), "sched_setaffinity");
	while (now() < end)
		;
	waited += time_on_run_queue();
}

/* All of the process's time on the run queue, since nothing else tells it apart. */
static void overcommit(char **arguments)
{
	uint64_t before = time_on_run_queue();

	(void)arguments;
	run_threads(3, overcommit_thread);
	waited += time_on_run_queue() - before;
}

/* ---- an answer that never comes: the pipe is closed in the end, or nothing could be measured */

static int pipe_ends[2];

static void hung_pipe_thread(void)
{
	char byte;

	MEASURE(must((int)read(pipe_ends[0], &byte, 1), "read"));
}

static void hung_pipe(char **arguments)
{
	struct work work = { hung_pipe_thread };
	pthread_t thread;

	(void)arguments;
	must(pipe2(pipe_ends, O_CLOEXEC), "pipe");
	at_work = 1;
	errno = pthread_create(&thread, NULL, work_thread, &work);
	if (errno)
		fail("pthread_create");
	pause_for(end - now());
	close(pipe_ends[1]);
	while (at_work)
		pause_for(MILLISECOND);
}

/* ---- nothing to do */

static void sleeper(char **arguments)
{
	(void)arguments;
	while (now() < end)
		MEASURE(pause_for(25 * MILLISECOND));
}

static void poller(char **arguments)
{
	int epoll = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	struct epoll_event event;

	(void)arguments;
	while (now() < end)
		MEASURE(must(epoll_wait(epoll, &event, 1, 25), "epoll_wait"));
}

/* ---- all of them */

enum needs { NOTHING, A_DISK, A_LISTENER, A_PORT };

static const struct kind {
	const char *name, *cause;
	void (*run)(char **arguments);
	enum needs needs;
} kinds[] = {
	{ "convoy", "lock/futex", convoy, NOTHING },
	{ "slow-disk", "io/disk", slow_disk, A_DISK },
	{ "page-fault", "page fault", page_fault, A_DISK },
	{ "server", "io/network", server, A_LISTENER },
	{ "client", "io/network", client, A_PORT },
	{ "overcommit", "run queue", overcommit, NOTHING },
	{ "hung-pipe", "io/pipe", hung_pipe, NOTHING },
	{ "sleeper", "idle/sleep", sleeper, NOTHING },
	{ "poller", "idle/poll", poller, NOTHING },
};

#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static int listen_somewhere(in_port_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(address);
	int listener = must(socket(AF_INET, SOCK_STREAM, 0), "socket");

	must(bind(listener, (struct sockaddr *)&address, sizeof(address)), "bind");
	must(listen(listener, 1), "listen");
	must(getsockname(listener, (struct sockaddr *)&address, &bytes), "getsockname");
	*port = address.sin_port;
	return listener;
}

/* A process of that executable name: its arguments are when to end and what it needs. */
static void start(const struct kind *kind, const char *directory, const char *argument)
{
	char path[4096], deadline[32];

	snprintf(path, sizeof(path), "%s/%s", directory, kind->name);
	snprintf(deadline, sizeof(deadline), "%" PRIu64, end);
	if (linkat(AT_FDCWD, "/proc/self/exe", AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST)
		fail(path);
	if (must(fork(), "fork"))
		return;
	execl(path, path, deadline, argument, NULL);
	fail(path);
}

static int run_all(const char *seconds, const char *disk)
{
	char self[4096] = "", listener[16], port_number[16];
	int status, failed = 0;
	in_port_t port;

	end = now() + strtoull(seconds, NULL, 10) * SECOND;
	must((int)readlink("/proc/self/exe", self, sizeof(self) - 1), "/proc/self/exe");
	*strrchr(self, '/') = '\0';
	snprintf(listener, sizeof(listener), "%d", listen_somewhere(&port));
	snprintf(port_number, sizeof(port_number), "%u", port);
	for (size_t i = 0; i < KINDS; i++) {
		const char *const arguments[] = { "", disk, listener, port_number };

		if (arguments[kinds[i].needs])
			start(&kinds[i], self, arguments[kinds[i].needs]);
	}
	while (wait(&status) > 0)
		failed |= status;
	return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 2 && i < KINDS; i++) {
		if (strcmp(kinds[i].name, program_invocation_short_name))
			continue;
		prctl(PR_SET_NAME, kinds[i].name);
		end = strtoull(argv[1], NULL, 10);
		srandom((unsigned int)getpid());
		kinds[i].run(argv + 2);
		printf("%s %s %llu\n", kinds[i].name, kinds[i].cause, (unsigned long long)waited);
		return 0;
	}
	if (argc < 2) {
		fprintf(stderr, "usage: causes SECONDS [DISK]\n");
		return 2;
	}
	return run_all(argv[1], argc > 2 ? argv[2] : NULL);
}
