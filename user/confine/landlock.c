// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine/landlock.h"

/* Newer than some headers. */
#define REFER		(1ULL << 13)	/* to move a file to another directory: version 2 */
#define TRUNCATE	(1ULL << 14)	/* version 3 */

#define WRITING		(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
			 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
			 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | \
			 LANDLOCK_ACCESS_FS_MAKE_SYM)

/* All that the kernel's version knows of. */
static uint64_t writing(long version)
{
	return WRITING | (version >= 2 ? REFER : 0) | (version >= 3 ? TRUNCATE : 0);
}

int landlock_write_below(const char *directory)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr handled = { .handled_access_fs = writing(version) };
	struct landlock_path_beneath_attr below = { .allowed_access = writing(version) };
	int rules, error = 0;

	if (version < 0)
		return -errno;
	below.parent_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (below.parent_fd < 0)
		return -errno;
	rules = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	if (rules < 0 || syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, rules, 0))
		error = -errno;
	if (rules >= 0)
		close(rules);
	close(below.parent_fd);
	return error;
}
