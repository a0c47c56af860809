// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "symbols/errand.h"
#include "symbols/mappings.h"

#define MAPPINGS_MOST	16384		/* executable ones of one address space; a just-in-time compiler has hundreds */
#define PATH_BYTES_MOST	4096
#define DELETED		" (deleted)"

static bool parse_number(const char **at, const char *end, unsigned int base, uint64_t *number)
{
	const char *begin = *at;

	*number = 0;
	for (; *at < end; ++*at) {
		unsigned int digit;

		if (**at >= '0' && **at <= '9')
			digit = (unsigned int)(**at - '0');
		else if (base == 16 && **at >= 'a' && **at <= 'f')
			digit = (unsigned int)(**at - 'a' + 10);
		else
			break;
		if (__builtin_mul_overflow(*number, base, number) || __builtin_add_overflow(*number, digit, number))
			return false;
	}
	return *at > begin;
}

static bool parse_char(const char **at, const char *end, char c)
{
	if (*at == end || **at != c)
		return false;
	++*at;
	return true;
}

/* "7f9770df1000-7f9770e17000 r-xp 00026000 fe:00 326269                     /usr/lib/x86_64-linux-gnu/libc.so.6" */
bool mappings_parse_line(const char *line, size_t bytes, struct mapping_line *mapping)
{
	const char *at = line, *end = line + bytes;
	uint64_t major, minor;

	if (at < end && end[-1] == '\n')
		end--;
	*mapping = (struct mapping_line){ 0 };
	if (!parse_number(&at, end, 16, &mapping->start) || !parse_char(&at, end, '-') ||
	    !parse_number(&at, end, 16, &mapping->end) || !parse_char(&at, end, ' ') || end - at < 5)
		return false;
	mapping->executable = at[2] == 'x';
	at += 4;
	if (!parse_char(&at, end, ' ') || !parse_number(&at, end, 16, &mapping->offset) || !parse_char(&at, end, ' ') ||
	    !parse_number(&at, end, 16, &major) || !parse_char(&at, end, ':') || !parse_number(&at, end, 16, &minor) ||
	    !parse_char(&at, end, ' ') || !parse_number(&at, end, 10, &mapping->inode))
		return false;
	while (at < end && *at == ' ')
		at++;
	mapping->major = (uint32_t)major;
	mapping->minor = (uint32_t)minor;
	mapping->path = at;
	mapping->path_bytes = (size_t)(end - at);
	return mapping->start < mapping->end && major <= UINT32_MAX && minor <= UINT32_MAX &&
	       mapping->path_bytes <= PATH_BYTES_MOST && !memchr(at, '\0', mapping->path_bytes);
}

bool object_is_file(const struct object *object)
{
	return object->path[0] == '/';
}

static size_t without_deleted(const char *path, size_t bytes)
{
	size_t suffix = strlen(DELETED);

	return bytes > suffix && !memcmp(path + bytes - suffix, DELETED, suffix) ? bytes - suffix : bytes;
}

static bool is_object(const struct object *object, const struct mapping_line *line)
{
	return object->inode == line->inode && object->major == line->major && object->minor == line->minor &&
	       !strncmp(object->path, line->path, line->path_bytes) && !object->path[line->path_bytes];
}

static size_t object_bytes(size_t path_bytes)
{
	return sizeof(struct object) + path_bytes;
}

/* NULL: it is refused. */
static struct object *object_get(struct objects *objects, const struct pool_holder *holder, const struct mapping_line *line)
{
	uint64_t key = hash_names(line->path, line->path_bytes,
				  hash_words((uint64_t)line->major << 32 | line->minor, line->inode));
	struct object *object;

	/* Two files whose keys are equal by chance get neighbouring ones. */
	while ((object = map_get(&objects->map, key)) && !is_object(object, line))
		key++;
	if (!object && !pool_take(&objects->pool, holder, object_bytes(line->path_bytes)))
		return NULL;
	if (!object) {
		object = memory_zeroed(1, sizeof(*object));
		object->holder = *holder;
		object->key = key;
		object->inode = line->inode;
		object->major = line->major;
		object->minor = line->minor;
		object->path = memory_zeroed(line->path_bytes + 1, 1);
		memcpy(object->path, line->path, line->path_bytes);
		object->name_bytes = without_deleted(object->path, line->path_bytes);
		map_put(&objects->map, key, object);
	}
	object->references++;
	return object;
}

