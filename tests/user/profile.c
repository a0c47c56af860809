// SPDX-License-Identifier: GPL-2.0-or-later
/* profile/profile.h: records in any order that rings allow, as a capture has them. */
#include <time.h>

#include "base/buffer.h"
#include "capture/capture.h"
#include "check.h"
#include "fake_records.h"
#include "profile/profile.h"
#include "profile/state.h"

static const char kallsyms[] =
	"ffffffff81000000 T entry_SYSCALL_64\nffffffff81001000 T vfs_read\nffffffff81002000 T _etext\n";

static void feed_mappings(struct profile *profile, uint64_t mm_id, const char *executable, const char *text)
{
	const struct capture_item item = {
		.type = CAPTURE_MAPPINGS,
		.data = text,
		.bytes = strlen(text),
		.mm_id = mm_id,
		.pid = 0,
		.path = executable,
	};

	profile_feed_item(profile, &item);
}

static const struct tally_row *row_of(const struct profile *profile, const char *process, const char *syscall)
{
	const struct tally_row *found = NULL;
	size_t count;
	struct tally_row **rows = tally_rows(profile->oncpu.tally, &count);

	for (size_t i = 0; i < count; i++)
		if (!strcmp(owner_label(rows[i]->owner), process) && check_same(rows[i]->syscall_name, syscall))
			found = rows[i];
	return found;
}

static void recorded(void)
{
	const struct profile_options options = { .cells = true };
	struct profile *profile = profile_create(&options);
	const struct capture_item kernel = { .type = CAPTURE_KALLSYMS,
					     .data = kallsyms,
					     .bytes = sizeof(kallsyms) - 1 };
	struct ktally_task task = task_record(1, MM, 100, 101, "worker\x1b\xff");
	const uint64_t kernel_frames[] = { 0xffffffff81001010, 0xffffffff81000020 },
		       user_frames[] = { 0x401234, 0x999999 };
	struct profile_sample sample;
	const struct profile_cell *cell;
	const struct tally_row *row;

	profile_feed_item(profile, &kernel);
	feed_task(profile, &task);
	feed_mappings(profile, MM, "/opt/bin/server (deleted)",
		      "00400000-00500000 r-xp 00001000 00:63 77 /opt/bin/server (deleted)\n");
	feed_stack(profile, 11, MM, kernel_frames, 2, user_frames, 2);
	check(feed_sample(profile, 11, 1, 7 * SECOND, 1000, 0, &sample), "a sample is resolved");
	check_string(sample.task->comm, "worker??", "the name is printable");
	check_string(sample.task->executable, "/opt/bin/server", "mappings that come after the task are its own too");
	check_string(sample.task->process_name, "server", "and give the process its name");
	check(sample.task->pid == 100 && sample.task->tid == 101 && sample.task->cgroup_id == 9 &&
		      sample.task->parent == 1,
	      "who it is");
	check_string(sample.syscall, "read", "the system call by its number");
	check(sample.stack->named && sample.stack->kernel_frames == 2 && sample.stack->user_frames == 2,
	      "its stack is named");
	check_string(sample.stack->frames[0].function, "vfs_read", "a kernel frame");
	check_number(sample.stack->frames[0].address, 0xffffffff81001010, "at its address");
	check_string(sample.stack->frames[0].object, "[kernel]", "in the kernel");
	check_string(sample.stack->frames[1].function, "entry_SYSCALL_64", "the next");
	check(sample.stack->frames[2].kind == FRAME_NATIVE && !sample.stack->frames[2].function,
	      "a frame of a file that is not here");
	check_string(sample.stack->frames[2].object, "/opt/bin/server", "names the file");
	check_number(sample.stack->frames[2].object_address, 0x2234, "and the offset in it");
	check(sample.stack->frames[3].kind == FRAME_UNKNOWN && !sample.stack->frames[3].object,
	      "a frame outside of all mappings");
	check_string(sample.stack->class.runtime, "kernel", "the stack is classified");
	check_number(profile->user_ends[KTALLY_END_BROKEN], 1, "that its user stack breaks off is counted");

	check(feed_sample(profile, 11, 1, 6 * SECOND, 500, KTALLY_SYSCALL_NONE, &sample), "a second sample");
	check_string(sample.syscall, NULL, "without a system call");
	check_number(profile->user_ends[KTALLY_END_BROKEN], 2, "and its stack counts once more");
	check(profile->first_time == 6 * SECOND && profile->last_time == 7 * SECOND,
	      "rings are not in the order of time");
	check(profile->oncpu.samples == 2 && profile->oncpu.weight == 1500, "samples and their time");
	check_number(profile->oncpu.cells.used, 1, "one cell");
	cell = map_next(&profile->oncpu.cells, NULL)->value;
	check(cell->samples == 2 && cell->weight == 1500 && cell->stack == sample.stack && cell->task == sample.task,
	      "has both");
	row = row_of(profile, "server", "read");
	check(row && row->weight == 1000 && row->samples == 1, "they are tallied");

	task = task_record(2, MM, 100, 102, "other");
	feed_task(profile, &task);
	check(feed_sample(profile, 11, 2, 8 * SECOND, 1, 0, &sample), "another thread, the same stack");
	check_string(sample.task->process_name, "server", "of the same process");
	check_number(profile->oncpu.cells.used, 2, "another cell");
	feed_exit(profile, &task, 9 * SECOND);
	task = task_record(3, 0, 2, 2, "kthreadd");
	task.time = 500 * SECOND;
	feed_task(profile, &task);
	check(symbols_have_mappings(profile->symbols, MM), "mappings of a capture are kept whoever ends");
	profile_destroy(profile);
}

