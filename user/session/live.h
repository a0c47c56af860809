/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A session that runs, with those who take its records: a profile, and a recorder if there is one. What ktallyd, ktally record
 * and ktally top have in common.
 *
 * A record that tells of a file waits, and with it all that follow but those of tasks, until the loader has found out what the
 * file is; then its frames have names at once, and a capture has the file before them. So does a stack in a file whose symbols
 * were dropped, until they are read again. The wait is bounded in time and memory.
 *
 * The rings go first. To name a new stack takes a thousand times as long as to copy its record, so naming is done in turns of some
 * milliseconds: when one is over, what the rings have goes behind what waits, and only then the next one begins. Whose names take so long that
 * records wait for too long nevertheless, or a flush does, goes without (profile_set_pressure()): names are lost by who has too many, samples
 * by nobody.
 */
#ifndef KTALLY_LIVE_H
#define KTALLY_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "lib/libktally.h"
#include "profile/profile.h"
#include "session/backlog.h"
#include "session/loader.h"
#include "session/recorder.h"

/* What a live session's profile is for, each including those before it. */
enum live_purpose {
	LIVE_RECORD,		/* finding the mappings of processes: nothing is named */
	LIVE_COUNT,		/* tallies by class */
	LIVE_SHOW,		/* the frames of samples */
	LIVE_KEEP,		/* cells, for pprof, folded stacks and flame graphs */
};

struct refusals {
	uint64_t names, hurried, frames, files, cgroups;
};

struct live {
	struct ktally_session *session;
	struct profile *profile;
	struct recorder *recorder;		/* NULL: none */
	struct categories *categories;		/* for the profile; NULL: none */
	uint32_t thin_worst;			/* one of so many samples was taken, at worst */
	bool has_waits;				/* KTALLY_SOURCE_OFFCPU */
	struct loader *loader;			/* NULL: there is no thread to be had */
	struct backlog backlog;
	uint64_t turn;				/* when this one began */
	uint64_t turn_named;			/* stacks that had been named by then, or when the clock was last looked at */
	bool turn_over;
	uint64_t flushing;			/* since when; 0: not now */
	struct refusals told;			/* what live_describe_refusals() said */
	struct refused refused_before;		/* by the module, before this session was enabled */
	size_t frame_bytes;			/* as in struct profile_options */
	unsigned int again;			/* files whose dropped symbols are being read */
	unsigned int late;			/* files whose record did not wait until they were */
	bool whole_host;			/* every process is sampled, */
	const struct cpus *left_out;		/* but for what runs on these CPUs; NULL: on none */
	enum owner_level level;			/* of the profile, and */
	size_t series;				/* as in struct profile_options; all these before live_create_profile() */
	uint64_t lost;				/* as of the last flush */
	uint64_t modules;			/* hash of the kernel's list of modules when its names were read */
	bool kernel_names;			/* whether there are any */
};

typedef void live_sample(void *context, const struct profile_sample *sample);

/* The profile of a live session, which writes the mappings it learns through live->recorder. */
void live_create_profile(struct live *live, enum live_purpose purpose);
void live_destroy_profile(struct live *live);	/* before the session is closed */

/* Starts sampling. EXIT_OK or an exit code, after a message. */
int live_enable(struct live *live);

/* Gives the kernel's names to the profile and the recorder. Later: once more if modules came or went since. Says what hinders it. */
void live_read_kernel_names(struct live *live);
void live_refresh_kernel_names(struct live *live);

/*
 * Takes up to `most` records. 1: there may be more, 0: all was read, -errno: the session is broken, see session_failed().
 * on_sample may be NULL.
 */
int live_drain(struct live *live, size_t most, live_sample *on_sample, void *context);

/*
 * Brings everything up to date: waits that go on are counted up to now, losses are announced, records that are there are taken.
 * 0 or -errno, as live_drain().
 */
int live_flush(struct live *live, live_sample *on_sample, void *context);

/* Stops sampling and takes everything that was sampled. 0 or -errno, as live_drain(). */
int live_stop(struct live *live, live_sample *on_sample, void *context);

/* Forgets what was not sampled for a while: bounds the memory of a session that runs for months. 0 or -errno. */
int live_forget(struct live *live, live_sample *on_sample, void *context);

/* Starts another capture file, complete in itself. The recorder is the caller's. 0 or -errno. */
int live_change_recorder(struct live *live, struct recorder *recorder);

/*
 * Who had names refused since the last call: "names of 1204 frames ... of user 65534". Nothing is appended: nobody had.
 */
void live_describe_refusals(struct live *live, struct buffer *text);

/* What is lost, by cause, and what was thinned: "nothing lost", or "lost 12 of 4512 samples (0.3 %): 12 ring full". */
void live_describe_losses(const struct live *live, struct buffer *text);

#endif
