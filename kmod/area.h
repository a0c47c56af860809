/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The memory of a ring: one page that the reader writes, one that it reads, and the records, mapped
 * twice in a row in the kernel as in user space, so that neither ever meets a record cut in two.
 * Every page is zeroed when allocated, charged to the memory cgroup of whoever sets the session up,
 * and counted against the module's limit.
 */
#ifndef KTALLY_AREA_H
#define KTALLY_AREA_H

#include <linux/types.h>

struct ktally_ring;
struct vm_area_struct;

struct ktally_area {
	void *memory;
	struct page **pages;	/* each once; the data pages appear in @memory twice */
	u32 page_count;
};

int ktally_area_init(struct ktally_area *area, u32 data_bytes, int node);
void ktally_area_destroy(struct ktally_area *area);
void ktally_area_attach(struct ktally_area *area, struct ktally_ring *ring, u32 data_bytes);

/* Bytes from one ring's area to the next in the file. */
u64 ktally_area_bytes(u32 data_bytes);

/* `page` counts from the start of this area. */
int ktally_area_mmap(struct ktally_area *area, struct vm_area_struct *vma, unsigned long page);

/* The module's memory limit: -ENOMEM past it. */
int ktally_memory_charge(u64 bytes);
void ktally_memory_uncharge(u64 bytes);
u64 ktally_memory_used(void);
u64 ktally_memory_limit(void);

#endif /* KTALLY_AREA_H */
