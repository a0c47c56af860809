// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * session/loader.h on a device of our own: what a file system that never answers keeps waiting, and what not. Opening hangs in the
 * device, reading in pread(), which is this test's own. Meant for the thread sanitizer too.
 */
#include <pthread.h>
#include <sys/stat.h>

#include "check.h"
#include "device.h"
#include "fake_frames.h"
#include "base/message.h"
#include "loop/loop.h"
#include "session/loader.h"
#include "session/workers.h"
#include "symbols/errand.h"
#include "symbols/file.h"
#include "symbols/mounts.h"

#define HUNG_DEVICE	77	/* and more, none of which is mounted */
#define MS		1000000ULL

static const uint8_t frames[] = {
	14, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1,
	22, 0, 0, 0, 22, 0, 0, 0, 0x00, 0x31, 0x40, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0x0e, 16,
};

static char path[64], hung_path[80];
static struct ktally_session *session;
static struct loader *loader;

static bool hold_reading;
static ino_t hung_inode, slow_inode;

ssize_t pread(int fd, void *into, size_t bytes, off_t offset)
{
	struct stat status;

	if (__atomic_load_n(&hold_reading, __ATOMIC_ACQUIRE) && !fstat(fd, &status) && status.st_ino == hung_inode)
		while (__atomic_load_n(&hold_reading, __ATOMIC_ACQUIRE))
			usleep(1000);
	if (!offset && __atomic_load_n(&slow_inode, __ATOMIC_ACQUIRE) && !fstat(fd, &status) &&
	    status.st_ino == __atomic_load_n(&slow_inode, __ATOMIC_ACQUIRE))
		usleep(5000);
	return syscall(SYS_pread64, fd, into, bytes, offset);
}

static bool hold_closing;

/* For a few seconds, so that the test comes to its end whoever waits. */
int close(int fd)
{
	struct stat status;

	if (__atomic_load_n(&hold_closing, __ATOMIC_ACQUIRE) && !fstat(fd, &status) && status.st_ino == hung_inode)
		for (unsigned int i = 0; i < 4000 && __atomic_load_n(&hold_closing, __ATOMIC_ACQUIRE); i++)
			usleep(1000);
	return (int)syscall(SYS_close, fd);
}

static void put_file(const char *where)
{
	const struct fake_elf fake = { .build_id = "build id of a loader", .section = ".eh_frame", .section_data = frames,
				       .section_bytes = sizeof(frames) };
	struct buffer data = fake_elf(&fake);
	int fd = open(where, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	check(fd >= 0 && write(fd, data.data, data.bytes) == (ssize_t)data.bytes, "a file");
	close(fd);
	buffer_free(&data);
}

static void start(void)
{
	struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU };
	struct loader_options options = { .names = true };

	plug_in();
	device.file = path;
	check(!ktally_open_fd(&session, device.fd) && !ktally_set_up(session, &setup), "a session");
	options.session = session;
	check_number(loader_create(&loader, &options), 0, "a loader");
}

/* Back again is what hung; then nothing is left of it, which the sanitizer sees. */
static uint64_t stop(void)
{
	uint64_t before = loop_now(), after;

	loader_destroy(loader);
	after = loop_now();
	ktally_close(session);
	return (after - before) / MS;
}

static void submit_on(uint32_t number, uint32_t device_major, uint32_t device_minor)
{
	const struct ktally_file file = {
		.header = { .type = KTALLY_RECORD_FILE, .size = sizeof(file) }, .file = number, .inode = number,
		.device_major = device_major, .device_minor = device_minor,
	};

	loader_submit(loader, &file);
}

static void submit(uint32_t number, uint32_t device_minor)
{
	submit_on(number, 0, device_minor);
}

/* On a file system of this host's own. */
static void submit_good(uint32_t number)
{
	static unsigned int device_major, device_minor;
	FILE *mounts = device_major + device_minor ? NULL : fopen("/proc/self/mountinfo", "re");
	char line[4096];

	while (mounts && fgets(line, sizeof(line), mounts) && sscanf(line, "%*u %*u %u:%u", &device_major, &device_minor) == 2)
		if (mounts_device_is_own(device_major, device_minor))
			break;
	if (mounts)
		fclose(mounts);
	submit_on(number, device_major, device_minor);
}

