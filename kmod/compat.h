/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one place that knows how kernels differ. Included before every file of the module; the rest is
 * written for the newest kernel. What this kernel has was asked of its headers (KTALLY_HAVE_..., see
 * probes.c, which also says since when there is each): its version tells only whether it is too old.
 */
#ifndef KTALLY_COMPAT_H
#define KTALLY_COMPAT_H

#include <linux/version.h>

#include "probed.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 10, 0)
#error "ktally needs Linux 5.10 or newer"
#endif
#ifndef CONFIG_X86_64
#error "ktally runs on x86-64: other architectures do not export an unwinder to modules"
#endif
#if !defined(CONFIG_PERF_EVENTS) || !defined(CONFIG_TRACEPOINTS) || !defined(CONFIG_CGROUPS) || !defined(CONFIG_MMU)
#error "ktally needs CONFIG_PERF_EVENTS, CONFIG_TRACEPOINTS (for example by CONFIG_FTRACE) and CONFIG_CGROUPS"
#endif

/*
 * GCC before 11.5, 12.4 and 13.3 keeps what an asm goto puts out where nobody looks for it (its bug
 * 113921). A kernel that one of these built has been told so; but a module may be built by another
 * compiler than its kernel.
 */
#if defined(CONFIG_CC_HAS_ASM_GOTO_OUTPUT) && !defined(CONFIG_GCC_ASM_GOTO_OUTPUT_WORKAROUND) && !defined(__clang__)
#if __GNUC__ < 11 || (__GNUC__ == 11 && __GNUC_MINOR__ < 5) || (__GNUC__ == 12 && __GNUC_MINOR__ < 4) || \
	(__GNUC__ == 13 && __GNUC_MINOR__ < 3)
#undef CONFIG_CC_HAS_ASM_GOTO_OUTPUT
#endif
#endif

#include <linux/cgroup.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/perf_event.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/coredump.h>
#include <linux/sched/isolation.h>
#include <linux/timer.h>
#ifdef KTALLY_HAVE_EXEC_STATE
#include <linux/sched/exec_state.h>
#endif

#ifndef KTALLY_HAVE_IN_HARDIRQ
#define in_hardirq() in_irq()
#endif

/*
 * Where a page that is charged to a memory cgroup says so by a page type, it cannot be mapped: there
 * the limits of the module itself must do.
 */
#ifdef KTALLY_HAVE_KMEMCG_PAGES
#define KTALLY_GFP_MAPPED GFP_KERNEL
#else
#define KTALLY_GFP_MAPPED GFP_KERNEL_ACCOUNT
#endif

#ifndef KTALLY_HAVE_VM_FLAGS_MOD
static inline void vm_flags_mod(struct vm_area_struct *vma, unsigned long set, unsigned long clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

#ifndef KTALLY_HAVE_TIMER_DELETE_SYNC
#define timer_delete_sync(timer) del_timer_sync(timer)
#endif

/* Of an irq_work that must run in hard interrupt context also on PREEMPT_RT. */
#ifdef KTALLY_HAVE_IRQ_WORK_INIT_HARD
#define KTALLY_IRQ_WORK_HARD(function) IRQ_WORK_INIT_HARD(function)
#else
#define KTALLY_IRQ_WORK_HARD(function) \
	((struct irq_work) { .flags = ATOMIC_INIT(IRQ_WORK_HARD_IRQ), .func = (function) })
#endif

/* Kernel workers that share the address space of a process: io_uring's, and others where there are any. */
#ifdef KTALLY_HAVE_USER_WORKER
#define KTALLY_PF_WORKER (PF_IO_WORKER | PF_USER_WORKER)
#else
#define KTALLY_PF_WORKER PF_IO_WORKER
#endif

/*
 * perf's own check of who may see kernel addresses, security modules included, where modules can call
 * it. Attributes of an event, where it takes any, are for security modules, none of which looks at them.
 */
static inline int ktally_perf_allow_kernel(void)
{
#if defined(KTALLY_HAVE_PERF_ALLOW_KERNEL)
	return perf_allow_kernel();
#elif defined(KTALLY_HAVE_PERF_ALLOW_KERNEL_ATTR)
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr) };

	return perf_allow_kernel(&attr);
#else
	return 0;
#endif
}

/*
 * Whether a process may dump core, which one that gained rights by exec may not: a matter of its mm,
 * or of a state that lives from exec to exec.
 */
static inline bool ktally_may_dump(struct task_struct *task)
{
#ifdef KTALLY_HAVE_EXEC_STATE
	bool may;

	rcu_read_lock();
	may = READ_ONCE(rcu_dereference(task->exec_state)->dumpable) == TASK_DUMPABLE_OWNER;
	rcu_read_unlock();
	return may;
#else
	return get_dumpable(task->mm) == SUID_DUMP_USER;
#endif
}

/* sched_process_exit may tell whether the whole group is dead. */
#ifdef KTALLY_HAVE_EXIT_GROUP_DEAD
#define KTALLY_EXIT_PROBE_ARGUMENTS void *data, struct task_struct *task, bool group_dead
#else
#define KTALLY_EXIT_PROBE_ARGUMENTS void *data, struct task_struct *task
#endif

/* sched_switch may tell the state in which a task leaves. */
#ifdef KTALLY_HAVE_SWITCH_STATE
#define KTALLY_SWITCH_PROBE_ARGUMENTS \
	void *data, bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state
#define KTALLY_SWITCH_PREV_STATE prev_state
#else
#define KTALLY_SWITCH_PROBE_ARGUMENTS void *data, bool preempt, struct task_struct *prev, struct task_struct *next
#define KTALLY_SWITCH_PREV_STATE ((unsigned int)READ_ONCE(ktally_task_state(prev)))
#endif

