// SPDX-License-Identifier: MIT
/*
 * A session: the descriptor, what the module said of itself, and the readers of its rings.
 *
 * Errors that turn up while records are handed out have nowhere to go there, so they are kept and returned by the next
 * ktally_wait(); from then on the session hands out nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/libktally.h"
#include "lib/reader.h"

#define CPUS_MAX	65536		/* a record's cpu has 16 bits */

/* How much a ring may hand out before the next one's turn: enough to stay in its cache lines, little beside a ring. */
#define TURN_BYTES	65536

/**
 * struct ktally_session
 * @fd: the device
 * @error: why nothing can be read any more, 0: it can
 * @cpus: number of CPU numbers there can be, which is room in @readers; 0 before SETUP
 * @area_bytes: of a ring
 * @readers: the first @rings of them are there, in the order in which they came
 * @rings: mapped
 * @turn: whose turn it is
 * @turn_start: where that turn began
 * @in_pass: some ring has something left of this pass
 * @is_mapped: by CPU
 * @info: with room for the fields that callers newer than this library may look at
 */
struct ktally_session {
	int fd;
	int error;
	__u32 cpus;
	__u64 area_bytes;
	struct ktally_reader *readers;
	__u32 rings;
	__u32 turn;
	__u64 turn_start;
	bool in_pass;
	unsigned char *is_mapped;
	union {
		struct ktally_info info;
		unsigned char room[256];
	};
};

/* -errno of what just failed, with errno as it was before. */
static int failed(int saved)
{
	int error = -errno;

	errno = saved;
	return error;
}

static int control(const struct ktally_session *session, unsigned long request, void *argument)
{
	int saved = errno;

	return ioctl(session->fd, request, argument) < 0 ? failed(saved) : 0;
}

/* ---- opening and closing ---- */

int ktally_open_fd(struct ktally_session **session, int fd)
{
	struct ktally_session *new = calloc(1, sizeof(*new));
	int error;

	if (!new)
		return -ENOMEM;
	new->fd = fd;
	new->info.size = sizeof(new->info);
	error = control(new, KTALLY_IOC_INFO, &new->info);
	if (!error && new->info.abi_version != KTALLY_ABI_VERSION)
		error = -EPROTO;
	if (error) {
		free(new);
		return error;
	}
	*session = new;
	return 0;
}

int ktally_open(struct ktally_session **session)
{
	int saved = errno;
	int fd = open(KTALLY_DEVICE_PATH, O_RDWR | O_CLOEXEC);
	int error;

	if (fd < 0)
		return failed(saved);
	error = ktally_open_fd(session, fd);
	if (error)
		close(fd);
	errno = saved;
	return error;
}

/* A reader's producer page is where its mapping of the rest of the area begins. */
static void unmap(const struct ktally_session *session, const struct ktally_reader *reader)
{
	munmap((void *)(uintptr_t)reader->producer, session->area_bytes - KTALLY_PAGE_BYTES);
	munmap(reader->consumer, KTALLY_PAGE_BYTES);
}

void ktally_close(struct ktally_session *session)
{
	int saved = errno;

	if (!session)
		return;
	for (__u32 i = 0; i < session->rings; i++)
		unmap(session, &session->readers[i]);
	close(session->fd);
	free(session->readers);
	free(session->is_mapped);
	free(session);
	errno = saved;
}

int ktally_fd(const struct ktally_session *session)
{
	return session->fd;
}

const struct ktally_info *ktally_get_info(const struct ktally_session *session)
{
	return &session->info;
}

const char *ktally_version(void)
{
	return LIBKTALLY_VERSION;
}

/* ---- mapping ---- */

static int map_ring(struct ktally_session *session, __u32 cpu)
{
	off_t offset = (off_t)(cpu * session->area_bytes);
	size_t rest_bytes = session->area_bytes - KTALLY_PAGE_BYTES;
	int saved = errno;
	void *consumer, *rest;
	int error;

	consumer = mmap(NULL, KTALLY_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, session->fd, offset);
	if (consumer == MAP_FAILED)
		return failed(saved);
	rest = mmap(NULL, rest_bytes, PROT_READ, MAP_SHARED, session->fd, offset + KTALLY_PAGE_BYTES);
	if (rest == MAP_FAILED) {
		error = failed(saved);
	} else {
		error = ktally_reader_attach(&session->readers[session->rings], cpu, consumer, rest, rest_bytes);
		if (!error)
			return 0;
		munmap(rest, rest_bytes);
	}
	munmap(consumer, KTALLY_PAGE_BYTES);
	return error;
}

