// SPDX-License-Identifier: GPL-2.0
#include "cpus.h"

#include <linux/bitmap.h>
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/err.h>
#include <linux/lockdep.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "oncpu.h"
#include "records.h"
#include "session.h"
#include "sizes.h"

static enum cpuhp_state hotplug_state;

/* ------------------------------------------------------------------------------------------------ which */

static void choose_default(struct ktally_session *session)
{
	unsigned int number;

	cpumask_clear(session->sampled);
	for_each_possible_cpu(number)
		if (!ktally_cpu_is_isolated(number))
			cpumask_set_cpu(number, session->sampled);
}

/* Bits of CPUs that there cannot be are no part of a cpumask, so they are looked for in what was given. */
static int choose_given(struct ktally_session *session, const unsigned long *words, u32 count)
{
	u32 bits = count * BITS_PER_LONG;
	unsigned int number;

	cpumask_clear(session->sampled);
	for_each_set_bit(number, words, bits) {
		if (number >= nr_cpu_ids || !cpu_possible(number))
			return -EINVAL;
		if (!session->gate.privileged && ktally_cpu_is_isolated(number))
			return -EPERM;
		cpumask_set_cpu(number, session->sampled);
	}
	return cpumask_empty(session->sampled) ? -EINVAL : 0;
}

int ktally_cpus_choose(struct ktally_session *session, const struct ktally_setup *setup)
{
	unsigned long *words;
	int err;

	BUILD_BUG_ON(BITS_PER_LONG != 64);
	lockdep_assert_held(&session->lock);
	if (setup->cpu_words > KTALLY_CPU_WORDS_MAX || setup->reserved3)
		return -EINVAL;
	if (!setup->cpu_words) {
		choose_default(session);
		return 0;
	}
	words = memdup_user(u64_to_user_ptr(setup->cpu_mask), setup->cpu_words * sizeof(*words));
	if (IS_ERR(words))
		return PTR_ERR(words);
	err = choose_given(session, words, setup->cpu_words);
	kfree(words);
	return err;
}

/* ------------------------------------------------------------------------------------------------ their parts */

/*
 * Its memory may have to be reclaimed, in the caller's own cgroup, for as long as who fills that likes. So a process
 * makes parts without the CPU hotplug lock, for which a CPU that comes online waits.
 */
static struct ktally_cpu *make_part(struct ktally_session *session, unsigned int number)
{
	u64 bytes = ktally_parts_bytes(session->setup.ring_bytes, 1);
	int err = ktally_admission_charge(&session->admission, bytes);
	struct ktally_cpu *cpu;

	if (err)
		return ERR_PTR(err);
	cpu = ktally_cpu_create(session, number);
	if (IS_ERR(cpu))
		ktally_admission_uncharge(&session->admission, bytes);
	return cpu;
}

static void drop_part(struct ktally_session *session, struct ktally_cpu *cpu)
{
	ktally_cpu_destroy(cpu);
	ktally_admission_uncharge(&session->admission, ktally_parts_bytes(session->setup.ring_bytes, 1));
}

/* The hotplug lock is held, or the session was never enabled: so nobody else adds this CPU's part. */
static void attach_part(struct ktally_session *session, struct ktally_cpu *cpu)
{
	unsigned int i;
	u32 rings;

	smp_store_release(&session->cpus[cpu->cpu], cpu);		/* pairs with ktally_session_cpu() */

	rings = atomic_inc_return(&session->rings);
	for (i = 0; i < nr_cpu_ids; i++)
		if (session->cpus[i])
			WRITE_ONCE(session->cpus[i]->ring.producer->rings, rings);
}

int ktally_cpus_attach(struct ktally_session *session)
{
	struct ktally_cpu *cpu;
	unsigned int number;
	int err = -ENXIO;

	lockdep_assert_held(&session->lock);
	for_each_cpu_and(number, session->sampled, cpu_online_mask) {
		cpu = make_part(session, number);
		if (IS_ERR(cpu))
			return PTR_ERR(cpu);
		attach_part(session, cpu);
		err = 0;
	}
	return err;
}

void ktally_cpus_release(struct ktally_session *session)
{
	unsigned int i;

	for (i = 0; i < nr_cpu_ids; i++)
		if (session->cpus[i])
			ktally_cpu_destroy(session->cpus[i]);
	atomic_set(&session->rings, 0);
}

/* ------------------------------------------------------------------------------------------------ hotplug */

static int start_cpu(struct ktally_session *session, unsigned int number)
{
	struct ktally_cpu *cpu = session->cpus[number];

	if (!cpu) {
		cpu = make_part(session, number);
		if (IS_ERR(cpu))
			return PTR_ERR(cpu);
		attach_part(session, cpu);
	}
	return ktally_oncpu_start(cpu);
}

