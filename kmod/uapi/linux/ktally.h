/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * /dev/ktally: the interface between the ktally kernel module and whoever reads it.
 *
 * This text is the specification. A consumer in any language can be written from it alone. All integers are
 * little-endian, as the host is (x86-64), and naturally aligned; no structure has hidden padding.
 *
 *
 * 1. Sessions
 *
 * Every open() of /dev/ktally makes a session, and sessions know nothing of each other: each has its own rate, filters,
 * rings and losses. The life of one:
 *
 *	fd = open("/dev/ktally", O_RDWR)
 *	ioctl(fd, KTALLY_IOC_INFO, &info)	what this module is, and what this fd may ask for
 *	ioctl(fd, KTALLY_IOC_SETUP, &setup)	once: what to sample, whom, how much memory
 *	ioctl(fd, KTALLY_IOC_ENABLE)		samples flow
 *	poll(fd) and read(fd), or mmap(fd)	take the records
 *	ioctl(fd, KTALLY_IOC_DISABLE)		samples stop, what was written can still be read
 *	close(fd)				everything is gone
 *
 * ENABLE and DISABLE may alternate as often as wanted. The session lives until the last descriptor and the last mapping
 * of it are gone; the death of the consumer is a close().
 *
 * What a session may see is decided by who opened it, never by who uses the descriptor later, so a descriptor can be
 * handed to a less privileged process:
 *
 *   - opened with CAP_PERFMON (or CAP_SYS_ADMIN) in the initial user namespace: every process, and kernel frames unless
 *     the kernel is locked down (lockdown=confidentiality) or a security module forbids it;
 *   - opened by anyone else: only processes that run wholly under the opener's own user and group ids in the opener's
 *     user namespace, have an id in his pid namespace and no capability that he lacks, and may dump core; and no
 *     kernel frames.
 *
 * Security modules are asked through the kernel's own functions: always by capable() (their hook "capable") and by
 * the check of lockdown ("locked_down"); for kernel frames by perf_allow_kernel() (their hook "perf_event_open", with
 * PERF_SECURITY_KERNEL) where the kernel exports that to modules, which is from Linux 6.12 on. perf's other uses of
 * that hook, those of "perf_event_alloc", "_read" and "_write", and file permissions beyond those of the device itself
 * are not asked.
 *
 * What a descriptor may do is decided by its rights (KTALLY_RIGHT_*). It has all of them when it is opened, and
 * KTALLY_IOC_RESTRICT gives rights up for good, for all who have a copy of it. What was given up is -EPERM. Reading,
 * by read(), poll() and mmap(), KTALLY_IOC_INFO, KTALLY_IOC_GET_CPUS and KTALLY_IOC_RESTRICT need no right. So who
 * hands a session to somebody to read it, and for nothing else, sets it up, enables it, and leaves him no right.
 *
 * What reaches beyond the session asks whoever calls as well: KTALLY_IOC_LOAD_TABLE, KTALLY_IOC_OPEN_FILE, and, in a
 * session opened with CAP_PERFMON, KTALLY_IOC_SPACE_OF, KTALLY_IOC_SET_RATE to a higher rate and KTALLY_IOC_SET_KEEP to
 * keep more need CAP_PERFMON (or CAP_SYS_ADMIN) of the caller, too.
 *
 * No more than 16 sessions can be set up at a time. Those opened without CAP_PERFMON are the unprivileged: 4 of them
 * together, and never the last of the 16; and half of the memory that all sessions may take (the module's parameter
 * memory_limit_mb). No user has more than half of either of these. A user is as in "Files", by the opener's user and
 * user namespace.
 *
 * Errors common to all calls: -EFAULT for a bad pointer, -EINVAL for an unknown flag or a reserved field that is not
 * zero, -E2BIG for a structure with non-zero bytes past what this module knows, -ENOTTY for an unknown ioctl.
 *
 *
 * 2. Structures that can grow
 *
 * Structures passed to an ioctl begin with their own size in bytes, set by the caller. Later versions only append
 * fields, and zero in an appended field always means "as before". So a caller built against an older header simply
 * passes a smaller size; a caller built against a newer one passes a larger, and gets -E2BIG if it uses a field that
 * this module does not know. The module fills in at most the given size. The size is not part of the ioctl number.
 *
 * KTALLY_ABI_VERSION changes only when an existing consumer would misread something. New record
 * types, frame types, flags and features do not change it: a consumer must skip record types that
 * it does not know, by their size, and treat frame types that it does not know as unnamed frames.
 *
 *
 * 3. Rings
 *
 * There is a ring for each CPU that the session samples (setup.cpu_mask) and that is or was online since SETUP. A
 * ring is one area of setup.area_bytes bytes, mapped from the file at offset cpu * setup.area_bytes:
 *
 *	offset 0			struct ktally_ring_consumer, one page, the only one that can be written
 *	offset KTALLY_PAGE_BYTES	struct ktally_ring_producer, one page: readable
 *	producer.data_offset		the records, producer.data_bytes bytes: readable
 *	... + producer.data_bytes	the same bytes again, so that no record is ever split at the end of the ring
 *
 * Map the consumer page alone with PROT_READ|PROT_WRITE and the rest with PROT_READ; both
 * MAP_SHARED. Asking to write or execute the rest is -EPERM, a range outside the area -EINVAL, a
 * CPU that has no ring (yet) -ENXIO. When producer.rings in any mapped ring differs from the number
 * of rings mapped, a CPU has come online and has a ring to map.
 *
 * A CPU that comes online while there is no memory for its ring, or no counter for it, comes online all the same, dark
 * to the session. It is tried again at every KTALLY_IOC_FLUSH; KTALLY_CPUS_DARK says which CPUs are dark.
 *
 * Positions are bytes, start at zero and never wrap: position p is at data offset p % producer.data_bytes, and
 * data_bytes is a power of two. Everything in [consumer.tail, producer.head) is complete records, in order. To consume:
 *
 *	head = load-acquire(producer.head)
 *	while (tail != head) { use the record at data + (tail & (data_bytes - 1)); tail += record.size; }
 *	store-release(consumer.tail, tail)
 *
 * The module believes nothing it reads from the consumer page; a wrong tail makes the consumer lose its own records.
 *
 * read() returns as many whole records as fit, from all rings, ring after ring: the same records,
 * consumed the same way. A buffer too small for the next record is -EINVAL; KTALLY_RECORD_BYTES_MAX
 * always suffices. Without O_NONBLOCK it waits until poll() would report POLLIN. On a session that
 * is not enabled it returns what is left, then 0. Do not mix read() and a mapping on one session.
 *
 * poll() reports POLLIN when some ring holds at least setup.watermark_bytes, a record that is older than
 * setup.latency_ms (give or take as much again), or a new FILE record, which should not wait; POLLHUP when the
 * session was stopped for good (see producer.state).
 *
 *
 * 4. Records
 *
 * Every record begins with struct ktally_record. The order within a ring is: a TASK before the
 * first sample that names its task_id, a STACK before the first sample that names its stack_id, a
 * FILE before the first STACK that has a frame in that file. Ids and numbers are stable and mean
 * the same in all rings of a session, but each ring says them for itself, and may say them again.
 * After KTALLY_FLUSH_RESEND it says them all again.
 *
 * Nothing is lost silently. For every ring, and once it is read empty after KTALLY_IOC_FLUSH:
 *
 *	producer.samples == SAMPLE records + OFFCPU records without KTALLY_OFFCPU_PARTIAL
 *			    + the sum of `count` of all LOST records of KTALLY_LOST_FULL and KTALLY_LOST_BUSY
 *
 *
 * 5. Waits
 *
 * A wait is the time from a task's leaving the CPU to its running again: blocked until something
 * wakes it, then on the run queue until its turn; for a task that was preempted, on the run queue
 * all along; for a new task, from its creation to its first instruction. For every thread, time on
 * the CPU and waits add up to wall time.
 *
 * Not every wait becomes a record. One that took d nanoseconds is kept with probability
 * min(1, d / D), where D is setup.keep_ns, and then stands for max(d, D) (its weight): sums of
 * weights are unbiased, long waits are never missed, and a thread makes at most one record per D
 * of waiting. D = 0 keeps all. Waits shorter than setup.wait_min_ns are only counted, in
 * producer.waits_short.
 *
 * A wait that goes on is told when it is older than both and KTALLY_IOC_FLUSH is called: once, by
 * an OFFCPU record with KTALLY_OFFCPU_PARTIAL that says what had passed by then. It goes on until
 * an OFFCPU record of the same thread and start without that flag, which replaces it, or the EXIT
 * of the thread. After a loss, or any doubt, KTALLY_FLUSH_RESEND tells all open waits again: one
 * that is not among them has ended. A reader that shows a picture every few seconds adds, for each
 * open wait, the time since it last looked, so a task that hangs is in every picture.
 *
 * Waits of tasks that waited already at ENABLE count from there; a session that may not see every
 * process does not see those.
 *
 *
 * 6. Files
 *
 * With KTALLY_CAPTURE_FILES, a user frame in code that is mapped from a file is the number of the
 * file and the offset in it (KTALLY_FRAME_FILE): the same in every process that runs it, wherever
 * it is mapped there. Code of no file (compiled at run time) stays KTALLY_FRAME_USER, an address in
 * the address space stack.mm_id; so does a frame whose mapping could not be looked at when it was
 * sampled, because the process was changing its mappings at that moment. On a kernel with PREEMPT_RT that
 * is so of all mappings, and a worker looks within 0.2 seconds of a sample: until then frames in what is new
 * are addresses, and where as much code of another file has taken the place of what was unmapped, they are
 * still in the old file.
 *
 * The vdso, which the kernel maps into every process, is such a file, too: KTALLY_IOC_OPEN_FILE
 * gives a copy of it, with "[vdso]" for its path. But only that of 64-bit programs, as soon as one of these
 * has set such a session up; that of 32-bit programs stays KTALLY_FRAME_USER.
 *
 * The offset is one in the file, not an address of the ELF file's own: the two differ by p_offset
 * and p_vaddr of the segment.
 *
 * A file is what its inode was when it was first sampled: device, inode number, generation, time
 * of the last change of the inode, and size. Written anew, it is another file with another number.
 * Numbers are the same for all sessions, tell nothing by their order, and are not used again while any session is
 * open; a file that was not sampled for long may get another. There are 16777215, which last for
 * more than a year: all users together are given 65536 at any speed, and then 30 a minute.
 *
 * What all share, no user takes from the others. A user can make 1024 files known at once, and then
 * 64 a second; and may have another of the 65536 that are known, the 4096 that are held, the 8192
 * address spaces that are remembered, and of those 65536 numbers, as long as it has fewer than are
 * free for all: alone, half of them. Also, one stack has the kernel asked for 24 mappings and makes
 * 12 files known at most. What is beyond that is refused this time: its frames stay addresses, or the
 * file cannot be opened. And a user stack that changes from mapping to mapping for more than
 * KTALLY_UNWIND_MAPPINGS times ends there (KTALLY_END_TRUNCATED), but changes to one of the last eight do
 * not count; so how long interrupts are off for one stack has a bound. How often something was refused,
 * fdinfo says by cause (refused_*), to readers with CAP_PERFMON; and for how long interrupts were off at
 * most, as longest_ns. A user is a real user id in the initial user namespace or, for a process in
 * another, who made that one, the outermost of them; where root did, the first id that is mapped there; and a
 * namespace of root's in which that is root does not count. Where no user made a user namespace, what is in a pid
 * namespace, as a container is, is one user: the outermost of them.
 *
 * Of a union file system (overlay), device and inode are of the layer that has the content: the
 * same file of the same image in a hundred containers is one file.
 *
 * For a while the module holds every file that was sampled, so that KTALLY_IOC_OPEN_FILE can give
 * a descriptor of exactly that file, when it was deleted, when it lies in a mount namespace that
 * the caller cannot reach, and when its last process has ended, which need not have lived for longer
 * than its only sample. It holds it for 30 seconds, and then again when it is sampled again; or, when
 * the process whose sample it was held for has ended before, from then for as long as the module's
 * parameter file_hold_ms says (750), give or take 100; and for an eighth of these times when there are
 * very many (2048). So a consumer opens a file as soon as it is told of it.
 *
 * Held are the file's path and inode, as by open() with O_PATH, and nothing that hangs on its being
 * open: it can be executed and written, its locks and leases end with its processes. Until the module
 * lets go, umount of its mount is -EBUSY, where it is mounted in the mount namespace of the process,
 * and the space of a deleted file is not free; so a consumer that opens files should close them soon,
 * too. By default that is over within a second of the last process's end.
 *
 *
 * 7. User stacks and unwind tables
 *
 * Most programs keep no frame pointer. How to get from a function's frame to its caller's then stands in the
 * file that the code is from (.eh_frame, .debug_frame, .sframe), in forms that are too slow and too intricate
 * for an interrupt. The consumer turns it into an unwind table and loads that for the file's number with
 * KTALLY_IOC_LOAD_TABLE: at any time, as soon as a record has named the file. All sessions use what any of them
 * loaded, for as long as there is one that was opened with CAP_PERFMON and set up with KTALLY_CAPTURE_FILES; a
 * descriptor that is merely open keeps none.
 *
 * A table says for every byte of the file which rule holds when the instruction pointer is there. Its keys are
 * offsets in the file, not addresses, as in KTALLY_FRAME_FILE. It is three arrays:
 *
 *	struct ktally_unwind_row rows[row_count]	where a rule begins to hold: until the next row
 *	__u32 first_rows[chunk_count + 1]		what rows a chunk has
 *	struct ktally_unwind_rule rules[rule_count]	what a row can say
 *
 * A chunk is 64 KiB of the file, so that a row needs but the lower 16 bits of an offset. Chunk c covers the
 * offsets from (first_chunk + c) << 16 and has the rows first_rows[c] to first_rows[c + 1] - 1. For all tables:
 *
 *   - first_rows[0] is 0 and first_rows[chunk_count] is row_count; every chunk has a row; the first row of a
 *     chunk has offset 0, the others have strictly increasing ones. So a rule that goes on into the next chunk
 *     is said again there.
 *   - rules[0] is all zero bytes: KTALLY_UNWIND_NONE. Gaps between functions, and code of which the rule cannot
 *     be said in the terms below, are rows with rule 0, and so is what comes after the last function.
 *   - a field that a kind of rule does not use is zero, but for the register of KTALLY_UNWIND_PLT, which may be
 *     rsp's.
 *   - rules should be distinct, for the sake of the processor's cache; nobody checks.
 *   - a table without any chunk is good: it says that nothing is known of the file.
 *
 * Registers have their DWARF numbers: 0 rax, 1 rdx, 2 rcx, 3 rbx, 4 rsi, 5 rdi, 6 rbp, 7 rsp, 8 to 15 r8 to
 * r15. The CFA (canonical frame address) of a frame is what rsp is in the caller after the call has returned.
 * This is how a rule is used:
 *
 *   1. KTALLY_UNWIND_END: this was the outermost frame.
 *   2. KTALLY_UNWIND_SIGNAL: rsp points to the struct ucontext of a signal handler. All registers and the
 *      instruction pointer are those of its sigcontext, and the next frame is where the signal came, exactly. The
 *      signal frame itself is at the handler's return address, to which no call leads; the rule for it is
 *      nevertheless looked up one byte before, as for all.
 *   3. Else the CFA is, in 64-bit arithmetic:
 *	KTALLY_UNWIND_REGISTER	register + cfa_offset
 *	KTALLY_UNWIND_DEREF	*(__u64 *)(register + cfa_offset) + deref_offset
 *	KTALLY_UNWIND_PLT	rsp + cfa_offset + ((rip & 15) >= deref_offset ? 8 : 0)
 *      The return address is at CFA - 8, always; code of which that is not true has rule 0. It is what rip is in
 *      the caller; zero: this was the outermost frame. The next frame, and the rule for it, are at the return
 *      address less one.
 *   4. Each of rbp, rbx, r12, r13, r14 and r15 whose bit is in `saved` is read from CFA + 8 * saved_at[], or if
 *      its bit KTALLY_UNWIND_SAVED_FROM_RBP further up is there, too, from rbp + 8 * saved_at[], rbp being what it
 *      is before this step: a function that aligns its stack does not know how far from the CFA it has saved
 *      registers. Those whose bit is not there keep their values. rsp is the CFA. All other registers are not
 *      known any more: a rule that needs one of them ends the stack. Where the task was interrupted, and where a
 *      signal came, all are known.
 *
 * Where no table covers an address, or its rule is KTALLY_UNWIND_NONE, the frame pointer rbp is tried: it must
 * point further up the stack, to a frame pointer and a return address; one of the two that is zero says that
 * this was the outermost frame. For the next frame there may be a table again. Only the frame pointer is tried
 * in 32-bit programs.
 *
 * A stack grows down, so every step must lead further up, by at most KTALLY_UNWIND_FRAME_BYTES. Only a signal
 * frame may once lead elsewhere: out of the handler's alternate stack. How a stack ended is in stack.user_end.
 *
 * Times are CLOCK_MONOTONIC in nanoseconds, but for those of a file, which are CLOCK_REALTIME.
 * CLOCK_MONOTONIC and CLOCK_BOOTTIME are those of the initial time namespace, whoever asks: to a
 * consumer in another one, clock_gettime() and /proc tell them with the offsets of his namespace
 * added, which /proc/self/timens_offsets has and which he has to take off before he compares.
 * Process and thread ids are those of the initial pid namespace.
 */
