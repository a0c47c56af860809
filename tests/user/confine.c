// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a confined process cannot do, by trying it, and what it still can. Each attempt is made in a process of its own, which is
 * confined as ktallyd is; before that it must succeed, or fail for another reason.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <liburing.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/ktally.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>

#include "base/message.h"
#include "confine/confine.h"
#include "confine/filter.h"
#include "confine/opener.h"
#include "loop/backend.h"

#include "check.h"

#define X32		0x40000000
#define PASSED		0		/* of a call that may be made, whatever came of it */

static char directory[] = "/tmp/ktally-confine-XXXXXX", there[64], absent[64], link_to_proc[64];
static char word[4] = "abc";
static unsigned int proc_files;

static const char *below(char *path, const char *name)
{
	snprintf(path, 64, "%s/%s", directory, name);
	return path;
}

/* ---- what is tried: each gives what a system call gives ---- */

#define OPEN(name, path, flags)	static long name(void) { return open(path, flags, 0600); }

OPEN(own_memory, "/proc/self/mem", O_RDWR)
OPEN(others_memory, "/proc/1/mem", O_WRONLY)
OPEN(score, "/proc/self/oom_score_adj", O_WRONLY)
OPEN(sysctl, "/proc/sys/kernel/core_pattern", O_WRONLY)
OPEN(in_root, "/proc/self/root/proc/self/mem", O_RDWR)
OPEN(by_link, link_to_proc, O_RDWR)
OPEN(thread_name, "/proc/self/task/self/comm", O_RDWR | O_CLOEXEC)
OPEN(truncating, there, O_RDONLY | O_TRUNC)
OPEN(appending, there, O_WRONLY | O_APPEND)
OPEN(creating, there, O_WRONLY | O_CREAT)
OPEN(without_mode, there, O_ACCMODE)
OPEN(unnamed, "/tmp", O_RDWR | O_TMPFILE)
OPEN(exclusive_memory, "/proc/self/mem", O_RDWR | O_CREAT | O_EXCL)
OPEN(exclusive_device, "/dev/null", O_WRONLY | O_CREAT | O_EXCL)
OPEN(reading_file, there, O_RDONLY)
OPEN(reading_maps, "/proc/self/maps", O_RDONLY | O_CLOEXEC)
OPEN(naming, there, O_PATH)
OPEN(making, absent, O_RDWR | O_CREAT | O_EXCL)

static long by_descriptor(void)
{
	char path[64];
	int fd = open(there, O_RDONLY);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY);
}

/* EPERM each time, as the file is not even looked for, unless the call were to make it. */
static int try_file(const char *path, const struct stat *status, int sort, struct FTW *place)
{
	static const int flags[] = { O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC, O_RDONLY | O_TRUNC, O_RDWR | O_CREAT, O_ACCMODE, O_RDWR | O_TMPFILE };

	(void)status, (void)sort, (void)place;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (open(path, flags[i] | O_NONBLOCK | O_NOCTTY, 0600) >= 0 || errno != EPERM)
			return 1;
	}
	proc_files++;
	return open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CREAT | O_EXCL, 0600) >= 0;
}

static long all_of_proc(void)
{
	errno = 0;
	return nftw("/proc", try_file, 16, FTW_PHYS) || proc_files < 1000 ? -1 : 0;
}

static long by_how(void)
{
	struct open_how how = { .flags = O_RDONLY };

	return syscall(SYS_openat2, AT_FDCWD, there, &how, sizeof(how));
}

static long write_memory(void)
{
	struct iovec from = { "xyz", sizeof(word) }, to = { word, sizeof(word) };

	return process_vm_writev(getpid(), &from, 1, &to, 1, 0);
}

static long clone_user(void)
{
	long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	if (!child)
		_exit(0);
	return child;
}