static void *end_at_once(void *context)
{
	return context;
}

/* The thread sanitizer starts a thread of its own beside a program's first one, which stays: it is there before any are counted. */
static void start_first_thread(void)
{
	pthread_t thread;

	check(!pthread_create(&thread, NULL, end_at_once, NULL) && !pthread_join(thread, NULL), "a thread comes and goes");
}

/* One that was joined may be among them for a moment yet: more at first than at the end is no fault. */
static unsigned int threads(void)
{
	char line[128];
	unsigned int count = 0;
	FILE *status = fopen("/proc/self/status", "re");

	while (status && fgets(line, sizeof(line), status))
		sscanf(line, "Threads: %u", &count);
	if (status)
		fclose(status);
	return count;
}

/* How long until that many tables were loaded, ms. */
static uint64_t until_tables(uint32_t wanted, uint64_t most)
{
	uint64_t before = loop_now();

	while (__atomic_load_n(&device.tables, __ATOMIC_ACQUIRE) < wanted && loop_now() - before < most * MS)
		usleep(1000);
	return (loop_now() - before) / MS;
}

static bool take(uint32_t number, bool whole)
{
	struct loaded loaded;

	if (!loader_take(loader, number, &loaded))
		return false;
	if (whole)
		check(loaded.file.names && !strcmp(loaded.file.path, path), "file %u has what is known of it", number);
	if (loaded.file.names)
		file_free(loaded.file.names);
	loaded_free(&loaded);
	return true;
}

static void take_all(uint32_t first, uint32_t last)
{
	for (unsigned int i = 0; i < 5000; i++) {
		bool busy = false;

		for (uint32_t number = first; number <= last; number++)
			busy |= loader_is_busy_with(loader, number);
		if (!busy)
			break;
		usleep(1000);
	}
	for (uint32_t number = first; number <= last; number++)
		check(take(number, true), "file %u is done", number);
}

static void many(void)
{
	struct loader_statistics statistics;
	unsigned int before = threads();

	start();
	for (uint32_t number = 1; number <= 200; number++)
		submit(number, number % 7);
	check(until_tables(200, 20000) < 20000, "two hundred files of seven file systems have their tables");
	take_all(1, 200);
	/* Who asks what a file system is asks the kernel, and touches no file. */
	check(threads() <= before + 4 + 1, "by %d threads, which is no more than four and one that asks", (int)(threads() - before));
	loader_get_statistics(loader, &statistics);
	check_number((long long)statistics.tables, 200, "each is counted");
	check_number((long long)statistics.tables_evicted, 400, "with all that went for it");
	check_number((long long)statistics.files_hung, 0, "none hangs");
	stop();
}

/* Numbers up to hold_most are those that hang while they are opened. */
static void opening_hangs(unsigned int file_systems)
{
	unsigned int before = threads();
	uint64_t took;

	start();
	device.hold_most = 100;
	__atomic_store_n(&device.hold, true, __ATOMIC_RELEASE);
	for (uint32_t number = 1; number <= 100; number++)
		submit(number, HUNG_DEVICE + 1000 * (number % file_systems));
	submit_good(101);
	took = until_tables(1, 5000);
	check(took < 2000, "a hundred files on %u file systems hang in opening: another one's table takes %llu ms", file_systems,
	      (unsigned long long)took);
	for (uint32_t number = 102; number <= 150; number++)
		submit_good(number);
	took = until_tables(50, 5000);
	check(took < 2000, "and those of 49 more take %llu ms", (unsigned long long)took);
	take_all(101, 150);
	check(threads() <= before + 4, "with %d threads", (int)(threads() - before));
	check(loader_is_busy_with(loader, 1), "for a moment it is waited for");
	loader_wait(loader, 10000);
	check(!loader_is_busy_with(loader, 1) && !loader_is_busy_with(loader, 100), "but not for long, nor for others of its file system");
	check(loader_has(loader, 1) && !take(1, false), "though it is not done");
	__atomic_store_n(&device.hold, false, __ATOMIC_RELEASE);
	check(until_tables(150, 20000) < 20000, "when it answers again, all is done");
	take_all(1, 100);
	stop();
}

