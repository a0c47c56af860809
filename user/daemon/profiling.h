/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole profile on demand, taken by a process of its own, which is executed and shares no memory with the daemon (taker.h): it has its
 * own session on the device, which ends with it, and whatever it costs in time and memory to name, keep and write stacks, the daemon goes
 * on as before. The kernel takes it first when memory runs out.
 */
#ifndef KTALLY_PROFILING_H
#define KTALLY_PROFILING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "control/request.h"
#include "daemon/options.h"

/* Files in memory that the process writes into. */
struct profiling {
	pid_t child;		/* 0: none; else it goes on, or was killed and is kept by the kernel */
	int messages;		/* a pipe: what the process says, see profiling_take(); its end is the end of the process, nearly */
	bool is_at_end;		/* it says no more but */
	int code;		/* the exit code that it told; -1: none yet */
	int outputs[REQUEST_OUTPUTS_MOST];
	size_t output_count;
	int batches;		/* what is to be sent, see profiling_batches(); -1: nothing is */
};

/* In what is to be sent: before each request, which follows it. */
struct profiling_batch {
	uint64_t bytes, samples;
};

/*
 * Starts the process. Owners, categories and what is said of everything are as the daemon's options have it, so that a profile tells of
 * the same as the metrics do. The descriptors in request->session stay the caller's, but the one of
 * the device, which is opened for the process here. 0 or -errno: nothing was started; -EBUSY: the process of the profile before cannot end.
 */
int profiling_start(struct profiling *profiling, struct request *request, const struct daemon_options *options);

void profiling_stop(struct profiling *profiling);	/* it ends early, and writes what it has */

/* Of so many bytes that came by the pipe, moves what is said to people to the beginning, and returns how much that is. */
size_t profiling_take(struct profiling *profiling, char *text, size_t bytes);

/* After it told its exit code, or the pipe ended: the exit code. Outputs are sealed. Neither of both waits for a process that cannot end. */
int profiling_end(struct profiling *profiling);
void profiling_kill(struct profiling *profiling);

void profiling_release(struct profiling *profiling);	/* closes what is open */

/* Calls for each batch that is to be sent: requests of OTLP profiles with so many samples. 0, or what the call returned. */
int profiling_batches(const struct profiling *profiling, export_request *take, void *context);

#endif
