// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The power fails: at every moment of a spool's life, with every outcome that POSIX allows. The calls that change the disk are taken from libc
 * here and written to a log as they are made. Afterwards the log is read up to every one of its places, and what a disk may have then is
 * made in a directory: of a file that was not brought to the disk any part or rubbish, of what was done in a directory since that was brought to
 * the disk only the beginning. A spool opened there must have every batch that spool_put() promised and that was not to be removed, whole; and
 * none that is not whole.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/message.h"
#include "check.h"
#include "spool/spool.h"

#define EVENTS_MOST	256
#define FILES_MOST	16
#define BATCHES		9

enum what { CREATED, WRITTEN, FILE_SETTLED, RENAMED, UNLINKED, DIRECTORY_SETTLED, PROMISED, REMOVING, REMOVED };

struct event {
	enum what what;
	char name[SPOOL_NAME_BYTES], other[SPOOL_NAME_BYTES];
	unsigned char data[256];
	size_t bytes;
	uint64_t number;
};

static struct event events[EVENTS_MOST];
static size_t event_count;
static bool logging;

static char names[1024][SPOOL_NAME_BYTES];	/* by descriptor; "" the directory */
static char above[] = "/dev/shm/ktally-power-XXXXXX", live[64], after[64];

static struct event *note(enum what what, const char *name)
{
	struct event *event = &events[event_count];

	if (!logging)
		return &events[EVENTS_MOST - 1];
	if (++event_count == EVENTS_MOST)
		message_fatal(EXIT_FAILED, "too many events");
	event->what = what;
	snprintf(event->name, sizeof(event->name), "%s", name);
	return event;
}

/* ---- libc's ---- */

int openat(int directory, const char *name, int flags, ...)
{
	va_list arguments;
	int fd;

	va_start(arguments, flags);
	fd = (int)syscall(SYS_openat, directory, name, flags, flags & O_CREAT ? va_arg(arguments, int) : 0);
	va_end(arguments);
	if (fd < 0)
		return fd;
	snprintf(names[fd], sizeof(names[fd]), "%s", name);
	if (flags & O_CREAT && flags & (O_EXCL | O_TRUNC))
		note(CREATED, name);
	return fd;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	/* Less than was asked for, as the kernel may. */
	struct iovec first = { parts->iov_base, parts->iov_len > 20 ? 20 : parts->iov_len };
	ssize_t written = syscall(SYS_writev, fd, &first, 1);
	struct event *event = note(WRITTEN, names[fd]);

	(void)count;
	if (written > 0)
		memcpy(event->data, first.iov_base, (size_t)written);
	event->bytes = written > 0 ? (size_t)written : 0;
	return written;
}

int fdatasync(int fd)
{
	note(FILE_SETTLED, names[fd]);
	return 0;
}

int fsync(int fd)
{
	(void)fd;
	note(DIRECTORY_SETTLED, "");
	return 0;
}

int renameat(int from, const char *old, int to, const char *new)
{
	struct event *event = note(RENAMED, old);

	snprintf(event->other, sizeof(event->other), "%s", new);
	return (int)syscall(SYS_renameat, from, old, to, new);
}

int unlinkat(int directory, const char *name, int flags)
{
	int error = (int)syscall(SYS_unlinkat, directory, name, flags);

	if (!error)
		note(UNLINKED, name);
	return error;
}

/* ---- a disk ---- */

struct file {
	char name[SPOOL_NAME_BYTES];	/* "": has none */
	unsigned char data[512];
	size_t bytes, settled;		/* all, and those that are on the disk */
};

struct disk {
	struct file files[FILES_MOST];
	size_t count;
};

static struct file *find(struct disk *disk, const char *name)
{
	for (size_t i = 0; i < disk->count; i++) {
		if (*name && !strcmp(disk->files[i].name, name))
			return &disk->files[i];
	}
	return NULL;
}

