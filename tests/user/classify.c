// SPDX-License-Identifier: GPL-2.0-or-later
/* classify/classify.h: the connector's own test vectors, our areas on real stacks, leaves in user space, names of libraries and calls. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/message.h"
#include "check.h"
#include "classify/classify.h"
#include "classify/library.h"
#include "classify/rules.h"

/* A stack of kernel functions, leaf first, separated by blanks; "?" has no name. */
static struct class kernel_class(const char *functions)
{
	struct stack *stack = memory_zeroed(1, sizeof(*stack) + 64 * sizeof(stack->frames[0]));
	struct class class;

	for (const char *at = functions; *at; at += strspn(at, " ")) {
		size_t bytes = strcspn(at, " ");

		stack->frames[stack->kernel_frames++] = (struct frame){
			.kind = FRAME_KERNEL, .function = *at == '?' ? NULL : intern_bytes(at, bytes), .object = intern("[kernel]"),
		};
		at += bytes;
	}
	stack->frames[stack->kernel_frames] = (struct frame){ .kind = FRAME_NATIVE, .object = intern("/usr/bin/program"),
							      .function = intern("tcp_recvmsg") };
	stack->user_frames = 1;
	classify(stack, "/usr/bin/program", NULL);
	class = stack->class;
	free(stack);
	return class;
}

/* The way up from system calls. */
#define SYSCALL(name)	" __x64_sys_" name " x64_sys_call do_syscall_64 entry_SYSCALL_64_after_hwframe"

