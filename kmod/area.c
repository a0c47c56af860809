// SPDX-License-Identifier: GPL-2.0
#include "area.h"

#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/ktally.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "ring.h"

static unsigned int memory_limit_mb = 256;
module_param(memory_limit_mb, uint, 0644);
MODULE_PARM_DESC(memory_limit_mb, "Most memory for all sessions together, in MiB (default 256)");

static atomic64_t memory_used;

u64 ktally_memory_limit(void)
{
	return (u64)READ_ONCE(memory_limit_mb) << 20;
}

int ktally_memory_charge(u64 bytes)
{
	if (atomic64_add_return(bytes, &memory_used) <= ktally_memory_limit())
		return 0;
	atomic64_sub(bytes, &memory_used);
	return -ENOMEM;
}

void ktally_memory_uncharge(u64 bytes)
{
	atomic64_sub(bytes, &memory_used);
}

u64 ktally_memory_used(void)
{
	return atomic64_read(&memory_used);
}

/* The consumer's page, the producer's, and the data. */
static u32 count_pages(u32 data_bytes)
{
	return 2 + data_bytes / PAGE_SIZE;
}

u64 ktally_area_bytes(u32 data_bytes)
{
	return 2 * PAGE_SIZE + 2 * (u64)data_bytes;
}

int ktally_area_init(struct ktally_area *area, u32 data_bytes, int node)
{
	u32 count = count_pages(data_bytes);
	u32 data_count = count - 2;
	struct page **twice;
	int err;
	u32 i;

	BUILD_BUG_ON(PAGE_SIZE != KTALLY_PAGE_BYTES);
	BUILD_BUG_ON(sizeof(struct ktally_ring_producer) > PAGE_SIZE);

	err = ktally_memory_charge((u64)count * PAGE_SIZE);
	if (err)
		return err;
	area->page_count = count;
	area->pages = kvcalloc(count + data_count, sizeof(*area->pages), GFP_KERNEL_ACCOUNT);
	if (!area->pages)
		goto err_memory;

	for (i = 0; i < count; i++) {
		area->pages[i] = alloc_pages_node(node, KTALLY_GFP_MAPPED | __GFP_ZERO | __GFP_NOWARN, 0);
		if (!area->pages[i])
			goto err_memory;
	}
	twice = area->pages + count;
	for (i = 0; i < data_count; i++)
		twice[i] = area->pages[2 + i];

	area->memory = vmap(area->pages, count + data_count, VM_MAP | VM_USERMAP, PAGE_KERNEL);
	if (!area->memory)
		goto err_memory;
	return 0;

err_memory:
	ktally_area_destroy(area);
	return -ENOMEM;
}

/* Also takes down an area of which only a part was made. */
void ktally_area_destroy(struct ktally_area *area)
{
	u32 i;

	vunmap(area->memory);
	for (i = 0; area->pages && i < area->page_count; i++)
		if (area->pages[i])
			__free_page(area->pages[i]);
	kvfree(area->pages);
	ktally_memory_uncharge((u64)area->page_count * PAGE_SIZE);
	memset(area, 0, sizeof(*area));
}

void ktally_area_attach(struct ktally_area *area, struct ktally_ring *ring, u32 data_bytes)
{
	ring->consumer = area->memory;
	ring->producer = area->memory + PAGE_SIZE;
	ring->data = area->memory + 2 * PAGE_SIZE;
	ring->bytes = data_bytes;
}

/*
 * Different rights on different pages: the first page may be written, by a mapping of just that
 * page. Nothing else may, nor be made writable or executable later, nor be inherited by a fork.
 */
int ktally_area_mmap(struct ktally_area *area, struct vm_area_struct *vma, unsigned long page)
{
	unsigned long pages = vma_pages(vma);
	unsigned long never = VM_MAYEXEC;

	if (page + pages > area->page_count * 2 - 2)
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	if (page != 0 || pages != 1) {
		if (vma->vm_flags & VM_WRITE)
			return -EPERM;
		never |= VM_MAYWRITE;
	}
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY, never);

	return remap_vmalloc_range(vma, area->memory, page);
}
