// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of kernel functions from 5.10 to 7.x, where waits were seen or can be. */
#include <stddef.h>

#include "classify/wait_rules.h"

const struct wait_rules wait_kernel_rules[] = {
	{ WAIT_PAUSE,
	  "msleep* usleep_range* usleep_idle_range* schedule_timeout_uninterruptible"
	  " schedule_timeout_interruptible schedule_timeout_killable schedule_timeout_idle congestion_wait*"
	  " wait_iff_congested* reclaim_throttle* throttle_direct_reclaim*" },
	{ WAIT_SCHEDULE,
	  "__schedule schedule schedule_timeout schedule_preempt_disabled schedule_hrtimeout* schedule_idle"
	  " __traceiter_sched_switch wait_woken kthread_parkme __kthread_parkme kthread_freezable_should_stop" },
	{ WAIT_COMPLETION,
	  "wait_for_completion* __wait_for_common* do_wait_for_common* flush_work* __flush_work* __cancel_work*"
	  " cancel_work_sync* cancel_delayed_work_sync* stop_one_cpu* stop_cpus* __stop_cpus*" },
	{ WAIT_THREAD, "kthread ret_from_fork*" },
	{ WAIT_BORDER,
	  "process_one_work* do_exit do_group_exit make_task_dead* do_coredump* vfs_coredump* balance_pgdat"
	  " kcompactd_do_work*" },

	/* Locks: what they protect does not matter, who waits for them waits for another task. */
	{ WAIT_RWSEM,
	  "rwsem_* down_read* down_write* __down_read* __down_write* percpu_down_* __percpu_down_* percpu_rwsem_*"
	  " __percpu_rwsem_* rwbase_*" },
	{ WAIT_MUTEX, "mutex_lock* __mutex_lock* ww_mutex_* __ww_mutex_* rt_mutex_lock*" },
	{ WAIT_FUTEX, "futex_lock_pi*" },
	{ WAIT_FUTEX_CALL, "futex_* __futex_* do_futex *sys_futex*" },
	{ WAIT_LOCK,
	  "down down_interruptible down_killable down_timeout __down __down_* rt_spin_lock* rtlock_*"
	  " __lock_sock* locks_lock_inode_wait* flock_lock_inode_wait* posix_lock_inode_wait* do_lock_file_wait*"
	  " fcntl_setlk* do_semtimedop* __do_semtimedop* *sys_semop* *sys_semtimedop* *sys_flock __break_lease*"
	  " synchronize_* __synchronize_srcu* __wait_rcu_gp* wait_rcu_gp* exp_funnel_lock* rcu_exp_wait_* rcu_barrier*"
	  " kvfree_rcu_barrier* srcu_barrier* __wait_on_freeing_inode* inode_wait_for_* d_alloc_parallel"
	  " d_wait_lookup* dquot_acquire* fsnotify_destroy_* wait_for_device_probe* affine_move_task*" },

	{ WAIT_FAULT,
	  "asm_exc_page_fault exc_page_fault do_page_fault __do_page_fault do_user_addr_fault async_page_fault"
	  " kvm_async_pf_task_wait* handle_mm_fault __handle_mm_fault handle_pte_fault do_fault do_swap_page"
	  " filemap_fault* __do_fault *_filemap_fault shmem_fault hugetlb_fault* handle_userfault faultin_page*"
	  " fault_in_* do_numa_page migration_entry_wait* __migration_entry_wait* folio_lock_or_retry*"
	  " __folio_lock_or_retry* __lock_page_or_retry*" },

	/* Nothing to do. */
	{ WAIT_POLL,
	  "ep_poll* do_epoll_* poll_schedule_timeout* do_sys_poll* do_select core_sys_select* do_pselect*"
	  " *sys_epoll_* *sys_poll *sys_ppoll* *sys_select *sys_pselect* inotify_read* fanotify_read* signalfd_*"
	  " eventfd_read* userfaultfd_read* userfaultfd_ctx_read* io_cqring_wait* fuse_dev_do_read*"
	  " fuse_dev_read* fuse_dev_splice_read* fuse_uring_* devkmsg_read* do_syslog* kmsg_read* evdev_read*"
	  " seccomp_notify_* tun_ring_recv* tun_chr_read_iter* tun_do_read* perf_read*"
	  " kvm_vcpu_block* kvm_vcpu_halt* kvm_vcpu_check_block* ring_buffer_wait* tracing_wait_pipe*" },
	{ WAIT_SLEEP,
	  "do_nanosleep hrtimer_nanosleep* common_nsleep* *sys_nanosleep* *sys_clock_nanosleep* timerfd_read*"
	  " *sys_pause sigsuspend* *sys_rt_sigsuspend *sys_sigsuspend do_sigtimedwait* *sys_rt_sigtimedwait*" },
	{ WAIT_PROCESS, "do_wait kernel_wait4 kernel_waitid* *sys_wait4 *sys_waitid *sys_waitpid" },
	/* Threads that do not wait in their outermost function: those that do are known by that, see wait.c. */
	{ WAIT_KERNEL,
	  "rcu_gp_* rcu_tasks_* rcu_torture_* nocb_gp_wait* nocb_cb_wait* kswapd_try_to_sleep* devtmpfs_work_loop*"
	  " khugepaged_wait_work* irq_wait_for_interrupt* svc_recv* svc_get_next_xprt* svc_thread_wait_*"
	  " kdamond_usleep* kdamond_wait_activation* napi_thread_wait*" },
	{ WAIT_STOPPED,
	  "ptrace_stop* ptrace_notify* ptrace_do_notify* ptrace_signal* do_signal_stop* do_jobctl_trap*"
	  " do_freezer_trap* __refrigerator* cgroup_leave_frozen* get_signal" },

	/* Sockets. Within the host first: sock_recvmsg() and the like are around all of them. */
	{ WAIT_SOCKET, "unix_* __unix_* netlink_* __netlink_* alg_wait_for_* af_alg_*" },
	{ WAIT_NETWORK,
	  "tcp_* __tcp_* tcpv6_* udp_* udpv6_* __udp_* __skb_recv_udp* udplite_* inet_* __inet_* inet6_*"
	  " raw_recvmsg* raw_sendmsg* rawv6_* ping_* mptcp_* __mptcp_* sctp_* vsock_* __vsock_*"
	  " virtio_transport_* smc_* tls_* packet_* tpacket_* xsk_* dccp_* can_* bcm_* l2cap_* rfcomm_* sco_*"
	  " hci_* bt_* rxrpc_* rds_* tipc_* kcm_* strp_* sock_recvmsg* __sock_recvmsg* sock_sendmsg*"
	  " __sock_sendmsg* sock_read_iter* sock_write_iter* sock_splice_read* splice_to_socket*"
	  " kernel_recvmsg* kernel_sendmsg* kernel_accept* kernel_connect* ____sys_recvmsg* ____sys_sendmsg*"
	  " ___sys_recvmsg* ___sys_sendmsg* __sys_recv* __sys_send* __sys_connect* __sys_accept* do_accept*"
	  " *sys_recvfrom *sys_recvmsg *sys_recvmmsg* *sys_sendto *sys_sendmsg *sys_sendmmsg *sys_connect"
	  " *sys_accept *sys_accept4"
	  /*
	   * File systems over a network: what they wait for is the answer of a server, and it is there and on the way
	   * that one looks for the reason, not at a disk of this host.
	   */
	  " nfs_* nfs3_* nfs4_* nfs41_* __nfs_* rpc_* __rpc_* xprt_* xs_* nlmclnt_* cifs_* smb2_* SMB2_* smb_*"
	  " wait_for_response* ceph_* __ceph_* afs_* __afs_* rbd_* nbd_* drbd_* dlm_* ocfs2_*" },
	{ WAIT_PIPE,
	  "pipe_* anon_pipe_* fifo_* wait_for_partner* splice_from_pipe* __splice_from_pipe* splice_to_pipe*"
	  " wait_for_space* ipipe_prep* opipe_prep* do_msgrcv* do_msgsnd* *sys_msgrcv *sys_msgsnd"
	  " do_mq_timedreceive* do_mq_timedsend* *sys_mq_timed* wq_sleep*" },
	/* 9p is mostly a way to the files of the host, by no network. */
	{ WAIT_DEVICE,
	  "n_tty_* tty_* iterate_tty_* pty_* uart_* ldsem_* con_* vt_* fuse_* __fuse_* request_wait_answer* virtio_fs_*"
	  " p9_* v9fs_* drm_* dma_fence_* dma_resv_* i915_* __i915_* amdgpu_* ttm_* snd_* __snd_* v4l2_* video_*"
	  " vb2_* usb_* usbdev_* i2c_* spi_* hidraw_* gpio_* iio_* ipmi_* tpm_* acpi_* wait_for_random_bytes*"
	  " virtqueue_* virtnet_send_command* firmware_* _request_firmware*" },
	{ WAIT_DISK,
	  /* the block layer and what is below it */
	  "submit_bio* __submit_bio* bio_* blk_* __blk_* blkg_* blkcg_* __bio_* rq_qos_* wbt_* __wbt_*"
	  " ioc_rqos_* iolatency_* elv_* bfq_* kyber_* scsi_* __scsi_* sd_* sr_* st_* ata_* nvme_* __nvme_*"
	  " virtblk_* mmc_* __mmc_* loop_* lo_* dm_* __dm_* md_* raid0_* raid1_* raid5_* raid10_* bch_*"
	  " xen_blk* blkif_* crypt_* zram_* disk_* bdev_* __bdev_* blkdev_* __blkdev_* sync_blockdev*"
	  " __sync_blockdev* part_* read_part_* del_gendisk* device_add_disk*"
	  /* buffers and pages */
	  " __wait_on_buffer* wait_on_buffer* sync_dirty_buffer* __sync_dirty_buffer* __bread* bh_read*"
	  " __bh_read* ll_rw_block* block_* __block_* mpage_* iomap_* __iomap_* dio_* __dio_*"
	  " do_blockdev_direct_IO* __blockdev_direct_IO* inode_dio_wait* __inode_dio_wait* swap_read*"
	  " __swap_read* swapin_* swap_cluster_* read_swap_* shmem_swapin* swap_writepage* __swap_writepage*"
	  " do_swapoff* *sys_swapoff try_to_unuse* read_events* do_io_getevents* *sys_io_getevents*"
	  " *sys_io_pgetevents* aio_*"
	  /* write-back, and who waits for it */
	  " wb_* __wb_* writeback_* __writeback_* sync_inodes_* __sync_inodes_* wait_sb_inodes*"
	  " sync_filesystem* __sync_filesystem* iterate_supers* iterate_bdevs* ksys_sync* *sys_sync *sys_syncfs"
	  " *sys_fsync *sys_fdatasync *sys_msync *sys_sync_file_range*"
	  /* file systems */
	  " ext4_* __ext4_* ext2_* jbd2_* __jbd2_* start_this_handle* add_transaction_credits*"
	  " wait_transaction_* do_get_write_access* xfs_* __xfs_* xlog_* btrfs_* __btrfs_* wait_current_trans*"
	  " wait_for_commit* start_transaction* read_extent_buffer* lock_extent* __lock_extent*"
	  " wait_extent_bit* wait_ordered_* wait_on_extent_* extent_* f2fs_* __f2fs_* bch2_* __bch2_* fat_*"
	  " vfat_* msdos_* exfat_* isofs_* udf_* squashfs_* erofs_* z_erofs_* ntfs_* ni_* hfsplus_* minix_*"
	  " jfs_* nilfs_* gfs2_* zfs_* zpl_* zio_* txg_* dmu_* dbuf_* cv_wait_common* __cv_*" },
	{ WAIT_PAGES,
	  "generic_file_* __generic_file_* generic_perform_write* filemap_* __filemap_* do_read_cache_*"
	  " read_cache_* page_cache_* force_page_cache_* ondemand_readahead* do_page_cache_ra* read_pages*"
	  " folio_wait_writeback* folio_wait_stable* wait_on_page_writeback* wait_for_stable_page*"
	  " balance_dirty_pages* file_write_and_wait* file_fdatawait* file_check_and_* truncate_inode_pages*"
	  " invalidate_inode_pages* invalidate_mapping_* do_writepages* vfs_fsync* do_fsync*" },
	/* About which nothing nearer said more. */
	{ WAIT_FILE,
	  "vfs_read* vfs_write* vfs_readv* vfs_writev* do_iter_read* do_iter_write* vfs_ioctl* *sys_ioctl"
	  " do_vfs_ioctl* ksys_read ksys_write do_sendfile* do_splice* *sys_splice" },
	{ }
};

