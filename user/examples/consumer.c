// SPDX-License-Identifier: MIT
/*
 * The least that a consumer of ktally's device does, with libktally: samples for some seconds and says what it got.
 *
 *	cc -o consumer consumer.c $(pkg-config --cflags --libs libktally)
 *	./consumer 5
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <libktally.h>

static struct {
	unsigned long long samples, weight, kernel, stacks, frames, tasks, lost;
} seen;

static void use(const struct ktally_record *record)
{
	const struct ktally_sample *sample = (const void *)record;
	const struct ktally_stack *stack = (const void *)record;
	const struct ktally_lost *lost = (const void *)record;

	switch (record->type) {
	case KTALLY_RECORD_SAMPLE:
		seen.samples++;
		seen.weight += sample->weight;
		seen.kernel += record->flags & KTALLY_SAMPLE_KERNEL ? sample->weight : 0;
		break;
	case KTALLY_RECORD_STACK:
		seen.stacks++;
		seen.frames += stack->kernel_frames + stack->user_frames;
		break;
	case KTALLY_RECORD_TASK:
		seen.tasks++;
		break;
	case KTALLY_RECORD_LOST:
		if (lost->cause != KTALLY_LOST_NOTICE)
			seen.lost += lost->loss.count;
		break;
	}
}

static void drain(struct ktally_session *session)
{
	const struct ktally_record *record;

	while ((record = ktally_next(session)))
		use(record);
}

static void must(int error, const char *what)
{
	if (error >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(-error));
	exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 5);
	struct ktally_session *session;
	struct ktally_totals totals;
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_ONCPU,
		.capture = KTALLY_CAPTURE_USER,
		.rate = 99,
	};

	must(ktally_open(&session), KTALLY_DEVICE_PATH);
	if (ktally_get_info(session)->allowed & KTALLY_ALLOWED_KERNEL_FRAMES)
		setup.capture |= KTALLY_CAPTURE_KERNEL;
	must(ktally_set_up(session, &setup), "setting up");
	must(ktally_enable(session), "enabling");
	while (time(NULL) < end) {
		must(ktally_wait(session, 1000), "waiting");
		drain(session);
	}

	/*
	 * What is still in the rings, and word of everything that was lost. The rings may have been too full for that
	 * word: hence twice.
	 */
	must(ktally_disable(session), "disabling");
	drain(session);
	must(ktally_flush(session, 0), "flushing");
	drain(session);
	must(ktally_wait(session, 0), "reading");
	ktally_get_totals(session, &totals);
	ktally_close(session);

	printf("%llu samples of %llu tasks, %.3f s of CPU time, %.3f s of it in the kernel\n", seen.samples, seen.tasks,
	       (double)seen.weight / 1e9, (double)seen.kernel / 1e9);
	printf("%llu stacks, %llu frames\n", seen.stacks, seen.frames);
	printf("%llu samples lost; %llu read and lost, %llu taken\n", seen.lost, seen.samples + seen.lost,
	       (unsigned long long)totals.samples);
	return seen.samples + seen.lost == totals.samples ? EXIT_SUCCESS : EXIT_FAILURE;
}