#ifdef KTALLY_HAVE_TASK_STATE_RENAMED
#define ktally_task_state(task) ((task)->__state)
#else
#define ktally_task_state(task) ((task)->state)
#endif

/* Stopped by a signal, a tracer or the freezer, where that is a state of its own. */
#ifdef KTALLY_HAVE_TASK_FROZEN
#define KTALLY_TASK_STOPPED (__TASK_STOPPED | __TASK_TRACED | TASK_FROZEN)
#else
#define KTALLY_TASK_STOPPED (__TASK_STOPPED | __TASK_TRACED)
#endif

#if defined(CONFIG_SMP) && !defined(KTALLY_HAVE_TASK_ON_CPU)
#error "this kernel says elsewhere than in task->on_cpu whether a task runs, and ktally does not know where"
#endif
static inline bool ktally_task_on_cpu(struct task_struct *task)
{
#ifdef KTALLY_HAVE_TASK_ON_CPU
	return READ_ONCE(task->on_cpu);
#else
	return task == current;
#endif
}

/*
 * Whether the administrator keeps a CPU free of what need not run there: by isolcpus= or nohz_full=,
 * or, where the kernel tells, by an isolated partition of cpusets. Flags became types in 5.18.
 */
#ifdef KTALLY_HAVE_HK_TYPE
#define KTALLY_HOUSEKEEPING(name) housekeeping_cpumask(HK_TYPE_##name)
#else
#define KTALLY_HOUSEKEEPING(name) housekeeping_cpumask(HK_FLAG_##name)
#endif
static inline bool ktally_cpu_is_isolated(unsigned int cpu)
{
	bool isolated;

	rcu_read_lock();
	isolated = !cpumask_test_cpu(cpu, KTALLY_HOUSEKEEPING(DOMAIN)) ||
		   !cpumask_test_cpu(cpu, KTALLY_HOUSEKEEPING(TICK));
#ifdef KTALLY_HAVE_CPU_IS_ISOLATED
	isolated = isolated || cpu_is_isolated(cpu);
#endif
	rcu_read_unlock();
	return isolated;
}

/* Without CONFIG_SCHED_INFO the scheduler does not keep these figures. */
#if defined(CONFIG_SCHED_INFO) && !defined(KTALLY_HAVE_SCHED_INFO)
#error "this kernel keeps the time on the run queue elsewhere than in task->sched_info, and ktally does not know where"
#endif
static inline u64 ktally_run_delay(const struct task_struct *task)
{
#ifdef KTALLY_HAVE_SCHED_INFO
	return task->sched_info.run_delay;
#else
	return 0;
#endif
}

static inline bool ktally_never_ran(const struct task_struct *task)
{
#ifdef KTALLY_HAVE_SCHED_INFO
	return !task->sched_info.pcount;
#else
	return false;
#endif
}

/*
 * Mappings are in a maple tree, or in a red-black tree and a list. Not by find_vma() in these: it
 * keeps a cache of the current task, in the middle of whose renewal we may be.
 */
#ifdef KTALLY_HAVE_MAPLE_TREE
static inline struct vm_area_struct *ktally_vma_at(struct mm_struct *mm, unsigned long address)
{
	return vma_lookup(mm, address);
}

static inline struct vm_area_struct *ktally_vma_after(struct mm_struct *mm, const struct vm_area_struct *vma)
{
	return find_vma(mm, vma ? vma->vm_end : 0);
}
#else
static inline struct vm_area_struct *ktally_vma_at(struct mm_struct *mm, unsigned long address)
{
	struct rb_node *node = mm->mm_rb.rb_node;

	while (node) {
		struct vm_area_struct *vma = rb_entry(node, struct vm_area_struct, vm_rb);

		if (address < vma->vm_start)
			node = node->rb_left;
		else if (address >= vma->vm_end)
			node = node->rb_right;
		else
			return vma;
	}
	return NULL;
}

static inline struct vm_area_struct *ktally_vma_after(struct mm_struct *mm, const struct vm_area_struct *vma)
{
	return vma ? vma->vm_next : mm->mmap;
}
#endif

#ifdef KTALLY_HAVE_INODE_CTIME
#define ktally_inode_ctime(inode) inode_get_ctime(inode)
#else
#define ktally_inode_ctime(inode) ((inode)->i_ctime)
#endif
#ifdef KTALLY_HAVE_INODE_MTIME
#define ktally_inode_mtime(inode) inode_get_mtime(inode)
#else
#define ktally_inode_mtime(inode) ((inode)->i_mtime)
#endif

/*
 * What is mapped of a union file system is a file of one of its layers. Where its f_path is that of
 * the layer, the path by which it was opened is elsewhere.
 */
#ifdef KTALLY_HAVE_FILE_USER_PATH
#define ktally_file_user_path(file) file_user_path(file)
#else
#define ktally_file_user_path(file) (&(file)->f_path)
#endif

/* Where mounts do not map ids, an inode is enough to ask. */
#ifndef KTALLY_HAVE_PATH_PERMISSION
static inline int path_permission(const struct path *path, int mask)
{
	return inode_permission(d_inode(path->dentry), mask);
}
#endif

/* A file in memory is made with flags of a mapping, which are a number or a type of their own. */
#ifdef KTALLY_HAVE_SHMEM_VMA_FLAGS
#define KTALLY_SHMEM_NO_FLAGS EMPTY_VMA_FLAGS
#else
#define KTALLY_SHMEM_NO_FLAGS 0
#endif

#endif /* KTALLY_COMPAT_H */
