// SPDX-License-Identifier: GPL-2.0-or-later
/* classify/wait.h: causes of waits on stacks as kernels from 5.10 to 7.x have them, and without kernel frames. */
#include <stdlib.h>
#include <string.h>

#include <linux/ktally.h>

#include "base/map.h"
#include "base/message.h"
#include "check.h"
#include "classify/classify.h"
#include "classify/wait.h"

/* Functions separated by blanks, "?" has no name; their number. */
static uint16_t add_frames(struct frame *frames, enum frame_kind kind, const char *functions)
{
	uint16_t count = 0;

	for (const char *at = functions + strspn(functions, " "); *at; at += strspn(at, " ")) {
		size_t bytes = strcspn(at, " ");

		frames[count++] = (struct frame){
			.kind = kind, .function = *at == '?' ? NULL : intern_bytes(at, bytes),
		};
		at += bytes;
	}
	return count;
}

static const char *cause(const char *kernel, const char *user)
{
	struct stack *stack = memory_zeroed(1, sizeof(*stack) + 64 * sizeof(stack->frames[0]));
	const char *cause;

	stack->kernel_frames = add_frames(stack->frames, FRAME_KERNEL, kernel);
	stack->user_frames = add_frames(stack->frames + stack->kernel_frames, FRAME_NATIVE, user);
	cause = wait_cause_of_stack(stack);
	free(stack);
	return cause;
}

/* The way up from system calls, and to threads of the kernel. */
#define SYSCALL(name)	" __x64_sys_" name " x64_sys_call do_syscall_64 entry_SYSCALL_64_after_hwframe"
#define THREAD		" kthread ret_from_fork ret_from_fork_asm"
#define FAULT		" handle_mm_fault do_user_addr_fault exc_page_fault asm_exc_page_fault"
#define PAGE		"schedule io_schedule folio_wait_bit_common"
#define OLD_PAGE	"schedule io_schedule __lock_page_killable wait_on_page_bit_common"
#define TIMEOUT		"schedule schedule_timeout"

