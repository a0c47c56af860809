// SPDX-License-Identifier: GPL-2.0-or-later
/* profile/ about owners: learnt of live processes, told to a recorder, read from a capture, bounded whatever names tasks take. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "capture/capture.h"
#include "check.h"
#include "export/export.h"
#include "fake_records.h"
#include "profile/profile.h"
#include "symbols/proc.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct told {
	struct buffer text;		/* "MM CGROUP: lines" */
};

static void on_owner(void *context, uint64_t mm_id, uint64_t cgroup_id, const char *text, size_t bytes)
{
	struct told *told = context;

	buffer_format(&told->text, "%s %s: %.*s", mm_id ? "space" : "-", cgroup_id ? "cgroup" : "-", (int)bytes, text);
}

/* A value of the owner of a task. */
static const char *value_of(const struct profile *profile, uint64_t task, enum owner_key key)
{
	return ((const struct task *)map_get(&profile->tasks, task))->owner->values[key];
}

/* A process with these in its environment, as the device would announce it. */
static pid_t start_process(const char *name, const char *attributes)
{
	char link[64], target[64] = "";
	pid_t child = fork();

	if (!child) {
		setenv("OTEL_SERVICE_NAME", name, 1);
		setenv("OTEL_RESOURCE_ATTRIBUTES", attributes, 1);
		execl("/bin/sleep", "sleep", "100", NULL);
		_exit(1);
	}
	snprintf(link, sizeof(link), "/proc/%d/exe", child);
	for (int i = 0; i < 5000 && !strstr(target, "sleep"); i++) {
		ssize_t bytes = readlink(link, target, sizeof(target) - 1);

		target[bytes > 0 ? bytes : 0] = '\0';
		usleep(1000);
	}
	return child;
}

static struct ktally_task describe(uint64_t id, uint64_t mm_id, pid_t pid, uint64_t cgroup_id)
{
	char comm[64] = "";
	uint64_t ticks = 0;
	struct ktally_task task;

	proc_read_thread((uint32_t)pid, (uint32_t)pid, &ticks, comm, sizeof(comm));
	task = task_record(id, mm_id, (uint32_t)pid, (uint32_t)pid, comm);
	task.start_time = ticks * (SECOND / (uint64_t)sysconf(_SC_CLK_TCK)) + 12345;
	task.cgroup_id = cgroup_id;
	return task;
}

static struct ktally_task announce(struct profile *profile, uint64_t id, uint64_t mm_id, pid_t pid, uint64_t cgroup_id)
{
	struct ktally_task task = describe(id, mm_id, pid, cgroup_id);

	feed_task(profile, &task);
	return task;
}

/* A program that was in the middle of exec when it was announced: what it is could not be read then. */
static void early(void)
{
	const struct profile_options options = { .live = true };
	struct profile *profile = profile_create(&options);
	pid_t child = start_process("late", "");
	struct ktally_task task = describe(1, MM, child, 0);

	strcpy((char *)task.comm, "before");
	feed_task(profile, &task);
	check_string(value_of(profile, 1, OWNER_SERVICE), "before", "in the middle of exec nothing is known");
	announce(profile, 2, MM, child, 0);
	feed_stack(profile, 11, 0, NULL, 0, NULL, 0);
	feed_sample(profile, 11, 2, 7 * SECOND, 1000, -1, NULL);
	check_string(value_of(profile, 2, OWNER_SERVICE), "late", "when it is first sampled it is asked again");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	profile_destroy(profile);
}

