// SPDX-License-Identifier: GPL-2.0
/* For measurements only: a probe that does nothing. What it costs is paid by whoever looks at switches. */
#include <linux/module.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <trace/events/sched.h>

static struct tracepoint *sched_switch;

static void on_switch(KTALLY_SWITCH_PROBE_ARGUMENTS)
{
}

static void compare(struct tracepoint *tracepoint, void *data)
{
	if (!strcmp(tracepoint->name, "sched_switch"))
		sched_switch = tracepoint;
}

static int __init start(void)
{
	for_each_kernel_tracepoint(compare, NULL);
	return sched_switch ? tracepoint_probe_register(sched_switch, on_switch, NULL) : -ENOENT;
}

static void __exit stop(void)
{
	tracepoint_probe_unregister(sched_switch, on_switch, NULL);
	tracepoint_synchronize_unregister();
}

static void __maybe_unused check_signature(void)
{
	check_trace_callback_type_sched_switch(on_switch);
}

module_init(start);
module_exit(stop);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("ktally, for measurements only: an empty probe");
