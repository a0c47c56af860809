// SPDX-License-Identifier: GPL-2.0
/*
 * What a kernel's headers have and others lack. Not by version: distributions take changes into
 * older kernels, and leave them out of newer ones. probe.sh compiles this file once for each
 * PROBE_NAME, with the flags of the module; where that works and refers only to what is exported to
 * modules, compat.h sees KTALLY_HAVE_NAME. None of this is ever linked.
 *
 * A probe asks for the thing itself, with its type: a name alone may mean something else elsewhere.
 * What it gets wrong must be wrong in its own lines, not in those of a macro of the kernel's: a
 * complaint about any other place says that the headers do not work, not that they lack something.
 *
 * Each entry says since when mainline has it, so that it can go with the last kernel before.
 */
#define SAME_TYPE(thing, type) extern int is_of_another_type[__builtin_types_compatible_p(typeof(thing), type) ? 1 : -1]

/*
 * The first three ask whether asking works: one that holds everywhere, one that no compiler takes,
 * and one that compiles but refers to what no kernel exports.
 */
#ifdef PROBE_CONTROL_HOLDS
#include <linux/sched.h>
SAME_TYPE(((struct task_struct *)0)->pid, pid_t);
void probe(void)
{
	schedule();
}
#endif

#ifdef PROBE_CONTROL_IS_REFUSED
#include <linux/sched.h>
SAME_TYPE(((struct task_struct *)0)->pid, char *);
#endif

#ifdef PROBE_CONTROL_IS_NOT_EXPORTED
void ktally_exported_by_no_kernel(void);
void probe(void)
{
	ktally_exported_by_no_kernel();
}
#endif

/* 5.11: a name for in_irq() that says what it asks; in_irq() is gone since 7.2. */
#ifdef PROBE_IN_HARDIRQ
#include <linux/preempt.h>
int probe(void)
{
	return in_hardirq() != 0;
}
#endif

/* 5.18: housekeeping is by type, before by flags. */
#ifdef PROBE_HK_TYPE
#include <linux/sched/isolation.h>
const struct cpumask *probe(void)
{
	return housekeeping_cpumask(HK_TYPE_DOMAIN);
}
#endif

/* 6.4, and in older stable kernels: whether a CPU is isolated, partitions of cpusets included where there are any. */
#ifdef PROBE_CPU_IS_ISOLATED
#include <linux/sched/isolation.h>
bool probe(int cpu)
{
	return cpu_is_isolated(cpu);
}
#endif

/* Until 5.10: a page charged to a memory cgroup has a page type, which takes the place of its count of mappings. */
#ifdef PROBE_KMEMCG_PAGES
#include <linux/mm.h>
int probe(struct page *page)
{
	return PageKmemcg(page);
}
#endif

/* 5.12: an irq_work that runs in hard interrupt context also on PREEMPT_RT. */
#ifdef PROBE_IRQ_WORK_INIT_HARD
#include <linux/irq_work.h>
struct irq_work probe(void (*function)(struct irq_work *work))
{
	return IRQ_WORK_INIT_HARD(function);
}
#endif

/* 5.12, and late in 5.10: who may read a path, with the ids that its mount maps. */
#ifdef PROBE_PATH_PERMISSION
#include <linux/fs.h>
SAME_TYPE(path_permission, int(const struct path *, int));
int probe(const struct path *path)
{
	return path_permission(path, MAY_READ);
}
#endif

/* 5.14: task->state was renamed, so that nobody reads it without READ_ONCE(). */
#ifdef PROBE_TASK_STATE_RENAMED
#include <linux/sched.h>
SAME_TYPE(((struct task_struct *)0)->__state, unsigned int);
#endif

/* 5.18, in this place since 5.19: sched_switch tells the state in which a task leaves. */
#ifdef PROBE_SWITCH_STATE
#include <trace/events/sched.h>
SAME_TYPE(check_trace_callback_type_sched_switch,
	  void(void (*)(void *, bool, struct task_struct *, struct task_struct *, unsigned int)));
#endif

/* 6.1: mappings are in a maple tree, before in a red-black tree and a list. */
#ifdef PROBE_MAPLE_TREE
#include <linux/mm.h>
SAME_TYPE(((struct mm_struct *)0)->mm_mt, struct maple_tree);
SAME_TYPE(vma_lookup, struct vm_area_struct *(struct mm_struct *, unsigned long));
#endif