static void kernel_stacks(void)
{
	static const struct {
		const char *cause, *functions;
	} cases[] = {
		{ "io/disk", "schedule io_schedule blkdev_direct_IO blkdev_read_iter vfs_read ksys_read" SYSCALL("read") },
		{ "io/disk", "schedule io_schedule __blkdev_direct_IO_simple generic_file_read_iter new_sync_read vfs_read" },
		{ "io/disk", "schedule io_schedule __iomap_dio_rw iomap_dio_rw ext4_file_read_iter vfs_read ksys_pread64" },
		{ "io/disk", TIMEOUT " io_schedule_timeout __wait_for_common submit_bio_wait ext4_issue_zeroout" },
		{ "io/disk", PAGE " filemap_get_pages filemap_read vfs_read ksys_read" SYSCALL("read") },
		{ "io/disk", "schedule io_schedule wait_on_page_bit_common generic_file_buffered_read new_sync_read vfs_read" },
		{ "io/disk", "schedule jbd2_log_wait_commit jbd2_complete_transaction ext4_sync_file do_fsync" SYSCALL("fsync") },
		{ "io/disk", PAGE " folio_wait_writeback __filemap_fdatawait_range file_write_and_wait_range ext4_sync_file" },
		{ "io/disk", TIMEOUT " io_schedule_timeout balance_dirty_pages balance_dirty_pages_ratelimited_flags"
			     " generic_perform_write ext4_buffered_write_iter vfs_write" },
		{ "io/disk", "schedule io_schedule bit_wait_io __wait_on_bit out_of_line_wait_on_bit __wait_on_buffer ext4_bread" },
		{ "io/disk", "schedule io_schedule blk_mq_get_tag __blk_mq_alloc_requests blk_mq_submit_bio submit_bio_noacct"
			     " ext4_writepages do_writepages writeback_sb_inodes wb_workfn process_one_work worker_thread" THREAD },
		{ "io/disk", "schedule io_schedule bit_wait_io __wait_on_bit jbd2_journal_commit_transaction kjournald2" THREAD },
		{ "io/disk", "schedule read_events do_io_getevents" SYSCALL("io_getevents") },
		{ "io/network", TIMEOUT " wait_woken sk_wait_data tcp_recvmsg_locked tcp_recvmsg inet_recvmsg sock_recvmsg"
				" sock_read_iter vfs_read ksys_read" SYSCALL("read") },
		{ "io/network", TIMEOUT " wait_woken sk_stream_wait_memory tcp_sendmsg_locked tcp_sendmsg" SYSCALL("sendto") },
		{ "io/network", TIMEOUT " __skb_wait_for_more_packets __skb_recv_udp udpv6_recvmsg inet6_recvmsg" SYSCALL("recvfrom") },
		{ "io/network", TIMEOUT " inet_csk_accept inet_accept do_accept __sys_accept4" SYSCALL("accept4") },
		{ "io/network", TIMEOUT " wait_woken __inet_stream_connect inet_stream_connect __sys_connect" SYSCALL("connect") },
		{ "io/network", TIMEOUT " __skb_wait_for_more_packets __skb_recv_datagram skb_recv_datagram packet_recvmsg sock_recvmsg" },
		{ "io/network", "schedule rpc_wait_bit_killable __wait_on_bit out_of_line_wait_on_bit __rpc_execute rpc_run_task"
				" nfs4_call_sync_sequence nfs_getattr vfs_statx" },
		{ "io/network", PAGE " filemap_update_page nfs_file_read vfs_read" },
		{ "io/socket", TIMEOUT " unix_stream_read_generic unix_stream_recvmsg sock_recvmsg" SYSCALL("recvfrom") },
		{ "io/socket", TIMEOUT " __skb_wait_for_more_packets __unix_dgram_recvmsg ____sys_recvmsg ___sys_recvmsg" },
		{ "io/socket", TIMEOUT " sock_alloc_send_pskb unix_stream_sendmsg sock_write_iter vfs_write" },
		{ "io/socket", TIMEOUT " __skb_wait_for_more_packets __skb_recv_datagram netlink_recvmsg sock_recvmsg" },
		{ "io/pipe", "schedule pipe_read new_sync_read vfs_read ksys_read" SYSCALL("read") },
		{ "io/pipe", "schedule anon_pipe_read vfs_read ksys_read" SYSCALL("read") },
		{ "io/pipe", "schedule anon_pipe_read fifo_pipe_read vfs_read ksys_read" SYSCALL("read") },
		{ "io/pipe", "schedule anon_pipe_write vfs_write ksys_write" SYSCALL("write") },
		{ "io/pipe", "schedule wait_for_partner fifo_open do_dentry_open path_openat" SYSCALL("openat") },
		{ "io/pipe", "schedule do_msgrcv" SYSCALL("msgrcv") },
		{ "io/other", TIMEOUT " wait_woken n_tty_read tty_read vfs_read ksys_read" SYSCALL("read") },
		{ "io/other", "schedule request_wait_answer __fuse_simple_request fuse_lookup_name path_lookupat" SYSCALL("newfstatat") },
		{ "io/other", "schedule p9_client_rpc p9_client_walk v9fs_vfs_lookup path_openat" SYSCALL("openat") },
		{ "io/other", "schedule some_driver_read vfs_read ksys_read" SYSCALL("read") },
		{ "io/other", TIMEOUT " wait_for_completion some_driver_ioctl" SYSCALL("ioctl") },

		{ "lock/rwsem", "schedule schedule_preempt_disabled rwsem_down_write_slowpath down_write ext4_buffered_write_iter"
				" vfs_write ksys_write" SYSCALL("write") },
		{ "lock/rwsem", "schedule rwsem_down_read_slowpath down_read_killable" FAULT },
		{ "lock/rwsem", "schedule percpu_rwsem_wait __percpu_down_read cgroup_procs_write_start" },
		{ "lock/mutex", "schedule schedule_preempt_disabled __mutex_lock.constprop.0 __mutex_lock_slowpath mutex_lock pipe_read" },
		{ "lock/mutex", "schedule schedule_preempt_disabled __mutex_lock fdget_pos" SYSCALL("read") },
		{ "lock/other", TIMEOUT " __down_common __down down some_driver_open chrdev_open" },
		{ "lock/other", "schedule locks_lock_inode_wait" SYSCALL("flock") },
		{ "lock/other", "schedule do_semtimedop" SYSCALL("semop") },
		{ "lock/other", TIMEOUT " wait_for_completion __wait_rcu_gp synchronize_rcu namespace_unlock" SYSCALL("umount2") },
		{ "lock/other", TIMEOUT " wait_for_completion ?" SYSCALL("prctl") },
		{ "lock/other", "schedule __lock_sock lock_sock_nested tcp_recvmsg" SYSCALL("recvfrom") },

		{ "page fault", PAGE " filemap_fault __do_fault do_fault" FAULT },
		{ "page fault", OLD_PAGE " filemap_fault ext4_filemap_fault __do_fault handle_mm_fault exc_page_fault" },
		{ "page fault", PAGE " __folio_lock_or_retry do_swap_page __handle_mm_fault" FAULT },
		{ "page fault", "schedule io_schedule blk_mq_get_tag submit_bio ext4_mpage_readpages read_pages"
				" page_cache_ra_unbounded filemap_fault" FAULT },
		{ "page fault", PAGE " filemap_fault" FAULT " copy_user_generic_string tcp_sendmsg" SYSCALL("sendto") },
		{ "page fault", TIMEOUT " reclaim_throttle shrink_node try_to_free_pages __alloc_pages" FAULT },
		{ "page fault", "schedule shrink_folio_list shrink_node try_to_free_pages" FAULT },
		{ "page fault", "schedule handle_userfault do_anonymous_page" FAULT },
		{ "page fault", PAGE " nfs_vm_page_mkwrite do_page_mkwrite" FAULT },
		{ "lock/mutex", "schedule __mutex_lock some_vm_fault __do_fault" FAULT },

		{ "sleep", TIMEOUT " msleep some_driver_probe really_probe" },
		{ "sleep", "schedule schedule_hrtimeout_range_clock usleep_range_state some_driver_write vfs_write" },
		{ "sleep", TIMEOUT " schedule_timeout_uninterruptible some_function" SYSCALL("ioctl") },
		{ "stopped", "schedule ptrace_stop.part.0 get_signal arch_do_signal_or_restart exit_to_user_mode_loop" },
		{ "stopped", "schedule get_signal arch_do_signal_or_restart exit_to_user_mode_prepare" },

		{ "idle/poll", "schedule schedule_hrtimeout_range_clock ep_poll do_epoll_wait" SYSCALL("epoll_wait") },
		{ "idle/poll", "schedule schedule_hrtimeout_range poll_schedule_timeout.constprop.0 do_sys_poll" SYSCALL("poll") },
		{ "idle/poll", "schedule schedule_hrtimeout_range_clock do_select core_sys_select" SYSCALL("pselect6") },
		{ "idle/poll", TIMEOUT " wait_woken inotify_read vfs_read ksys_read" SYSCALL("read") },
		{ "idle/poll", "schedule io_cqring_wait" SYSCALL("io_uring_enter") },
		{ "idle/poll", "schedule signalfd_dequeue signalfd_read_iter vfs_read ksys_read" SYSCALL("read") },
		{ "idle/poll", "schedule fuse_dev_do_read fuse_dev_read vfs_read ksys_read" SYSCALL("read") },
		{ "idle/sleep", "schedule do_nanosleep hrtimer_nanosleep common_nsleep" SYSCALL("clock_nanosleep") },
		{ "idle/sleep", "schedule timerfd_read_iter vfs_read ksys_read" SYSCALL("read") },
		{ "idle/sleep", "schedule __do_sys_pause do_syscall_64 entry_SYSCALL_64_after_hwframe" },
		{ "idle/sleep", "schedule sigsuspend __x64_sys_rt_sigsuspend do_syscall_64" },
		{ "idle/process", "schedule do_wait kernel_wait4 __do_sys_wait4 do_syscall_64" },

		{ "idle/kernel", "schedule worker_thread" THREAD },
		{ "idle/kernel", "schedule kthreadd ret_from_fork" },
		{ "idle/kernel", TIMEOUT " some_driver_loop" THREAD },
		{ "idle/kernel", TIMEOUT " some_driver_loop kthread ret_from_fork" },
		{ "idle/kernel", TIMEOUT " msleep md_something" THREAD },
		{ "idle/kernel", TIMEOUT " ?" THREAD },
		{ "idle/kernel", "schedule kjournald2" THREAD },
		{ "idle/kernel", TIMEOUT " rcu_gp_fqs_loop rcu_gp_kthread" THREAD },
		{ "idle/kernel", "schedule devtmpfs_work_loop devtmpfsd" THREAD },
		{ "idle/kernel", TIMEOUT " kswapd_try_to_sleep kswapd" THREAD },
		{ "idle/kernel", "schedule io_wq_worker ret_from_fork ret_from_fork_asm" },

		/* nothing is said: the state knows more */
		{ NULL, "schedule io_schedule some_driver_flush some_driver_loop" THREAD },
		{ NULL, "schedule some_work process_one_work worker_thread" THREAD },
		{ NULL, "schedule ? foo do_exit do_group_exit get_signal" },
		{ NULL, "schedule exit_to_user_mode_loop do_syscall_64" },
		{ NULL, "schedule worker_thread" },
		{ NULL, "? ?" },
		{ NULL, "schedule" },
		{ NULL, "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_string(cause(cases[i].functions, "main"), cases[i].cause, "cause of %s", cases[i].functions);
	check(cause("schedule pipe_read", "") == intern("io/pipe"), "causes are interned");
}

static void futexes(void)
{
	static const char *const calls[] = {
		"schedule futex_wait_queue futex_wait do_futex" SYSCALL("futex"),
		"schedule futex_wait_queue_me futex_wait do_futex" SYSCALL("futex"),
		"schedule futex_do_wait __futex_wait futex_wait do_futex" SYSCALL("futex"),
		"",
	};
	static const struct {
		const char *cause, *functions;
	} cases[] = {
		{ "lock/futex", "__lll_lock_wait pthread_mutex_lock@@GLIBC_2.2.5 worker start_thread" },
		{ "lock/futex", "__lll_lock_wait_private malloc worker" },
		{ "lock/futex", "futex_abstimed_wait __futex_abstimed_wait64 pthread_rwlock_wrlock worker" },
		{ "lock/futex", "__futex_abstimed_wait_common64 pthread_cond_timedwait take_gil PyEval_RestoreThread" },
		{ "lock/futex", "runtime.futex.abi0 runtime.futexsleep runtime.lock2 runtime.mallocgc" },
		{ "lock/futex", "pthread_cond_wait os::PlatformEvent::park() ObjectMonitor::EnterI(JavaThread*)"
				" ObjectMonitor::enter(JavaThread*)" },
		{ "idle/futex", "__futex_abstimed_wait_common64 __pthread_cond_wait_common pthread_cond_wait@@GLIBC_2.3.2 worker" },
		{ "idle/futex", "? pthread_cond_timedwait worker" },
		{ "idle/futex", "___pthread_cond_clockwait64 worker" },
		{ "idle/futex", "__new_sem_wait_slow64.constprop.0 sem_wait worker" },
		{ "idle/futex", "__futex_abstimed_wait_common __pthread_clockjoin_ex main" },
		{ "idle/futex", "? std::condition_variable::wait(std::unique_lock<std::mutex>&) worker" },
		{ "idle/futex", "syscall g_cond_wait g_async_queue_pop_intern_unlocked" },
		{ "idle/futex", "pthread_cond_wait uv_cond_wait worker" },
		{ "idle/futex", "runtime.futex.abi0 runtime.futexsleep runtime.notesleep runtime.mPark runtime.stopm runtime.findRunnable" },
		{ "idle/futex", "pthread_cond_wait Parker::park(bool, Unsafe_Park" },
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]); j++)
			check_string(cause(calls[i], cases[j].functions), cases[j].cause, "%s below %.30s", cases[j].functions,
				     calls[i]);
	}
	check_string(cause(calls[0], ""), "lock/futex", "a futex without user frames");
	check_string(cause(calls[0], "worker start_thread"), "lock/futex", "a futex that nobody knows");
	check_string(cause("schedule futex_lock_pi do_futex", "pthread_cond_wait"), "lock/futex", "some futexes are locks");
	check_string(cause("schedule pipe_read", "pthread_cond_wait"), "io/pipe", "only for a futex do user frames count");
	check_string(cause("", "read worker"), NULL, "user frames that say nothing");
	check_string(cause(calls[0], "a b c d e f g h i j k l pthread_cond_wait"), "lock/futex", "the far callers do not count");
}

