// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stacks of a real program, subject.c, by kmod/unwind_user.c and by elfutils: they must be the same, at every breakpoint
 * of the program and at each of the instructions that follow it.
 *
 * usage: compare SUBJECT [STEPS]
 */
#include <elfutils/libdwfl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "convert.h"
#include "kernel.h"
#include "unwind_user.h"

#define FRAMES_MAX	512
#define MAPPINGS_MAX	32
#define STEPS		150

static struct {
	pid_t thread;			/* that is stopped */
	struct mapping mappings[MAPPINGS_MAX];
	char paths[MAPPINGS_MAX][256];
	struct converted converted[MAPPINGS_MAX];
	unsigned int count;
	Dwfl *dwfl;
	u64 wanted[FRAMES_MAX];
	unsigned int wanted_count;
	u64 stacks, frames, different, longer;
	u64 ends[KTALLY_END_FOREIGN + 1];
} it;

bool read_user(u64 address, void *to, size_t bytes)
{
	struct iovec local = { to, bytes }, remote = { (void *)(uintptr_t)address, bytes };

	return process_vm_readv(it.thread, &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}

/* ------------------------------------------------------------------------------------------------ mappings */

static void add_mapping(const char *line)
{
	struct mapping *mapping = &it.mappings[it.count];
	struct converted *converted = &it.converted[it.count];
	char rights[5], *path = it.paths[it.count];

	if (sscanf(line, "%llx-%llx %4s %llx %*s %*s %255s", &mapping->start, &mapping->end, rights, &mapping->offset,
		   path) != 5 || rights[2] != 'x' || path[0] != '/')
		return;
	for (unsigned int i = 0; i < it.count; i++)
		if (it.mappings[i].start == mapping->start)
			return;
	must(it.count < MAPPINGS_MAX - 1);
	mapping->file = ++it.count;
	mapping->table = NULL;
	if (!convert(converted, path))
		return;
	check_number(ktally_table_check(&converted->maker.table), 0, "a good table of %s", path);
	printf("# %u rows, %u rules; of kinds: end %u, register %u, dereferenced %u, plt %u, signal %u; refused %u\n",
	       converted->maker.table.row_count, converted->maker.table.rule_count,
	       converted->rules[KTALLY_UNWIND_END], converted->rules[KTALLY_UNWIND_REGISTER],
	       converted->rules[KTALLY_UNWIND_DEREF], converted->rules[KTALLY_UNWIND_PLT],
	       converted->rules[KTALLY_UNWIND_SIGNAL], converted->refused);
	mapping->table = &converted->maker.table;
}

static void read_mappings(pid_t process)
{
	char path[64], line[512];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", process);
	file = fopen(path, "r");
	must(file);
	while (fgets(line, sizeof(line), file))
		add_mapping(line);
	fclose(file);
}

/* ------------------------------------------------------------------------------------------------ elfutils */

static int take_frame(Dwfl_Frame *frame, void *argument)
{
	Dwarf_Addr address;
	bool exact;

	(void)argument;
	if (it.wanted_count == FRAMES_MAX || !dwfl_frame_pc(frame, &address, &exact))
		return DWARF_CB_ABORT;
	it.wanted[it.wanted_count++] = address - !exact;
	return DWARF_CB_OK;
}

static void attach_elfutils(pid_t process)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_linux_proc_find_elf, .find_debuginfo = dwfl_standard_find_debuginfo,
	};

	it.dwfl = dwfl_begin(&callbacks);
	must(it.dwfl && !dwfl_linux_proc_report(it.dwfl, process) && !dwfl_report_end(it.dwfl, NULL, NULL));
	must(!dwfl_linux_proc_attach(it.dwfl, process, true));
}

/* ------------------------------------------------------------------------------------------------ ours */

static void take_registers(struct pt_regs *registers)
{
	struct user_regs_struct user;

	must(!ptrace(PTRACE_GETREGS, it.thread, NULL, &user));
	*registers = (struct pt_regs) {
		user.r15, user.r14, user.r13, user.r12, user.rbp, user.rbx, user.r11, user.r10, user.r9, user.r8,
		user.rax, user.rcx, user.rdx, user.rsi, user.rdi, user.orig_rax, user.rip, user.cs, user.eflags,
		user.rsp, user.ss,
	};
}

