/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two implementations of the loop share: see loop.h. */
#ifndef KTALLY_BACKEND_H
#define KTALLY_BACKEND_H

#include "loop/loop.h"

struct loop_watch {
	loop_ready *ready;		/* NULL: free */
	void *context;
	int fd;
	short events;
	enum loop_sort sort;
	bool armed;			/* io_uring: a request is under way */
	uint32_t generation;		/* counts the uses of this slot, so that late answers for the one before are told apart */
};

struct loop_backend {
	const char *name;
	int (*open)(struct loop *loop);
	void (*close)(struct loop *loop);
	void (*arm)(struct loop *loop, struct loop_watch *watch);
	void (*disarm)(struct loop *loop, struct loop_watch *watch);
	int (*wait)(struct loop *loop, uint64_t nanoseconds);	/* UINT64_MAX: for ever. Calls loop_report(). */
};

struct loop {
	const struct loop_backend *backend;
	void *state;			/* the backend's */
	struct loop_timer *timers;
	struct loop_watch watches[LOOP_WATCHES_MAX];
};

extern const struct loop_backend loop_io_uring, loop_poll;

/* Calls the owner of a watch, if that is still the one of this generation. */
void loop_report(struct loop *loop, unsigned int slot, uint32_t generation, short events);

#endif
