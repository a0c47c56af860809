/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The profile: what the records of a session say, put together. Records go in, one at a time, from a live session or
 * from a capture; tasks and stacks are kept, stacks are named and classified when first sampled, samples and waits are
 * tallied, each source for itself.
 */
#ifndef KTALLY_PROFILE_H
#define KTALLY_PROFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/ktally.h>

#include "attribute/account.h"
#include "attribute/cgroup.h"
#include "attribute/owner.h"
#include "base/map.h"
#include "profile/frame.h"
#include "profile/refused.h"
#include "symbols/symbols.h"
#include "tally/series.h"
#include "tally/tally.h"
#include "tally/topic_tally.h"

struct categories;
struct topics;

/* A task in one state; another comm, program or cgroup is another struct task. */
struct task {
	uint64_t id, mm_id, cgroup_id, start_time;
	uint32_t pid, tid, parent, flags;	/* KTALLY_TASK_* */
	const char *comm;			/* printable; as long as the task */
	const char *executable;			/* path, interned; NULL: a kernel thread, or it could not be learnt */
	const char *process_name;		/* base name of the executable, else comm; processes' group; as long as the task */
	const struct owner *owner;		/* whom its time is attributed to */
};

/* Samples of one stack in one task, or its waits for one cause, added up; apart where the system call puts them into other categories. */
struct profile_cell {
	const struct stack *stack;
	const struct task *task;
	const char *cause;			/* interned; NULL: it ran */
	const struct topic_set *topics;		/* that it counts for, in its system call; NULL: none */
	uint64_t samples, weight;		/* weight in ns */
};

/* What the records of one source add up to. */
struct profile_source {
	struct tally *tally;
	struct topic_tally *topics;
	struct map cells;			/* hash -> struct profile_cell */
	uint64_t samples, weight;		/* SAMPLE records, or OFFCPU records of waits that ended; the weight has open waits too */
};

struct profile_options {
	bool cells;		/* keep cells (for pprof, folded, flame graphs); a daemon that only counts does not */
	const char *process;	/* keep cells of tasks of this process name only; NULL: of all */
	const char *service;	/* the same by service.name of the owner, which the level must have */
	bool classes_only;	/* drop a stack's frames once it is classified: takes a daemon a tenth of the memory */
	bool mappings_only;	/* name and classify nothing: a recorder needs the mappings, and names can wait */
	bool live;		/* the processes exist on this host now: read their mappings from /proc when needed */
	size_t symbol_bytes;	/* for symbols_create() */
	size_t frame_bytes;	/* with cells: what frames may take, shared out (pool.h); past it cells have none. 0: any amount */
	enum owner_level level;	/* how fine owners are */
	bool accounts;		/* every process is sampled: what the kernel charges can be compared, */
	const struct cpus *left_out;	/* but on these CPUs; stays the caller's; NULL: on none */
	size_t series;		/* most of them, of owners' time: half by class, half by topic; a tenth as many owners; 0: 50 000 */
	struct categories *categories;	/* that stacks are put into, must outlive the profile; NULL: none */
	/*
	 * Called when mappings were read from /proc, so that a recorder can write them down; from within
	 * profile_feed(). They belong before the record that is being fed: who reads the capture needs them to name
	 * what that record refers to. May be NULL.
	 */
	void (*on_mappings)(void *context, uint64_t mm_id, uint32_t pid, const char *executable, const char *text,
			    size_t bytes);
	/*
	 * The same when something was learnt of the owner of an address space, or else (mm_id is 0) of a cgroup: text as
	 * owner_write() writes it, of a cgroup after a line with its path. May be NULL.
	 */
	void (*on_owner)(void *context, uint64_t mm_id, uint64_t cgroup_id, const char *text, size_t bytes);
	/* Called with what profile_compare_accounts() found, so that a recorder can write it down. May be NULL. */
	void (*on_account)(void *context, const char *text, size_t bytes);
	/* Called for each stack once it is named and classified: gives it back, or another one instead. May be NULL. */
	struct stack *(*on_stack)(void *context, struct symbols *symbols, struct stack *stack);
	void *context;
};

/* What became of what was exported, in all and over all destinations. Whoever exports keeps it here, to be told with the rest. */
struct profile_delivery {
	uint64_t requests, retries;
	uint64_t batches, batches_spooled;
	uint64_t batches_refused, batches_evicted, batches_dropped, batches_damaged;
	uint64_t points_refused, points_evicted, points_dropped, points_rejected;
};

/* Unwind tables that the module was given, and files that hang, or are too many. Whoever makes them keeps it here, to be told with the rest. */
struct profile_tables {
	uint64_t loaded, failed, evicted, files_hung, files_refused;
	uint32_t refused_user;		/* the owner of the last that was too many */
};

