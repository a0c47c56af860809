// SPDX-License-Identifier: GPL-2.0-or-later
/* export_file(): all of a file or nothing of it, and devices as they are. export_host_fill(), export_realtime(): what this host says. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "daemon/files.h"
#include "export/metrics.h"
#include "fake.h"

static char directory[] = "/tmp/ktally-file-XXXXXX";

static const char *in_directory(const char *name)
{
	static char path[4][256];
	static unsigned int next;
	char *text = path[next++ % 4];

	snprintf(text, sizeof(path[0]), "%s/%s", directory, name);
	return text;
}

static unsigned int synced;

/* Instead of the C library's. */
int fsync(int fd)
{
	(void)fd;
	synced++;
	return 0;
}

static int write_text(FILE *file, const struct profile *profile, uint32_t sources, const struct export_host *host)
{
	(void)profile;
	(void)sources;
	return fprintf(file, "host %s\n", host->name) < 0 ? -EIO : 0;
}

static int write_and_fail(FILE *file, const struct profile *profile, uint32_t sources, const struct export_host *host)
{
	(void)profile;
	(void)sources;
	(void)host;
	fputs("half of it", file);
	return -ENOSPC;
}

/* More than the buffer of a FILE, and never asks whether it could be written. */
static int write_much(FILE *file, const struct profile *profile, uint32_t sources, const struct export_host *host)
{
	(void)profile;
	(void)sources;
	(void)host;
	for (unsigned int i = 0; i < 100000; i++)
		fputc('x', file);
	return 0;
}

static char *text_of(const char *path)
{
	struct buffer text = { 0 };

	if (buffer_read_file(&text, path, 1 << 20)) {
		buffer_free(&text);
		return NULL;
	}
	return text.data;
}

static size_t files(void)
{
	glob_t found;
	size_t count;

	glob(in_directory("*"), 0, NULL, &found);
	count = found.gl_pathc;
	globfree(&found);
	return count;
}

static void check_text(const char *path, const char *wanted, const char *what)
{
	char *text = text_of(path);

	check_string(text, wanted, "%s", what);
	free(text);
}

static void file(void)
{
	const char *path = in_directory("out");
	struct stat status = { 0 };

	check_number(export_file(path, write_text, NULL, 0, &fake_host), 0, "a file is written");
	check_text(path, "host testhost\n", "and has what the writer wrote");
	check_number(synced, 1, "which is on the disk");
	check(!stat(path, &status) && (status.st_mode & 07777) == 0600, "only its owner can read it");
	check_number(export_file(path, write_and_fail, NULL, 0, &fake_host), -ENOSPC, "the writer's error comes back");
	check_text(path, "host testhost\n", "and what was there before stays");
	check_number(export_file(in_directory("new"), write_and_fail, NULL, 0, &fake_host), -ENOSPC, "a new file fails");
	check_number(files(), 1, "and nothing is left of either");
	check_number(export_file(in_directory("none/out"), write_text, NULL, 0, &fake_host), -ENOENT, "no such directory");
	mkdir(in_directory("directory"), 0700);
	check_number(export_file(in_directory("directory"), write_text, NULL, 0, &fake_host), -EISDIR, "a directory");
	rmdir(in_directory("directory"));
	check(!symlink("out", in_directory("link")), "a symbolic link");
	check_number(export_file(in_directory("link"), write_text, NULL, 0, &fake_host), 0, "to a file");
	check(!lstat(in_directory("link"), &status) && S_ISREG(status.st_mode), "is replaced itself");
}

static void device(void)
{
	const char *fifo = in_directory("fifo");
	struct stat before, after;
	char text[32] = { 0 };
	int reader;

	mkfifo(fifo, 0600);
	reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	check_number(export_file(fifo, write_text, NULL, 0, &fake_host), 0, "a pipe is written to");
	check(read(reader, text, sizeof(text) - 1) == 14 && !strcmp(text, "host testhost\n"), "and its reader reads that");
	close(reader);
	check(!stat("/dev/full", &before) && export_file("/dev/full", write_text, NULL, 0, &fake_host) == -ENOSPC, "a full disk is an error");
	check_number(export_file("/dev/full", write_much, NULL, 0, &fake_host), -ENOSPC, "if the writer does not notice, too");
	check(!stat("/dev/full", &after) && after.st_ino == before.st_ino, "a device stays where it is");
}

