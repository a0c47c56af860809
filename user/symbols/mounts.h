/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * File systems by what they depend on. One of this host's own answers as long as the host does. Any other may keep whoever asks it
 * waiting for ever, as servers, other machines and programs of users stand behind it: NFS, FUSE, 9p and the like; and all that is
 * mounted where we cannot see it, since there anybody may have mounted anything.
 */
#ifndef KTALLY_MOUNTS_H
#define KTALLY_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* Of text in the form of /proc/self/mountinfo: whether this is the device of a file system of the host's own that is mounted. */
bool mounts_are_own(const char *text, size_t bytes, uint32_t major, uint32_t minor);

/*
 * Whether a mount of this number is of such a file system, or of the one of this device. One that came later than the text is not there;
 * nor may it have the number of one that went, as long as nobody but the administrator takes away mounts of the host's own.
 */
bool mounts_may_enter(const char *text, size_t bytes, uint64_t number, uint32_t major, uint32_t minor);

/* The mounts as they are, in that form. They are ours: nobody else is asked. 0 or -errno. */
int mounts_read(struct buffer *text);
bool mounts_device_is_own(uint32_t major, uint32_t minor);

#endif
