// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attribute/deployment.h"
#include "attribute/environment.h"
#include "attribute/owner.h"
#include "base/message.h"
#include "symbols/printable.h"

/* Text that has to be changed to be printable is not what somebody meant. */
static char *copy_of(const char *text, size_t bytes)
{
	char *copy = memory_zeroed(1, bytes + 1);

	memcpy(copy, text, bytes);
	printable(copy, bytes);
	if (bytes < OWNER_VALUE_BYTES && !memcmp(copy, text, bytes))
		return copy;
	free(copy);
	return NULL;
}

static struct deployment_attribute *find(struct deployment *deployment, const char *key)
{
	size_t i = 0;

	while (i < deployment->count && strcmp(deployment->attributes[i].key, key))
		i++;
	return i < DEPLOYMENT_MOST ? &deployment->attributes[i] : NULL;
}

int deployment_set(struct deployment *deployment, const char *key, size_t key_bytes, const char *value, size_t value_bytes)
{
	struct deployment_attribute attribute = { copy_of(key, key_bytes), copy_of(value, value_bytes) }, *place;
	int error = attribute.key && *attribute.key && attribute.value ? 0 : -EINVAL;

	place = error ? NULL : find(deployment, attribute.key);
	if (!place) {
		free(attribute.key);
		free(attribute.value);
		return error ? error : -E2BIG;
	}
	deployment->count += !place->key;
	free(place->key);
	free(place->value);
	*place = attribute;
	return 0;
}

int deployment_set_text(struct deployment *deployment, const char *text)
{
	const char *equals = strchr(text, '=');

	if (!equals)
		return -EINVAL;
	return deployment_set(deployment, text, (size_t)(equals - text), equals + 1, strlen(equals + 1));
}

static void take(void *context, const char *key, size_t key_bytes, const char *value, size_t value_bytes)
{
	if (deployment_set(context, key, key_bytes, value, value_bytes))
		message_warning("OTEL_RESOURCE_ATTRIBUTES: \"%.*s\" is ignored: values are at most %d bytes without control characters, "
				"and no more than %d", (int)(key_bytes < 100 ? key_bytes : 100), key, OWNER_VALUE_BYTES - 1, DEPLOYMENT_MOST);
}

void deployment_read_environment(struct deployment *deployment)
{
	static const char service[] = "service.name";
	const char *attributes = getenv("OTEL_RESOURCE_ATTRIBUTES"), *name = getenv("OTEL_SERVICE_NAME");

	if (attributes && environment_read_attributes(attributes, strlen(attributes), take, deployment))
		message_warning("OTEL_RESOURCE_ATTRIBUTES is ignored: it must be key=value,... with percent-encoded values");
	if (name && *name && deployment_set(deployment, service, strlen(service), name, strlen(name)))
		message_warning("OTEL_SERVICE_NAME is ignored: it must be at most %d bytes without control characters", OWNER_VALUE_BYTES - 1);
}

void deployment_release(struct deployment *deployment)
{
	while (deployment->count) {
		deployment->count--;
		free(deployment->attributes[deployment->count].key);
		free(deployment->attributes[deployment->count].value);
	}
}
