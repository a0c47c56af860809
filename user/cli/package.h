/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which Debian package a file came from, by dpkg's lists of this host. */
#ifndef KTALLY_PACKAGE_H
#define KTALLY_PACKAGE_H

#include <stddef.h>

struct package_query {
	const char *path;
	char name[128];			/* "": none, or it is not known */
};

/* Reads every list once, for all of them. `directory`: NULL for dpkg's own. */
void package_find(const char *directory, struct package_query *queries, size_t count);

#endif
