// SPDX-License-Identifier: GPL-2.0-or-later
/* Paths below a root that is not ours: what leads out of it does not. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/openat2.h>

#include "base/buffer.h"
#include "symbols/rooted.h"

#include "check.h"
#include "tools.h"

static int root;

/* The inode of what is called so below the root, 0: none. */
static ino_t inode_of(const char *path)
{
	struct stat status;

	return fstatat(root, path, &status, AT_SYMLINK_NOFOLLOW) ? 0 : status.st_ino;
}

/* Closes it. */
static long inode_behind(int fd)
{
	struct stat status;
	long result = fd;

	if (fd >= 0) {
		result = fstat(fd, &status) ? -errno : (long)status.st_ino;
		close(fd);
	}
	return result;
}

static long opened(const char *path)
{
	return inode_behind(rooted_open(root, path));
}

static void leads_to(const char *path, const char *expected)
{
	check_number(opened(path), (long)inode_of(expected), "%s is %s", path, expected);
}

static void fails_with(const char *path, int error)
{
	check_number(opened(path), -error, "%.40s: %s", path, strerror(error));
}

/* The kernel's own answer, where it gives one. */
static void test_kernel_agrees(void)
{
	static const char *const paths[] = {
		"usr/bin/tool", "/usr/../usr/bin/./tool", "bin/tool", "absolute", "up", "chain", "loop", "dangling", "usr/bin/tool/x",
		"../../usr", "usr/bin/..", "to-up/bin", "//usr//bin//", "usr/missing", "deep/../deep/..",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
		int fd = (int)syscall(SYS_openat2, root, paths[i], &how, sizeof(how));
		long expected = -errno;
		struct stat status;

		if (fd >= 0) {
			expected = fstat(fd, &status) ? -errno : (long)status.st_ino;
			close(fd);
		} else if (errno == ENOSYS || errno == EPERM) {
			check_skip("no openat2() here", "the kernel agrees");
			return;
		}
		check_number(opened(paths[i]), expected, "the kernel agrees on %s", paths[i]);
	}
}

static bool may_enter(void *mount, uint64_t number)
{
	uint64_t *last = mount;
	bool may = !*last || *last == number;

	*last = number;
	return may;
}

static bool may_not_enter(void *mount, uint64_t number)
{
	(void)mount, (void)number;
	return false;
}

/* Of the mount that it comes to first. */
static long opened_within(const char *path)
{
	uint64_t mount = 0;

	return inode_behind(rooted_open_within(root, path, &(struct rooted_border){ may_enter, &mount }));
}

static uint64_t mount_of(const char *path)
{
	struct statx status;

	return statx(AT_FDCWD, path, 0, STATX_MNT_ID, &status) ? 0 : status.stx_mnt_id;
}

/* Also where the walk has come to a mount that it may be on: the next one is asked for anew. */
static void test_mount_within_mount(int ours)
{
	static const char *const nested[][2] = { { "/dev", "/dev/pts" }, { "/sys", "/sys/fs/cgroup" } };
	bool any = false;

	for (size_t i = 0; i < sizeof(nested) / sizeof(nested[0]); i++) {
		uint64_t mount = 0;

		if (mount_of(nested[i][0]) == mount_of(nested[i][1]) || mount_of("/") == mount_of(nested[i][0]))
			continue;
		any = true;
		check(inode_behind(rooted_open_within(ours, nested[i][0], &(struct rooted_border){ may_enter, &mount })) > 0, "to %s", nested[i][0]);
		mount = 0;
		check_number(rooted_open_within(ours, nested[i][1], &(struct rooted_border){ may_enter, &mount }), -EXDEV,
			     "but not on to %s", nested[i][1]);
	}
	if (!any)
		check_skip("no mount is within another here", "but not on to another");
}