static void live(void)
{
	struct told told = { 0 };
	const struct profile_options options = { .live = true, .on_owner = on_owner, .context = &told };
	struct profile *profile = profile_create(&options);
	pid_t shop = start_process("shop", "service.version=2,k8s.pod.name=shop-0,container.id=lie"), plain = start_process("", "");

	buffer_string(&told.text, "");
	announce(profile, 1, MM, shop, 0);
	check_string(value_of(profile, 1, OWNER_SERVICE), "shop", "a process is called what it was told to call itself");
	check_string(value_of(profile, 1, OWNER_SERVICE_VERSION), "2", "with what else it says");
	check_string(value_of(profile, 1, OWNER_PROCESS), "sleep", "and what it runs");
	check(!value_of(profile, 1, OWNER_CONTAINER) || strcmp(value_of(profile, 1, OWNER_CONTAINER), "lie"), "not where it is");
	check(strstr(told.text.data, "space -: service.name=shop\nservice.version=2\n"), "a recorder is told");
	buffer_clear(&told.text);
	announce(profile, 2, MM, shop, 0);
	check(!strstr(told.text.data, "space"), "once");
	check(((const struct task *)map_get(&profile->tasks, 1))->owner == ((const struct task *)map_get(&profile->tasks, 2))->owner,
	      "its threads have the same owner");
	announce(profile, 3, MM + 1, plain, 0);
	check_string(value_of(profile, 3, OWNER_PROCESS), "sleep", "who says nothing is what it runs");
	check(value_of(profile, 3, OWNER_SERVICE) != value_of(profile, 1, OWNER_SERVICE), "and another owner");
	buffer_clear(&told.text);
	profile_tell_owners(profile);
	check(strstr(told.text.data, "space -: service.name=shop\n"), "a later recorder is told all again");
	kill(shop, SIGKILL);
	kill(plain, SIGKILL);
	waitpid(shop, NULL, 0);
	waitpid(plain, NULL, 0);
	profile_destroy(profile);
	buffer_free(&told.text);
}

static void feed_owner(struct profile *profile, uint64_t mm_id, uint64_t cgroup_id, const char *text)
{
	const struct capture_item item = {
		.type = CAPTURE_OWNER, .data = text, .bytes = strlen(text), .mm_id = mm_id, .cgroup_id = cgroup_id,
	};

	profile_feed_item(profile, &item);
}

static void recorded(enum owner_level level, const char *service, const char *container, const char *process)
{
	const struct profile_options options = { .level = level };
	struct profile *profile = profile_create(&options);
	struct ktally_task task = task_record(1, MM, 100, 101, "worker"), kernel = task_record(2, 0, 2, 2, "kworker/3:1");
	struct ktally_task plain = task_record(3, MM + 1, 200, 200, "nginx"), unit = task_record(4, MM + 2, 300, 300, "sshd");
	size_t count;

	plain.cgroup_id = 8;
	unit.cgroup_id = 7;
	kernel.cgroup_id = 1;
	feed_owner(profile, MM, 0, "service.name=shop\n");
	feed_owner(profile, 0, 9, "path=/docker/" ID "\ncontainer.id=" ID "\n");
	feed_owner(profile, 0, 7, "path=/system.slice/ssh.service\nsystemd.unit.name=ssh.service\n");
	feed_task(profile, &task);
	feed_task(profile, &kernel);
	feed_task(profile, &plain);
	feed_task(profile, &unit);
	check_string(value_of(profile, 1, OWNER_SERVICE), service, "service");
	check_string(value_of(profile, 1, OWNER_CONTAINER), container, "container");
	check_string(value_of(profile, 1, OWNER_PROCESS), process, "process");
	if (level <= OWNER_BY_SERVICE) {
		check_string(value_of(profile, 2, OWNER_SERVICE), "kernel", "threads of the kernel are one service");
		check_string(value_of(profile, 3, OWNER_SERVICE), "nginx", "a process that nobody named is a service of its own");
		check_string(value_of(profile, 4, OWNER_SERVICE), "ssh", "one of systemd's services is that");
		check_string(value_of(profile, 4, OWNER_UNIT), "ssh.service", "which is its unit");
	}
	feed_stack(profile, 11, MM, NULL, 0, NULL, 0);
	for (uint64_t id = 1; id <= 4; id++)
		check(feed_sample(profile, 11, id, 7 * SECOND, 1000, -1, NULL), "a sample");
	feed_sample(profile, 99, 1, 7 * SECOND, 1000, -1, NULL);
	tally_rows(profile->oncpu.tally, &count);
	check_number(count, level == OWNER_BY_HOST ? 1 : 5, "a row for each owner, and for samples of nobody knows whom");
	profile_destroy(profile);
}

