/* SPDX-License-Identifier: GPL-2.0 */
/* The reader's ways to the rings: read(), poll() and mmap(). */
#ifndef KTALLY_READER_H
#define KTALLY_READER_H

#include <linux/fs.h>
#include <linux/poll.h>

ssize_t ktally_read(struct file *file, char __user *buffer, size_t bytes, loff_t *position);
__poll_t ktally_poll(struct file *file, poll_table *table);
int ktally_mmap(struct file *file, struct vm_area_struct *vma);

#endif /* KTALLY_READER_H */
