/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Profiles made by hand, for the tests of what goes out. Frames are written as one string, innermost first, separated
 * by blanks: "k:tcp_sendmsg" kernel, "k:nft_do_chain@[nf_tables]" a module's, "u:main@/usr/bin/foo" user,
 * "u:@/usr/lib/libz.so.1" without a name, "a:" without a file, "x:" unknown. Addresses follow from the place in the
 * string unless given as "#HEX" at its end.
 */
#ifndef KTALLY_FAKE_H
#define KTALLY_FAKE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/message.h"
#include "classify/topics.h"
#include "config/categories.h"
#include "export/export.h"
#include "profile/profile.h"

static const struct export_host fake_host = {
	.name = "testhost",
	.id = "",
	.release = "6.1.0-44-amd64",
	.os_name = "Debian GNU/Linux",
	.os_version = "12",
	.realtime = 1700000100000000000ULL,
	.monotonic = 100000000000ULL,
	.rate = 199,
	.clock = KTALLY_CLOCK_CPU,
	.cpus = 4,
};

/* The owner of processes of that name: the same one for the life of the test. */
static inline const struct owner *fake_owner(const char *process)
{
	static struct owners *owners;
	const struct owner owner = { .values = { [OWNER_SERVICE] = process, [OWNER_PROCESS] = process } };

	if (!owners)
		owners = owners_create(OWNER_BY_PROCESS, 100000);
	return owners_get(owners, &owner);
}

static inline struct profile *fake_profile(void)
{
	struct profile *profile = memory_zeroed(1, sizeof(*profile));

	profile->options.cells = true;
	profile->oncpu.tally = tally_create(NULL, fake_owner("other"));
	profile->offcpu.tally = tally_create(NULL, fake_owner("other"));
	profile->symbols = symbols_create(0);
	profile->first_time = 50000000000ULL;
	profile->last_time = 70000000000ULL;
	profile->thin = 1;
	return profile;
}

static inline void fake_free(struct profile *profile)
{
	map_free_values(&profile->oncpu.cells);
	map_free_values(&profile->offcpu.cells);
	map_free_values(&profile->stacks);
	map_free_values(&profile->tasks);
	tally_destroy(profile->oncpu.tally);
	tally_destroy(profile->offcpu.tally);
	symbols_destroy(profile->symbols);
	topics_destroy(profile->topics);
	categories_destroy(profile->options.categories);
	free(profile);
}

static inline struct task *fake_task(struct profile *profile, uint32_t pid, uint32_t tid, const char *process,
				     const char *comm)
{
	struct task *task = memory_zeroed(1, sizeof(*task) + strlen(process) + 1);

	task->id = profile->tasks.used + 1;
	task->mm_id = pid;
	task->pid = pid;
	task->tid = tid;
	task->process_name = strcpy((char *)(task + 1), process);	/* each its own, as of real ones */
	task->owner = fake_owner(process);
	task->comm = intern(comm);
	map_put(&profile->tasks, task->id, task);
	return task;
}

/* The owner with these attributes, "service.name=shop\n...". */
static inline const struct owner *fake_owner_of(const char *lines)
{
	static struct owners *owners;
	struct owner_draft draft = { 0 };

	if (!owners)
		owners = owners_create(OWNER_BY_PROCESS, 1000);
	owner_read(lines, strlen(lines), &draft);
	return owners_get(owners, &draft.owner);
}

/* Puts all cells into the categories that the text of a configuration has. */
static inline void fake_categorize(struct profile *profile, const char *configuration)
{
	struct document *document;
	struct map *all[] = { &profile->oncpu.cells, &profile->offcpu.cells };

	if (document_parse(&document, "test.yaml", configuration, strlen(configuration)))
		abort();
	profile->options.categories = config_categories(document, "none");
	profile->topics = topics_create(profile->options.categories);
	document_free(document);
	for (size_t i = 0; i < 2; i++) {
		for (struct map_slot *slot = map_next(all[i], NULL); slot; slot = map_next(all[i], slot)) {
			struct profile_cell *cell = slot->value;
			const struct topic_set *set = topics_of_stack(profile->topics, cell->stack, NULL, NULL);

			cell->topics = topics_in_syscall(profile->topics, set, cell->stack->class.syscall_name);
		}
	}
}

