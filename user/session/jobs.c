// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "base/message.h"
#include "session/jobs.h"
#include "symbols/errand.h"

/*
 * Files that are open: so many wait to be read. No file system has more than three quarters of them, so that one whose files cannot be
 * read does not keep others from being opened.
 */
#define OPEN_MOST		256
#define OPEN_MOST_EACH		(OPEN_MOST / 4 * 3)

/* Of one owner, on one file system: open; and waiting to be read at all, of which a large program has some hundred. */
#define OPEN_MOST_OWNER		(OPEN_MOST_EACH / 2)
#define WAITING_MOST_OWNER	2048

#define OWNER_WINDOW		(30 * 1000000000ULL)

/* Errands that wait: no more of them are than processes are new at once. */
#define ERRANDS_MOST		1024

/* That are kept though there is nothing to do on them. */
#define IDLE_MOST		256

static bool is_idle(const struct file_system *on)
{
	for (unsigned int task = 0; task < TASKS; task++)
		if (on->waiting[task].first || on->at_work[task])
			return false;
	return true;
}

static void forget_idle(struct jobs *jobs)
{
	for (struct map_slot *slot = map_next(&jobs->file_systems, NULL); slot; slot = map_next(&jobs->file_systems, slot)) {
		struct file_system *on = slot->value;

		if (is_idle(on)) {
			map_remove(&jobs->file_systems, on->device);
			map_free_values(&on->owners);
			free(on);
		}
	}
}

static struct file_system *file_system_of(struct jobs *jobs, const struct ktally_file *identity)
{
	uint64_t device = (uint64_t)identity->device_major << 32 | identity->device_minor;
	struct file_system *on = map_get(&jobs->file_systems, device);

	if (on)
		return on;
	if (jobs->file_systems.used >= IDLE_MOST)
		forget_idle(jobs);
	on = memory_zeroed(1, sizeof(*on));
	on->device = device;
	on->own = identity->device_major == ERRAND_OURS || identity->device_major == ERRAND_PROCESS;
	on->known = on->own || identity->device_major == ERRAND_USER;
	map_put(&jobs->file_systems, device, on);
	return on;
}

/* Who has numbers for users of containers has 65 536 of them. */
static uint32_t owner_of(uint32_t user)
{
	return user < 65536 ? user : 65536 + (user >> 16);
}

static struct file_owner *file_owner(struct file_system *on, uint32_t number)
{
	struct file_owner *owner = map_get(&on->owners, number);

	if (!owner) {
		owner = memory_zeroed(1, sizeof(*owner));
		owner->time = on->most;
		map_put(&on->owners, number, owner);
	}
	return owner;
}

void jobs_add(struct jobs *jobs, struct job *job)
{
	struct job_list *list;

	job->on = file_system_of(jobs, &job->loaded.file.identity);
	if (!job->number)
		job->number = ++jobs->last_number;
	if (job->loaded.again)
		job->owner = owner_of(job->loaded.file.owner);
	list = &job->on->waiting[job->task];
	job->since = 0;
	job->next = NULL;
	if (list->last)
		list->last->next = job;
	else
		list->first = job;
	list->last = job;
	jobs->downloads += job->task == DOWNLOAD;
	if (job->errand) {
		job->owner = job->errand->user;
		jobs->errands++;
		job->on->errands++;
		file_owner(job->on, job->owner)->errands++;
	}
}

bool jobs_have_room(const struct jobs *jobs, const struct errand *errand)
{
	const struct file_system *on = map_get(&jobs->file_systems, (uint64_t)errand->major << 32 | errand->minor);
	const struct file_owner *owner = on ? map_get(&on->owners, errand->user) : NULL;
	unsigned int left = ERRANDS_MOST - jobs->errands, here = on ? on->errands : 0;

	return here < left && (owner ? owner->errands : 0) <= (left - here) / 2;
}

static bool has_late(const struct file_system *on, uint64_t now)
{
	for (unsigned int task = 0; task < TASKS; task++)
		if (task != DOWNLOAD && on->at_work[task] && now - on->at_work[task]->since > LATE_AFTER)
			return true;
	return false;
}

