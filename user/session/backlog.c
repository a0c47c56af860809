// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "session/backlog.h"

void backlog_add(struct backlog *backlog, const struct ktally_record *record)
{
	buffer_append(&backlog->records, record, record->size);
}

const struct ktally_record *backlog_first(const struct backlog *backlog)
{
	return backlog_bytes(backlog) ? (const void *)(backlog->records.data + backlog->taken) : NULL;
}

/* What was taken makes room once it is half of all, so each byte is moved at most once more. */
void backlog_take_first(struct backlog *backlog)
{
	struct buffer *records = &backlog->records;

	backlog->taken += backlog_first(backlog)->size;
	if (backlog->taken == records->bytes) {
		backlog_free(backlog);
	} else if (backlog->taken > records->bytes / 2) {
		memmove(records->data, records->data + backlog->taken, records->bytes - backlog->taken);
		records->bytes -= backlog->taken;
		backlog->taken = 0;
	}
}

size_t backlog_bytes(const struct backlog *backlog)
{
	return backlog->records.bytes - backlog->taken;
}

void backlog_free(struct backlog *backlog)
{
	buffer_free(&backlog->records);
	backlog->taken = 0;
}