/* The files, made by all events, with the names that they have after those before `named`. */
static void play(struct disk *disk, size_t named, size_t end)
{
	struct disk now = { .count = 0 };	/* by their names as the process sees them */

	*disk = now;
	for (size_t i = 0; i < end; i++) {
		const struct event *event = &events[i];
		struct file *file = find(&now, event->name), *other;

		switch (event->what) {
		case CREATED:
			file = &now.files[now.count++];
			snprintf(file->name, sizeof(file->name), "%s", event->name);
			break;
		case WRITTEN:
			if (!file)
				message_fatal(EXIT_FAILED, "%s was written to, and nobody saw it made", event->name);
			memcpy(file->data + file->bytes, event->data, event->bytes);
			file->bytes += event->bytes;
			break;
		case FILE_SETTLED:
			file->settled = file->bytes;
			break;
		case RENAMED:
			other = find(&now, event->other);
			if (other)
				*other->name = '\0';
			memcpy(file->name, event->other, sizeof(file->name));
			break;
		case UNLINKED:
			if (file)
				*file->name = '\0';
			break;
		default:
			break;
		}
		if (i + 1 == named)
			*disk = now;
	}
	/* Names from then, data from now: files never change places. */
	for (size_t i = 0; i < now.count; i++) {
		if (i >= disk->count || named == 0)
			continue;
		memcpy(disk->files[i].data, now.files[i].data, sizeof(now.files[i].data));
		disk->files[i].bytes = now.files[i].bytes;
		disk->files[i].settled = now.files[i].settled;
	}
}

enum outcome { ALL_WRITTEN, NOTHING_WRITTEN, HALF_WRITTEN, RUBBISH_WRITTEN, OUTCOMES };

static void make(const struct disk *disk, enum outcome outcome)
{
	DIR *listing = opendir(after);

	for (struct dirent *entry; listing && (entry = readdir(listing));)
		syscall(SYS_unlinkat, dirfd(listing), entry->d_name, 0);
	if (listing)
		closedir(listing);
	for (size_t i = 0; i < disk->count; i++) {
		const struct file *file = &disk->files[i];
		unsigned char data[512];
		size_t bytes = file->bytes;
		char path[128];
		FILE *made;

		if (!*file->name)
			continue;
		memcpy(data, file->data, sizeof(data));
		if (outcome == NOTHING_WRITTEN)
			bytes = file->settled;
		else if (outcome == HALF_WRITTEN)
			bytes = file->settled + (file->bytes - file->settled) / 2;
		else if (outcome == RUBBISH_WRITTEN)
			memset(data + file->settled, 0, file->bytes - file->settled);
		snprintf(path, sizeof(path), "%s/%s", after, file->name);
		made = fopen(path, "w");
		if (!made || fwrite(data, 1, bytes, made) != bytes || fclose(made))
			message_fatal(EXIT_FAILED, "cannot write %s: %m", path);
	}
}

/* ---- what is looked at ---- */

static void text_of(uint64_t number, char text[64])
{
	snprintf(text, 64, "this is batch number %llu", (unsigned long long)number);
}

struct tried {
	unsigned int moments, missing, wrong, damaged, settled_came_back, failed;
};

/* What the spool promised up to an event. */
static void promises(size_t end, bool must[BATCHES], bool never[BATCHES])
{
	bool removed[BATCHES] = { false };

	memset(must, 0, BATCHES);
	memset(never, 0, BATCHES);
	for (size_t i = 0; i < end; i++) {
		if (events[i].what == PROMISED)
			must[events[i].number] = true;
		if (events[i].what == REMOVING)
			must[events[i].number] = false;
		if (events[i].what == REMOVED)
			removed[events[i].number] = true;
		if (events[i].what == DIRECTORY_SETTLED)
			memcpy(never, removed, sizeof(removed));
	}
}