#ifndef _UAPI_LINUX_KTALLY_H
#define _UAPI_LINUX_KTALLY_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define KTALLY_ABI_VERSION	1
#define KTALLY_DEVICE_PATH	"/dev/ktally"

/* Size of the consumer and the producer page, whatever the page size of the host. */
#define KTALLY_PAGE_BYTES	4096

/* ------------------------------------------------------------------------------------------------ what it can do */

/* info.features: what this module offers at all. */
#define KTALLY_FEATURE_ONCPU		(1ULL << 0)	/* on-CPU samples */
#define KTALLY_FEATURE_OFFCPU		(1ULL << 1)	/* off-CPU samples (record type 7) */
#define KTALLY_FEATURE_FILES		(1ULL << 2)	/* file-relative user frames (frame type 3) */
#define KTALLY_FEATURE_RUN_QUEUE	(1ULL << 3)	/* offcpu.run_queue is known (CONFIG_SCHED_INFO) */
#define KTALLY_FEATURE_TABLES		(1ULL << 4)	/* KTALLY_IOC_LOAD_TABLE */
#define KTALLY_FEATURE_RIGHTS		(1ULL << 5)	/* KTALLY_IOC_RESTRICT, info.rights */
#define KTALLY_FEATURE_CPUS		(1ULL << 6)	/* setup.cpu_mask, KTALLY_IOC_GET_CPUS */
#define KTALLY_FEATURE_SPACE_OF		(1ULL << 7)	/* KTALLY_IOC_SPACE_OF */

