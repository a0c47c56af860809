// SPDX-License-Identifier: GPL-2.0
/*
 * For tests only: drives the capture path from real NMIs, on machines that have no counter that makes any.
 * This module passes each NMI on to ktally as if it were an overflow, and counts. NMIs come from QEMU's
 * monitor (see scripts/vm), which makes a few a second and only on the first CPU; and from one CPU to the
 * others as interprocessor interrupts, thousands a second.
 *
 * It claims every NMI that comes while it is loaded, wanted or not: it has no place on a real machine.
 */
#include <linux/atomic.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <asm/apic.h>
#include <asm/nmi.h>

#include "oncpu.h"

static atomic_t count = ATOMIC_INIT(0);

static int get_count(char *buffer, const struct kernel_param *parameter)
{
	return sysfs_emit(buffer, "%d\n", atomic_read(&count));
}

static const struct kernel_param_ops count_operations = { .get = get_count };
module_param_cb(count, &count_operations, NULL, 0444);
MODULE_PARM_DESC(count, "NMIs so far");

static int get_overflows(char *buffer, const struct kernel_param *parameter)
{
	return sysfs_emit(buffer, "%llu\n", ktally_test_overflows());
}

static const struct kernel_param_ops overflows_operations = { .get = get_overflows };
module_param_cb(overflows, &overflows_operations, NULL, 0444);
MODULE_PARM_DESC(overflows, "Overflows that called for a sample so far, the timer's and those by NMI");

/* Writing anything stops the session that last started on the writer's CPU, as if the module had found it wrong. */
static int set_stop(const char *value, const struct kernel_param *parameter)
{
	preempt_disable();
	ktally_test_stop();
	preempt_enable();
	return 0;
}

static const struct kernel_param_ops stop_operations = { .set = set_stop };
module_param_cb(stop, &stop_operations, NULL, 0200);
MODULE_PARM_DESC(stop, "Stops a session");

/* Writing anything takes its counter from that session, as if others had it. The writer is bound to a CPU. */
static int set_pause(const char *value, const struct kernel_param *parameter)
{
	ktally_test_pause();
	return 0;
}

static const struct kernel_param_ops pause_operations = { .set = set_pause };
module_param_cb(pause, &pause_operations, NULL, 0200);
MODULE_PARM_DESC(pause, "Takes a session's counter away");

/* Writing anything sends an NMI to every CPU but the writer's. */
static int set_send(const char *value, const struct kernel_param *parameter)
{
	unsigned long flags;

	local_irq_save(flags);
	apic->send_IPI_allbutself(NMI_VECTOR);
	local_irq_restore(flags);
	return 0;
}

static const struct kernel_param_ops send_operations = { .set = set_send };
module_param_cb(send, &send_operations, NULL, 0200);
MODULE_PARM_DESC(send, "Sends an NMI to the other CPUs");

static int on_nmi(unsigned int type, struct pt_regs *regs)
{
	atomic_inc(&count);
	ktally_test_overflow(regs);
	return NMI_HANDLED;
}

static int __init ktally_nmi_init(void)
{
	return register_nmi_handler(NMI_LOCAL, on_nmi, 0, "ktally_nmi");
}

static void __exit ktally_nmi_exit(void)
{
	unregister_nmi_handler(NMI_LOCAL, "ktally_nmi");
}

module_init(ktally_nmi_init);
module_exit(ktally_nmi_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Drives ktally's captures from NMIs, for tests only");
MODULE_AUTHOR("The ktally authors");
