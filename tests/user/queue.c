// SPDX-License-Identifier: GPL-2.0-or-later
/* What waits to be sent, in memory and on disk. The worker's part of it is waited for here, as the loop would. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/message.h"
#include "check.h"
#include "export/queue.h"
#include "others.h"
#include "spool/spool.h"

/* ---- libc's: which thread waits for the disk, and how long that takes ---- */

static bool watching;
static unsigned int slow_ms, waits, own_waits;
static pid_t own_thread;

static void wait_for_disk(void)
{
	__atomic_add_fetch(&waits, 1, __ATOMIC_SEQ_CST);
	if (watching && gettid() == own_thread)
		own_waits++;
	usleep(__atomic_load_n(&slow_ms, __ATOMIC_SEQ_CST) * 1000);
}

int fdatasync(int fd)
{
	wait_for_disk();
	return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	wait_for_disk();
	return (int)syscall(SYS_fsync, fd);
}

int renameat(int from, const char *old, int to, const char *new)
{
	wait_for_disk();
	return (int)syscall(SYS_renameat, from, old, to, new);
}

int unlinkat(int directory, const char *name, int flags)
{
	wait_for_disk();
	return (int)syscall(SYS_unlinkat, directory, name, flags);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	wait_for_disk();
	return syscall(SYS_writev, fd, parts, count);
}

/* ---- queues ---- */

static char above[] = "/dev/shm/ktally-queue-XXXXXX", directory[64];
static char *noise;

static struct queue_statistics statistics_of(const struct queue *queue)
{
	struct queue_statistics statistics;

	queue_get_statistics(queue, &statistics);
	return statistics;
}

/* Until the worker is at its end: seen to wait for a while, as one that was just woken up may still seem to. */
static void settle(struct queue *queue)
{
	struct pollfd pollfd = { .fd = queue_fd(queue), .events = POLLIN };

	queue_run(queue);
	for (int seen = 0; seen < 40; seen++) {
		if (poll(&pollfd, 1, 5) == 1) {
			queue_run(queue);
			seen = 0;
		} else if (!others_wait()) {
			seen = 0;
		}
	}
}

static struct queue *make(const char *spool, uint64_t spool_bytes, enum compression compression)
{
	struct queue_options options = { .compression = compression, .spool = spool, .spool_bytes = spool_bytes };
	struct queue *queue;

	watching = false;			/* only at the start may there be a wait */
	if (queue_create(&queue, &options))
		return NULL;
	watching = true;
	return queue;
}

static void start_anew(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	if (system(command))
		message_fatal(EXIT_FAILED, "cannot remove %s", directory);
}

static size_t files(void)
{
	char command[128];
	size_t count = 0;
	FILE *listing;

	snprintf(command, sizeof(command), "ls %s | grep -c batch$", directory);
	listing = popen(command, "r");
	if (!listing || fscanf(listing, "%zu", &count) != 1)
		count = 9999;
	if (listing)
		pclose(listing);
	return count;
}

/* A batch that is told by its first bytes and by its points. */
static void add(struct queue *queue, uint64_t number, size_t bytes)
{
	memcpy(noise, &number, sizeof(number));
	queue_add(queue, noise, bytes, number);
}

/* Takes what comes out first, and removes it. Returns its number; 0: there is none, or it is not what was put in. */
static uint64_t next(struct queue *queue)
{
	struct queue_batch batch;
	uint64_t number;

	settle(queue);
	if (!queue_take(queue, &batch))
		return 0;
	number = batch.points;
	memcpy(noise, &number, sizeof(number));
	if (memcmp(batch.data, noise, batch.bytes))
		number = 0;
	queue_remove(queue);
	return number;
}