/* What malloc() has given out; its own figures are zero under the address sanitizer, which has another. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated(void)
{
	return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() : mallinfo2().uordblks;
}

/* A program that takes a new name each millisecond makes a new task of each. */
static void hostile_names(void)
{
	const struct profile_options options = { .classes_only = true, .series = 1000 };
	struct profile *profile = profile_create(&options);
	struct ktally_task good = task_record(1, MM, 1, 1, "good"), late;
	size_t before = 0, after;
	uint64_t owner_count = 0;
	size_t count, topic_count = 0;

	feed_stack(profile, 11, MM, NULL, 0, NULL, 0);
	for (unsigned int round = 0; round < 12; round++) {
		if (round == 2)
			before = allocated();
		for (unsigned int i = 0; i < 20000; i++) {
			struct ktally_task task;
			char comm[17];
			static struct ktally_sample sample;

			snprintf(comm, sizeof(comm), "n%u-%u", round, i);
			task = task_record(1000 + round * 100000 + i, MM + 5, 77, 77, comm);
			task.cgroup_id = round * 100000 + i;
			task.time = (10 + round) * SECOND;
			profile_feed(profile, &task.header, NULL);
			sample = (struct ktally_sample){
				.header = { .type = KTALLY_RECORD_SAMPLE, .size = sizeof(sample) }, .time = task.time, .stack_id = 11,
				.task_id = task.task_id, .weight = 1000, .tid = 77, .syscall = -1,
			};
			profile_feed(profile, &sample.header, NULL);
		}
		profile_feed(profile, &good.header, NULL);
		feed_sample(profile, 11, 1, 7 * SECOND, 1000, -1, NULL);
		owner_count = owners_count(profile->owners);
		tally_rows(profile->oncpu.tally, &count);
		if (owner_count > 102 || count > 1002)
			break;
		topic_tally_rows(profile->oncpu.topics, &topic_count);
		export_metrics_mark(profile);
		profile_forget(profile);
	}
	after = allocated();
	check(owner_count <= 102, "owners are bounded: %lu", (unsigned long)owner_count);
	check(count <= 1002, "rows are bounded: %zu", count);
	check(topic_count && topic_count <= 102, "and so are topics' rows: %zu", topic_count);
	check_number(profile->oncpu.samples, 12 * 20001, "every sample was counted");
	check(tally_overflow(profile->oncpu.tally) == 0, "in rows there were");
	check(before && after < before + (2 << 20), "new names take no memory that stays: %zu bytes, then %zu", before, after);
	check_string(value_of(profile, 1, OWNER_PROCESS), "good", "who came when there was no room, and goes on, gets its own");
	profile_forget(profile);
	profile_forget(profile);
	late = task_record(2, MM + 9, 5, 5, "late");
	feed_task(profile, &late);
	check_string(value_of(profile, 2, OWNER_PROCESS), "late", "and who comes later gets one when the others are idle");
	profile_destroy(profile);
}

/* What is held of a wait that goes on stays valid. */
static void open_wait(void)
{
	const struct profile_options options = { .classes_only = true, .series = 100 };
	struct profile *profile = profile_create(&options);
	struct ktally_task sleeper = task_record(1, MM, 1, 1, "sleeper");
	struct ktally_offcpu wait = wait_record(11, 1, 1 * SECOND, SECOND, 0, KTALLY_OFFCPU_PARTIAL);
	struct tally_row **rows;
	uint64_t weight = 0;
	size_t count;

	feed_stack(profile, 11, MM, NULL, 0, NULL, 0);
	feed_task(profile, &sleeper);
	feed_wait(profile, &wait);
	for (unsigned int i = 0; i < 200; i++) {
		struct ktally_task task;
		char comm[17];

		snprintf(comm, sizeof(comm), "n%u", i);
		task = task_record(1000 + i, MM + 5, 77, 77, comm);
		profile_feed(profile, &task.header, NULL);
		feed_sample(profile, 11, 1000 + i, 7 * SECOND, 1000, -1, NULL);
	}
	for (unsigned int i = 0; i < 4; i++) {
		export_metrics_mark(profile);
		profile_forget(profile);
	}
	profile_extend_waits(profile, 9 * SECOND);
	rows = tally_rows(profile->offcpu.tally, &count);
	for (size_t i = 0; i < count; i++)
		weight += rows[i]->weight;
	check_number(weight, 8 * SECOND, "an open wait goes on after all else was forgotten");
	check(count && !strcmp(owner_label(rows[0]->owner), "sleeper"), "and is its owner's");
	profile_destroy(profile);
}

