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
 * All functions that return int return 0 (or what they say) on success and -errno on failure; errno itself is not touched.
 * A session is used by one thread at a time.
 */
#ifndef LIBKTALLY_H
#define LIBKTALLY_H

#include <linux/ktally.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ktally_session;

/**
 * ktally_open() - open the device
 * Return: 0; -ENOENT: no module loaded; -EACCES, -EPERM: not allowed; -EPROTO: the module speaks another ABI version than
 * this library; any other -errno of open().
 */
int ktally_open(struct ktally_session **session);

/** ktally_open_fd() - the same for a descriptor of the device that somebody else opened; the session owns it from then on */
int ktally_open_fd(struct ktally_session **session, int fd);

void ktally_close(struct ktally_session *session);

/** ktally_fd() - the descriptor, for poll() and io_uring; stays the session's */
int ktally_fd(const struct ktally_session *session);

/** ktally_get_info() - what the module offers and this session may ask for */
const struct ktally_info *ktally_get_info(const struct ktally_session *session);

/**
 * ktally_set_up() - configure the session and map its rings
 * @setup: as in <linux/ktally.h>; size is filled in here, the out fields by the module
 */
int ktally_set_up(struct ktally_session *session, struct ktally_setup *setup);

int ktally_enable(struct ktally_session *session);
int ktally_disable(struct ktally_session *session);
int ktally_set_rate(struct ktally_session *session, unsigned int rate);
int ktally_flush(struct ktally_session *session, unsigned int flags);

/** ktally_wait() - wait until there is something to read; 1: there is, 0: @milliseconds passed, -EINTR, -ENODEV: the module stopped the session */
int ktally_wait(struct ktally_session *session, int milliseconds);

/**
 * ktally_next() - the next record of any ring
 *
 * Goes through the rings in turn, taking from each what is there now; maps rings of CPUs that came online. The record is
 * valid, and its room in the ring taken, until the next call.
 *
 * Return: NULL when nothing is left to read at the moment.
 */
const struct ktally_record *ktally_next(struct ktally_session *session);

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
};

void ktally_get_totals(const struct ktally_session *session, struct ktally_totals *totals);

/**
 * ktally_check_record() - whether a record is whole and consistent, for streams from elsewhere (files, pipes)
 * @data: may have any alignment that is a multiple of 8
 * @bytes: how much is there
 * Return: the size of the record; 0: more bytes are needed; -EBADMSG: not a record.
 */
int ktally_check_record(const void *data, __u64 bytes);

/** ktally_version() - version of the library, "0.1.0" */
const char *ktally_version(void);

#ifdef __cplusplus
}
#endif
#endif
