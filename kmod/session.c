// SPDX-License-Identifier: GPL-2.0
#include "session.h"

#include <linux/bitmap.h>
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "lifecycle.h"
#include "oncpu.h"
#include "openwaits.h"
#include "records.h"
#include "spaces.h"
#include "tables.h"

bool ktally_disabled;
module_param_named(disabled, ktally_disabled, bool, 0644);
MODULE_PARM_DESC(disabled, "Stop all sampling at once and refuse to enable sessions (default N)");

/* Each session costs a timer on every CPU, so their number is bounded; the unprivileged share a part of it. */
#define SESSIONS_MAX 16
#define SESSIONS_MAX_UNPRIVILEGED 4

static atomic_t sessions, sessions_unprivileged;
static enum cpuhp_state hotplug_state;

/* ------------------------------------------------------------------------------------------------ its CPUs */

/* The CPU hotplug lock is held, so nobody else adds this CPU's part. */
static int attach_cpu(struct ktally_session *session, unsigned int number)
{
	struct ktally_cpu *cpu;
	unsigned int i;
	u32 rings;

	if (session->cpus[number])
		return 0;
	cpu = ktally_cpu_create(session, number);
	if (IS_ERR(cpu))
		return PTR_ERR(cpu);
	smp_store_release(&session->cpus[number], cpu);		/* pairs with ktally_session_cpu() */

	rings = atomic_inc_return(&session->rings);
	for (i = 0; i < nr_cpu_ids; i++)
		if (session->cpus[i])
			WRITE_ONCE(session->cpus[i]->ring.producer->rings, rings);
	return 0;
}

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

/* ------------------------------------------------------------------------------------------------ CPU hotplug */

/* Called for each online CPU when a session is enabled, then for each that comes online. */
static int on_cpu_online(unsigned int number, struct hlist_node *node)
{
	struct ktally_session *session = hlist_entry(node, struct ktally_session, hotplug);
	int err;

	err = attach_cpu(session, number);
	if (!err)
		err = ktally_oncpu_start(session->cpus[number]);
	if (!err || READ_ONCE(session->state) != KTALLY_STATE_ENABLED)
		return err;

	/* An error here would keep the CPU from coming online, which it matters more to. */
	pr_warn("CPU %u is not sampled by a session: error %d\n", number, err);
	return 0;
}

/* Called on the CPU, before it goes offline, and on each CPU when a session is disabled. */
static int on_cpu_offline(unsigned int number, struct hlist_node *node)
{
	struct ktally_session *session = hlist_entry(node, struct ktally_session, hotplug);
	struct ktally_cpu *cpu = session->cpus[number];

	if (!cpu)
		return 0;
	ktally_oncpu_stop(cpu);
	ktally_offcpu_settle(cpu);
	local_irq_disable();
	ktally_capture_finish(cpu);
	ktally_records_flush(cpu);
	local_irq_enable();
	return 0;
}

int ktally_session_init(void)
{
	int state = cpuhp_setup_state_multi(CPUHP_AP_ONLINE_DYN, "ktally:online", on_cpu_online,
					    on_cpu_offline);

	if (state < 0)
		return state;
	hotplug_state = state;
	return 0;
}

void ktally_session_exit(void)
{
	cpuhp_remove_multi_state(hotplug_state);
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

static int admit(bool privileged)
{
	if (atomic_inc_return(&sessions) > SESSIONS_MAX)
		goto err_sessions;
	if (!privileged && atomic_inc_return(&sessions_unprivileged) > SESSIONS_MAX_UNPRIVILEGED)
		goto err_unprivileged;
	return 0;

err_unprivileged:
	atomic_dec(&sessions_unprivileged);
err_sessions:
	atomic_dec(&sessions);
	return -EBUSY;
}

static void dismiss(bool privileged)
{
	if (!privileged)
		atomic_dec(&sessions_unprivileged);
	atomic_dec(&sessions);
}

struct ktally_session *ktally_session_create(void)
{
	struct ktally_session *session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);

	if (!session)
		return ERR_PTR(-ENOMEM);
	mutex_init(&session->lock);
	mutex_init(&session->read_lock);
	init_waitqueue_head(&session->wait);
	timer_setup(&session->latency, on_latency, 0);
	ktally_gate_open(&session->gate);
	if (session->gate.privileged)
		ktally_tables_open();
	get_random_bytes(&session->key, sizeof(session->key));
	session->key.step |= 1;
	return session;
}