static void in_memory(void)
{
	struct queue *queue = make(NULL, 0, COMPRESSION_NONE);
	struct queue_batch batch;

	check(queue_is_empty(queue) && !queue_is_ready(queue) && !queue_take(queue, &batch), "nothing at first");
	check(queue_is_safe(queue), "nothing to lose");
	check_number(queue_add(queue, "", 0, 5), 0, "no bytes");
	check(queue_is_empty(queue), "are no batch");
	add(queue, 1, 1000);
	add(queue, 2, 2000);
	check(queue_is_ready(queue) && !queue_is_safe(queue), "ready at once, without compression");
	check(statistics_of(queue).batches == 2 && statistics_of(queue).bytes == 3000, "two wait");
	check(queue_take(queue, &batch) && batch.points == 1 && batch.bytes == 1000, "the first is taken");
	check(!queue_take(queue, &batch) && !queue_is_ready(queue), "one at a time");
	queue_put_back(queue);
	check(queue_take(queue, &batch) && batch.points == 1, "put back, it is the first again");
	queue_remove(queue);
	check(next(queue) == 2 && next(queue) == 0 && queue_is_empty(queue), "then comes the second");

	for (uint64_t number = 1; number <= 5; number++)
		add(queue, number, 3 << 20);
	check(statistics_of(queue).batches == 2 && statistics_of(queue).batches_dropped == 3 && statistics_of(queue).points_dropped == 6,
	      "the oldest are dropped");
	check(queue_take(queue, &batch) && batch.points == 4, "the next is the oldest that is left");
	add(queue, 6, 3 << 20);
	add(queue, 7, 3 << 20);
	check_number(batch.data[8], noise[8], "what is under way stays");
	queue_put_back(queue);
	check_number(next(queue), 4, "and is the first again");
	check_number(next(queue), 7, "those behind it were dropped");
	check_number(queue_add(queue, noise, QUEUE_MEMORY_MOST + 1, 100), -EMSGSIZE, "too large");
	check_number(statistics_of(queue).points_dropped, 6 + 5 + 6 + 100, "is counted");
	check_number(statistics_of(queue).added, 2 + 5 + 2 + 1, "all are");
	add(queue, 8, 10);
	queue_destroy(queue, 1000);
	queue_destroy(NULL, 0);
}

static void compressed(void)
{
	static const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct queue_batch batch;
	struct queue *queue;

	start_anew();
	for (enum compression i = COMPRESSION_GZIP; i < COMPRESSIONS; i++) {
		queue = make(directory, 0, i);
		queue_add(queue, text, sizeof(text), 1);
		settle(queue);
		queue_destroy(queue, 5000);
	}
	queue = make(directory, 0, COMPRESSION_NONE);
	check_number(statistics_of(queue).found, 2, "what earlier runs left is found");
	settle(queue);
	check(queue_take(queue, &batch) && batch.compression == COMPRESSION_GZIP && batch.bytes < 50 && !memcmp(batch.data, "\x1f\x8b", 2), "gzip");
	queue_remove(queue);
	settle(queue);
	check(queue_take(queue, &batch) && batch.compression == COMPRESSION_ZSTD && batch.bytes < 50 && !memcmp(batch.data, "\x28\xb5\x2f\xfd", 4),
	      "zstd, as it was compressed then");
	queue_remove(queue);
	check_number(statistics_of(queue).bytes, 0, "bytes are counted as they came");
	queue_destroy(queue, 5000);
}

static void on_disk(void)
{
	struct queue *queue;
	int status = -1;
	pid_t child;
	struct queue_statistics statistics;
	bool ordered = true;

	start_anew();
	queue = make(directory, 0, COMPRESSION_NONE);
	for (uint64_t number = 1; number <= 20; number++)
		add(queue, number, 2 << 20);
	check(!queue_is_safe(queue), "what was just given is not on disk yet");
	settle(queue);
	/* 40 MiB at once are more than memory takes; what comes slower is all written. */
	statistics = statistics_of(queue);
	check(statistics.batches + statistics.batches_dropped == 20 && statistics.batches >= 3, "in a burst, memory's limit holds");
	while (next(queue))
		;
	settle(queue);
	check_number(files(), 0, "what was taken is removed from the disk");
	for (uint64_t number = 1; number <= 20; number++) {
		add(queue, number, 2 << 20);
		settle(queue);
	}
	statistics = statistics_of(queue);
	check(statistics.batches - statistics.batches_dropped <= 20 && statistics.spool_batches == 20 && queue_is_safe(queue), "all are on disk");
	check(statistics.spool_bytes >= 40 << 20 && statistics.spool_bytes <= (40 << 20) + 20 * 4096, "they take what they take");
	check_number(files(), 20, "as files");
	fflush(stdout);
	child = fork();
	if (!child)
		_exit(make(directory, 0, COMPRESSION_NONE) ? 1 : 0);
	waitpid(child, &status, 0);
	check(WIFEXITED(status) && !WEXITSTATUS(status), "another process cannot have them");
	for (uint64_t number = 1; number <= 5; number++)
		ordered &= next(queue) == number;
	check(ordered, "the first five");
	queue_destroy(queue, 5000);

	queue = make(directory, 0, COMPRESSION_GZIP);
	check_number(statistics_of(queue).found, 15, "the next run finds the others");
	add(queue, 21, 1 << 20);
	for (uint64_t number = 6; number <= 20; number++)
		ordered &= next(queue) == number;
	check(ordered, "in order, as they were");
	settle(queue);
	check(statistics_of(queue).batches == 1 && statistics_of(queue).spooled == 1, "with the new one behind them");
	queue_destroy(queue, 5000);
}