/* info.allowed: what this descriptor may ask for, by the rights of whoever opened it and the kernel's lockdown. */
#define KTALLY_ALLOWED_ALL_PROCESSES	(1ULL << 0)	/* else the opener's own processes only */
#define KTALLY_ALLOWED_KERNEL_FRAMES	(1ULL << 1)	/* KTALLY_CAPTURE_KERNEL */

/* info.rights, restrict.rights: what may be done by this descriptor and its copies. */
#define KTALLY_RIGHT_SETUP	(1ULL << 0)	/* KTALLY_IOC_SETUP */
#define KTALLY_RIGHT_ENABLE	(1ULL << 1)	/* KTALLY_IOC_ENABLE, KTALLY_IOC_DISABLE */
#define KTALLY_RIGHT_TUNE	(1ULL << 2)	/* KTALLY_IOC_SET_RATE, KTALLY_IOC_SET_KEEP */
#define KTALLY_RIGHT_FLUSH	(1ULL << 3)	/* KTALLY_IOC_FLUSH */
#define KTALLY_RIGHT_OPEN_FILE	(1ULL << 4)	/* KTALLY_IOC_OPEN_FILE */
#define KTALLY_RIGHT_LOAD_TABLE	(1ULL << 5)	/* KTALLY_IOC_LOAD_TABLE */
#define KTALLY_RIGHT_SPACE_OF	(1ULL << 6)	/* KTALLY_IOC_SPACE_OF */
#define KTALLY_RIGHTS_ALL	((1ULL << 7) - 1)

/* info.clock, producer.clock: what paces the samples. */
#define KTALLY_CLOCK_CPU	1	/* a high-resolution timer: cannot hit where interrupts are off */
#define KTALLY_CLOCK_CYCLES	2	/* hardware cycles, by non-maskable interrupt: hits everywhere */
#define KTALLY_CLOCK_REF_CYCLES	3	/* hardware reference cycles (constant rate), by non-maskable interrupt */

/**
 * struct ktally_info - KTALLY_IOC_INFO, all but @size filled in by the module
 * @size: in: size of this structure as the caller knows it, at least KTALLY_INFO_SIZE_V1
 * @abi_version: KTALLY_ABI_VERSION of the module
 * @features: KTALLY_FEATURE_*
 * @allowed: KTALLY_ALLOWED_*
 * @clock: KTALLY_CLOCK_* that on-CPU sampling will use, for this descriptor: without CAP_PERFMON KTALLY_CLOCK_CPU. A
 *	CPU whose hardware others have when it is started is paced by that as well, see producer.clock
 * @cpus: number of CPU numbers this host can have; rings have numbers below it
 * @rate_min: lowest sampling rate, per second and CPU
 * @rate_max: highest, for this descriptor: KTALLY_RATE_MAX or KTALLY_RATE_MAX_UNPRIVILEGED
 * @rate_default: what setup.rate = 0 means
 * @depth_max: largest setup.depth
 * @ring_bytes_min: smallest setup.ring_bytes
 * @ring_bytes_max: largest, for this descriptor
 * @rights: KTALLY_RIGHT_* that this descriptor has still
 */
struct ktally_info {
	__u32 size;
	__u32 abi_version;
	__u64 features;
	__u64 allowed;
	__u32 clock;
	__u32 cpus;
	__u32 rate_min;
	__u32 rate_max;
	__u32 rate_default;
	__u32 depth_max;
	__u32 ring_bytes_min;
	__u32 ring_bytes_max;
	__u64 rights;
};

#define KTALLY_INFO_SIZE_V1	56
#define KTALLY_INFO_SIZE_V2	64	/* rights */

/**
 * struct ktally_restrict - KTALLY_IOC_RESTRICT, at any time: give rights up for good, before a descriptor is handed on
 * @size: in: size of this structure as the caller knows it, at least KTALLY_RESTRICT_SIZE_V1
 * @reserved: zero
 * @rights: in: KTALLY_RIGHT_* that may remain, 0: none; out: those that do, which never were given up before
 *
 * It is named what remains, not what goes: so a caller that does not know of a right that came later gives it up.
 * Holds for all copies of the descriptor. A call that is under way in another thread ends as it would have.
 */