void ktally_session_destroy(struct ktally_session *session)
{
	unsigned int i;

	if (session->state) {
		ktally_session_disable(session);
		ktally_lifecycle_stop(session);
		for (i = 0; i < nr_cpu_ids; i++)
			if (session->cpus[i])
				ktally_cpu_destroy(session->cpus[i]);
		ktally_filter_destroy(&session->filter);
		ktally_offcpu_release(session);
		if (session->setup.capture & KTALLY_CAPTURE_FILES)
			ktally_spaces_stop();
		bitmap_free(session->announced);
		kvfree(session->cpus);
		dismiss(session->gate.privileged);
	}
	if (session->gate.privileged)
		ktally_tables_close();
	ktally_gate_close(&session->gate);
	kfree_sensitive(session);
}

/* ------------------------------------------------------------------------------------------------ setup */

/* The unprivileged get rings of at most a megabyte. */
u32 ktally_session_ring_bytes_max(const struct ktally_session *session)
{
	return session->gate.privileged ? KTALLY_RING_BYTES_MAX : 1 << 20;
}

/* A table for the unprivileged is for their own threads. */
static u32 threads_max(const struct ktally_session *session)
{
	return session->gate.privileged ? KTALLY_THREADS_MAX : KTALLY_THREADS_DEFAULT;
}

#define CAPTURE_ALL_WAKER (KTALLY_CAPTURE_WAKER | KTALLY_CAPTURE_WAKER_STACK)
#define CAPTURE_ALL_USER (KTALLY_CAPTURE_USER | KTALLY_CAPTURE_FILES)
#define CAPTURE_ALL (KTALLY_CAPTURE_KERNEL | CAPTURE_ALL_USER | CAPTURE_ALL_WAKER)

static int check_setup(const struct ktally_session *session, struct ktally_setup *setup)
{
	setup->rate = setup->rate ?: KTALLY_RATE_DEFAULT;
	setup->depth = setup->depth ?: KTALLY_DEPTH_DEFAULT;
	setup->ring_bytes = setup->ring_bytes ?: KTALLY_RING_BYTES_DEFAULT;
	setup->watermark_bytes = setup->watermark_bytes ?: setup->ring_bytes / 4;
	setup->latency_ms = setup->latency_ms ?: KTALLY_LATENCY_MS_DEFAULT;
	setup->budget_ppm = setup->budget_ppm ?: KTALLY_BUDGET_PPM_DEFAULT;
	setup->threads = setup->threads ?: KTALLY_THREADS_DEFAULT;

	if (!setup->sources || setup->sources & ~(KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU) ||
	    setup->capture & ~CAPTURE_ALL || (setup->capture & CAPTURE_ALL_WAKER) == KTALLY_CAPTURE_WAKER_STACK ||
	    (setup->capture & CAPTURE_ALL_USER) == KTALLY_CAPTURE_FILES ||
	    setup->filter & ~KTALLY_FILTER_CHILDREN || setup->reserved || setup->reserved2 ||
	    setup->keep_ns > KTALLY_KEEP_NS_MAX || setup->wait_min_ns > KTALLY_KEEP_NS_MAX ||
	    setup->threads > threads_max(session) ||
	    (setup->filter & KTALLY_FILTER_CHILDREN && !setup->pid_count) ||
	    setup->rate > KTALLY_RATE_MAX || setup->depth > KTALLY_DEPTH_MAX ||
	    setup->ring_bytes < KTALLY_RING_BYTES_MIN || !is_power_of_2(setup->ring_bytes) ||
	    setup->ring_bytes > ktally_session_ring_bytes_max(session) ||
	    setup->watermark_bytes > setup->ring_bytes || setup->latency_ms > KTALLY_LATENCY_MS_MAX ||
	    setup->budget_ppm > KTALLY_BUDGET_PPM_MAX ||
	    setup->pid_count > KTALLY_PIDS_MAX || setup->cgroup_count > KTALLY_CGROUPS_MAX)
		return -EINVAL;

	if (setup->capture & KTALLY_CAPTURE_KERNEL &&
	    !(ktally_gate_allowed(&session->gate) & KTALLY_ALLOWED_KERNEL_FRAMES))
		return -EPERM;
	return 0;
}

