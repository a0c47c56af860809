// SPDX-License-Identifier: GPL-2.0-or-later
/* symbols/mounts.h: which file systems may keep whoever asks them waiting, and which mounts are of such. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "symbols/mounts.h"

static const char text[] =
	"22 27 0:21 / /proc rw,relatime - proc proc rw\n"
	"27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
	"30 27 0:40 / /srv/nfs rw shared:2 master:3 - nfs4 server:/ rw\n"
	"31 27 0:41 / /home/user/with\\040blank rw - fuse.sshfs user@there: rw,user_id=1000\n"
	"32 27 0:42 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw\n"
	"33 32 0:43 / /var/lib/docker/overlay2/x/merged/nfs rw - nfs server:/ rw\n"
	"34 27 0:44 - /odd rw - fuse odd rw\n"
	"nonsense\n"
	"35 27 x:y / /none rw - ext4 none rw\n"
	"36 27 8:2 / /unfinished rw";

static bool own(uint32_t major, uint32_t minor)
{
	return mounts_are_own(text, strlen(text), major, minor);
}

static bool enter(uint64_t number, uint32_t major, uint32_t minor)
{
	return mounts_may_enter(text, strlen(text), number, major, minor);
}

int main(void)
{
	struct buffer mounts = { 0 };
	struct statx status;

	check(own(8, 1) && own(0, 42), "disks and what is made of them are the host's own");
	check(!own(0, 40) && !own(0, 41) && !own(0, 44), "servers and programs are not");
	check(!own(9, 9) && !own(0, 0), "nor is what is not mounted here");
	check(!own(8, 2), "nor what a line says that is not whole");

	check(enter(27, 8, 1) && enter(32, 8, 1), "a path may lead to a disk and to a union");
	check(!enter(30, 8, 1) && !enter(31, 8, 1) && !enter(33, 0, 42), "not to a server or a program");
	check(enter(30, 0, 40), "unless that is where the file is");
	check(!enter(37, 8, 1) && !enter(0, 8, 1), "nor to a mount that was not there");
	check(!enter(35, 8, 1) && !enter(36, 8, 2), "nor to one whose line makes no sense");
	check(!mounts_may_enter("", 0, 27, 8, 1), "nothing known");

	check(!mounts_read(&mounts) && mounts.bytes, "our mounts");
	if (!statx(AT_FDCWD, "/", 0, STATX_MNT_ID, &status) && status.stx_mask & STATX_MNT_ID)
		check(mounts_device_is_own(status.stx_dev_major, status.stx_dev_minor) ==
		      mounts_may_enter(mounts.data, mounts.bytes, status.stx_mnt_id, 0, 0), "our root is one of them");
	buffer_free(&mounts);
	return check_end();
}
