// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Millions of records through kmod/ring.c, written by contexts that interrupt each other, read at the same time.
 *
 *	stress [seconds]	for all variants together, 20 by default
 *
 * What TSan can see of it: whether every byte the reader reads was written before the head that covers it was
 * released, and is not written anew before the tail that frees it was acquired. What it cannot see: contexts of the
 * writer racing with each other, for they are one thread (the model checker is for that), and a record that overlaps,
 * in the second mapping of the data, another that was reached through the first: TSan knows addresses, not pages.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "stress.h"

static const struct variant variants[] = {
	{ .name = "smallest ring, quick reader", .bytes = KTALLY_RING_BYTES_MIN },
	{ .name = "smallest ring, slow reader", .bytes = KTALLY_RING_BYTES_MIN, .slow = true },
	{ .name = "smallest ring, read()", .bytes = KTALLY_RING_BYTES_MIN, .kernel = true },
	{ .name = "large ring, writer pinned", .bytes = 1 << 20, .pinned = true },
	{ .name = "tiny ring, hostile tail", .bytes = 4096, .hostile = true },
};

#define VARIANTS	(sizeof(variants) / sizeof(variants[0]))

void stress_die(const char *format, ...)
{
	char line[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	dprintf(STDOUT_FILENO, "not ok %u ring\n# wrong: %s\n", check_counts.passed + check_counts.failed + 1, line);
	_exit(1);
}

static u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

static bool all_zero(const void *from, const void *to)
{
	const char *byte;

	for (byte = from; byte != to; byte++)
		if (*byte)
			return false;
	return true;
}

/* Nothing but what the ring has to write there. */
static void check_pages(const struct stress *stress)
{
	const struct ktally_ring_producer *producer = stress->area.ring.producer;
	const struct ktally_ring_consumer *consumer = stress->area.ring.consumer;

	check(all_zero(producer, &producer->head) && all_zero(&producer->reserved_head, producer->lost) &&
	      all_zero(&producer->rings, (char *)producer + KTALLY_PAGE_BYTES), "%s: producer page as it should be",
	      stress->variant->name);
	check(all_zero(&consumer->tail + 1, (char *)consumer + KTALLY_PAGE_BYTES), "%s: consumer page not written",
	      stress->variant->name);
}

static void check_losses(struct stress *stress)
{
	const struct ktally_ring *ring = &stress->area.ring;
	struct ktally_loss lost[KTALLY_LOST_CAUSES] = { 0 };
	u32 context, cause;
	u64 sequence;

	for (context = 0; context < CONTEXTS; context++)
		for (cause = 0; cause < KTALLY_LOST_CAUSES; cause++) {
			lost[cause].count += stress->contexts[context].lost[cause].count;
			lost[cause].weight += stress->contexts[context].lost[cause].weight;
		}
	check(!memcmp(lost, ring->lost, sizeof(lost)), "%s: every loss counted", stress->variant->name);
	check(!memcmp(lost, ring->producer->lost, sizeof(lost)), "%s: every loss shown", stress->variant->name);
	if (stress->variant->hostile)
		return;

	/* What was lost at the end left no gap for the reader to see. */
	for (context = 0; context < CONTEXTS; context++)
		for (sequence = stress->sequence[context]; sequence < stress->contexts[context].sequence; sequence++) {
			stress->missing[stress_cause(context)].count++;
			stress->missing[stress_cause(context)].weight += stress_weight(stress_seed(context, sequence));
		}
	stress->missing[KTALLY_LOST_BUSY] = lost[KTALLY_LOST_BUSY];
	for (cause = 0; cause < KTALLY_LOST_CAUSES; cause++)
		check(stress->told[cause].count == stress->missing[cause].count &&
		      stress->told[cause].weight == stress->missing[cause].weight,
		      "%s: cause %u: LOST records tell of %llu, standing for %llu; %llu are missing, standing for %llu",
		      stress->variant->name, cause, stress->told[cause].count, stress->told[cause].weight,
		      stress->missing[cause].count, stress->missing[cause].weight);
}

static void check_all(struct stress *stress)
{
	const struct ktally_ring *ring = &stress->area.ring;
	const char *name = stress->variant->name;
	u64 produced = 0, depths[1 + CONTEXTS] = { 0 }, lost, written;
	u32 context, depth;

	for (context = 0; context < CONTEXTS; context++) {
		produced += stress->contexts[context].sequence;
		for (depth = 1; depth <= CONTEXTS; depth++)
			depths[depth] += stress->contexts[context].depths[depth];
	}
	lost = ring->lost[KTALLY_LOST_FULL].count + ring->lost[KTALLY_LOST_NOTICE].count;
	written = produced - lost;
	printf("# %s: %.1f million records and %.1f million that found no room, %.1f million per CPU second\n",
	       name, written / 1e6, lost / 1e6, produced * 1e3 / stress->spent_ns);
	printf("# %s: visits: task %llu, interrupt %llu, nmi %llu; nested 2 deep %llu, 3 deep %llu\n", name,
	       stress->contexts[TASK].visits, stress->contexts[INTERRUPT].visits, stress->contexts[NMI].visits,
	       depths[2], depths[3]);

	check(depths[2] && depths[3], "%s: contexts were nested three deep", name);
	check(ring->head - (1ULL << 32) > 2 * ring->bytes, "%s: the ring went round", name);
	if (ring->bytes <= KTALLY_RING_BYTES_MIN)
		check(lost, "%s: the ring was full at times", name);
	check(!ring->nest && ring->published == ring->head && ring->producer->head == ring->head,
	      "%s: all is published", name);
	if (!stress->variant->hostile) {
		check_number(ktally_ring_unread(ring), 0, "%s: all is read", name);
		check_number(stress->read, written, "%s: as many records read as were written", name);
	}
	check_losses(stress);
	check_pages(stress);
}

static void run(const struct variant *variant, const sigset_t *signals, u64 spend_ns)
{
	static struct stress stress;
	pthread_t writer, reader;
	u64 start;
	int error;

	memset(&stress, 0, sizeof(stress));
	stress.variant = variant;
	stress.signals = *signals;
	error = area_map(&stress.area, variant->bytes);
	if (error) {
		check_skip(strerror(-error), "%s: no memory for a ring", variant->name);
		return;
	}
	/* So that positions outgrow 32 bits at once. */
	area_reset(&stress.area, (1ULL << 32) - variant->bytes);

	start = now_ns();
	if (pthread_create(&reader, NULL, variant->hostile ? stress_scribble : stress_read, &stress) ||
	    pthread_create(&writer, NULL, stress_write, &stress))
		stress_die("cannot start a thread");
	while (now_ns() - start < spend_ns)
		nanosleep(&(struct timespec) { 0, 10000000 }, NULL);
	WRITE_ONCE(stress.stop, 1);
	/* The hostile one first: at the end the writer is alone with the tail. */
	if (variant->hostile)
		pthread_join(reader, NULL);
	pthread_join(writer, NULL);
	if (!variant->hostile)
		pthread_join(reader, NULL);
	check_all(&stress);
	area_unmap(&stress.area);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 20;
	sigset_t signals;
	size_t i;

	if (!(seconds > 0)) {
		fprintf(stderr, "usage: stress [seconds]\n");
		return 1;
	}
	/* Only the writer is interrupted, and only while it wants to be. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	for (i = 0; i < VARIANTS; i++)
		run(&variants[i], &signals, (u64)(seconds * 1e9 / VARIANTS));
	return check_end();
}