static void evicted(void)
{
	struct queue *queue;
	struct queue_batch batch;
	struct queue_statistics statistics;
	uint64_t number;

	start_anew();
	/* Ten of 100 KB fit into 1 MiB: each takes 25 blocks. */
	queue = make(directory, 1 << 20, COMPRESSION_NONE);
	for (number = 1; number <= 15; number++) {
		add(queue, number, 100000);
		settle(queue);
	}
	statistics = statistics_of(queue);
	check(statistics.spool_batches == 10 && statistics.batches == 10, "as many as fit: %d", (int)statistics.spool_batches);
	check(statistics.batches_evicted == 5 && statistics.points_evicted == 15 && !statistics.batches_dropped, "the oldest were evicted, and counted");
	check(statistics.spool_bytes <= 1 << 20 && files() == 10, "the limit holds");
	check(queue_take(queue, &batch) && batch.points == 6, "the next is the oldest that is left");
	for (; number <= 20; number++) {
		add(queue, number, 100000);
		settle(queue);
	}
	check_number(statistics_of(queue).batches_evicted, 10, "as more come, more go");
	check(batch.points == 6 && !memcmp(batch.data + 8, noise + 8, 100000 - 8), "but not the one that is under way");
	queue_put_back(queue);
	check_number(next(queue), 6, "it is still the first");
	check_number(next(queue), 12, "then come those that are left");
	for (; number <= 40; number++)
		add(queue, number, 100000);
	settle(queue);
	check(files() <= 10 && statistics_of(queue).spool_bytes <= 1 << 20, "in a burst the limit holds too");
	add(queue, 41, 2 << 20);
	settle(queue);
	statistics = statistics_of(queue);
	check(files() <= 10 && statistics.batches == statistics.spool_batches + 1, "what is larger than the spool stays in memory");
	queue_destroy(queue, 5000);

	queue = make(directory, 300000, COMPRESSION_NONE);
	settle(queue);
	check(files() == 2 && statistics_of(queue).batches_evicted == 8, "a limit that was lowered holds from the start");
	check(next(queue) == 39 && next(queue) == 40, "the newest are left");
	queue_destroy(queue, 5000);
}

static void damaged(void)
{
	struct queue *queue;
	char path[128];

	start_anew();
	queue = make(directory, 0, COMPRESSION_NONE);
	for (uint64_t number = 1; number <= 6; number++) {
		add(queue, number, 1000);
		settle(queue);
	}
	/* The first two are in memory. */
	for (int number = 3; number <= 5; number++) {
		snprintf(path, sizeof(path), "%s/%016x.batch", directory, number);
		if (number == 3 ? truncate(path, 500) : number == 4 ? unlink(path) : chmod(path, 0))
			check(false, "%s is spoiled", path);
	}
	check(next(queue) == 1 && next(queue) == 2, "what is in memory does not need the disk");
	if (geteuid())
		check_number(next(queue), 6, "those that are damaged, gone or not to be read are passed over");
	else
		check(next(queue) == 5 && next(queue) == 6, "those that are damaged or gone are passed over");
	check_number(statistics_of(queue).damaged, geteuid() ? 3 : 2, "and counted");
	settle(queue);
	check_number(files(), geteuid() ? 1 : 0, "what is damaged is removed");
	queue_destroy(queue, 5000);
}

/* In a child, as a limit of the process stands for a disk that is full. The number of what failed. */
static int full_disk(void)
{
	struct rlimit none = { 10, 100000 }, much = { 100000, 100000 };
	struct queue *queue = make(directory, 0, COMPRESSION_NONE);
	struct queue_batch batch;

	signal(SIGXFSZ, SIG_IGN);
	add(queue, 1, 1000);
	settle(queue);
	if (!queue_is_safe(queue) || statistics_of(queue).spool_error)
		return 1;
	setrlimit(RLIMIT_FSIZE, &none);
	add(queue, 2, 1000);
	add(queue, 3, 1000);
	settle(queue);
	if (queue_is_safe(queue) || statistics_of(queue).spool_error != -EFBIG || statistics_of(queue).batches != 3)
		return 2;
	if (!queue_take(queue, &batch) || batch.points != 1)
		return 3;
	queue_put_back(queue);
	for (uint64_t number = 4; number <= 20; number++) {
		add(queue, number, 1 << 20);
		settle(queue);
	}
	if (statistics_of(queue).batches_dropped < 9 || statistics_of(queue).batches_dropped > 12)
		return 4;
	setrlimit(RLIMIT_FSIZE, &much);
	add(queue, 21, 1000);
	settle(queue);
	if (statistics_of(queue).spool_error != -EFBIG)		/* the oldest of those left is too large still */
		return 5;
	while (statistics_of(queue).batches > 1)
		if (!next(queue))
			return 6;
	add(queue, 22, 1000);
	settle(queue);
	if (!queue_is_safe(queue) || statistics_of(queue).spool_error || statistics_of(queue).batches != 2)
		return 7;
	if (next(queue) != 21 || next(queue) != 22)
		return 8;
	queue_destroy(queue, 5000);
	return 0;
}

