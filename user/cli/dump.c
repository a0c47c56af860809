// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ktally dump: the records of a capture as they are, one JSON object a line, in the file's order. Fields have the names
 * of <linux/ktally.h>. Ids and addresses are strings in hexadecimal, since they use all 64 bits and readers of JSON
 * commonly keep 53; all other numbers are numbers. What is in a capture beside records has lines of its own.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "cli/command.h"
#include "cli/load.h"
#include "export/output.h"
#include "lib/libktally.h"
#include "profile/frame.h"

static const char help[] =
	"usage: ktally dump [-i FILE]\n"
	"\n"
	"Writes the raw records of a capture as JSON, one object a line, with the names of <linux/ktally.h>.\n"
	"\n"
	"  -i, --input FILE        the capture (" LOAD_DEFAULT "); - is standard input\n"
	"  -h, --help\n"
	"\n"
	"See ktally-dump(1).\n";

static const struct option long_options[] = {
	{ "input", required_argument, NULL, 'i' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static void number(struct buffer *line, const char *name, uint64_t value)
{
	buffer_format(line, ",\"%s\":%" PRIu64, name, value);
}

static void hexadecimal(struct buffer *line, const char *name, uint64_t value)
{
	buffer_format(line, ",\"%s\":\"0x%" PRIx64 "\"", name, value);
}

static void word(struct buffer *line, const char *name, const char *value)
{
	buffer_format(line, ",\"%s\":", name);
	buffer_json_string(line, value);
}

/* The name of a constant, or its number if it has none here: it may be from a newer module. */
static void constant(struct buffer *line, const char *name, const char *const *names, size_t count, uint64_t value)
{
	if (value < count && names[value])
		word(line, name, names[value]);
	else
		number(line, name, value);
}

#define CONSTANT(line, name, names, value) constant(line, name, names, sizeof(names) / sizeof((names)[0]), value)

static const char *const record_names[] = {
	[KTALLY_RECORD_TASK] = "task", [KTALLY_RECORD_EXIT] = "exit", [KTALLY_RECORD_STACK] = "stack",
	[KTALLY_RECORD_SAMPLE] = "sample", [KTALLY_RECORD_LOST] = "lost", [KTALLY_RECORD_THROTTLE] = "throttle",
	[KTALLY_RECORD_OFFCPU] = "offcpu", [KTALLY_RECORD_FILE] = "file",
};

static const char *const cause_names[] = {
	[KTALLY_LOST_FULL] = "full", [KTALLY_LOST_BUSY] = "busy", [KTALLY_LOST_NOTICE] = "notice",
	[KTALLY_LOST_THREADS] = "threads",
};

static const char *const state_names[] = {
	[KTALLY_OFFCPU_SLEEP] = "sleep", [KTALLY_OFFCPU_DISK] = "disk", [KTALLY_OFFCPU_IOWAIT] = "iowait",
	[KTALLY_OFFCPU_STOPPED] = "stopped", [KTALLY_OFFCPU_PREEMPTED] = "preempted",
	[KTALLY_OFFCPU_YIELDED] = "yielded", [KTALLY_OFFCPU_CREATED] = "created",
};

static void write_task(struct buffer *line, const struct ktally_task *task)
{
	char comm[KTALLY_COMM_BYTES + 1] = "";

	memcpy(comm, task->comm, KTALLY_COMM_BYTES);
	number(line, "time", task->time);
	hexadecimal(line, "task_id", task->task_id);
	hexadecimal(line, "mm_id", task->mm_id);
	number(line, "cgroup_id", task->cgroup_id);
	number(line, "start_time", task->start_time);
	number(line, "pid", task->pid);
	number(line, "tid", task->tid);
	number(line, "parent", task->parent);
	number(line, "task_flags", task->task_flags);
	word(line, "comm", comm);
}

static void write_exit(struct buffer *line, const struct ktally_exit *record)
{
	number(line, "time", record->time);
	number(line, "start_time", record->start_time);
	number(line, "pid", record->pid);
	number(line, "tid", record->tid);
}

/* "kernel 0xffffffff81000000": the type of the frame and its value, for kernel frames with the upper four bits set. */
static void write_frame(struct buffer *line, uint64_t frame)
{
	uint64_t type = frame >> KTALLY_FRAME_TYPE_SHIFT, value = frame & KTALLY_FRAME_VALUE_MASK;

	if (type == KTALLY_FRAME_KERNEL)
		buffer_format(line, "\"kernel 0x%" PRIx64 "\"", (uint64_t)(value | ~KTALLY_FRAME_VALUE_MASK));
	else if (type == KTALLY_FRAME_USER)
		buffer_format(line, "\"user 0x%" PRIx64 "\"", value);
	else if (type == KTALLY_FRAME_FILE)
		buffer_format(line, "\"file %u 0x%" PRIx64 "\"", (unsigned int)(value >> KTALLY_FRAME_FILE_SHIFT),
			      (uint64_t)(value & KTALLY_FRAME_OFFSET_MASK));
	else
		buffer_format(line, "\"%" PRIu64 " 0x%" PRIx64 "\"", type, value);
}

static void write_stack(struct buffer *line, const struct ktally_stack *stack)
{
	hexadecimal(line, "stack_id", stack->stack_id);
	hexadecimal(line, "mm_id", stack->mm_id);
	number(line, "kernel_frames", stack->kernel_frames);
	number(line, "user_frames", stack->user_frames);
	CONSTANT(line, "kernel_end", stack_end_names, stack->kernel_end);
	CONSTANT(line, "user_end", stack_end_names, stack->user_end);
	buffer_string(line, ",\"frames\":[");
	for (unsigned int i = 0; i < (unsigned int)stack->kernel_frames + stack->user_frames; i++) {
		buffer_string(line, i ? "," : "");
		write_frame(line, stack->frames[i]);
	}
	buffer_string(line, "]");
}

static void write_sample(struct buffer *line, const struct ktally_sample *sample)
{
	number(line, "time", sample->time);
	hexadecimal(line, "stack_id", sample->stack_id);
	hexadecimal(line, "task_id", sample->task_id);
	number(line, "weight", sample->weight);
	number(line, "tid", sample->tid);
	buffer_format(line, ",\"syscall\":%" PRId32, sample->syscall);
}

static void write_lost(struct buffer *line, const struct ktally_lost *lost)
{
	number(line, "time", lost->time);
	CONSTANT(line, "cause", cause_names, lost->cause);
	buffer_format(line, ",\"loss\":{\"count\":%" PRIu64 ",\"weight\":%" PRIu64 "}", (uint64_t)lost->loss.count,
		      (uint64_t)lost->loss.weight);
}

static void write_throttle(struct buffer *line, const struct ktally_throttle *throttle)
{
	number(line, "time", throttle->time);
	number(line, "thin", throttle->thin);
	number(line, "spent", throttle->spent);
	number(line, "window", throttle->window);
}

static void write_offcpu(struct buffer *line, const struct ktally_offcpu *offcpu)
{
	number(line, "time", offcpu->time);
	hexadecimal(line, "stack_id", offcpu->stack_id);
	hexadecimal(line, "task_id", offcpu->task_id);
	number(line, "weight", offcpu->weight);
	number(line, "start", offcpu->start);
	number(line, "blocked", offcpu->blocked);
	number(line, "run_queue", offcpu->run_queue);
	hexadecimal(line, "waker_task_id", offcpu->waker_task_id);
	hexadecimal(line, "waker_stack_id", offcpu->waker_stack_id);
	CONSTANT(line, "state", state_names, offcpu->state);
	buffer_format(line, ",\"syscall\":%" PRId32, offcpu->syscall);
}

static void write_file(struct buffer *line, const struct ktally_file *file)
{
	number(line, "time", file->time);
	number(line, "file", file->file);
	number(line, "generation", file->generation);
	number(line, "inode", file->inode);
	number(line, "device_major", file->device_major);
	number(line, "device_minor", file->device_minor);
	number(line, "bytes", file->bytes);
	buffer_format(line, ",\"changed\":%" PRId64, (int64_t)file->changed);
	buffer_format(line, ",\"modified\":%" PRId64, (int64_t)file->modified);
}

/* A type that this program is too old for: what follows the header, as it is. */
static void write_unknown(struct buffer *line, const struct ktally_record *record)
{
	const unsigned char *byte = (const unsigned char *)(record + 1);

	buffer_string(line, ",\"bytes\":\"");
	for (size_t i = 0; i < record->size - sizeof(*record); i++)
		buffer_format(line, "%02x", byte[i]);
	buffer_string(line, "\"");
}

static void write_record(struct buffer *line, const struct ktally_record *record)
{
	size_t start = line->bytes;

	CONSTANT(line, "type", record_names, record->type);
	line->data[start] = '{';	/* each field begins with a comma */
	number(line, "flags", record->flags);
	number(line, "size", record->size);
	number(line, "cpu", record->cpu);
	switch (record->type) {
	case KTALLY_RECORD_TASK:
		write_task(line, (const void *)record);
		break;
	case KTALLY_RECORD_EXIT:
		write_exit(line, (const void *)record);
		break;
	case KTALLY_RECORD_STACK:
		write_stack(line, (const void *)record);
		break;
	case KTALLY_RECORD_SAMPLE:
		write_sample(line, (const void *)record);
		break;
	case KTALLY_RECORD_LOST:
		write_lost(line, (const void *)record);
		break;
	case KTALLY_RECORD_THROTTLE:
		write_throttle(line, (const void *)record);
		break;
	case KTALLY_RECORD_OFFCPU:
		write_offcpu(line, (const void *)record);
		break;
	case KTALLY_RECORD_FILE:
		write_file(line, (const void *)record);
		break;
	default:
		write_unknown(line, record);
	}
	buffer_string(line, "}\n");
}

/* -EBADMSG: a record is not one, and where the next would begin cannot be known. */
static int write_records(struct output *output, const struct capture_item *item)
{
	int bytes;

	for (size_t at = 0; at < item->bytes && !output->error; at += (size_t)bytes) {
		const char *record = (const char *)item->data + at;

		bytes = ktally_check_record(record, item->bytes - at);
		if (bytes <= 0)
			return -EBADMSG;
		write_record(&output->buffer, (const struct ktally_record *)record);
		output_relieve(output);
	}
	return 0;
}

static void write_values(struct buffer *line, const char *text, size_t bytes)
{
	const char *key, *value, *comma = "";

	buffer_string(line, ",\"values\":{");
	while (load_next_value(&text, &bytes, &key, &value)) {
		buffer_string(line, comma);
		buffer_json_string(line, key);
		buffer_string(line, ":");
		buffer_json_string(line, value);
		comma = ",";
	}
	buffer_string(line, "}}\n");
}

static void write_host(struct buffer *line, const struct capture_item *item)
{
	buffer_string(line, "{\"type\":\"host\"");
	write_values(line, item->data, item->bytes);
}

static void write_owner(struct buffer *line, const struct capture_item *item)
{
	buffer_string(line, "{\"type\":\"owner\"");
	hexadecimal(line, "mm_id", item->mm_id);
	number(line, "cgroup_id", item->cgroup_id);
	write_values(line, item->data, item->bytes);
}

static void write_account(struct buffer *line, const struct capture_item *item)
{
	buffer_string(line, "{\"type\":\"account\"");
	word(line, "lines", item->data);
	buffer_string(line, "}\n");
}

static void write_mappings(struct buffer *line, const struct capture_item *item)
{
	char *text = strndup(item->data, item->bytes);

	buffer_string(line, "{\"type\":\"mappings\"");
	hexadecimal(line, "mm_id", item->mm_id);
	number(line, "pid", item->pid);
	word(line, "executable", item->path);
	word(line, "maps", text ? text : "");
	buffer_string(line, "}\n");
	free(text);
}

static void write_opened(struct buffer *line, const struct capture_item *item)
{
	const struct capture_file *file = &item->file;

	buffer_string(line, "{\"type\":\"opened\"");
	number(line, "file", file->identity.file);
	word(line, "path", item->path);
	buffer_string(line, ",\"build_id\":\"");
	for (size_t i = 0; i < file->build_id_bytes; i++)
		buffer_format(line, "%02x", file->build_id[i]);
	buffer_string(line, "\"");
	buffer_format(line, ",\"deleted\":%s", file->status & KTALLY_FILE_DELETED ? "true" : "false");
	buffer_format(line, ",\"error\":%d", file->error);
	number(line, "content_bytes", file->content_bytes);
	buffer_string(line, "}\n");
}

static int dump(struct output *output, struct capture_reader *reader)
{
	struct capture_item item;
	int status;

	while ((status = capture_next(reader, &item)) == 1 && !output->error) {
		switch (item.type) {
		case CAPTURE_HOST:
			write_host(&output->buffer, &item);
			break;
		case CAPTURE_RECORDS:
			if (write_records(output, &item))
				return -EBADMSG;
			break;
		case CAPTURE_KALLSYMS:
			buffer_format(&output->buffer, "{\"type\":\"kallsyms\",\"bytes\":%zu}\n", item.bytes);
			break;
		case CAPTURE_MAPPINGS:
			write_mappings(&output->buffer, &item);
			break;
		case CAPTURE_FILE:
			write_opened(&output->buffer, &item);
			break;
		case CAPTURE_ACCOUNT:
			write_account(&output->buffer, &item);
			break;
		case CAPTURE_OWNER:
			write_owner(&output->buffer, &item);
			break;
		}
		output_relieve(output);
	}
	return status == 1 ? 0 : status;
}

int command_dump(int argc, char **argv)
{
	struct output output = { .file = stdout };
	struct capture_reader *reader;
	const char *input = LOAD_DEFAULT;
	int option, error, end;

	while ((option = getopt_long(argc, argv, "i:h", long_options, NULL)) != -1) {
		switch (option) {
		case 'i':
			input = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return EXIT_OK;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		message_error("\"%s\": dump takes no arguments; -i names the capture", argv[optind]);
		return EXIT_USAGE;
	}
	error = capture_open(&reader, input);
	if (error)
		return load_explain_open(input, error);
	end = dump(&output, reader);
	capture_reader_close(reader);
	error = output_finish(&output);
	if (!error)
		return load_explain_end(input, end);
	message_error("cannot write standard output: %s", strerror(-error));
	clearerr(stdout);	/* said */
	return EXIT_FAILED;
}
