/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon is told to say of everything that it sends: deployment.environment.name=production, team=shop. By --attribute, else
 * by OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME in its own environment.
 */
#ifndef KTALLY_DEPLOYMENT_H
#define KTALLY_DEPLOYMENT_H

#include <stddef.h>

#define DEPLOYMENT_MOST	64

struct deployment {
	struct deployment_attribute {
		char *key, *value;
	} attributes[DEPLOYMENT_MOST];
	size_t count;
};

/* In place of a value that the key has already. 0; -EINVAL: no key, or no UTF-8 without control characters; -E2BIG: too many. */
int deployment_set(struct deployment *deployment, const char *key, size_t key_bytes, const char *value, size_t value_bytes);

/* "key=value". The same, and -EINVAL: not of that form. */
int deployment_set_text(struct deployment *deployment, const char *text);

/* Of the environment. What cannot be used is ignored, with a warning. */
void deployment_read_environment(struct deployment *deployment);

void deployment_release(struct deployment *deployment);

#endif
