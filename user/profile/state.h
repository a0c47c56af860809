/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a profile knows beyond struct profile: which tasks share an address space, which have ended, when to look at
 * /proc again.
 */
#ifndef KTALLY_PROFILE_STATE_H
#define KTALLY_PROFILE_STATE_H

#include "profile/profile.h"
#include "profile/turns.h"

struct profile_state {
	struct profile profile;			/* first: what others see */
	struct map spaces;			/* mm_id -> struct space */
	struct map threads;			/* tid -> struct known_task: the latest, chained by `earlier` */
	struct map waits;			/* tid -> struct thread_wait */
	struct space *ended_first, *ended_last;	/* spaces without a living task, in the order of their ends */
	uint64_t forgotten;			/* profile.last_time when owners were last forgotten */
	bool files_awaited;			/* a stack was named without a file of its own */
	struct map readings;			/* mm_id -> struct space, of those whose reading is under way, or done and not taken */
	uint64_t exec_reads, exec_window;	/* mappings read because of an exec since exec_window, ns */
	uint64_t accounts_read;			/* when, as long as they are to be compared with samples of until then; else UINT64_MAX */
	uint64_t sampled_since;			/* CPU time of samples since then */
	struct turns turns;			/* of processes to have their stacks named */
	size_t hurried;				/* stacks that wait for theirs, with all their frames */
	struct pool frames;			/* bytes of frames that are kept, with cells */
	struct stack *unkept;			/* in the cells of stacks without room for their frames; NULL: there are none */
};

static inline struct profile_state *state_of(struct profile *profile)
{
	return (struct profile_state *)profile;
}

struct known_task {
	struct task task;			/* first: what the map of tasks has */
	struct space *space;			/* NULL: none, or it was forgotten */
	struct known_task *next_in_space, *earlier;
	uint64_t time;				/* when it was first announced */
	bool ended;
	bool recent;				/* announced or sampled since the last profile_forget() */
	bool sampled;				/* ever: a cell may refer to it */
	struct cgroup *cgroup;			/* NULL: not known */
	char comm[KTALLY_COMM_BYTES + 1];	/* what task.comm is; anybody can make new ones by the thousand, so none outlives its task */
	char name[KTALLY_COMM_BYTES + 1];	/* what task.process_name is, where it is made of comm */
};

/* An address space, as far as it is more than its mappings (which symbols.h has). */
struct space {
	uint64_t mm_id;
	struct known_task *tasks;
	uint64_t living;			/* tasks that have not ended */
	uint64_t retry_time, retry_interval;	/* ns: when the mappings may be read again */
	bool put_off;				/* it was not its user's turn when they were last to be read */
	uint64_t ended_time;
	struct space *ended_next;
	bool ended;				/* is among the ended ones */
	bool asked;				/* its environment was read, or cannot be */
	struct errand *reading;			/* of its mappings and environment, under way; NULL: none is */
	struct owner *declared;			/* what that said of its owner; NULL: nothing */
};

/* Where samples and waits of one sort are added up: for good, so that what is held of an open wait stays valid. */
struct place {
	struct profile_source *source;
	struct tally_row *row;
	struct profile_cell *cell;		/* NULL: none are kept */
	struct topic_row *topics;		/* NULL: the stack is not known */
	const struct topic_set *set;		/* the same, of the stack in its system call */
};

/* ---- profile.c ---- */

struct place place_for(struct profile *profile, struct profile_source *source, const struct stack *stack, const struct task *task,
		       const char *syscall, const char *cause);
void place_add(const struct place *place, uint64_t samples, uint64_t weight);

/* ---- waits.c ---- */

void waits_feed(struct profile_state *state, const struct ktally_offcpu *record);
void waits_exit(struct profile_state *state, const struct ktally_exit *record);
void waits_hold_rows(struct profile_state *state);	/* of the tallies, for tally_forget() and topic_tally_forget() */
void waits_keep_topics(const struct profile_state *state);	/* for topics_forget() */
void waits_free(struct profile_state *state);

/* ---- tasks.c ---- */

void tasks_announce(struct profile_state *state, const struct ktally_task *record);
void tasks_exit(struct profile_state *state, const struct ktally_exit *record);
void tasks_forget(struct profile_state *state);
void tasks_free(struct profile_state *state);