/* Every CPU that has a ring which is not mapped yet. */
static int map_rings(struct ktally_session *session)
{
	for (__u32 cpu = 0; cpu < session->cpus; cpu++) {
		int error;

		if (session->is_mapped[cpu])
			continue;
		error = map_ring(session, cpu);
		if (error == -ENXIO)
			continue;
		if (error)
			return error;
		session->is_mapped[cpu] = true;
		session->rings++;
	}
	return session->rings ? 0 : -EPROTO;
}

int ktally_set_up(struct ktally_session *session, struct ktally_setup *setup)
{
	int error;

	if (!setup->size)
		setup->size = KTALLY_SETUP_SIZE_V1;
	error = control(session, KTALLY_IOC_SETUP, setup);
	if (error)
		return error;
	if (!setup->cpus || setup->cpus > CPUS_MAX || setup->area_bytes % KTALLY_PAGE_BYTES ||
	    setup->area_bytes < 2 * KTALLY_PAGE_BYTES || setup->area_bytes > (__u64)INT64_MAX / CPUS_MAX)
		return -EPROTO;
	session->readers = calloc(setup->cpus, sizeof(*session->readers));
	session->is_mapped = calloc(setup->cpus, sizeof(*session->is_mapped));
	if (!session->readers || !session->is_mapped)
		return -ENOMEM;
	session->cpus = setup->cpus;
	session->area_bytes = setup->area_bytes;
	return map_rings(session);
}

/* ---- control ---- */

int ktally_enable(struct ktally_session *session)
{
	return control(session, KTALLY_IOC_ENABLE, NULL);
}

int ktally_disable(struct ktally_session *session)
{
	return control(session, KTALLY_IOC_DISABLE, NULL);
}

int ktally_set_rate(struct ktally_session *session, unsigned int rate)
{
	struct ktally_rate argument = { .size = sizeof(argument), .rate = rate };

	return control(session, KTALLY_IOC_SET_RATE, &argument);
}

int ktally_set_keep(struct ktally_session *session, __u64 keep_ns, __u64 wait_min_ns)
{
	struct ktally_keep argument = { .size = sizeof(argument), .keep_ns = keep_ns, .wait_min_ns = wait_min_ns };

	return control(session, KTALLY_IOC_SET_KEEP, &argument);
}

int ktally_flush(struct ktally_session *session, unsigned int flags)
{
	struct ktally_flush argument = { .size = sizeof(argument), .flags = flags };

	return control(session, KTALLY_IOC_FLUSH, &argument);
}

int ktally_restrict(struct ktally_session *session, __u64 rights)
{
	struct ktally_restrict argument = { .size = sizeof(argument), .rights = rights };
	int error = control(session, KTALLY_IOC_RESTRICT, &argument);

	if (!error)
		session->info.rights = argument.rights;
	return error;
}

int ktally_get_cpus(const struct ktally_session *session, __u32 which, __u64 *mask, __u32 words)
{
	struct ktally_cpus argument = {
		.size = sizeof(argument), .which = which, .mask = (uintptr_t)mask, .words = mask ? words : 0,
	};
	int error = control(session, KTALLY_IOC_GET_CPUS, &argument);

	return error ? error : (int)argument.count;
}

int ktally_space_of(const struct ktally_session *session, __u32 pid, __u64 *mm_id)
{
	struct ktally_space_of argument = { .size = sizeof(argument), .pid = pid };
	int error = control(session, KTALLY_IOC_SPACE_OF, &argument);

	if (!error)
		*mm_id = argument.mm_id;
	return error;
}

int ktally_open_file(const struct ktally_session *session, __u32 file, char *path, __u32 path_bytes, __u32 *status)
{
	struct ktally_open_file argument = {
		.size = sizeof(argument), .file = file, .path = (uintptr_t)path, .path_bytes = path ? path_bytes : 0,
	};
	int error = control(session, KTALLY_IOC_OPEN_FILE, &argument);

	if (error)
		return error;
	if (status)
		*status = argument.status;
	return argument.fd;
}

int ktally_load_table(const struct ktally_session *session, struct ktally_load_table *table)
{
	if (!table->size)
		table->size = KTALLY_LOAD_TABLE_SIZE_V1;
	return control(session, KTALLY_IOC_LOAD_TABLE, table);
}

