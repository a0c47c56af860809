// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of kernel functions from 5.10 to 7.x. The order of the table does not matter; that of enum area does. */
#include <stdio.h>

#include "base/map.h"
#include "classify/rules.h"

#define NONE		DIRECTION_NONE
#define READ		DIRECTION_READ
#define WRITE		DIRECTION_WRITE
#define SYNC		DIRECTION_SYNC

/* Rules 1 to 10 of the connector are areas of ours too; each with its patterns first, then with the new names. */
#define BOTH(number, area_, direction_, patterns_) \
	{ .connector = number, .area = area_, .direction = direction_, .patterns = patterns_ }
#define CONNECTOR(number, patterns_) \
	{ .connector = number, .area = AREA_OTHER, .patterns = patterns_ }
#define AREA(area_, direction_, patterns_) \
	{ .area = area_, .direction = direction_, .patterns = patterns_ }

const struct rules rules[] = {
	BOTH(1, AREA_TCP, READ,
	     "tcp_recvmsg* tcp_read* tcp_rcv* tcp_v4_rcv* tcp_v6_rcv*"
	     " tcp_v4_do_rcv* tcp_v6_do_rcv* tcp_ack tcp_data_queue*"),
	BOTH(2, AREA_TCP, WRITE,
	     "tcp_sendmsg* tcp_transmit* tcp_write* tcp_push* tcp_sendpage*"
	     " __tcp_transmit_skb* __tcp_push_pending_frames* __tcp_retransmit_skb* tcp_retransmit_skb*"
	     " __tcp_send_ack* tcp_send_ack*"),
	BOTH(3, AREA_UDP, READ,
	     "udp_recvmsg* udp_read* udp_rcv* udp_v4_rcv* udp_v6_rcv*"
	     " udpv6_recvmsg* udpv6_rcv* udpv6_queue_rcv* __udp4_lib_rcv* __udp6_lib_rcv* udp_queue_rcv*"
	     " udp_unicast_rcv* udp6_unicast_rcv*"),
	BOTH(4, AREA_UDP, WRITE,
	     "udp_sendmsg* udp_write* udp_push* udp_sendpage*"
	     " udpv6_sendmsg* udp_send_skb* udp_v6_send_skb* udp_v6_push*"),
	BOTH(5, AREA_IPC, READ,
	     "pipe_read* pipe_read_iter* eventfd_read* unix_stream_read_generic* unix_stream_recvmsg*"
	     " anon_pipe_read* fifo_pipe_read*"),
	BOTH(6, AREA_IPC, WRITE,
	     "pipe_write* pipe_write_iter* eventfd_write* unix_stream_write_generic* unix_stream_sendmsg*"
	     " anon_pipe_write* fifo_pipe_write*"),
	BOTH(7, AREA_SOCKET, READ, "sock_recvmsg* __sock_recvmsg* sock_read_iter*"),
	BOTH(8, AREA_SOCKET, WRITE, "sock_sendmsg* __sock_sendmsg* sock_write_iter*"),
	BOTH(9, AREA_DISK, READ,
	     "ext4_file_read_iter* xfs_file_read_iter* btrfs_file_read_iter* filemap_read* generic_file_read_iter*"),
	BOTH(10, AREA_DISK, WRITE,
	     "ext4_file_write_iter* xfs_file_write_iter* btrfs_file_write_iter* filemap_write*"
	     " generic_file_write_iter*"),
	/* Write-back on behalf of nobody is a direction of its own with us. */
	BOTH(10, AREA_DISK, SYNC, "writeback_sb_inodes*"),
	/*
	 * These two say both too little and too much: "mmap_" is in the names of tracepoints and security hooks too,
	 * and "schedule" is at the end of every wait for anything.
	 */
	CONNECTOR(11,
		  "do_mmap* do_anonymous_page* handle_mm_fault* alloc_pages* free_pages* *do_munmap* *mmap_*"
		  " *madvise*"
		  " __alloc_pages* __free_pages* __alloc_frozen_pages* alloc_frozen_pages* __free_frozen_pages*"
		  " free_frozen_pages*"),
	CONNECTOR(12, "schedule* wake_up_* wake_q_* *futex* *__schedule*"),

	AREA(AREA_TCP, READ,
	     "tcp_clean_rtx_queue* tcp_collapse* tcp_queue_rcv* tcp_splice_read* tcp_add_backlog* tcp_recv_*"
	     " tcp_gro_receive* tcp4_gro_receive* tcp6_gro_receive* tcp_cleanup_rbuf* __tcp_ack_snd_check*"),
	AREA(AREA_TCP, WRITE,
	     "tcp_send_* tcp_xmit_* tcp_tsq_* tcp_tasklet_func* tcp_event_new_data_sent* tcp_stream_alloc_skb*"
	     " tcp_delack_timer* tcp_retransmit_timer* tcp_keepalive_timer* do_tcp_sendpages*"),
	AREA(AREA_TCP, NONE,
	     "tcp_v4_connect* tcp_v6_connect* tcp_connect* tcp_close* __tcp_close* tcp_disconnect* tcp_conn_request*"
	     " tcp_v4_syn_recv_sock* tcp_v6_syn_recv_sock* tcp_fin* tcp_time_wait* tcp_setsockopt* do_tcp_setsockopt*"
	     " tcp_getsockopt* do_tcp_getsockopt* tcp_ioctl* tcp_check_req* tcp_shutdown* inet_csk_*"),
	AREA(AREA_UDP, READ,
	     "__udp_enqueue_schedule_skb* __skb_recv_udp* udp_gro_receive* udp4_gro_receive* udp6_gro_receive*"),
	AREA(AREA_UDP, WRITE, "udp_splice_eof* udp_tunnel_xmit_skb* udp_tunnel6_xmit_skb*"),
	AREA(AREA_UDP, NONE,
	     "udp_lib_* udp_destroy_sock* udpv6_destroy_sock* udp_setsockopt* udpv6_setsockopt* udp_getsockopt*"
	     " udp_v4_get_port* udp_v6_get_port* udp_disconnect* udp_pre_connect*"),
	AREA(AREA_IPC, READ,
	     "unix_stream_read* unix_stream_splice_read* unix_dgram_recvmsg* __unix_dgram_recvmsg*"
	     " unix_seqpacket_recvmsg* do_msgrcv* *sys_msgrcv* do_mq_timedreceive* *sys_mq_timedreceive*"),
	AREA(AREA_IPC, WRITE,
	     "unix_dgram_sendmsg* unix_seqpacket_sendmsg* do_msgsnd* *sys_msgsnd* do_mq_timedsend* *sys_mq_timedsend*"
	     " eventfd_signal*"),
	AREA(AREA_IPC, NONE,
	     "unix_stream_connect* unix_accept* unix_release* unix_create* unix_find_other* unix_gc* __unix_gc*"
	     " do_semtimedop* __do_semtimedop* *sys_semop* *sys_semtimedop* *sys_semget* *sys_semctl* *sys_msgget*"
	     " *sys_msgctl* *sys_shmget* *sys_shmat *sys_shmdt *sys_shmctl* do_shmat* do_pipe2* create_pipe_files*"
	     " alloc_pipe_info* free_pipe_info* pipe_release* fifo_open* *sys_pipe* *sys_eventfd*"),
	AREA(AREA_CIPHER, NONE,
	     "aesni_* aes_* gcm_* crypto_gcm_* crypto_authenc_* ghash_* clmul_ghash* sha1_* sha224_* sha256_*"
	     " sha384_* sha512_* sha3_* __sha1_* __sha256_* __sha512_* md5_* blake2s_* blake2b_* chacha_* __chacha*"
	     " chacha20* poly1305_* xchacha20* curve25519_* xts_* ctr_crypt* cbc_encrypt* cbc_decrypt* ecb_encrypt*"
	     " ecb_decrypt* rfc4106_* seqiv_aead_* crypto_skcipher_encrypt* crypto_skcipher_decrypt*"
	     " crypto_aead_encrypt* crypto_aead_decrypt* crypto_akcipher_* skcipher_walk_* simd_skcipher_*"
	     " simd_aead_* cryptd_* kcryptd_* crypt_convert* fscrypt_encrypt* fscrypt_decrypt* fscrypt_crypt* pkcs1pad_* rsa_* ecdsa_* mpi_* mpihelp_*"
	     " sm4_* camellia_* serpent_* twofish_* hmac_* cmac_* skcipher_recvmsg* aead_recvmsg* hash_recvmsg*"
	     " hash_sendmsg* get_random_bytes* urandom_read* random_read_iter* crng_* extract_entropy*"
	     " *sys_getrandom*"),
	AREA(AREA_NETFILTER, NONE,
	     "nf_* nft_* ipt_do_table* ip6t_do_table* arpt_do_table* ebt_do_table* iptable_* ip6table_* xt_* __nf_*"
	     " nfnetlink_* ip_set_* ip_vs_*"),
	AREA(AREA_SOCKET, READ,
	     "____sys_recvmsg* ___sys_recvmsg* __sys_recv* *sys_recvfrom* *sys_recvmsg* *sys_recvmmsg*"
	     " packet_recvmsg* raw_recvmsg* rawv6_recvmsg* netlink_recvmsg* inet_recvmsg* inet6_recvmsg*"
	     " skb_recv_datagram* __skb_recv_datagram* sock_splice_read*"),
	AREA(AREA_SOCKET, WRITE,
	     "____sys_sendmsg* ___sys_sendmsg* __sys_send* *sys_sendto* *sys_sendmsg* *sys_sendmmsg* packet_sendmsg*"
	     " packet_snd* raw_sendmsg* rawv6_sendmsg* netlink_sendmsg* netlink_unicast* netlink_broadcast*"
	     " inet_sendmsg* inet6_sendmsg* splice_to_socket* kernel_sendpage* kernel_sendmsg* sock_sendpage*"
	     " tls_sw_sendmsg* tls_push_*"),
	AREA(AREA_SOCKET, NONE,
	     "__sys_connect* __sys_accept* __sys_socket* __sys_bind* __sys_listen* __sys_shutdown* __sys_setsockopt*"
	     " __sys_getsockopt* *sys_connect* *sys_accept* *sys_socket* *sys_bind* *sys_listen* *sys_shutdown*"
	     " *sys_setsockopt* *sys_getsockopt* *sys_getsockname* *sys_getpeername* __sock_create* sock_create*"
	     " sock_close* __sock_release* sock_release* sock_ioctl* inet_create* inet6_create* inet_release*"
	     " inet_stream_connect* inet_dgram_connect* inet_accept* inet_bind* inet6_bind* rtnetlink_rcv* rtnl_*"
	     " netlink_rcv_skb* netlink_dump* sk_wait_data*"),
	AREA(AREA_DISK, READ,
	     "blkdev_read_iter* f2fs_file_read_iter* ext2_file_read_iter* page_cache_ra_* page_cache_sync_ra*"
	     " page_cache_async_ra* page_cache_sync_readahead* page_cache_async_readahead* ondemand_readahead*"
	     " force_page_cache_* do_page_cache_ra* read_pages ext4_mpage_readpages* ext4_readahead* ext4_readpage*"
	     " ext4_read_folio* mpage_readahead* iomap_readahead* iomap_read_* xfs_vm_readahead* btrfs_readahead*"
	     " extent_readahead* swap_readpage* swap_read_folio* swap_cluster_readahead* swapin_readahead*"
	     " filemap_splice_read* generic_file_splice_read* __bread_* ext4_bread* ext4_read_bh* *sys_readahead*"
	     " generic_file_buffered_read*"),
	AREA(AREA_DISK, WRITE,
	     "blkdev_write_iter* f2fs_file_write_iter* ext2_file_write_iter* ext4_buffered_write_iter*"
	     " iomap_file_buffered_write* btrfs_buffered_write* btrfs_do_write_iter* swap_writepage* swap_writeout*"
	     " __swap_writepage* ext4_fallocate* xfs_file_fallocate* btrfs_fallocate* balance_dirty_pages*"),
	AREA(AREA_DISK, SYNC,
	     "vfs_fsync* do_fsync* *sys_fsync* *sys_fdatasync* *sys_sync *sys_syncfs *sys_sync_file_range*"
	     " *sys_msync* ksys_sync* sync_inodes_* sync_filesystem* sync_blockdev* iterate_supers* ext4_sync_file*"
	     " xfs_file_fsync* btrfs_sync_file* ext4_sync_fs* xfs_fs_sync_fs* btrfs_sync_fs*"
	     " file_write_and_wait_range* file_fdatawait_range* __filemap_fdatawrite* filemap_fdatawrite*"
	     " filemap_fdatawait* __filemap_fdatawait* do_writepages* wb_workfn* wb_writeback* __writeback_*"
	     " writeback_inodes_* writeback_single_inode* ext4_writepages* ext4_do_writepages* xfs_vm_writepages*"
	     " btrfs_writepages* iomap_writepages* jbd2_journal_commit_transaction* jbd2_log_*"
	     " jbd2_complete_transaction* jbd2_fc_* jbd2_journal_flush* jbd2_checkpoint* __jbd2_log_*"
	     " __jbd2_journal_clean_checkpoint* kjournald2* ext4_fc_* ext4_force_commit* xlog_* xfs_log_force*"
	     " xfsaild* btrfs_commit_transaction* transaction_kthread* btrfs_sync_log* btrfs_log_*"),
	AREA(AREA_DISK, NONE,
	     "submit_bio* __submit_bio* submit_bh* submit_one_bio* bio_* __bio_* blk_* __blk_* blkg_* elv_* dd_*"
	     " bfq_* kyber_* scsi_* __scsi_* sd_* ata_* __ata_* ahci_* nvme_* virtblk_* virtscsi_* loop_* lo_rw_aio*"
	     " lo_complete_rq* xen_blk* dm_* __map_bio* md_* raid0_* raid1_* raid5_* raid10_* iomap_dio_*"
	     " __iomap_dio_* blkdev_* __blkdev_* bdev_* __bdev_* end_bio_* end_buffer_* ext4_end_bio* mpage_end_io*"
	     " iomap_end_bio* iomap_finish_* iomap_writepage_end_bio* dio_* __dio_* do_blockdev_direct_IO*"
	     " __blockdev_direct_IO* btrfs_submit_* btrfs_end_bio* xfs_buf_* mmc_blk_* mmc_mq_* *sys_io_submit*"
	     " io_submit_one*"),
	AREA(AREA_SECURITY, NONE,
	     "security_* apparmor_* aa_* selinux_* avc_* smack_* tomoyo_* landlock_* current_check_access_* bpf_lsm_*"
	     " cap_* yama_* __seccomp_filter* __secure_computing* seccomp_* audit_* __audit_* ima_* evm_* integrity_*"
	     " process_measurement* ns_capable* capable capable_wrt_* *sys_seccomp* *sys_landlock_* *sys_capset*"
	     " *sys_capget* *sys_keyctl* *sys_add_key* *sys_request_key* kauditd_*"),
	AREA(AREA_PROCESS, NONE,
	     "kernel_clone* copy_process* dup_mm dup_mmap* dup_task_struct* copy_page_range* copy_files* do_exit"
	     " do_group_exit* exit_mm exit_mmap* __mmput* mm_release* exit_files* exit_notify* release_task*"
	     " begin_new_exec* bprm_* do_execve* do_execveat* load_elf_binary* load_script* exec_binprm* exec_mmap*"
	     " setup_arg_pages* kernel_execve* copy_strings* do_wait kernel_wait4* kernel_waitid* wait_consider_task*"
	     " delayed_put_task_struct* put_task_struct* __put_task_struct* free_task do_signal get_signal*"
	     " arch_do_signal* handle_signal* setup_rt_frame* x64_setup_rt_frame* restore_sigcontext* send_signal*"
	     " __send_signal* do_send_sig_info* send_sig* kill_pid* kill_something* do_tkill* do_send_specific*"
	     " force_sig* complete_signal* group_send_sig_info* dequeue_signal* do_coredump* elf_core_dump*"
	     " vfs_coredump* ptrace_* *sys_ptrace* *sys_clone* *sys_fork* *sys_vfork* *sys_exec* *sys_exit*"
	     " *sys_wait4* *sys_waitid* *sys_waitpid* *sys_kill *sys_tkill *sys_tgkill *sys_rt_sig* *sys_sigreturn*"
	     " *sys_sigaltstack* *sys_prctl* *sys_arch_prctl* *sys_unshare* *sys_setns* *sys_getpid *sys_getppid"
	     " *sys_gettid *sys_getuid *sys_geteuid *sys_getgid *sys_getegid *sys_getrusage* *sys_times*"
	     " *sys_setpgid* *sys_setsid* *sys_set_robust_list* *sys_set_tid_address* *sys_rseq* *sys_prlimit*"
	     " *sys_pidfd_*"),
	AREA(AREA_FILESYSTEM, NONE,
	     "path_openat* path_lookupat* path_parentat* path_init* path_get* path_put* link_path_walk*"
	     " walk_component* step_into* handle_mounts* lookup_* __lookup_* filename_* do_filp_open* do_sys_open*"
	     " do_dentry_open* do_open* open_last_lookups* may_open* inode_permission* generic_permission* vfs_*"
	     " ksys_read* ksys_write* ksys_pread* ksys_pwrite* ksys_lseek* new_sync_read* new_sync_write*"
	     " rw_verify_area* do_iter_read* do_iter_write* do_readv* do_writev* do_sendfile* do_splice*"
	     " iter_file_splice_write* __d_lookup* d_alloc* __d_alloc* d_lookup* d_path* __d_path* d_invalidate*"
	     " d_walk* __d_add* d_add* d_splice_alias* dput* dentry_* __dentry_kill* shrink_dentry* shrink_dcache*"
	     " prune_dcache* prune_icache* iget_* iget5_* iput* evict evict_inodes* new_inode* alloc_inode*"
	     " inode_init_* destroy_inode* touch_atime* atime_needs_update* file_update_time* __mark_inode_dirty*"
	     " iterate_dir* filldir* getname* user_path_* do_readlinkat* do_faccessat* do_unlinkat* do_rmdir*"
	     " do_mkdirat* do_mknodat* do_renameat2* do_linkat* do_symlinkat* do_statx* do_fchmodat* do_fchownat*"
	     " do_truncate* do_statfs* fput* __fput* ____fput* filp_close* filp_open* alloc_empty_file* __alloc_file*"
	     " alloc_fd* do_dup2* close_fd* ext4_* __ext4_* ext2_* xfs_* btrfs_* __btrfs_* f2fs_* jbd2_* __jbd2_*"
	     " ovl_* v9fs_* p9_* netfs_* fuse_* virtio_fs_* nfs_* nfs4_* rpc_* xprt_* cifs_* smb2_* ceph_* proc_*"
	     " seq_* kernfs_* sysfs_* debugfs_* tracefs_* simple_* dcache_* ramfs_* squashfs_* fat_* vfat_* isofs_*"
	     " erofs_* cgroup_file_* fsnotify* __fsnotify* inotify_* fanotify_* flock_* posix_lock_* locks_*"
	     " do_mount* path_mount* path_umount* mnt_* mntput* lockref_* dquot_* generic_file_llseek*"
	     " generic_fillattr* cp_new_stat* strncpy_from_user* *sys_open* *sys_close* *sys_read *sys_readv"
	     " *sys_write *sys_writev *sys_pread* *sys_pwrite* *sys_lseek* *sys_llseek* *sys_stat* *sys_newstat*"
	     " *sys_lstat* *sys_newlstat* *sys_fstat* *sys_newfstat* *sys_statx* *sys_access* *sys_faccessat*"
	     " *sys_readlink* *sys_getdents* *sys_mkdir* *sys_rmdir* *sys_unlink* *sys_rename* *sys_link*"
	     " *sys_symlink* *sys_chmod* *sys_fchmod* *sys_chown* *sys_lchown* *sys_fchown* *sys_utime* *sys_dup"
	     " *sys_dup2 *sys_dup3 *sys_fcntl* *sys_flock* *sys_chdir* *sys_fchdir* *sys_getcwd* *sys_chroot*"
	     " *sys_truncate* *sys_ftruncate* *sys_fallocate* *sys_fadvise* *sys_copy_file_range* *sys_sendfile*"
	     " *sys_splice* *sys_tee *sys_vmsplice* *xattr* *sys_mount* *sys_umount* *sys_inotify_* *sys_fanotify_*"),
	AREA(AREA_IO_URING, NONE,
	     "io_uring_* __io_uring_* io_submit_sqe* io_issue_sqe* __io_issue_sqe* io_wq_* io_worker_* io_wqe_*"
	     " io_sq_thread* io_cqring_* io_req_* __io_req_* io_handle_tw_list* tctx_task_work* io_run_task_work*"
	     " __io_run_local_work* io_run_local_work* io_queue_* __io_queue_* io_arm_* __io_arm_* io_file_get_*"
	     " io_alloc_req* __io_alloc_req* io_free_batch_list* io_free_req* __io_submit_flush_completions*"
	     " io_fill_cqe* io_cqe_* *sys_io_uring_*"),
	AREA(AREA_POLL, NONE,
	     "do_epoll_* ep_poll* ep_send_events* ep_item_poll* ep_insert* ep_remove* ep_done_scan* ep_scan_*"
	     " ep_start_scan* ep_try_send_* ep_autoremove_* __ep_* eventpoll_* do_sys_poll* do_select"
	     " core_sys_select* do_pselect* poll_schedule_timeout* poll_freewait* poll_select_* __pollwait* pollwake*"
	     " *sys_epoll_* *sys_poll *sys_ppoll* *sys_select *sys_pselect* *sys_io_getevents* *sys_io_pgetevents*"),
	AREA(AREA_SLEEP, NONE,
	     "do_nanosleep* hrtimer_nanosleep* common_nsleep* usleep_range* msleep* timerfd_* do_timerfd_*"
	     " posix_timer_* posix_cpu_* do_timer_* do_setitimer* do_getitimer* posix_get_* do_clock_*"
	     " *sys_nanosleep* *sys_clock_* *sys_timer_* *sys_timerfd_* *sys_gettimeofday* *sys_time *sys_setitimer*"
	     " *sys_getitimer* *sys_alarm* *sys_pause"),
	AREA(AREA_NETWORK, READ,
	     "netif_receive_skb* __netif_receive_skb* netif_rx* napi_gro_* napi_complete_done* __napi_poll*"
	     " net_rx_action* process_backlog* dev_gro_receive* gro_* ip_rcv* ip_local_deliver* ip_list_rcv*"
	     " ip_sublist_rcv* ipv6_rcv* ip6_input* ip6_rcv* ipv6_list_rcv* icmp_rcv* icmpv6_rcv* arp_rcv* igmp_rcv*"
	     " virtnet_poll* virtnet_receive* napi_threaded_poll* tun_get_user* tun_chr_write_iter* veth_poll*"
	     " br_handle_frame* packet_rcv* tpacket_rcv* sk_filter_trim_cap*"),
	AREA(AREA_NETWORK, WRITE,
	     "dev_queue_xmit* __dev_queue_xmit* dev_hard_start_xmit* __dev_direct_xmit* sch_direct_xmit* __qdisc_run*"
	     " qdisc_* net_tx_action* ip_output* ip6_output* ip_local_out* __ip_local_out* ip6_local_out*"
	     " ip_finish_output* ip6_finish_output* ip_queue_xmit* __ip_queue_xmit* ip6_xmit* ip_send_skb*"
	     " ip_push_pending_frames* ip_forward* ip6_forward* icmp_send* icmp_push_reply* arp_send* arp_xmit*"
	     " neigh_resolve_output* start_xmit loopback_xmit* veth_xmit* tun_net_xmit* tun_chr_read_iter*"
	     " br_forward* br_dev_xmit* fq_codel_* pfifo_fast_* validate_xmit_* napi_consume_skb* dev_kfree_skb*"),
	AREA(AREA_NETWORK, NONE,
	     "inet_* inet6_* __inet_* ipv4_* ipv6_* fib_* fib6_* ip_route_* ip6_route_* ip6_pol_route* rt_dst_*"
	     " rt_cache_* rt_set_nexthop* neigh_* arp_* dst_* icmp_* icmpv6_* igmp_* addrconf_* netlink_* genl_* sk_*"
	     " __sk_* sock_* __sock_* skb_* __skb_* alloc_skb* __alloc_skb* kfree_skb* __kfree_skb* consume_skb*"
	     " __consume_stateless_skb* lock_sock* release_sock* __release_sock* wg_* xfrm_* esp_* vxlan_* bond_*"
	     " br_* netdev_* linkwatch_* unix_* packet_* tun_* wireless_* cfg80211_* ieee80211_*"),
	AREA(AREA_CRYPTO, NONE,
	     "crypto_* shash_* ahash_* skcipher_* aead_* akcipher_* pkcs7_* x509_* algif_* af_alg_*"),
	AREA(AREA_RECLAIM, NONE,
	     "shrink_* do_shrink_* kswapd* balance_pgdat* try_to_free_* do_try_to_free_pages*"
	     " try_to_free_mem_cgroup* compact_* kcompactd* try_to_compact* isolate_* migrate_pages*"
	     " migrate_folio* migrate_misplaced_* rmap_walk* try_to_unmap* try_to_migrate* out_of_memory*"
	     " oom_* evict_folios* lru_gen_* mem_cgroup_soft_limit_reclaim* reclaim_* wakeup_kswapd*"
	     " mem_cgroup_out_of_memory*"),
	AREA(AREA_FAULT, NONE,
	     "exc_page_fault* asm_exc_page_fault* do_page_fault* do_user_addr_fault* handle_mm_fault*"
	     " __handle_mm_fault* handle_pte_fault* do_anonymous_page* do_fault* do_read_fault* do_cow_fault*"
	     " do_shared_fault* do_wp_page* wp_page_* do_swap_page* do_numa_page* do_huge_pmd_* finish_fault*"
	     " filemap_fault* filemap_map_* __do_fault* userfaultfd_* handle_userfault* expand_stack*"
	     " expand_downwards* do_pte_missing* lock_mm_and_find_vma* lock_vma_under_rcu* hugetlb_fault*"
	     " fixup_user_fault* vmf_insert_* fault_dirty_shared_page*"),
	AREA(AREA_MEMORY, NONE,
	     "shmem_* hugetlb_* do_mmap* mmap_region* __mmap_* vm_mmap* ksys_mmap* do_munmap* __do_munmap*"
	     " do_vmi_* vm_munmap* __vm_munmap* unmap_* zap_* mprotect_* do_mprotect* change_protection*"
	     " change_pte_range* mremap_* move_vma* move_page_tables* do_brk* do_madvise* madvise_* mlock_*"
	     " do_mlock* populate_vma_* faultin_page* get_user_pages* __get_user_pages* pin_user_pages* vma_*"
	     " vm_area_* anon_vma_* __anon_vma_* folio_* __folio_* vma_alloc_folio* drain_stock* drain_local_*"
	     " vmalloc* __vmalloc* vfree* vmap_* vunmap_* pcpu_* __alloc_percpu* alloc_percpu* free_percpu*"
	     " khugepaged* collapse_* hpage_collapse_* ksm_* ksmd* folio_zero_* copy_user_highpage*"
	     " copy_user_large_folio* copy_mc_user_* copy_page copy_page_regs* mem_cgroup_* __mem_cgroup_*"
	     " charge_memcg* try_charge* memcg_* obj_cgroup_* __mod_memcg_* __mod_lruvec_* __lruvec_* lru_*"
	     " pagevec_* free_swap_cache* free_page_and_swap* tlb_* __tlb_* flush_tlb_* native_flush_tlb_*"
	     " swap_* page_remove_rmap* page_add_* free_pgtables* free_pgd_range* __pte_alloc* pte_alloc_one*"
	     " __pmd_alloc* __pud_alloc* pgd_alloc* *sys_mmap* *sys_munmap* *sys_mprotect* *sys_mremap*"
	     " *sys_brk *sys_madvise* *sys_mincore* *sys_mlock* *sys_munlock* *sys_mbind* *sys_set_mempolicy*"
	     " *sys_memfd_create* *sys_process_madvise* *sys_process_vm_*"),
	AREA(AREA_SLAB, NONE,
	     "kmem_cache_alloc* kmem_cache_free* __kmem_cache_* kmalloc* __kmalloc* krealloc* kfree kvfree*"
	     " kvmalloc* __kvmalloc* kvrealloc* __slab_* ___slab_* slab_* new_slab* allocate_slab*"
	     " get_partial_* put_cpu_partial* __unfreeze_partials* refill_* drain_obj_* __kfree"
	     " kfree_sensitive* ksize free_to_partial_list* __kmem_obj_* alloc_from_pcs* __pcs_* barn_*"
	     " refill_sheaf* deactivate_slab* discard_slab*"),
	AREA(AREA_PAGES, NONE,
	     "alloc_pages* __alloc_pages* __alloc_frozen_pages* alloc_frozen_pages* alloc_page_* free_pages*"
	     " __free_pages* free_frozen_pages* __free_frozen_pages* free_unref_* __free_one_page*"
	     " free_one_page* free_pcppages_bulk* get_page_from_freelist* rmqueue* get_zeroed_page*"
	     " __get_free_pages* post_alloc_hook* prep_new_page* drain_pages* clear_page* clear_huge_page*"
	     " clear_folio* clear_subpage* release_pages* free_unref_page* rmqueue_bulk* __rmqueue*"
	     " steal_suitable_fallback* prep_compound_page* split_free_page* alloc_contig_* folio_zero_user*"),
	AREA(AREA_PREEMPTION, NONE, "exit_to_user_mode_loop* exit_to_user_mode_prepare* prepare_exit_to_usermode*"),
	AREA(AREA_SYNCHRONIZATION, NONE,
	     "*futex* schedule schedule_timeout* io_schedule* schedule_hrtimeout* mutex_* __mutex_* ww_mutex_*"
	     " rwsem_* down_* __down* down up up_read up_write percpu_down_* percpu_up_* __percpu_down_* rt_mutex_*"
	     " __rt_mutex_* native_queued_spin_lock_slowpath* __pv_queued_spin_lock_slowpath*"
	     " queued_read_lock_slowpath* queued_write_lock_slowpath* rtlock_* rt_spin_lock* rt_read_lock*"
	     " rt_write_lock* osq_lock* wait_for_completion* __wait_for_common* __wait_on_bit* out_of_line_wait_*"
	     " bit_wait* wait_on_bit* prepare_to_wait* finish_wait* wait_woken* do_wait_intr* synchronize_rcu*"
	     " synchronize_srcu* __synchronize_srcu* wait_rcu_gp* __wait_rcu_gp* membarrier_* *sys_membarrier*"),
	AREA(AREA_TIMER, NONE,
	     "hrtimer_* __hrtimer_* run_timer_* __run_timer* call_timer_fn* expire_timers* process_timeout*"
	     " mod_timer* __mod_timer* add_timer* del_timer* timer_delete* tick_* __tick_* update_process_times*"
	     " update_wall_time* timekeeping_* ktime_get* clockevents_* local_apic_timer_interrupt* timerqueue_*"
	     " lapic_*"),
	AREA(AREA_SCHEDULER, NONE,
	     "__schedule preempt_schedule* schedule_idle* schedule_tail* __cond_resched* _cond_resched*"
	     " try_to_wake_up* wake_up_* wake_q_* __wake_up* default_wake_function* autoremove_wake_function* ttwu_*"
	     " load_balance* sched_* __sched_* do_sched_* rebalance_domains* run_rebalance_domains* newidle_balance*"
	     " pick_next_task* __pick_next_task* pick_next_entity* pick_eevdf* enqueue_task* dequeue_task*"
	     " enqueue_entity* dequeue_entit* update_rq_clock* update_curr* update_load_avg* task_tick_*"
	     " finish_task_switch* migration_cpu_stop* stop_one_cpu* cpu_stopper_thread* select_task_rq*"
	     " set_next_entity* put_prev_* psi_* __switch_to* switch_mm* switch_fpu* resched_* *sys_sched_*"
	     " *sys_getpriority* *sys_setpriority* yield"),
	AREA(AREA_RCU, NONE,
	     "rcu_* __rcu_* call_rcu* __call_rcu* kfree_rcu* kvfree_rcu* srcu_* __srcu_* process_srcu*"),
	AREA(AREA_VIRTUALIZATION, NONE, "kvm_* __kvm_* vcpu_* vmx_* __vmx_* svm_* __svm_* vhost_* tdp_*"),
	AREA(AREA_BPF, NONE, "bpf_* __bpf_* htab_map_* array_map_* trace_call_bpf* *sys_bpf*"),
	AREA(AREA_SOFTIRQ, NONE,
	     "handle_softirqs* __do_softirq* do_softirq* run_ksoftirqd* __local_bh_enable_ip* tasklet_*"
	     " irq_exit* __irq_exit*"),
	AREA(AREA_IRQ, NONE,
	     "handle_irq_event* __handle_irq_event* handle_edge_irq* handle_fasteoi_irq* handle_level_irq*"
	     " handle_percpu_* generic_handle_* irq_enter* irq_work_* irq_thread* irqentry_* asm_exc_* exc_* apic_*"
	     " x2apic_* smp_call_function* flush_smp_call_function* __flush_smp_call_* generic_smp_call_*"
	     " on_each_cpu* common_interrupt_return* csd_*"),
	{
		.area = AREA_IRQ,
		.interrupt = 1,
		.patterns = "common_interrupt asm_common_interrupt asm_sysvec_* sysvec_* spurious_interrupt"
			    " asm_exc_nmi exc_nmi call_on_irq_stack el1_interrupt el1h_64_irq* el0_interrupt"
			    " el0t_64_irq*",
	},
	{
		.area = AREA_OTHER,
		.entry = 1,
		.patterns = "entry_SYSCALL_* do_syscall_64 x64_sys_call ia32_sys_call syscall_enter_* syscall_exit_*"
			    " __syscall_* syscall_return_* syscall_trace_* do_int80_* do_fast_syscall_32"
			    " __do_fast_syscall_32 do_SYSENTER_32 entry_SYSENTER_* entry_INT80_* do_el0_svc el0_svc*"
			    " invoke_syscall* exit_to_user_mode_prepare* exit_to_user_mode_loop*"
			    " swapgs_restore_regs_and_return_to_usermode*",
	},
};

