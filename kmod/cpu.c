// SPDX-License-Identifier: GPL-2.0
#include "cpu.h"

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "oncpu.h"
#include "records.h"
#include "session.h"
#include "sizes.h"

/* Ids that a ring remembers having sent. */
#define STACK_SET_LINES 512
#define TASK_SET_LINES 64
#define FILE_SET_LINES 64

/* What a part takes besides the area of its ring. */
#define CPU_BYTES (sizeof(struct ktally_cpu) + \
		   (STACK_SET_LINES + TASK_SET_LINES + FILE_SET_LINES) * KTALLY_SET_WAYS * sizeof(u64))

static void wake_reader(struct irq_work *work)
{
	struct ktally_cpu *cpu = container_of(work, struct ktally_cpu, wake);

	wake_up_interruptible_poll(&cpu->session->wait, EPOLLIN | EPOLLRDNORM);
}

void ktally_cpu_destroy(struct ktally_cpu *cpu)
{
	irq_work_sync(&cpu->wake);
	ktally_set_destroy(&cpu->files);
	ktally_set_destroy(&cpu->tasks);
	ktally_set_destroy(&cpu->stacks);
	ktally_area_destroy(&cpu->area);
	kvfree(cpu);
	ktally_memory_uncharge(CPU_BYTES);
}

struct ktally_cpu *ktally_cpu_create(struct ktally_session *session, unsigned int number)
{
	const struct ktally_setup *setup = &session->setup;
	int err, node = cpu_to_node(number);
	struct ktally_cpu *cpu;

	BUILD_BUG_ON(CPU_BYTES + 2 * KTALLY_PAGE_BYTES > KTALLY_PART_BYTES);
	err = ktally_memory_charge(CPU_BYTES);
	if (err)
		return ERR_PTR(err);
	cpu = kvzalloc_node(sizeof(*cpu), GFP_KERNEL_ACCOUNT, node);
	if (!cpu) {
		ktally_memory_uncharge(CPU_BYTES);
		return ERR_PTR(-ENOMEM);
	}
	cpu->session = session;
	cpu->cpu = number;
	init_irq_work(&cpu->wake, wake_reader);
	ktally_budget_init(&cpu->budget, setup->budget_ppm);
	ktally_offcpu_cpu_init(cpu);

	err = ktally_set_init(&cpu->stacks, STACK_SET_LINES, node);
	if (!err)
		err = ktally_set_init(&cpu->tasks, TASK_SET_LINES, node);
	if (!err)
		err = ktally_set_init(&cpu->files, FILE_SET_LINES, node);
	if (!err)
		err = ktally_area_init(&cpu->area, setup->ring_bytes, node);
	if (err) {
		ktally_cpu_destroy(cpu);
		return ERR_PTR(err);
	}

	ktally_area_attach(&cpu->area, &cpu->ring, setup->ring_bytes);
	*cpu->ring.producer = (struct ktally_ring_producer) {
		.magic		= KTALLY_RING_MAGIC,
		.abi_version	= KTALLY_ABI_VERSION,
		.cpu		= number,
		.data_offset	= 2 * KTALLY_PAGE_BYTES,
		.data_bytes	= setup->ring_bytes,
		.clock		= ktally_oncpu_clock(session),
		.state		= session->state,
		.thin		= 1,
		.rate		= session->rate,
		.offcpu_thin	= 1,
	};
	return cpu;
}

void ktally_cpu_charge(struct ktally_cpu *cpu, struct ktally_budget *budget, u32 source, u64 start)
{
	struct ktally_budget_verdict verdict = ktally_budget_charge(budget, start);

	if (!verdict.changed)
		return;
	verdict.source = source;
	ktally_records_begin(cpu);
	if (!ktally_records_admit(cpu) || !ktally_write_throttle(cpu, &verdict))
		ktally_ring_lose(&cpu->ring, KTALLY_LOST_NOTICE, 1, 0);
	ktally_records_end(cpu);
}

void ktally_cpu_charge_any(struct ktally_cpu *cpu, u64 start)
{
	if (cpu->session->setup.sources & KTALLY_SOURCE_ONCPU)
		ktally_cpu_charge(cpu, &cpu->budget, KTALLY_SOURCE_ONCPU, start);
	else
		ktally_cpu_charge(cpu, &cpu->offcpu.budget, KTALLY_SOURCE_OFFCPU, start);
}
