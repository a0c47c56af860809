/* SPDX-License-Identifier: GPL-2.0 */
/* Every rule that the ABI has for a record, checked. */
#ifndef KTALLY_TEST_RECORD_H
#define KTALLY_TEST_RECORD_H

#include "device.h"

/*
 * Checks the record at @data, of which @bytes can be read and which came from the ring of @cpu (-1: read() does not say),
 * and counts it. Returns its size; 0: it is no record, session->error says why.
 */
unsigned int record_take(struct session *session, const void *data, uint64_t bytes, int cpu);

#endif /* KTALLY_TEST_RECORD_H */
