// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The writer: a thread that is the task, SIGUSR1 that is its interrupt, SIGUSR2 that is the NMI. Signals come from
 * two timers and from a thread that does nothing else than send them, so they hit between any two instructions of the
 * ring.
 *
 * Under TSan they hit only where TSan delivers them, which is at atomic operations: at the ring's shared accesses.
 * TSan holds all signals back while it delivers one, and forgets what it held back when another comes nevertheless.
 * So there all are let through always, and those that a processor would hold back are dropped.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stress.h"

/* In one visit. Those who are lied to write as much as the whole ring holds. */
#define RECORDS		4
#define RECORDS_MAX	64

/* A signal costs TSan so much that it would do little else. */
#ifdef __SANITIZE_THREAD__
#define RARE	4
#else
#define RARE	1
#endif

/* Signal handlers have no other way to it. */
static struct stress *stress;

/* All that lies between what is published and what is reserved; only for the outermost, when the others have left. */
static void check_unpublished(const struct ktally_ring *ring)
{
	const u64 head = READ_ONCE(ring->head);
	u64 position = READ_ONCE(ring->published);

	while (position != head) {
		const void *record = (const char *)ring->data + (position & (ring->bytes - 1));
		const struct ktally_record *header = record;

		if (header->type == KTALLY_RECORD_LOST ? !stress_is_lost(record) : !stress_intact(record))
			stress_die("the record at %llu was overwritten before it was published", position);
		position += header->size;
		if (position > head)
			stress_die("the records up to %llu do not end at the head, %llu", position, head);
	}
}

static void lose(u32 context, u32 cause, u64 count, u64 weight)
{
	stress->contexts[context].lost[cause].count += count;
	stress->contexts[context].lost[cause].weight += weight;
	ktally_ring_lose(&stress->area.ring, cause, count, weight);
}

/* Whether the ring had room for everything. */
static bool visit(u32 context)
{
	struct ktally_ring *ring = &stress->area.ring;
	const u64 visits = stress->contexts[context].visits++;
	struct stress_record *records[RECORDS_MAX];
	const u32 wanted = 1 + visits % (stress->variant->hostile ? RECORDS_MAX : RECORDS);
	u32 count = 0, depth, i;

	ktally_ring_begin(ring);
	depth = READ_ONCE(ring->nest);
	if (!depth || depth > context + 1)
		stress_die("context %u is nested %u deep", context, depth);
	stress->contexts[context].depths[depth]++;

	/* One context at a time may announce. This one is interrupted in it, and interrupts others that lose. */
	if (context == INTERRUPT && !(visits & 3))
		ktally_ring_announce(ring, 0, visits + 1);
	for (i = 0; i < wanted; i++) {
		const u64 sequence = stress->contexts[context].sequence++;
		const u64 seed = stress_seed(context, sequence);
		struct stress_record *record;

		/* The hostile reader may not run as often as it would like to. */
		if (stress->variant->hostile)
			stress_lie(ring, &stress->contexts[context].random);
		record = ktally_ring_reserve(ring, stress_bytes(seed));
		if (record) {
			stress_fill(record, context, sequence);
			records[count++] = record;
		} else {
			lose(context, stress_cause(context), 1, stress_weight(seed));
		}
	}
	if (!(visits & 255))
		lose(context, KTALLY_LOST_BUSY, 1 + context, visits);

	for (i = 0; i < count; i++)
		if (!stress_intact(records[i]) || records[i]->header.flags != context)
			stress_die("a record of context %u was overwritten while it was written", context);
	if (depth == 1 && (stress->variant->hostile || !(visits & 15)))
		check_unpublished(ring);
	ktally_ring_end(ring);
	return count == wanted;
}

static void handle(int number)
{
	const u32 context = number == SIGUSR1 ? INTERRUPT : NMI, outer = stress->level;
	const int error = errno;

	/* Never true where the signal mask is what sigaction() asked for. */
	if (context <= outer)
		return;
	stress->level = context;
#ifdef __SANITIZE_THREAD__
	pthread_sigmask(SIG_UNBLOCK, &stress->signals, NULL);
#endif
	visit(context);
	stress->level = outer;
	errno = error;
}

static void handle_signals(void)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };

	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR1);
	if (sigaction(SIGUSR1, &action, NULL))
		stress_die("sigaction: %s", strerror(errno));
	sigaddset(&action.sa_mask, SIGUSR2);
	if (sigaction(SIGUSR2, &action, NULL))
		stress_die("sigaction: %s", strerror(errno));
}

static timer_t start_timer(int number, long interval_ns)
{
	const struct itimerspec interval = { { 0, interval_ns }, { 0, interval_ns } };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = number };
	timer_t timer;

	event._sigev_un._tid = gettid();
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &interval, NULL))
		stress_die("timer: %s", strerror(errno));
	return timer;
}

static void rest(u64 turns)
{
	while (turns--)
		barrier();
}

static void *storm(void *writer)
{
	u64 random = 1;

	while (!READ_ONCE(stress->stop)) {
		random = stress_mix(random + 0x9e3779b97f4a7c15ULL);
		pthread_kill(*(pthread_t *)writer, SIGUSR1);
		rest(random & 511);
		pthread_kill(*(pthread_t *)writer, SIGUSR2);
		rest(random >> 16 & 1023);
		if (!(random >> 32 & 31))
			nanosleep(&(struct timespec) { 0, RARE * 100000 }, NULL);
	}
	return NULL;
}

static void pin(void)
{
	cpu_set_t allowed, one;
	int cpu;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return;
	for (cpu = CPU_SETSIZE - 1; cpu > 0 && !CPU_ISSET(cpu, &allowed); cpu--)
		;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

void *stress_write(void *argument)
{
	pthread_t self = pthread_self(), sender;
	struct timespec spent;
	timer_t timers[2];

	stress = argument;
	if (stress->variant->pinned)
		pin();
	handle_signals();
	if (pthread_create(&sender, NULL, storm, &self))
		stress_die("cannot start a thread");
	timers[0] = start_timer(SIGUSR1, RARE * 31000);
	timers[1] = start_timer(SIGUSR2, RARE * 43000);
	pthread_sigmask(SIG_UNBLOCK, &stress->signals, NULL);

	while (!READ_ONCE(stress->stop)) {
#ifdef __SANITIZE_THREAD__
		pthread_sigmask(SIG_UNBLOCK, &stress->signals, NULL);
#endif
		if (!visit(TASK) && !stress->variant->hostile)
			sched_yield();
	}

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
	stress->spent_ns = (u64)spent.tv_sec * 1000000000 + (u64)spent.tv_nsec;
	timer_delete(timers[0]);
	timer_delete(timers[1]);
	pthread_join(sender, NULL);
	pthread_sigmask(SIG_BLOCK, &stress->signals, NULL);

	for (;;) {
		bool announced;

		if (stress->variant->hostile)
			smp_store_release(&stress->area.ring.consumer->tail, stress->area.ring.published);
		ktally_ring_begin(&stress->area.ring);
		announced = ktally_ring_announce(&stress->area.ring, 0, 1);
		ktally_ring_end(&stress->area.ring);
		if (announced)
			break;
		sched_yield();
	}
	smp_store_release(&stress->written, 1);
	return NULL;
}
