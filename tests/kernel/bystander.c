// SPDX-License-Identifier: GPL-2.0
#include "bystander.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "mapped.h"
#include "workload.h"

struct bystander bystander;

const struct ktally_setup everything = {
	.sources = KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU,
	.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER | KTALLY_CAPTURE_WAKER | KTALLY_CAPTURE_WAKER_STACK | KTALLY_CAPTURE_FILES,
	.rate = 499,
	.ring_bytes = 64 << 10,
	.keep_ns = 1000000,
	.budget_ppm = KTALLY_BUDGET_PPM_MAX,
};

double hostile_seconds(void)
{
	const char *text = getenv("KTALLY_HOSTILE_SECONDS");

	return text ? atof(text) : 5;
}

bool is_over(void)
{
	return (double)(now_ns() - bystander.begin) > hostile_seconds() * 1e9;
}

int bystander_begin(void)
{
	const struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_ONCPU,
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER | KTALLY_CAPTURE_FILES,
		.rate = 97,
		.ring_bytes = 4 << 20,
	};
	int error = chmod(KTALLY_DEVICE_PATH, 0666) ? -errno : 0;

	if (!error)
		error = session_open(&bystander.session, &setup, true);
	if (!error)
		error = device_enable(bystander.session.fd);
	bystander.churners[0] = start_fork_storm();
	bystander.churners[1] = start_maze();
	bystander.begin = now_ns();
	return error;
}

int bystander_drain(void)
{
	long count = session_drain(&bystander.session);

	return count < 0 ? (int)count : bystander.session.error[0] != '\0';
}

int bystander_end(struct tally *total)
{
	int error = session_finish(&bystander.session);

	*total = session_total(&bystander.session);
	session_close(&bystander.session);
	stop_child(bystander.churners[0]);
	stop_child(bystander.churners[1]);
	return error ? error : bystander.session.error[0] != '\0';
}

long bystander_bytes(void)
{
	return session_figure(&bystander.session, "module_bytes");
}

/* What is known of spaces and files is the bystander's as well, and grows with what there is to see. */
#define LITTLE (2 << 20)

bool bystander_is_alone(long bytes)
{
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (bystander_bytes() < bytes + LITTLE)
			return true;
		sleep_seconds(0.1);
	}
	return false;
}