static long both(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long executable_later(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? 0 : mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static long handle(void)
{
	char room[sizeof(struct file_handle) + 8] = { 0 };

	((struct file_handle *)room)->handle_bytes = 8;
	return open_by_handle_at(AT_FDCWD, (struct file_handle *)room, O_RDWR);
}

#define TRY(name, ...)		static long name(void) { return (__VA_ARGS__); }

TRY(traced, ptrace(PTRACE_TRACEME, 0, NULL, NULL))
TRY(attach, ptrace(PTRACE_SEIZE, getppid(), NULL, NULL))
TRY(creat_call, syscall(SYS_creat, there, 0600))
TRY(truncate_call, truncate(there, 0))
TRY(steal, syscall(SYS_pidfd_getfd, -1, 0, 0))
TRY(advise, syscall(SYS_process_madvise, -1, NULL, 0, 0, 0))
TRY(compare, syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 0))
TRY(fault, syscall(SYS_userfaultfd, 0))
TRY(bpf, syscall(SYS_bpf, 0, NULL, 0))
TRY(perf_event, syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0))
TRY(module, syscall(SYS_finit_module, -1, "", 0))
TRY(mounting, mount("none", directory, "tmpfs", 0, NULL))
TRY(moving_mount, syscall(SYS_fsopen, "tmpfs", 0))
TRY(entering, setns(-1, 0))
TRY(apart, unshare(CLONE_NEWNS))
TRY(root, chroot("/"))
TRY(key, syscall(SYS_keyctl, 0, 0, 0, 0, 0))
TRY(ring, syscall(SYS_io_uring_setup, 1, NULL))
TRY(registering, syscall(SYS_io_uring_register, -1, 0, NULL, 0))
TRY(packets, socket(AF_PACKET, SOCK_DGRAM, 0))
TRY(crypto, socket(AF_ALG, SOCK_SEQPACKET, 0))
TRY(virtual_socket, socket(AF_VSOCK, SOCK_STREAM, 0))
TRY(listening, listen(-1, 1))
TRY(map_of_itself, prctl(PR_SET_MM, PR_SET_MM_BRK, 0, 0, 0))
TRY(dumpable, prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
TRY(mode, chmod(there, 0600))
TRY(owner, chown(there, (uid_t)-1, (gid_t)-1))
TRY(user, setuid(getuid()))
TRY(capabilities, syscall(SYS_capset, NULL, NULL))
TRY(typing, ioctl(-1, TIOCSTI, ""))
TRY(others_limits, syscall(SYS_prlimit64, 1, RLIMIT_CORE, NULL, NULL))
TRY(a_node, mknod(absent, S_IFIFO | 0600, 0))
TRY(symbolic, symlink("/", absent))
TRY(removing_directory, rmdir(absent))
TRY(personal, syscall(SYS_personality, 0xffffffff))
TRY(new_clone, syscall(SYS_clone3, NULL, 0))

/* ---- what goes on ---- */

static void *end_at_once(void *context)
{
	return context;
}

TRY(memory_file, memfd_create("test", MFD_CLOEXEC))
TRY(event, eventfd(0, EFD_CLOEXEC))
TRY(device_call, ioctl(-1, KTALLY_IOC_INFO, NULL))
TRY(namespace_above, ioctl(-1, NS_GET_PARENT))
TRY(namespace_maker, ioctl(-1, NS_GET_OWNER_UID, NULL))
TRY(renaming, rename(there, there))
TRY(internet, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
TRY(more_filters, filter_apply(FILTER_READER) ? -1 : 0)

static long a_thread(void)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, end_at_once, NULL);
	return errno || pthread_join(thread, NULL) ? -1 : 0;
}

static long a_program(void)
{
	pid_t child = fork();
	int status = -1;

	if (!child) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	return waitpid(child, &status, 0) == child && !status ? 0 : -1;
}

static long a_name(void)
{
	struct addrinfo *found;

	return getaddrinfo("localhost", "80", NULL, &found) ? -1 : 0;
}

