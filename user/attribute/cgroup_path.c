// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "attribute/cgroup_path.h"

#define ID_DIGITS	64
#define UID_DIGITS	32
#define UID_BYTES	36

static const char hexadecimal[] = "0123456789abcdef";

struct word {
	const char *at;
	size_t bytes;
};

static bool ends_with(const struct word *word, const char *end)
{
	size_t bytes = strlen(end);

	return word->bytes > bytes && !memcmp(word->at + word->bytes - bytes, end, bytes);
}

static bool begins_with(const struct word *word, const char *beginning)
{
	size_t bytes = strlen(beginning);

	return word->bytes > bytes && !memcmp(word->at, beginning, bytes);
}

static bool is_hexadecimal(const char *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (!at[i] || !strchr(hexadecimal, at[i]))
			return false;
	}
	return true;
}

static struct word without(struct word word, const char *end)
{
	if (ends_with(&word, end))
		word.bytes -= strlen(end);
	return word;
}

/* "docker-ID.scope", "crio-ID", "slice:cri-containerd:ID", "ID"; NULL: none. A container's, or of what its runtime has beside it. */
static const char *find_container(const struct word *part, bool *beside)
{
	struct word word = without(*part, ".scope");
	const char *id;
	struct word maker;

	if (word.bytes < ID_DIGITS)
		return NULL;
	id = word.at + word.bytes - ID_DIGITS;
	maker = (struct word){ word.at, word.bytes - ID_DIGITS };
	if (!is_hexadecimal(id, ID_DIGITS) || (maker.bytes && !strchr("-:", maker.at[maker.bytes - 1])))
		return NULL;
	*beside = ends_with(&maker, "conmon-");
	return id;
}

/* 8-4-4-4-12 digits, or 32. */
static bool is_uid(const char *at, size_t bytes)
{
	static const size_t dashes[] = { 8, 13, 18, 23 };
	size_t start = 0;

	if (bytes == UID_DIGITS)
		return is_hexadecimal(at, bytes);
	if (bytes != UID_BYTES)
		return false;
	for (size_t i = 0; i < sizeof(dashes) / sizeof(dashes[0]); i++) {
		if (!strchr("-_", at[dashes[i]]) || !is_hexadecimal(at + start, dashes[i] - start))
			return false;
		start = dashes[i] + 1;
	}
	return is_hexadecimal(at + start, bytes - start);
}

/* "kubepods-burstable-podUID.slice", "podUID"; what comes after a colon is of the container. */
static bool read_pod(const struct word *part, struct owner_draft *draft)
{
	static const char pod[] = "pod";
	const char *colon = memchr(part->at, ':', part->bytes);
	struct word word = { part->at, colon ? (size_t)(colon - part->at) : part->bytes };
	char uid[UID_BYTES];

	word = without(word, ".slice");
	for (size_t bytes = UID_DIGITS; bytes <= UID_BYTES; bytes += UID_BYTES - UID_DIGITS) {
		const char *at = word.at + word.bytes - bytes;

		if (word.bytes < bytes + strlen(pod) || memcmp(at - strlen(pod), pod, strlen(pod)) || !is_uid(at, bytes))
			continue;
		for (size_t i = 0; i < bytes; i++)
			uid[i] = at[i] == '_' ? '-' : at[i];
		owner_draft_set(draft, OWNER_POD, uid, bytes);
		return true;
	}
	return false;
}

static void read_unit(const struct word *part, struct owner_draft *draft)
{
	if (ends_with(part, ".service") && !begins_with(part, "run-"))
		owner_draft_set(draft, OWNER_UNIT, part->at, part->bytes);
}

/* What is below a container was made by it, and is called as it likes: so the outermost counts, and a pod that is not below one. */
void cgroup_path_read(const char *path, struct owner_draft *draft)
{
	bool container = false, pod = false, beside = false;

	while (*path) {
		struct word part = { path, strcspn(path, "/") };
		const char *id = find_container(&part, &beside);

		if (!container && !pod && (!id || memchr(part.at, ':', part.bytes)))
			pod = read_pod(&part, draft);
		if (!id)
			read_unit(&part, draft);
		else if (!container && !beside)
			owner_draft_set(draft, OWNER_CONTAINER, id, ID_DIGITS);
		container |= id && !beside;
		path += part.bytes + (path[part.bytes] == '/');
	}
}