struct profile {
	struct profile_options options;
	struct symbols *symbols;
	struct topics *topics;
	struct series *class_series, *topic_series;	/* that the sources share */
	struct profile_source oncpu, offcpu;
	struct account account;		/* of the host */
	struct owners *owners;
	struct cgroups *cgroups;
	struct map tasks;		/* task_id -> struct task */
	struct map stacks;		/* stack_id -> struct stack */
	uint64_t stacks_named;		/* how often one was */
	uint64_t stacks_hurried;	/* how often there was no time to */
	uint64_t stacks_refused;	/* whose frames were not kept, with cells, for want of room */
	uint32_t hurried_user;		/* whose the last one of either was; POOL_NOBODY: not known */
	struct ktally_loss lost[KTALLY_LOST_CAUSES];	/* from LOST records */
	uint64_t throttles, bad_records, orphans;	/* orphans: samples whose task or stack was never announced */
	uint64_t first_time, last_time;	/* of samples and waits, CLOCK_MONOTONIC ns */
	uint64_t user_ends[STACK_ENDS];	/* samples, by how their user stack ended */
	struct profile_tables tables;
	struct refused refused;		/* by the module since the session began. Whoever reads it keeps it here, to be told with the rest */
	uint32_t thin;			/* of the last THROTTLE record, 1 at first */
	struct profile_delivery delivery;
};

/* A sample of what ran, with everything it refers to. */
struct profile_sample {
	const struct ktally_sample *record;
	const struct stack *stack;
	const struct task *task;
	const char *syscall;		/* by number; NULL: none */
};

struct profile *profile_create(const struct profile_options *options);
void profile_destroy(struct profile *profile);

/* KTALLY_SOURCE_ONCPU or KTALLY_SOURCE_OFFCPU */
const struct profile_source *profile_source(const struct profile *profile, uint32_t source);

/*
 * Takes a record that ktally_check_record() accepts. Returns true and fills in sample (if not NULL) for a SAMPLE that
 * could be resolved. One that could not, or a wait, is an orphan, and is tallied as of process and area "unknown": its time was
 * spent.
 */
bool profile_feed(struct profile *profile, const struct ktally_record *record, struct profile_sample *sample);

/*
 * Records that are about to be fed, up to PROFILE_AHEAD. Samples hit stacks at random, and those of a busy host are more than the caches
 * of a CPU: fetched one after the other, what they refer to takes longer than all else.
 */
#define PROFILE_AHEAD 16
void profile_look_ahead(const struct profile *profile, const struct ktally_record *const *records, unsigned int count);

/*
 * Waits that go on are told once by the device (KTALLY_OFFCPU_PARTIAL), and then made longer here: to now, as long as no record
 * says that they ended. What is added so is taken off when that record comes, so that a wait counts once. To be called after
 * KTALLY_IOC_FLUSH, with the time before it, when all was read that was there then.
 */
void profile_extend_waits(struct profile *profile, uint64_t now);

/*
 * After a loss, the end of an open wait may have been among what was lost. Between KTALLY_FLUSH_RESEND and these: doubt before
 * it; when everything is read, those that were not told again have ended.
 */
void profile_doubt_waits(struct profile *profile);
void profile_end_doubtful_waits(struct profile *profile);

/*
 * Drops tasks and stacks that were neither announced nor sampled since the last call, to bound memory; the device must
 * then resend (KTALLY_FLUSH_RESEND). So go rows that got nothing since, once all of them has gone out, and owners, areas and names that
 * nothing refers to any more. With cells, what a cell refers to stays, and so do rows.
 */
void profile_forget(struct profile *profile);

/* The names alone, for which nothing has to be resent: when symbols_have_many_names(). */
void profile_forget_names(struct profile *profile);

/*
 * How much those who feed records are behind. Naming a new stack takes a thousand times as long as counting a known one, and who has its stacks
 * change all the time can ask for all the time there is: so when records wait for too long, stacks of those are counted without the names of
 * their user frames.
 */
enum profile_pressure {
	PROFILE_AT_EASE,
	PROFILE_BEHIND,			/* those users and processes go without that had at least as much of the time as the others on average */
	PROFILE_FULL,			/* all do */
};
void profile_set_pressure(struct profile *profile, enum profile_pressure pressure);

/*
 * Stacks that were sampled before a file of theirs was read have names from the first sample after that. This names those that have none
 * yet and that cells refer to: to be called before cells are shown. What was tallied stays as it was.
 */
void profile_name_late(struct profile *profile);

/* What was read of processes meanwhile: some megabytes of text each, at worst, of which only a part is kept. */
void profile_take_mappings(struct profile *profile);

/* Calls on_mappings for all that live, for a recorder that comes later: of each that answers in time now, of others later. */
void profile_read_mappings(struct profile *profile);

/* There are more names for a file: stacks in it are named anew, when they are sampled next, or late. */
void profile_name_again(struct profile *profile, uint32_t file);

/*
 * The CPU time of samples beside what the kernel charged, of the host and of cgroups. Read it when sampling begins, and whenever
 * the rings are about to be emptied; compare when they are. Samples of after the reading, that come before, are compared the next time.
 */
void profile_read_accounts(struct profile *profile);
void profile_compare_accounts(struct profile *profile);

/* Calls on_owner for all that is known, for a recorder that comes later. */
void profile_tell_owners(struct profile *profile);

/*
 * A chunk of a capture file: its records are checked and fed, its mappings and kernel symbols are used for what comes
 * after them.
 */
struct capture_item;
void profile_feed_item(struct profile *profile, const struct capture_item *item);

#endif
