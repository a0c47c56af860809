// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as an unwind table, registers and stacks: kmod/table.c and kmod/unwind_user.c, see tests/unwind/hostile.h. */
#include "hostile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct hostile hostile = { 0 };

	hostile_try(&hostile, data, bytes);
	return 0;
}
