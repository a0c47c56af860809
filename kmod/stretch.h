/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the user unwinder meets the mappings and the tables: a stretch of addresses of which the same
 * is known. It asks for one whenever a walk comes to another, so what asking costs is paid once for
 * each mapping that a stack goes through, not for each frame: be it code of a file, or of a compiler that
 * runs in the process.
 */
#ifndef KTALLY_STRETCH_H
#define KTALLY_STRETCH_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include "kernel.h"
#endif

struct ktally_table;
struct ktally_view;

/**
 * struct ktally_stretch - addresses in a mapping
 * @start: the first
 * @bytes: how many they are
 * @frame: what a frame at @start is in the ABI; those at other addresses are as much more
 * @offset: of @start in its file, if @table
 * @table: of its file; stays for as long as the RCU reader. NULL: none
 */
struct ktally_stretch {
	u64 start;
	u64 bytes;
	u64 frame;
	u64 offset;
	struct ktally_table *table;
};

/*
 * Any context but NMI, under rcu_read_lock(), user memory not open. The stretch that has this user
 * address; false: nothing is known of it.
 */
bool ktally_stretch_find(struct ktally_view *view, u64 address, struct ktally_stretch *stretch);

#endif /* KTALLY_STRETCH_H */
