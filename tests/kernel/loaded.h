/* SPDX-License-Identifier: GPL-2.0 */
/* Loading the module and unloading it. */
#ifndef KTALLY_TEST_LOADED_H
#define KTALLY_TEST_LOADED_H

#include <stdbool.h>

/* Where ktally.ko is: in the directory that KTALLY_MODULES says. False: it says nothing. Before the others. */
bool module_find(void);

/* 0 or -errno; unloading as rmmod does it: without waiting for users. */
int module_load(void);
int module_unload(void);

#endif /* KTALLY_TEST_LOADED_H */
