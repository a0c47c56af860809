// SPDX-License-Identifier: GPL-2.0-or-later
/* symbols/roots.h: a debug file that only a process with a root of its own has. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "check.h"
#include "fake_elf.h"
#include "symbols/file.h"
#include "symbols/roots.h"

#define ID	"0123456789abcdefghij"
#define PATH	"/ktally-roots-program"
#define DEBUG	"/usr/lib/debug/.build-id/30/3132333435363738396162636465666768696a.debug"

static const struct fake_symbol functions[] = {
	{ "inside", 0x10, 0x20, STB_LOCAL, STT_FUNC, false }, { NULL, 0, 0, 0, 0, false },
};

static char directory[64];

static void put(const char *path, const struct fake_elf *elf)
{
	struct buffer data = fake_elf(elf);
	char full[256];
	int fd;

	snprintf(full, sizeof(full), "%s%s", directory, path);
	for (char *slash = strchr(full + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(full, 0700);
		*slash = '/';
	}
	unlink(full);
	fd = open(full, O_WRONLY | O_CREAT | O_EXCL, 0600);
	check(fd >= 0 && write(fd, data.data, data.bytes) == (ssize_t)data.bytes, "%s below another root", path);
	close(fd);
	buffer_free(&data);
}

/* What the device says of the file below the other root. */
static struct symbols_file file_of(void)
{
	struct symbols_file file = { .path = PATH, .fd = -1 };
	struct stat status;
	char full[256];

	snprintf(full, sizeof(full), "%s" PATH, directory);
	if (!stat(full, &status))
		file.identity = (struct ktally_file){
			.inode = status.st_ino, .device_major = major(status.st_dev), .device_minor = minor(status.st_dev),
			.bytes = (uint64_t)status.st_size,
			.modified = status.st_mtim.tv_sec * 1000000000LL + status.st_mtim.tv_nsec,
		};
	return file;
}

/* Lives there, and has the file neither open nor mapped. 0: it is not allowed to. */
static pid_t live_there(void)
{
	int ready[2];
	char byte = 0;
	pid_t child;

	if (pipe(ready))
		return 0;
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if ((chroot(directory) && (unshare(CLONE_NEWUSER) || chroot(directory))) || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		child = 0;
	close(ready[0]);
	return child;
}

static size_t count_roots(const struct symbols_file *file)
{
	struct roots roots;

	roots_open(&roots, file);
	roots_close(&roots);
	return roots.count;
}

static void check_names(const struct symbols_file *file)
{
	struct buffer data = fake_elf(&(struct fake_elf){ .build_id = ID });
	const struct elf_source source = { .memory = data.data, .bytes = data.bytes, .fd = -1 };
	struct roots roots;
	struct file *names;
	uint64_t start;

	roots_open(&roots, file);
	check_number((long long)roots.count, 2, "its root is found");
	check(!roots.leads_here, "as it is not ours");
	if (check_number(file_read(&names, &source, file->path, roots.fds, roots.count, 1 << 20), 0, "the file is read")) {
		check_string(table_find(&names->table, FAKE_TEXT_ADDRESS + 0x12, &start), "inside", "with its debug file");
		file_free(names);
	}
	roots_close(&roots);
	buffer_free(&data);
}

static void remove_all(void)
{
	static const char *const paths[] = {
		PATH, DEBUG, "/usr/lib/debug/.build-id/30", "/usr/lib/debug/.build-id", "/usr/lib/debug", "/usr/lib", "/usr", "",
	};
	char full[256];

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		snprintf(full, sizeof(full), "%s%s", directory, paths[i]);
		check(!remove(full), "removed");
	}
}

int main(void)
{
	struct symbols_file file, other;
	pid_t child;

	snprintf(directory, sizeof(directory), "/tmp/ktally-roots.%d", (int)getpid());
	put(PATH, &(struct fake_elf){ .build_id = ID });
	put(DEBUG, &(struct fake_elf){ .symbols = functions, .build_id = ID });
	file = file_of();
	check_number((long long)count_roots(&file), 1, "as long as nobody lives there, only our root is");
	child = live_there();
	if (child) {
		check_names(&file);
		other = file;
		other.deleted = true;
		check_number((long long)count_roots(&other), 1, "what is deleted is not looked for");
		other = file;
		other.identity.modified++;
		check_number((long long)count_roots(&other), 1, "another file at the same path does not count");
		other = file;
		other.path = "";
		check_number((long long)count_roots(&other), 1, "nor does any without a path");
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		check_number((long long)count_roots(&file), 1, "and when its process is gone it cannot be had");
	} else {
		check_skip("not allowed to make one", "a process with a root of its own");
	}
	remove_all();
	return check_end();
}
