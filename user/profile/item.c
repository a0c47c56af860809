// SPDX-License-Identifier: GPL-2.0-or-later
/* Chunks of a capture file, whose contents may be anything. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/message.h"
#include "capture/capture.h"
#include "lib/libktally.h"
#include "profile/state.h"

static bool has_line(const char *text, size_t bytes, const char *key, const char *value)
{
	char line[512];
	int length = snprintf(line, sizeof(line), "%s=%s\n", key, value);
	const char *found;

	if (length < 0 || (size_t)length >= sizeof(line))
		return false;
	found = memmem(text, bytes, line, (size_t)length);
	return found && (found == text || found[-1] == '\n');
}

/* Recorded here, under this kernel: then the vdso is ours too. */
static void feed_host(struct profile *profile, const char *text, size_t bytes)
{
	struct utsname here;

	if (!uname(&here) && has_line(text, bytes, "hostname", here.nodename) &&
	    has_line(text, bytes, "release", here.release))
		symbols_use_own_vdso(profile->symbols);
}

/* What follows a record that is none has no known beginning. */
static void feed_records(struct profile *profile, const char *data, size_t bytes)
{
	while (bytes) {
		int size = ktally_check_record(data, bytes);

		if (size <= 0) {
			profile->bad_records++;
			return;
		}
		profile_feed(profile, (const struct ktally_record *)data, NULL);
		data += size;
		bytes -= (size_t)size;
	}
}

static void feed_kallsyms(struct profile *profile, const char *text, size_t bytes)
{
	int error = symbols_load_kernel(profile->symbols, text, bytes);

	if (error == -EPERM)
		message_warning("the capture was recorded where the kernel hides its addresses, "
				"so its functions have no names");
	else if (error)
		message_warning("the capture's kernel symbols are not text of /proc/kallsyms, "
				"so functions of the kernel have no names");
}

static void feed_mappings(struct profile *profile, const struct capture_item *item)
{
	struct profile_state *state = state_of(profile);

	if (!item->mm_id)
		return;
	symbols_set_mappings(profile->symbols, item->mm_id, item->pid, item->path, item->data, item->bytes);
	space_learnt(state, space_get(state, item->mm_id), true);
}

/* In memory that is a file, so that all who read files can read it. */
static int copy(const void *content, size_t bytes)
{
	int fd = memfd_create("ktally", MFD_CLOEXEC);
	size_t written = 0;

	while (fd >= 0 && written < bytes) {
		ssize_t more = write(fd, (const char *)content + written, bytes - written);

		if (more <= 0) {
			close(fd);
			return -1;
		}
		written += (size_t)more;
	}
	return fd;
}

static void feed_file(struct profile *profile, const struct capture_item *item)
{
	struct symbols_file file = {
		.identity = item->file.identity, .path = item->path, .deleted = item->file.status & KTALLY_FILE_DELETED,
		.error = item->file.error, .build_id_bytes = item->file.build_id_bytes, .fd = -1,
	};

	memcpy(file.build_id, item->file.build_id, file.build_id_bytes);
	if (item->bytes)
		file.fd = copy(item->data, item->bytes);
	symbols_set_file(profile->symbols, &file);
}

void profile_feed_item(struct profile *profile, const struct capture_item *item)
{
	switch (item->type) {
	case CAPTURE_HOST:
		feed_host(profile, item->data, item->bytes);
		break;
	case CAPTURE_RECORDS:
		feed_records(profile, item->data, item->bytes);
		break;
	case CAPTURE_KALLSYMS:
		feed_kallsyms(profile, item->data, item->bytes);
		break;
	case CAPTURE_MAPPINGS:
		feed_mappings(profile, item);
		break;
	case CAPTURE_FILE:
		feed_file(profile, item);
		break;
	case CAPTURE_ACCOUNT:
		accounts_feed(profile, item);
		break;
	case CAPTURE_OWNER:
		owners_feed(state_of(profile), item);
		break;
	}
}
