// SPDX-License-Identifier: GPL-2.0-or-later
/* profile/profile.h: records in any order that rings allow, from captures and about live processes. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "capture/capture.h"
#include "check.h"
#include "fake_elf.h"
#include "profile/profile.h"
#include "symbols/proc.h"

#define SECOND	1000000000ULL
#define MM	0x77

static const char kallsyms[] =
	"ffffffff81000000 T entry_SYSCALL_64\nffffffff81001000 T vfs_read\nffffffff81002000 T _etext\n";

/* ------------------------------------------------------------------------------------------------ records */

static struct ktally_task task_record(uint64_t id, uint64_t mm_id, uint32_t pid, uint32_t tid, const char *comm)
{
	struct ktally_task task = {
		.header = { .type = KTALLY_RECORD_TASK, .size = sizeof(task) },
		.time = 5 * SECOND, .task_id = id, .mm_id = mm_id, .cgroup_id = 9, .start_time = 3 * SECOND, .pid = pid, .tid = tid, .parent = 1,
	};

	memcpy(task.comm, comm, strnlen(comm, sizeof(task.comm)));
	return task;
}

static void feed_task(struct profile *profile, const struct ktally_task *task)
{
	check(!profile_feed(profile, &task->header, NULL), "a TASK is no sample");
}

static void feed_stack(struct profile *profile, uint64_t id, uint64_t mm_id, const uint64_t *kernel, unsigned int kernel_frames,
		       const uint64_t *user, unsigned int user_frames)
{
	union {
		struct ktally_stack stack;
		uint64_t words[sizeof(struct ktally_stack) / 8 + 16];
	} record = { .stack = {
		.header = { .type = KTALLY_RECORD_STACK, .size = (uint16_t)(sizeof(struct ktally_stack) + 8 * (kernel_frames + user_frames)) },
		.stack_id = id, .mm_id = mm_id, .kernel_frames = (uint16_t)kernel_frames, .user_frames = (uint16_t)user_frames,
		.kernel_end = kernel_frames ? KTALLY_END_COMPLETE : KTALLY_END_NONE, .user_end = user_frames ? KTALLY_END_BROKEN : KTALLY_END_NONE,
	} };

	for (unsigned int i = 0; i < kernel_frames; i++)
		record.stack.frames[i] = (kernel[i] & KTALLY_FRAME_VALUE_MASK) | KTALLY_FRAME_KERNEL << KTALLY_FRAME_TYPE_SHIFT;
	for (unsigned int i = 0; i < user_frames; i++)
		record.stack.frames[kernel_frames + i] = user[i] | KTALLY_FRAME_USER << KTALLY_FRAME_TYPE_SHIFT;
	profile_feed(profile, &record.stack.header, NULL);
}

static bool feed_sample(struct profile *profile, uint64_t stack, uint64_t task, uint64_t time, uint64_t weight, int syscall,
			struct profile_sample *sample)
{
	static struct ktally_sample record;

	record = (struct ktally_sample){
		.header = { .type = KTALLY_RECORD_SAMPLE, .size = sizeof(record) },
		.time = time, .stack_id = stack, .task_id = task, .weight = weight, .tid = 1, .syscall = syscall,
	};
	return profile_feed(profile, &record.header, sample);
}

static void feed_exit(struct profile *profile, const struct ktally_task *task, uint64_t time)
{
	const struct ktally_exit record = {
		.header = { .type = KTALLY_RECORD_EXIT, .size = sizeof(record) },
		.time = time, .start_time = task->start_time, .pid = task->pid, .tid = task->tid,
	};

	profile_feed(profile, &record.header, NULL);
}

static void feed_mappings(struct profile *profile, uint64_t mm_id, const char *executable, const char *text)
{
	const struct capture_item item = {
		.type = CAPTURE_MAPPINGS, .data = text, .bytes = strlen(text), .mm_id = mm_id, .pid = 0, .executable = executable,
	};

	profile_feed_item(profile, &item);
}

static const struct tally_row *row_of(const struct profile *profile, const char *process, const char *syscall)
{
	const struct tally_row *found = NULL;
	size_t count;
	struct tally_row **rows = tally_rows(profile->tally, &count);

	for (size_t i = 0; i < count; i++)
		if (!strcmp(rows[i]->process_name, process) && check_same(rows[i]->syscall_name, syscall))
			found = rows[i];
	return found;
}

/* ------------------------------------------------------------------------------------------------ from captures */