const unsigned int rules_count = sizeof(rules) / sizeof(rules[0]);

const char *area_name(enum area area, enum direction direction)
{
	static const char *const names[AREA_COUNT] = {
		[AREA_TCP] = "network/tcp",
		[AREA_UDP] = "network/udp",
		[AREA_IPC] = "ipc",
		[AREA_CIPHER] = "crypto",
		[AREA_NETFILTER] = "netfilter",
		[AREA_SOCKET] = "network/other",
		[AREA_DISK] = "disk",
		[AREA_SECURITY] = "security",
		[AREA_PROCESS] = "process",
		[AREA_FILESYSTEM] = "filesystem",
		[AREA_IO_URING] = "io_uring",
		[AREA_POLL] = "poll",
		[AREA_SLEEP] = "timer",
		[AREA_NETWORK] = "network/other",
		[AREA_CRYPTO] = "crypto",
		[AREA_RECLAIM] = "memory/reclaim",
		[AREA_FAULT] = "memory/fault",
		[AREA_MEMORY] = "memory",
		[AREA_SLAB] = "memory/slab",
		[AREA_PAGES] = "memory/pages",
		[AREA_PREEMPTION] = "scheduler",
		[AREA_SYNCHRONIZATION] = "synchronization",
		[AREA_TIMER] = "timer",
		[AREA_SCHEDULER] = "scheduler",
		[AREA_RCU] = "synchronization",
		[AREA_VIRTUALIZATION] = "virtualization",
		[AREA_BPF] = "bpf",
		[AREA_SOFTIRQ] = "softirq",
		[AREA_IRQ] = "irq",
		[AREA_OTHER] = "other",
		[AREA_SYSCALL] = "syscall",
	};
	static const char *const suffixes[DIRECTION_COUNT] = { "", "/read", "/write", "/sync" };
	static const char *interned[AREA_COUNT][DIRECTION_COUNT];
	const char **name = &interned[area][direction];

	if (!*name) {
		char text[64];

		snprintf(text, sizeof(text), "kernel/%s%s", names[area],
			 area == AREA_DISK && direction == DIRECTION_NONE ? "/block" : suffixes[direction]);
		*name = intern(text);
	}
	return *name;
}
