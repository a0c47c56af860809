// SPDX-License-Identifier: GPL-2.0-or-later
/* attribute/: what cgroups, environments and the kubelet's logs say of an owner, and how owners are rolled up and bounded. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attribute/cgroup.h"
#include "attribute/cgroup_path.h"
#include "attribute/environment.h"
#include "attribute/owner.h"
#include "attribute/pod.h"
#include "check.h"

#define ID	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2	"fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define UID	"6f1b7c2e-0a4d-4c5e-9f3b-2d8e7a6c5b41"
#define UID_	"6f1b7c2e_0a4d_4c5e_9f3b_2d8e7a6c5b41"
#define STATIC	"c3a4a4c6c03aebb186509ee6d7b3c1f0"

/* The owner in the draft is this, as lines. */
static void check_owner(const struct owner_draft *draft, const char *expected, const char *what)
{
	struct buffer lines = { 0 };

	buffer_string(&lines, "");
	owner_write(&draft->owner, &lines);
	check_string(lines.data, expected, "%s", what);
	buffer_free(&lines);
}

static void cgroup_paths(void)
{
	static const struct {
		const char *path, *lines;
	} cases[] = {
		{ "/", "" },
		{ "", "" },
		{ "/system.slice/nginx.service", "systemd.unit.name=nginx.service\n" },
		{ "/system.slice/postgresql@15-main.service", "systemd.unit.name=postgresql@15-main.service\n" },
		{ "/user.slice/user-1000.slice/user@1000.service/app.slice/syncthing.service", "systemd.unit.name=syncthing.service\n" },
		{ "/user.slice/user-1000.slice/session-3.scope", "" },
		{ "/system.slice/run-u42.service", "" },
		{ "/system.slice/.service", "" },
		{ "/init.scope", "" },
		{ "/system.slice/docker-" ID ".scope", "container.id=" ID "\n" },
		{ "/docker/" ID, "container.id=" ID "\n" },
		{ "/docker/" ID "/init", "container.id=" ID "\n" },
		{ "/docker/" ID "/docker/" ID2, "container.id=" ID "\n" },
		{ "/docker/" ID "/system.slice/cron.service", "systemd.unit.name=cron.service\ncontainer.id=" ID "\n" },
		{ "/system.slice/shop.service/libpod-payload-" ID, "systemd.unit.name=shop.service\ncontainer.id=" ID "\n" },
		{ "/machine.slice/libpod-" ID ".scope/container", "container.id=" ID "\n" },
		{ "/machine.slice/libpod-conmon-" ID ".scope", "" },
		{ "/libpod_parent/libpod-" ID, "container.id=" ID "\n" },
		{ "/libpod_parent/conmon", "" },
		{ "/system.slice/crio-conmon-" ID ".scope", "" },
		{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID ".scope",
		  "k8s.pod.uid=" UID "\ncontainer.id=" ID "\n" },
		{ "/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" ID ".scope/container", "k8s.pod.uid=" UID "\ncontainer.id=" ID "\n" },
		{ "/kubepods/besteffort/pod" UID "/" ID, "k8s.pod.uid=" UID "\ncontainer.id=" ID "\n" },
		{ "/kubepods/burstable/pod" UID "/crio-" ID, "k8s.pod.uid=" UID "\ncontainer.id=" ID "\n" },
		{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" STATIC ".slice/cri-containerd-" ID ".scope",
		  "k8s.pod.uid=" STATIC "\ncontainer.id=" ID "\n" },
		{ "/system.slice/containerd.service/kubepods-burstable-pod" UID_ ".slice:cri-containerd:" ID,
		  "systemd.unit.name=containerd.service\nk8s.pod.uid=" UID "\ncontainer.id=" ID "\n" },
		{ "/docker/" ID "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" UID_ ".slice/cri-containerd-" ID2 ".scope",
		  "container.id=" ID "\n" },
		/* As somebody else is called, by whoever may make cgroups in a container, or in a pod. */
		{ "/kubepods/burstable/pod" UID "/" ID "/pod" STATIC "/" ID2, "k8s.pod.uid=" UID "\ncontainer.id=" ID "\n" },
		{ "/kubepods/burstable/pod" UID "/pod" STATIC "/" ID, "k8s.pod.uid=" UID "\ncontainer.id=" ID "\n" },
		{ "/kubepods/burstable/pod" UID "/crio-conmon-" ID2 "/crio-" ID, "k8s.pod.uid=" UID "\ncontainer.id=" ID "\n" },
		/* Nearly. */
		{ "/docker/" ID "0", "" },
		{ "/docker/0123456789abcdef", "" },
		{ "/docker/X123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "" },
		{ "/kubepods/pod" "6f1b7c2e-0a4d-4c5e-9f3b+2d8e7a6c5b41", "" },
		{ "/kubepods/pod", "" },
		{ "/x" ID, "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct owner_draft draft = { 0 };

		cgroup_path_read(cases[i].path, &draft);
		check_owner(&draft, cases[i].lines, cases[i].path);
	}
}

static void environments(void)
{
#define TEXT(text) text, sizeof(text) - 1
	static const struct {
		const char *text;
		size_t bytes;
		const char *lines;
	} cases[] = {
		{ TEXT("PATH=/bin\0OTEL_SERVICE_NAME=shop\0HOME=/\0"), "service.name=shop\n" },
		{ TEXT("OTEL_SERVICE_NAME=shop"), "service.name=shop\n" },
		{ TEXT("OTEL_SERVICE_NAME=\0"), "" },
		{ TEXT("XOTEL_SERVICE_NAME=shop\0OTEL_SERVICE_NAMES=b\0OTEL_SERVICE_NAME"), "" },
		{ TEXT("OTEL_RESOURCE_ATTRIBUTES=service.name=cart,service.version=1.2,k8s.pod.name=cart-0\0"),
		  "service.name=cart\nservice.version=1.2\nk8s.pod.name=cart-0\n" },
		{ TEXT("OTEL_SERVICE_NAME=shop\0OTEL_RESOURCE_ATTRIBUTES=service.name=cart,service.namespace=eu\0"),
		  "service.name=shop\nservice.namespace=eu\n" },
		{ TEXT("OTEL_RESOURCE_ATTRIBUTES= service.name = a%20b%2Cc , deployment.environment=test\0"),
		  "service.name=a b,c\ndeployment.environment.name=test\n" },
		{ TEXT("OTEL_RESOURCE_ATTRIBUTES=service.names=a,service.nam=b\0"), "" },
		{ TEXT("OTEL_RESOURCE_ATTRIBUTES=service.name=good,service.version=%zz\0"), "" },
		{ TEXT("OTEL_RESOURCE_ATTRIBUTES=service.name=good,service.version=%4\0"), "" },
		{ "OTEL_RESOURCE_ATTRIBUTES=service.name=%41", 40, "" },	/* the last digit is somebody else's */
		{ TEXT("OTEL_SERVICE_NAME=\0OTEL_RESOURCE_ATTRIBUTES=service.name=cart\0"), "service.name=cart\n" },
		{ TEXT("OTEL_RESOURCE_ATTRIBUTES=service.name=good,nonsense\0"), "" },
		{ TEXT("OTEL_RESOURCE_ATTRIBUTES=service.name=good,,team=x,\0"), "service.name=good\n" },
		{ TEXT("OTEL_RESOURCE_ATTRIBUTES=\0"), "" },
		/* What the kernel knows is not for a process to say. */
		{ TEXT("OTEL_RESOURCE_ATTRIBUTES=container.id=1,k8s.pod.uid=2,systemd.unit.name=3,process.executable.name=4\0"), "" },
		/* Names end in lines, terminals and messages. */
		{ TEXT("OTEL_SERVICE_NAME=a\nb\033[31m\xff\0"), "service.name=a?b?[31m?\n" },
		{ TEXT("OTEL_RESOURCE_ATTRIBUTES=service.name=a%0ab%00c\0"), "service.name=a?b\n" },
		{ TEXT(""), "" },
		{ TEXT("\0\0\0"), "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct owner_draft draft = { 0 };
		char what[32];

		environment_read(cases[i].text, cases[i].bytes, &draft);
		snprintf(what, sizeof(what), "environment %zu", i);
		check_owner(&draft, cases[i].lines, what);
	}
}

static void own_environment(void)
{
	struct owner_draft draft = { 0 };
	struct buffer long_value = { 0 };
	pid_t child;

	while (long_value.bytes < 2 * OWNER_VALUE_BYTES)
		buffer_string(&long_value, "\xc3\xb6");
	setenv("OTEL_SERVICE_NAME", long_value.data, 1);
	child = fork();
	if (!child)
		execl("/bin/sleep", "sleep", "100", NULL);
	/* Until it runs the other program its environment is ours, as we were started. */
	for (int i = 0; i < 5000 && !draft.owner.values[OWNER_SERVICE]; i++) {
		usleep(1000);
		environment_read_process((uint32_t)child, &draft);
	}
	check(draft.owner.values[OWNER_SERVICE] && strlen(draft.owner.values[OWNER_SERVICE]) == OWNER_VALUE_BYTES - 1,
	      "what is read of a process is cut");
	check(draft.owner.values[OWNER_SERVICE] && !strncmp(draft.owner.values[OWNER_SERVICE], long_value.data, OWNER_VALUE_BYTES - 2) &&
	      draft.owner.values[OWNER_SERVICE][OWNER_VALUE_BYTES - 2] == '?', "and half a character is none");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	check_number(environment_read_process((uint32_t)child, &draft), -ENOENT, "a process that is gone has none");
	unsetenv("OTEL_SERVICE_NAME");
	buffer_free(&long_value);
}

/* Empty is said of three: of who has none, of who has none yet, and of who has none any more. */
static void empty_environment(void)
{
	char *nothing[] = { NULL }, *arguments[] = { (char *)(uintptr_t)"sleep", (char *)(uintptr_t)"100", NULL };
	struct owner_draft draft = { 0 };
	siginfo_t ended;
	pid_t child = fork();
	int error = 0;

	if (!child)
		execve("/bin/sleep", arguments, nothing);
	for (int i = 0; i < 50000 && error != -ENODATA; i++) {
		error = environment_read_process((uint32_t)child, &draft);
		usleep(100);
	}
	check_number(error, -ENODATA, "a process that was started without any has none");
	kill(child, SIGKILL);
	waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT);
	error = environment_read_process((uint32_t)child, &draft);
	check(error == -ESRCH || error == -EAGAIN, "one without memory does not say whether it had one: %d", error);
	waitpid(child, NULL, 0);
}

static void proc_text(void)
{
	struct owner_draft draft = { 0 };
	char path[64];

	cgroup_read_text("0::/system.slice/ssh.service\n", &draft, path, sizeof(path));
	check_string(path, "/system.slice/ssh.service", "the path of cgroup v2");
	check_owner(&draft, "systemd.unit.name=ssh.service\n", "and what it says");
	draft = (struct owner_draft){ 0 };
	cgroup_read_text("12:pids:/docker/" ID "\n1:name=systemd:/docker/" ID "\n0::/system.slice/docker.service\n", &draft, path,
			 sizeof(path));
	check_string(path, "/system.slice/docker.service", "of several hierarchies");
	check_owner(&draft, "systemd.unit.name=docker.service\ncontainer.id=" ID "\n", "each says something");
	draft = (struct owner_draft){ 0 };
	cgroup_read_text("0::/a.service\n1:name=systemd:/b.service\n", &draft, path, sizeof(path));
	check_string(path, "/a.service", "whatever their order");
	draft = (struct owner_draft){ 0 };
	cgroup_read_text("nonsense\n0:\n::\n5:cpu:\n0::relative\n", &draft, path, sizeof(path));
	check_string(path, "", "nonsense says nothing");
	check_owner(&draft, "", "of anybody");
}

static void pods(void)
{
	static const char *const files[] = { "other_ns_c-" ID2 ".log", "cart-7d9f_shop_web-" ID ".log" };
	char directory[] = "/tmp/ktally-pods.XXXXXX", path[512];
	struct owner_draft draft = { 0 };

	check(mkdtemp(directory), "a directory");
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
		close(open(path, O_CREAT | O_WRONLY, 0600));
	}
	check_number(pod_find_names(directory, ID, &draft), 0, "the kubelet's link is found");
	check_owner(&draft, "k8s.namespace.name=shop\nk8s.pod.name=cart-7d9f\nk8s.container.name=web\n", "and has the names");
	check_number(pod_find_names(directory, STATIC STATIC, &draft), -ENOENT, "not that of another container");
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
		unlink(path);
	}
	rmdir(directory);
	check_number(pod_find_names(directory, ID, &draft), -ENOENT, "nor in no directory");
	check(!pod_read_name("a_b-" ID ".log", ID, &draft) && !pod_read_name(ID ".log", ID, &draft) &&
	      !pod_read_name("a_b_c-" ID ".log.1", ID, &draft) && !pod_read_name("a_b_c-" ID ".txt", ID, &draft) &&
	      !pod_read_name("a_b_c_" ID ".log", ID, &draft) && !pod_read_name("-" ID ".log", ID, &draft), "nor in other names");
}

