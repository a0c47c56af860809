// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/ktally.h>
#include <linux/nsfs.h>
#include <linux/seccomp.h>

#include "confine/filter.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA		0x53564d41	/* names a mapping, since Linux 5.17 */
#endif

/* The C library's tcgetattr() and tcsetattr() since 2.42; <asm/termbits.h> is at odds with <termios.h>. */
#define TERMINAL_GET2		0x802c542a
#define TERMINAL_SET2		0x402c542b
#define TERMINAL_SETW2		0x402c542c
#define TERMINAL_SETF2		0x402c542d

#define IOCTL_TYPE(request)	((request) & (_IOC_TYPEMASK << _IOC_TYPESHIFT))
#define CLONE_NAMESPACES	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

#define CALL(name)		SCMP_SYS(name)

/* With any arguments. What one architecture has under another name, or lacks, is left out there. */
static const int common[] = {
	/* memory and threads */
	CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise), CALL(membarrier), CALL(futex), CALL(set_robust_list), CALL(rseq),
	CALL(set_tid_address), CALL(clone3), CALL(sched_yield), CALL(sched_getaffinity), CALL(getcpu), CALL(exit), CALL(exit_group),
	CALL(restart_syscall),
	/* signals */
	CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(rt_sigpending), CALL(rt_sigtimedwait), CALL(sigaltstack),
	CALL(kill), CALL(tgkill), CALL(pause),
	/* time */
	CALL(clock_gettime), CALL(clock_getres), CALL(clock_nanosleep), CALL(nanosleep), CALL(gettimeofday), CALL(time),
	/* descriptors that are there */
	CALL(read), CALL(readv), CALL(pread64), CALL(write), CALL(writev), CALL(pwrite64), CALL(lseek), CALL(close), CALL(close_range),
	CALL(fstat), CALL(fcntl), CALL(dup), CALL(dup2), CALL(dup3), CALL(poll), CALL(ppoll), CALL(sendmsg), CALL(recvmsg),
	CALL(sendto), CALL(recvfrom),
	/* who one is */
	CALL(getpid), CALL(getppid), CALL(gettid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(getrandom),
};

static const int reader[] = {
	/* processes; a program that is executed has the same filter */
	CALL(execve), CALL(fork), CALL(vfork), CALL(wait4), CALL(waitid), CALL(capget), CALL(getgroups), CALL(getresuid),
	CALL(getresgid), CALL(getpgrp), CALL(getrusage), CALL(getpriority), CALL(setpriority), CALL(uname), CALL(sysinfo), CALL(times),
	CALL(arch_prctl), CALL(seccomp),
	/* files by their path, without opening them for writing */
	CALL(stat), CALL(lstat), CALL(newfstatat), CALL(statx), CALL(statfs), CALL(fstatfs), CALL(getdents64), CALL(readlink),
	CALL(readlinkat), CALL(access), CALL(faccessat), CALL(faccessat2), CALL(getcwd), CALL(umask), CALL(rename), CALL(renameat),
	CALL(renameat2), CALL(unlink),
	/* files that are open */
	CALL(flock), CALL(fadvise64), CALL(ftruncate), CALL(fallocate), CALL(fsync), CALL(fdatasync), CALL(memfd_create),
	/* waiting */
	CALL(pipe), CALL(pipe2), CALL(eventfd2), CALL(signalfd4), CALL(select), CALL(pselect6), CALL(epoll_create1), CALL(epoll_ctl),
	CALL(epoll_wait), CALL(epoll_pwait), CALL(epoll_pwait2), CALL(io_uring_enter),
	/* sockets; bind is for netlink, by which the C library finds out the addresses of this host */
	CALL(socketpair), CALL(connect), CALL(bind), CALL(accept), CALL(accept4), CALL(getsockname), CALL(getpeername),
	CALL(setsockopt), CALL(getsockopt), CALL(sendmmsg), CALL(recvmmsg), CALL(shutdown),
};

/* What keeps a cache of files. */
static const int writer[] = {
	CALL(mkdir), CALL(mkdirat), CALL(rmdir), CALL(unlinkat), CALL(link), CALL(linkat), CALL(utime), CALL(utimes),
	CALL(utimensat), CALL(chmod), CALL(fchmod), CALL(fchmodat),
};

struct condition {
	int call;
	struct scmp_arg_cmp argument;
};

#define WHEN(name, number, ...)	{ CALL(name), { .arg = (number), .op = __VA_ARGS__ } }
#define IS(value)		SCMP_CMP_EQ, .datum_a = (value)
#define BITS(mask, value)	SCMP_CMP_MASKED_EQ, .datum_a = (mask), .datum_b = (value)

/* Writable or executable; and once executable, as it was mapped. */
static const struct condition memory[] = {
	WHEN(mmap, 2, BITS(PROT_EXEC, 0)),
	WHEN(mmap, 2, BITS(PROT_WRITE, 0)),
	WHEN(mprotect, 2, BITS(PROT_EXEC, 0)),
	WHEN(clone, 0, BITS(CLONE_NAMESPACES, 0)),
};

static const struct condition openings[] = {
	WHEN(open, 1, BITS(O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)),
	WHEN(openat, 2, BITS(O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)),
	WHEN(open, 1, BITS(O_CREAT | O_EXCL, O_CREAT | O_EXCL)),
	WHEN(openat, 2, BITS(O_CREAT | O_EXCL, O_CREAT | O_EXCL)),
};