static void reading_hangs(void)
{
	struct loader_statistics statistics;
	struct stat status;
	uint64_t took;

	start();
	stat(hung_path, &status);
	hung_inode = status.st_ino;
	__atomic_store_n(&hold_reading, true, __ATOMIC_RELEASE);
	__atomic_store_n(&device.file, hung_path, __ATOMIC_RELEASE);
	submit(1, HUNG_DEVICE);
	while (!__atomic_load_n(&device.files_opened, __ATOMIC_ACQUIRE))
		usleep(1000);
	usleep(100000);
	__atomic_store_n(&device.file, path, __ATOMIC_RELEASE);
	submit_good(2);
	took = until_tables(1, 5000);
	check(took < 2000, "a file hangs in reading: another one's table takes %llu ms", (unsigned long long)took);
	submit(3, HUNG_DEVICE);
	usleep(500000);
	check(__atomic_load_n(&device.files_opened, __ATOMIC_ACQUIRE) == 3, "another one of its file system is opened meanwhile");
	loader_get_statistics(loader, &statistics);
	check_number((long long)statistics.files_hung, 0, "it is not counted at once");
	sleep(10);
	loader_get_statistics(loader, &statistics);
	check_number((long long)statistics.files_hung, 1, "but later, and once");
	loader_get_statistics(loader, &statistics);
	check_number((long long)statistics.files_hung, 1, "whoever asks");
	check(take(2, true), "the other one is done");
	__atomic_store_n(&hold_reading, false, __ATOMIC_RELEASE);
	check(until_tables(3, 5000) < 5000, "when it answers again, all is done");
	loader_wait(loader, 5000);
	check(take(1, false) && take(3, true), "and taken");
	stop();
}

static void many_readings_hang(void)
{
	struct stat status;
	uint64_t took;

	start();
	stat(hung_path, &status);
	hung_inode = status.st_ino;
	__atomic_store_n(&hold_reading, true, __ATOMIC_RELEASE);
	__atomic_store_n(&device.file, hung_path, __ATOMIC_RELEASE);
	for (uint32_t number = 10; number < 18; number++)
		submit(number, HUNG_DEVICE + number);
	usleep(300000);
	__atomic_store_n(&device.file, path, __ATOMIC_RELEASE);
	submit_good(2);
	took = until_tables(1, 5000);
	check(took < 2000, "files on 8 file systems hang in reading: another one's table takes %llu ms", (unsigned long long)took);
	loader_wait(loader, 10000);
	check(!loader_is_busy_with(loader, 10) && !loader_is_busy_with(loader, 17), "none of them is waited for");
	__atomic_store_n(&hold_reading, false, __ATOMIC_RELEASE);
	check(until_tables(9, 5000) < 5000, "when they answer again, all is done");
	stop();
}

/* Opened at once, however much is to be read: the module holds a file for a second. */
static void opened_at_once(void)
{
	struct stat status;

	start();
	stat(hung_path, &status);
	hung_inode = status.st_ino;
	__atomic_store_n(&hold_reading, true, __ATOMIC_RELEASE);
	__atomic_store_n(&device.file, hung_path, __ATOMIC_RELEASE);
	for (uint32_t number = 1; number <= 150; number++)
		submit_good(number);
	for (unsigned int i = 0; i < 1000 && __atomic_load_n(&device.files_opened, __ATOMIC_ACQUIRE) < 150; i++)
		usleep(1000);
	check_number(__atomic_load_n(&device.files_opened, __ATOMIC_ACQUIRE), 150, "all are opened while the first ones are being read");
	check_number(__atomic_load_n(&device.tables, __ATOMIC_ACQUIRE), 0, "which takes longer");
	__atomic_store_n(&hold_reading, false, __ATOMIC_RELEASE);
	check(until_tables(150, 20000) < 20000, "in the end all are read");
	stop();
}