static u64 address_of(u64 frame)
{
	u64 value = frame & KTALLY_FRAME_VALUE_MASK;
	const struct mapping *mapping;

	if (frame >> KTALLY_FRAME_TYPE_SHIFT == KTALLY_FRAME_USER)
		return value;
	mapping = &it.mappings[(value >> 36) - 1];
	return (value & ((1ULL << 36) - 1)) - mapping->offset + mapping->start;
}

static const char *name_of(u64 address)
{
	Dwfl_Module *module = dwfl_addrmodule(it.dwfl, address);

	return module ? dwfl_module_addrname(module, address) : NULL;
}

static void tell(const u64 *frames, unsigned int count, u8 end)
{
	printf("# ours has %u frames and ended with %u, theirs has %u\n", count, end, it.wanted_count);
	for (unsigned int i = 0; i < count || i < it.wanted_count; i++) {
		u64 ours = i < count ? address_of(frames[i]) : 0, theirs = i < it.wanted_count ? it.wanted[i] : 0;

		printf("# %3u %#llx %s%s%s\n", i, ours, ours == theirs ? "" : "instead of ",
		       ours == theirs ? "" : name_of(theirs) ?: "nothing", name_of(ours) ?: "");
		if (ours != theirs && i > 3)
			break;
	}
}

static void compare(void)
{
	struct ktally_view view = { it.mappings, it.count };
	u64 frames[FRAMES_MAX];
	struct pt_regs registers;
	unsigned int count, i;
	bool same;
	u8 end;

	take_registers(&registers);
	count = ktally_unwind_user(&registers, &view, frames, FRAMES_MAX, &end);
	it.wanted_count = 0;
	dwfl_getthread_frames(it.dwfl, it.thread, take_frame, NULL);

	/* In the dynamic linker elfutils gives up where rbx is the base of a frame. */
	same = it.wanted_count && (count == it.wanted_count || (count > it.wanted_count && end == KTALLY_END_COMPLETE));
	for (i = 0; same && i < it.wanted_count; i++)
		same = address_of(frames[i]) == it.wanted[i];
	it.longer += count > it.wanted_count;
	it.stacks++;
	it.frames += count;
	it.ends[end]++;
	it.different += !same;
	if (!same && it.different <= 3)
		tell(frames, count, end);
}

/* ------------------------------------------------------------------------------------------------ the program */

static int start(char *path)
{
	pid_t process = fork();
	int status;

	must(process >= 0);
	if (!process) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	must(waitpid(process, &status, 0) == process && WIFSTOPPED(status));
	must(!ptrace(PTRACE_SETOPTIONS, process, NULL, PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL));
	return process;
}

/* From one breakpoint, and so many steps on; else runs. Signals are the program's. */
static void follow(pid_t process, unsigned int steps)
{
	unsigned int left = 0;
	int status, stopped;

	must(!ptrace(PTRACE_CONT, process, NULL, NULL));
	while ((it.thread = waitpid(-1, &status, __WALL)) > 0) {
		if (!WIFSTOPPED(status))
			continue;
		stopped = WSTOPSIG(status);
		if (stopped == SIGTRAP && !(status >> 16)) {
			siginfo_t info;

			must(!ptrace(PTRACE_GETSIGINFO, it.thread, NULL, &info));
			if (info.si_code == SI_KERNEL)
				left = steps + 1;
			if (!it.dwfl) {
				read_mappings(process);
				attach_elfutils(process);
			}
			if (left)
				compare();
		}
		if (stopped == SIGTRAP || stopped == SIGSTOP)
			stopped = 0;
		left -= left > 0;
		ptrace(left ? PTRACE_SINGLESTEP : PTRACE_CONT, it.thread, NULL, (long)stopped);
	}
	check(WIFEXITED(status) && !WEXITSTATUS(status), "the program ran to its end");
}

int main(int count, char **arguments)
{
	if (count < 2)
		return 2;
	follow(start(arguments[1]), count > 2 ? (unsigned int)atoi(arguments[2]) : STEPS);
	printf("# %llu stacks, %llu frames\n", it.stacks, it.frames);
	check(it.stacks > 1000 && it.frames > 20 * it.stacks, "enough of them");
	check_number(it.different, 0, "stacks that differ from those of elfutils");
	check(it.longer < it.stacks / 10, "stacks of which elfutils knows less: %llu", it.longer);
	check_number(it.stacks - it.ends[KTALLY_END_COMPLETE], 0, "stacks that are not complete");
	dwfl_end(it.dwfl);
	for (unsigned int i = 0; i < it.count; i++)
		maker_free(&it.converted[i].maker);
	return check_end();
}