static void losses(void)
{
	const struct profile_options options = { 0 };
	struct profile *profile = profile_create(&options);
	struct ktally_task task = task_record(1, MM, 100, 100, "prog");
	struct ktally_lost lost = { .header = { .type = KTALLY_RECORD_LOST, .size = sizeof(lost) },
				    .cause = KTALLY_LOST_BUSY,
				    .loss = { 3, 300 } };
	struct ktally_throttle throttle = { .header = { .type = KTALLY_RECORD_THROTTLE, .size = sizeof(throttle) },
					    .thin = 4 };
	struct ktally_record unknown = { .type = 99, .size = 8 };
	const struct tally_row *row;

	check_number(profile->thin, 1, "nothing is thinned at first");
	profile_feed(profile, &lost.header, NULL);
	profile_feed(profile, &lost.header, NULL);
	check(profile->lost[KTALLY_LOST_BUSY].count == 6 && profile->lost[KTALLY_LOST_BUSY].weight == 600,
	      "losses add up");
	lost.cause = KTALLY_LOST_CAUSES;
	profile_feed(profile, &lost.header, NULL);
	check_number(profile->bad_records, 1, "a cause that does not exist");
	profile_feed(profile, &throttle.header, NULL);
	check(profile->throttles == 1 && profile->thin == 4, "thinning");
	check(!profile_feed(profile, &unknown, NULL), "a record of a newer module");
	check_number(profile->bad_records, 1, "is nothing bad");

	check(!feed_sample(profile, 11, 1, 1, 10, 0, NULL), "a sample without task and stack");
	feed_task(profile, &task);
	check(!feed_sample(profile, 11, 1, 1, 20, 0, NULL), "a sample without stack");
	feed_stack(profile, 11, 0, NULL, 0, NULL, 0);
	check(!feed_sample(profile, 11, 2, 1, 30, 0, NULL), "a sample without task");
	check(feed_sample(profile, 11, 1, 1, 40, 0, NULL), "a sample with both, of no frames");
	check_number(profile->orphans, 3, "orphans are counted");
	check(profile->oncpu.samples == 4 && profile->oncpu.weight == 100, "and their time is");
	row = row_of(profile, "unknown", "read");
	check(row && row->weight == 60 && check_same(row->class.area, "unknown"), "under its own name");
	check_number(profile->oncpu.cells.used, 0, "no cells when not asked for");
	profile_destroy(profile);
}