static void recorded(void)
{
	const struct profile_options options = { .cells = true };
	struct profile *profile = profile_create(&options);
	const struct capture_item kernel = { .type = CAPTURE_KALLSYMS, .data = kallsyms, .bytes = sizeof(kallsyms) - 1 };
	struct ktally_task task = task_record(1, MM, 100, 101, "worker\x1b\xff");
	const uint64_t kernel_frames[] = { 0xffffffff81001010, 0xffffffff81000020 }, user_frames[] = { 0x401234, 0x999999 };
	struct profile_sample sample;
	const struct profile_cell *cell;
	const struct tally_row *row;

	profile_feed_item(profile, &kernel);
	feed_task(profile, &task);
	feed_mappings(profile, MM, "/opt/bin/server (deleted)", "00400000-00500000 r-xp 00001000 00:63 77 /opt/bin/server (deleted)\n");
	feed_stack(profile, 11, MM, kernel_frames, 2, user_frames, 2);
	check(feed_sample(profile, 11, 1, 7 * SECOND, 1000, 0, &sample), "a sample is resolved");
	check_string(sample.task->comm, "worker??", "the name is printable");
	check_string(sample.task->executable, "/opt/bin/server", "mappings that come after the task are its own too");
	check_string(sample.task->process_name, "server", "and give the process its name");
	check(sample.task->pid == 100 && sample.task->tid == 101 && sample.task->cgroup_id == 9 && sample.task->parent == 1, "who it is");
	check_string(sample.syscall, "read", "the system call by its number");
	check(sample.stack->named && sample.stack->kernel_frames == 2 && sample.stack->user_frames == 2, "its stack is named");
	check_string(sample.stack->frames[0].function, "vfs_read", "a kernel frame");
	check_number(sample.stack->frames[0].address, 0xffffffff81001010, "at its address");
	check_string(sample.stack->frames[0].object, "[kernel]", "in the kernel");
	check_string(sample.stack->frames[1].function, "entry_SYSCALL_64", "the next");
	check(sample.stack->frames[2].kind == FRAME_NATIVE && !sample.stack->frames[2].function, "a frame of a file that is not here");
	check_string(sample.stack->frames[2].object, "/opt/bin/server", "names the file");
	check_number(sample.stack->frames[2].object_address, 0x2234, "and the offset in it");
	check(sample.stack->frames[3].kind == FRAME_UNKNOWN && !sample.stack->frames[3].object, "a frame outside of all mappings");
	check_string(sample.stack->class.runtime, "kernel", "the stack is classified");
	check_number(profile->stacks_broken, 1, "broken stacks are counted");

	check(feed_sample(profile, 11, 1, 6 * SECOND, 500, KTALLY_SYSCALL_NONE, &sample), "a second sample");
	check_string(sample.syscall, NULL, "without a system call");
	check_number(profile->stacks_broken, 1, "its stack is counted once");
	check(profile->first_time == 6 * SECOND && profile->last_time == 7 * SECOND, "rings are not in the order of time");
	check(profile->samples == 2 && profile->weight == 1500, "samples and their time");
	check_number(profile->cells.used, 1, "one cell");
	cell = map_next(&profile->cells, NULL)->value;
	check(cell->samples == 2 && cell->weight == 1500 && cell->stack == sample.stack && cell->task == sample.task, "has both");
	row = row_of(profile, "server", "read");
	check(row && row->weight == 1000 && row->samples == 1, "they are tallied");

	task = task_record(2, MM, 100, 102, "other");
	feed_task(profile, &task);
	check(feed_sample(profile, 11, 2, 8 * SECOND, 1, 0, &sample), "another thread, the same stack");
	check_string(sample.task->process_name, "server", "of the same process");
	check_number(profile->cells.used, 2, "another cell");
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
	struct ktally_lost lost = { .header = { .type = KTALLY_RECORD_LOST, .size = sizeof(lost) }, .cause = KTALLY_LOST_BUSY, .loss = { 3, 300 } };
	struct ktally_throttle throttle = { .header = { .type = KTALLY_RECORD_THROTTLE, .size = sizeof(throttle) }, .thin = 4 };
	struct ktally_record unknown = { .type = 99, .size = 8 };
	const struct tally_row *row;

	check_number(profile->thin, 1, "nothing is thinned at first");
	profile_feed(profile, &lost.header, NULL);
	profile_feed(profile, &lost.header, NULL);
	check(profile->lost[KTALLY_LOST_BUSY].count == 6 && profile->lost[KTALLY_LOST_BUSY].weight == 600, "losses add up");
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
	check(profile->samples == 4 && profile->weight == 100, "and their time is");
	row = row_of(profile, "unknown", "read");
	check(row && row->weight == 60 && check_same(row->class.area, "unknown"), "under its own name");
	check_number(profile->cells.used, 0, "no cells when not asked for");
	profile_destroy(profile);
}