/* Who is not among them has the directory read at most once a second; who is, does not have it read at all. */
static void remembered_pods(void)
{
	static const uint64_t second = 1000000000;
	char directory[] = "/tmp/ktally-pods.XXXXXX", path[512], late[512];
	struct owner_draft draft = { 0 };
	struct pod_logs logs = { .read = false };

	check(mkdtemp(directory), "a directory");
	snprintf(path, sizeof(path), "%s/cart-7d9f_shop_web-" ID ".log", directory);
	snprintf(late, sizeof(late), "%s/late_shop_web-" ID2 ".log", directory);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	check_number(pod_logs_find(&logs, directory, ID, 10 * second, &draft), 0, "one that is there is found");
	check_owner(&draft, "k8s.namespace.name=shop\nk8s.pod.name=cart-7d9f\nk8s.container.name=web\n", "with its names");
	close(open(late, O_CREAT | O_WRONLY, 0600));
	check_number(pod_logs_find(&logs, directory, ID2, 10 * second + 1, &draft), -ENOENT, "the directory is not read for each");
	check_number(pod_logs_find(&logs, directory, ID2, 1, &draft), -ENOENT, "nor for one of before");
	check_number(pod_logs_find(&logs, directory, "short", 10 * second + 1, &draft), -ENOENT, "nor for what is none");
	check_number(pod_logs_find(&logs, directory, ID2, 11 * second, &draft), 0, "but a second later it is");
	check_owner(&draft, "k8s.namespace.name=shop\nk8s.pod.name=late\nk8s.container.name=web\n", "and the one that came late has its names");
	unlink(path);
	unlink(late);
	rmdir(directory);
	check_number(pod_logs_find(&logs, directory, ID, 20 * second, &draft), 0, "those that are known stay so");
	check_number(pod_logs_find(&logs, directory, STATIC STATIC, 20 * second, &draft), -ENOENT, "until another one is looked for");
	check_number(pod_logs_find(&logs, directory, ID, 20 * second, &draft), -ENOENT, "for which there is no directory");
	pod_logs_free(&logs);
}

