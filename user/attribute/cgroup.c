// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attribute/cgroup.h"
#include "attribute/cgroup_path.h"
#include "attribute/pod.h"
#include "base/buffer.h"
#include "base/message.h"
#include "symbols/printable.h"

#define CGROUPS_MOST		16384
#define REFUSED_MOST		65536	/* that are known to have been counted */
#define PATH_BYTES_MOST		4096
#define TEXT_BYTES_MOST		65536

/* Sort of file handle that is a cgroup's id: FILEID_KERNFS, which is in no header for programs. */
#define HANDLE_OF_ID		0xfe

#define DELETED			" (deleted)"

#define RETRY_LEAST		1000000000ULL
#define ATTEMPTS_MOST		6		/* the last is half a minute after the first */

struct cgroups {
	struct map all;			/* id -> struct cgroup */
	struct cgroup_shares shares;	/* of a host's */
	uint64_t refused;
	struct map refused_ids;		/* id -> in which age it was last refused, as a number */
	uint64_t age;			/* since 1; the next begins with cgroups_forget() */
	struct pod_logs logs;
	bool live, old;
	char *mount;
	int mount_fd;			/* -1: there is none */
};

/* ---- text of /proc ---- */

/* The next line, without its end. */
static bool next_line(const char **text, char *line, size_t most)
{
	size_t bytes = strcspn(*text, "\n"), kept = bytes < most - 1 ? bytes : most - 1;

	if (!**text)
		return false;
	memcpy(line, *text, kept);
	line[kept] = '\0';
	*text += bytes + ((*text)[bytes] == '\n');
	return true;
}

/* "0::/PATH" is cgroup v2, "4:memory:/PATH" and "1:name=systemd:/PATH" are v1. */
void cgroup_read_text(const char *text, struct owner_draft *draft, char *path, size_t most)
{
	char line[PATH_BYTES_MOST];

	*path = '\0';
	while (next_line(&text, line, sizeof(line))) {
		char *hierarchy = strchr(line, ':'), *in = hierarchy ? strchr(hierarchy + 1, ':') : NULL;

		if (!in || in[1] != '/')
			continue;
		cgroup_path_read(in + 1, draft);
		if (in == hierarchy + 1)
			snprintf(path, most, "%s", in + 1);
	}
}

int cgroup_read_process(uint32_t pid, struct owner_draft *draft, char *path, size_t most)
{
	struct buffer text = { 0 };
	char file[64];
	int error;

	snprintf(file, sizeof(file), "/proc/%u/cgroup", pid);
	error = buffer_read_file(&text, file, TEXT_BYTES_MOST);
	if (!error)
		cgroup_read_text(text.data, draft, path, most);
	buffer_free(&text);
	return error;
}

/* "28 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate" */
static char *find_mount(void)
{
	struct buffer text = { 0 };
	char line[PATH_BYTES_MOST], mount[PATH_BYTES_MOST], *found = NULL;
	const char *rest;

	if (!buffer_read_file(&text, "/proc/self/mountinfo", 16 << 20)) {
		rest = text.data;
		while (!found && next_line(&rest, line, sizeof(line))) {
			const char *sort = strstr(line, " - ");

			if (sort && !strncmp(sort + 3, "cgroup2 ", 8) && sscanf(line, "%*s %*s %*s %*s %4095s", mount) == 1)
				found = memory_string(mount);
		}
	}
	buffer_free(&text);
	return found;
}

/* Controllers of v1 have a name between the colons. "name=systemd" alone would be one too: the hybrid of systemd. */
static bool has_old_hierarchies(void)
{
	struct buffer text = { 0 };
	bool old = false;

	if (!buffer_read_file(&text, "/proc/self/cgroup", TEXT_BYTES_MOST)) {
		const char *rest = text.data;
		char line[PATH_BYTES_MOST];

		while (next_line(&rest, line, sizeof(line)))
			old |= strncmp(line, "0::", 3);
	}
	buffer_free(&text);
	return old;
}

/* ---- paths ---- */