static void process_names(void)
{
	static const struct {
		const char *comm, *name;
		uint64_t mm_id;
		uint32_t flags;
	} cases[] = {
		{ "kworker/3:1-events", "kworker", 0, KTALLY_TASK_KERNEL },
		{ "kworker/u8:2", "kworker", 0, KTALLY_TASK_KERNEL },
		{ "ksoftirqd/0", "ksoftirqd", 0, KTALLY_TASK_KERNEL },
		{ "swapper/11", "swapper", 0, KTALLY_TASK_KERNEL },
		{ "migration/0", "migration", 0, KTALLY_TASK_KERNEL },
		{ "jbd2/sda1-8", "jbd2", 0, KTALLY_TASK_KERNEL },
		{ "scsi_eh_12", "scsi_eh", 0, KTALLY_TASK_KERNEL },
		{ "iou-wrk-1234", "iou-wrk", MM, KTALLY_TASK_KERNEL },
		{ "md0_raid1", "md0_raid1", 0, KTALLY_TASK_KERNEL },
		{ "rcu_preempt", "rcu_preempt", 0, KTALLY_TASK_KERNEL },
		{ "/odd", "/odd", 0, KTALLY_TASK_KERNEL },
		{ "1234", "1234", 0, KTALLY_TASK_KERNEL },
		{ "bash", "bash", MM, 0 },
		{ "a/b-12", "a/b-12", MM, 0 },
		{ "sixteen_bytes_16", "sixteen_bytes_16", MM, 0 },
	};
	const struct profile_options options = { 0 };
	struct profile *profile = profile_create(&options);

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ktally_task record = task_record(i + 1, cases[i].mm_id, i + 1, i + 1, cases[i].comm);
		const struct task *task;

		record.task_flags = cases[i].flags;
		profile_feed(profile, &record.header, NULL);
		task = map_get(&profile->tasks, i + 1);
		check_string(task->process_name, cases[i].name, "process of %s", cases[i].comm);
	}
	profile_destroy(profile);
}

static void forgetting(bool cells)
{
	const struct profile_options options = { .cells = cells };
	struct profile *profile = profile_create(&options);
	const char *mode = cells ? "with cells" : "without cells";
	unsigned int stays = cells ? 1 : 0;
	struct profile_sample sample;

	for (unsigned int i = 1; i <= 100; i++) {
		struct ktally_task task = task_record(i, MM, 10, i, "prog");

		profile_feed(profile, &task.header, NULL);
		feed_stack(profile, i, 0, NULL, 0, NULL, 0);
	}
	feed_sample(profile, 1, 1, 1, 1, 0, NULL);
	profile_forget(profile);
	check(profile->tasks.used == 100 && profile->stacks.used == 100, "%s: what was announced a moment ago stays",
	      mode);
	feed_sample(profile, 2, 2, 1, 1, 0, NULL);
	profile_forget(profile);
	check(profile->tasks.used == 1 + stays && profile->stacks.used == 1 + stays, "%s: what was sampled stays",
	      mode);
	profile_forget(profile);
	check(profile->tasks.used == 2 * stays && profile->stacks.used == 2 * stays,
	      "%s: then only what cells refer to", mode);
	feed_stack(profile, 2, 0, NULL, 0, NULL, 0);
	{
		struct ktally_task task = task_record(2, MM, 10, 2, "prog");

		profile_feed(profile, &task.header, NULL);
	}
	check(feed_sample(profile, 2, 2, 1, 1, 0, &sample), "%s: what is announced again is known again", mode);
	check_number(profile->oncpu.cells.used, cells ? 2 : 0, "%s: in its old cell", mode);
	profile_destroy(profile);
}

static void classes_only(void)
{
	const struct profile_options options = { .classes_only = true };
	struct profile *profile = profile_create(&options);
	struct ktally_task task = task_record(1, MM, 100, 100, "prog");
	const uint64_t kernel_frames[] = { 0xffffffff81001010 };
	struct profile_sample sample;

	symbols_load_kernel(profile->symbols, kallsyms, sizeof(kallsyms) - 1);
	feed_task(profile, &task);
	feed_stack(profile, 11, 0, kernel_frames, 1, NULL, 0);
	check(feed_sample(profile, 11, 1, 1, 1, -1, &sample), "a sample");
	check(sample.stack->named && !sample.stack->kernel_frames && !sample.stack->user_frames,
	      "its stack has no frames any more");
	check_string(sample.stack->class.runtime, "kernel", "but its class");
	feed_stack(profile, 11, 0, kernel_frames, 1, NULL, 0);
	check(feed_sample(profile, 11, 1, 1, 1, -1, &sample) && map_get(&profile->stacks, 11) == sample.stack,
	      "announced again it is the same");
	profile_destroy(profile);
}

static void mappings_only(void)
{
	const struct profile_options options = { .mappings_only = true };
	struct profile *profile = profile_create(&options);
	struct ktally_task task = task_record(1, MM, 100, 100, "prog");
	const uint64_t kernel_frames[] = { 0xffffffff81001010 };
	struct symbols_statistics statistics;
	struct profile_sample sample;

	symbols_load_kernel(profile->symbols, kallsyms, sizeof(kallsyms) - 1);
	feed_task(profile, &task);
	feed_stack(profile, 11, 0, kernel_frames, 1, NULL, 0);
	check(feed_sample(profile, 11, 1, 1, 5, -1, &sample), "a sample for a recorder");
	check(!sample.stack->kernel_frames && !sample.stack->class.area, "is neither named nor classified");
	symbols_get_statistics(profile->symbols, &statistics);
	check_number(statistics.frames_named, 0, "no frame is");
	check(profile->oncpu.samples == 1 && profile->oncpu.weight == 5, "but it is counted");
	profile_destroy(profile);
}

