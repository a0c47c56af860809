/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the loader has to do, by the file system that each file is on, and which of it may be begun. Any of these may stop answering, and
 * then whoever asked it cannot be called back. So workers are shared out:
 *
 *	one at most opens, one reads, and one runs an errand (symbols/errand.h), on the same file system;
 *	one more than those who read is always kept, as a file is to be opened soon after it was told of, whatever is being read;
 *	two at most are at file systems that are not this host's own (mounts.h), and none begins at one where another is late.
 *
 * However many servers are gone, and whatever programs of users make of FUSE, somebody is left for the files of this host. What comes
 * first is done first on each file system, and file systems take turns; but opening goes before all else, and errands, which are
 * short, before reading. What a process alone can say where it is counts as a file system of its user's, which is not the host's own.
 *
 * A file can be made so that it takes seconds to read, and a user can map a new one many times a second. So of the files on one file system
 * those are read first whose owner had least of the time of late; one owner keeps half of what may be open at most, what is past that is closed,
 * and opened again when it is its turn; and what is past what anybody has at once is not read at all. What is read once more, as its symbols
 * were dropped, is its owner's too. So it is with errands, by whom they are for. Root of a container may give files as many owners as he
 * likes: who is new counts as one who had most, or new ones would go before all others without end.
 *
 * Workers beside these look at processes alone, at one of each user's, and one of them is kept for those of root.
 */
#ifndef KTALLY_JOBS_H
#define KTALLY_JOBS_H

#include "base/map.h"
#include "session/loader.h"

#define FILE_WORKERS_MOST	4
#define FOREIGN_MOST	(FILE_WORKERS_MOST / 2)	/* then one is left to open, and one to read */
#define READERS_MOST	(FILE_WORKERS_MOST - 1)
#define LOOKERS_MOST	3
#define WORKERS_MOST	(FILE_WORKERS_MOST + LOOKERS_MOST)

/* A file takes this long now and then; what takes longer is waited for no more. */
#define LATE_AFTER	(2 * 1000000000ULL)

enum task { OPEN, ASK, READ, DOWNLOAD, LOOK, TASKS };

struct job {
	struct loaded loaded;
	struct errand *errand;		/* ASK, LOOK: all there is to do */
	int fd;				/* open until it was read, and its debug file came; -1 */
	uint32_t owner;			/* of the file, once that is known; of many that one user may have, one; of an errand, for whom it is */
	bool counted;			/* among those that are open */
	bool parked;			/* to be closed, and opened again when it is its turn */
	bool done;
	enum task task;			/* what comes next, or is being done */
	uint64_t number;		/* in the order in which they came, and file systems had turns */
	uint64_t since;			/* when a worker began it; 0: none did */
	bool hung;			/* that was said, and counted */
	struct file_system *on;		/* until it is done */
	struct job *next;		/* to be done, of the same task on the same file system */
};

struct job_list {
	struct job *first, *last;
};

struct file_system {
	uint64_t device;
	bool known, own;		/* it was looked for among the mounts; it is this host's own */
	struct job_list waiting[TASKS];
	struct job *at_work[TASKS];
	uint64_t turn[TASKS];		/* a number of when one was last begun */
	unsigned int open;		/* files that wait to be read */
	unsigned int errands;		/* that wait or are being run */
	struct map owners;		/* of files that were opened -> struct file_owner */
	uint64_t window;		/* their times are of since then */
	uint64_t most;			/* that one of them had, with which those begin who are new */
};

struct file_owner {
	unsigned int open, waiting;	/* files; that are to be read, too */
	unsigned int errands;		/* for him, that wait or are being run */
	uint64_t time;			/* that reading took, ns */
};

struct jobs {
	struct map file_systems;	/* device -> struct file_system */
	uint64_t last_number;
	unsigned int open, at_work[TASKS], foreign;	/* workers, by what they are at */
	unsigned int downloads;		/* that wait */
	unsigned int errands;		/* that wait or are being run */
	uint64_t no_download_before;	/* no server answers */
	uint64_t refused;		/* files that were too many of their owner's; of the last: */
	uint32_t refused_user;
};

void jobs_add(struct jobs *jobs, struct job *job);	/* as job->task says */

/* Whether one more may wait there, and of that user's: no more do than there is room left for others. */
bool jobs_have_room(const struct jobs *jobs, const struct errand *errand);

struct job *jobs_next(const struct jobs *jobs, uint64_t now);	/* what is to be done next; NULL: nothing that may be begun */
struct job *jobs_begin(struct jobs *jobs, uint64_t now);	/* takes it off what waits */
void jobs_end(struct jobs *jobs, struct job *job, uint64_t now);	/* with what was begun */

/*
 * It was opened, and is that user's. False: no more is done with it, as it could not be, or as its owner has too many. What is parked now, or
 * is too many, is for the caller to close, without a lock: a file system can keep waiting who closes a file as well.
 */
bool jobs_opened(struct jobs *jobs, struct job *job, uint32_t user);
void jobs_free(struct jobs *jobs);			/* not the jobs */

unsigned int jobs_workers_at(const struct file_system *on);	/* downloads are elsewhere */

/* A file system with something to do of which it is not known whose it is; NULL: none. */
struct file_system *jobs_unknown(const struct jobs *jobs);

/* Nobody should wait for it: it is late itself, or it waits for one that is. */
bool jobs_is_late(const struct jobs *jobs, const struct job *job, uint64_t now);

#endif
