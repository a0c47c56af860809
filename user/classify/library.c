// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/map.h"
#include "classify/classify.h"
#include "classify/library.h"

static const char deleted[] = " (deleted)";

/* Length without the mark that /proc/PID/maps puts behind the path of a file that was removed or replaced. */
static size_t path_bytes(const char *path)
{
	size_t bytes = strlen(path), mark = strlen(deleted);

	return bytes > mark && !strcmp(path + bytes - mark, deleted) ? bytes - mark : bytes;
}

const char *file_name(const char *path, size_t *bytes)
{
	size_t end = path_bytes(path), start = end;

	while (start && path[start - 1] != '/')
		start--;
	*bytes = end - start;
	return path + start;
}

static size_t digits_at(const char *name, size_t start, size_t bytes)
{
	size_t end = start;

	while (end < bytes && isdigit((unsigned char)name[end]))
		end++;
	return end - start;
}

/* Where ".so" or ".so.VERSION" begins, the last one if there are several; `bytes` if there is none. */
static size_t find_so(const char *name, size_t bytes)
{
	for (size_t i = bytes; i-- > 0;) {
		size_t after = i + 3;

		if (after > bytes || memcmp(name + i, ".so", 3))
			continue;
		if (after == bytes || (name[after] == '.' && digits_at(name, after + 1, bytes)))
			return i;
	}
	return bytes;
}

/* "-2.31" of "libc-2.31": a dash, digits, a dot, a digit. "x86-64" and "libgtk-3" have no version of that form. */
static size_t without_version(const char *name, size_t bytes)
{
	for (size_t i = 1; i < bytes; i++) {
		size_t digits = name[i] == '-' ? digits_at(name, i + 1, bytes) : 0;
		size_t dot = i + 1 + digits;

		if (digits && dot < bytes && name[dot] == '.' && digits_at(name, dot + 1, bytes))
			return i;
	}
	return bytes;
}

/* Python's extension modules say which interpreter they are for: "_ssl.cpython-311-x86_64-linux-gnu", "_rust.abi3". */
static size_t without_tag(const char *name, size_t bytes)
{
	for (size_t i = 1; i < bytes; i++) {
		size_t left = bytes - i;

		if ((left > 9 && !memcmp(name + i, ".cpython-", 9)) || (left == 5 && !memcmp(name + i, ".abi3", 5)))
			return i;
	}
	return bytes;
}

const char *library_name(const char *path)
{
	const char *name;
	size_t bytes, so;

	if (!path)
		return NULL;
	if (!strcmp(path, "[vdso]") || !strncmp(path, "linux-vdso.", 11))
		return intern("linux-vdso");
	name = file_name(path, &bytes);
	so = find_so(name, bytes);
	if (so == bytes || so == 0)
		return NULL;
	return intern_passing(name, without_version(name, without_tag(name, so)));
}

/* Where ".5", "5.36" or "-12.1" at the end begins; `bytes` if there is none. Digits alone are part of names: "gzip2", "x264". */
static size_t without_number(const char *name, size_t bytes)
{
	size_t start = bytes;
	bool dot = false;

	while (start && (isdigit((unsigned char)name[start - 1]) || name[start - 1] == '.')) {
		start--;
		dot |= name[start] == '.';
	}
	if (start == bytes || name[bytes - 1] == '.' || name[start] == '.')
		return bytes;
	if (start && name[start - 1] == '-')
		return start - 1;
	return dot ? start : bytes;
}

const char *program_name(const char *name, size_t bytes)
{
	size_t end = without_number(name, bytes);

	return intern_passing(name, end ? end : bytes);
}
