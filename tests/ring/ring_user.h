/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What kmod/ring.c has from the kernel, for user space. One source, three readings of a shared access:
 *
 *   - as built for speed and under ASan and UBSan: what the kernel has on x86. READ_ONCE() and WRITE_ONCE() are
 *     volatile and nothing more, and cmpxchg_local() is the instruction without a lock prefix: the compiler is as
 *     free as it is there, and a signal handler may come between any two instructions, as an NMI may.
 *   - under TSan: C11 atomics of the order that the kernel's model gives them, READ_ONCE() and cmpxchg_local()
 *     relaxed. Bytes of records remain ordinary accesses, so TSan must find what orders them in producer.head and
 *     consumer.tail.
 *   - with RING_MODEL, for the model checker (model.c): every access first asks it what happens in between.
 */
#ifndef KTALLY_RING_USER_H
#define KTALLY_RING_USER_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define barrier()	__asm__ __volatile__("" : : : "memory")

#if defined(RING_MODEL)

enum model_access {
	MODEL_LOAD,
	MODEL_STORE,
	MODEL_RELEASE,
	MODEL_EXCHANGE,
	MODEL_EXCHANGED,
};

/* Called right before the access is made, or after an exchange was: @value is what is about to be stored. */
void model_access(enum model_access access, volatile void *address, size_t bytes, u64 value, const char *what);

#define READ_ONCE(x) ({										\
	model_access(MODEL_LOAD, (volatile void *)&(x), sizeof(x), 0, #x);			\
	*(volatile __typeof__(x) *)&(x);							\
})

#define WRITE_ONCE(x, v) ({									\
	__typeof__(x) model_value = (v);							\
												\
	model_access(MODEL_STORE, &(x), sizeof(x), model_value, #x);				\
	*(volatile __typeof__(x) *)&(x) = model_value;						\
})

#define smp_load_acquire(p) ({									\
	model_access(MODEL_LOAD, (p), sizeof(*(p)), 0, "*" #p);					\
	*(volatile __typeof__(*(p)) *)(p);							\
})

#define smp_store_release(p, v) ({								\
	__typeof__(*(p)) model_value = (v);							\
												\
	model_access(MODEL_RELEASE, (p), sizeof(*(p)), model_value, "*" #p);			\
	*(volatile __typeof__(*(p)) *)(p) = model_value;					\
})

#define cmpxchg_local(p, o, n) ({								\
	__typeof__(*(p)) model_old = (o), model_new = (n), model_was;				\
												\
	model_access(MODEL_EXCHANGE, (p), sizeof(*(p)), model_new, "*" #p);			\
	model_was = *(p);									\
	if (model_was == model_old) {								\
		*(p) = model_new;								\
		model_access(MODEL_EXCHANGED, (p), sizeof(*(p)), model_old, "*" #p);		\
	}											\
	model_was;										\
})

#elif defined(__SANITIZE_THREAD__)

#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define smp_load_acquire(p)	__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)

static inline u64 cmpxchg_local(u64 *p, u64 old, u64 new)
{
	__atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return old;
}

#else

#ifndef __x86_64__
#error "the accesses below are those of x86-64"
#endif

#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	((void)(*(volatile __typeof__(x) *)&(x) = (v)))

#define smp_load_acquire(p) ({									\
	__typeof__(*(p)) loaded = READ_ONCE(*(p));						\
												\
	barrier();										\
	loaded;											\
})

#define smp_store_release(p, v) ({								\
	barrier();										\
	WRITE_ONCE(*(p), (v));									\
})

static inline u64 cmpxchg_local(u64 *p, u64 old, u64 new)
{
	__asm__ __volatile__("cmpxchgq %2, %1" : "+a"(old), "+m"(*p) : "r"(new) : "memory", "cc");
	return old;
}

#endif

#endif /* KTALLY_RING_USER_H */
