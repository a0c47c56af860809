// SPDX-License-Identifier: GPL-2.0
#include "session.h"

#include <linux/bitmap.h>
#include <linux/cpu.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/random.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "cpus.h"
#include "files.h"
#include "identity.h"
#include "lifecycle.h"
#include "oncpu.h"
#include "openwaits.h"
#include "records.h"
#include "setup.h"
#include "spaces.h"
#include "tables.h"

bool ktally_disabled;
module_param_named(disabled, ktally_disabled, bool, 0644);
MODULE_PARM_DESC(disabled, "Stop all sampling at once and refuse to enable sessions (default N)");

static void set_state(struct ktally_session *session, u32 state)
{
	unsigned int i;

	smp_store_release(&session->state, state);	/* pairs with ktally_session_state() */
	for (i = 0; i < nr_cpu_ids; i++) {
		struct ktally_cpu *cpu = ktally_session_cpu(session, i);

		if (cpu)
			WRITE_ONCE(cpu->ring.producer->state, state);
	}
}

/* ------------------------------------------------------------------------------------------------ latency */

static void make_due(struct ktally_session *session)
{
	bool unread = false;
	unsigned int i;

	for (i = 0; i < nr_cpu_ids; i++) {
		struct ktally_cpu *cpu = ktally_session_cpu(session, i);

		if (!cpu)
			continue;
		WRITE_ONCE(cpu->due, READ_ONCE(cpu->ring.published));
		unread |= ktally_ring_unread(&cpu->ring) != 0;
	}
	if (unread)
		wake_up_interruptible_poll(&session->wait, EPOLLIN | EPOLLRDNORM);
}

static void on_latency(struct timer_list *timer)
{
	struct ktally_session *session = container_of(timer, struct ktally_session, latency);

	make_due(session);
	mod_timer(timer, jiffies + msecs_to_jiffies(session->setup.latency_ms));
}

/* ------------------------------------------------------------------------------------------------ life */

struct ktally_session *ktally_session_create(void)
{
	struct ktally_session *session;

	/* Where io_uring opens for a process in a kernel thread, the pid namespace is not that process's. */
	if (ktally_is_any(current, PF_KTHREAD))
		return ERR_PTR(-EACCES);
	session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);
	if (!session)
		return ERR_PTR(-ENOMEM);
	if (!zalloc_cpumask_var(&session->sampled, GFP_KERNEL_ACCOUNT)) {
		kfree(session);
		return ERR_PTR(-ENOMEM);
	}
	mutex_init(&session->lock);
	mutex_init(&session->read_lock);
	init_waitqueue_head(&session->wait);
	timer_setup(&session->latency, on_latency, 0);
	ktally_gate_open(&session->gate);
	ktally_files_open();
	get_random_bytes(&session->key, sizeof(session->key));
	session->key.step |= 1;
	return session;
}

/* Unwind tables are for those who tell files, and kept by those who may load them. */
static bool keeps_tables(const struct ktally_session *session)
{
	return session->gate.privileged && session->setup.capture & KTALLY_CAPTURE_FILES;
}

void ktally_session_destroy(struct ktally_session *session)
{
	if (session->state) {
		ktally_session_disable(session);
		ktally_lifecycle_stop(session);
		ktally_cpus_release(session);
		ktally_filter_destroy(&session->filter);
		ktally_offcpu_release(session);
		if (keeps_tables(session))
			ktally_tables_close();
		if (session->setup.capture & KTALLY_CAPTURE_FILES)
			ktally_spaces_stop();
		bitmap_free(session->announced);
		kvfree(session->cpus);
		ktally_dismiss(&session->admission);
	}
	ktally_files_close();
	free_cpumask_var(session->sampled);
	ktally_gate_close(&session->gate);
	kfree_sensitive(session);
}

/* ------------------------------------------------------------------------------------------------ setup */

