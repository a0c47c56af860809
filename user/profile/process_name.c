// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/map.h"
#include "profile/state.h"

/*
 * "kworker/3:1-events", "kworker/u8:2", "ksoftirqd/0", "migration/11", "jbd2/sda1-8" are one thing each on every CPU
 * and every device, and so are "iou-wrk-1234" and "scsi_eh_0".
 */
static const char *kernel_name(const char *comm)
{
	size_t bytes = strcspn(comm, "/");
	size_t digits = bytes;

	while (digits && comm[digits - 1] >= '0' && comm[digits - 1] <= '9')
		digits--;
	if (digits > 1 && digits < bytes && (comm[digits - 1] == '-' || comm[digits - 1] == '_'))
		bytes = digits - 1;
	return bytes ? intern_bytes(comm, bytes) : comm;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? intern(slash + 1) : path;
}

const char *process_name(const struct task *task)
{
	if (task->executable)
		return base_name(task->executable);
	if (!task->mm_id || (task->flags & KTALLY_TASK_KERNEL))
		return kernel_name(task->comm);
	return task->comm;
}
