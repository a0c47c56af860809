// SPDX-License-Identifier: GPL-2.0-or-later
/* Whose share something is of: that of who cannot have another by calling himself somebody else. */
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attribute/cgroup_path.h"
#include "base/pool.h"
#include "check.h"
#include "profile/tenant.h"
#include "symbols/proc.h"

#define ID(digit)	digit digit digit digit digit digit digit digit digit digit digit digit digit digit digit digit
#define CONTAINER(digit) ID(digit digit digit digit)

static const struct cgroup *cgroup_at(struct cgroups *cgroups, const char *path)
{
	static uint64_t id;
	struct owner_draft draft = { 0 };
	struct cgroup *cgroup = cgroups_get(cgroups, ++id, 0, 0);

	cgroup_path_read(path, &draft);
	cgroup_set(cgroup, path, &draft.owner);
	return cgroup;
}

static void check_described(const struct cgroups *cgroups, uint32_t tenant, const char *wanted)
{
	struct buffer text = { 0 };

	tenant_describe(cgroups, tenant, &text);
	check_string(text.data, wanted, "who it is");
	buffer_free(&text);
}

static void containers(void)
{
	struct cgroups *cgroups = cgroups_create(false);
	const struct cgroup *one = cgroup_at(cgroups, "/system.slice/docker-" CONTAINER("a") ".scope"),
			    *below = cgroup_at(cgroups, "/system.slice/docker-" CONTAINER("a") ".scope/docker-" CONTAINER("c") ".scope"),
			    *other = cgroup_at(cgroups, "/system.slice/docker-" CONTAINER("b") ".scope"),
			    *pod = cgroup_at(cgroups, "/kubepods/burstable/podaabbccdd-0011-2233-4455-66778899aabb/" CONTAINER("d")),
			    *beside = cgroup_at(cgroups, "/kubepods/burstable/podaabbccdd-0011-2233-4455-66778899aabb/" CONTAINER("e")),
			    *service = cgroup_at(cgroups, "/system.slice/nginx.service"),
			    *own = cgroup_at(cgroups, "/user.slice/user-1000.slice/user@1000.service/docker-" CONTAINER("f") ".scope");

	check(tenant_of(one, 0) != 0 && tenant_of(one, 0) == tenant_of(one, 33), "a container has one share, whatever users its root becomes");
	check_number(tenant_of(below, 7), tenant_of(one, 0), "and so have those that it makes within");
	check(tenant_of(other, 0) != tenant_of(one, 0), "another container of root's has another");
	check(tenant_of(pod, 0) == tenant_of(beside, 0) && tenant_of(pod, 0) != tenant_of(one, 0), "containers of a pod share one");
	check_number(tenant_of(service, 33), 33, "elsewhere users have it");
	check_number(tenant_of(NULL, 33), 33, "also where nothing is known");
	check_number(tenant_of(own, 1000), 1000, "and where users call cgroups as they like");
	check_described(cgroups, tenant_of(other, 0), "of container " CONTAINER("b"));
	check_described(cgroups, tenant_of(beside, 0), "of pod aabbccdd-0011-2233-4455-66778899aabb");
	check_described(cgroups, 33, "of user 33");
	cgroups_destroy(cgroups);
}

/* Of the first pid in a user namespace that this user makes, and in which it becomes another one; 0: it cannot be made. */
static pid_t in_namespace(uid_t maker, const char *map, uid_t becomes)
{
	int ready[2], mapped[2], fd;
	char path[64], byte = 0;
	pid_t child;

	if (pipe2(ready, O_CLOEXEC) || pipe2(mapped, O_CLOEXEC))
		return 0;
	child = fork();
	if (!child) {
		if (setgroups(0, NULL) || setresuid(maker, maker, maker) || unshare(CLONE_NEWUSER) || write(ready[1], &byte, 1) != 1 ||
		    read(mapped[0], &byte, 1) != 1 || setresuid(becomes, becomes, becomes) || write(ready[1], &byte, 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)child);
	fd = read(ready[0], &byte, 1) == 1 ? open(path, O_WRONLY | O_CLOEXEC) : -1;
	if (fd < 0 || write(fd, map, strlen(map)) < 0 || write(mapped[1], &byte, 1) != 1 || read(ready[0], &byte, 1) != 1) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		child = 0;
	}
	close(fd);
	close(ready[0]);
	close(mapped[0]);
	close(mapped[1]);
	return child;
}

static void check_maker(uid_t maker, const char *map, uid_t becomes, uint32_t wanted, const char *what)
{
	pid_t child = in_namespace(maker, map, becomes);
	uint32_t user = 0;

	if (!child) {
		check_skip("no user namespace can be made", "%s", what);
		return;
	}
	check(!proc_read_user((uint32_t)child, &user) && user == wanted, "%s: user %u", what, user);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void namespaces(void)
{
	check_maker(12345, "0 300000 65536", 5, 12345, "who is given users has one share, whichever of these he becomes");
	check_maker(0, "0 196608 65536", 7, 196608, "so has a container that root gives users");
	check_maker(0, "0 0 65536", 7, 7, "root's users stay who they are");
}

/* As of names: a quarter of all for whoever comes next. */
static void shares(void)
{
	struct pool pool = { .most = 1 << 20 };
	struct cgroups *cgroups = cgroups_create(false);
	const struct cgroup *cgroup = cgroup_at(cgroups, "/system.slice/docker-" CONTAINER("a") ".scope");

	for (uint32_t user = 0; user < 1000; user++)
		for (unsigned int i = 0; i < 100; i++)
			pool_take(&pool, &(struct pool_holder){ .user = tenant_of(cgroup, user), .process = 1 + user }, 4096);
	check(pool_take(&pool, &(struct pool_holder){ .user = 0, .process = 100000 }, 1 << 17), "root of a container leaves the host's root some");
	pool_free(&pool);
	cgroups_destroy(cgroups);
}

int main(void)
{
	containers();
	namespaces();
	shares();
	return check_end();
}