unsigned int jobs_workers_at(const struct file_system *on)
{
	unsigned int count = 0;

	for (unsigned int task = 0; task < DOWNLOAD; task++)
		count += !!on->at_work[task];
	return count;
}

/* ---- owners of files ---- */

/* Nothing is held against anybody for long. */
static void begin_window(struct file_system *on, uint64_t now)
{
	if (now - on->window < OWNER_WINDOW)
		return;
	on->window = now;
	on->most = 0;
	for (struct map_slot *slot = map_next(&on->owners, NULL); slot; slot = map_next(&on->owners, slot)) {
		struct file_owner *owner = slot->value;

		owner->time = 0;
		if (owner->waiting || owner->errands)
			continue;
		map_remove(&on->owners, slot->key);
		free(owner);
	}
}

static void charge(struct file_system *on, struct file_owner *owner, uint64_t took, uint64_t now)
{
	owner->time += took;
	if (owner->time > on->most)
		on->most = owner->time;
	begin_window(on, now);
}

static void uncount(struct jobs *jobs, struct job *job)
{
	if (!job->counted)
		return;
	job->counted = false;
	jobs->open--;
	job->on->open--;
}

bool jobs_opened(struct jobs *jobs, struct job *job, uint32_t user)
{
	struct file_owner *owner = NULL;

	job->loaded.file.owner = user;
	job->owner = owner_of(user);
	if (job->fd >= 0)
		owner = file_owner(job->on, job->owner);
	if (!owner || owner->waiting >= WAITING_MOST_OWNER) {
		if (owner) {
			jobs->refused++;
			jobs->refused_user = user;
		}
		uncount(jobs, job);
		return false;
	}
	owner->waiting++;
	job->parked = owner->open >= OPEN_MOST_OWNER;
	if (job->parked)
		uncount(jobs, job);
	else
		owner->open++;
	return true;
}

static void end_reading(struct jobs *jobs, struct job *job, uint64_t now)
{
	struct file_owner *owner = file_owner(job->on, job->owner);

	uncount(jobs, job);
	/* One that is read again was not opened here. */
	if (!job->loaded.again) {
		owner->waiting--;
		owner->open -= !job->parked;
	}
	charge(job->on, owner, now - job->since, now);
}

static void end_errand(struct jobs *jobs, struct job *job, uint64_t now)
{
	struct file_owner *owner = file_owner(job->on, job->owner);

	jobs->errands--;
	job->on->errands--;
	owner->errands--;
	charge(job->on, owner, now - job->since, now);
}

/* The first of whose owner had least. */
static struct job *fairest(const struct file_system *on, enum task task)
{
	struct job *best = on->waiting[task].first;
	uint64_t least = UINT64_MAX;

	for (struct job *job = best; job && least; job = job->next) {
		const struct file_owner *owner = map_get(&on->owners, job->owner);
		uint64_t time = owner ? owner->time : 0;

		if (time >= least)
			continue;
		least = time;
		best = job;
	}
	return best;
}

static struct job *first_on(const struct file_system *on, enum task task)
{
	return task == READ || task == ASK ? fairest(on, task) : on->waiting[task].first;
}

static void unlink_job(struct job_list *list, const struct job *job)
{
	struct job *before = NULL;

	for (struct job *at = list->first; at != job; at = at->next)
		before = at;
	if (before)
		before->next = job->next;
	else
		list->first = job->next;
	if (list->last == job)
		list->last = before;
}

/* Whether nobody is left for file systems that are not the host's own, as all who are at such are late. */
static bool foreign_are_late(const struct jobs *jobs, uint64_t now)
{
	unsigned int late = 0;

	if (jobs->foreign < FOREIGN_MOST)
		return false;
	for (struct map_slot *slot = map_next(&jobs->file_systems, NULL); slot; slot = map_next(&jobs->file_systems, slot)) {
		const struct file_system *on = slot->value;

		if (!on->own && has_late(on, now))
			late += jobs_workers_at(on);
	}
	return late >= jobs->foreign;
}