static void object_put(struct objects *objects, struct object *object)
{
	if (!object || --object->references)
		return;
	pool_give(&objects->pool, &object->holder, object_bytes(strlen(object->path)));
	map_remove(&objects->map, object->key);
	errand_abandon(object->reading);
	free(object->path);
	free(object);
}

void objects_free(struct objects *objects)
{
	map_free(&objects->map);
	pool_free(&objects->pool);
}

/*
 * Names that the kernel or the program gave to memory without a file: "[anon:...]", "[heap]", "//anon" and "/dev/zero
 * (deleted)".
 */
static bool is_anonymous(const struct mapping_line *line)
{
	static const char *const names[] = {
		"[anon", "[heap]", "[stack", "//anon", "/anon_hugepage", "/dev/zero", "/SYSV",
	};

	if (!line->path_bytes)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (line->path_bytes >= strlen(names[i]) && !memcmp(line->path, names[i], strlen(names[i])))
			return true;
	return false;
}

static int by_start(const void *a, const void *b)
{
	const struct mapping *one = a, *other = b;

	return one->start < other->start ? -1 : one->start > other->start;
}

/* Real ones never overlap; of those that do, the first is believed. */
static void sort(struct mappings *mappings, struct objects *objects)
{
	size_t kept = 0;

	if (!mappings->count)
		return;
	qsort(mappings->list, mappings->count, sizeof(*mappings->list), by_start);
	for (size_t i = 0; i < mappings->count; i++) {
		if (kept && mappings->list[i].start < mappings->list[kept - 1].end)
			object_put(objects, mappings->list[i].object);
		else
			mappings->list[kept++] = mappings->list[i];
	}
	mappings->list = memory_resized(mappings->list, kept, sizeof(*mappings->list));
	mappings->count = kept;
}

static size_t list_bytes(const struct mappings *mappings)
{
	return mappings->count * sizeof(*mappings->list);
}

static void free_list(struct mappings *mappings, struct objects *objects)
{
	for (size_t i = 0; i < mappings->count; i++)
		object_put(objects, mappings->list[i].object);
	free(mappings->list);
	mappings->list = NULL;
	mappings->count = 0;
}

struct mappings *mappings_parse(struct objects *objects, struct names *names, uint32_t pid, const char *executable, const char *text,
				size_t bytes)
{
	struct mappings *mappings = memory_zeroed(1, sizeof(*mappings));
	const char *end = text + bytes;
	size_t capacity = 0;

	mappings->pid = pid;
	if (names)
		mappings->holder = names->holder;
	if (executable && executable[0])
		mappings->executable = names_object(names, executable, without_deleted(executable, strlen(executable)));
	while (text < end && mappings->count < MAPPINGS_MOST) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = newline ? newline : end;
		struct object *object = NULL;
		struct mapping_line line;

		if (mappings_parse_line(text, (size_t)(line_end - text), &line) && line.executable &&
		    (is_anonymous(&line) || (object = object_get(objects, &mappings->holder, &line)))) {
			if (mappings->count == capacity) {
				capacity = capacity ? capacity * 2 : 16;
				mappings->list = memory_resized(mappings->list, capacity, sizeof(*mappings->list));
			}
			mappings->list[mappings->count++] = (struct mapping){
				.start = line.start,
				.end = line.end,
				.offset = line.offset,
				.object = object,
			};
		}
		text = newline ? newline + 1 : end;
	}
	sort(mappings, objects);
	if (!pool_take(&objects->pool, &mappings->holder, list_bytes(mappings)))
		free_list(mappings, objects);
	return mappings;
}

void mappings_free(struct mappings *mappings, struct objects *objects)
{
	pool_give(&objects->pool, &mappings->holder, list_bytes(mappings));
	free_list(mappings, objects);
	for (size_t i = 0; i < sizeof(mappings->jit) / sizeof(mappings->jit[0]); i++)
		errand_abandon(mappings->jit[i].reading);
	free(mappings);
}

const struct mapping *mappings_find(const struct mappings *mappings, uint64_t address)
{
	size_t low = 0, high = mappings->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mappings->list[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low && address < mappings->list[low - 1].end ? &mappings->list[low - 1] : NULL;
}