/* Of one user's files, each of which takes long, others wait for one at most: whoever had least of the time is next. */
static void owners_in_turn(void)
{
	char slow[sizeof(path) + 8];
	struct stat status;
	uint64_t took;

	snprintf(slow, sizeof(slow), "%s.slow", path);
	put_file(slow);
	if (geteuid() || chown(slow, 12345, 12345)) {
		unlink(slow);
		check_skip("only root has files of others", "files of several owners");
		return;
	}
	start();
	stat(slow, &status);
	__atomic_store_n(&slow_inode, status.st_ino, __ATOMIC_RELEASE);
	__atomic_store_n(&device.file, slow, __ATOMIC_RELEASE);
	for (uint32_t number = 1; number <= 300; number++)
		submit_good(number);
	for (unsigned int i = 0; i < 5000 && __atomic_load_n(&device.files_opened, __ATOMIC_ACQUIRE) < 300; i++)
		usleep(1000);
	check(__atomic_load_n(&device.files_opened, __ATOMIC_ACQUIRE) >= 300, "all are opened, though few are kept open");
	__atomic_store_n(&device.file, path, __ATOMIC_RELEASE);
	submit_good(301);
	took = loop_now();
	while (loader_is_busy_with(loader, 301) && loop_now() - took < 5000 * MS)
		usleep(1000);
	took = (loop_now() - took) / MS;
	check(took < 2000, "another user's is read next: after %llu ms", (unsigned long long)took);
	check(__atomic_load_n(&device.tables, __ATOMIC_ACQUIRE) < 100, "not after all those");
	__atomic_store_n(&slow_inode, 0, __ATOMIC_RELEASE);
	check(until_tables(301, 20000) < 20000, "in the end all are read");
	stop();
	unlink(slow);
}

/*
 * What is past an owner's share of those that may be open is closed, for which a file system can be waited for as well. The one that is read first
 * keeps the others.
 */
static void closing_hangs(void)
{
	struct stat status;
	uint64_t before;

	start();
	stat(hung_path, &status);
	hung_inode = status.st_ino;
	__atomic_store_n(&hold_reading, true, __ATOMIC_RELEASE);
	__atomic_store_n(&hold_closing, true, __ATOMIC_RELEASE);
	__atomic_store_n(&device.file, hung_path, __ATOMIC_RELEASE);
	for (uint32_t number = 1; number <= 100; number++)
		submit_good(number);
	for (unsigned int i = 0; i < 2000 && __atomic_load_n(&device.files_opened, __ATOMIC_ACQUIRE) < 97; i++)
		usleep(1000);
	check_number(__atomic_load_n(&device.files_opened, __ATOMIC_ACQUIRE), 97, "one more is opened than its owner may keep open");
	usleep(100000);
	before = loop_now();
	check(loader_has(loader, 97), "it is being closed");
	check((loop_now() - before) / MS < 500, "and nobody else waits for that");
	__atomic_store_n(&hold_closing, false, __ATOMIC_RELEASE);
	__atomic_store_n(&hold_reading, false, __ATOMIC_RELEASE);
	check(until_tables(100, 20000) < 20000, "in the end all are read");
	stop();
}

/* What is past what anybody may have waiting is not read, and that is told. */
static void past_share(void)
{
	struct loader_statistics statistics;
	struct stat status;

	start();
	stat(hung_path, &status);
	hung_inode = status.st_ino;
	__atomic_store_n(&hold_reading, true, __ATOMIC_RELEASE);
	__atomic_store_n(&device.file, hung_path, __ATOMIC_RELEASE);
	for (uint32_t number = 1; number <= 2048 + 12; number++)
		submit_good(number);
	for (unsigned int i = 0; i < 10000 && __atomic_load_n(&device.files_opened, __ATOMIC_ACQUIRE) < 2048 + 12; i++)
		usleep(1000);
	loader_wait(loader, 100);
	loader_get_statistics(loader, &statistics);
	check_number((long long)statistics.files_refused, 12, "of 2060 files of one owner 12 are too many to wait, and that is told");
	check_number(statistics.refused_user, status.st_uid, "with whose they are");
	check(take(2060, false), "they are done with");
	__atomic_store_n(&hold_reading, false, __ATOMIC_RELEASE);
	check(until_tables(2048, 60000) < 60000, "the others are read");
	stop();
}