/* ---- reading ---- */

static bool has_more(const struct ktally_session *session)
{
	for (__u32 i = 0; i < session->rings; i++) {
		if (ktally_reader_has_more(&session->readers[i]))
			return true;
	}
	return false;
}

int ktally_wait(struct ktally_session *session, int milliseconds)
{
	struct pollfd ready = { .fd = session->fd, .events = POLLIN };
	int saved = errno;
	int count;

	if (session->error)
		return session->error;
	if (!session->rings)
		return -EINVAL;
	for (__u32 i = 0; i < session->rings; i++)
		ktally_reader_release(&session->readers[i]);
	count = poll(&ready, 1, milliseconds);
	if (count < 0)
		return failed(saved);
	if (ready.revents & (POLLERR | POLLNVAL))
		return -EIO;
	/* What was written before the module stopped is still worth reading. */
	if (ready.revents & POLLHUP)
		return has_more(session) ? 1 : -ENODEV;
	return count;
}

static int begin_pass(struct ktally_session *session)
{
	bool has_new_rings = false;
	int error = 0;

	for (__u32 i = 0; i < session->rings; i++) {
		const __u32 *rings = &session->readers[i].producer->rings;

		has_new_rings |= __atomic_load_n(rings, __ATOMIC_RELAXED) != session->rings;
	}
	if (has_new_rings)
		error = map_rings(session);
	for (__u32 i = 0; i < session->rings && !error; i++)
		error = ktally_reader_look(&session->readers[i]);
	session->turn = 0;
	session->turn_start = session->readers[0].tail;
	session->in_pass = true;
	return error;
}

/* Who has something left gets the next turn; a ring that had its share gives its room back at once. */
static void next_turn(struct ktally_session *session)
{
	ktally_reader_release(&session->readers[session->turn]);
	for (__u32 i = 1; i <= session->rings; i++) {
		__u32 turn = (session->turn + i) % session->rings;
		const struct ktally_reader *reader = &session->readers[turn];

		if (reader->tail != reader->end) {
			session->turn = turn;
			session->turn_start = reader->tail;
			return;
		}
	}
	session->in_pass = false;
}

unsigned int ktally_next_batch(struct ktally_session *session, const struct ktally_record **records, unsigned int most)
{
	struct ktally_reader *reader;

	if (session->error || !session->rings)
		return 0;
	if (!session->in_pass)
		session->error = begin_pass(session);
	while (session->in_pass && !session->error) {
		reader = &session->readers[session->turn];
		ktally_reader_done(reader);
		if (reader->tail - session->turn_start < TURN_BYTES) {
			unsigned int count = 0;

			while (count < most && (records[count] = ktally_reader_next(reader, &session->error)))
				count++;
			if (count || session->error)
				return count;
		}
		next_turn(session);
	}
	return 0;
}

const struct ktally_record *ktally_next(struct ktally_session *session)
{
	const struct ktally_record *record;

	return ktally_next_batch(session, &record, 1) ? record : NULL;
}

void ktally_get_totals(const struct ktally_session *session, struct ktally_totals *totals)
{
	*totals = (struct ktally_totals) { .rings = session->rings };
	for (__u32 i = 0; i < session->rings; i++) {
		const volatile struct ktally_ring_producer *producer = session->readers[i].producer;

		totals->samples += producer->samples;
		totals->stacks += producer->stacks;
		totals->throttles += producer->throttles;
		for (int cause = 0; cause < KTALLY_LOST_CAUSES; cause++) {
			totals->lost[cause].count += producer->lost[cause].count;
			totals->lost[cause].weight += producer->lost[cause].weight;
		}
		if (totals->thin < producer->thin)
			totals->thin = producer->thin;
		if (totals->state < producer->state)
			totals->state = producer->state;
		totals->rate = producer->rate;
		totals->waits += producer->waits;
		totals->waits_short.count += producer->waits_short.count;
		totals->waits_short.weight += producer->waits_short.weight;
		totals->clock_regressions += producer->clock_regressions;
		totals->unsampled.count += producer->unsampled.count;
		totals->unsampled.weight += producer->unsampled.weight;
		if (totals->offcpu_thin < producer->offcpu_thin)
			totals->offcpu_thin = producer->offcpu_thin;
	}
}