/*
 * Called for each online CPU when a session is enabled, then for each that comes online; also for one that does while
 * the session is just being enabled or disabled, which cannot be told apart from the first. So it never fails: an error
 * would keep that CPU from coming online. What ENABLE is to fail by, it finds in the session.
 */
static int on_cpu_online(unsigned int number, struct hlist_node *node)
{
	struct ktally_session *session = hlist_entry(node, struct ktally_session, hotplug);
	int err;

	if (!cpumask_test_cpu(number, session->sampled))
		return 0;
	err = start_cpu(session, number);
	if (err && READ_ONCE(session->state) == KTALLY_STATE_READY && session->cpus[number])
		WRITE_ONCE(session->start_error, err);
	else if (err)
		pr_warn_ratelimited("CPU %u is not sampled by a session until that succeeds: error %d\n", number, err);
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
	ktally_records_flush(cpu);
	local_irq_enable();
	return 0;
}

int ktally_cpus_init(void)
{
	int state = cpuhp_setup_state_multi(CPUHP_AP_ONLINE_DYN, "ktally:online", on_cpu_online,
					    on_cpu_offline);

	if (state < 0)
		return state;
	hotplug_state = state;
	return 0;
}

void ktally_cpus_exit(void)
{
	cpuhp_remove_multi_state(hotplug_state);
}

int ktally_cpus_start(struct ktally_session *session)
{
	int err;

	WRITE_ONCE(session->start_error, 0);
	err = cpuhp_state_add_instance(hotplug_state, &session->hotplug);
	if (err)
		return err;
	err = READ_ONCE(session->start_error);
	if (err)
		ktally_cpus_stop(session);
	return err;
}

void ktally_cpus_stop(struct ktally_session *session)
{
	unsigned int number;

	cpuhp_state_remove_instance(hotplug_state, &session->hotplug);
	/* A CPU that was left half-way up (hotplug/target) is not visited, but may have been begun by a retry. */
	for (number = 0; number < nr_cpu_ids; number++)
		if (session->cpus[number])
			ktally_oncpu_stop(session->cpus[number]);
}

/* ------------------------------------------------------------------------------------------------ while started */

bool ktally_cpus_is_dark(const struct ktally_session *session, unsigned int number)
{
	const struct ktally_cpu *cpu = ktally_session_cpu(session, number);

	if (!cpumask_test_cpu(number, session->sampled) || !cpu_online(number))
		return false;
	return !cpu || (READ_ONCE(session->state) == KTALLY_STATE_ENABLED &&
			session->setup.sources & KTALLY_SOURCE_ONCPU && !READ_ONCE(cpu->event));
}

u32 ktally_cpus_count_dark(const struct ktally_session *session)
{
	unsigned int number;
	u32 count = 0;

	for_each_cpu(number, session->sampled)
		count += ktally_cpus_is_dark(session, number);
	return count;
}

/*
 * The hotplug lock is held. @part: of the CPU, if it had none a moment ago and there is one now. False: it is not
 * used.
 */
static bool retry_cpu(struct ktally_session *session, unsigned int number, struct ktally_cpu *part)
{
	bool used = part && !session->cpus[number] && cpu_online(number);

	if (used)
		attach_part(session, part);
	if (!session->cpus[number] || !cpu_online(number))
		return used;
	if (ktally_cpus_is_dark(session, number))
		ktally_oncpu_start(session->cpus[number]);
	else
		ktally_oncpu_check(session->cpus[number]);
	return used;
}

void ktally_cpus_retry(struct ktally_session *session)
{
	struct ktally_cpu *part;
	unsigned int number;
	bool used;

	lockdep_assert_held(&session->lock);
	for_each_cpu(number, session->sampled) {
		part = NULL;
		if (!session->cpus[number] && cpu_online(number))
			part = make_part(session, number);
		if (IS_ERR(part))
			part = NULL;
		cpus_read_lock();
		used = retry_cpu(session, number, part);
		cpus_read_unlock();
		if (part && !used)
			drop_part(session, part);
	}
}

void ktally_cpus_settle(struct ktally_session *session)
{
	unsigned int number;

	lockdep_assert_held(&session->lock);
	for (number = 0; number < nr_cpu_ids; number++) {
		if (!session->cpus[number])
			continue;
		ktally_oncpu_settle(session->cpus[number]);
		ktally_offcpu_settle(session->cpus[number]);
	}
}

void ktally_cpus_call(struct ktally_session *session, void (*function)(void *cpu))
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
