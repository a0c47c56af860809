/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The scheduler's tracepoints. They are not exported to modules by name, so they are found by
 * walking the list of all; each probe names the one that it wants.
 */
#ifndef KTALLY_TRACEPOINTS_H
#define KTALLY_TRACEPOINTS_H

#include <linux/types.h>

struct tracepoint;

/**
 * struct ktally_probe - a function to be called at a tracepoint
 * @name: of the tracepoint
 * @function: with the tracepoint's arguments after a first one, the `data` of ktally_probes_register()
 * @tracepoint: found by ktally_probes_find()
 */
struct ktally_probe {
	const char *name;
	void *function;
	struct tracepoint *tracepoint;
};

/* Process context. -ENOENT, and a line in the log, if this kernel lacks one. */
int ktally_probes_find(struct ktally_probe *probes, unsigned int count);

/* All or none. After unregister none is running any more. */
int ktally_probes_register(const struct ktally_probe *probes, unsigned int count, void *data);
void ktally_probes_unregister(const struct ktally_probe *probes, unsigned int count, void *data);

#endif /* KTALLY_TRACEPOINTS_H */