static void bad_disks(void)
{
	int status = -1;
	pid_t child;

	start_anew();
	fflush(stdout);
	child = fork();
	if (!child)
		_exit(full_disk());
	waitpid(child, &status, 0);
	check_number(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0, "a disk that is full for a while");
	check(!make("/dev/null/spool", 0, COMPRESSION_NONE), "no spool where there cannot be one");
}

/* A disk that takes a fifth of a second for everything. */
static void slow_disk(void)
{
	struct queue_statistics statistics;
	struct queue *queue;

	start_anew();
	queue = make(directory, 0, COMPRESSION_NONE);
	__atomic_store_n(&slow_ms, 200, __ATOMIC_SEQ_CST);
	for (uint64_t number = 1; number <= 10; number++)
		add(queue, number, 2 << 20);
	statistics = statistics_of(queue);
	check(statistics.batches == 4 && statistics.batches_dropped == 6 && !statistics.spooled, "memory's limit holds while it is slow");
	queue_run(queue);
	check(queue_is_ready(queue), "what is in memory can be sent meanwhile");
	__atomic_store_n(&slow_ms, 0, __ATOMIC_SEQ_CST);
	check(next(queue) == 7 && next(queue) == 8, "those that are left come in order");
	settle(queue);
	check(queue_is_safe(queue) && files() == 2, "the others are on disk, and what was on its way and dropped is not");
	__atomic_store_n(&slow_ms, 60000, __ATOMIC_SEQ_CST);
	add(queue, 11, 1000);
	add(queue, 12, 1000);
	usleep(100000);
	queue_destroy(queue, 200);
	check(true, "one that hangs is not waited for at the end");
	__atomic_store_n(&slow_ms, 0, __ATOMIC_SEQ_CST);
}

/* Removed while the worker writes, reads or compresses them, in all orders that chance makes. */
static void in_a_hurry(void)
{
	struct queue *queue;
	uint64_t added = 0, taken = 0, last = 0;
	unsigned int random = 7;
	bool ordered = true;

	start_anew();
	queue = make(directory, 1 << 20, COMPRESSION_GZIP);
	for (int i = 0; i < 20000; i++) {
		struct queue_batch batch;

		random = random * 1103515245 + 12345;
		if (random >> 16 & 1 && added < 2000)
			add(queue, ++added, random >> 17 & 0x7fff);
		if (random >> 20 & 1)
			queue_run(queue);
		if (!queue_take(queue, &batch))
			continue;
		ordered &= batch.points > last;
		if (random >> 21 & 3) {
			queue_put_back(queue);
			continue;
		}
		last = batch.points;
		taken++;
		queue_remove(queue);
	}
	settle(queue);
	check(ordered, "what comes out comes in order");
	check_number(taken + statistics_of(queue).batches + statistics_of(queue).batches_evicted + statistics_of(queue).batches_dropped,
		     statistics_of(queue).added, "none is forgotten: %d taken of %d", (int)taken, (int)added);
	check_number(files(), statistics_of(queue).batches, "what is on disk is what waits");
	check(queue_is_safe(queue), "all of it");
	queue_destroy(queue, 5000);
}

int main(void)
{
	char command[128];
	unsigned int random = 1;

	if (!mkdtemp(above))
		return 1;
	snprintf(directory, sizeof(directory), "%s/spool", above);
	own_thread = gettid();
	noise = memory_zeroed(1, QUEUE_MEMORY_MOST + 1);
	for (size_t i = 0; i <= QUEUE_MEMORY_MOST; i++) {
		random = random * 1103515245 + 12345;
		noise[i] = (char)(random >> 16);
	}
	in_memory();
	compressed();
	on_disk();
	evicted();
	damaged();
	bad_disks();
	in_a_hurry();
	slow_disk();
	check(waits > 100 && !own_waits, "of %u waits for the disk none was this thread's", waits);
	free(noise);
	snprintf(command, sizeof(command), "rm -rf %s", above);
	return system(command) ? 1 : check_end();
}