bool jobs_is_late(const struct jobs *jobs, const struct job *job, uint64_t now)
{
	if (job->since)
		return now - job->since > LATE_AFTER;
	return has_late(job->on, now) || (!job->on->own && foreign_are_late(jobs, now));
}

/* They read, all of them. */
static unsigned int readers(const struct jobs *jobs)
{
	return jobs->at_work[ASK] + jobs->at_work[READ] + jobs->at_work[DOWNLOAD];
}

static bool may_begin(const struct jobs *jobs, const struct file_system *on, enum task task, uint64_t now)
{
	bool root = !(uint32_t)on->device;

	if (!on->waiting[task].first || on->at_work[task])
		return false;
	if (task == LOOK)
		return jobs->at_work[LOOK] < (root ? LOOKERS_MOST : LOOKERS_MOST - 1);
	if (jobs->at_work[OPEN] + readers(jobs) >= FILE_WORKERS_MOST)
		return false;
	if (task == DOWNLOAD)
		return readers(jobs) < READERS_MOST && !jobs->at_work[DOWNLOAD] && now >= jobs->no_download_before;
	if (!on->own && (jobs->foreign >= FOREIGN_MOST || has_late(on, now)))
		return false;
	if (task != OPEN)
		return readers(jobs) < READERS_MOST;
	return jobs->open < OPEN_MOST && on->open < OPEN_MOST_EACH;
}

/* What waits longest, but behind what others had waiting when this file system had its last turn: whose files take long has many that wait. */
static uint64_t turn_of(const struct file_system *on, enum task task)
{
	uint64_t number = on->waiting[task].first->number;

	return number > on->turn[task] ? number : on->turn[task];
}

static struct job *first_of(const struct jobs *jobs, enum task task, uint64_t now)
{
	const struct file_system *chosen = NULL;

	for (struct map_slot *slot = map_next(&jobs->file_systems, NULL); slot; slot = map_next(&jobs->file_systems, slot)) {
		const struct file_system *on = slot->value;

		if (may_begin(jobs, on, task, now) && (!chosen || turn_of(on, task) < turn_of(chosen, task)))
			chosen = on;
	}
	return chosen ? first_on(chosen, task) : NULL;
}

struct job *jobs_next(const struct jobs *jobs, uint64_t now)
{
	struct job *job = NULL;

	for (unsigned int task = 0; task < TASKS && !job; task++)
		job = first_of(jobs, task, now);
	return job;
}

struct job *jobs_begin(struct jobs *jobs, uint64_t now)
{
	struct job *job = jobs_next(jobs, now);

	if (!job)
		return NULL;
	unlink_job(&job->on->waiting[job->task], job);
	job->since = now;
	job->on->turn[job->task] = ++jobs->last_number;
	job->on->at_work[job->task] = job;
	jobs->at_work[job->task]++;
	jobs->downloads -= job->task == DOWNLOAD;
	if (job->task == OPEN) {
		job->counted = true;
		jobs->open++;
		job->on->open++;
	}
	jobs->foreign += job->task != DOWNLOAD && !job->on->own;
	return job;
}

void jobs_end(struct jobs *jobs, struct job *job, uint64_t now)
{
	job->on->at_work[job->task] = NULL;
	jobs->at_work[job->task]--;
	jobs->foreign -= job->task != DOWNLOAD && !job->on->own;
	if (job->task == READ)
		end_reading(jobs, job, now);
	if (job->errand)
		end_errand(jobs, job, now);
	job->since = 0;
	job->on = NULL;
}

struct file_system *jobs_unknown(const struct jobs *jobs)
{
	for (struct map_slot *slot = map_next(&jobs->file_systems, NULL); slot; slot = map_next(&jobs->file_systems, slot)) {
		struct file_system *on = slot->value;

		if (!on->known)
			return on;
	}
	return NULL;
}

void jobs_free(struct jobs *jobs)
{
	for (struct map_slot *slot = map_next(&jobs->file_systems, NULL); slot; slot = map_next(&jobs->file_systems, slot))
		map_free_values(&((struct file_system *)slot->value)->owners);
	map_free_values(&jobs->file_systems);
}