static void feed_account(struct profile *profile, const char *text)
{
	const struct capture_item item = { .type = CAPTURE_ACCOUNT, .data = text, .bytes = strlen(text) };

	profile_feed_item(profile, &item);
}

static void accounts(void)
{
	const struct profile_options options = { 0 };
	struct profile *profile = profile_create(&options);
	const struct cgroup *cgroup;
	static struct cpus left_out;
	struct account account = { 0 };
	uint64_t number = 0;

	feed_account(profile, "0 1000 1010\n9 500 400\nnonsense\n0 1 2");
	cgroup = map_get(cgroups_all(profile->cgroups), 9);
	check(profile->account.charged == 1001 && profile->account.sampled == 1012, "what a capture says of the host is added up");
	check(cgroup && cgroup->account.charged == 500 && cgroup->account.sampled == 400, "and of cgroups");
	profile_destroy(profile);

	check(!account_of_scheduler("version 15\ntimestamp 1\ncpu0 1 2 3 4 5 6 700 8 9\ndomain0 3 1 1 1 1 1 1 9\ncpu12 0 0 0 0 0 0 50 0 0\n",
				    NULL, &number) && number == 750, "the scheduler's account of all CPUs");
	check_number(account_of_scheduler("version 15\ncpu0 1 2 3\n", NULL, &number), -EBADMSG, "one without the figure");
	check(!account_of_host("cpu  11 2 3 1000 500 4 5 6 7 8\ncpu0 10 2 3 500 250 4 5 6 7 8\ncpu1 1 0 0 500 250 0 0 0 0 0\nintr 1 2 3\n",
			       NULL, 100, &number) && number == 250000000,
	      "the kernel's ticks of a host: what is busy, guests once");
	check_number(account_of_host("cpus 1 2 3\n", NULL, 100, &number), -EBADMSG, "nothing else");
	check_number(account_of_host("cpu  1 2 3 4 5 6 7\n", NULL, 100, &number), -EBADMSG, "nor the sum of all CPUs");
	left_out.words[0] = 1 << 1;
	check(!account_of_host("cpu  11 2 3 4 5 4 5\ncpu0 10 2 3 5 2 4 5\ncpu1 1 0 0 5 2 0 0\n", &left_out, 100, &number) &&
	      number == 240000000, "CPUs that are not sampled are not counted");
	left_out.words[0] = 1 << 12;
	check(!account_of_scheduler("cpu0 1 2 3 4 5 6 700 8 9\ncpu12 0 0 0 0 0 0 50 0 0\n", &left_out, &number) && number == 700,
	      "nor by the scheduler");
	left_out.words[0] |= 1;
	check_number(account_of_scheduler("cpu0 1 2 3 4 5 6 700 8 9\ncpu12 0 0 0 0 0 0 50 0 0\n", &left_out, &number), -EBADMSG,
		     "of none there is no account");
	check(!account_of_cgroup("usage_usec 1234567\nuser_usec 1\n", &number) && number == 1234567000, "its microseconds of a cgroup");
	check_number(account_of_cgroup("user_usec 1\n", &number), -EBADMSG, "nothing else");

	account.charge = 5000;
	account.is_charged = true;
	account_compare(&account, 100);
	check(!account.charged && !account.sampled, "what was before is nothing to compare");
	account.charge = 6000;
	account.is_charged = true;
	account_compare(&account, 1090);
	check(account.charged == 1000 && account.sampled == 990, "what came since is");
	account_compare(&account, 5000);
	account.charge = 9000;
	account.is_charged = true;
	account_compare(&account, 7000);
	check(account.charged == 1000 && account.sampled == 990, "a gap counts on neither side");
}