struct ktally_restrict {
	__u32 size;
	__u32 reserved;
	__u64 rights;
};

#define KTALLY_RESTRICT_SIZE_V1	16

/* get_cpus.which */
#define KTALLY_CPUS_SAMPLED	0	/* that the session samples: as setup.cpu_mask, or by default */
#define KTALLY_CPUS_LEFT_OUT	1	/* that this host can have and the session does not sample */
#define KTALLY_CPUS_DARK	2	/* online, to be sampled, and yet without a ring or, enabled, a counter */

/**
 * struct ktally_cpus - KTALLY_IOC_GET_CPUS, at any time after SETUP: which CPUs
 * @size: in: size of this structure as the caller knows it, at least KTALLY_CPUS_SIZE_V1
 * @which: in: KTALLY_CPUS_*
 * @mask: in: address of an array of @words __u64; bit c % 64 of word c / 64 is CPU c
 * @words: in: how many there are; 0: the count is enough; else there must be one for every CPU below setup.cpus, and
 *	those beyond are zeroed
 * @count: in: zero; out: number of CPUs
 *
 * -EINVAL before SETUP.
 */
struct ktally_cpus {
	__u32 size;
	__u32 which;
	__u64 mask;
	__u32 words;
	__u32 count;
};

#define KTALLY_CPUS_SIZE_V1	24

/* ------------------------------------------------------------------------------------------------ what is asked for */

/* setup.sources */
#define KTALLY_SOURCE_ONCPU	(1U << 0)	/* a sample of what runs, setup.rate times a second on every CPU */
#define KTALLY_SOURCE_OFFCPU	(1U << 1)	/* waits, see "Waits"; needs KTALLY_FEATURE_OFFCPU */

/* setup.capture: which frames a stack has. */
#define KTALLY_CAPTURE_KERNEL	(1U << 0)	/* needs KTALLY_ALLOWED_KERNEL_FRAMES, else -EPERM */
#define KTALLY_CAPTURE_USER	(1U << 1)
#define KTALLY_CAPTURE_WAKER	(1U << 2)	/* who ended a wait: offcpu.waker_task_id */
#define KTALLY_CAPTURE_WAKER_STACK (1U << 3)	/* and from where: offcpu.waker_stack_id; with KTALLY_CAPTURE_WAKER */
#define KTALLY_CAPTURE_FILES	(1U << 4)	/* user frames as "Files" has them; with KTALLY_CAPTURE_USER */

/* setup.filter */
#define KTALLY_FILTER_CHILDREN	(1U << 0)	/* and whom they fork from SETUP on, recursively */

/* Bounds of setup's fields; 0 in a field means its default. */
#define KTALLY_RATE_MIN		1
#define KTALLY_RATE_MAX		10000
#define KTALLY_RATE_MAX_UNPRIVILEGED 2000	/* without CAP_PERFMON: others pay for the interrupts, too */
#define KTALLY_RATE_DEFAULT	19
#define KTALLY_DEPTH_MAX	512
#define KTALLY_DEPTH_DEFAULT	128
#define KTALLY_DEPTH_KERNEL_MAX	128		/* a kernel stack is 16 KiB: this is all of it */
#define KTALLY_RING_BYTES_MIN		(16U << 10)
#define KTALLY_RING_BYTES_MAX		(16U << 20)
#define KTALLY_RING_BYTES_DEFAULT	(256U << 10)	/* less where there are very many CPUs */
#define KTALLY_LATENCY_MS_MAX		60000
#define KTALLY_LATENCY_MS_DEFAULT	1000
#define KTALLY_BUDGET_PPM_MAX		500000
#define KTALLY_BUDGET_PPM_DEFAULT	10000
#define KTALLY_PIDS_MAX			1024
#define KTALLY_CGROUPS_MAX		16
#define KTALLY_KEEP_NS_MAX		10000000000ULL
#define KTALLY_THREADS_MAX		1048576
#define KTALLY_THREADS_DEFAULT		65536
#define KTALLY_CPU_WORDS_MAX		1024

/* In any second: of FLUSH, of one session; of a user without CAP_PERFMON, of SETUP, and of ENABLE and SET_RATE. */
#define KTALLY_CALLS_PER_SECOND		10

/**
 * struct ktally_setup - KTALLY_IOC_SETUP, once per session
 * @size: in: size of this structure as the caller knows it, at least KTALLY_SETUP_SIZE_V1
 * @sources: KTALLY_SOURCE_*, at least one
 * @capture: KTALLY_CAPTURE_*; none is legal: samples then name the task and the empty stack
 * @rate: on-CPU samples per second and CPU
 * @depth: most user frames of a stack; kernel frames are bounded by the lower of this and KTALLY_DEPTH_KERNEL_MAX
 * @ring_bytes: bytes for records in each CPU's ring, a power of two. By default KTALLY_RING_BYTES_DEFAULT, or, where
 *	the session samples so many CPUs that it would take more than a third of the memory limit (of the unprivileged:
 *	an eighth), half as much, and again, down to KTALLY_RING_BYTES_MIN: with the default limit of 256 MiB that
 *	begins above 260 CPUs
 * @watermark_bytes: poll() reports a ring that holds as much; 0: a quarter of @ring_bytes; at most @ring_bytes
 * @latency_ms: poll() reports any record that is this old
 * @budget_ppm: share of each CPU's time, in millionths, that the module may spend on this session before it thins
 * @filter: KTALLY_FILTER_*
 * @pids: address of an array of @pid_count process ids (__s32, as the caller's pid namespace
 *	numbers them); only these are sampled. -ESRCH if one does not exist.
 * @cgroup_fds: address of an array of @cgroup_count descriptors (__s32) of cgroup v2
 *	directories; only tasks in one of them or below are sampled. -EBADF for something else. With
 *	@pids too, a task must satisfy both.
 * @pid_count: number of @pids, 0: no such filter
 * @cgroup_count: number of @cgroup_fds, 0: no such filter
 * @area_bytes: out: bytes from one ring's area to the next, see "Rings"
 * @cpus: out: as info.cpus
 * @reserved: zero
 * @keep_ns: off-CPU: D of "Waits", at most KTALLY_KEEP_NS_MAX; 0: every wait is kept
 * @wait_min_ns: off-CPU: shorter waits are only counted, at most KTALLY_KEEP_NS_MAX
 * @threads: off-CPU: threads whose waits can be followed at a time, rounded up to a power of two, at
 *	most KTALLY_THREADS_MAX (KTALLY_THREADS_DEFAULT for the unprivileged); 0: KTALLY_THREADS_DEFAULT.
 *	Each takes 72 bytes. Waits of more threads are KTALLY_LOST_THREADS.
 * @reserved2: zero
 * @cpu_mask: address of an array of @cpu_words __u64: only these CPUs are sampled, their waits told, and interrupted;
 *	bit c % 64 of word c / 64 is CPU c. -EINVAL for CPUs that this host cannot have and for none at all. On the
 *	others nothing is seen at all: neither exec nor exit, and a wait that ends there is not told (one that was
 *	told as open is open until KTALLY_FLUSH_RESEND or EXIT says otherwise).
 * @cpu_words: number of words, at most KTALLY_CPU_WORDS_MAX; 0: all CPUs, but those that are isolated at SETUP, whose
 *	work must not be interrupted: by isolcpus= or nohz_full=, or, where the kernel tells modules of them, by
 *	isolated partitions of cpusets
 * @reserved3: zero
 *
 * The idle task is not sampled, unless the CPU serves soft interrupts on top of it.
 *
 * Errors: -EBUSY if the session is set up already or too many sessions exist, of all or of this user
 * (see "Sessions"); -EPERM for something that info.allowed does not have, without KTALLY_RIGHT_SETUP,
 * and for a @cpu_mask with an isolated CPU in a session that was opened without CAP_PERFMON; -EINVAL
 * for a value out of bounds; -ENXIO when none of the CPUs is online; -ENOMEM past the module's memory
 * limit (parameter memory_limit_mb), or the user's share of it, or for real; -EAGAIN when a user without
 * CAP_PERFMON has set up KTALLY_CALLS_PER_SECOND sessions in the last second, or has tried in vain to.
 */