static const struct condition reading[] = {
	WHEN(open_by_handle_at, 2, IS(O_PATH | O_CLOEXEC)),	/* the path of a cgroup */
	WHEN(unlinkat, 2, IS(0)),
	WHEN(utimensat, 1, IS(0)),				/* of what is open */
	WHEN(prlimit64, 0, IS(0)),
	WHEN(socket, 0, IS(AF_UNIX)),
	WHEN(socket, 0, IS(AF_INET)),
	WHEN(socket, 0, IS(AF_INET6)),
	WHEN(socket, 0, IS(AF_NETLINK)),
	WHEN(ioctl, 1, BITS(IOCTL_TYPE(~0U), IOCTL_TYPE(KTALLY_IOC_INFO))),
	WHEN(ioctl, 1, IS(NS_GET_PARENT)),			/* who made a user namespace */
	WHEN(ioctl, 1, IS(NS_GET_OWNER_UID)),
	WHEN(ioctl, 1, IS(FIONBIO)),
	WHEN(ioctl, 1, IS(FIONREAD)),
	WHEN(ioctl, 1, IS(TCGETS)),
	WHEN(ioctl, 1, IS(TCSETS)),
	WHEN(ioctl, 1, IS(TCSETSW)),
	WHEN(ioctl, 1, IS(TCSETSF)),
	WHEN(ioctl, 1, IS(TERMINAL_GET2)),
	WHEN(ioctl, 1, IS(TERMINAL_SET2)),
	WHEN(ioctl, 1, IS(TERMINAL_SETW2)),
	WHEN(ioctl, 1, IS(TERMINAL_SETF2)),
	WHEN(ioctl, 1, IS(TIOCGWINSZ)),
	WHEN(ioctl, 1, IS(SIOCGIFNAME)),
	WHEN(ioctl, 1, IS(SIOCGIFINDEX)),
	WHEN(prctl, 0, IS(PR_SET_NAME)),
	WHEN(prctl, 0, IS(PR_SET_VMA)),
	WHEN(prctl, 0, IS(PR_SET_PDEATHSIG)),
	WHEN(prctl, 0, IS(PR_SET_NO_NEW_PRIVS)),
	WHEN(prctl, 0, IS(PR_GET_SECCOMP)),
	WHEN(prctl, 0, IS(PR_SET_SECCOMP)),
	WHEN(prctl, 0, IS(PR_CAPBSET_READ)),
};

/* The opener opens anything, as it takes no paths from anybody. */
static const int opener[] = { CALL(open), CALL(openat), CALL(fstatfs) };

#define COUNT(array)		(sizeof(array) / sizeof((array)[0]))

static int allow(scmp_filter_ctx filter, const int *calls, size_t count)
{
	int error = 0;

	for (size_t i = 0; i < count && !error; i++)
		error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, calls[i], 0, NULL);
	return error;
}

static int allow_when(scmp_filter_ctx filter, const struct condition *conditions, size_t count)
{
	int error = 0;

	for (size_t i = 0; i < count && !error; i++)
		error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, conditions[i].call, 1, &conditions[i].argument);
	return error;
}

#define ALLOW(calls)		allow(filter, calls, COUNT(calls))
#define ALLOW_WHEN(conditions)	allow_when(filter, conditions, COUNT(conditions))

static int add_rules(scmp_filter_ctx filter, enum filter_kind kind)
{
	int error = ALLOW(common);

	if (!error)
		error = ALLOW_WHEN(memory);
	if (error || kind == FILTER_OPENER)
		return error ? error : ALLOW(opener);
	error = ALLOW(reader);
	if (!error)
		error = ALLOW_WHEN(reading);
	if (error || kind == FILTER_READER)
		return error ? error : ALLOW_WHEN(openings);
	error = ALLOW(writer);
	return error ? error : ALLOW(opener);
}

static int set_up(scmp_filter_ctx filter, bool is_told)
{
	const struct {
		enum scmp_filter_attr attribute;
		uint32_t value;
	} attributes[] = {
		{ SCMP_FLTATR_CTL_NNP, 1 },
		{ SCMP_FLTATR_CTL_TSYNC, 1 },
		{ SCMP_FLTATR_CTL_LOG, is_told },
		{ SCMP_FLTATR_CTL_OPTIMIZE, 2 },
		{ SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS },
		{ SCMP_FLTATR_API_SYSRAWRC, 1 },
	};
	int error = 0;

	for (size_t i = 0; i < COUNT(attributes) && !error; i++)
		error = seccomp_attr_set(filter, attributes[i].attribute, attributes[i].value);
	return error;
}

/*
 * clone3() has its flags where no filter can see them, too. A C library asks for it first, each time, and takes clone() where it is
 * not there; EPERM it would take for the last word. So that this is not told in the kernel log each time, it has a filter of its own.
 */
static int refuse_clone3(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int error = filter ? set_up(filter, false) : -ENOMEM;

	if (!error)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);
	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}

/* A flag that is known and a filter at no address: EFAULT. Asking so changes nothing, and needs no rights. */
bool filter_exists(void)
{
	return !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, NULL) || (errno != ENOSYS && errno != EINVAL);
}

int filter_apply(enum filter_kind kind)
{
	int error = refuse_clone3();
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	if (!error)
		error = filter ? set_up(filter, true) : -ENOMEM;
	if (!error)
		error = add_rules(filter, kind);
	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}
