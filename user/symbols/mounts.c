// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "symbols/mounts.h"

#define TEXT_BYTES_MOST	(16U << 20)

struct mount {
	uint64_t number;
	uint32_t major, minor;
	const char *type;		/* up to a blank */
	size_t type_bytes;
};

static size_t word_bytes(const char *at, const char *end)
{
	size_t bytes = 0;

	while (at + bytes < end && at[bytes] != ' ')
		bytes++;
	return bytes;
}

/* "36 35 98:0 /root /point options shared:1 - type source options"; a line is given without its end. */
static bool read_line(const char *line, const char *end, struct mount *mount)
{
	unsigned int field = 0;
	char text[32];

	*mount = (struct mount){ .type = NULL };
	for (const char *at = line; at < end; field++) {
		size_t bytes = word_bytes(at, end);

		if (!field || field == 2)
			snprintf(text, sizeof(text), "%.*s", (int)(bytes < sizeof(text) ? bytes : 0), at);
		if (!field) {
			if (sscanf(text, "%" SCNu64, &mount->number) != 1)
				return false;
		} else if (field == 2) {
			if (sscanf(text, "%u:%u", &mount->major, &mount->minor) != 2)
				return false;
		} else if (field > 5 && bytes == 1 && *at == '-' && at + 2 < end) {
			mount->type = at + 2;
			mount->type_bytes = word_bytes(at + 2, end);
			return true;
		}
		at += bytes + 1;
	}
	return false;
}

/* Those that keep what they have on disks and in memory of this host. A union is as good as what it is of, which its owner chose. */
static bool is_own(const struct mount *mount)
{
	static const char *const types[] = {
		"ext4", "xfs", "btrfs", "overlay", "tmpfs", "squashfs", "erofs", "zfs", "f2fs", "bcachefs", "ext3", "ext2", "rootfs",
		"ramfs", "devtmpfs", "hugetlbfs", "vfat", "exfat", "iso9660", "udf", "jfs", "reiserfs", "ntfs3", "nilfs2", "cramfs", "aufs",
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strlen(types[i]) == mount->type_bytes && !memcmp(types[i], mount->type, mount->type_bytes))
			return true;
	return false;
}

/* The next line that can be read, from *at on. */
static bool next_mount(const char **at, const char *end, struct mount *mount)
{
	while (*at < end) {
		const char *line = *at, *newline = memchr(line, '\n', (size_t)(end - line));

		*at = newline ? newline + 1 : end;
		if (read_line(line, newline ? newline : end, mount))
			return true;
	}
	return false;
}

bool mounts_are_own(const char *text, size_t bytes, uint32_t major, uint32_t minor)
{
	struct mount mount;

	for (const char *at = text; next_mount(&at, text + bytes, &mount);)
		if (mount.major == major && mount.minor == minor)
			return is_own(&mount);
	return false;
}

bool mounts_may_enter(const char *text, size_t bytes, uint64_t number, uint32_t major, uint32_t minor)
{
	struct mount mount;

	for (const char *at = text; next_mount(&at, text + bytes, &mount);)
		if (mount.number == number)
			return is_own(&mount) || (mount.major == major && mount.minor == minor);
	return false;
}

int mounts_read(struct buffer *text)
{
	return buffer_read_file(text, "/proc/self/mountinfo", TEXT_BYTES_MOST);
}

bool mounts_device_is_own(uint32_t major, uint32_t minor)
{
	struct buffer text = { 0 };
	bool own = !mounts_read(&text) && mounts_are_own(text.data, text.bytes, major, minor);

	buffer_free(&text);
	return own;
}
