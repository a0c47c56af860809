// SPDX-License-Identifier: GPL-2.0-or-later
#include <malloc.h>

#include "base/message.h"
#include "daemon/bounds.h"
#include "loop/loop.h"

#define MINUTE		(60 * 1000000000ULL)
#define FORGET_INTERVAL	(10 * MINUTE)
#define TELL_INTERVAL	(10 * MINUTE)

/* More of them than after the last time: some megabytes. */
#define STACKS_MANY	50000
#define TASKS_MANY	16384

void bounds_begin(struct bounds *bounds)
{
	bounds->last_forget = loop_now();
}

int bounds_keep(struct bounds *bounds, struct live *live)
{
	struct profile *profile = live->profile;
	uint64_t now = loop_now();
	int error;

	if (profile->stacks.used < bounds->stacks_kept + STACKS_MANY && profile->tasks.used < bounds->tasks_kept + TASKS_MANY &&
	    now - bounds->last_forget < FORGET_INTERVAL) {
		if (symbols_have_many_names(profile->symbols))
			profile_forget_names(profile);
		return 0;
	}
	error = live_forget(live, NULL, NULL);
	bounds->last_forget = now;
	bounds->stacks_kept = profile->stacks.used;
	bounds->tasks_kept = profile->tasks.used;
	malloc_trim(0);
	return error;
}

void bounds_tell(struct bounds *bounds, struct live *live)
{
	uint64_t now = loop_now();
	struct buffer text = { 0 };

	if (bounds->refusals_told && now - bounds->refusals_told < TELL_INTERVAL)
		return;
	live_describe_refusals(live, &text);
	if (text.bytes) {
		message_warning("counted without names: %s; other processes are not concerned", text.data);
		bounds->refusals_told = now;
	}
	buffer_free(&text);
}
