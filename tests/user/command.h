/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a command of ktally as a process of its own, and makes the capture that it is to read. */
#ifndef KTALLY_TEST_COMMAND_H
#define KTALLY_TEST_COMMAND_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/ktally.h>

#include "base/buffer.h"
#include "base/message.h"
#include "capture/capture.h"
#include "cli/command.h"

struct result {
	int code;		/* exit code, -1: killed */
	char *out, *err;	/* to be freed */
};

static inline char *command_text(int fd)
{
	struct buffer text = { 0 };

	lseek(fd, 0, SEEK_SET);
	if (buffer_read_fd(&text, fd, 256 << 20))
		message_fatal(EXIT_FAILED, "cannot read what a command said: %m");
	close(fd);
	return text.data;
}

/* Arguments are separated by blanks, the first is the name. out: standard output goes there, -1: into the result. */
static inline struct result command_run_to(int (*command)(int argc, char **argv), const char *line, int out)
{
	char *copy = memory_string(line), *rest = copy, *argv[16];
	int kept = memfd_create("out", 0), err = memfd_create("err", 0), argc = 0, status;
	struct result result;
	pid_t child;

	while ((argv[argc] = strsep(&rest, " ")))
		argc++;
	fflush(stdout);
	child = fork();
	if (!child) {
		dup2(out < 0 ? kept : out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
		status = command(argc, argv);
		if (fflush(stdout) && status == EXIT_OK)
			status = 99;		/* nobody said that it failed */
		_exit(status);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		message_fatal(EXIT_FAILED, "cannot run a command: %m");
	result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	result.out = command_text(kept);
	result.err = command_text(err);
	free(copy);
	return result;
}

static inline struct result command_run(int (*command)(int argc, char **argv), const char *line)
{
	return command_run_to(command, line, -1);
}

static inline void result_free(struct result *result)
{
	free(result->out);
	free(result->err);
}

/* ---- a capture of two CPUs: openssl, a kernel thread, a broken stack and one that was never announced ---- */

#define RECORD(type_, struct_, cpu_, ...) \
	(struct struct_){ .header = { .type = (type_), .size = sizeof(struct struct_), .cpu = (cpu_) }, __VA_ARGS__ }

static const uint64_t recording_stacks[][8] = {
	/* id, kernel frames, user frames, user end, frames */
	{ 0x51, 0, 2, KTALLY_END_COMPLETE, 0x2000000000000000 | 0x7f0000001010, 0x2000000000000000 | 0x400100 },
	{ 0x52, 2, 1, KTALLY_END_BROKEN, 0x1fffffff81000104, 0x1fffffff81000208, 0x2000000000000000 | 0x7f0000001020 },
	{ 0x53, 1, 0, KTALLY_END_NONE, 0x1fffffff81000308 },
};

static inline void recording_write_stack(struct capture_writer *writer, const uint64_t *stack, uint64_t mm_id)
{
	struct {
		struct ktally_stack head;
		uint64_t frames[8];
	} record = { 0 };
	size_t count = stack[1] + stack[2];

	record.head.header = (struct ktally_record){
		.type = KTALLY_RECORD_STACK, .size = (uint16_t)(sizeof(record.head) + 8 * count),
	};
	record.head.stack_id = stack[0];
	record.head.mm_id = stack[2] ? mm_id : 0;
	record.head.kernel_frames = (uint16_t)stack[1];
	record.head.user_frames = (uint16_t)stack[2];
	record.head.kernel_end = stack[1] ? KTALLY_END_COMPLETE : KTALLY_END_NONE;
	record.head.user_end = (uint8_t)stack[3];
	memcpy(record.frames, stack + 4, 8 * count);
	capture_write_record(writer, &record, record.head.header.size);
}

static inline void recording_write_task(struct capture_writer *writer, uint64_t id, uint32_t pid, uint32_t tid,
					const char *comm)
{
	struct ktally_task task = RECORD(KTALLY_RECORD_TASK, ktally_task, 0, .time = 1000, .task_id = id,
					 .cgroup_id = 77, .start_time = 5, .pid = pid, .tid = tid, .parent = 1);

	task.mm_id = pid == 2 ? 0 : 0x9000000000000001;
	task.task_flags = pid == 2 ? KTALLY_TASK_KERNEL : 0;
	memcpy(task.comm, comm, strnlen(comm, sizeof(task.comm)));
	capture_write_record(writer, &task, sizeof(task));
}

static inline void recording_write_sample(struct capture_writer *writer, uint16_t cpu, uint64_t time, uint64_t stack,
					  uint64_t task, uint32_t tid, int syscall)
{
	struct ktally_sample sample = RECORD(KTALLY_RECORD_SAMPLE, ktally_sample, cpu, .time = time, .stack_id = stack,
					     .task_id = task, .weight = 5000000, .tid = tid, .syscall = syscall);

	capture_write_record(writer, &sample, sizeof(sample));
}

/* What was learnt of their owners, and the kernel's account. */
static inline void recording_write_owners(struct capture_writer *writer)
{
	static const char space[] = "service.name=shop\nservice.version=1\n";
	static const char cgroup[] = "path=/docker/0123456789abcdef\ncontainer.id=0123456789abcdef\n";
	static const char account[] = "0 20000000 25000000\n77 10000000 9000000\n";

	capture_write_owner(writer, 0x9000000000000001, 0, space, strlen(space));
	capture_write_owner(writer, 0, 77, cgroup, strlen(cgroup));
	capture_write(writer, CAPTURE_ACCOUNT, account, strlen(account));
}

/* mappings: written before the records that need them, or after. */
static inline void recording_make(const char *path, bool mappings_first)
{
	static const char names[] =
		"ffffffff81000000 T start_of_text\nffffffff81000100 t tcp_sendmsg\nffffffff81000200 T do_syscall_64\n"
		"ffffffff81000300 T worker_thread\nffffffff81000400 T end_of_text\n";
	static const char maps[] = "00400000-00401000 r-xp 00000000 08:01 11 /nonexistent/openssl\n"
				   "7f0000001000-7f0000002000 r-xp 00001000 08:01 12 /nonexistent/libcrypto.so.3\n";
	static const char host[] = "hostname=recorded\nrelease=6.1.0-test\nmachine=0123\nclock=1\nrate=199\ncpus=2\n"
				   "realtime=1700000100000000000\nmonotonic=100000000000\ncommand=openssl speed\ncpus-left-out=2-3\n";
	struct ktally_lost lost = RECORD(KTALLY_RECORD_LOST, ktally_lost, 1, .time = 30000000000,
					 .cause = KTALLY_LOST_FULL, .loss = { .count = 3, .weight = 15000000 });
	struct ktally_throttle throttle = RECORD(KTALLY_RECORD_THROTTLE, ktally_throttle, 0, .time = 31000000000,
						 .thin = 4, .spent = 7, .window = 9);
	struct ktally_exit ended =
		RECORD(KTALLY_RECORD_EXIT, ktally_exit, 0, .time = 32000000000, .start_time = 5, .pid = 10, .tid = 11);
	struct { struct ktally_record header; uint64_t what; } unknown = { { .type = 999, .size = 16 }, 0xfeedULL };
	struct ktally_file file =
		RECORD(KTALLY_RECORD_FILE, ktally_file, 0, .time = 33000000000, .file = 7, .generation = 8, .inode = 9,
		       .device_major = 254, .device_minor = 1, .bytes = 10, .changed = -11, .modified = 12);
	struct capture_writer *writer;

	if (capture_create(&writer, path))
		message_fatal(EXIT_FAILED, "cannot create %s", path);
	capture_write(writer, CAPTURE_HOST, host, strlen(host));
	capture_write_kallsyms(writer, names, strlen(names));
	if (mappings_first)
		capture_write_mappings(writer, 0x9000000000000001, 10, "/nonexistent/openssl", maps, strlen(maps));
	recording_write_owners(writer);
	recording_write_task(writer, 0xa1, 10, 10, "openssl");
	recording_write_task(writer, 0xa2, 10, 11, "0123456789abcdef");
	recording_write_task(writer, 0xa3, 2, 2, "kthreadd");
	for (size_t i = 0; i < sizeof(recording_stacks) / sizeof(recording_stacks[0]); i++)
		recording_write_stack(writer, recording_stacks[i], 0x9000000000000001);
	recording_write_sample(writer, 0, 20000001000, 0x51, 0xa1, 10, -1);
	recording_write_sample(writer, 0, 24000001000, 0x52, 0xa2, 11, 1);
	/* Ring after ring: earlier than the one before. */
	recording_write_sample(writer, 1, 21000001000, 0x53, 0xa3, 2, -1);
	recording_write_sample(writer, 1, 23000001000, 0x51, 0xa1, 10, -1);
	recording_write_sample(writer, 1, 23500001000, 0x99, 0xa1, 10, -1);	/* of no announced stack */
	capture_write_record(writer, &lost, sizeof(lost));
	capture_write_record(writer, &throttle, sizeof(throttle));
	capture_write_record(writer, &ended, sizeof(ended));
	capture_write_record(writer, &file, sizeof(file));
	capture_write_record(writer, &unknown, sizeof(unknown));
	if (!mappings_first)
		capture_write_mappings(writer, 0x9000000000000001, 10, "/nonexistent/openssl", maps, strlen(maps));
	if (capture_close(writer))
		message_fatal(EXIT_FAILED, "cannot write %s", path);
}

/* The first so many bytes of a file, into another. */
static inline void recording_cut(const char *from, const char *to, size_t bytes)
{
	struct buffer whole = { 0 };
	FILE *file = fopen(to, "w");

	if (!file || buffer_read_file(&whole, from, 1 << 20) || bytes > whole.bytes ||
	    fwrite(whole.data, 1, bytes, file) != bytes || fclose(file))
		message_fatal(EXIT_FAILED, "cannot cut %s", from);
	buffer_free(&whole);
}

static inline size_t recording_bytes(const char *path)
{
	struct buffer whole = { 0 };
	size_t bytes;

	if (buffer_read_file(&whole, path, 1 << 20))
		message_fatal(EXIT_FAILED, "cannot read %s", path);
	bytes = whole.bytes;
	buffer_free(&whole);
	return bytes;
}

#endif
