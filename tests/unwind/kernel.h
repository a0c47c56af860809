/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What kmod/table.c and kmod/unwind_user.c have from the kernel, for user space: and what it holds against them. User
 * memory is what read_user() says it is, may be read only between user_access_begin() and user_access_end(), and only
 * at a user's addresses; nothing else of the kernel may be called there.
 */
#ifndef KTALLY_TEST_UNWIND_KERNEL_H
#define KTALLY_TEST_UNWIND_KERNEL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <linux/ktally.h>
#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __s16 s16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;

#define __user
#undef __always_inline
#define __always_inline		inline __attribute__((always_inline))
#define BIT(n)			(1UL << (n))
#define likely(x)		(x)
#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	((void)(*(volatile __typeof__(x) *)&(x) = (v)))
#define OPTIMIZER_HIDE_VAR(x)	__asm__("" : "+r"(x))
#define cond_resched()		((void)0)

/* As with four levels of page tables. */
#define TASK_SIZE_MAX		((1UL << 47) - 4096)
#define __USER_CS		0x33
#define __USER32_CS		0x23

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};

/* What the walk has open. */
struct opened {
	unsigned int rcu, faults_off, access;
};

extern struct opened opened;
extern unsigned long jiffies;

/* Whether there is such memory; supplied by the test. */
bool read_user(u64 address, void *to, size_t bytes);

static inline void must(bool condition)
{
	if (!condition)
		abort();
}

static inline void rcu_read_lock(void)
{
	must(!opened.access);
	opened.rcu++;
}

static inline void rcu_read_unlock(void)
{
	must(!opened.access && opened.rcu--);
}

static inline void kcsan_disable_current(void)
{
}

static inline void kcsan_enable_current(void)
{
}

static inline void pagefault_disable(void)
{
	must(!opened.access);
	opened.faults_off++;
}

static inline void pagefault_enable(void)
{
	must(!opened.access && opened.faults_off--);
}

static inline bool user_access_begin(const void *address, unsigned long bytes)
{
	must(!opened.access && opened.faults_off && (uintptr_t)address + bytes <= TASK_SIZE_MAX);
	opened.access++;
	return true;
}

static inline void user_access_end(void)
{
	must(opened.access--);
}

static inline bool checked_read(u64 address, void *to, size_t bytes)
{
	must(opened.access && address <= TASK_SIZE_MAX - bytes);
	return read_user(address, to, bytes);
}

#define unsafe_get_user(x, address, fault) do {						\
	if (!checked_read((uintptr_t)(address), &(x), sizeof(x)))				\
		goto fault;									\
} while (0)

static inline unsigned long array_index_mask_nospec(unsigned long index, unsigned long size)
{
	return index < size ? ~0UL : 0;
}

/* -------------------------------------------------------------------------------- mappings */

struct ktally_table;

struct mapping {
	u64 start;
	u64 end;
	u64 offset;		/* of @start in the file */
	u32 file;
	struct ktally_table *table;
};

struct ktally_view {
	const struct mapping *mappings;
	size_t count;
};

#endif
