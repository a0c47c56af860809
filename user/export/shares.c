// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/message.h"
#include "classify/wait.h"
#include "export/shares.h"

static const char kernel_prefix[] = "kernel/";

static const char *area_of(const struct tally_row *row)
{
	return row->class.area && *row->class.area ? row->class.area : "unknown";
}

bool shares_by_process(const struct tally_row *row, const char **name, const char **detail)
{
	*name = owner_label(row->owner);
	*detail = area_of(row);
	return true;
}

static const char *service_of(const struct owner *owner)
{
	return owner->values[OWNER_SERVICE] ? owner->values[OWNER_SERVICE] : owner_label(owner);
}

/* "POD/CONTAINER", else the first digits of the id, as container tools show it. NULL: in none. */
static const char *container_of(const struct owner *owner)
{
	const char *id = owner->values[OWNER_CONTAINER], *pod = owner->values[OWNER_POD_NAME];
	const char *name = owner->values[OWNER_CONTAINER_NAME];
	char label[2 * OWNER_VALUE_BYTES];

	if (pod && name) {
		snprintf(label, sizeof(label), "%s/%s", pod, name);
		return intern(label);
	}
	return id ? intern_bytes(id, 12) : pod ? pod : owner->values[OWNER_POD];
}

bool shares_by_service(const struct tally_row *row, const char **name, const char **detail)
{
	*name = service_of(row->owner);
	*detail = owner_label(row->owner);
	return true;
}

bool shares_by_container(const struct tally_row *row, const char **name, const char **detail)
{
	*name = container_of(row->owner);
	*detail = service_of(row->owner);
	return *name;
}

bool shares_have_services(const struct tally *tally)
{
	size_t count, i = 0;
	struct tally_row **rows = tally_rows(tally, &count);

	while (i < count && (!strcmp(service_of(rows[i]->owner), owner_label(rows[i]->owner)) ||
			     !strcmp(service_of(rows[i]->owner), "kernel")))
		i++;
	return i < count;
}

bool shares_by_code(const struct tally_row *row, const char **name, const char **detail)
{
	static const char native_prefix[] = "native/";
	const char *area = area_of(row);

	*name = strncmp(area, native_prefix, strlen(native_prefix)) ? area : area + strlen(native_prefix);
	*detail = owner_label(row->owner);
	return strncmp(area, kernel_prefix, strlen(kernel_prefix));
}

bool shares_by_syscall(const struct tally_row *row, const char **name, const char **detail)
{
	*name = row->syscall_name;
	*detail = area_of(row);
	return row->syscall_name;
}

static bool take_cause(const struct tally_row *row, const char **name, const char **detail)
{
	*name = row->class.cause ? row->class.cause : "other";
	*detail = owner_label(row->owner);
	return true;
}

bool shares_by_cause(const struct tally_row *row, const char **name, const char **detail)
{
	return take_cause(row, name, detail) && !wait_is_idle(*name);
}

bool shares_by_waiting_service(const struct tally_row *row, const char **name, const char **detail)
{
	*name = service_of(row->owner);
	*detail = row->class.cause ? row->class.cause : "other";
	return !wait_is_idle(*detail);
}

bool shares_by_waiting_container(const struct tally_row *row, const char **name, const char **detail)
{
	return shares_by_waiting_service(row, name, detail) && (*name = container_of(row->owner));
}

bool shares_by_idle_cause(const struct tally_row *row, const char **name, const char **detail)
{
	return take_cause(row, name, detail) && wait_is_idle(*name);
}

struct entry {
	const char *name, *detail;
	uint64_t weight;
};

static int compare_entries(const void *a_place, const void *b_place)
{
	const struct entry *a = a_place, *b = b_place;
	int difference = strcmp(a->name, b->name);

	return difference ? difference : strcmp(a->detail, b->detail);
}

