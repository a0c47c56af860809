/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The class of a stack whose leaf is in the kernel. */
#ifndef KTALLY_KERNEL_H
#define KTALLY_KERNEL_H

#include "profile/frame.h"

void classify_kernel(struct stack *stack);

/* The area that the name of a function tells by itself, interned; NULL: none. function: NULL, or interned. */
const char *kernel_area(const char *function);

#endif