struct ktally_setup {
	__u32 size;
	__u32 sources;
	__u32 capture;
	__u32 rate;
	__u32 depth;
	__u32 ring_bytes;
	__u32 watermark_bytes;
	__u32 latency_ms;
	__u32 budget_ppm;
	__u32 filter;
	__u64 pids;
	__u64 cgroup_fds;
	__u32 pid_count;
	__u32 cgroup_count;
	__u64 area_bytes;
	__u32 cpus;
	__u32 reserved;
	__u64 keep_ns;
	__u64 wait_min_ns;
	__u32 threads;
	__u32 reserved2;
	__u64 cpu_mask;
	__u32 cpu_words;
	__u32 reserved3;
};

#define KTALLY_SETUP_SIZE_V1	80
#define KTALLY_SETUP_SIZE_V2	104	/* off-CPU */
#define KTALLY_SETUP_SIZE_V3	120	/* CPUs */

/**
 * struct ktally_rate - KTALLY_IOC_SET_RATE, at any time after SETUP
 * @size: in: size of this structure as the caller knows it, at least KTALLY_RATE_SIZE_V1
 * @rate: new rate per second and CPU, KTALLY_RATE_MIN to info.rate_max. Weights make totals right across the change.
 *
 * Errors: -EPERM without KTALLY_RIGHT_TUNE, and for a higher rate than now in a session that was opened with
 * CAP_PERFMON, if the caller does not have that; -EAGAIN in a session that was opened without it, when this and
 * ENABLE were called KTALLY_CALLS_PER_SECOND times in the last second in the sessions of its user, or by its user in
 * such as were opened with it, by callers who do not have it: both interrupt every CPU of the session. (DISABLE and
 * closing do, too, but never fail; and SETUP is as rare.)
 */
struct ktally_rate {
	__u32 size;
	__u32 rate;
};

#define KTALLY_RATE_SIZE_V1	8

/**
 * struct ktally_keep - KTALLY_IOC_SET_KEEP, at any time after SETUP
 * @size: in: size of this structure as the caller knows it, at least KTALLY_KEEP_SIZE_V1
 * @reserved: zero
 * @keep_ns: as in struct ktally_setup
 * @wait_min_ns: as in struct ktally_setup
 *
 * Holds for waits that end from now on. Weights make totals right across the change of @keep_ns.
 *
 * Errors: -EPERM without KTALLY_RIGHT_TUNE, and for less of either than now in a session that was opened with
 * CAP_PERFMON, if the caller does not have that.
 */
struct ktally_keep {
	__u32 size;
	__u32 reserved;
	__u64 keep_ns;
	__u64 wait_min_ns;
};

#define KTALLY_KEEP_SIZE_V1	24

/* flush.flags */
#define KTALLY_FLUSH_RESEND	(1U << 0)	/* say every stack and task again when next seen, and every open wait */

/**
 * struct ktally_flush - KTALLY_IOC_FLUSH: tell open waits, announce all losses so far (where there is room), and make
 *	everything readable; and try dark CPUs again, see "Rings"
 * @size: in: size of this structure as the caller knows it, at least KTALLY_FLUSH_SIZE_V1
 * @flags: KTALLY_FLUSH_*
 *
 * Errors: -EAGAIN, and nothing is done, when it was called KTALLY_CALLS_PER_SECOND times in the last second, for it
 * interrupts every CPU of the session; in a session that was opened without CAP_PERFMON, or for a caller who does not
 * have that, also before nine times as long has passed as a worker last took to tell open waits for its user;
 * -EPERM without KTALLY_RIGHT_FLUSH.
 */
struct ktally_flush {
	__u32 size;
	__u32 flags;
};

#define KTALLY_FLUSH_SIZE_V1	8

/**
 * struct ktally_space_of - KTALLY_IOC_SPACE_OF, at any time after SETUP: the address space that a process has now
 * @size: in: size of this structure as the caller knows it, at least KTALLY_SPACE_OF_SIZE_V1
 * @pid: in: id of a process or thread in the caller's pid namespace
 * @mm_id: in: zero; out: as task.mm_id and stack.mm_id of this session have it
 *
 * For who reads the memory of a process that was sampled. Its id may have been used again, or it may have executed
 * another program: then what is read is another's, and looks as good. So the id is asked for before and after, and what
 * was read counts if both are the id that the sample named:
 *
 *	ioctl(fd, KTALLY_IOC_SPACE_OF, &before)
 *	process_vm_readv(pid, ...)
 *	ioctl(fd, KTALLY_IOC_SPACE_OF, &after)
 *	if (before.mm_id == stack.mm_id && after.mm_id == stack.mm_id) it is what the sampled program had there
 *
 * That the memory may be read is not for this interface to say: process_vm_readv() asks the kernel and its security
 * modules. Works without CAP_PERFMON, too, for the processes that such a session samples.
 *
 * Errors: -ESRCH: there is no such process, or it has no address space (a kernel thread, or one that has ended but is
 * not reaped), or the session may not sample it; -EPERM without KTALLY_RIGHT_SPACE_OF, or, in a session that was opened
 * with CAP_PERFMON, for a caller without; -EINVAL before SETUP.
 */
struct ktally_space_of {
	__u32 size;
	__u32 pid;
	__u64 mm_id;
};

#define KTALLY_SPACE_OF_SIZE_V1	16

/* open_file.status */
#define KTALLY_FILE_DELETED	(1U << 0)	/* nothing has this path any more, or something else */

#define KTALLY_PATH_BYTES_MAX	4096

/**
 * struct ktally_open_file - KTALLY_IOC_OPEN_FILE: a descriptor of a file that frames name, see "Files"
 * @size: in: size of this structure as the caller knows it, at least KTALLY_OPEN_FILE_SIZE_V1
 * @file: in: its number
 * @flags: in: zero
 * @fd: out: a new descriptor of the file, read-only, closed on exec
 * @path: in: address of a buffer for the file's path, zero-terminated; 0: it is not wanted. As
 *	seen from the caller's root where the file lies below that, else from the root of its own
 *	tree of mounts. Empty if it cannot be told.
 * @path_bytes: in: bytes there; KTALLY_PATH_BYTES_MAX always suffice; out: bytes of the path, its zero included
 * @status: out: KTALLY_FILE_*
 *
 * Works in a session of which info.allowed has KTALLY_ALLOWED_ALL_PROCESSES and info.rights KTALLY_RIGHT_OPEN_FILE, for
 * a caller with CAP_PERFMON and CAP_SYS_PTRACE in the initial user namespace, who must be allowed to read the file:
 * else -EPERM, and -EACCES.
 *
 * Errors: -ENOENT: no file has had this number; -ESTALE: the module does not hold the file, or not
 * any more, or it was written to since, or, of a union file system, copied up;
 * -ENAMETOOLONG: @path_bytes is too small; -EAGAIN: a process has a lease of the file (F_WRLCK), and was told to give
 * it up; and those of open().
 */
struct ktally_open_file {
	__u32 size;
	__u32 file;
	__u32 flags;
	__s32 fd;
	__u64 path;
	__u32 path_bytes;
	__u32 status;
};