/* 6.1: frozen is a state of its own. */
#ifdef PROBE_TASK_FROZEN
#include <linux/sched.h>
int probe(void)
{
	return TASK_FROZEN != 0;
}
#endif

/* 6.2: a name for del_timer_sync(), which is gone since 6.15. */
#ifdef PROBE_TIMER_DELETE_SYNC
#include <linux/timer.h>
SAME_TYPE(timer_delete_sync, int(struct timer_list *));
int probe(struct timer_list *timer)
{
	return timer_delete_sync(timer);
}
#endif

/* 6.3: vm_flags are changed by setters only. */
#ifdef PROBE_VM_FLAGS_MOD
#include <linux/mm.h>
SAME_TYPE(vm_flags_mod, void(struct vm_area_struct *, vm_flags_t, vm_flags_t));
void probe(struct vm_area_struct *vma)
{
	vm_flags_mod(vma, VM_DONTCOPY, VM_MAYEXEC);
}
#endif

/* 6.4: kernel workers that share the address space of a process have a flag of their own, vhost's too. */
#ifdef PROBE_USER_WORKER
#include <linux/sched.h>
int probe(struct task_struct *task)
{
	return (task->flags & PF_USER_WORKER) != 0;
}
#endif

/* 6.6 and 6.7: accessors of an inode's times, of which older stable kernels have some. */
#ifdef PROBE_INODE_CTIME
#include <linux/fs.h>
SAME_TYPE(inode_get_ctime, struct timespec64(const struct inode *));
struct timespec64 probe(const struct inode *inode)
{
	return inode_get_ctime(inode);
}
#endif

#ifdef PROBE_INODE_MTIME
#include <linux/fs.h>
SAME_TYPE(inode_get_mtime, struct timespec64(const struct inode *));
struct timespec64 probe(const struct inode *inode)
{
	return inode_get_mtime(inode);
}
#endif

/* 6.7: the path by which a file of a union file system was opened, when f_path became that of the layer. */
#ifdef PROBE_FILE_USER_PATH
#include <linux/fs.h>
SAME_TYPE(file_user_path, const struct path *(const struct file *));
const struct path *probe(const struct file *file)
{
	return file_user_path(file);
}
#endif

/*
 * 6.12: perf's own check of who may see kernel addresses, security modules included, is a function
 * that modules may call. Before, it is inline and needs what is not exported. In 6.13, and in some
 * releases of 6.12 but not in others, it stopped taking the event's attributes.
 */
#ifdef PROBE_PERF_ALLOW_KERNEL
#include <linux/perf_event.h>
SAME_TYPE(perf_allow_kernel, int(void));
int probe(void)
{
	return perf_allow_kernel();
}
#endif

#ifdef PROBE_PERF_ALLOW_KERNEL_ATTR
#include <linux/perf_event.h>
SAME_TYPE(perf_allow_kernel, int(struct perf_event_attr *));
int probe(struct perf_event_attr *attr)
{
	return perf_allow_kernel(attr);
}
#endif

/* 6.16: sched_process_exit tells whether the whole group is dead. */
#ifdef PROBE_EXIT_GROUP_DEAD
#include <trace/events/sched.h>
SAME_TYPE(check_trace_callback_type_sched_process_exit, void(void (*)(void *, struct task_struct *, bool)));
#endif

/* 7.x: a file in memory is made with flags of a mapping that are a type of their own. */
#ifdef PROBE_SHMEM_VMA_FLAGS
#include <linux/shmem_fs.h>
SAME_TYPE(shmem_file_setup, struct file *(const char *, loff_t, vma_flags_t));
vma_flags_t probe(void)
{
	return EMPTY_VMA_FLAGS;
}
#endif

/* 7.3: whether a process may dump core moved from the mm to a state that lives from exec to exec. */
#ifdef PROBE_EXEC_STATE
#include <linux/sched.h>
#include <linux/sched/exec_state.h>
int probe(struct task_struct *task)
{
	return task->exec_state->dumpable == TASK_DUMPABLE_OWNER;
}
#endif

/* Not where the configuration leaves them out: compat.h says what then. */
#ifdef PROBE_TASK_ON_CPU
#include <linux/sched.h>
bool probe(const struct task_struct *task)
{
	return task->on_cpu;
}
#endif

#ifdef PROBE_SCHED_INFO
#include <linux/sched.h>
unsigned long long probe(const struct task_struct *task)
{
	return task->sched_info.pcount ? task->sched_info.run_delay : 0;
}
#endif