static const struct {
	const char *name;
	long (*call)(void);
	int error;			/* when confined */
} attempts[] = {
	{ "writing to another process' memory", write_memory, EPERM },
	{ "being traced", traced, EPERM },
	{ "tracing another", attach, EPERM },
	{ "openat2()", by_how, EPERM },
	{ "/proc/self/mem for writing", own_memory, EPERM },
	{ "/proc/1/mem for writing", others_memory, EPERM },
	{ "the score of the OOM killer", score, EPERM },
	{ "a sysctl", sysctl, EPERM },
	{ "the same below /proc/PID/root", in_root, EPERM },
	{ "the same by a link elsewhere", by_link, EPERM },
	{ "a thread's name", thread_name, EPERM },
	{ "/proc/self/mem as a new file", exclusive_memory, EEXIST },
	{ "a device as a new file", exclusive_device, EEXIST },
	{ "an open file again, by its descriptor, for writing", by_descriptor, EPERM },
	{ "a file for reading, truncated", truncating, EPERM },
	{ "a file for appending", appending, EPERM },
	{ "a file that is made if it is not there", creating, EPERM },
	{ "a file for neither reading nor writing", without_mode, EPERM },
	{ "a file without a name", unnamed, EPERM },
	{ "creat()", creat_call, EPERM },
	{ "truncate()", truncate_call, EPERM },
	{ "a file by its handle for writing", handle, EPERM },
	{ "taking another's descriptor", steal, EPERM },
	{ "advice on another's memory", advise, EPERM },
	{ "comparing processes", compare, EPERM },
	{ "handling page faults", fault, EPERM },
	{ "BPF", bpf, EPERM },
	{ "perf events", perf_event, EPERM },
	{ "a module", module, EPERM },
	{ "a mount", mounting, EPERM },
	{ "a mount by the newer calls", moving_mount, EPERM },
	{ "entering a namespace", entering, EPERM },
	{ "making one", apart, EPERM },
	{ "making one by clone()", clone_user, EPERM },
	{ "clone3(), whose flags are hidden", new_clone, ENOSYS },
	{ "another root", root, EPERM },
	{ "keys", key, EPERM },
	{ "another ring of io_uring", ring, EPERM },
	{ "changing a ring", registering, EPERM },
	{ "packets as they are", packets, EPERM },
	{ "the kernel's cryptography", crypto, EPERM },
	{ "sockets to virtual machines", virtual_socket, EPERM },
	{ "listening", listening, EPERM },
	{ "where its memory is", map_of_itself, EPERM },
	{ "being dumpable", dumpable, EPERM },
	{ "memory to write and execute", both, EPERM },
	{ "memory to write, executable afterwards", executable_later, EPERM },
	{ "a file's mode", mode, EPERM },
	{ "a file's owner", owner, EPERM },
	{ "another user", user, EPERM },
	{ "capabilities", capabilities, EPERM },
	{ "typing into the terminal", typing, EPERM },
	{ "another's limits", others_limits, EPERM },
	{ "making a node", a_node, EPERM },
	{ "making a link", symbolic, EPERM },
	{ "removing a directory", removing_directory, EPERM },
	{ "another personality", personal, EPERM },

	{ "a file for reading", reading_file, PASSED },
	{ "/proc/self/maps for reading", reading_maps, PASSED },
	{ "naming a file", naming, PASSED },
	{ "a new file", making, PASSED },
	{ "renaming", renaming, PASSED },
	{ "a thread", a_thread, PASSED },
	{ "a program", a_program, PASSED },
	{ "looking up a host", a_name, PASSED },
	{ "a socket", internet, PASSED },
	{ "a file in memory", memory_file, PASSED },
	{ "an event", event, PASSED },
	{ "a call of the device", device_call, EBADF },
	{ "asking for the user namespace above", namespace_above, EBADF },
	{ "asking who made one", namespace_maker, EBADF },
	{ "confining itself once more", more_filters, PASSED },
};

/* ---- */