#define KTALLY_OPEN_FILE_SIZE_V1	32

/**
 * struct ktally_unwind_row - where a rule begins to hold
 * @offset: lower 16 bits of the offset in the file
 * @rule: index into rules
 */
struct ktally_unwind_row {
	__u16 offset;
	__u16 rule;
};

/* rule.kind, see "User stacks and unwind tables" */
#define KTALLY_UNWIND_NONE	0	/* nothing is known */
#define KTALLY_UNWIND_END	1	/* outermost frame */
#define KTALLY_UNWIND_REGISTER	2	/* CFA by a register */
#define KTALLY_UNWIND_DEREF	3	/* CFA by what a register points to */
#define KTALLY_UNWIND_PLT	4	/* CFA by rsp and where in a 16-byte stub of the procedure linkage table */
#define KTALLY_UNWIND_SIGNAL	5	/* the kernel's call of a signal handler */

/* rule.saved: bit numbers, and index into saved_at */
#define KTALLY_UNWIND_RBP	0
#define KTALLY_UNWIND_RBX	1
#define KTALLY_UNWIND_R12	2
#define KTALLY_UNWIND_R13	3
#define KTALLY_UNWIND_R14	4
#define KTALLY_UNWIND_R15	5
#define KTALLY_UNWIND_SAVED	6	/* how many there are */
#define KTALLY_UNWIND_SAVED_FROM_RBP	8	/* bit 8 + i with bit i: saved_at[i] counts from rbp, not the CFA */

/**
 * struct ktally_unwind_rule - how to get from a frame to its caller
 * @kind: KTALLY_UNWIND_NONE and following
 * @cfa_register: DWARF number, below 16
 * @saved: bits 1 << KTALLY_UNWIND_RBP and following: which of @saved_at hold; and as many further up, see there
 * @cfa_offset: in bytes
 * @deref_offset: in bytes; KTALLY_UNWIND_PLT: see there
 * @saved_at: where the caller's registers are, in units of 8 bytes; 0 for those that are not in @saved
 */
struct ktally_unwind_rule {
	__u8  kind;
	__u8  cfa_register;
	__u16 saved;
	__s32 cfa_offset;
	__s32 deref_offset;
	__s16 saved_at[KTALLY_UNWIND_SAVED];
};

#define KTALLY_UNWIND_CHUNK_SHIFT	16
#define KTALLY_UNWIND_CHUNKS_MAX	(1U << 20)	/* first_chunk + chunk_count: as large as offsets get */
#define KTALLY_UNWIND_RULES_MAX		65535U
#define KTALLY_UNWIND_BYTES_MAX		(64U << 20)	/* of the three arrays together */
#define KTALLY_UNWIND_FRAME_BYTES	(64U << 20)	/* of a frame on a stack */
#define KTALLY_UNWIND_MAPPINGS		48U		/* that a stack changes to: see "Files" */

/* load_table.flags */
#define KTALLY_LOAD_TABLE_REPLACE	(1U << 0)	/* the file may have a table already: this takes its place */

/**
 * struct ktally_load_table - KTALLY_IOC_LOAD_TABLE, also before SETUP, while any session has the file's number
 * @size: in: size of this structure as the caller knows it, at least KTALLY_LOAD_TABLE_SIZE_V1
 * @file: number of the file, as KTALLY_FRAME_FILE has it
 * @flags: KTALLY_LOAD_TABLE_*
 * @first_chunk: see "User stacks and unwind tables"
 * @rows: address of an array of @row_count struct ktally_unwind_row
 * @first_rows: address of an array of @chunk_count + 1 __u32
 * @rules: address of an array of @rule_count struct ktally_unwind_rule
 * @row_count: number of rows
 * @chunk_count: number of chunks
 * @rule_count: number of rules, at least 1
 * @evicted: in: zero; out: tables of other files that had to go for this one
 *
 * The arrays are copied. A table that takes the place of another does so at once: stacks are taken
 * by the one or the other.
 *
 * Tables are kept until their file is forgotten or the last session that was opened with
 * CAP_PERFMON is closed. When they need more memory than the module's parameter tables_limit_mb
 * allows, or those loaded by sessions that one user opened more than tables_user_limit_mb, the tables
 * go that were not used for longest, in the latter case only among that user's. A stack then ends as
 * KTALLY_END_NO_TABLE, or goes on by frame pointers; who wants the table back loads it again.
 *
 * Errors: -EPERM for a session that was not opened with CAP_PERFMON, or does not have KTALLY_RIGHT_LOAD_TABLE any
 * more, and for a caller without CAP_PERFMON; -EINVAL for a table that is not
 * as said above; -E2BIG for one of more than KTALLY_UNWIND_BYTES_MAX bytes, or than a limit allows
 * when all others have gone; -EEXIST if the file has a table and KTALLY_LOAD_TABLE_REPLACE is not
 * set; -ENOENT for a number that no file was given; -ESTALE for a file that was forgotten; -ENOMEM if
 * there is none, or tables that are being loaded right now leave no room under a limit; -EINTR for a
 * fatal signal.
 */
struct ktally_load_table {
	__u32 size;
	__u32 file;
	__u32 flags;
	__u32 first_chunk;
	__u64 rows;
	__u64 first_rows;
	__u64 rules;
	__u32 row_count;
	__u32 chunk_count;
	__u32 rule_count;
	__u32 evicted;
};

#define KTALLY_LOAD_TABLE_SIZE_V1	56

/*
 * ENABLE: -EINVAL before SETUP, -EPERM if lockdown was raised since, or without KTALLY_RIGHT_ENABLE, -EAGAIN as
 * SET_RATE, -ESHUTDOWN while the module's parameter `disabled` is set, -ENODEV when the session was stopped for
 * good. ENABLE when enabled, DISABLE when not: no error.
 */
#define KTALLY_IOC_TYPE		0xf7
#define KTALLY_IOC_INFO		_IOC(_IOC_READ | _IOC_WRITE, KTALLY_IOC_TYPE, 0, 0)
#define KTALLY_IOC_SETUP	_IOC(_IOC_READ | _IOC_WRITE, KTALLY_IOC_TYPE, 1, 0)
#define KTALLY_IOC_ENABLE	_IOC(_IOC_NONE, KTALLY_IOC_TYPE, 2, 0)
#define KTALLY_IOC_DISABLE	_IOC(_IOC_NONE, KTALLY_IOC_TYPE, 3, 0)
#define KTALLY_IOC_SET_RATE	_IOC(_IOC_WRITE, KTALLY_IOC_TYPE, 4, 0)
#define KTALLY_IOC_FLUSH	_IOC(_IOC_WRITE, KTALLY_IOC_TYPE, 5, 0)
#define KTALLY_IOC_SET_KEEP	_IOC(_IOC_WRITE, KTALLY_IOC_TYPE, 6, 0)
#define KTALLY_IOC_OPEN_FILE	_IOC(_IOC_READ | _IOC_WRITE, KTALLY_IOC_TYPE, 7, 0)
#define KTALLY_IOC_LOAD_TABLE	_IOC(_IOC_READ | _IOC_WRITE, KTALLY_IOC_TYPE, 8, 0)
#define KTALLY_IOC_RESTRICT	_IOC(_IOC_READ | _IOC_WRITE, KTALLY_IOC_TYPE, 9, 0)
#define KTALLY_IOC_GET_CPUS	_IOC(_IOC_READ | _IOC_WRITE, KTALLY_IOC_TYPE, 10, 0)
#define KTALLY_IOC_SPACE_OF	_IOC(_IOC_READ | _IOC_WRITE, KTALLY_IOC_TYPE, 11, 0)

/* ------------------------------------------------------------------------------------------------ the ring's pages */

