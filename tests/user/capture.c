// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * capture/capture.h: what goes in comes out, from files cut off at every byte too; disks that are full.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/ktally.h>

#include "base/buffer.h"
#include "base/map.h"
#include "capture/capture.h"
#include "capture/format.h"
#include "check.h"

static char directory[] = "/tmp/ktally-capture.XXXXXX";
static char path[sizeof(directory) + 16];

static const char host[] = "hostname=h\nrate=19\n";
static const char symbols[] = "ffffffff81000000 T _text\nffffffff81000100 t start\n";
static const char program[] = "\177ELF and all the rest of it";
static const char mapped[] = "1000-2000 r-xp 0 08:01 5 /bin/x\n";

static struct ktally_sample sample_of(uint64_t time)
{
	return (struct ktally_sample) {
		.header = { .type = KTALLY_RECORD_SAMPLE, .size = sizeof(struct ktally_sample) },
		.time = time, .stack_id = 1, .task_id = 1,
	};
}

/* The same items each time: host, names, mappings with and without executable, records between them. */
static int write_sample_capture(const char *to)
{
	struct capture_writer *writer;
	size_t packed_bytes = 0;
	void *packed = NULL;
	int error = capture_create(&writer, to);

	if (error)
		return error;
	capture_write(writer, CAPTURE_HOST, host, strlen(host));
	capture_write_kallsyms(writer, symbols, strlen(symbols));
	capture_write_record(writer, (struct ktally_sample[]) { sample_of(1) }, sizeof(struct ktally_sample));
	capture_write_record(writer, (struct ktally_sample[]) { sample_of(2) }, sizeof(struct ktally_sample));
	capture_write_mappings(writer, 77, 1234, "/bin/x", mapped, strlen(mapped));
	capture_write_mappings(writer, 78, 1235, NULL, NULL, 0);
	check_number(capture_pack(program, strlen(program), &packed, &packed_bytes), 0, "packs a file");
	capture_write_file(writer, &(struct capture_file) { .identity.file = 9, .build_id_bytes = 2, .build_id = "ab",
							    .status = KTALLY_FILE_DELETED, .content_bytes = strlen(program) },
			   "/bin/y", packed, packed_bytes);
	free(packed);
	capture_write_record(writer, (struct ktally_sample[]) { sample_of(3) }, sizeof(struct ktally_sample));
	capture_write_file(writer, &(struct capture_file) { .identity.file = 10, .error = -ESTALE }, "", NULL, 0);
	return capture_close(writer);
}

static void put_file(const void *data, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes)
		check(false, "writing a file of %zu bytes", bytes);
	close(fd);
}

static bool is_text(const struct capture_item *item, const char *text)
{
	return item->bytes == strlen(text) && !memcmp(item->data, text, item->bytes + 1);
}

/* A letter for each item, with its numbers. */
static void tell(struct buffer *told, const struct capture_item *item)
{
	const struct ktally_sample *samples = item->data;

	switch (item->type) {
	case CAPTURE_HOST:
		buffer_format(told, "H%d", is_text(item, host));
		break;
	case CAPTURE_KALLSYMS:
		buffer_format(told, "K%d", is_text(item, symbols));
		break;
	case CAPTURE_MAPPINGS:
		buffer_format(told, "M%u,%u,%s,%zu", (unsigned int)item->mm_id, item->pid, item->path, item->bytes);
		break;
	case CAPTURE_FILE:
		buffer_format(told, "F%u,%s,%.*s,%u,%d,%d", item->file.identity.file, item->path,
			      (int)item->file.build_id_bytes, item->file.build_id, item->file.status, item->file.error,
			      item->bytes ? is_text(item, program) : -1);
		break;
	case CAPTURE_OWNER:
	case CAPTURE_ACCOUNT:
		break;		/* tests/user/owners.c has them */
	case CAPTURE_RECORDS:
		for (size_t i = 0; i < item->bytes / sizeof(*samples); i++)
			buffer_format(told, "R%u", (unsigned int)samples[i].time);
		break;
	}
}

