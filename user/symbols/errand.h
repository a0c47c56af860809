/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading what a process names: a file by way of its mappings, or what it tells of code that it compiles. Where that lies is the process's
 * own choice, and any user can choose a FUSE file system that never answers: then whoever opens the file, looks at it or reads it
 * is kept for ever, and cannot even be killed. So this is the border:
 *
 *	who names frames asks, and never touches such a file;
 *	somebody else, who may be kept, runs the errand, touches the file, and nothing that belongs to who asks.
 *
 * So it is with the mappings of a process and its environment: their text is the kernel's, but who reads it waits for a lock that the process
 * holds while it maps a file, which may take as long.
 *
 * A program that reads once and ends has nobody else, and runs its errands at once. Where others wait for who asks, there are
 * the loader's threads (session/loader.h).
 *
 * The files of a process are looked for at two places. First at ours: by the path, below our root, only as long as it leads over file
 * systems of this host's own or the one that the file is on; the process is not asked. Only then as the process sees them, in its root
 * and by its mappings, which may wait for any file system and for the process itself. What may keep whom waiting is told with the
 * errand, as a device: of the first that of the file, of the second the process's user.
 */
#ifndef KTALLY_ERRAND_H
#define KTALLY_ERRAND_H

#include <stdbool.h>
#include <stdint.h>

/* Instead of a major number of a device: */
#define ERRAND_USER	UINT32_MAX		/* the minor one is that of the user whose process it is */
#define ERRAND_OURS	(UINT32_MAX - 1)	/* /tmp as we see it */
#define ERRAND_PROCESS	(UINT32_MAX - 2)	/* a process alone, of which the minor one is the user */

/* Part of what is asked and answered. */
struct errand {
	void (*run)(struct errand *errand);	/* by any thread */
	void (*discard)(struct errand *errand);	/* with all that it has */
	uint32_t major, minor;			/* what it may have to wait for */
	uint32_t user;				/* for whom it is: each has a share of what is read on a file system, base/pool.h */
	uint32_t pid;				/* whose process it is about; for messages */
	bool undone;				/* nobody had room for it, or it was too late */
	uint64_t since;				/* when it was asked for, CLOCK_MONOTONIC ns */
	int state;
};

/* Zeroed: each is run at once by who asks. */
struct errands {
	void (*give)(void *context, struct errand *errand);	/* waits for its end, but not long */
	void *context;
};

/* True: it is done, or undone, and the asking one's again. False: it is under way, and still may be when all others are long done. */
bool errand_ask(const struct errands *errands, struct errand *errand);
bool errand_is_done(const struct errand *errand);

/* Nobody should wait for it any more. */
bool errand_is_late(const struct errand *errand);

/* Who asked does not want it any more: it is discarded, now or when it is done. NULL is none. */
void errand_abandon(struct errand *errand);

/* By who ran it, or never will. */
void errand_end(struct errand *errand);

#endif