static int add_online_cpus(struct ktally_session *session)
{
	unsigned int number;
	int err = 0;

	cpus_read_lock();
	for_each_online_cpu(number) {
		err = attach_cpu(session, number);
		if (err)
			break;
	}
	cpus_read_unlock();
	return err;
}

int ktally_session_set_up(struct ktally_session *session, struct ktally_setup *setup)
{
	unsigned int i;
	int err;

	lockdep_assert_held(&session->lock);
	if (session->state)
		return -EBUSY;
	err = check_setup(session, setup);
	if (err)
		return err;
	err = admit(session->gate.privileged);
	if (err)
		return err;

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
	err = add_online_cpus(session);
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

	set_state(session, KTALLY_STATE_READY);
	return 0;

err_filter:
	ktally_lifecycle_stop(session);
	ktally_filter_destroy(&session->filter);
err_lifecycle:
	ktally_offcpu_release(session);
err_online:
	for (i = 0; i < nr_cpu_ids; i++)
		if (session->cpus[i])
			ktally_cpu_destroy(session->cpus[i]);
	atomic_set(&session->rings, 0);
	kvfree(session->cpus);
	session->cpus = NULL;
err_cpus:
	bitmap_free(session->announced);
	session->announced = NULL;
err_announced:
	dismiss(session->gate.privileged);
	return err;
}

/* ------------------------------------------------------------------------------------------------ while it lives */

int ktally_session_enable(struct ktally_session *session)
{
	int err;

	lockdep_assert_held(&session->lock);
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
	if (session->setup.capture & KTALLY_CAPTURE_KERNEL &&
	    !(ktally_gate_allowed(&session->gate) & KTALLY_ALLOWED_KERNEL_FRAMES))
		return -EPERM;

	err = cpuhp_state_add_instance(hotplug_state, &session->hotplug);
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
	cpuhp_state_remove_instance(hotplug_state, &session->hotplug);
	session->attached = false;
	make_due(session);
	wake_up_interruptible_poll(&session->wait, EPOLLIN | EPOLLRDNORM);
}

int ktally_session_set_rate(struct ktally_session *session, u32 rate)
{
	unsigned int number;

	lockdep_assert_held(&session->lock);
	if (!session->state || rate < KTALLY_RATE_MIN || rate > KTALLY_RATE_MAX)
		return -EINVAL;
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
	lockdep_assert_held(&session->lock);
	if (!(session->setup.sources & KTALLY_SOURCE_OFFCPU) || keep->reserved ||
	    keep->keep_ns > KTALLY_KEEP_NS_MAX || keep->wait_min_ns > KTALLY_KEEP_NS_MAX)
		return -EINVAL;
	WRITE_ONCE(session->offcpu.keep_ns, keep->keep_ns);
	WRITE_ONCE(session->offcpu.wait_min_ns, keep->wait_min_ns);
	return 0;
}

static void flush_this_cpu(void *argument)
{
	ktally_capture_finish(argument);
	ktally_records_flush(argument);
}

static void resend_this_cpu(void *argument)
{
	struct ktally_cpu *cpu = argument;

	ktally_set_clear(&cpu->stacks);
	ktally_set_clear(&cpu->tasks);
	ktally_set_clear(&cpu->files);
}

/* On each CPU itself, or for it when it is offline. */
static void call_on_all(struct ktally_session *session, void (*function)(void *argument))
{
	unsigned int i;

	cpus_read_lock();
	for (i = 0; i < nr_cpu_ids; i++) {
		struct ktally_cpu *cpu = session->cpus[i];

		if (!cpu || !smp_call_function_single(cpu->cpu, function, cpu, true))
			continue;
		local_irq_disable();
		function(cpu);
		local_irq_enable();
	}
	cpus_read_unlock();
}

int ktally_session_flush(struct ktally_session *session, u32 flags)
{
	bool resend = flags & KTALLY_FLUSH_RESEND;
	int err;

	lockdep_assert_held(&session->lock);
	if (!session->state || flags & ~KTALLY_FLUSH_RESEND)
		return -EINVAL;

	if (resend)
		call_on_all(session, resend_this_cpu);
	err = ktally_openwaits_tell(session, resend);
	call_on_all(session, flush_this_cpu);
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