static void look(struct tried *tried, size_t end)
{
	bool must[BATCHES], never[BATCHES], seen[BATCHES] = { false };
	struct spool_contents contents;
	struct spool *spool;

	promises(end, must, never);
	if (spool_open(&spool, after, &contents)) {
		tried->failed++;
		return;
	}
	tried->moments++;
	tried->damaged += contents.damaged != 0;
	for (size_t i = 0; i < contents.count; i++) {
		struct buffer data = { 0 };
		char text[64];

		text_of(contents.labels[i].number, text);
		if (contents.labels[i].number >= BATCHES || spool_get(spool, &contents.labels[i], &data) || strcmp(data.data, text))
			tried->wrong++;
		else
			seen[contents.labels[i].number] = true;
		buffer_free(&data);
	}
	for (size_t i = 0; i < BATCHES; i++) {
		tried->missing += must[i] && !seen[i];
		tried->settled_came_back += never[i] && seen[i];
	}
	spool_free_contents(&contents);
	spool_close(spool);
}

static struct tried try_all(void)
{
	struct tried tried = { .moments = 0 };

	for (size_t end = 0; end <= event_count; end++) {
		size_t settled = 0;

		for (size_t i = 0; i < end; i++) {
			if (events[i].what == DIRECTORY_SETTLED)
				settled = i + 1;
		}
		for (size_t named = settled; named <= end; named++) {
			for (enum outcome outcome = 0; outcome < OUTCOMES; outcome++) {
				struct disk disk;

				play(&disk, named, end);
				make(&disk, outcome);
				look(&tried, end);
			}
		}
	}
	return tried;
}

static void put(struct spool *spool, uint64_t number)
{
	char text[64];
	struct spool_label label = { .number = number };

	text_of(number, text);
	label.bytes = strlen(text) + 1;
	if (!spool_put(spool, &label, text))
		note(PROMISED, "")->number = number;
}

static void drop(struct spool *spool, uint64_t number)
{
	note(REMOVING, "")->number = number;
	if (!spool_remove(spool, number))
		note(REMOVED, "")->number = number;
}

static void live_a_life(void)
{
	struct spool_contents contents;
	struct spool *spool;

	logging = true;
	if (spool_open(&spool, live, &contents))
		message_fatal(EXIT_FAILED, "cannot open %s: %m", live);
	put(spool, 1);
	put(spool, 2);
	drop(spool, 1);
	put(spool, 3);
	drop(spool, 2);
	drop(spool, 3);
	spool_settle(spool);
	put(spool, 4);
	drop(spool, 4);
	put(spool, 5);
	spool_close(spool);
	logging = false;
}

/* Whether a log without the events of one sort is found out: else this test would see nothing. */
static unsigned int faults_without(enum what what)
{
	static struct event saved[EVENTS_MOST];
	size_t saved_count = event_count;
	struct tried tried;

	memcpy(saved, events, sizeof(events));
	event_count = 0;
	for (size_t i = 0; i < saved_count; i++) {
		if (saved[i].what != what)
			events[event_count++] = saved[i];
	}
	tried = try_all();
	memcpy(events, saved, sizeof(events));
	event_count = saved_count;
	return tried.missing + tried.wrong + tried.damaged;
}

int main(void)
{
	char command[128];
	struct tried tried;

	if (!mkdtemp(above))
		return 1;
	snprintf(live, sizeof(live), "%s/live", above);
	snprintf(after, sizeof(after), "%s/after", above);
	live_a_life();
	mkdir(after, 0700);
	check(event_count > 50, "a life of %zu events", event_count);
	tried = try_all();
	check(tried.moments > 500 && !tried.failed, "%u ways for the power to fail", tried.moments);
	check_number(tried.missing, 0, "no batch is missing that was promised");
	check_number(tried.wrong, 0, "none is other than it was");
	check_number(tried.damaged, 0, "none is torn");
	check_number(tried.settled_came_back, 0, "none comes back that was removed for good");
	check(faults_without(FILE_SETTLED) > 0, "it would be seen if files were not brought to the disk");
	check(faults_without(DIRECTORY_SETTLED) > 0, "and if names were not");
	snprintf(command, sizeof(command), "rm -rf %s", above);
	return system(command) ? 1 : check_end();
}
