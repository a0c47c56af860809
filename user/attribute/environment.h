/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process was told to call itself: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES of its environment, as OpenTelemetry has
 * them. It is what it was started with; anybody may have written anything there.
 */
#ifndef KTALLY_ENVIRONMENT_H
#define KTALLY_ENVIRONMENT_H

#include "attribute/owner.h"

/* Text of OTEL_RESOURCE_ATTRIBUTES: key=value,...; values percent-encoded. */
typedef void environment_attribute(void *context, const char *key, size_t key_bytes, const char *value, size_t value_bytes);

/* Calls back for each attribute; -EBADMSG: not of that form, and then none is to be used: there was no call. */
int environment_read_attributes(const char *text, size_t bytes, environment_attribute *use, void *context);

/* Of a text as in /proc/PID/environ: sets what a process may say of itself, see owner_key_is_declared(). */
void environment_read(const char *text, size_t bytes, struct owner_draft *draft);

/* The same of a process. 0 or -errno; -ENODATA: it has none; -EAGAIN: not yet, it is in the middle of exec, or not any more. */
int environment_read_process(uint32_t pid, struct owner_draft *draft);

#endif
