/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KTALLY_IOC_OPEN_FILE: a descriptor of a file that was sampled, for those who may look into other
 * processes.
 */
#ifndef KTALLY_OPENFILE_H
#define KTALLY_OPENFILE_H

#include <linux/ktally.h>

struct ktally_gate;

/**
 * struct ktally_opened - a descriptor that nobody has yet
 * @file: open
 * @fd: its number
 */
struct ktally_opened {
	struct file *file;
	int fd;
};

/*
 * Process context, in the process that asks. Fills in what is out of the request, its path is
 * written already. Then comes one of the others: the descriptor is given to the process, or given
 * up.
 */
int ktally_file_open(const struct ktally_gate *gate, struct ktally_open_file *request, struct ktally_opened *opened);
void ktally_file_give(const struct ktally_opened *opened);
void ktally_file_give_up(const struct ktally_opened *opened);

#endif /* KTALLY_OPENFILE_H */