static bool filled(int pipe)
{
	char zeros[4096] = { 0 };

	while (write(pipe, zeros, sizeof(zeros)) > 0)
		;
	return errno == EAGAIN;
}

/* Whoever writes metrics is who drains the rings, and waits for nobody. */
static void metrics_pipe(void)
{
	const char *fifo = in_directory("metrics");
	struct files files = { .count = 0 };
	struct metrics metrics;
	char text[8] = { 0 };
	int reader, writer;
	unsigned int before = synced;
	time_t began;

	metrics_init(&metrics, 1, 2, true);
	check(!export_metrics_file(in_directory("metrics.json"), &metrics) && synced == before, "nor for a busy disk");
	files_add(&files, NULL, fifo, NULL, 0);
	mkfifo(fifo, 0600);
	began = time(NULL);
	check_number(export_metrics_file(fifo, &metrics), -ENXIO, "a pipe that nobody reads is not waited for");
	files_write(&files, NULL, &fake_host, &metrics);
	check(files.files[0].failing && !files.failed, "and is no fault");
	reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	writer = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	check_number(export_metrics_file(fifo, &metrics), 0, "metrics are written to one that somebody reads");
	check(read(reader, text, sizeof(text) - 1) > 0 && *text == '{', "who gets them");
	check(filled(writer), "one that is full");
	check_number(export_metrics_file(fifo, &metrics), -ETIMEDOUT, "is not waited for, as nobody takes anything");
	files_write(&files, NULL, &fake_host, &metrics);
	check(files.failed, "which is a fault");
	check(time(NULL) - began < 5, "in no time");
	close(reader);
	close(writer);
	files_release(&files);
	metrics_free(&metrics);
}

static void host(void)
{
	struct export_host host = { .rate = 19, .clock = 2 };
	struct utsname names;
	char *id = text_of("/etc/machine-id"), *release = text_of("/etc/os-release");
	struct timespec now;
	int64_t difference;

	uname(&names);
	export_host_fill(&host);
	check_string(host.name, names.nodename, "name");
	check_string(host.release, names.release, "kernel release");
	check(id && strlen(id) >= 32 ? strlen(host.id) == 32 && !strncmp(id, host.id, 32) : !*host.id || strlen(host.id) == 32, "id: \"%s\"", host.id);
	check(!release || (*host.os_name && strstr(release, host.os_name)), "operating system: \"%s\"", host.os_name);
	check(!release || strstr(release, host.os_version), "and its version: \"%s\"", host.os_version);
	check(!strpbrk(host.os_name, "\"'\\\n=") && !strpbrk(host.os_version, "\"'\\\n="), "without quotes");
	check_number(host.cpus, sysconf(_SC_NPROCESSORS_ONLN), "CPUs");
	check(host.rate == 19 && host.clock == 2, "rate and clock are left alone");
	clock_gettime(CLOCK_MONOTONIC, &now);
	difference = (int64_t)export_realtime(&host, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
	clock_gettime(CLOCK_REALTIME, &now);
	difference -= (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	check(difference > -50000000 && difference < 50000000, "both clocks are of one moment");
	check_number(export_realtime(&fake_host, fake_host.monotonic + 5), fake_host.realtime + 5, "later");
	check_number(export_realtime(&fake_host, fake_host.monotonic - 5), fake_host.realtime - 5, "earlier");
	free(id);
	free(release);
}

int main(void)
{
	char command[256];

	if (!mkdtemp(directory))
		return 1;
	file();
	device();
	metrics_pipe();
	host();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) ? 1 : check_end();
}
