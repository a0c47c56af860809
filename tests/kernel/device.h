/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A session as the tests see it: the ABI itself, nothing between. Whatever is drained is checked record by record against the
 * specification, so every test is also a test of the stream: the first thing that is wrong stays in session.error.
 */
#ifndef KTALLY_TEST_DEVICE_H
#define KTALLY_TEST_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/ktally.h>

#include "ids.h"

#define CPUS_MAX 64

/**
 * struct tally - what came out of a ring
 * @samples: SAMPLE records
 * @weight: nanoseconds they stand for
 * @lost: sums of LOST records
 * @tasks: TASK records, those of exec included
 * @execs: TASK records sent for an exec
 * @exits: EXIT records
 * @stacks: STACK records
 * @files: FILE records
 * @throttles: THROTTLE records
 * @waits: OFFCPU records of waits that ended
 * @open_waits: those of waits that go on
 */
struct tally {
	uint64_t samples;
	uint64_t weight;
	struct ktally_loss lost[KTALLY_LOST_CAUSES];
	uint64_t tasks;
	uint64_t execs;
	uint64_t exits;
	uint64_t stacks;
	uint64_t files;
	uint64_t throttles;
	uint64_t waits;
	uint64_t open_waits;
};

struct ring {
	volatile struct ktally_ring_consumer *consumer;
	const volatile struct ktally_ring_producer *producer;
	const char *data;
	uint64_t tail;
	uint64_t last_time;
	struct tally tally;
};

/**
 * struct session - one open device
 * @fd: its descriptor
 * @setup: as granted
 * @mapped: records are taken by mmap, else by read()
 * @nested: samples come from NMIs too, so their times may be out of order by as much as one interrupts another
 * @begin: CLOCK_MONOTONIC before SETUP
 * @rings: by CPU; @producer of a ring is mapped in any case, for its figures
 * @tasks: every task record by id, and which rings announced it
 * @stacks: the same for stacks
 * @files: the same for files, by number
 * @on_record: called for every record, after it was checked; may be NULL
 * @context: for @on_record
 * @error: what was wrong first; empty: nothing
 */
struct session {
	int fd;
	struct ktally_setup setup;
	bool mapped;
	bool nested;
	uint64_t begin;
	struct ring rings[CPUS_MAX];
	struct ids tasks;
	struct ids stacks;
	struct ids files;
	void (*on_record)(struct session *session, const struct ktally_record *record);
	void *context;
	char error[256];
};

uint64_t now_ns(void);

/* All return 0 or -errno. */
int device_open(void);
int device_info(int fd, struct ktally_info *info);
int device_enable(int fd);
int device_disable(int fd);
int device_set_rate(int fd, uint32_t rate);
/* Once, and as soon as it may be called again. */
int device_try_setup(int fd, struct ktally_setup *setup);
int device_setup(int fd, struct ktally_setup *setup);
int device_try_flush(int fd, uint32_t flags);
int device_flush(int fd, uint32_t flags);
/* In: what may remain; out: what does. */
int device_restrict(int fd, uint64_t *rights);
/* The number of CPUs or -errno; which of them, on a host with at most 64. */
int device_get_cpus(int fd, uint32_t which, uint64_t *mask);
/* The address space that a process has now. */
int device_space_of(int fd, pid_t pid, uint64_t *mm_id);
int device_set_keep(int fd, uint64_t keep_ns, uint64_t wait_min_ns);
/* A new descriptor, of a file by its number; @path has KTALLY_PATH_BYTES_MAX bytes. */
int device_open_file(int fd, uint32_t number, char *path, uint32_t *status);

/* Opens the device and sets it up; size is filled in. Rings are mapped when @mapped. */
int session_open(struct session *session, const struct ktally_setup *setup, bool mapped);
/* The same with a descriptor that is open. */
int session_adopt(struct session *session, int fd, const struct ktally_setup *setup, bool mapped);
void session_close(struct session *session);
/* Maps rings that are there and were not mapped yet; returns how many are mapped, or -errno. */
int session_map_rings(struct session *session);

/* Takes what there is; returns the number of records or -errno. Wrong records end up in session->error. */
long session_drain(struct session *session);
/* FLUSH and drain until nothing is left, all losses announced. Returns 0 or -errno. */
int session_settle(struct session *session);
/* Waits for records that long, again and again, until the time is over; drains what comes. Returns 0 or -errno. */
int session_run(struct session *session, double seconds);
/* The same until the session's on_record has counted that many, for machines are as slow as they are; -ETIME after 30 seconds. */
int session_run_until(struct session *session, const uint64_t *count, uint64_t least);
/* After session_settle(): every ring's identity of samples; false: session->error says where it fails. */
bool session_is_exact(struct session *session);

/*
 * The life of a session of one process (0: of all) that is read whole: SETUP and ENABLE; and DISABLE with all that follows from it,
 * where what is not exact ends up in session->error. 0 or -errno.
 */
int session_follow(struct session *session, const struct ktally_setup *setup, pid_t process);
int session_finish(struct session *session);

struct tally session_total(const struct session *session);
/* Of a __u64 at this offset in the producer's page, over all rings. */
uint64_t session_sum(const struct session *session, size_t offset);
/* Samples that were lost, and the time they stood for. */
struct ktally_loss tally_lost_samples(const struct tally *tally);

const struct ktally_task *session_task(const struct session *session, uint64_t id);
const struct ktally_stack *session_stack(const struct session *session, uint64_t id);
const struct ktally_file *session_file(const struct session *session, uint32_t number);

/* Of a user frame that is one in a file. */
static inline bool frame_is_file(uint64_t frame)
{
	return frame >> KTALLY_FRAME_TYPE_SHIFT == KTALLY_FRAME_FILE;
}

static inline uint32_t frame_file(uint64_t frame)
{
	return (uint32_t)((frame & KTALLY_FRAME_VALUE_MASK) >> KTALLY_FRAME_FILE_SHIFT);
}

static inline uint64_t frame_offset(uint64_t frame)
{
	return frame & KTALLY_FRAME_OFFSET_MASK;
}

void session_fail(struct session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif /* KTALLY_TEST_DEVICE_H */