static void items(void)
{
	const struct profile_options options = { 0 };
	struct profile *profile = profile_create(&options);
	struct ktally_task task = task_record(1, MM, 100, 100, "prog");
	struct capture_item item = { .type = CAPTURE_RECORDS, .data = &task, .bytes = sizeof(task) };
	struct buffer twice = { 0 };

	profile_feed_item(profile, &item);
	check(profile->tasks.used == 1 && !profile->bad_records, "a chunk of records");
	buffer_append(&twice, &task, sizeof(task));
	buffer_append(&twice, &task, sizeof(task) - 8);
	((struct ktally_task *)twice.data)->task_id = 2;
	item.data = twice.data;
	item.bytes = twice.bytes;
	profile_feed_item(profile, &item);
	check(profile->tasks.used == 2 && profile->bad_records == 1, "one that ends within a record");
	buffer_free(&twice);
	item = (struct capture_item){ .type = CAPTURE_KALLSYMS, .data = "nonsense", .bytes = 8 };
	profile_feed_item(profile, &item);
	item = (struct capture_item){ .type = CAPTURE_MAPPINGS,
				      .data = "nonsense",
				      .bytes = 8,
				      .mm_id = 5,
				      .path = "" };
	profile_feed_item(profile, &item);
	check(symbols_have_mappings(profile->symbols, 5) && !symbols_executable(profile->symbols, 5),
	      "mappings of nothing");
	item = (struct capture_item){ .type = 77, .data = "x", .bytes = 1 };
	profile_feed_item(profile, &item);
	check(!symbols_kernel_has(profile->symbols, "", true), "kernel symbols that are none give no names");
	profile_destroy(profile);
}

/* To find out what runtime a program has takes a look at all its mappings: that is of its own time. */
static void runtime_in_turn(void)
{
	const struct profile_options options = { .classes_only = true };
	struct profile *profile = profile_create(&options);
	const struct ktally_task task = task_record(1, 77, 7, 7, "many");
	const uint64_t user[] = { 0x1000 };
	struct buffer maps = { 0 };
	uint64_t began;

	for (unsigned int i = 1; i <= 16000; i++)
		buffer_format(&maps, "%x000-%x800 r-xp 00000000 fe:00 %u /%0500u\n", i, i, i, i);
	feed_mappings(profile, 77, "/many", maps.data);
	feed_task(profile, &task);
	feed_stack(profile, 5, 77, NULL, 0, user, 1);
	began = turns_begin();
	feed_sample(profile, 5, 1, 1000, 1000, -1, NULL);
	began = turns_begin() - began;
	check(state_of(profile)->turns.time > began / 2, "it is added up: %lu of %lu ns", (unsigned long)state_of(profile)->turns.time, (unsigned long)began);
	profile_destroy(profile);
	buffer_free(&maps);
}

#define RENAMINGS	32000

/* One thread with a new name at each sample: what is known of its earlier names is not gone through each time. */
static void renamed(void)
{
	const struct profile_options options = { .live = true, .classes_only = true };
	struct profile *profile = profile_create(&options);
	clock_t began = clock();
	struct ktally_task task;
	char comm[16];

	for (unsigned int i = 0; i < RENAMINGS; i++) {
		snprintf(comm, sizeof(comm), "n%u", i);
		task = task_record(1000 + i, 77, UINT32_MAX, UINT32_MAX, comm);
		task.time = 1000000ULL * (1 + i);
		profile_feed(profile, &task.header, NULL);
	}
	check_number(profile->tasks.used, RENAMINGS, "a thread has as many names as it likes");
	check((clock() - began) / CLOCKS_PER_SEC < 3, "in a time that grows with their number: %.2f s", (double)(clock() - began) / CLOCKS_PER_SEC);
	profile_destroy(profile);
}

int main(void)
{
	recorded();
	losses();
	process_names();
	forgetting(false);
	forgetting(true);
	classes_only();
	mappings_only();
	items();
	renamed();
	runtime_in_turn();
	return check_end();
}