/* As it goes through a file. */
static void captured(void)
{
	char path[] = "/tmp/ktally-owners.XXXXXX";
	static char much[(64 << 10) + 1];
	struct capture_reader *reader;
	struct capture_writer *writer;
	struct capture_item item;
	int fd = mkstemp(path);

	close(fd);
	check_number(capture_create(&writer, path), 0, "a capture of owners");
	capture_write_owner(writer, 77, 0, "a=b\n", 4);
	capture_write_owner(writer, 0, 9, NULL, 0);
	capture_write(writer, CAPTURE_ACCOUNT, "0 1 2\n", 6);
	check_number(capture_write_owner(writer, 1, 0, much, sizeof(much)), -EFBIG, "nobody has so much to say");
	check_number(capture_close(writer), 0, "is written");
	check_number(capture_open(&reader, path), 0, "and read");
	check(capture_next(reader, &item) == 1 && item.type == CAPTURE_OWNER && item.mm_id == 77 && !item.cgroup_id &&
	      !strcmp(item.data, "a=b\n"), "an address space");
	check(capture_next(reader, &item) == 1 && item.type == CAPTURE_OWNER && !item.mm_id && item.cgroup_id == 9 &&
	      !strcmp(item.data, ""), "a cgroup");
	check(capture_next(reader, &item) == 1 && item.type == CAPTURE_ACCOUNT && !strcmp(item.data, "0 1 2\n"), "an account");
	check_number(capture_next(reader, &item), 0, "and no more");
	capture_reader_close(reader);
	unlink(path);
}

/* Every time window has what came in it, whichever way the two differ. */
static void exported(void)
{
	const struct profile_options options = { 0 }, of_host = { .level = OWNER_BY_HOST };
	struct profile *profile = profile_create(&options);
	const struct export_host host = { .name = "h", .id = "", .os_name = "", .os_version = "", .cpus_left_out = "2-3" };
	struct buffer request = { 0 };
	char *text = NULL;
	size_t bytes;
	FILE *file = open_memstream(&text, &bytes);

	feed_owner(profile, 0, 9, "path=/a.slice\n");
	feed_account(profile, "0 3000000000 2500000000\n9 1000000000 1250000000\n");
	check_number(export_metrics_json(file, profile, 0, &host), 0, "accounts are exported");
	fclose(file);
	check(strstr(text, "\"ktally.cpu.accounted\"") && strstr(text, "\"isMonotonic\":true") && strstr(text, "\"asDouble\":3}"),
	      "what was charged");
	check(strstr(text, "{\"key\":\"ktally.cpus.left_out\",\"value\":{\"stringValue\":\"2-3\"}}"), "on which CPUs it was not");
	check(strstr(text, "\"ktally.cpu.difference\"") && strstr(text, "\"isMonotonic\":false") && strstr(text, "\"asDouble\":-0.5}"),
	      "how much less was sampled");
	check(strstr(text, "{\"key\":\"ktally.cgroup\",\"value\":{\"stringValue\":\"/a.slice\"}}") && strstr(text, "\"asDouble\":0.25}"),
	      "or more, in a cgroup");
	free(text);
	check_number(export_metrics_protobuf(&request, profile, &host, 1, 2), 4, "in four points");
	check_number(export_metrics_protobuf(&request, profile, &host, 2, 3), 0, "once");
	feed_account(profile, "0 1000 1000\n");
	check_number(export_metrics_protobuf(&request, profile, &host, 3, 4), 1, "no difference is no point");
	profile_destroy(profile);

	profile = profile_create(&of_host);
	feed_owner(profile, 0, 9, "path=/a.slice\n");
	feed_account(profile, "0 3000000000 2500000000\n9 1000000000 1250000000\n");
	check_number(export_metrics_protobuf(&request, profile, &host, 1, 2), 2, "of a host as one no cgroups are told");
	profile_destroy(profile);
	buffer_free(&request);
}

/* Busy for a while, with samples that say the same. */
static void live_account(void)
{
	const struct profile_options options = { .live = true, .accounts = true };
	struct profile *profile = profile_create(&options);
	struct timespec start, now;
	uint64_t before = 0, after = 0;

	account_read_host(NULL, &before);
	profile_read_accounts(profile);
	profile_compare_accounts(profile);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	while ((now.tv_sec - start.tv_sec) * 1000000000LL + now.tv_nsec - start.tv_nsec < 300000000);
	profile_read_accounts(profile);
	account_read_host(NULL, &after);
	profile->oncpu.weight = 300000000;
	profile_compare_accounts(profile);
	check(profile->account.charged >= 200000000 && profile->account.charged <= after - before, "what the kernel charges is read");
	check_number(profile->account.sampled, 300000000, "beside what was sampled");
	profile_destroy(profile);
}