static const struct owner *get(struct owners *owners, const char *lines)
{
	struct owner_draft draft = { 0 };

	owner_read(lines, strlen(lines), &draft);
	return owners_get(owners, &draft.owner);
}

static void added(void)
{
	static const char first[] = "service.name=shop\nk8s.pod.name=shop-1\n", more[] = "k8s.pod.name=told\nk8s.pod.uid=u\n";
	struct owner_draft draft = { 0 }, other = { 0 };

	owner_read(first, strlen(first), &draft);
	owner_read(more, strlen(more), &other);
	owner_add(&draft.owner, &other.owner);
	check_owner(&draft, "service.name=shop\nk8s.pod.name=shop-1\nk8s.pod.uid=u\n", "what was said first stays");
	owner_add(&draft.owner, NULL);
}

static void levels(void)
{
	static const char one[] =
		"service.name=shop\nk8s.pod.name=shop-1\nk8s.pod.uid=u1\ncontainer.id=1\nprocess.executable.name=python3\n";
	static const char two[] =
		"service.name=shop\nk8s.pod.name=shop-2\nk8s.pod.uid=u2\ncontainer.id=2\nprocess.executable.name=python3\n";
	static const char three[] = "service.name=shop\nk8s.pod.name=shop-2\nk8s.pod.uid=u2\ncontainer.id=2\nprocess.executable.name=sh\n";
	static const struct {
		const char *name, *lines;
		int distinct;
	} cases[] = {
		{ "process", one, 3 },
		{ "container", "service.name=shop\nk8s.pod.name=shop-1\nk8s.pod.uid=u1\ncontainer.id=1\n", 2 },
		{ "service", "service.name=shop\n", 1 },
		{ "host", "", 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct owner_draft draft = { 0 };
		const struct owner *first, *second, *third;
		struct owners *owners;
		enum owner_level level = OWNER_LEVELS;

		check_number(owner_level_of(cases[i].name, &level), 0, "level %s", cases[i].name);
		owners = owners_create(level, 0);
		first = get(owners, one);
		second = get(owners, two);
		third = get(owners, three);
		draft.owner = *first;
		check_owner(&draft, cases[i].lines, "has its attributes");
		check_number(1 + (second != first) + (third != second), cases[i].distinct, "so many are different");
		check(get(owners, one) == first, "the same is the same");
		check((owners_unknown(owners) == first) == (level == OWNER_BY_HOST), "what nobody knows is the host's at most");
		owners_destroy(owners);
	}
	check_number(owner_level_of("galaxy", &(enum owner_level){ 0 }), -EINVAL, "no other level");
}

static void bounded(void)
{
	struct owners *owners = owners_create(OWNER_BY_PROCESS, 100);
	const struct owner *kept = NULL, *owner;
	unsigned int others = 0;
	char lines[64];

	for (unsigned int i = 0; i < 100000; i++) {
		snprintf(lines, sizeof(lines), "process.executable.name=name%u\n", i);
		owner = get(owners, lines);
		others += owner == owners_other(owners);
		if (i == 7)
			kept = owner;
	}
	check_number(others, 100000 - 100, "what comes past the cap is of the other");
	check_number(owners_count(owners), 102, "so many are there, with other and unknown");
	owners_keep(kept);
	owners_forget(owners);
	check_number(owners_count(owners), 3, "what is not kept goes");
	check(get(owners, "process.executable.name=name7\n") == kept, "what is kept is the same");
	check(get(owners, "process.executable.name=name99999\n") != owners_other(owners), "and there is room again");
	check_string(owner_label(owners_other(owners)), "other", "people see other");
	owners_destroy(owners);
}

/* Readings, and what there is to compare after each: a cgroup that is made anew begins at nothing, and some readings fail. */
static void accounts(void)
{
	static const struct {
		uint64_t charge, sampled, charged_after, sampled_after;
		bool failed;
	} readings[] = {
		{ 1000, 50, 0, 0, false },
		{ 1100, 140, 100, 90, false },
		{ 0, 150, 100, 90, true },
		{ 1300, 200, 100, 90, false },
		{ 1400, 290, 200, 180, false },
		{ 40, 300, 200, 180, false },
		{ 50, 311, 210, 191, false },
		{ 60, 5, 210, 191, false },
		{ 70, 15, 220, 201, false },
	};
	struct account account = { .charged = 0 };

	for (size_t i = 0; i < sizeof(readings) / sizeof(readings[0]); i++) {
		account.charge = readings[i].charge;
		account.is_charged = !readings[i].failed;
		account_compare(&account, readings[i].sampled);
		check(account.charged == readings[i].charged_after && account.sampled == readings[i].sampled_after, "reading %zu", i);
	}
}

static void bounded_cgroups(void)
{
	struct cgroups *cgroups = cgroups_create(false);
	struct cgroup *cgroup;
	uint64_t id = 0;

	while (id < 100000 && cgroups_get(cgroups, id + 1, 0, 0))
		id++;
	check_number(id, 16384, "so many cgroups are known");
	cgroup = cgroups_get(cgroups, 7, 0, 0);
	check(cgroup, "and still are");
	if (cgroup) {
		cgroup->told = true;
		cgroup_set(cgroup, "/a", NULL);
		check(!cgroup->told, "what is new of one is to be told");
	}
	cgroups_forget(cgroups);
	cgroups_get(cgroups, 7, 0, 0);
	cgroups_forget(cgroups);
	check_number(cgroups_all(cgroups)->used, 1, "until they are not used");
	check(cgroups_get(cgroups, id + 1, 0, 0), "then there is room for others");
	cgroups_destroy(cgroups);
}

static size_t take_below(struct cgroup_shares *shares, const char *parent, size_t most)
{
	struct cgroup_share share;
	char path[256];
	size_t taken = 0;

	do
		snprintf(path, sizeof(path), "%s/%zu", parent, taken);
	while (taken < most && cgroup_shares_take(shares, path, &share) && ++taken);
	return taken;
}

/* However many somebody makes where he may make some, and however deep: there are some left for all others. */
static void shared_cgroups(void)
{
	static const char mine[] = "/user.slice/user-1000.slice/user@1000.service/app.slice";
	struct cgroup_shares shares = { .most = 16384 };
	struct cgroup_share share, unknown;
	size_t flood, next;

	flood = take_below(&shares, mine, SIZE_MAX);
	check(flood > 1700 && flood < 1900, "below four there is an eighth of what is left: %zu", flood);
	for (unsigned int i = 0; i < 20000; i++) {
		char path[256];

		snprintf(path, sizeof(path), "/user.slice/user-1000.slice/user@1000.service/%u/%u/%u", i / 100, i, i);
		flood += cgroup_shares_take(&shares, path, &share);
	}
	check(flood > 3000 && flood < 3500, "nor is there more for who goes elsewhere there, or deeper: %zu", flood);
	next = take_below(&shares, "/user.slice/user-1001.slice", 20000);
	check(next > 2000, "another user has a share: %zu", next);
	next = take_below(&shares, "/system.slice", 1000);
	check_number(next, 1000, "and so has the system");
	for (next = 0; cgroup_shares_take(&shares, NULL, &unknown); next++)
		;
	check(next > 2000 && next < 8192, "those of which nobody knows where they are share what one place has: %zu", next);
	check(cgroup_shares_take(&shares, "/system.slice/late.service", &share) && cgroup_shares_take(&shares, "/", &share), "who comes late finds room");
	cgroup_shares_free(&shares);

	shares = (struct cgroup_shares){ .most = 100 };
	check(cgroup_shares_take(&shares, "/a/b/c/d/e", &share), "one");
	cgroup_shares_give(&shares, &share);
	check(!shares.used && !shares.held.used, "what was given back is there again, and nothing is left of it");
	cgroup_shares_free(&shares);
	check_number(cgroup_shares_bytes("/a/b/c/d/e/f"), strlen("/a/b/c/d"), "four are told apart");
	check_number(cgroup_shares_bytes("/a/b"), strlen("/a/b"), "or as many as there are");
	check_number(cgroup_shares_bytes("/"), 1, "or none");
}

static char *mount_of_cgroups(struct cgroups *cgroups)
{
	return (char *)(uintptr_t)cgroups_mount(cgroups);
}

/* Whoever may not ask for the path of an id believes that of a process, if its id is the one that is asked for. */
static void look_as_nobody(void)
{
	struct cgroups *cgroups = cgroups_create(true);
	struct owner_draft draft = { 0 };
	char path[4096], directory[8192];
	struct cgroup *mine, *other;
	struct stat status;

	if (!cgroups_mount(cgroups) || cgroup_read_process((uint32_t)getpid(), &draft, path, sizeof(path)) || !*path)
		_exit(2);
	snprintf(directory, sizeof(directory), "%s%s", cgroups_mount(cgroups), path);
	if (stat(directory, &status) || (!getuid() && setresuid(65534, 65534, 65534)))
		_exit(2);
	mine = cgroups_get(cgroups, status.st_ino, (uint32_t)getpid(), 1000000000);
	other = cgroups_get(cgroups, status.st_ino + 1000000, (uint32_t)getpid(), 1000000000);
	_exit(!mine->path || strcmp(mine->path, path) || other->path);
}

static void of_process(void)
{
	int status = -1;
	pid_t child = fork();

	if (!child)
		look_as_nobody();
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		check_skip("no cgroup v2", "the cgroup of a process");
	else
		check_number(status, 0, "without rights the cgroup of a process is known, and no other");
}

/* The real thing, where we may: a cgroup of the name that a container would have. */
static void live_cgroups(void)
{
	struct cgroups *cgroups = cgroups_create(true);
	char directory[512] = "";
	struct cgroup *cgroup;
	struct stat status;

	if (mount_of_cgroups(cgroups))
		snprintf(directory, sizeof(directory), "%s/ktally-test-%d-" ID, mount_of_cgroups(cgroups), getpid());
	if (!*directory || mkdir(directory, 0755) || stat(directory, &status)) {
		check_skip("no cgroup v2 that can be written", "live cgroups");
		cgroups_destroy(cgroups);
		return;
	}
	cgroup = cgroups_get(cgroups, status.st_ino, 0, 1000000000);
	check(cgroup && cgroup->path && !strcmp(cgroup->path, directory + strlen(mount_of_cgroups(cgroups))),
	      "the kernel tells the path of an id");
	check(cgroup && cgroup->owner && check_same(cgroup->owner->values[OWNER_CONTAINER], ID), "and that says the container");
	check(cgroups_get(cgroups, status.st_ino, 0, 2000000000) == cgroup, "a cgroup is known from then on");
	rmdir(directory);
	cgroup = cgroups_get(cgroups, status.st_ino + 1000000, (uint32_t)getpid(), 1000000000);
	check(cgroup && !cgroup->path, "one that is not there has no path, and is not that of a process in another");
	cgroup = cgroups_get(cgroups, status.st_ino + 1000000, (uint32_t)getpid(), 1000000001);
	check(cgroup && cgroup->attempts == 1, "and is not looked for again at once");
	cgroups_forget(cgroups);
	check_number(cgroups_all(cgroups)->used, 2, "what was used stays");
	cgroups_forget(cgroups);
	check_number(cgroups_all(cgroups)->used, 0, "once");
	cgroups_destroy(cgroups);
}

#define MANY_CGROUPS	2000

static void name_cgroup(char *directory, size_t most, struct cgroups *cgroups, unsigned int depth, int number)
{
	static const char *const below[] = { "", "/a", "/a/b", "/a/b/c" };

	snprintf(directory, most, "%s/ktally-test-%d%s", mount_of_cgroups(cgroups), getpid(), below[depth]);
	if (number >= 0)
		snprintf(directory + strlen(directory), most - strlen(directory), "/%d", number);
}

/* One past its share is counted as the one above it that has room; and has its own once others were forgotten. */
static void past_share(void)
{
	struct cgroups *cgroups = cgroups_create(true);
	struct cgroup *cgroup = NULL, *other;
	char directory[512], expected[64];
	struct stat status;
	bool made = mount_of_cgroups(cgroups);
	uint64_t refused;

	for (unsigned int depth = 0; made && depth < 4; depth++) {
		name_cgroup(directory, sizeof(directory), cgroups, depth, -1);
		made = !mkdir(directory, 0755);
	}
	if (!made) {
		check_skip("no cgroup v2 that can be written", "cgroups past their share");
		cgroups_destroy(cgroups);
		return;
	}
	for (int i = 0; i < MANY_CGROUPS; i++) {
		name_cgroup(directory, sizeof(directory), cgroups, 3, i);
		if (!mkdir(directory, 0755) && !stat(directory, &status))
			cgroup = cgroups_get(cgroups, status.st_ino, 0, 1000000000);
	}
	snprintf(expected, sizeof(expected), "/ktally-test-%d/a/b", getpid());
	check_string(cgroup ? cgroup->path : NULL, expected, "one past the share of those below %s/c is counted as that", expected);
	refused = cgroups_refused(cgroups);
	check_number((long long)(refused + cgroups_all(cgroups)->used), MANY_CGROUPS + 2, "of all, with the two above them, %llu have no room",
		     (unsigned long long)refused);
	check(refused > 100, "which are refused");
	name_cgroup(directory, sizeof(directory), cgroups, 3, MANY_CGROUPS - 1);
	for (int i = 0; i < 10 && !stat(directory, &status); i++)
		cgroups_get(cgroups, status.st_ino, 0, 1000000000);
	check_number((long long)cgroups_refused(cgroups), (long long)refused, "each is counted once, however often it is asked for");
	name_cgroup(directory, sizeof(directory), cgroups, 0, -1);
	other = stat(directory, &status) ? NULL : cgroups_get(cgroups, status.st_ino, 0, 1000000000);
	check(other && other->id == status.st_ino && other->path, "one elsewhere has room");
	cgroups_forget(cgroups);
	cgroups_forget(cgroups);
	name_cgroup(directory, sizeof(directory), cgroups, 3, MANY_CGROUPS - 1);
	cgroup = stat(directory, &status) ? NULL : cgroups_get(cgroups, status.st_ino, 0, 1000000000);
	check(cgroup && cgroup->id == status.st_ino, "when others are forgotten there is room for it, too");
	for (int i = 0; i < MANY_CGROUPS; i++) {
		name_cgroup(directory, sizeof(directory), cgroups, 3, i);
		rmdir(directory);
	}
	for (int depth = 3; depth >= 0; depth--) {
		name_cgroup(directory, sizeof(directory), cgroups, (unsigned int)depth, -1);
		rmdir(directory);
	}
	cgroups_destroy(cgroups);
}

int main(void)
{
	cgroup_paths();
	environments();
	own_environment();
	empty_environment();
	proc_text();
	pods();
	remembered_pods();
	added();
	levels();
	bounded();
	accounts();
	bounded_cgroups();
	shared_cgroups();
	live_cgroups();
	past_share();
	of_process();
	return check_end();
}
