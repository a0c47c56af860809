/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is asked of ktallyd over its control socket: one packet of text, a first line and then lines "key=value", which this reads as
 * hostile. For a whole profile:
 *
 *	ktally 1 profile
 *	for=60000		milliseconds
 *	rate=99			and depth, ring-bytes, budget-ppm, kernel, off-cpu, keep-ns, wait-min-ns: as in struct session_options
 *	pid=1234		may come again; and children that it forks from now on
 *	cgroups=1		so many descriptors of cgroup directories come with the packet
 *	process=openssl		of these tasks only: base name of the executable, else comm
 *	service=shop		of these only: service.name of their owner
 *	output=pprof on-cpu	a file to be made, may come again: its format and sources, see export/format.h
 *	send=1			to the destination of profiles
 *
 * The asker may then send "stop": the profile ends early, and is what was taken until then. Who hangs up gets no profile.
 *
 * The answer is one packet too: a first line with an exit code (base/message.h), then messages, "<6>text", with their priorities. With
 * exit code 0 there come descriptors of the files that were asked for, in their order: sealed memory, read from the beginning.
 */
#ifndef KTALLY_REQUEST_H
#define KTALLY_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attribute/owner.h"
#include "base/buffer.h"
#include "export/format.h"
#include "session/options.h"

#define REQUEST_BYTES_MOST	32768
#define REQUEST_OUTPUTS_MOST	8
#define REQUEST_DURATION_MOST	(3600ULL * 1000)
#define REQUEST_STOP		"stop"

struct request_output {
	const struct format *format;
	uint32_t sources;
};

struct request {
	struct session_options session;		/* cgroup_count of descriptors, which come apart */
	uint64_t duration;			/* ms */
	char process[64];			/* "": all */
	char service[OWNER_VALUE_BYTES];	/* "": all */
	struct request_output outputs[REQUEST_OUTPUTS_MOST];
	size_t output_count;
	bool send;
};

void request_init(struct request *request);

/* The text of a request. */
void request_write(const struct request *request, struct buffer *text);

/* The other way round. NULL; else what is wrong with it, for people: then nothing of the request may be used. */
const char *request_read(struct request *request, const char *text, size_t bytes);

/* Who and how, for people: "pid 12, 13 at 99 Hz for 60 s". */
void request_describe(const struct request *request, struct buffer *text);

#endif
