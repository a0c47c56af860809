// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "profile/state.h"

/*
 * "kworker/3:1-events", "kworker/u8:2", "ksoftirqd/0", "migration/11", "jbd2/sda1-8" are one thing each on every CPU
 * and every device, and so are "iou-wrk-1234" and "scsi_eh_0".
 */
static size_t kernel_name_bytes(const char *comm)
{
	size_t bytes = strcspn(comm, "/");
	size_t digits = bytes;

	while (digits && comm[digits - 1] >= '0' && comm[digits - 1] <= '9')
		digits--;
	if (digits > 1 && digits < bytes && (comm[digits - 1] == '-' || comm[digits - 1] == '_'))
		bytes = digits - 1;
	return bytes ? bytes : strlen(comm);
}

void process_name(struct known_task *known)
{
	struct task *task = &known->task;
	const char *slash = task->executable ? strrchr(task->executable, '/') : NULL;
	size_t bytes;

	task->process_name = task->comm;
	if (task->executable) {
		task->process_name = slash && slash[1] ? slash + 1 : task->executable;
	} else if (!task->mm_id || (task->flags & KTALLY_TASK_KERNEL)) {
		bytes = kernel_name_bytes(task->comm);
		memcpy(known->name, task->comm, bytes);
		known->name[bytes] = '\0';
		task->process_name = known->name;
	}
}