/* False: the kernel does not tell; *gone: because there is none of that id any more. */
static bool path_of_id(const struct cgroups *cgroups, uint64_t id, char *path, bool *gone)
{
	struct {
		struct file_handle handle;
		uint64_t id;
	} named = { .handle = { .handle_bytes = sizeof(id), .handle_type = HANDLE_OF_ID } };
	char link[64], target[PATH_BYTES_MOST];
	size_t mount_bytes = strlen(cgroups->mount);
	ssize_t bytes;
	int fd;

	memcpy(named.handle.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(cgroups->mount_fd, &named.handle, O_PATH | O_CLOEXEC);
	*gone = fd < 0 && errno == ESTALE;
	if (fd < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	bytes = readlink(link, target, sizeof(target) - 1);
	close(fd);
	if (bytes < (ssize_t)mount_bytes || memcmp(target, cgroups->mount, mount_bytes) ||
	    (target[mount_bytes] != '/' && bytes > (ssize_t)mount_bytes))
		return false;
	target[bytes] = '\0';
	/* Older kernels still know one that was removed. */
	if (bytes > (ssize_t)strlen(DELETED) && !strcmp(target + bytes - strlen(DELETED), DELETED))
		target[bytes - (ssize_t)strlen(DELETED)] = '\0';
	snprintf(path, PATH_BYTES_MOST, "%s", target[mount_bytes] ? target + mount_bytes : "/");
	return true;
}

/* It may have moved since, or be another process. */
static bool path_of_process(const struct cgroups *cgroups, uint64_t id, uint32_t pid, char *path)
{
	struct owner_draft draft = { 0 };
	char file[2 * PATH_BYTES_MOST];
	struct stat status;

	if (!pid || cgroup_read_process(pid, &draft, path, PATH_BYTES_MOST) || !*path)
		return false;
	snprintf(file, sizeof(file), "%s%s", cgroups->mount, path);
	return !stat(file, &status) && status.st_ino == id;
}

/* What is missing is looked for again, less and less often: a container may be there before its names are. */
static bool find_path(const struct cgroups *cgroups, struct cgroup *cgroup, uint32_t pid, uint64_t now, char *path)
{
	bool gone;

	cgroup->retry_time = now + (RETRY_LEAST << cgroup->attempts++);
	if (path_of_id(cgroups, cgroup->id, path, &gone) || (!gone && path_of_process(cgroups, cgroup->id, pid, path)))
		return true;
	if (gone || cgroup->attempts == ATTEMPTS_MOST)
		cgroup->retry_time = UINT64_MAX;
	return false;
}

static void take_path(struct cgroups *cgroups, struct cgroup *cgroup, char *path, uint64_t now)
{
	struct owner_draft draft = { 0 };
	bool complete;

	printable(path, strlen(path));
	cgroup_path_read(path, &draft);
	complete = !draft.owner.values[OWNER_POD] || !draft.owner.values[OWNER_CONTAINER] ||
		   !pod_logs_find(&cgroups->logs, POD_LOGS, draft.owner.values[OWNER_CONTAINER], now, &draft);
	cgroup_set(cgroup, path, &draft.owner);
	if (complete || cgroup->attempts == ATTEMPTS_MOST)
		cgroup->retry_time = UINT64_MAX;
}

/* ---- all of them ---- */

struct cgroups *cgroups_create(bool live)
{
	struct cgroups *cgroups = memory_zeroed(1, sizeof(*cgroups));

	cgroups->live = live;
	cgroups->age = 1;
	cgroups->mount_fd = -1;
	if (live) {
		cgroups->old = has_old_hierarchies();
		cgroups->mount = find_mount();
	}
	cgroups->shares.most = CGROUPS_MOST;
	if (cgroups->mount)
		cgroups->mount_fd = open(cgroups->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return cgroups;
}

static void free_cgroup(struct cgroup *cgroup)
{
	free(cgroup->path);
	free(cgroup->owner);
	free(cgroup);
}

void cgroups_destroy(struct cgroups *cgroups)
{
	if (!cgroups)
		return;
	for (struct map_slot *slot = map_next(&cgroups->all, NULL); slot; slot = map_next(&cgroups->all, slot))
		free_cgroup(slot->value);
	map_free(&cgroups->all);
	map_free(&cgroups->refused_ids);
	cgroup_shares_free(&cgroups->shares);
	pod_logs_free(&cgroups->logs);
	if (cgroups->mount_fd >= 0)
		close(cgroups->mount_fd);
	free(cgroups->mount);
	free(cgroups);
}

bool cgroups_are_old(const struct cgroups *cgroups)
{
	return cgroups->old;
}

const char *cgroups_mount(const struct cgroups *cgroups)
{
	return cgroups->mount;
}

const struct map *cgroups_all(const struct cgroups *cgroups)
{
	return &cgroups->all;
}

uint64_t cgroups_refused(const struct cgroups *cgroups)
{
	return cgroups->refused;
}

/* What is counted of that one is counted with what is above it: so sums stay right, and what is said of those that are above is true of it. */
static struct cgroup *stand_in(struct cgroups *cgroups, char *path, uint64_t now)
{
	size_t bytes = cgroup_shares_bytes(path);
	char file[2 * PATH_BYTES_MOST];
	struct stat status;

	if (!path[bytes])
		bytes = (size_t)(strrchr(path, '/') - path);
	if (!bytes)
		return NULL;
	path[bytes] = '\0';
	snprintf(file, sizeof(file), "%s%s", cgroups->mount, path);
	return stat(file, &status) ? NULL : cgroups_get(cgroups, status.st_ino, 0, now);
}

static struct cgroup *keep(struct cgroups *cgroups, const struct cgroup *new)
{
	struct cgroup *cgroup = memory_zeroed(1, sizeof(*cgroup));

	*cgroup = *new;
	map_put(&cgroups->all, cgroup->id, cgroup);
	return cgroup;
}

/* Of a capture, which is what was told of a host: so nobody has to be kept from anything. */
static struct cgroup *add(struct cgroups *cgroups, uint64_t id)
{
	return cgroups->all.used < CGROUPS_MOST ? keep(cgroups, &(struct cgroup){ .id = id }) : NULL;
}

/* Each once, however many tasks it has and however often these are looked at. */
static void count_refused(struct cgroups *cgroups, uint64_t id)
{
	bool counted = map_get(&cgroups->refused_ids, id);

	cgroups->refused += !counted;
	if (counted || cgroups->refused_ids.used < REFUSED_MOST)
		map_put(&cgroups->refused_ids, id, (void *)(uintptr_t)cgroups->age);
}

static struct cgroup *add_live(struct cgroups *cgroups, uint64_t id, uint32_t pid, uint64_t now)
{
	struct cgroup new = { .id = id }, *cgroup;
	char path[PATH_BYTES_MOST];
	bool found = cgroups->mount && find_path(cgroups, &new, pid, now, path);

	if (!cgroup_shares_take(&cgroups->shares, found ? path : NULL, &new.share)) {
		count_refused(cgroups, id);
		return found ? stand_in(cgroups, path, now) : NULL;
	}
	cgroup = keep(cgroups, &new);
	if (found)
		take_path(cgroups, cgroup, path, now);
	return cgroup;
}

/* One that has been counted among the unknown stays there, if there is no room where it is. */
static void look_again(struct cgroups *cgroups, struct cgroup *cgroup, uint32_t pid, uint64_t now)
{
	char path[PATH_BYTES_MOST];
	struct cgroup_share share;

	if (!find_path(cgroups, cgroup, pid, now, path))
		return;
	if (!cgroup->path && cgroup_shares_take(&cgroups->shares, path, &share)) {
		cgroup_shares_give(&cgroups->shares, &cgroup->share);
		cgroup->share = share;
	}
	take_path(cgroups, cgroup, path, now);
}

struct cgroup *cgroups_get(struct cgroups *cgroups, uint64_t id, uint32_t pid, uint64_t now)
{
	struct cgroup *cgroup = map_get(&cgroups->all, id);

	if (!cgroup)
		cgroup = cgroups->live ? add_live(cgroups, id, pid, now) : add(cgroups, id);
	else if (cgroups->live && cgroups->mount && now >= cgroup->retry_time)
		look_again(cgroups, cgroup, pid, now);
	if (cgroup)
		cgroup->used = true;
	return cgroup;
}

void cgroup_set(struct cgroup *cgroup, const char *path, const struct owner *owner)
{
	free(cgroup->path);
	free(cgroup->owner);
	cgroup->path = path ? memory_string(path) : NULL;
	cgroup->owner = owner ? owner_copy(owner) : NULL;
	cgroup->told = false;
}

void cgroups_forget(struct cgroups *cgroups)
{
	for (struct map_slot *slot = map_next(&cgroups->refused_ids, NULL); slot; slot = map_next(&cgroups->refused_ids, slot))
		if ((uintptr_t)slot->value != cgroups->age)
			map_remove(&cgroups->refused_ids, slot->key);
	map_trim(&cgroups->refused_ids);
	cgroups->age++;
	for (struct map_slot *slot = map_next(&cgroups->all, NULL); slot; slot = map_next(&cgroups->all, slot)) {
		struct cgroup *cgroup = slot->value;

		if (!cgroup->used) {
			map_remove(&cgroups->all, slot->key);
			cgroup_shares_give(&cgroups->shares, &cgroup->share);
			free_cgroup(cgroup);
		} else {
			cgroup->used = false;
		}
	}
}