/* How many of the files before it are left when one more, on that device, was read. */
static unsigned int left_when_read(uint32_t minor_number, uint32_t files)
{
	unsigned int left = 0;

	usleep(100000);
	submit(301, minor_number);
	for (unsigned int i = 0; i < 10000 && loader_is_busy_with(loader, 301); i++)
		usleep(1000);
	for (uint32_t number = 1; number <= files; number++)
		left += loader_is_busy_with(loader, number);
	return left;
}

/* Symbols that were dropped are read again on their owner's time: another one's file does not wait for all of them. */
static void again_in_turn(void)
{
	struct symbols_file file = { .path = hung_path, .fd = -1, .owner = geteuid() + 12345 };
	unsigned int left;
	struct stat status;

	start();
	stat(hung_path, &status);
	__atomic_store_n(&slow_inode, status.st_ino, __ATOMIC_RELEASE);
	__atomic_store_n(&device.file, hung_path, __ATOMIC_RELEASE);
	for (uint32_t number = 1; number <= 300; number++) {
		file.identity = (struct ktally_file){ .file = number, .inode = number, .device_minor = HUNG_DEVICE };
		loader_submit_again(loader, &file);
	}
	left = left_when_read(HUNG_DEVICE, 300);
	check(left > 100, "files are read once more: another owner's is read before %u that are left of 300", left);
	__atomic_store_n(&slow_inode, 0, __ATOMIC_RELEASE);
	loader_wait(loader, 20000);
	stop();
}

/* Many files that take long, on as many file systems as are read at once: one on another is read next. */
static void file_systems_in_turn(void)
{
	unsigned int left;
	struct stat status;

	start();
	stat(hung_path, &status);
	__atomic_store_n(&slow_inode, status.st_ino, __ATOMIC_RELEASE);
	__atomic_store_n(&device.file, hung_path, __ATOMIC_RELEASE);
	for (uint32_t number = 1; number <= 180; number++)
		submit(number, HUNG_DEVICE + number % 2);
	left = left_when_read(HUNG_DEVICE + 2, 180);
	check(left > 60, "files on two file systems are read: one on another is read before %u that are left of 180", left);
	__atomic_store_n(&slow_inode, 0, __ATOMIC_RELEASE);
	loader_wait(loader, 20000);
	stop();
}

/* What cannot be opened is nobody's, so it takes nobody's share, and is done with at once. */
static void opening_fails(void)
{
	struct stat status;

	start();
	stat(hung_path, &status);
	hung_inode = status.st_ino;
	__atomic_store_n(&hold_reading, true, __ATOMIC_RELEASE);
	__atomic_store_n(&device.file, hung_path, __ATOMIC_RELEASE);
	submit_good(1);
	for (unsigned int i = 0; i < 2000 && !__atomic_load_n(&device.files_opened, __ATOMIC_ACQUIRE); i++)
		usleep(1000);
	usleep(100000);
	__atomic_store_n(&device.file, "/nonexistent", __ATOMIC_RELEASE);
	for (uint32_t number = 2; number <= 400; number++)
		submit_good(number);
	for (unsigned int i = 0; i < 2000 && loader_is_busy_with(loader, 400); i++)
		usleep(1000);
	check(take(400, false), "four hundred that cannot be opened do not wait for one that is read");
	__atomic_store_n(&hold_reading, false, __ATOMIC_RELEASE);
	check(until_tables(1, 5000) < 5000, "which is read in the end");
	stop();
}

/* The end does not wait for it. It comes back when the session is closed, and finds its own. */
static void ended(void)
{
	uint64_t took;

	start();
	device.hold_most = 100;
	__atomic_store_n(&device.hold, true, __ATOMIC_RELEASE);
	submit(1, HUNG_DEVICE);
	submit(2, HUNG_DEVICE + 1);
	usleep(100000);
	took = stop();
	check(took < 2500, "the end comes within %llu ms though two threads hang", (unsigned long long)took);
	__atomic_store_n(&device.hold, false, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < 5000 && threads() > 1; i++)
		usleep(1000);
	check(!__atomic_load_n(&device.tables, __ATOMIC_ACQUIRE), "what comes back later does nothing");
}

