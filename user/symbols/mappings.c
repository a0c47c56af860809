// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
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

static struct object *object_get(struct map *objects, const struct mapping_line *line)
{
	uint64_t key = hash_bytes(line->path, line->path_bytes,
				  hash_words((uint64_t)line->major << 32 | line->minor, line->inode));
	struct object *object;

	/* Two files whose keys are equal by chance get neighbouring ones. */
	while ((object = map_get(objects, key)) && !is_object(object, line))
		key++;
	if (!object) {
		object = memory_zeroed(1, sizeof(*object));
		object->key = key;
		object->inode = line->inode;
		object->major = line->major;
		object->minor = line->minor;
		object->path = memory_zeroed(line->path_bytes + 1, 1);
		memcpy(object->path, line->path, line->path_bytes);
		object->name_bytes = without_deleted(object->path, line->path_bytes);
		map_put(objects, key, object);
	}
	object->references++;
	return object;
}

static void object_put(struct map *objects, struct object *object)
{
	if (!object || --object->references)
		return;
	map_remove(objects, object->key);
	free(object->path);
	free(object);
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
static void sort(struct mappings *mappings, struct map *objects)
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

struct mappings *mappings_parse(struct map *objects, struct names *names, uint32_t pid, const char *executable, const char *text,
				size_t bytes)
{
	struct mappings *mappings = memory_zeroed(1, sizeof(*mappings));
	const char *end = text + bytes;
	size_t capacity = 0;

	mappings->pid = pid;
	if (executable && executable[0])
		mappings->executable = names_object(names, executable, without_deleted(executable, strlen(executable)));
	while (text < end && mappings->count < MAPPINGS_MOST) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = newline ? newline : end;
		struct mapping_line line;

		if (mappings_parse_line(text, (size_t)(line_end - text), &line) && line.executable) {
			if (mappings->count == capacity) {
				capacity = capacity ? capacity * 2 : 16;
				mappings->list = memory_resized(mappings->list, capacity, sizeof(*mappings->list));
			}
			mappings->list[mappings->count++] = (struct mapping){
				.start = line.start,
				.end = line.end,
				.offset = line.offset,
				.object = is_anonymous(&line) ? NULL : object_get(objects, &line),
			};
		}
		text = newline ? newline + 1 : end;
	}
	sort(mappings, objects);
	return mappings;
}

void mappings_free(struct mappings *mappings, struct map *objects)
{
	for (size_t i = 0; i < mappings->count; i++)
		object_put(objects, mappings->list[i].object);
	free(mappings->list);
	free(mappings);
}

size_t mappings_bytes(const struct mappings *mappings)
{
	return sizeof(*mappings) + mappings->count * sizeof(*mappings->list);
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
