/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a resource says of itself, in metrics and profiles alike, so that they can be told to belong together. Of two values for a key
 * the owner's goes first, then what the daemon was told (--attribute, OTEL_RESOURCE_ATTRIBUTES), then the host's; who owns
 * nothing is ktally itself.
 */
#ifndef KTALLY_RESOURCE_H
#define KTALLY_RESOURCE_H

#include "attribute/owner.h"
#include "export/export.h"

#define RESOURCE_ATTRIBUTES_MOST (OWNER_KEYS + DEPLOYMENT_MOST + 8)

struct resource_attribute {
	const char *key, *value;
};

/* How many: each key once, none without a value. owner: NULL: ktally itself. */
size_t resource_attributes(const struct export_host *host, const struct owner *owner,
			   struct resource_attribute attributes[RESOURCE_ATTRIBUTES_MOST]);

#endif