static inline void fake_frame(struct frame *frame, const char *text, size_t bytes, unsigned int place)
{
	char copy[1024];
	char *object, *address;

	snprintf(copy, sizeof(copy), "%.*s", (int)bytes, text);
	address = strrchr(copy, '#');
	if (address)
		*address++ = '\0';
	object = strrchr(copy, '@');
	if (object)
		*object++ = '\0';
	*frame = (struct frame){
		.kind = FRAME_NATIVE, .address = 0x7f0000001000 + 16 * place, .object_address = 0x1000 + 16 * place,
	};
	frame->function = copy[2] ? intern(copy + 2) : NULL;
	frame->function_offset = frame->function ? 4 : 0;
	frame->object = object ? intern(object) : NULL;
	if (copy[0] == 'k') {
		frame->kind = FRAME_KERNEL;
		frame->address = frame->object_address = 0xffffffff81000000 + 16 * place;
		frame->object = object ? frame->object : intern("[kernel]");
	} else if (copy[0] == 'a') {
		frame->kind = FRAME_ANONYMOUS;
	} else if (copy[0] == 'x') {
		frame->kind = FRAME_UNKNOWN;
	}
	if (address && frame->kind == FRAME_NATIVE)
		frame->object_address = strtoull(address, NULL, 16);
	else if (address)
		frame->address = strtoull(address, NULL, 16);
}

static inline struct stack *fake_stack(struct profile *profile, const char *area, const char *frames)
{
	struct stack *stack = memory_zeroed(1, sizeof(*stack) + (strlen(frames) / 2 + 1) * sizeof(stack->frames[0]));
	unsigned int count = 0;

	for (const char *at = frames; *at; at += strspn(at, " ")) {
		size_t bytes = strcspn(at, " ");

		fake_frame(&stack->frames[count], at, bytes, count);
		count++;
		if (*at == 'k')
			stack->kernel_frames++;
		else
			stack->user_frames++;
		at += bytes;
	}
	stack->id = profile->stacks.used + 1;
	stack->kernel_end = stack->kernel_frames ? KTALLY_END_COMPLETE : KTALLY_END_NONE;
	stack->user_end = stack->user_frames ? KTALLY_END_COMPLETE : KTALLY_END_NONE;
	stack->named = true;
	stack->class.area = intern(area);
	map_put(&profile->stacks, stack->id, stack);
	return stack;
}

static inline void fake_source_cell(struct profile_source *source, const struct task *task, const struct stack *stack,
				    const char *cause, uint64_t samples, uint64_t weight)
{
	struct profile_cell *cell = memory_zeroed(1, sizeof(*cell));
	struct class class = stack->class;

	class.cause = intern(cause);
	*cell = (struct profile_cell){
		.stack = stack, .task = task, .cause = class.cause, .samples = samples, .weight = weight,
	};
	map_put(&source->cells, source->cells.used + 1, cell);
	tally_add(source->tally, tally_row(source->tally, task->owner, &class, class.syscall_name), samples, weight);
	source->samples += samples;
	source->weight += weight;
}

static inline void fake_cell(struct profile *profile, const struct task *task, const struct stack *stack,
			     uint64_t samples, uint64_t weight)
{
	fake_source_cell(&profile->oncpu, task, stack, NULL, samples, weight);
}

static inline void fake_wait(struct profile *profile, const struct task *task, const struct stack *stack, const char *cause,
			     uint64_t waits, uint64_t weight)
{
	fake_source_cell(&profile->offcpu, task, stack, cause, waits, weight);
}

/* What a writer writes; *error is what it returned. To be freed. */
static inline char *fake_export_source(export_writer *writer, const struct profile *profile, uint32_t sources, size_t *bytes,
				       int *error)
{
	char *text = NULL;
	FILE *file = open_memstream(&text, bytes);

	*error = writer(file, profile, sources, &fake_host);
	fclose(file);
	return text;
}

static inline char *fake_export(export_writer *writer, const struct profile *profile, size_t *bytes, int *error)
{
	return fake_export_source(writer, profile, KTALLY_SOURCE_ONCPU, bytes, error);
}

/* What a writer returns when the disk is full. */
static inline int fake_export_full(export_writer *writer, const struct profile *profile)
{
	FILE *file = fopen("/dev/full", "w");
	int error = file ? writer(file, profile, KTALLY_SOURCE_ONCPU, &fake_host) : -1;

	if (file)
		fclose(file);
	return error;
}

static inline bool fake_have(const char *program)
{
	char command[256];

	snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", program);
	return system(command) == 0;
}

/* Standard output of a shell command; *status is its exit status. To be freed. */
static inline char *fake_output(const char *command, int *status)
{
	struct buffer text = { 0 };
	FILE *pipe = popen(command, "r");
	int failed = pipe ? buffer_read_fd(&text, fileno(pipe), 256 << 20) : -1;

	*status = pipe ? pclose(pipe) : -1;
	if (failed)
		*status = -1;
	return text.data;
}

#endif