static void feed_timed(struct profile *profile, uint64_t time, uint64_t weight)
{
	struct ktally_sample sample = {
		.header = { .type = KTALLY_RECORD_SAMPLE, .size = sizeof(sample) }, .time = time, .stack_id = 11, .task_id = 1, .weight = weight,
		.tid = 77, .syscall = -1,
	};

	profile_feed(profile, &sample.header, NULL);
}

/* What was sampled after the kernel's account was read is not of the time that was charged, however late it is compared. */
static void accounts_until_read(void)
{
	const struct profile_options options = { .live = true, .accounts = true };
	struct profile *profile = profile_create(&options);
	const char *mount = cgroups_mount(profile->cgroups);
	struct cgroup *cgroup = NULL;
	char directory[512] = "";
	struct stat status = { 0 };
	struct ktally_task task;

	if (mount)
		snprintf(directory, sizeof(directory), "%s/ktally-owners-%d", mount, getpid());
	if (!*directory || mkdir(directory, 0755) || stat(directory, &status))
		check_skip("no cgroup v2 that can be written", "the account of a cgroup");
	profile_read_accounts(profile);
	profile_compare_accounts(profile);
	task = task_record(1, MM, UINT32_MAX, UINT32_MAX, "worker");
	task.cgroup_id = status.st_ino;
	feed_task(profile, &task);
	feed_stack(profile, 11, MM, NULL, 0, NULL, 0);
	feed_timed(profile, 1, 1);
	profile_read_accounts(profile);
	feed_timed(profile, 1, 20);
	feed_timed(profile, UINT64_MAX - 1, 300);
	profile_compare_accounts(profile);
	check_number(profile->account.sampled, 21, "what was sampled until the host's account was read");
	profile_read_accounts(profile);
	feed_timed(profile, 1, 4000);
	profile_compare_accounts(profile);
	check_number(profile->account.sampled, 4321, "what came after counts the next time");
	if (status.st_ino)
		cgroup = map_get(cgroups_all(profile->cgroups), status.st_ino);
	if (cgroup)
		check(cgroup->account.begun && cgroup->account.sampled == 4300, "a cgroup begins with what was sampled until its account was read: %lu",
		      (unsigned long)cgroup->account.sampled);
	if (*directory)
		rmdir(directory);
	profile_destroy(profile);
}

#define DEEP	1500

/* Cgroups as deep as paths go: what is above them is looked for so far, and no further. */
static void deep_cgroups(void)
{
	const struct profile_options options = { .accounts = true };
	struct profile *profile = profile_create(&options);
	struct cgroup *top = cgroups_get(profile->cgroups, 1, 0, 0), *cgroup;
	struct buffer path = { 0 };
	clock_t began;

	while (path.bytes < 4000)
		buffer_string(&path, "/a");
	cgroup_set(top, "/a/a", NULL);
	for (unsigned int i = 0; i < DEEP; i++) {
		cgroup = cgroups_get(profile->cgroups, 2 + i, 0, 0);
		path.bytes = 4000;
		buffer_format(&path, "/%u", i);
		cgroup_set(cgroup, path.data, NULL);
		cgroup->sampled = 10;
	}
	began = clock();
	profile_compare_accounts(profile);
	check_number(top->below, 10 * DEEP, "what is above has all that is below");
	check(clock() - began < CLOCKS_PER_SEC, "found in %.2f s", (double)(clock() - began) / CLOCKS_PER_SEC);
	buffer_free(&path);
	profile_destroy(profile);
}

int main(void)
{
	live();
	early();
	recorded(OWNER_BY_PROCESS, "shop", ID, "worker");
	recorded(OWNER_BY_CONTAINER, "shop", ID, NULL);
	recorded(OWNER_BY_SERVICE, "shop", NULL, NULL);
	recorded(OWNER_BY_HOST, NULL, NULL, NULL);
	hostile_names();
	open_wait();
	accounts();
	captured();
	exported();
	live_account();
	accounts_until_read();
	deep_cgroups();
	return check_end();
}
