// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What attribution parses of others' text, each input as all of it: environments, paths of cgroups, /proc/PID/cgroup, names of log
 * files, chunks of captures, the kernel's accounts. Whatever comes out is bounded and printable, and says the same when it is
 * written and read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "attribute/account.h"
#include "attribute/cgroup.h"
#include "attribute/cgroup_path.h"
#include "attribute/environment.h"
#include "attribute/pod.h"
#include "symbols/printable.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_draft(const struct owner_draft *draft)
{
	struct owner_draft again = { 0 };
	struct buffer lines = { 0 };
	char copy[OWNER_VALUE_BYTES];

	buffer_string(&lines, "");
	owner_write(&draft->owner, &lines);
	owner_read(lines.data, lines.bytes, &again);
	for (enum owner_key key = 0; key < OWNER_KEYS; key++) {
		const char *value = draft->owner.values[key];

		require(!value == !again.owner.values[key]);
		if (!value)
			continue;
		require(*value && strlen(value) < OWNER_VALUE_BYTES && !strcmp(value, again.owner.values[key]));
		strcpy(copy, value);
		printable(copy, strlen(copy));
		require(!strcmp(copy, value));
	}
	buffer_free(&lines);
}

static void add_bytes(void *context, const char *key, size_t key_bytes, const char *value, size_t value_bytes)
{
	uint64_t *sum = context;

	for (size_t i = 0; i < key_bytes; i++)
		*sum += (unsigned char)key[i];
	for (size_t i = 0; i < value_bytes; i++)
		*sum += (unsigned char)value[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	char *copy = malloc(bytes + 1), path[128];
	struct owner_draft drafts[5];
	uint64_t number = 0;

	memset(drafts, 0, sizeof(drafts));
	memcpy(copy, data, bytes);
	/* Not zero-terminated, so that reading past the end is seen. */
	environment_read((const char *)data, bytes, &drafts[0]);
	environment_read_attributes((const char *)data, bytes, add_bytes, &number);
	owner_read((const char *)data, bytes, &drafts[1]);
	copy[bytes] = '\0';
	cgroup_path_read(copy, &drafts[2]);
	cgroup_read_text(copy, &drafts[3], path, sizeof(path));
	pod_read_name(copy, ID, &drafts[4]);
	account_of_host(copy, NULL, 100, &number);
	account_of_scheduler(copy, NULL, &number);
	account_of_cgroup(copy, &number);
	for (size_t i = 0; i < sizeof(drafts) / sizeof(drafts[0]); i++)
		check_draft(&drafts[i]);
	if (drafts[2].owner.values[OWNER_CONTAINER])
		require(strspn(drafts[2].owner.values[OWNER_CONTAINER], "0123456789abcdef") == 64);
	free(copy);
	return 0;
}