/* Reads all and tells of it. Returns what the last call returned. */
static int read_all(const char *from, struct buffer *told)
{
	struct capture_reader *reader;
	struct capture_item item;
	int status = capture_open(&reader, from);

	buffer_clear(told);
	buffer_append(told, NULL, 0);
	if (status)
		return status;
	while ((status = capture_next(reader, &item)) == 1)
		tell(told, &item);
	if (capture_next(reader, &item) != status || item.data)
		status = -EINVAL;	/* the end must stay the end */
	capture_reader_close(reader);
	return status;
}

static const char whole[] = "H1K1R1R2M77,1234,/bin/x,32M78,1235,,0F9,/bin/y,ab,1,0,1R3F10,,,0,-116,-1";

static void round_trip(void)
{
	struct buffer told = { 0 };
	struct stat status;

	unlink(path);
	check_number(write_sample_capture(path), 0, "writes a capture");
	check(!stat(path, &status) && (status.st_mode & 0777) == 0600, "which others cannot read");
	check_number(status.st_size % 8, 0, "of a size that is a multiple of 8");
	check_number(read_all(path, &told), 0, "reads it to its end");
	check_string(told.data, whole, "everything is as it was written, in that order");
	buffer_free(&told);
}

static void large(void)
{
	struct buffer names = { 0 };
	struct capture_writer *writer;
	struct capture_reader *reader;
	struct capture_item item;
	uint64_t next = 0, wrong = 0, chunks = 0;
	int status;

	for (unsigned int i = 0; i < 200000; i++)
		buffer_format(&names, "%016x t function_%u\n", i * 64, i);
	capture_create(&writer, path);
	check_number(capture_write_kallsyms(writer, names.data, names.bytes), 0, "writes %zu bytes of names",
		     names.bytes);
	for (uint64_t i = 0; i < 100000; i++) {
		struct ktally_sample sample = sample_of(i);

		wrong += capture_write_record(writer, &sample, sizeof(sample)) != 0;
	}
	check_number(capture_close(writer), 0, "writes 100000 records");
	capture_open(&reader, path);
	status = capture_next(reader, &item);
	check(status == 1 && is_text(&item, names.data), "reads the names");
	while ((status = capture_next(reader, &item)) == 1) {
		const struct ktally_sample *samples = item.data;

		for (size_t i = 0; i < item.bytes / sizeof(*samples); i++)
			wrong += samples[i].time != next++;
		chunks++;
	}
	check_number(status, 0, "reads to the end");
	check_number(next, 100000, "all records");
	check_number(wrong, 0, "as they were");
	check(chunks > 1 && chunks < 100, "in chunks (%u)", (unsigned int)chunks);
	capture_reader_close(reader);
	buffer_free(&names);
}

/* A cut capture gives what is whole of it; only a cut between chunks looks like an end. */
static void cut_everywhere(void)
{
	struct buffer capture = { 0 }, told = { 0 };
	unsigned int wrong_text = 0, wrong_end = 0, ends = 0, shrinks = 0, partial = 0;
	size_t longest = 0;

	write_sample_capture(path);
	buffer_read_file(&capture, path, 1 << 20);
	for (size_t bytes = 0; bytes < capture.bytes; bytes++) {
		int status;

		put_file(capture.data, bytes);
		status = read_all(path, &told);
		wrong_end += bytes < CAPTURE_MAGIC_BYTES ? status != -EBADMSG : status && status != -ENODATA;
		ends += status == 0;
		wrong_text += strncmp(told.data, whole, told.bytes) != 0;
		shrinks += told.bytes < longest;
		partial += strlen(told.data) >= 2 && !strcmp(told.data + told.bytes - 2, "R1");
		longest = told.bytes;
	}
	check_number(wrong_end, 0, "a cut capture ends with -ENODATA, without its first 8 bytes it is none");
	check_number(ends, 8, "or with 0 where a chunk ends, the last aside");
	check_number(wrong_text, 0, "and gives a beginning of what the whole gives");
	check_number(shrinks, 0, "the longer it is the more");
	check(partial >= 40, "whole records of a chunk that is cut are among that (%u)", partial);
	buffer_free(&capture);
	buffer_free(&told);
}

