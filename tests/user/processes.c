// SPDX-License-Identifier: GPL-2.0-or-later
/* profile/profile.h about live processes: whose mappings are read, when, and how long they are kept. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "check.h"
#include "fake_elf.h"
#include "fake_records.h"
#include "profile/profile.h"
#include "profile/state.h"
#include "symbols/proc.h"

struct told {
	unsigned int times;
	uint64_t mm_id;
	uint32_t pid;
	char executable[4096];
};

static void on_mappings(void *context, uint64_t mm_id, uint32_t pid, const char *executable, const char *text,
			size_t bytes)
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

	check_number(proc_read_thread((uint32_t)pid, (uint32_t)tid, &ticks, comm, sizeof(comm)), 0, "thread %d of %d",
		     tid, pid);
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
	const struct profile_options options = { .cells = true,
						 .live = true,
						 .on_mappings = on_mappings,
						 .context = &told };
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
	check(strstr(told.executable, "processes"), "with the executable");
	feed_task(profile, &task);
	check_number(told.times, 1, "not again");
	feed_stack(profile, 1, MM, NULL, 0, own, 1);
	check(feed_sample(profile, 1, 1, 6 * SECOND, 1, -1, &sample), "a sample");
	check_string(sample.stack->frames[0].function, "function_of_this_test", "its function");
	check_string(sample.task->process_name, "processes", "its process");

	library = map_library(&library_bytes);
	later[0] = (uintptr_t)library + FAKE_TEXT_OFFSET + 0x11;
	/* The slower this machine reads, the longer it is before it reads again. */
	for (unsigned int i = 0; i < 100 && told.times < 2; i++) {
		usleep(150000);
		feed_stack(profile, 0x1000 + i, MM, NULL, 0, later, 1);
		feed_sample(profile, 0x1000 + i, 1, 6 * SECOND, 1, -1, &sample);
	}
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
		check(told.times <= before + 3,
		      "a thousand stacks that are broken do not read them a thousand times, but %u",
		      told.times - before);
	}
	profile_destroy(profile);
}

static void ends(void)
{
	const struct profile_options options = { .live = true };
	struct profile *profile = profile_create(&options);
	struct ktally_task task = live_task(1, MM, getpid(), getpid()), other = task, late, gone;
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
	/* It is seen once more, when it says nothing of its address space any more. */
	gone = other;
	gone.task_id = 3;
	gone.mm_id = 0;
	gone.time = 200 * SECOND;
	feed_task(profile, &gone);
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
	check(told.times == 1 && strstr(told.executable, "processes"), "is this program");
	check(write(go[1], &byte, 1) == 1, "until it executes another");
	for (unsigned int i = 0; i < 300; i++) {
		char comm[64];
		uint64_t ticks;

		usleep(10000);
		if (!proc_read_thread((uint32_t)child, (uint32_t)child, &ticks, comm, sizeof(comm)) &&
		    !strcmp(comm, "sleep"))
			break;
	}
	after = live_task(2, MM + 1, child, child);
	after.time = before.time + SECOND;
	after.task_flags = KTALLY_TASK_EXEC;
	feed_task(profile, &after);
	check(told.times == 2 && told.mm_id == MM + 1, "whose mappings are read at once");
	check_string(((const struct task *)map_get(&profile->tasks, 2))->process_name,
		     strrchr(told.executable, '/') + 1, "and name it");
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

/* Threads that are seen when they are not to be found by their ids any more, and say nothing of their address space. */
static void last_moments(void)
{
	const struct profile_options options = { .cells = true };
	struct profile *profile = profile_create(&options);
	struct ktally_task leader = task_record(1, MM, 100, 100, "program"), thread = task_record(2, MM, 100, 101, "worker"),
			   gone = task_record(3, 0, 100, 101, "worker"), unknown = task_record(4, 0, 100, 102, "worker"),
			   other = task_record(5, 0, 200, 101, "other"), kernel = task_record(6, 0, 100, 101, "kworker"),
			   alone = task_record(7, MM + 1, 300, 301, "alone"), alone_gone = task_record(8, 0, 300, 301, "alone"),
			   stranger = task_record(9, 0, 301, 302, "stranger");
	const struct task *task;

	gone.parent = unknown.parent = 0;
	other.start_time++;
	kernel.task_flags = KTALLY_TASK_KERNEL;
	feed_task(profile, &leader);
	feed_task(profile, &thread);
	feed_task(profile, &gone);
	feed_task(profile, &unknown);
	feed_task(profile, &other);
	feed_task(profile, &kernel);
	feed_task(profile, &alone);
	feed_task(profile, &alone_gone);
	feed_task(profile, &stranger);
	task = map_get(&profile->tasks, 3);
	check_number((long)task->mm_id, MM, "it has the one that it had");
	task = map_get(&profile->tasks, 4);
	check_number((long)task->mm_id, MM, "or that of who leads its process");
	task = map_get(&profile->tasks, 5);
	check_number((long)task->mm_id, 0, "not that of another with the same id");
	task = map_get(&profile->tasks, 6);
	check_number((long)task->mm_id, 0, "a thread of the kernel's has none");
	task = map_get(&profile->tasks, 8);
	check_number((long)task->mm_id, MM + 1, "its own, though nobody is known to lead its process");
	task = map_get(&profile->tasks, 9);
	check_number((long)task->mm_id, 0, "not that of another's thread whose number its process has");
	profile_destroy(profile);
}

/* Under pressure those are not asked who had most of the time; what asking the others takes is theirs. */
static void learnt_in_turn(void)
{
	struct told told = { 0 };
	const struct profile_options options = { .classes_only = true, .live = true, .on_mappings = on_mappings, .context = &told };
	struct profile *profile = profile_create(&options);
	const struct pool_holder busy = { .user = geteuid(), .process = MM };
	struct turns *turns = &state_of(profile)->turns;
	struct ktally_task task = live_task(1, MM, getpid(), getpid());
	uint64_t time;

	profile_set_pressure(profile, PROFILE_FULL);
	turns_end(turns, &busy, turns_begin() - 100000000);
	time = turns->time;
	feed_task(profile, &task);
	check(!told.times && turns->time == time, "who had most is not asked what it is");
	task.task_id = 2;
	task.mm_id = MM + 1;
	feed_task(profile, &task);
	check(told.times == 1 && turns->time > time, "another is, and what it took is added up");
	check(map_get(&turns->processes, MM + 1), "as its own");
	profile_destroy(profile);
}

int main(void)
{
	last_moments();
	live();
	ends();
	execution();
	learnt_in_turn();
	return check_end();
}