/*
 * Names as symbols have them: versions ("@@GLIBC_2.3.2"), parameters and clones follow, any number of underlines goes
 * before. Runtimes build locks of their own from conditions: a lock anywhere around a condition is a lock.
 */
const struct wait_rules wait_user_rules[] = {
	{ WAIT_FUTEX,
	  "*pthread_mutex_* *pthread_rwlock_* *pthread_spin_* *lll_lock_wait* *lll_mutex_lock* __lll_* mtx_lock*"
	  " std::mutex::lock* std::unique_lock* std::shared_mutex* uv_mutex_* uv_rwlock_* g_mutex_* g_rw_lock_*"
	  " take_gil* _PyMutex_Lock* PyMutex_* PyEval_RestoreThread* PyEval_AcquireThread* PyGILState_Ensure*"
	  " rb_thread_acquire_* gvl_acquire* thread_sched_to_running* thread_sched_wait_running_turn*"
	  " runtime.lock runtime.lock2 runtime.lockWithRank runtime.semacquire* sync.runtime_Semacquire*"
	  " internal/sync.runtime_Semacquire* ObjectMonitor::enter* ObjectMonitor::Enter* ObjectMonitor::ReenterI*"
	  " ObjectSynchronizer::enter* Mutex::lock* absl::Mutex::Lock* *::Mutex::LockSlow*"
	  " *::Mutex::lock_contended* *::RwLock::read_contended* *::RwLock::write_contended* parking_lot::raw_mutex::*"
	  " parking_lot::raw_rwlock::* AwareLock::Enter* CrstBase::Enter* je_malloc_mutex_lock*" },
	{ WAIT_PARKED,
	  "*pthread_cond_* *cnd_wait* *cnd_timedwait* *sem_wait* *sem_timedwait* *sem_clockwait* __new_sem_*"
	  " do_futex_wait* *pthread_join* *pthread_timedjoin* *pthread_clockjoin* *pthread_barrier_wait* thrd_join*"
	  " *futex_abstimed_wait* *futex_cancelable* std::condition_variable* std::__condvar* std::thread::join*"
	  " std::__atomic_wait* std::counting_semaphore* std::__semaphore* std::future* std::__future_base*"
	  " g_cond_wait* uv_cond_* uv_sem_wait* uv_barrier_wait* uv_thread_join* gomp_* __kmp_* kmp_*"
	  " runtime.notesleep* runtime.notetsleep* runtime.stopm* runtime.mPark* runtime.futexsleep*"
	  " Parker::park* Unsafe_Park* PlatformMonitor::wait* os::PlatformMonitor::wait* os::PlatformEvent::park*"
	  " PlatformEvent::park* ObjectMonitor::wait* Monitor::wait* Semaphore::wait* PosixSemaphore::wait*"
	  " v8::base::ConditionVariable::* v8::base::Semaphore::* PyThread_acquire_lock* rb_condvar_* native_cond_*"
	  " QWaitCondition::* QSemaphore::acquire* QThread::wait* boost::condition_variable* absl::CondVar::*"
	  " folly::Baton* std::thread::park* std::thread::current::park* *::Condvar::wait*"
	  " parking_lot::condvar::* *::Parker::park* tokio::runtime::park::*"
	  " *::BlockThread* CLREvent* ethr_event_*" },
	{ }
};

const struct wait_rules wait_syscall_rules[] = {
	{ WAIT_POLL,
	  "poll ppoll* select _newselect pselect6* epoll_wait epoll_wait_old epoll_pwait* io_uring_enter" },
	{ WAIT_SLEEP, "nanosleep clock_nanosleep* pause sigsuspend rt_sigsuspend rt_sigtimedwait*" },
	{ WAIT_PROCESS, "wait4 waitid waitpid" },
	{ WAIT_FUTEX, "futex*" },
	{ WAIT_NETWORK, "recv* send sendto sendmsg sendmmsg* accept accept4 connect socketcall" },
	{ WAIT_DISK, "fsync fdatasync sync syncfs sync_file_range* msync io_getevents io_pgetevents* readahead" },
	{ WAIT_PIPE, "msgrcv msgsnd mq_timed* tee vmsplice" },
	{ WAIT_LOCK, "flock semop semtimedop* membarrier" },
	{ }
};