/* The error of a call in a process of its own, 0: none; < 0: the signal that ended it. */
static int attempt(long (*call)(void), bool confined)
{
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (!child) {
		if (confined && filter_apply(FILTER_READER))
			_exit(255);
		errno = 0;
		_exit(call() < 0 ? errno : 0);
	}
	if (waitpid(child, &status, 0) != child)
		return 255;
	unlink(absent);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_attempts(void)
{
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		check_number(attempt(attempts[i].call, true), attempts[i].error, "%s", attempts[i].name);
	check_number(attempt(all_of_proc, true), 0, "every file below /proc, in every way to write to it");
	/* That it is the filter which refuses, shown by those that anybody may do. */
	check_number(attempt(write_memory, false), 0, "without the filter memory can be written");
	check_number(attempt(by_how, false), 0, "without the filter openat2() opens");
	check_number(attempt(own_memory, false), 0, "without the filter /proc/self/mem can be opened for writing");
	check_number(attempt(traced, false), 0, "without the filter a process can be traced");
	check_number(attempt(appending, false), 0, "without the filter a file can be appended to");
	check_string(word, "abc", "what would have been written to");
}

static long x32_call(void)
{
	return syscall(X32 | SYS_getpid);
}

static void test_architectures(void)
{
	check_number(attempt(x32_call, true), -SIGSYS, "a call by x32's numbers ends the process");
}

/* ---- a kernel without filters, as a filter of its own imitates it ---- */

static int hide_seccomp(int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static long confine_as(int error, int expected)
{
	if (hide_seccomp(error) || filter_exists() != (expected != EXIT_OK))
		return -1;
	opener_name(there, O_RDWR);
	if (expected != EXIT_OK)
		return confine_begin(0) == expected && confine_end() == expected ? 0 : -1;
	return confine_begin(0) || confine_end() || opener_open(there, O_RDWR, 0) < 0 ? -1 : 0;
}

TRY(on_no_seccomp, confine_as(ENOSYS, EXIT_OK))
TRY(on_no_filters, confine_as(EINVAL, EXIT_OK))
TRY(where_forbidden, confine_as(EPERM, EXIT_FAILED))

static void test_other_kernels(void)
{
	check_number(attempt(on_no_seccomp, false), 0, "a kernel without seccomp: it runs, and opens by itself");
	check_number(attempt(on_no_filters, false), 0, "a kernel with seccomp and no filters: the same");
	check_number(attempt(where_forbidden, false), 0, "where filters are there and forbidden it does not run");
}

static void *wait_and_try(void *context)
{
	char byte;

	if (read(*(int *)context, &byte, 1) != 1)
		return "nothing was read";
	return own_memory() < 0 && errno == EPERM ? NULL : "it could be opened";
}

static long older_thread(void)
{
	pthread_t thread;
	void *result;
	int ends[2];

	if (pipe(ends) || pthread_create(&thread, NULL, wait_and_try, &ends[0]) || filter_apply(FILTER_READER) ||
	    write(ends[1], "", 1) != 1 || pthread_join(thread, &result))
		return -1;
	return result ? -1 : 0;
}

static int operation_answer(struct io_uring *uring, void (*prepare)(struct io_uring_sqe *request))
{
	struct io_uring_sqe *request = io_uring_get_sqe(uring);
	struct io_uring_cqe *answer;
	int result;

	prepare(request);
	if (io_uring_submit_and_wait(uring, 1) < 0 || io_uring_peek_cqe(uring, &answer))
		return 1;
	result = answer->res;
	io_uring_cqe_seen(uring, answer);
	return result;
}

static void prepare_open(struct io_uring_sqe *request)
{
	io_uring_prep_openat(request, AT_FDCWD, "/proc/self/mem", O_RDWR, 0);
}

static void prepare_open2(struct io_uring_sqe *request)
{
	static struct open_how how = { .flags = O_RDWR };

	io_uring_prep_openat2(request, AT_FDCWD, there, &how);
}

static void prepare_nothing(struct io_uring_sqe *request)
{
	io_uring_prep_nop(request);
}

static void prepare_write(struct io_uring_sqe *request)
{
	io_uring_prep_write(request, STDOUT_FILENO, "# written by a ring\n", 20, 0);
}

/* No filter of system calls sees what a ring opens. */
static long open_by_ring(void)
{
	struct loop *loop;

	if (loop_create(&loop, LOOP_IO_URING) || filter_apply(FILTER_READER))
		return -1;
	return operation_answer(loop->state, prepare_open) == -EACCES ? 0 : -1;
}

/* The ring is the first member of the loop's state. */
static void test_ring(void)
{
	struct loop *loop;

	if (loop_create(&loop, LOOP_IO_URING)) {
		check_skip("io_uring does not work here", "the loop's ring does nothing but wait");
		return;
	}
	check_number(operation_answer(loop->state, prepare_open), -EACCES, "the loop's ring opens no file");
	check_number(operation_answer(loop->state, prepare_open2), -EACCES, "nor by openat2()");
	check_number(operation_answer(loop->state, prepare_write), -EACCES, "nor writes");
	check_number(operation_answer(loop->state, prepare_nothing), -EACCES, "nor does nothing");
	loop_destroy(loop);
	check_number(attempt(open_by_ring, false), 0, "confined, /proc/self/mem is not opened by the ring that there is");
}

int main(void)
{
	int fd;

	if (!mkdtemp(directory))
		return 1;
	fd = open(below(there, "there"), O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || close(fd) || symlink("/proc/self/mem", below(link_to_proc, "link")))
		return 1;
	below(absent, "absent");
	test_ring();
	test_attempts();
	test_architectures();
	test_other_kernels();
	check_number(attempt(older_thread, false), 0, "threads that ran before are confined, too");
	unlink(there);
	unlink(link_to_proc);
	rmdir(directory);
	return check_end();
}
