// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a perf-PID.map. */
#include "jit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	read_growing(data, bytes, perf_map_read);
	return 0;
}