/* Why something is not in the ring: index into producer.lost, and lost.cause. */
#define KTALLY_LOST_FULL	0	/* samples and kept waits: the ring had no room */
#define KTALLY_LOST_BUSY	1	/* samples and kept waits: interrupts were off for too long */
#define KTALLY_LOST_NOTICE	2	/* announcements (exec, exit, open waits): the ring had no room */
#define KTALLY_LOST_THREADS	3	/* waits whose beginning found no place, see setup.threads: of unknown length */
#define KTALLY_LOST_CAUSES	4	/* slots in the arrays; those not named above are zero */

/* producer.state */
#define KTALLY_STATE_READY	1	/* set up, not enabled */
#define KTALLY_STATE_ENABLED	2
#define KTALLY_STATE_STOPPED	3	/* for good: the module found itself wrong, see the kernel log */

/**
 * struct ktally_loss - a count of things that are missing and what they stood for
 * @count: how many
 * @weight: nanoseconds they stood for
 */
struct ktally_loss {
	__u64 count;
	__u64 weight;
};

/**
 * struct ktally_ring_consumer - the page that the reader writes
 * @tail: position up to which records are consumed
 */
struct ktally_ring_consumer {
	__u64 tail;
};

#define KTALLY_RING_MAGIC	0x796c6c61746bULL	/* "ktally" */

/**
 * struct ktally_ring_producer - the page that tells the reader about its ring
 * @magic: KTALLY_RING_MAGIC
 * @abi_version: KTALLY_ABI_VERSION
 * @cpu: whose ring this is
 * @data_offset: bytes from the start of the area to the records
 * @data_bytes: bytes of records, a power of two
 * @clock: KTALLY_CLOCK_*
 * @reserved: zero
 * @head: position up to which records can be read; on a cache line of its own
 * @reserved_head: zero
 * @samples: samples and kept waits taken on this CPU since SETUP, lost ones included
 * @stacks: STACK records written
 * @throttles: THROTTLE records written
 * @lost: what is missing, by cause, whether announced by a LOST record yet or not
 * @rings: number of rings the session has
 * @state: KTALLY_STATE_*
 * @thin: one of this many samples is taken now, see THROTTLE
 * @rate: nominal samples per second now
 * @waits: waits that ended on this CPU since SETUP, kept or not
 * @waits_short: how many of them were shorter than setup.wait_min_ns, and the time they took
 * @clock_regressions: waits that ended before they began, by clocks of two CPUs that differ; they count as zero
 * @offcpu_thin: by the time budget, setup.keep_ns is multiplied by this now, see THROTTLE
 * @reserved_waits: zero
 * @unsampled: how often the counter that paces samples was found not to count, and for how long at most: because perf
 *	throttled it for coming too often (sysctl kernel.perf_event_max_sample_rate), or because others had all of the
 *	hardware. With KTALLY_CLOCK_CPU the next sample stands for that time; with the others none does.
 *
 * Everything after @head is informative and may be a moment old; DISABLE and KTALLY_IOC_FLUSH bring it up to date.
 */
struct ktally_ring_producer {
	__u64 magic;
	__u32 abi_version;
	__u32 cpu;
	__u64 data_offset;
	__u64 data_bytes;
	__u32 clock;
	__u32 reserved[7];
	__u64 head;
	__u64 reserved_head[7];
	__u64 samples;
	__u64 stacks;
	__u64 throttles;
	struct ktally_loss lost[KTALLY_LOST_CAUSES];
	__u32 rings;
	__u32 state;
	__u32 thin;
	__u32 rate;
	__u64 waits;
	struct ktally_loss waits_short;
	__u64 clock_regressions;
	__u32 offcpu_thin;
	__u32 reserved_waits;
	struct ktally_loss unsampled;
};

/* ------------------------------------------------------------------------------------------------ the records */

#define KTALLY_RECORD_TASK	1	/* struct ktally_task */
#define KTALLY_RECORD_EXIT	2	/* struct ktally_exit */
#define KTALLY_RECORD_STACK	3	/* struct ktally_stack */
#define KTALLY_RECORD_SAMPLE	4	/* struct ktally_sample */
#define KTALLY_RECORD_LOST	5	/* struct ktally_lost */
#define KTALLY_RECORD_THROTTLE	6	/* struct ktally_throttle */
#define KTALLY_RECORD_OFFCPU	7	/* struct ktally_offcpu; only with KTALLY_FEATURE_OFFCPU */
#define KTALLY_RECORD_FILE	8	/* struct ktally_file; only with KTALLY_CAPTURE_FILES */

/* No record is larger, of any type. */
#define KTALLY_RECORD_BYTES_MAX	8192

/**
 * struct ktally_record - how every record begins
 * @type: KTALLY_RECORD_*
 * @flags: as the type says; unknown ones are to be ignored
 * @size: bytes of the whole record, this header included, a multiple of 8
 * @cpu: the ring it is from
 */
struct ktally_record {
	__u16 type;
	__u16 flags;
	__u16 size;
	__u16 cpu;
};

/* task.flags */
#define KTALLY_TASK_KERNEL	(1U << 0)	/* a kernel thread, or a kernel worker of a process (io_uring) */
#define KTALLY_TASK_EXEC	(1U << 1)	/* just executed a new program, need not be sampled */
#define KTALLY_TASK_COMPAT	(1U << 2)	/* a 32-bit program */

#define KTALLY_COMM_BYTES	16

/**
 * struct ktally_task - a task as it is now
 * @header: type KTALLY_RECORD_TASK
 * @time: when
 * @task_id: this task in this state: another program, name or cgroup makes another id. Opaque, never 0.
 * @mm_id: its address space: equal for the threads of a process, different after exec. Opaque; 0: none.
 *	That is a kernel thread (KTALLY_TASK_KERNEL), or a thread in its last moments, when it is not to be
 *	found by its id any more: it had one before.
 * @cgroup_id: its cgroup v2, as the inode number of the cgroup's directory
 * @start_time: when the task was created, CLOCK_BOOTTIME; with @tid unique on this host until it reboots
 * @pid: process (thread group) id
 * @tid: thread id
 * @parent: process id of its parent; 0: it has none, or not any more
 * @task_flags: KTALLY_TASK_*
 * @comm: name, zero-padded, not necessarily zero-terminated
 */
struct ktally_task {
	struct ktally_record header;
	__u64 time;
	__u64 task_id;
	__u64 mm_id;
	__u64 cgroup_id;
	__u64 start_time;
	__u32 pid;
	__u32 tid;
	__u32 parent;
	__u32 task_flags;
	__u8  comm[KTALLY_COMM_BYTES];
};

/**
 * struct ktally_exit - a task that was announced in this session has ended
 * @header: type KTALLY_RECORD_EXIT
 * @time: when
 * @start_time: as in its TASK record
 * @pid: process id
 * @tid: thread id; the process is gone when its last thread is
 *
 * May also come for a task that was never announced; that is harmless. It may precede, in another
 * ring, the last samples of its task.
 */
struct ktally_exit {
	struct ktally_record header;
	__u64 time;
	__u64 start_time;
	__u32 pid;
	__u32 tid;
};

/*
 * A frame is a type in the upper four bits and a value in the lower 60. The address of a frame always lies inside the
 * instruction that was executing: for a caller that is its call, so the value is the return address less one, and
 * looking up a symbol or a line needs no adjustment.
 */
#define KTALLY_FRAME_TYPE_SHIFT	60
#define KTALLY_FRAME_VALUE_MASK	((1ULL << KTALLY_FRAME_TYPE_SHIFT) - 1)
#define KTALLY_FRAME_KERNEL	1ULL	/* the kernel address is the value with the upper four bits set */
#define KTALLY_FRAME_USER	2ULL	/* the value is an address in the address space stack.mm_id */
#define KTALLY_FRAME_FILE	3ULL	/* bits 36..59: number of a file, 0..35: offset in it; see "Files" */
#define KTALLY_FRAME_FILE_SHIFT	36
#define KTALLY_FRAME_OFFSET_MASK ((1ULL << KTALLY_FRAME_FILE_SHIFT) - 1)