static void test_within(void)
{
	static const char *const refused[] = { "bin/tool", "absolute", "usr/bin/../bin/tool", "..", "usr/..", "loop", "dangling" };
	int ours = open("/", O_PATH | O_CLOEXEC);
	uint64_t mount = 0;

	check_number(opened_within("/usr//bin/./tool"), (long)inode_of("usr/bin/tool"), "a plain path leads where it says");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		check_number(opened_within(refused[i]), -ELOOP, "%s is not plain", refused[i]);
	check_number(opened_within("usr/missing"), -ENOENT, "nothing there");
	check_number(rooted_open_within(root, "usr/bin/tool", &(struct rooted_border){ may_not_enter, NULL }), -EXDEV,
		     "on a mount that is not to be entered");
	check(inode_behind(rooted_open_within(ours, "/usr", &(struct rooted_border){ may_enter, &mount })) > 0, "on one mount");
	check_number(rooted_open_within(ours, "/proc/version", &(struct rooted_border){ may_enter, &mount }), -EXDEV, "but not to another");
	test_mount_within_mount(ours);
	close(ours);
}

static void test_long(void)
{
	struct buffer path = { 0 };

	for (int i = 0; i < 1500; i++)
		buffer_string(&path, "./");
	buffer_string(&path, "usr");
	check_number(opened(path.data), (long)inode_of("usr"), "a long path that leads nowhere");
	buffer_clear(&path);
	for (int i = 0; i < 600; i++)
		buffer_string(&path, "usr/..");
	for (int i = 0; i < 200; i++)
		buffer_string(&path, "/usr/..");
	check(opened(path.data) < 0, "usr.. is no directory");
	buffer_clear(&path);
	while (path.bytes < 5000)
		buffer_string(&path, "usr/");
	fails_with(path.data, ENAMETOOLONG);
	buffer_clear(&path);
	while (path.bytes < 300)
		buffer_string(&path, "n");
	fails_with(path.data, ENAMETOOLONG);
	/* Every ".." walks eight directories again: 8 * 8 + 8 * 500 look-ups are too many. */
	buffer_clear(&path);
	buffer_string(&path, "d/d/d/d/d/d/d/d");
	while (path.bytes < 4000)
		buffer_string(&path, "/../d");
	check(tools_run("cd rooted && mkdir -p d/d/d/d/d/d/d/d"), "directories");
	fails_with(path.data, ELOOP);
	buffer_free(&path);
}

int main(void)
{
	char path[256];

	if (!check(tools_begin(), "a directory"))
		return check_end();
	check(tools_run("mkdir -p rooted/usr/bin rooted/deep rooted/proc && echo secret >secret && echo tool >rooted/usr/bin/tool && cd rooted && "
			"ln -s usr/bin bin && ln -s /usr/bin/tool absolute && ln -s ../../../../secret out && ln -s / slash && "
			"ln -s ../usr up && ln -s absolute chain && ln -s loop loop && ln -s nowhere dangling && ln -s .. to-up && "
			"ln -s /proc/self/root magic && mkfifo pipe"), "files");
	snprintf(path, sizeof(path), "%s/rooted", tools_directory);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!check(root >= 0, "the root"))
		return check_end();
	leads_to("/usr/bin/tool", "usr/bin/tool");
	leads_to("bin/tool", "usr/bin/tool");
	leads_to("absolute", "usr/bin/tool");
	leads_to("chain", "usr/bin/tool");
	leads_to("pipe", "pipe");
	leads_to("usr/bin/../bin/tool", "usr/bin/tool");
	leads_to("slash/slash/usr", "usr");
	leads_to("to-up/to-up/usr", "usr");
	leads_to("../../../usr", "usr");
	leads_to("/", ".");
	leads_to("..", ".");
	leads_to("slash", ".");
	fails_with("", ENOENT);
	fails_with("out", ENOENT);
	fails_with("../secret", ENOENT);
	fails_with("loop", ELOOP);
	fails_with("dangling", ENOENT);
	fails_with("usr/bin/tool/x", ENOTDIR);
	/* There is no such process below this root, whatever there is below ours. */
	fails_with("magic/secret", ENOENT);
	test_kernel_agrees();
	test_within();
	test_long();
	close(root);
	tools_end();
	return check_end();
}
