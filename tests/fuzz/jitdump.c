// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a jitdump file. */
#include "jit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	read_growing(data, bytes, jitdump_read);
	return 0;
}
