// SPDX-License-Identifier: GPL-2.0
#include "vdso.h"

#include <asm/vdso.h>
#include <linux/elf.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/irqflags.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/shmem_fs.h>
#include <linux/string.h>

#include "files.h"
#include "quota.h"
#include "space.h"

static const struct vdso_image *image;		/* NULL: there is none */
static struct file *copy;
static const struct dentry *copys_dentry;	/* to be compared only */
static struct ktally_known_file *known;

static int copy_image(struct file *to, const struct vdso_image *from)
{
	unsigned long offset;

	for (offset = 0; offset < from->size; offset += PAGE_SIZE) {
		struct page *page = shmem_read_mapping_page(to->f_mapping, offset >> PAGE_SHIFT);

		if (IS_ERR(page))
			return PTR_ERR(page);
		memcpy(page_address(page), from->data + offset, PAGE_SIZE);
		set_page_dirty(page);
		put_page(page);
	}
	return 0;
}

/* All of the kernel's images are page by page. */
static struct file *make_copy(const struct vdso_image *from)
{
	struct file *file = shmem_file_setup(KTALLY_VDSO_PATH, from->size, KTALLY_SHMEM_NO_FLAGS);
	int err;

	if (IS_ERR(file))
		return file;
	err = copy_image(file, from);
	if (!err)
		return file;
	fput(file);
	return ERR_PTR(err);
}

/*
 * Modules are not told where the images are: each process has its own. That the process is a 64-bit one does not say
 * that its image is: arch_prctl(ARCH_MAP_VDSO_32) gives it another. But the image itself does.
 */
static const struct vdso_image *image_of_current(void)
{
	const struct vdso_image *own = current->mm ? current->mm->context.vdso_image : NULL;

	return own && ((const struct elf64_hdr *)own->data)->e_ident[EI_CLASS] == ELFCLASS64 ? own : NULL;
}

/*
 * It counts as mapped for as long as it is known, so it is not forgotten for want of room. Others may sample already,
 * and look for it.
 */
void ktally_vdso_start(void)
{
	const struct vdso_image *own = image_of_current();
	struct file *file;
	u32 left = 1;

	if (image || !own)
		return;
	file = make_copy(own);
	if (IS_ERR(file))
		return;
	local_irq_disable();
	known = ktally_file_get(file, ktally_quota_module(), &left);
	local_irq_enable();
	if (!known) {
		fput(file);
		return;
	}
	copy = file;
	WRITE_ONCE(copys_dentry, file->f_path.dentry);
	smp_store_release(&image, own);		/* pairs with ktally_vdso_find() */
}

void ktally_vdso_stop(void)
{
	if (!image)
		return;
	image = NULL;
	WRITE_ONCE(copys_dentry, NULL);
	ktally_file_put(known);
	fput(copy);
	copy = NULL;
}

bool ktally_vdso_find(struct mm_struct *mm, unsigned long address, struct ktally_mapping *mapping)
{
	const struct vdso_image *theirs = smp_load_acquire(&image);	/* pairs with ktally_vdso_start() */
	unsigned long start = (unsigned long)READ_ONCE(mm->context.vdso);

	lockdep_assert_irqs_disabled();
	if (!theirs || mm->context.vdso_image != theirs || address - start >= theirs->size)
		return false;
	ktally_file_hold(known, copy, mm);
	*mapping = (struct ktally_mapping) { .start = start, .end = start + theirs->size, .file = known };
	return true;
}

/* Whoever asks holds his own; the copy may just be going, with the last session that captures files. */
bool ktally_vdso_is(const struct file *file)
{
	return file->f_path.dentry == READ_ONCE(copys_dentry);
}
