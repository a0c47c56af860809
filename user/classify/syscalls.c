// SPDX-License-Identifier: GPL-2.0-or-later
#include <asm/unistd.h>
#include <stddef.h>

#include "classify/classify.h"

static const char *const names_64[] = {
#include "classify/syscalls_64.h"
};

static const char *const names_32[] = {
#include "classify/syscalls_32.h"
};

/* Newer than the headers that this may be built with. From 424 on, numbers are the same for all architectures. */
static const char *const names_newer[] = {
	[451] = "cachestat",
	[452] = "fchmodat2",
	[453] = "map_shadow_stack",
	[454] = "futex_wake",
	[455] = "futex_wait",
	[456] = "futex_requeue",
	[457] = "statmount",
	[458] = "listmount",
	[459] = "lsm_get_self_attr",
	[460] = "lsm_set_self_attr",
	[461] = "lsm_list_modules",
	[462] = "mseal",
	[463] = "setxattrat",
	[464] = "getxattrat",
	[465] = "listxattrat",
	[466] = "removexattrat",
	[467] = "open_tree_attr",
	[468] = "file_getattr",
	[469] = "file_setattr",
	[470] = "listns",
};

static const char *entry(const char *const *names, size_t count, int number)
{
	return number >= 0 && (size_t)number < count ? names[number] : NULL;
}

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

const char *syscall_name(int number, bool compat)
{
	const char *name;

	if (compat)
		name = entry(names_32, COUNT(names_32), number);
	else if (number == 335)		/* a hole in older headers */
		name = "uretprobe";
	else
		name = entry(names_64, COUNT(names_64), number & ~__X32_SYSCALL_BIT);
	return name ? name : entry(names_newer, COUNT(names_newer), number);
}