static void system_calls(void)
{
	static const struct {
		const char *cause, *call;
	} cases[] = {
		{ "lock/futex", "futex" }, { "lock/futex", "futex_waitv" }, { "lock/futex", "futex_time64" },
		{ "idle/poll", "poll" }, { "idle/poll", "ppoll" }, { "idle/poll", "select" }, { "idle/poll", "pselect6" },
		{ "idle/poll", "epoll_wait" }, { "idle/poll", "epoll_pwait2" }, { "idle/poll", "io_uring_enter" },
		{ "idle/sleep", "nanosleep" }, { "idle/sleep", "clock_nanosleep" }, { "idle/sleep", "pause" },
		{ "idle/sleep", "rt_sigsuspend" }, { "idle/sleep", "rt_sigtimedwait" },
		{ "io/network", "recvfrom" }, { "io/network", "recvmsg" }, { "io/network", "sendto" }, { "io/network", "accept4" },
		{ "io/network", "connect" }, { "io/disk", "fsync" }, { "io/disk", "fdatasync" }, { "io/disk", "sync" },
		{ "idle/process", "wait4" }, { "idle/process", "waitid" }, { "io/pipe", "msgrcv" }, { "lock/other", "flock" },
		{ "other", "read" }, { "other", "futimesat" }, { "other", "sendfile" }, { "other", "no_such_call" }, { "other", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_string(wait_cause(NULL, KTALLY_OFFCPU_SLEEP, cases[i].call), cases[i].cause, "asleep in %s",
			     cases[i].call ? cases[i].call : "(none)");
	check_string(wait_cause(NULL, KTALLY_OFFCPU_SLEEP, syscall_name(0, false)), "other", "a name by number");
}

static void states(void)
{
	const char *pipe = intern("io/pipe");

	check_string(wait_cause(NULL, KTALLY_OFFCPU_IOWAIT, "read"), "io/disk", "I/O wait in read");
	check_string(wait_cause(NULL, KTALLY_OFFCPU_DISK, NULL), "io/disk", "uninterruptible");
	check_string(wait_cause(NULL, KTALLY_OFFCPU_IOWAIT, "futex"), "lock/futex", "the call goes before the state");
	check_string(wait_cause(pipe, KTALLY_OFFCPU_IOWAIT, "futex"), "io/pipe", "the stack goes before both");
	check(wait_cause(pipe, KTALLY_OFFCPU_SLEEP, NULL) == pipe, "as it is");
	check_string(wait_cause(pipe, KTALLY_OFFCPU_STOPPED, "read"), "stopped", "stopped is stopped");
	check_string(wait_cause(pipe, KTALLY_OFFCPU_PREEMPTED, "read"), "run queue", "preempted");
	check_string(wait_cause(NULL, KTALLY_OFFCPU_YIELDED, "sched_yield"), "run queue", "yielded");
	check_string(wait_cause(NULL, KTALLY_OFFCPU_CREATED, NULL), "run queue", "new");
	check_string(wait_cause(NULL, 99, NULL), "other", "a state of the future");
	check(wait_cause(NULL, KTALLY_OFFCPU_YIELDED, NULL) == intern(WAIT_CAUSE_RUN_QUEUE), "causes are interned");
	check(wait_is_idle("idle/futex") && wait_is_idle("idle/kernel"), "what is idle");
	check(!wait_is_idle("io/disk") && !wait_is_idle("sleep") && !wait_is_idle("idle"), "what is not");
}

int main(void)
{
	kernel_stacks();
	futexes();
	system_calls();
	states();
	return check_end();
}