/* stack.kernel_end, stack.user_end: how complete that part is. */
#define KTALLY_END_NONE		0	/* the part is empty: not asked for, or the task has none */
#define KTALLY_END_COMPLETE	1	/* down to the outermost frame */
#define KTALLY_END_TRUNCATED	2	/* there are more frames than setup.depth; user: or KTALLY_UNWIND_MAPPINGS */
#define KTALLY_END_BROKEN	3	/* kernel: not a chain of frames; user: no or no sensible registers */
#define KTALLY_END_HOLE		4	/* user: memory that says where to go on is not there, or is paged out */
#define KTALLY_END_NO_TABLE	5	/* user: of the last frame's code no table knows enough, nor does rbp lead on */
#define KTALLY_END_FOREIGN	6	/* user: the next frame would not be further up the same stack */

/**
 * struct ktally_stack - a stack, named
 * @header: type KTALLY_RECORD_STACK
 * @stack_id: hash of all that follows, keyed anew for each session. Opaque, never 0.
 * @mm_id: address space of its KTALLY_FRAME_USER frames; 0 if it has none
 * @kernel_frames: number of kernel frames, which come first
 * @user_frames: number of user frames, which follow
 * @kernel_end: KTALLY_END_*
 * @user_end: KTALLY_END_*
 * @reserved: zero
 * @frames: each part from the innermost (leaf) frame outwards
 */
struct ktally_stack {
	struct ktally_record header;
	__u64 stack_id;
	__u64 mm_id;
	__u16 kernel_frames;
	__u16 user_frames;
	__u8  kernel_end;
	__u8  user_end;
	__u16 reserved;
	__u64 frames[];
};

/* sample.header.flags */
#define KTALLY_SAMPLE_KERNEL	(1U << 0)	/* the CPU ran kernel code (also when kernel frames are not captured) */
#define KTALLY_SAMPLE_COMPAT	(1U << 1)	/* syscall is numbered as for 32-bit programs */

#define KTALLY_SYSCALL_NONE	(-1)

/**
 * struct ktally_sample - what a CPU was doing
 * @header: type KTALLY_RECORD_SAMPLE, flags KTALLY_SAMPLE_*
 * @time: when
 * @stack_id: see STACK
 * @task_id: see TASK
 * @weight: nanoseconds of CPU time this sample stands for. Sums of weights are unbiased
 *	estimates of time, whatever the rate was and however samples were thinned. Counts of samples
 *	are not.
 * @tid: thread id, as in its TASK
 * @syscall: number of the system call the task is in, KTALLY_SYSCALL_NONE if none
 */
struct ktally_sample {
	struct ktally_record header;
	__u64 time;
	__u64 stack_id;
	__u64 task_id;
	__u64 weight;
	__u32 tid;
	__s32 syscall;
};

/**
 * struct ktally_lost - records are missing before this one
 * @header: type KTALLY_RECORD_LOST
 * @time: when this was written
 * @cause: KTALLY_LOST_*
 * @reserved: zero
 * @loss: how many since the last LOST record of this ring and cause, and the time they stood for
 *
 * Sums over all LOST records are exact. In a single one the weight may include that of a loss whose
 * count comes with the next.
 */
struct ktally_lost {
	struct ktally_record header;
	__u64 time;
	__u32 cause;
	__u32 reserved;
	struct ktally_loss loss;
};

/**
 * struct ktally_throttle - the time budget made the module thin its samples, or stop thinning them
 * @header: type KTALLY_RECORD_THROTTLE
 * @time: when
 * @thin: from now on one of this many samples is taken, and stands for all of them; 1: every one.
 *	Of waits, setup.keep_ns (or a microsecond, if that is more) is multiplied by it.
 * @source: which: KTALLY_SOURCE_*
 * @spent: nanoseconds the module spent in the last window
 * @window: length of that window in nanoseconds
 */
struct ktally_throttle {
	struct ktally_record header;
	__u64 time;
	__u32 thin;
	__u32 source;
	__u64 spent;
	__u64 window;
};

/* offcpu.state: why the task did not run. */
#define KTALLY_OFFCPU_SLEEP	1	/* interruptible wait */
#define KTALLY_OFFCPU_DISK	2	/* uninterruptible wait */
#define KTALLY_OFFCPU_IOWAIT	3	/* uninterruptible wait for I/O */
#define KTALLY_OFFCPU_STOPPED	4	/* stopped or traced */
#define KTALLY_OFFCPU_PREEMPTED	5	/* was made to leave the CPU, could have run */
#define KTALLY_OFFCPU_YIELDED	6	/* left the CPU by itself, could have run */
#define KTALLY_OFFCPU_CREATED	7	/* new, had not run yet */

/* offcpu.header.flags */
#define KTALLY_OFFCPU_PARTIAL	(1U << 0)	/* goes on, see "Waits" */
#define KTALLY_OFFCPU_COMPAT	(1U << 1)	/* syscall is numbered as for 32-bit programs */
#define KTALLY_OFFCPU_INTERRUPT	(1U << 2)	/* with KTALLY_CAPTURE_WAKER: an interrupt ended it, no task */

/**
 * struct ktally_offcpu - a wait, see "Waits"
 * @header: type KTALLY_RECORD_OFFCPU, flags KTALLY_OFFCPU_*
 * @time: end of the wait; with KTALLY_OFFCPU_PARTIAL, what has passed of it
 * @stack_id: where the task waited. The innermost kernel frame is the caller of the function that switches tasks.
 * @task_id: who
 * @weight: nanoseconds of waiting this record stands for
 * @start: beginning of the wait; @time - @start = @blocked + @run_queue
 * @blocked: nanoseconds until it was woken
 * @run_queue: nanoseconds for which it could have run but did not
 * @waker_task_id: who woke it, 0 if not asked for, an interrupt, or not known: what a short wait grows to on the run
 *	queue is not foreseen when it is woken. Its TASK record may be in another ring, and be read later.
 * @waker_stack_id: from where, 0 if not asked for or not known; its STACK record may be in another ring as well
 * @state: KTALLY_OFFCPU_SLEEP and following
 * @syscall: number of the system call the task is in, KTALLY_SYSCALL_NONE if none
 */
struct ktally_offcpu {
	struct ktally_record header;
	__u64 time;
	__u64 stack_id;
	__u64 task_id;
	__u64 weight;
	__u64 start;
	__u64 blocked;
	__u64 run_queue;
	__u64 waker_task_id;
	__u64 waker_stack_id;
	__u32 state;
	__s32 syscall;
};

/**
 * struct ktally_file - a file that frames name, see "Files"
 * @header: type KTALLY_RECORD_FILE
 * @time: when this was written
 * @file: its number
 * @generation: of its inode, 0 where the file system has none
 * @inode: inode number
 * @device_major: of its file system
 * @device_minor: of its file system; stat() may tell another, of a part (btrfs) or a union (overlay)
 * @bytes: size
 * @changed: when its inode was last changed (st_ctime), in nanoseconds
 * @modified: when its content was last changed, or is said to have been (st_mtime), in nanoseconds
 */
struct ktally_file {
	struct ktally_record header;
	__u64 time;
	__u32 file;
	__u32 generation;
	__u64 inode;
	__u32 device_major;
	__u32 device_minor;
	__u64 bytes;
	__s64 changed;
	__s64 modified;
};

#endif /* _UAPI_LINUX_KTALLY_H */