/* ---- process_name.c ---- */

/*
 * Fills in what processes are grouped by: base name of the executable, else comm; that of a kernel thread without its
 * CPU.
 */
void process_name(struct known_task *known);

/* ---- owners.c ---- */

/* Fills in process name and owner of the task, by what is known now. */
void owners_attribute(struct profile_state *state, struct known_task *known);

/* What the process says of itself, to be freed; NULL: nothing. By any thread. cgroup: what its cgroup says is to be had from it alone. */
struct owner *owners_read(uint32_t pid, bool cgroup, bool *early);	/* early: there is no environment yet */
bool owners_ask_for_cgroup(const struct profile_state *state);

/* Calls on_owner with what is known. */
void owners_tell_space(struct profile_state *state, const struct space *space);
void owners_tell_cgroup(struct profile_state *state, struct cgroup *cgroup);

/* A chunk of a capture that says so; its text is zero-terminated. */
struct capture_item;
void owners_feed(struct profile_state *state, const struct capture_item *item);

/* Drops rows that are old and have gone out, and owners that no task and no row refers to. */
void owners_forget_unused(struct profile_state *state);

/* ---- accounts.c ---- */

/* A sample of after the accounts were read. */
void accounts_leave(struct profile_state *state, struct cgroup *cgroup, uint64_t weight);

/* A chunk of a capture: lines of a cgroup's id (0: the host), ns charged and ns sampled since the chunk before. */
void accounts_feed(struct profile *profile, const struct capture_item *item);

/* ---- space.c ---- */

struct space *space_get(struct profile_state *state, uint64_t mm_id);	/* made if not there; NULL for 0 */
void space_add(struct space *space, struct known_task *task);

/*
 * Reads the mappings from /proc, if the process is the one that the task says: or has them read (symbols/errand.h), and takes them when this
 * is called again, or late.
 */
void space_read(struct profile_state *state, struct space *space, const struct task *task);

/*
 * The same, but no more often than is worth it: because an address is in no known mapping (0: there are none yet), or
 * of an exec.
 */
void space_read_again(struct profile_state *state, struct space *space, const struct task *task, uint64_t address);
/* Before a task's first sample is fed: what could not be read when its program began can be by now. */
void space_first_sampled(struct profile_state *state, struct known_task *known);
void space_read_exec(struct profile_state *state, struct space *space, const struct task *task);

bool space_take_late(struct profile_state *state, struct space *space);	/* false: they are still being read */
void spaces_take_late(struct profile_state *state);
bool space_is_awaited(const struct space *space);	/* what is known of it may soon be more */

/* The mappings are new, and what the process says of its owner is: all tasks of the space get its executable and their process name. */
void space_learnt(struct profile_state *state, struct space *space, bool owner);

void space_task_ended(struct profile_state *state, struct space *space, uint64_t time);
void spaces_forget_ended(struct profile_state *state, uint64_t time);	/* those that ended a while before then */
void space_drop(struct profile_state *state, struct space *space);
void spaces_free(struct profile_state *state);

/* ---- names.c ---- */

void names_forget_unused(struct profile_state *state);	/* and the topics that are named by them */

/* ---- stacks.c ---- */

void stacks_announce(struct profile_state *state, const struct ktally_stack *record);

/*
 * What a sample refers to, marked as in use, the stack named. False: one of them was never announced.
 */
bool stacks_resolve(struct profile_state *state, uint64_t stack_id, uint64_t task_id, struct stack **stack, struct known_task **known);

/* Names and classifies a stack that was just sampled in a task for the first time. The stack, which may have moved. */
struct stack *stacks_name(struct profile_state *state, struct stack *stack, const struct task *task);

/* What a cell has of the stack: it, or one without frames. */
const struct stack *stacks_kept(struct profile_state *state, const struct stack *stack);

void stacks_name_late(struct profile_state *state);
void stacks_name_again(struct profile_state *state, uint32_t number);
void stacks_forget(struct profile_state *state);
void stacks_forget_rows(struct profile_state *state);	/* of the tallies, before some of these go: none knows where its time went last */

#endif
