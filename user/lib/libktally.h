/* SPDX-License-Identifier: MIT */
/*
 * libktally: the thin way to consume /dev/ktally. It opens, sets up, maps, iterates and closes; it has no policy, no
 * threads and no allocation per record, and hands out records exactly as <linux/ktally.h> specifies them.
 *
 *	struct ktally_session *session;
 *	struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU, .capture = KTALLY_CAPTURE_USER };
 *
 *	ktally_open(&session);
 *	ktally_set_up(session, &setup);
 *	ktally_enable(session);
 *	while (ktally_wait(session, -1) >= 0)
 *		while ((record = ktally_next(session)))
 *			use(record);
 *	ktally_close(session);
 *
 * All functions that return int return 0 (or what they say) on success and -errno on failure; errno itself is not
 * touched. A session is used by one thread at a time, but where a function says otherwise.
 */
#ifndef LIBKTALLY_H
#define LIBKTALLY_H

#include <linux/ktally.h>

/* Version of this header; ktally_version() is that of the library in use. */
#define LIBKTALLY_VERSION	"0.1.0"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct ktally_session;

/**
 * ktally_open() - open the device
 * Return: 0; -ENOENT: no module loaded; -EACCES, -EPERM: not allowed; -EPROTO: the module speaks another ABI version
 * than this library; any other -errno of open().
 */
int ktally_open(struct ktally_session **session);

/**
 * ktally_open_fd() - the same for a descriptor of the device that somebody else opened
 * Return: as ktally_open(); -ENOTTY: not a descriptor of the device. On success the session owns the descriptor.
 */
int ktally_open_fd(struct ktally_session **session, int fd);

void ktally_close(struct ktally_session *session);

/** ktally_fd() - the descriptor, for poll() and io_uring; stays the session's */
int ktally_fd(const struct ktally_session *session);

/** ktally_get_info() - what the module offers and this session may ask for */
const struct ktally_info *ktally_get_info(const struct ktally_session *session);

/**
 * ktally_set_up() - configure the session and map its rings
 * @setup: as in <linux/ktally.h>, the out fields are filled in by the module. Size 0 is taken as KTALLY_SETUP_SIZE_V1;
 *	set it to sizeof(*setup) to use fields that came later.
 */
int ktally_set_up(struct ktally_session *session, struct ktally_setup *setup);

/* The ioctls of the same names in <linux/ktally.h>. */
int ktally_enable(struct ktally_session *session);
int ktally_disable(struct ktally_session *session);
int ktally_set_rate(struct ktally_session *session, unsigned int rate);
int ktally_set_keep(struct ktally_session *session, __u64 keep_ns, __u64 wait_min_ns);
int ktally_flush(struct ktally_session *session, unsigned int flags);

/**
 * ktally_restrict() - give rights up for good, before the descriptor is handed on; see "Sessions" in <linux/ktally.h>
 * @rights: KTALLY_RIGHT_* that may remain; those that do are then in ktally_get_info()
 * Return: 0, -EINVAL: one of them is not known to the module; -ENOTTY: it is older and has no such thing.
 */
int ktally_restrict(struct ktally_session *session, __u64 rights);

/**
 * ktally_get_cpus() - which CPUs the session samples, leaves out, or cannot sample now
 * @which: KTALLY_CPUS_*
 * @mask: where they go; bit c % 64 of word c / 64 is CPU c. NULL: the number is enough
 * @words: room there: one for each 64 of setup.cpus
 * Return: how many there are, or -errno as KTALLY_IOC_GET_CPUS has it.
 */
int ktally_get_cpus(const struct ktally_session *session, __u32 which, __u64 *mask, __u32 words);

/**
 * ktally_space_of() - the address space that a process has now, for who reads its memory: before and after that
 * @pid: of a process or thread, in the caller's pid namespace
 * @mm_id: where it goes; as the session's records have it
 * Return: 0 or -errno as KTALLY_IOC_SPACE_OF has it; -ENOTTY: the module is older. From any thread, as ktally_open_file().
 */
int ktally_space_of(const struct ktally_session *session, __u32 pid, __u64 *mm_id);

