/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The unwind tables that were loaded, one for a file, for all sessions. They are kept while there is
 * a session opened with CAP_PERFMON that tells files, within limits: of all, and of those that one
 * user's sessions loaded, so that nobody can take all the room. What was not used for longest goes
 * first. A descriptor that is merely open, or was left open by mistake, keeps none.
 *
 * A file is only its number here. Numbers are never given twice, so a table whose file is forgotten
 * is one that is not used any more.
 */
#ifndef KTALLY_TABLES_H
#define KTALLY_TABLES_H

#include <linux/types.h>

struct ktally_gate;
struct ktally_load_table;
struct ktally_table;

/**
 * struct ktally_tables_usage - for those who look from outside
 * @count: tables
 * @bytes: what they take, those that are being loaded included
 */
struct ktally_tables_usage {
	u32 count;
	u64 bytes;
};

/* Process context. While there is somebody whom they are kept for; after the last nothing is left. */
void ktally_tables_open(void);
void ktally_tables_close(void);

/* Process context. KTALLY_IOC_LOAD_TABLE; fills in request->evicted. */
int ktally_tables_load(const struct ktally_gate *gate, struct ktally_load_table *request);

/* Any context, under RCU, for as long as which it stays. NULL: none. */
struct ktally_table *ktally_tables_find(u32 file);

/* Process context. */
struct ktally_tables_usage ktally_tables_used(void);

#endif /* KTALLY_TABLES_H */
