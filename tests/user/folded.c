// SPDX-License-Identifier: GPL-2.0-or-later
/* Folded stacks: the lines, to the letter. */
#include <errno.h>

#include "check.h"
#include "fake.h"

static void check_lines(void)
{
	struct profile *profile = fake_profile();
	struct task *openssl = fake_task(profile, 10, 10, "openssl", "openssl"),
		    *worker = fake_task(profile, 10, 11, "openssl", "worker");
	struct task *thread = fake_task(profile, 2, 2, "kworker/0:1", "kworker/0:1");
	struct stack *stack;
	size_t bytes;
	char *text;
	int error;

	stack = fake_stack(profile, "native/libcrypto", "u:aes@/usr/lib/libcrypto.so.3 u:main@/usr/bin/openssl");
	fake_cell(profile, openssl, stack, 2, 2000);
	fake_cell(profile, worker, stack, 1, 500);
	stack = fake_stack(profile, "kernel/disk/write",
			   "k:ext4_file_write_iter k:do_syscall_64 u:write@/usr/lib/libc.so.6 u:main@/usr/bin/openssl");
	fake_cell(profile, openssl, stack, 1, 700);
	stack = fake_stack(profile, "native/libcrypto", "u:@/usr/lib/libcrypto.so.3#1f2e a: x:");
	stack->user_end = KTALLY_END_BROKEN;
	fake_cell(profile, openssl, stack, 1, 41);
	stack = fake_stack(profile, "native/libcrypto", "u:deep;est@/usr/bin/openssl");
	stack->user_end = KTALLY_END_TRUNCATED;
	fake_cell(profile, openssl, stack, 1, 42);
	stack = fake_stack(profile, "kernel/other", "k:process_one_work k:worker_thread");
	fake_cell(profile, thread, stack, 1, 43);
	stack = fake_stack(profile, "kernel/other",
			   "k:@[kernel]#ffffffff81234567 k:nft_do_chain@[nf_tables] u:main@/usr/bin/openssl");
	stack->kernel_end = KTALLY_END_TRUNCATED;
	fake_cell(profile, openssl, stack, 1, 44);
	stack = fake_stack(profile, "unknown", "");
	fake_cell(profile, thread, stack, 1, 45);

	text = fake_export(export_folded, profile, &bytes, &error);
	check_number(error, 0, "folded stacks are written");
	check_string(text,
		     "kworker/0:1 45\n"
		     "kworker/0:1;worker_thread_[k];process_one_work_[k] 43\n"
		     "openssl;[broken];[unknown];[anonymous];[libcrypto.so.3+0x1f2e] 41\n"
		     "openssl;[truncated];deep:est 42\n"
		     "openssl;main;[truncated];nft_do_chain_[k];[kernel+0xffffffff81234567]_[k] 44\n"
		     "openssl;main;aes 2500\n"
		     "openssl;main;write;do_syscall_64_[k];ext4_file_write_iter_[k] 700\n",
		     "root first, in order, threads of a process together, cut stacks marked");
	free(text);
	check_number(fake_export_full(export_folded, profile), -ENOSPC, "a full disk is told");
	fake_free(profile);
}

/* Names from hostile files and processes: no line may be made up by one, none be lost. */
static void check_hostile_names(void)
{
	struct profile *profile = fake_profile();
	struct task *task = fake_task(profile, 1, 1, "evil;proc 5\nfake;line 99999", "evil");
	struct stack *stack = fake_stack(profile, "unknown", "u:FIRST@/x u:SECOND@/y");
	size_t bytes;
	char *text;
	int error;

	stack->frames[0].function = intern("a;b\n\x1b[2J\xff");
	stack->frames[1].function = NULL;
	stack->frames[1].object = intern("/tmp/l;ib\n.so");
	fake_cell(profile, task, stack, 1, 7);
	text = fake_export(export_folded, profile, &bytes, &error);
	check_string(text, "evil:proc 5?fake:line 99999;[l:ib?.so+0x1010];a:b??[2J? 7\n",
		     "hostile names stay within their frames");
	free(text);
	fake_free(profile);
}

static void check_order(void)
{
	char *texts[2];

	for (int turn = 0; turn < 2; turn++) {
		struct profile *profile = fake_profile();
		struct task *task = fake_task(profile, 1, 1, "p", "p");
		size_t bytes;
		int error;

		for (unsigned int i = 0; i < 500; i++) {
			unsigned int n = turn ? 499 - i : i;
			char frames[64];

			snprintf(frames, sizeof(frames), "u:f%u@/x u:g%u@/x u:main@/x", n, n % 7);
			fake_cell(profile, task, fake_stack(profile, "native/x", frames), 1, 1 + n % 3);
		}
		texts[turn] = fake_export(export_folded, profile, &bytes, &error);
		fake_free(profile);
	}
	check_string(texts[0], texts[1], "the same samples in another order give the same file");
	free(texts[0]);
	free(texts[1]);
}

int main(void)
{
	check_lines();
	check_hostile_names();
	check_order();
	return check_end();
}