/**
 * ktally_open_file() - open a file that frames name, see "Files" in <linux/ktally.h>
 * @file: its number
 * @path: where its path goes, NULL: it is not wanted
 * @path_bytes: how much fits there; KTALLY_PATH_BYTES_MAX always suffice
 * @status: KTALLY_FILE_*, NULL: not wanted
 * Return: a new descriptor, read-only and closed on exec, the caller's; or -errno, as KTALLY_IOC_OPEN_FILE has them.
 *
 * This and ktally_load_table() may be called from any thread while the session is open, beside whatever another does.
 */
int ktally_open_file(const struct ktally_session *session, __u32 file, char *path, __u32 path_bytes, __u32 *status);

/**
 * ktally_load_table() - load a file's unwind table, see "User stacks and unwind tables" in <linux/ktally.h>
 * @table: as KTALLY_IOC_LOAD_TABLE takes it, but that size 0 is taken as KTALLY_LOAD_TABLE_SIZE_V1; evicted is filled in
 */
int ktally_load_table(const struct ktally_session *session, struct ktally_load_table *table);

/**
 * ktally_wait() - wait until there is something to read
 * @milliseconds: at most; -1: as long as it takes
 * Return: 1: there is; 0: the time has passed; -EINTR: a signal was caught; -EINVAL: not set up; -ENODEV: the module
 * stopped the session (the kernel log says why) and everything is read; -EPROTO: a ring holds something that is not a
 * record; or whatever kept ktally_next() from mapping the ring of a CPU that came online. The last two end the
 * session's reading.
 */
int ktally_wait(struct ktally_session *session, int milliseconds);

/**
 * ktally_next() - the next record of any ring
 *
 * Goes through the rings in turn, taking from each what is there now; maps rings of CPUs that came online. The record
 * is valid, and its room in the ring taken, until the next call. It is one that ktally_check_record() accepts.
 *
 * Return: NULL when everything is read that was there at the first call or the first after a NULL; so a loop until NULL
 * ends even when records come in faster than they are read. NULL also after an error, which ktally_wait() then returns.
 */
const struct ktally_record *ktally_next(struct ktally_session *session);

/**
 * ktally_next_batch() - the next records of one ring
 * @records: where they go
 * @most: how many there may be, at least 1
 * Return: how many there are; 0 where ktally_next() returns NULL.
 *
 * As ktally_next() for each, but that all of them are valid, and their room taken, until the next call of either: for who can do better
 * knowing what comes next.
 */
unsigned int ktally_next_batch(struct ktally_session *session, const struct ktally_record **records, unsigned int most);

/** struct ktally_totals - sums over all rings, as the module counts them */
struct ktally_totals {
	__u64 samples;				/* taken, lost ones included */
	__u64 stacks;				/* STACK records */
	__u64 throttles;			/* THROTTLE records */
	struct ktally_loss lost[KTALLY_LOST_CAUSES];
	__u32 rings;
	__u32 state;				/* KTALLY_STATE_* */
	__u32 thin;				/* largest of any ring */
	__u32 rate;
	__u64 waits;				/* that ended, kept or not */
	struct ktally_loss waits_short;		/* of them, shorter than wait_min_ns */
	__u64 clock_regressions;
	__u32 offcpu_thin;			/* largest of any ring */
	__u32 reserved;
	struct ktally_loss unsampled;		/* times that a counter was found not to count, and for how long at most */
};

/** ktally_get_totals() - as the producer pages have them now; exact after ktally_disable() or ktally_flush() */
void ktally_get_totals(const struct ktally_session *session, struct ktally_totals *totals);

/**
 * ktally_check_record() - whether a record is whole and consistent, for streams from elsewhere (files, pipes)
 * @data: aligned to 8 bytes
 * @bytes: how much is there
 *
 * A record of a known type has all its fields, a STACK as many frames as it says, and no identifier is 0; types that
 * are not known are accepted whatever they contain.
 *
 * Return: the size of the record; 0: more bytes are needed; -EBADMSG: not a record.
 */
int ktally_check_record(const void *data, __u64 bytes);

/** ktally_version() - version of the library, "0.1.0" */
const char *ktally_version(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