static int compare_shares(const void *a_place, const void *b_place)
{
	const struct share *a = a_place, *b = b_place;

	if (a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	return strcmp(a->name, b->name);
}

struct share *shares_of(const struct tally *tally, shares_dimension *dimension, size_t *count)
{
	size_t rows_count, entries_count = 0, shares_count = 0;
	struct tally_row **rows = tally_rows(tally, &rows_count);
	struct entry *entries = memory_zeroed(rows_count, sizeof(*entries));
	struct share *shares = memory_zeroed(rows_count, sizeof(*shares)), *share = NULL;

	for (size_t i = 0; i < rows_count; i++) {
		struct entry *entry = &entries[entries_count];

		entry->weight = rows[i]->weight;
		entries_count += dimension(rows[i], &entry->name, &entry->detail);
	}
	qsort(entries, entries_count, sizeof(*entries), compare_entries);
	for (size_t i = 0, next; i < entries_count; i = next) {
		uint64_t weight = 0;

		for (next = i; next < entries_count && !compare_entries(&entries[i], &entries[next]); next++)
			weight += entries[next].weight;
		if (!share || strcmp(share->name, entries[i].name)) {
			share = &shares[shares_count++];
			share->name = intern(entries[i].name);
		}
		share->weight += weight;
		if (!share->most || weight > share->most_weight) {
			share->most = intern(entries[i].detail);
			share->most_weight = weight;
		}
	}
	free(entries);
	qsort(shares, shares_count, sizeof(*shares), compare_shares);
	*count = shares_count;
	return shares;
}

/* ---- areas ---- */

struct part {
	const char *path;	/* the area or the beginning of one, up to a slash; interned */
	uint64_t weight;	/* with all parts of it */
	uint64_t own;
};

static struct part *find_part(struct part *parts, size_t *count, const char *path)
{
	size_t i = 0;

	while (i < *count && parts[i].path != path)
		i++;
	if (i == *count)
		parts[(*count)++] = (struct part){ .path = path };
	return &parts[i];
}

/* The next slash after the beginning of the path, or its end. */
static size_t part_end(const char *path, size_t start)
{
	return start + strcspn(path + start, "/");
}

static void add_area(struct part *parts, size_t *count, const char *area, uint64_t weight)
{
	bool kernel = !strncmp(area, kernel_prefix, strlen(kernel_prefix));
	struct part *part = NULL;

	for (size_t end = part_end(area, 0);; end = part_end(area, end + 1)) {
		part = find_part(parts, count, intern_bytes(area, end));
		part->weight += weight;
		if (!area[end] || !kernel)
			break;
	}
	part->own += weight;
}

static int compare_parts(const void *a_place, const void *b_place)
{
	const struct part *a = a_place, *b = b_place;

	if (a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	return strcmp(a->path, b->path);
}

/* Whether the path is `parent` and exactly one more part. */
static bool is_part_of(const char *path, const char *parent)
{
	size_t bytes = strlen(parent);

	if (!bytes)
		return !strchr(path, '/');
	return !strncmp(path, parent, bytes) && path[bytes] == '/' && !strchr(path + bytes + 1, '/');
}

static const struct part *only_part_of(const struct part *parts, size_t count, const char *path)
{
	const struct part *found = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!is_part_of(parts[i].path, path))
			continue;
		if (found)
			return NULL;
		found = &parts[i];
	}
	return found;
}

static size_t list_parts(struct area *areas, size_t filled, const struct part *parts, size_t count, const char *parent,
			 unsigned int level)
{
	for (size_t i = 0; i < count; i++) {
		const struct part *part = &parts[i], *only;
		const char *name;

		if (!is_part_of(part->path, parent))
			continue;
		name = part->path + (*parent ? strlen(parent) + 1 : 0);
		while (level && !part->own && (only = only_part_of(parts, count, part->path)))
			part = only;
		name = intern(part->path + (name - parts[i].path));
		areas[filled++] = (struct area){ .name = name, .level = level, .weight = part->weight };
		filled = list_parts(areas, filled, parts, count, part->path, level + 1);
	}
	return filled;
}

struct area *shares_of_areas(const struct tally *tally, size_t *count)
{
	size_t rows_count, parts_count = 0, room = 0;
	struct tally_row **rows = tally_rows(tally, &rows_count);
	struct part *parts;
	struct area *areas;

	for (size_t i = 0; i < rows_count; i++) {
		for (const char *at = area_of(rows[i]); at; at = strchr(at + 1, '/'))
			room++;
	}
	parts = memory_zeroed(room, sizeof(*parts));
	for (size_t i = 0; i < rows_count; i++)
		add_area(parts, &parts_count, area_of(rows[i]), rows[i]->weight);
	qsort(parts, parts_count, sizeof(*parts), compare_parts);
	areas = memory_zeroed(parts_count, sizeof(*areas));
	*count = list_parts(areas, 0, parts, parts_count, "", 0);
	free(parts);
	return areas;
}