static void connector_vectors(void)
{
	static const struct {
		const char *functions, *area, *proto, *io, *syscall;
	} cases[] = {
		{ "handle_mm_fault alloc_pages tcp_recvmsg __x64_sys_read", "network", "tcp", "read", "read" },
		{ "sock_recvmsg tcp_recvmsg __schedule", "network", "tcp", "read", NULL },
		{ "tcp_sendmsg sock_sendmsg wake_up", "network", "tcp", "write", NULL },
		{ "pipe_read udp_sendpage pipe_read ksys_write", "network", "udp", "write", "write" },
		{ "sock_write_iter unix_stream_sendmsg", "ipc", NULL, "write", NULL },
		{ "sock_read_iter pipe_read", "ipc", NULL, "read", NULL },
		{ "foo__schedule bar baz", "synchronization", NULL, NULL, NULL },
		{ "futex bar baz", "synchronization", NULL, NULL, NULL },
		{ "futex bar baz __x64_sys_futex", "synchronization", NULL, NULL, "futex" },
		{ "tcp_rcv_established foo tcp_v4_rcv bar tcp_sendmsg ksys_write", "network", "tcp", "write", "write" },
		{ "generic_file_read_iter wake_up futex_ sock_recvmsg", "network", "other", "read", NULL },
		{ "free_pages sock_read_iter do_munmap", "network", "other", "read", NULL },
		{ "wake_up futex_ sock_sendmsg generic_file_write_iter", "network", "other", "write", NULL },
		{ "do_munmap sock_write_iter free_pages", "network", "other", "write", NULL },
		{ "do_mmap alloc_pages filemap_read", "disk", NULL, "read", NULL },
		{ "alloc_pages futex_ ext4_file_write_iter", "disk", NULL, "write", NULL },
		{ "alloc_pages futex_ wake_up_ __arm64_sys_mmap", "memory", NULL, NULL, "mmap" },
		/* what its text says beyond them */
		{ "foo bar", NULL, NULL, NULL, NULL },
		{ "foo __x64_sys_getpid tcp_recvmsg", NULL, NULL, NULL, "getpid" },
		{ "tcp_recvmsg.cold ? __x64_sys_read.cold", "network", "tcp", "read", "read" },
		{ "foo ksys_pread64 __x64_sys_pread64", NULL, NULL, NULL, "pread64" },
		{ "foo my__x64_sys_read __x64_sys_ __x64_sys_write", NULL, NULL, NULL, "write" },
		{ "tcp_v4_rcv tcp_sendmsg __x64_sys_sendto", "network", "tcp", "read", "sendto" },
		{ "udp_rcv ksys_write", "network", "udp", "read", "write" },
		{ "xtcp_recvmsg schedule_timeout", "synchronization", NULL, NULL, NULL },
		{ "sched_yield", NULL, NULL, NULL, NULL },
		/* functions under their newer or other names */
		{ "schedule anon_pipe_read vfs_read ksys_read", "ipc", NULL, "read", "read" },
		{ "copy_page_from_iter anon_pipe_write vfs_write ksys_write", "ipc", NULL, "write", "write" },
		{ "fifo_pipe_read", "ipc", NULL, "read", NULL },
		{ "fifo_pipe_write", "ipc", NULL, "write", NULL },
		{ "foo udpv6_recvmsg inet6_recvmsg sock_recvmsg", "network", "udp", "read", NULL },
		{ "foo udpv6_sendmsg sock_sendmsg", "network", "udp", "write", NULL },
		{ "udpv6_queue_rcv_one_skb foo", "network", "udp", "read", NULL },
		{ "__udp6_lib_rcv foo", "network", "udp", "read", NULL },
		{ "__tcp_transmit_skb tcp_tasklet_func", "network", "tcp", "write", NULL },
		{ "__tcp_push_pending_frames", "network", "tcp", "write", NULL },
		{ "clear_page_erms __alloc_pages_noprof", "memory", NULL, NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct class class = kernel_class(cases[i].functions);

		check_string(class.kernel_area, cases[i].area, "kernel_area of %s", cases[i].functions);
		check_string(class.kernel_proto, cases[i].proto, "kernel_proto of %s", cases[i].functions);
		check_string(class.kernel_io, cases[i].io, "kernel_io of %s", cases[i].functions);
		check_string(class.syscall_name, cases[i].syscall, "syscall_name of %s", cases[i].functions);
		check_string(class.runtime, "kernel", "runtime of %s", cases[i].functions);
		check_string(class.shlib_name, NULL, "no shlib_name of %s", cases[i].functions);
	}
}

static void areas(void)
{
	static const struct {
		const char *area, *functions;
	} cases[] = {
		{ "kernel/network/tcp/write", "copy_user_enhanced_fast_string tcp_sendmsg_locked tcp_sendmsg sock_sendmsg" SYSCALL("sendto") },
		{ "kernel/network/tcp/write", "tcp_v4_rcv ip_local_deliver net_rx_action __do_softirq tcp_sendmsg __sys_sendto" SYSCALL("sendto") },
		{ "kernel/network/tcp/write", "tcp_v4_rcv net_rx_action handle_softirqs do_softirq __local_bh_enable_ip __dev_queue_xmit"
					      " __tcp_transmit_skb tcp_write_xmit tcp_sendmsg ksys_write" SYSCALL("write") },
		{ "kernel/network/tcp/read", "tcp_ack tcp_rcv_established net_rx_action handle_softirqs irq_exit_rcu common_interrupt" },
		{ "kernel/network/tcp/read", "__tcp_transmit_skb tcp_cleanup_rbuf tcp_recvmsg sock_recvmsg" SYSCALL("recvfrom") },
		{ "kernel/network/tcp/read", "tcp_v4_rcv __irq_exit_rcu common_interrupt asm_common_interrupt ext4_file_write_iter"
					     SYSCALL("write") },
		{ "kernel/network/tcp", "tcp_v4_connect __inet_stream_connect" SYSCALL("connect") },
		{ "kernel/network/udp/read", "__skb_recv_udp udpv6_recvmsg inet6_recvmsg sock_recvmsg" SYSCALL("recvfrom") },
		{ "kernel/network/udp/write", "ip_finish_output2 udp_send_skb udp_sendmsg sock_sendmsg" SYSCALL("sendmmsg") },
		{ "kernel/network/other/write", "icmp_push_reply raw_sendmsg sock_sendmsg" SYSCALL("sendto") },
		{ "kernel/network/other/read", "netlink_recvmsg sock_recvmsg" SYSCALL("recvmsg") },
		{ "kernel/network/other/read", "ip_rcv net_rx_action handle_softirqs run_ksoftirqd smpboot_thread_fn kthread ret_from_fork" },
		{ "kernel/network/other", "fib_table_lookup" },
		{ "kernel/ipc/read", "__schedule schedule anon_pipe_read vfs_read ksys_read" SYSCALL("read") },
		{ "kernel/ipc/write", "unix_dgram_sendmsg sock_sendmsg" SYSCALL("sendmsg") },
		{ "kernel/ipc", "do_semtimedop" SYSCALL("semop") },
		{ "kernel/disk/read", "copy_page_to_iter filemap_read ext4_file_read_iter vfs_read ksys_read" SYSCALL("read") },
		{ "kernel/disk/read", "submit_bio ext4_mpage_readpages page_cache_ra_unbounded filemap_fault __do_fault handle_mm_fault"
				      " exc_page_fault asm_exc_page_fault" },
		{ "kernel/disk/read", "blk_mq_submit_bio iomap_dio_rw ext4_file_read_iter" SYSCALL("pread64") },
		{ "kernel/disk/write", "submit_bio iomap_dio_rw ext4_file_write_iter vfs_write" SYSCALL("pwrite64") },
		{ "kernel/disk/write", "filemap_read foo ext4_file_write_iter" },
		{ "kernel/disk/sync", "__schedule schedule io_schedule jbd2_log_wait_commit ext4_sync_file do_fsync" SYSCALL("fsync") },
		{ "kernel/disk/sync", "crc32c_pcl_intel_update crypto_shash_update jbd2_journal_commit_transaction kjournald2 kthread" },
		{ "kernel/disk/sync", "submit_bio ext4_writepages do_writepages writeback_sb_inodes wb_writeback wb_workfn" },
		{ "kernel/disk/block", "nvme_irq __handle_irq_event_percpu handle_edge_irq common_interrupt asm_common_interrupt tcp_sendmsg" },
		{ "kernel/filesystem", "kmem_cache_alloc getname_flags do_sys_openat2" SYSCALL("openat") },
		{ "kernel/filesystem", "p9_virtio_request p9_client_rpc v9fs_vfs_getattr vfs_statx" SYSCALL("newfstatat") },
		{ "kernel/filesystem", "clear_page_erms shmem_get_folio shmem_write_begin generic_perform_write shmem_file_write_iter vfs_write"
				       " ksys_write" },
		{ "kernel/memory/fault", "clear_page_erms __alloc_pages handle_mm_fault do_user_addr_fault exc_page_fault asm_exc_page_fault" },
		{ "kernel/memory/fault", "asm_exc_page_fault" },
		{ "kernel/memory/slab", "get_page_from_freelist alloc_pages allocate_slab ___slab_alloc kmem_cache_alloc_noprof foo" },
		{ "kernel/memory/pages", "clear_page_erms get_page_from_freelist alloc_pages_mpol foo" },
		{ "kernel/memory/reclaim", "shrink_node do_try_to_free_pages __alloc_pages_slowpath alloc_pages handle_mm_fault" },
		{ "kernel/memory/reclaim", "shrink_folio_list shrink_lruvec shrink_node balance_pgdat kswapd kthread" },
		{ "kernel/memory", "unmap_page_range unmap_vmas do_vmi_munmap __vm_munmap" SYSCALL("munmap") },
		{ "kernel/synchronization", "__schedule schedule futex_wait_queue do_futex" SYSCALL("futex") },
		{ "kernel/synchronization", "native_queued_spin_lock_slowpath _raw_spin_lock foo" },
		{ "kernel/synchronization", "osq_lock rwsem_down_write_slowpath down_write foo" },
		{ "kernel/scheduler", "__schedule preempt_schedule_irq irqentry_exit sysvec_apic_timer_interrupt tcp_sendmsg" },
		{ "kernel/scheduler", "__schedule schedule exit_to_user_mode_loop syscall_exit_to_user_mode do_syscall_64" },
		{ "kernel/scheduler", "update_sd_lb_stats load_balance rebalance_domains run_rebalance_domains __do_softirq" },
		{ "kernel/timer", "task_tick_fair scheduler_tick update_process_times tick_sched_timer hrtimer_interrupt"
				  " sysvec_apic_timer_interrupt foo" },
		{ "kernel/timer", "__schedule schedule do_nanosleep hrtimer_nanosleep" SYSCALL("clock_nanosleep") },
		{ "kernel/softirq", "foo handle_softirqs irq_exit_rcu sysvec_apic_timer_interrupt ext4_file_read_iter" },
		{ "kernel/irq", "e1000_intr __handle_irq_event_percpu handle_irq_event common_interrupt tcp_sendmsg" },
		{ "kernel/crypto", "aesni_xts_encrypt crypto_skcipher_encrypt crypt_convert kcryptd_crypt process_one_work" },
		{ "kernel/crypto", "sha256_update hash_sendmsg sock_sendmsg" SYSCALL("sendto") },
		{ "kernel/crypto", "chacha_block_generic get_random_bytes_user" SYSCALL("getrandom") },
		{ "kernel/process", "copy_page_range dup_mmap copy_process kernel_clone" SYSCALL("clone") },
		{ "kernel/process", "unmap_page_range exit_mmap __mmput do_exit do_group_exit" SYSCALL("exit_group") },
		{ "kernel/poll", "__schedule schedule schedule_hrtimeout_range_clock ep_poll do_epoll_wait" SYSCALL("epoll_wait") },
		{ "kernel/poll", "foo" SYSCALL("poll") },
		{ "kernel/security", "apparmor_file_open security_file_open do_dentry_open path_openat" SYSCALL("openat") },
		{ "kernel/security", "__seccomp_filter syscall_trace_enter do_syscall_64" },
		{ "kernel/io_uring", "__schedule schedule io_cqring_wait" SYSCALL("io_uring_enter") },
		{ "kernel/netfilter", "nft_do_chain nf_hook_slow ip_rcv net_rx_action handle_softirqs" },
		{ "kernel/virtualization", "vmx_vcpu_run vcpu_enter_guest kvm_arch_vcpu_ioctl_run" SYSCALL("ioctl") },
		{ "kernel/bpf", "bpf_prog_test_run_xdp" SYSCALL("bpf") },
		{ "kernel/syscall", "entry_SYSCALL_64" },
		{ "kernel/syscall", "syscall_exit_to_user_mode do_syscall_64 entry_SYSCALL_64_after_hwframe" },
		{ "kernel/other", "foo do_syscall_64 entry_SYSCALL_64_after_hwframe" },
		{ "kernel/other", "foo process_one_work worker_thread kthread ret_from_fork" },
		{ "kernel/other", "? ?" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_string(kernel_class(cases[i].functions).area, cases[i].area, "area of %s", cases[i].functions);
}

static struct class user_class(enum frame_kind kind, const char *object, const char *caller, const char *executable, const char *runtime)
{
	struct stack *stack = memory_zeroed(1, sizeof(*stack) + 2 * sizeof(stack->frames[0]));
	struct class class;

	stack->user_frames = 2;
	stack->frames[0] = (struct frame){ .kind = kind, .object = intern(object), .function = intern("tcp_recvmsg") };
	stack->frames[1] = (struct frame){ .kind = FRAME_NATIVE, .object = intern(caller), .function = intern("main") };
	classify(stack, executable ? intern(executable) : NULL, runtime);
	class = stack->class;
	free(stack);
	return class;
}

static void leaves(void)
{
	static const struct {
		enum frame_kind kind;
		const char *object, *caller, *executable, *given, *runtime, *area, *shlib;
	} cases[] = {
		{ FRAME_NATIVE, "/usr/lib/libcrypto.so.3", "/usr/bin/openssl", "/usr/bin/openssl", NULL, "native", "native/libcrypto", "libcrypto" },
		{ FRAME_NATIVE, "/usr/bin/openssl", NULL, "/usr/bin/openssl", NULL, "native", "native/openssl", NULL },
		{ FRAME_NATIVE, "/usr/bin/openssl", NULL, NULL, NULL, "native", "native/openssl", NULL },
		{ FRAME_NATIVE, "[vdso]", NULL, "/bin/date", NULL, "native", "native/linux-vdso", "linux-vdso" },
		{ FRAME_NATIVE, "/usr/bin/python3.11", NULL, "/usr/bin/python3.11", "cpython", "cpython", "cpython", NULL },
		{ FRAME_NATIVE, "/usr/bin/python3.11 (deleted)", NULL, "/usr/bin/python3.11", "cpython", "cpython", "cpython", NULL },
		{ FRAME_NATIVE, "/usr/bin/python3.12", NULL, "/usr/bin/python3.11", "cpython", "native", "native/python", NULL },
		{ FRAME_NATIVE, "/opt/bin/python3.11", NULL, "/usr/bin/python3.11", "cpython", "native", "native/python", NULL },
		{ FRAME_NATIVE, "/usr/lib/libpython3.11.so.1.0", NULL, "/usr/bin/uwsgi", NULL, "cpython", "cpython", "libpython3.11" },
		{ FRAME_NATIVE, "/usr/lib/libz.so.1.2.13", NULL, "/usr/bin/python3.11", "cpython", "native", "native/libz", "libz" },
		{ FRAME_NATIVE, "/usr/bin/dockerd", NULL, "/usr/bin/dockerd", "go", "go", "go", NULL },
		{ FRAME_NATIVE, "/usr/bin/rg", NULL, "/usr/bin/rg", "rust", "rust", "rust", NULL },
		{ FRAME_NATIVE, "/usr/lib/jvm/lib/server/libjvm.so", NULL, "/usr/bin/java", "jvm", "jvm", "jvm", "libjvm" },
		{ FRAME_ANONYMOUS, NULL, "/usr/lib/libjvm.so", "/usr/bin/java", "jvm", "jvm", "jvm", NULL },
		{ FRAME_ANONYMOUS, NULL, "/usr/bin/node", "/usr/bin/node", "v8js", "v8js", "v8js", NULL },
		{ FRAME_ANONYMOUS, NULL, "/usr/lib/server/libjvm.so", "/usr/bin/launcher", NULL, "jvm", "jvm", NULL },
		{ FRAME_ANONYMOUS, NULL, "/usr/bin/luajit", "/usr/bin/luajit", NULL, "native", "jit", NULL },
		{ FRAME_ANONYMOUS, NULL, "/usr/bin/dockerd", "/usr/bin/dockerd", "go", "native", "jit", NULL },
		{ FRAME_NATIVE, "/memfd:doublemapper (deleted)", NULL, "/usr/bin/dotnet", "dotnet", "dotnet", "dotnet", NULL },
		{ FRAME_NATIVE, "/usr/share/dotnet/System.Private.CoreLib.dll", NULL, "/usr/bin/dotnet", "dotnet", "dotnet", "dotnet", NULL },
		{ FRAME_NATIVE, "/usr/lib/wine/ntdll.dll", NULL, "/usr/bin/wine", NULL, "native", "native/ntdll.dll", NULL },
		{ FRAME_UNKNOWN, NULL, "/usr/bin/foo", "/usr/bin/foo", "go", "native", "unknown", NULL },
	};
	struct stack empty = { .kernel_frames = 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct class class = user_class(cases[i].kind, cases[i].object, cases[i].caller, cases[i].executable, cases[i].given);
		const char *what = cases[i].object ? cases[i].object : cases[i].executable;

		check_string(class.runtime, cases[i].runtime, "runtime of a leaf in %s", what);
		check_string(class.area, cases[i].area, "area of a leaf in %s", what);
		check_string(class.shlib_name, cases[i].shlib, "shlib_name of a leaf in %s", what);
		check(!class.kernel_area && !class.syscall_name, "nothing of the kernel for a leaf in %s", what);
	}
	empty.class.kernel_area = "left over";
	classify(&empty, "/usr/bin/foo", "go");
	check_string(empty.class.area, "unknown", "area of no frames");
	check(!empty.class.runtime && !empty.class.kernel_area, "no runtime of no frames");
	check(user_class(FRAME_ANONYMOUS, NULL, NULL, NULL, "jvm").runtime == intern("jvm"), "runtimes are interned");
}

static void libraries(void)
{
	static const struct {
		const char *path, *name;
	} cases[] = {
		{ "/usr/lib/x86_64-linux-gnu/libcrypto.so.3", "libcrypto" }, { "libc.so.6", "libc" },
		{ "/lib/libc-2.31.so", "libc" }, { "/lib/libpthread-2.31.so", "libpthread" },
		{ "libstdc++.so.6.0.30", "libstdc++" }, { "ld-linux-x86-64.so.2", "ld-linux-x86-64" }, { "/lib/ld-2.31.so", "ld" },
		{ "linux-vdso.1.so", "linux-vdso" }, { "[vdso]", "linux-vdso" },
		{ "libpython3.11.so.1.0", "libpython3.11" }, { "libcrypto.so.1.0.2k", "libcrypto" },
		{ "_ssl.cpython-311-x86_64-linux-gnu.so", "_ssl" }, { "_rust.abi3.so", "_rust" },
		{ "libgcc_s-4.8.5-20150702.so.1", "libgcc_s" }, { "libgtk-3.so.0", "libgtk-3" }, { "libdb-5.3.so", "libdb" },
		{ "/usr/lib/libz.so.1.2.13 (deleted)", "libz" }, { "/a.so.1/libfoo.so", "libfoo" }, { "a.so.b.so.1", "a.so.b" },
		{ "my.solver", NULL }, { "/opt/x.so.d/app", NULL }, { "nginx", NULL }, { "/opt/libx.so.d", NULL }, { ".so", NULL },
		{ "/usr/lib/.so.1", NULL }, { "libx.so.", NULL }, { "libx.so2", NULL }, { "", NULL }, { "/", NULL }, { " (deleted)", NULL },
		{ "so", NULL }, { "[heap]", NULL }, { "-1.2.so", "-1.2" }, { NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_string(library_name(cases[i].path), cases[i].name, "library of \"%s\"", cases[i].path ? cases[i].path : "(none)");
}

/* A star within a word stands for itself, which no function of the kernel has in its name. */
static void patterns(void)
{
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < rules_count; i++) {
		for (const char *star = rules[i].patterns; (star = strchr(star, '*')); star++) {
			bool first = star == rules[i].patterns || star[-1] == ' ', last = !star[1] || star[1] == ' ';

			wrong += !first && !last;
		}
	}
	check_number(wrong, 0, "no built-in pattern has a star within");
}

static void programs(void)
{
	static const struct {
		const char *name, *wanted;
	} cases[] = {
		{ "python3.11", "python" }, { "perl5.36.0", "perl" }, { "lua5.4", "lua" }, { "gcc-12", "gcc" }, { "clang-14", "clang" },
		{ "node-v20.1", "node-v" }, { "postgres-15.2", "postgres" }, { "sha256sum", "sha256sum" }, { "python3", "python3" },
		{ "bzip2", "bzip2" }, { "qemu-system-x86_64", "qemu-system-x86_64" }, { "x86_64-linux-gnu-gcc-12", "x86_64-linux-gnu-gcc" },
		{ "a.", "a." }, { "a.5", "a.5" }, { "5.36", "5.36" }, { "-12", "-12" }, { "x", "x" }, { "ntdll.dll", "ntdll.dll" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_string(program_name(cases[i].name, strlen(cases[i].name)), cases[i].wanted, "program \"%s\"", cases[i].name);
}

/* Which user code called the kernel. */
static void callers(void)
{
	static const struct {
		const char *objects, *caller;
		const char *runtime;
	} cases[] = {
		{ "/lib/libc.so.6 /usr/lib/libssl.so.3 /usr/bin/nginx", "native/libssl", NULL },
		{ "/lib/libc.so.6 /lib/libpthread-2.31.so /usr/bin/nginx", "native/nginx", NULL },
		{ "[vdso] /lib/libc.so.6", "native/linux-vdso", NULL },
		{ "/usr/bin/nginx", "native/nginx", NULL },
		{ "/lib/libc.so.6 /usr/bin/python3.11", "cpython", "cpython" },
		{ "/memfd:x /usr/lib/libjvm.so", "jvm", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stack *stack = memory_zeroed(1, sizeof(*stack) + 8 * sizeof(stack->frames[0]));

		stack->kernel_frames = 1;
		stack->frames[0] = (struct frame){ .kind = FRAME_KERNEL, .function = intern("ksys_read"), .object = intern("[kernel]") };
		for (const char *at = cases[i].objects; *at; at += strspn(at, " ")) {
			size_t bytes = strcspn(at, " ");

			stack->frames[1 + stack->user_frames++] = (struct frame){ .kind = FRAME_NATIVE,
										  .object = intern_bytes(at, bytes) };
			at += bytes;
		}
		classify(stack, intern("/usr/bin/python3.11"), cases[i].runtime);
		check_string(stack->class.caller, cases[i].caller, "called from %s", cases[i].objects);
		check_string(stack->class.area, "kernel/filesystem", "and still in the kernel");
		free(stack);
	}
	check_string(kernel_class("ksys_read").caller, "native/program", "the program itself");
}

static void syscalls(void)
{
	check_string(syscall_name(0, false), "read", "64-bit 0");
	check_string(syscall_name(1, false), "write", "64-bit 1");
	check_string(syscall_name(9, false), "mmap", "64-bit 9");
	check_string(syscall_name(257, false), "openat", "64-bit 257");
	check_string(syscall_name(437, false), "openat2", "64-bit 437");
	check_string(syscall_name(0x40000001, false), "write", "x32 1");
	check_string(syscall_name(3, true), "read", "32-bit 3");
	check_string(syscall_name(192, true), "mmap2", "32-bit 192");
	check_string(syscall_name(437, true), "openat2", "32-bit 437");
	check_string(syscall_name(452, false), "fchmodat2", "newer than the headers");
	check_string(syscall_name(467, true), "open_tree_attr", "newer than the headers, 32-bit");
	check_string(syscall_name(335, false), "uretprobe", "64-bit 335");
	check_string(syscall_name(336, false), NULL, "a hole");
	check_string(syscall_name(-1, false), NULL, "none");
	check_string(syscall_name(-2147483647 - 1, true), NULL, "the most negative");
	check_string(syscall_name(2147483647, false), NULL, "the most positive");
}

int main(void)
{
	connector_vectors();
	areas();
	leaves();
	libraries();
	patterns();
	programs();
	callers();
	syscalls();
	return check_end();
}
