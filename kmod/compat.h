/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one place that knows kernel versions. Included before every file of the module; the rest is
 * written for the newest kernel. Each entry says what changed and when, so that it can go when the
 * last kernel before it goes.
 */
#ifndef KTALLY_COMPAT_H
#define KTALLY_COMPAT_H

#include <linux/version.h>

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
#include <linux/timer.h>
#ifdef KTALLY_HAVE_EXEC_STATE
#include <linux/sched/exec_state.h>
#endif

/* in_irq() was renamed in 5.11. */
#ifndef in_hardirq
#define in_hardirq() in_irq()
#endif

/*
 * A page charged to a memory cgroup says so in its memcg_data since 5.11. Before, it said so by a page
 * type, and a page with a type cannot be mapped: there the limits of the module itself must do.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 11, 0)
#define KTALLY_GFP_MAPPED GFP_KERNEL_ACCOUNT
#else
#define KTALLY_GFP_MAPPED GFP_KERNEL
#endif

/* vm_flags became read-only with setters in 6.3. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_mod(struct vm_area_struct *vma, unsigned long set, unsigned long clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

/* del_timer_sync() was renamed in 6.2; some older stable kernels have both. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define timer_delete_sync(timer) del_timer_sync(timer)
#endif

/* An irq_work that must run in hard interrupt context also on PREEMPT_RT got its initializer in 5.12. */
#ifdef IRQ_WORK_INIT_HARD
#define KTALLY_IRQ_WORK_HARD(function) IRQ_WORK_INIT_HARD(function)
#else
#define KTALLY_IRQ_WORK_HARD(function) \
	((struct irq_work) { .flags = ATOMIC_INIT(IRQ_WORK_HARD_IRQ), .func = (function) })
#endif

/* Kernel workers that share the address space of a process: io_uring's since 5.12, vhost's since 6.4. */
#if defined(PF_USER_WORKER)
#define KTALLY_PF_WORKER (PF_IO_WORKER | PF_USER_WORKER)
#else
#define KTALLY_PF_WORKER PF_IO_WORKER
#endif

/* perf's own check of who may see kernel addresses, security modules included, can be linked to since 6.12. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define ktally_perf_allow_kernel() perf_allow_kernel()
#else
#define ktally_perf_allow_kernel() 0
#endif

/*
 * Whether a process may dump core, which one that gained rights by exec may not. In 7.3 this moved
 * from the mm to a state of its own that lives from exec to exec.
 */
static inline bool ktally_current_may_dump(void)
{
#ifdef KTALLY_HAVE_EXEC_STATE
	bool may;

	rcu_read_lock();
	may = READ_ONCE(rcu_dereference(current->exec_state)->dumpable) == TASK_DUMPABLE_OWNER;
	rcu_read_unlock();
	return may;
#else
	return get_dumpable(current->mm) == SUID_DUMP_USER;
#endif
}

/* sched_process_exit tells since 6.16 whether the whole group is dead. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define KTALLY_EXIT_PROBE_ARGUMENTS void *data, struct task_struct *task, bool group_dead
#else
#define KTALLY_EXIT_PROBE_ARGUMENTS void *data, struct task_struct *task
#endif

/* sched_switch tells the state in which a task leaves since 5.18, and in kernels that took it over: see Kbuild. */
#ifdef KTALLY_HAVE_SWITCH_STATE
#define KTALLY_SWITCH_PROBE_ARGUMENTS \
	void *data, bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state
#define KTALLY_SWITCH_PREV_STATE prev_state
#else
#define KTALLY_SWITCH_PROBE_ARGUMENTS void *data, bool preempt, struct task_struct *prev, struct task_struct *next
#define KTALLY_SWITCH_PREV_STATE ((unsigned int)READ_ONCE(ktally_task_state(prev)))
#endif

/* task->state was renamed in 5.14, together with a new macro. */
#ifdef task_is_running
#define ktally_task_state(task) ((task)->__state)
#else
#define ktally_task_state(task) ((task)->state)
#endif

/* Frozen is a state of its own since 6.1. */
#ifdef TASK_FROZEN
#define KTALLY_TASK_STOPPED (__TASK_STOPPED | __TASK_TRACED | TASK_FROZEN)
#else
#define KTALLY_TASK_STOPPED (__TASK_STOPPED | __TASK_TRACED)
#endif

static inline bool ktally_task_on_cpu(struct task_struct *task)
{
#ifdef CONFIG_SMP
	return READ_ONCE(task->on_cpu);
#else
	return task == current;
#endif
}

/* Without CONFIG_SCHED_INFO the scheduler does not keep these figures. */
static inline u64 ktally_run_delay(const struct task_struct *task)
{
#ifdef CONFIG_SCHED_INFO
	return task->sched_info.run_delay;
#else
	return 0;
#endif
}

static inline bool ktally_never_ran(const struct task_struct *task)
{
#ifdef CONFIG_SCHED_INFO
	return !task->sched_info.pcount;
#else
	return false;
#endif
}

/*
 * Mappings are in a maple tree since 6.1, before in a red-black tree and a list. Not by find_vma()
 * there: it keeps a cache of the current task, in the middle of whose renewal we may be.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 1, 0)
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

/* An inode's times got accessors in 6.6 and 6.7, of which older stable kernels have some. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#define ktally_inode_ctime(inode) inode_get_ctime(inode)
#else
#define ktally_inode_ctime(inode) ((inode)->i_ctime)
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#define ktally_inode_mtime(inode) inode_get_mtime(inode)
#else
#define ktally_inode_mtime(inode) ((inode)->i_mtime)
#endif

/*
 * What is mapped of a union file system is a file of one of its layers. Its f_path is that of the
 * layer since 6.7, and the path by which it was opened is elsewhere.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#define ktally_file_user_path(file) file_user_path(file)
#else
#define ktally_file_user_path(file) (&(file)->f_path)
#endif

/* A file in memory is made with flags of a mapping, which became a type of their own: see Kbuild. */
#ifdef KTALLY_HAVE_SHMEM_VMA_FLAGS
#define KTALLY_SHMEM_NO_FLAGS EMPTY_VMA_FLAGS
#else
#define KTALLY_SHMEM_NO_FLAGS 0
#endif

#endif /* KTALLY_COMPAT_H */
