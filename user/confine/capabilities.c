// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/message.h"
#include "confine/capabilities.h"

static const struct {
	unsigned int number;
	const char *name;
	const char *without;		/* what there is then */
} bought[] = {
	{ CAP_SYSLOG, "CAP_SYSLOG", "the kernel's functions may have no names" },
	{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "other users' programs are named by their process alone" },
	{ CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH",
	  "files that are not for everybody have no names of functions, and other users' services are named by their cgroup" },
	{ CAP_CHECKPOINT_RESTORE, "CAP_CHECKPOINT_RESTORE", "files that were deleted or replaced while they run may have no names of functions" },
};

struct sets {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

static int get(struct sets *sets)
{
	*sets = (struct sets){ .header = { .version = _LINUX_CAPABILITY_VERSION_3 } };
	return syscall(SYS_capget, &sets->header, sets->data) ? -errno : 0;
}

/* Out of the bounding set too, where that is allowed: nothing that is executed gets them back. */
static void shrink_bounds(uint64_t wanted)
{
	for (unsigned int number = 0; prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; number++) {
		if (!(wanted & CAPABILITY(number)))
			prctl(PR_CAPBSET_DROP, number, 0, 0, 0);
	}
}

int capabilities_keep(uint64_t wanted)
{
	struct sets sets;
	bool changes = false;
	int error = get(&sets);

	if (error)
		return error;
	if (sets.data[0].effective & 1U << CAP_SETPCAP)
		shrink_bounds(wanted);
	for (unsigned int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		struct __user_cap_data_struct *data = &sets.data[i];
		uint32_t part = (uint32_t)(wanted >> 32 * i);

		changes |= (data->effective | data->permitted | data->inheritable) & ~part;
		data->effective &= part;
		data->permitted &= part;
		data->inheritable &= part;
	}
	return changes && syscall(SYS_capset, &sets.header, sets.data) ? -errno : 0;
}

void capabilities_tell_missing(void)
{
	struct buffer missing = { 0 };
	struct sets sets;

	if (get(&sets))
		return;
	for (size_t i = 0; i < sizeof(bought) / sizeof(bought[0]); i++) {
		if (!(sets.data[bought[i].number / 32].effective & 1U << bought[i].number % 32))
			buffer_format(&missing, "%swithout %s %s", missing.bytes ? "; " : "", bought[i].name, bought[i].without);
	}
	if (missing.bytes)
		message_warning("%s: see CAPABILITIES in ktallyd(8)", missing.data);
	buffer_free(&missing);
}