/* ---- errands ---- */

struct look {
	struct errand errand;
	bool hangs, slow, ran;
};

static bool hold_looks;

static void run_look(struct errand *errand)
{
	struct look *look = (struct look *)errand;

	while (look->hangs && __atomic_load_n(&hold_looks, __ATOMIC_ACQUIRE))
		usleep(1000);
	if (look->slow)
		usleep(5000);
	look->ran = true;
}

static void discard_look(struct errand *errand)
{
	free(errand);
}

static struct look *ask(uint32_t kind, uint32_t user, bool hangs)
{
	struct look *look = memory_zeroed(1, sizeof(*look));

	look->errand = (struct errand){ .run = run_look, .discard = discard_look, .major = kind, .minor = user, .user = user };
	look->errand.since = loop_now();
	look->hangs = hangs;
	loader_ask(loader, &look->errand);
	return look;
}

static bool is_run(struct look *look)
{
	bool ran;

	for (unsigned int i = 0; i < 2000 && !errand_is_done(&look->errand); i++)
		usleep(1000);
	ran = errand_is_done(&look->errand) && !look->errand.undone && look->ran;
	errand_abandon(&look->errand);
	return ran;
}

/* A user whose processes cannot be looked at has as many of them as may wait, and more; all are abandoned, as such processes end. */
static void errands_pile_up(uint32_t kind)
{
	start();
	__atomic_store_n(&hold_looks, true, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < 3000; i++)
		errand_abandon(&ask(kind, 1000, true)->errand);
	check(is_run(ask(kind, 1001, false)), "one user's errands hang, and are many: another one's is run");
	check(is_run(ask(kind, 0, false)), "and one of root's");
	__atomic_store_n(&hold_looks, false, __ATOMIC_RELEASE);
	check(is_run(ask(kind, 1001, false)), "and another one when they hang no more");
	stop();
}

/* What is asked for two users of the same file system, of which one asks for much that takes long: the other's is next. */
static void errands_in_turn(void)
{
	unsigned int undone = 0, left = 0;
	struct look *looks[400], *other = NULL;

	start();
	for (unsigned int i = 0; i < 401; i++) {
		struct look *look = memory_zeroed(1, sizeof(*look));

		look->errand = (struct errand){ .run = run_look, .discard = discard_look, .minor = HUNG_DEVICE, .user = i < 400 ? 1000 : 1001 };
		/* So that nobody waits. */
		look->errand.since = loop_now();
		loader->no_patience_before = UINT64_MAX;
		look->slow = true;
		loader_ask(loader, &look->errand);
		if (i < 400)
			looks[i] = look;
		else
			other = look;
	}
	check(is_run(other), "one user's errands are many and take long: another one's on the same file system is run");
	for (unsigned int i = 0; i < 400; i++) {
		bool done = errand_is_done(&looks[i]->errand);

		undone += done && looks[i]->errand.undone;
		left += !done;
		errand_abandon(&looks[i]->errand);
	}
	check(left > 100, "before %u of the first one's that are left", left);
	check(undone && undone < 300, "who asks for more than there is room for is refused some, here %u", undone);
	stop();
}

int main(void)
{
	snprintf(path, sizeof(path), "/tmp/ktally-loader.%d", (int)getpid());
	snprintf(hung_path, sizeof(hung_path), "%s.hung", path);
	put_file(path);
	put_file(hung_path);
	setenv("CACHE_DIRECTORY", "none", 1);
	start_first_thread();
	many();
	opening_hangs(1);
	opening_hangs(8);
	reading_hangs();
	many_readings_hang();
	opened_at_once();
	owners_in_turn();
	closing_hangs();
	past_share();
	again_in_turn();
	file_systems_in_turn();
	opening_fails();
	errands_pile_up(ERRAND_PROCESS);
	errands_pile_up(ERRAND_USER);
	errands_in_turn();
	ended();
	unlink(path);
	unlink(hung_path);
	return check_end();
}