/* Every byte of a small capture changed in turn, to three values: any answer will do but a crash or a stall. */
static void flipped(void)
{
	static const unsigned char values[] = { 0xff, 0x80, 0x01 };
	struct buffer capture = { 0 };
	unsigned int answers = 0, other = 0;

	write_sample_capture(path);
	buffer_read_file(&capture, path, 1 << 20);
	for (size_t at = 0; at < capture.bytes; at++) {
		for (size_t i = 0; i < sizeof(values); i++) {
			struct capture_reader *reader;
			struct capture_item item;
			int status;

			capture.data[at] ^= (char)values[i];
			put_file(capture.data, capture.bytes);
			capture.data[at] ^= (char)values[i];
			status = capture_open(&reader, path);
			if (!status) {
				while ((status = capture_next(reader, &item)) == 1)
					answers += hash_bytes(item.data, item.bytes, 1) != 0;
				capture_reader_close(reader);
			}
			other += status && status != -EBADMSG && status != -ENODATA;
		}
	}
	check(answers > 1000, "items of flipped captures were read (%u)", answers);
	check_number(other, 0, "which end properly, or with -EBADMSG or -ENODATA");
	buffer_free(&capture);
}

static void full(void)
{
	struct capture_writer *writer;
	struct rlimit limit = { .rlim_cur = 100000, .rlim_max = RLIM_INFINITY };
	struct ktally_sample sample = sample_of(1);
	struct buffer told = { 0 };
	unsigned int errors = 0, written = 0;
	int fds[2], fd;

	check_number(capture_create(&writer, "/dev/full"), -ENOSPC, "no room to begin is said by capture_create()");
	check_number(capture_create(&writer, "/nowhere/capture"), -ENOENT, "so is a directory that is not there");

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	check_number(capture_create(&writer, path), 0, "a file that may grow to 100000 bytes");
	while (!errors && written < 10000) {
		written++;
		errors += capture_write_record(writer, &sample, sizeof(sample)) == -EFBIG;
	}
	check(errors == 1 && written < 10000, "the write that fails says so (record %u)", written);
	check_number(capture_write_record(writer, &sample, sizeof(sample)), -EFBIG, "and the next one");
	check_number(capture_write(writer, CAPTURE_HOST, host, strlen(host)), -EFBIG, "of any sort");
	check_number(capture_close(writer), -EFBIG, "and capture_close()");
	limit.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_FSIZE, &limit);
	check_number(read_all(path, &told), -ENODATA, "what was written is read");
	check(told.bytes / 2 == (100000 - CAPTURE_MAGIC_BYTES - sizeof(struct capture_header)) / sizeof(sample),
	      "%zu records of it", told.bytes / 2);

	/* Gathered records meet the full disk only when flushed: at the latest in close. */
	fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	check_number(capture_create(&writer, path), 0, "a capture whose disk fills up later");
	capture_write_record(writer, &sample, sizeof(sample));
	for (int other = 3; other < fd + 4; other++) {
		char name[32], target[64] = "";

		snprintf(name, sizeof(name), "/proc/self/fd/%d", other);
		if (readlink(name, target, sizeof(target) - 1) > 0 && !strcmp(target, path))
			dup3(fd, other, O_CLOEXEC);
	}
	check_number(capture_close(writer), -ENOSPC, "is told by capture_close()");
	close(fd);

	signal(SIGPIPE, SIG_IGN);
	fd = dup(STDOUT_FILENO);
	check(!pipe2(fds, O_CLOEXEC), "a pipe");
	fflush(stdout);
	dup2(fds[1], STDOUT_FILENO);
	close(fds[0]);
	errors = capture_create(&writer, "-") != -EPIPE;
	dup2(fd, STDOUT_FILENO);
	close(fd);
	close(fds[1]);
	check_number(errors, 0, "standard output that nobody reads");
	buffer_free(&told);
}

