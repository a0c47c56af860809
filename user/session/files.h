/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that a live session's records tell of and stacks are in, and the loader that reads them: each when it is first told
 * of, and once more when its symbols, dropped to make room, are wanted again.
 */
#ifndef KTALLY_SESSION_FILES_H
#define KTALLY_SESSION_FILES_H

#include "session/live.h"

/* A record came: the loader is to read what it needs. */
void files_submit(struct live *live, const struct ktally_record *record);

/* Whether the loader, which must be there, is at it. */
bool files_are_being_read(const struct live *live, const struct ktally_record *record);

/* What it has read goes to the profile and the recorder: with the record, or later, if that could not wait so long. */
void files_take(struct live *live, const struct ktally_record *record);
void files_take_late(struct live *live);

#endif