int ktally_session_set_up(struct ktally_session *session, struct ktally_setup *setup)
{
	int err;

	lockdep_assert_held(&session->lock);
	err = ktally_gate_check(&session->gate, KTALLY_RIGHT_SETUP);
	if (err)
		return err;
	if (session->state)
		return -EBUSY;
	err = ktally_cpus_choose(session, setup);
	if (!err)
		err = ktally_setup_check(session, setup);
	if (err)
		return err;
	err = ktally_admit(&session->admission, &session->gate);
	if (err)
		return err;
	err = ktally_admission_charge(&session->admission, ktally_setup_bytes(setup));
	if (err)
		goto err_quota;

	setup->area_bytes = ktally_area_bytes(setup->ring_bytes);
	setup->cpus = nr_cpu_ids;
	session->setup = *setup;
	session->rate = setup->rate;

	err = -ENOMEM;
	session->announced = bitmap_zalloc(KTALLY_ANNOUNCED_BITS, GFP_KERNEL_ACCOUNT);
	if (!session->announced)
		goto err_announced;
	session->cpus = kvcalloc(nr_cpu_ids, sizeof(*session->cpus), GFP_KERNEL_ACCOUNT);
	if (!session->cpus)
		goto err_cpus;
	err = ktally_cpus_attach(session);
	if (err)
		goto err_online;
	err = ktally_offcpu_set_up(session);
	if (err)
		goto err_online;
	err = ktally_lifecycle_start(session);
	if (err)
		goto err_lifecycle;
	err = ktally_filter_init(&session->filter, setup);
	if (err)
		goto err_filter;
	if (setup->capture & KTALLY_CAPTURE_FILES)
		err = ktally_spaces_start();
	if (err)
		goto err_filter;
	if (keeps_tables(session))
		ktally_tables_open();

	set_state(session, KTALLY_STATE_READY);
	return 0;

err_filter:
	ktally_lifecycle_stop(session);
	ktally_filter_destroy(&session->filter);
err_lifecycle:
	ktally_offcpu_release(session);
err_online:
	ktally_cpus_release(session);
	kvfree(session->cpus);
	session->cpus = NULL;
err_cpus:
	bitmap_free(session->announced);
	session->announced = NULL;
err_announced:
err_quota:
	ktally_dismiss(&session->admission);
	return err;
}

/* ------------------------------------------------------------------------------------------------ while it lives */

int ktally_session_enable(struct ktally_session *session)
{
	int err;

	lockdep_assert_held(&session->lock);
	err = ktally_gate_check(&session->gate, KTALLY_RIGHT_ENABLE);
	if (err)
		return err;
	switch (session->state) {
	case KTALLY_STATE_READY:
		break;
	case KTALLY_STATE_ENABLED:
		return 0;
	case KTALLY_STATE_STOPPED:
		return -ENODEV;
	default:
		return -EINVAL;
	}
	if (READ_ONCE(ktally_disabled))
		return -ESHUTDOWN;
	if (!ktally_admission_may_interrupt(&session->admission))
		return -EAGAIN;
	if (session->setup.capture & KTALLY_CAPTURE_KERNEL &&
	    !(ktally_gate_allowed(&session->gate) & KTALLY_ALLOWED_KERNEL_FRAMES))
		return -EPERM;

	err = ktally_cpus_start(session);
	if (err)
		return err;
	session->attached = true;
	set_state(session, KTALLY_STATE_ENABLED);
	mod_timer(&session->latency, jiffies + msecs_to_jiffies(session->setup.latency_ms));
	err = ktally_offcpu_start(session);
	if (err)
		ktally_session_disable(session);
	return err;
}

/*
 * The mirror of enable. What was written can still be read, and is due. A session that was stopped
 * for good stays so.
 */
void ktally_session_disable(struct ktally_session *session)
{
	if (!session->attached)
		return;
	timer_delete_sync(&session->latency);
	ktally_offcpu_stop(session);
	if (session->state == KTALLY_STATE_ENABLED)
		set_state(session, KTALLY_STATE_READY);
	ktally_cpus_stop(session);
	session->attached = false;
	make_due(session);
	wake_up_interruptible_poll(&session->wait, EPOLLIN | EPOLLRDNORM);
}