/* Who has a host to sample waits for nobody who holds a pipe and reads nothing of it. The pipe blocks, as it may be another's too. */
static void nobody_is_waited_for(void)
{
	int fds[2], output = dup(STDOUT_FILENO), error = 0;
	struct ktally_sample sample = sample_of(1);
	struct capture_writer *writer;
	time_t began = time(NULL);

	if (!check(!pipe2(fds, O_CLOEXEC), "a pipe"))
		return;
	fflush(stdout);
	dup2(fds[1], STDOUT_FILENO);
	close(fds[1]);
	error = capture_create(&writer, "-");
	dup2(output, STDOUT_FILENO);
	close(output);
	check_number(error, 0, "a capture goes to it");
	capture_wait_for_nobody(writer);
	for (unsigned int i = 0; i < 20000 && !error; i++)
		error = capture_write_record(writer, &sample, sizeof(sample));
	check_number(error, -ETIMEDOUT, "when it is full, that is an error");
	check(time(NULL) - began < 5, "soon");
	check_number(capture_close(writer), -ETIMEDOUT, "once more at the end");
	close(fds[0]);
}

/* A slow reader of standard output that was set not to block; the other end reads standard input. */
static void through_a_pipe(void)
{
	int fds[2], output = dup(STDOUT_FILENO), input = dup(STDIN_FILENO), status;
	struct ktally_sample sample = sample_of(1);
	struct capture_writer *writer;
	struct buffer told = { 0 };
	unsigned int wrong = 0;
	pid_t child;

	check(!pipe(fds), "a pipe");
	fflush(stdout);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	child = fork();
	if (!child) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		wrong += capture_create(&writer, "-") != 0;
		for (unsigned int i = 0; i < 20000 && !wrong; i++)
			wrong += capture_write_record(writer, &sample, sizeof(sample)) != 0;
		wrong += capture_close(writer) != 0;
		_exit(wrong != 0);
	}
	dup2(fds[0], STDIN_FILENO);
	close(fds[0]);
	close(fds[1]);
	usleep(100000);
	check_number(read_all("-", &told), 0, "reads a capture from standard input");
	check_number(told.bytes, 40000, "all 20000 records of it");
	check(waitpid(child, &status, 0) == child && !status, "the writer saw no error");
	dup2(input, STDIN_FILENO);
	close(input);
	close(output);
	buffer_free(&told);
}

static void refusals(void)
{
	struct capture_writer *writer;
	struct capture_reader *reader;
	char *path_too_long = calloc(1, CAPTURE_PATH_MOST + 2);
	size_t most = CAPTURE_HOST_MOST;
	char *text = calloc(1, most + 1);

	memset(path_too_long, 'x', CAPTURE_PATH_MOST + 1);
	capture_create(&writer, path);
	check_number(capture_write(writer, CAPTURE_HOST, text, most + 1), -EFBIG,
		     "what could not be read back is not written");
	check_number(capture_write_mappings(writer, 1, 1, path_too_long, "", 0), -ENAMETOOLONG, "nor too long a path");
	check_number(capture_write_file(writer, &(struct capture_file) { .identity.file = 1 }, path_too_long, NULL, 0), -ENAMETOOLONG,
		     "of a file either");
	check_number(capture_write_file(writer, &(struct capture_file) { .identity.file = 1, .content_bytes = CAPTURE_CONTENT_MOST + 1 }, "/a",
					text, 1), -EFBIG, "nor too large a file");
	check_number(capture_write_record(writer, text, 12), -EINVAL, "nor half words as a record");
	check_number(capture_write(writer, CAPTURE_RECORDS, text, 12), -EINVAL, "nor as records");
	check_number(capture_write(writer, CAPTURE_HOST, text, most), 0, "which leaves the capture usable");
	check_number(capture_close(writer), 0, "to its end");

	put_file("", 0);
	check_number(capture_open(&reader, path), -EBADMSG, "an empty file is no capture");
	put_file("KTALLY\0\2........", 16);
	check_number(capture_open(&reader, path), -EBADMSG, "nor is one of a version to come");
	check_number(capture_open(&reader, "/nowhere"), -ENOENT, "no such file");
	check_number(capture_open(&reader, directory), -EISDIR, "a directory");
	free(path_too_long);
	free(text);
}

int main(void)
{
	if (!mkdtemp(directory)) {
		check(false, "a temporary directory");
		return check_end();
	}
	snprintf(path, sizeof(path), "%s/capture", directory);
	round_trip();
	large();
	cut_everywhere();
	flipped();
	refusals();
	full();
	nobody_is_waited_for();
	through_a_pipe();
	unlink(path);
	rmdir(directory);
	return check_end();
}