static void process_names(void)
{
	static const struct {
		const char *comm, *name;
		uint64_t mm_id;
		uint32_t flags;
	} cases[] = {
		{ "kworker/3:1-events", "kworker", 0, KTALLY_TASK_KERNEL }, { "kworker/u8:2", "kworker", 0, KTALLY_TASK_KERNEL },
		{ "ksoftirqd/0", "ksoftirqd", 0, KTALLY_TASK_KERNEL }, { "swapper/11", "swapper", 0, KTALLY_TASK_KERNEL },
		{ "migration/0", "migration", 0, KTALLY_TASK_KERNEL }, { "jbd2/sda1-8", "jbd2", 0, KTALLY_TASK_KERNEL },
		{ "scsi_eh_12", "scsi_eh", 0, KTALLY_TASK_KERNEL }, { "iou-wrk-1234", "iou-wrk", MM, KTALLY_TASK_KERNEL },
		{ "md0_raid1", "md0_raid1", 0, KTALLY_TASK_KERNEL }, { "rcu_preempt", "rcu_preempt", 0, KTALLY_TASK_KERNEL },
		{ "/odd", "/odd", 0, KTALLY_TASK_KERNEL }, { "1234", "1234", 0, KTALLY_TASK_KERNEL },
		{ "bash", "bash", MM, 0 }, { "a/b-12", "a/b-12", MM, 0 }, { "sixteen_bytes_16", "sixteen_bytes_16", MM, 0 },
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
	check(profile->tasks.used == 100 && profile->stacks.used == 100, "%s: what was announced a moment ago stays", mode);
	feed_sample(profile, 2, 2, 1, 1, 0, NULL);
	profile_forget(profile);
	check(profile->tasks.used == 1 + stays && profile->stacks.used == 1 + stays, "%s: what was sampled stays", mode);
	profile_forget(profile);
	check(profile->tasks.used == 2 * stays && profile->stacks.used == 2 * stays, "%s: then only what cells refer to", mode);
	feed_stack(profile, 2, 0, NULL, 0, NULL, 0);
	{
		struct ktally_task task = task_record(2, MM, 10, 2, "prog");

		profile_feed(profile, &task.header, NULL);
	}
	check(feed_sample(profile, 2, 2, 1, 1, 0, &sample), "%s: what is announced again is known again", mode);
	check_number(profile->cells.used, cells ? 2 : 0, "%s: in its old cell", mode);
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
	check(sample.stack->named && !sample.stack->kernel_frames && !sample.stack->user_frames, "its stack has no frames any more");
	check_string(sample.stack->class.runtime, "kernel", "but its class");
	feed_stack(profile, 11, 0, kernel_frames, 1, NULL, 0);
	check(feed_sample(profile, 11, 1, 1, 1, -1, &sample) && map_get(&profile->stacks, 11) == sample.stack, "announced again it is the same");
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
	item = (struct capture_item){ .type = CAPTURE_MAPPINGS, .data = "nonsense", .bytes = 8, .mm_id = 5, .executable = "" };
	profile_feed_item(profile, &item);
	check(symbols_have_mappings(profile->symbols, 5) && !symbols_executable(profile->symbols, 5), "mappings of nothing");
	item = (struct capture_item){ .type = 77, .data = "x", .bytes = 1 };
	profile_feed_item(profile, &item);
	check(!symbols_kernel_has(profile->symbols, "", true), "kernel symbols that are none give no names");
	profile_destroy(profile);
}

/* ------------------------------------------------------------------------------------------------ live */

struct told {
	unsigned int times;
	uint64_t mm_id;
	uint32_t pid;
	char executable[4096];
};

static void on_mappings(void *context, uint64_t mm_id, uint32_t pid, const char *executable, const char *text, size_t bytes)
{
	struct told *told = context;

	told->times++;
	told->mm_id = mm_id;
	told->pid = pid;
	snprintf(told->executable, sizeof(told->executable), "%s", executable);
	if (memmem(text, bytes, "rw-p", 4))
		check(false, "only executable mappings are told: %.*s", (int)bytes, text);
}

/* A task as the device would announce it: by what /proc says of it. */
static struct ktally_task live_task(uint64_t id, uint64_t mm_id, pid_t pid, pid_t tid)
{
	char comm[64] = "";
	uint64_t ticks = 0;
	struct ktally_task task;

	check_number(proc_read_thread((uint32_t)pid, (uint32_t)tid, &ticks, comm, sizeof(comm)), 0, "thread %d of %d", tid, pid);
	task = task_record(id, mm_id, (uint32_t)pid, (uint32_t)tid, comm);
	task.start_time = ticks * (SECOND / (uint64_t)sysconf(_SC_CLK_TCK)) + 12345;
	return task;
}

__attribute__((noinline, noipa)) static void function_of_this_test(void)
{
	__asm__ volatile("nop; nop");
}

/* A file with one function, mapped as the dynamic linker would. */
static char *map_library(size_t *bytes)
{
	static const struct fake_symbol functions[] = {
		{ "function_of_library", 0x10, 0x10, STB_GLOBAL, STT_FUNC, false }, { NULL, 0, 0, 0, 0, false },
	};
	const struct fake_elf elf = { .symbols = functions };
	char path[] = "/tmp/ktally-profile.XXXXXX";
	struct buffer data = fake_elf(&elf);
	int fd = mkstemp(path);
	char *code;

	*bytes = data.bytes;
	check(fd >= 0 && write(fd, data.data, data.bytes) == (ssize_t)data.bytes, "a library");
	code = mmap(NULL, data.bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	close(fd);
	buffer_free(&data);
	/* Deleted while it is mapped needs rights that only root has. */
	if (!geteuid())
		unlink(path);
	return code;
}

static void live(void)
{
	struct told told = { 0 };
	const struct profile_options options = { .cells = true, .live = true, .on_mappings = on_mappings, .context = &told };
	struct profile *profile = profile_create(&options);
	struct ktally_task task = live_task(1, MM, getpid(), getpid()), wrong;
	const uint64_t own[] = { (uintptr_t)function_of_this_test + 1 };
	struct profile_sample sample;
	size_t library_bytes;
	uint64_t later[1];
	char *library;

	wrong = task;
	wrong.start_time += 5 * SECOND;
	wrong.task_id = wrong.mm_id = 50;
	feed_task(profile, &wrong);
	check_number(told.times, 0, "a process that got the number later is not the one");
	wrong = task;
	memcpy(wrong.comm, "bash\0\0\0\0\0\0\0\0\0\0\0", sizeof(wrong.comm));
	wrong.task_id = wrong.mm_id = 51;
	feed_task(profile, &wrong);
	check_number(told.times, 0, "nor is one that has executed another program since");

	feed_task(profile, &task);
	check(told.times == 1 && told.mm_id == MM && told.pid == (uint32_t)getpid(), "mappings are read once and told");
	check(strstr(told.executable, "profile"), "with the executable");
	feed_task(profile, &task);
	check_number(told.times, 1, "not again");
	feed_stack(profile, 1, MM, NULL, 0, own, 1);
	check(feed_sample(profile, 1, 1, 6 * SECOND, 1, -1, &sample), "a sample");
	check_string(sample.stack->frames[0].function, "function_of_this_test", "its function");
	check_string(sample.task->process_name, "profile", "its process");

	usleep(150000);
	library = map_library(&library_bytes);
	later[0] = (uintptr_t)library + FAKE_TEXT_OFFSET + 0x11;
	feed_stack(profile, 2, MM, NULL, 0, later, 1);
	feed_sample(profile, 2, 1, 6 * SECOND, 1, -1, &sample);
	check_string(sample.stack->frames[0].function, "function_of_library", "a library that was loaded later");
	check_number(told.times, 2, "its mappings were read again, and told");
	munmap(library, library_bytes);
	{
		unsigned int before = told.times;

		for (unsigned int i = 0; i < 1000; i++) {
			const uint64_t nowhere[] = { 0x1000 + i };

			feed_stack(profile, 100 + i, MM, NULL, 0, nowhere, 1);
			feed_sample(profile, 100 + i, 1, 6 * SECOND, 1, -1, &sample);
		}
		check(told.times <= before + 3, "a thousand stacks that are broken do not read them a thousand times, but %u", told.times - before);
	}
	profile_destroy(profile);
}

static void ends(void)
{
	const struct profile_options options = { .live = true };
	struct profile *profile = profile_create(&options);
	struct ktally_task task = live_task(1, MM, getpid(), getpid()), other = task, late;
	const uint64_t own[] = { (uintptr_t)function_of_this_test + 1 };
	struct profile_sample sample;

	other.tid = other.pid + 1000000;	/* a thread that /proc does not know; the mappings are there by then */
	other.task_id = 2;
	feed_task(profile, &task);
	feed_task(profile, &other);
	feed_exit(profile, &task, 10 * SECOND);
	late = task_record(90, 0, 2, 2, "kthreadd");
	late.time = 100 * SECOND;
	feed_task(profile, &late);
	check(symbols_have_mappings(profile->symbols, MM), "the end of one thread is not that of the process");
	other.start_time++;
	feed_exit(profile, &other, 100 * SECOND);
	other.start_time--;
	late.time = 150 * SECOND;
	feed_task(profile, &late);
	check(symbols_have_mappings(profile->symbols, MM), "nor is that of an older thread of the same number");
	feed_exit(profile, &other, 200 * SECOND);
	feed_stack(profile, 1, MM, NULL, 0, own, 1);
	check(feed_sample(profile, 1, 1, 199 * SECOND, 1, -1, &sample), "a late sample");
	check_string(sample.stack->frames[0].function, "function_of_this_test", "still has names");
	late.time = 205 * SECOND;
	feed_task(profile, &late);
	check(symbols_have_mappings(profile->symbols, MM), "for a while after the last end");
	late.time = 215 * SECOND;
	feed_task(profile, &late);
	check(!symbols_have_mappings(profile->symbols, MM), "then the mappings are forgotten");
	check(feed_sample(profile, 1, 1, 199 * SECOND, 1, -1, &sample), "the stack is not");
	profile_forget(profile);
	profile_forget(profile);
	check(!profile->tasks.used && !profile->stacks.used, "until it is forgotten too");

	/* The same process, seen again. */
	feed_task(profile, &task);
	check(symbols_have_mappings(profile->symbols, MM), "what is announced again is read again");
	profile_forget(profile);
	check(symbols_have_mappings(profile->symbols, MM), "and stays while it is in use");
	profile_forget(profile);
	check(!symbols_have_mappings(profile->symbols, MM), "but no longer");
	profile_destroy(profile);
}

/* A process executes another program: its old address space ends, the new one is read at once. */
static void execution(void)
{
	struct told told = { 0 };
	const struct profile_options options = { .live = true, .on_mappings = on_mappings, .context = &told };
	struct profile *profile = profile_create(&options);
	struct ktally_task before, after, late;
	int ready[2], go[2];
	char byte = 0;
	pid_t child;

	check(!pipe(ready) && !pipe(go), "pipes");
	child = fork();
	if (!child) {
		prctl(PR_SET_NAME, "before");
		if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(1);
		execl("/bin/sleep", "sleep", "30", NULL);
		_exit(127);
	}
	check(read(ready[0], &byte, 1) == 1, "a child");
	before = live_task(1, MM, child, child);
	feed_task(profile, &before);
	check(told.times == 1 && strstr(told.executable, "profile"), "is this program");
	check(write(go[1], &byte, 1) == 1, "until it executes another");
	for (unsigned int i = 0; i < 300; i++) {
		char comm[64];
		uint64_t ticks;

		usleep(10000);
		if (!proc_read_thread((uint32_t)child, (uint32_t)child, &ticks, comm, sizeof(comm)) && !strcmp(comm, "sleep"))
			break;
	}
	after = live_task(2, MM + 1, child, child);
	after.time = before.time + SECOND;
	after.task_flags = KTALLY_TASK_EXEC;
	feed_task(profile, &after);
	check(told.times == 2 && told.mm_id == MM + 1, "whose mappings are read at once");
	check_string(((const struct task *)map_get(&profile->tasks, 2))->process_name, strrchr(told.executable, '/') + 1, "and name it");
	late = task_record(90, 0, 2, 2, "kthreadd");
	late.time = before.time + 60 * SECOND;
	feed_task(profile, &late);
	check(!symbols_have_mappings(profile->symbols, MM), "the address space of the old program is forgotten");
	check(symbols_have_mappings(profile->symbols, MM + 1), "that of the new one is not");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);

	told.times = 0;
	after.task_id = 3;
	after.mm_id = MM + 2;
	feed_task(profile, &after);
	check_number(told.times, 0, "of a process that is gone nothing is read");
	/* A build starts thousands of programs a second, and most are never sampled. */
	after = live_task(1000, 1000, getpid(), getpid());
	after.task_flags = KTALLY_TASK_EXEC;
	for (unsigned int i = 0; i < 5000; i++) {
		after.task_id = after.mm_id = 1000 + i;
		profile_feed(profile, &after.header, NULL);
	}
	check(told.times >= 90 && told.times <= 1000, "so not all of them are read: %u of 5000", told.times);
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	close(go[1]);
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
	items();
	live();
	ends();
	execution();
	return check_end();
}