/* Who makes a session of the whole host denser costs the whole host more. */
static int check_tune(const struct ktally_session *session, bool denser)
{
	if (denser && session->gate.privileged)
		return ktally_gate_check_host(&session->gate, KTALLY_RIGHT_TUNE);
	return ktally_gate_check(&session->gate, KTALLY_RIGHT_TUNE);
}

int ktally_session_set_rate(struct ktally_session *session, u32 rate)
{
	unsigned int number;
	int err;

	lockdep_assert_held(&session->lock);
	err = check_tune(session, rate > session->rate);
	if (err)
		return err;
	if (!session->state || rate < KTALLY_RATE_MIN || rate > ktally_setup_rate_max(session))
		return -EINVAL;
	if (!ktally_admission_may_interrupt(&session->admission))
		return -EAGAIN;
	WRITE_ONCE(session->rate, rate);
	cpus_read_lock();
	for_each_online_cpu(number)
		if (session->cpus[number])
			ktally_oncpu_rate_changed(session->cpus[number]);
	cpus_read_unlock();
	return 0;
}

int ktally_session_set_keep(struct ktally_session *session, const struct ktally_keep *keep)
{
	bool denser;
	int err;

	lockdep_assert_held(&session->lock);
	denser = keep->keep_ns < session->offcpu.keep_ns || keep->wait_min_ns < session->offcpu.wait_min_ns;
	err = check_tune(session, denser);
	if (err)
		return err;
	if (!(session->setup.sources & KTALLY_SOURCE_OFFCPU) || keep->reserved ||
	    keep->keep_ns > KTALLY_KEEP_NS_MAX || keep->wait_min_ns > KTALLY_KEEP_NS_MAX)
		return -EINVAL;
	WRITE_ONCE(session->offcpu.keep_ns, keep->keep_ns);
	WRITE_ONCE(session->offcpu.wait_min_ns, keep->wait_min_ns);
	return 0;
}

static void flush_this_cpu(void *argument)
{
	struct ktally_cpu *cpu = argument;
	u64 began = local_clock();

	ktally_records_flush(cpu);
	if (cpu->cpu == smp_processor_id())
		ktally_cpu_charge_any(cpu, began);
}

static void resend_this_cpu(void *argument)
{
	struct ktally_cpu *cpu = argument;
	u64 began = local_clock();

	ktally_set_clear(&cpu->stacks);
	ktally_set_clear(&cpu->tasks);
	ktally_set_clear(&cpu->files);
	if (cpu->cpu == smp_processor_id())
		ktally_cpu_charge_any(cpu, began);
}

int ktally_session_flush(struct ktally_session *session, u32 flags)
{
	bool resend = flags & KTALLY_FLUSH_RESEND;
	int err;

	lockdep_assert_held(&session->lock);
	err = ktally_gate_check(&session->gate, KTALLY_RIGHT_FLUSH);
	if (err)
		return err;
	if (!session->state || flags & ~KTALLY_FLUSH_RESEND)
		return -EINVAL;
	if (ktally_openwaits_are_told(session) && !ktally_admission_has_rested(&session->admission))
		return -EAGAIN;
	if (!ktally_pace_admits(&session->flushes, ktime_get_mono_fast_ns()))
		return -EAGAIN;

	if (session->state == KTALLY_STATE_ENABLED)
		ktally_cpus_retry(session);
	if (resend)
		ktally_cpus_call(session, resend_this_cpu);
	err = ktally_openwaits_tell(session, resend);
	ktally_cpus_settle(session);
	ktally_cpus_call(session, flush_this_cpu);
	make_due(session);
	return err;
}

void ktally_session_stop(struct ktally_session *session)
{
	unsigned int i;

	set_state(session, KTALLY_STATE_STOPPED);
	for (i = 0; i < nr_cpu_ids; i++) {
		struct ktally_cpu *cpu = ktally_session_cpu(session, i);

		if (cpu) {
			irq_work_queue(&cpu->wake);
			break;
		}
	}
}
