/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For people: CPU time as samples tell it beside that which the kernel charged. Nothing is said where nothing was compared. */
#ifndef KTALLY_ACCURACY_H
#define KTALLY_ACCURACY_H

#include "base/buffer.h"
#include "export/export.h"
#include "profile/profile.h"

/* A line for the head of the breakdown, on the host; a table of cgroups. */
void accuracy_write_host(struct buffer *text, const struct profile *profile, const struct export_host *host);
void accuracy_write_cgroups(struct buffer *text, const struct profile *profile, size_t most);

#endif
