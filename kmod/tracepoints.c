// SPDX-License-Identifier: GPL-2.0
#include "tracepoints.h"

#include <linux/errno.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

struct search {
	struct ktally_probe *probes;
	unsigned int count;
};

static void compare(struct tracepoint *tracepoint, void *data)
{
	struct search *search = data;
	unsigned int i;

	for (i = 0; i < search->count; i++)
		if (!strcmp(tracepoint->name, search->probes[i].name))
			search->probes[i].tracepoint = tracepoint;
}

int ktally_probes_find(struct ktally_probe *probes, unsigned int count)
{
	struct search search = { .probes = probes, .count = count };
	unsigned int i;

	for_each_kernel_tracepoint(compare, &search);
	for (i = 0; i < count; i++) {
		if (probes[i].tracepoint)
			continue;
		pr_err("this kernel has no tracepoint %s\n", probes[i].name);
		return -ENOENT;
	}
	return 0;
}

void ktally_probes_unregister(const struct ktally_probe *probes, unsigned int count, void *data)
{
	while (count--)
		tracepoint_probe_unregister(probes[count].tracepoint, probes[count].function, data);
	tracepoint_synchronize_unregister();
}

int ktally_probes_register(const struct ktally_probe *probes, unsigned int count, void *data)
{
	unsigned int i;
	int err;

	for (i = 0; i < count; i++) {
		err = tracepoint_probe_register(probes[i].tracepoint, probes[i].function, data);
		if (err) {
			ktally_probes_unregister(probes, i, data);
			return err;
		}
	}
	return 0;
}
