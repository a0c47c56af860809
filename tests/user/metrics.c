// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The OTLP metrics: protobuf read by a parser that has only the field numbers (metrics_lines.h), JSON read by Python; both
 * must say the same, and their sums must be those that went into the tally.
 */
#include <inttypes.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"
#include "metrics_lines.h"

/* The same lines of the JSON, by Python. */
static const char script[] =
	"import json, sys\n"
	"seen = set()\n"
	"for resource in json.load(open(sys.argv[1], encoding='utf-8'))['resourceMetrics']:\n"
	"    attributes = {a['key']: a['value']['stringValue'] for a in resource['resource']['attributes']}\n"
	"    process = attributes.get('process.executable.name', '-')\n"
	"    assert attributes['service.name'] == ('ktally' if process == '-' else process) and process not in seen\n"
	"    seen.add(process)\n"
	"    for scope in resource['scopeMetrics']:\n"
	"        assert scope['scope']['name'] == 'ktally' and scope['scope']['version']\n"
	"        for metric in scope['metrics']:\n"
	"            total, sets = metric['sum'], set()\n"
	"            assert total['isMonotonic'] is True and total['aggregationTemporality'] == 2\n"
	"            for point in total['dataPoints']:\n"
	"                text = ''.join('%s=%s,' % (a['key'], a['value']['stringValue']) for a in point['attributes'])\n"
	"                assert text not in sets\n"
	"                sets.add(text)\n"
	"                assert all(isinstance(point[k], str) for k in ('startTimeUnixNano', 'timeUnixNano'))\n"
	"                if 'asInt' in point:\n"
	"                    assert isinstance(point['asInt'], str)\n"
	"                    value = point['asInt']\n"
	"                else:\n"
	"                    value = '%.9f' % point['asDouble']\n"
	"                print(process, metric['name'], metric['unit'], 1, 1, '{' + text + '}',\n"
	"                      point['startTimeUnixNano'], point['timeUnixNano'], value)\n";

static char *lines_of_json(const char *path, int *status)
{
	char command[1024], name[] = "/tmp/ktally-metrics-XXXXXX";
	int fd = mkstemp(name);
	char *text = NULL;

	*status = -1;
	if (fd >= 0 && write(fd, script, strlen(script)) == (ssize_t)strlen(script)) {
		snprintf(command, sizeof(command), "PYTHONIOENCODING=utf-8 python3 %s %s", name, path);
		text = fake_output(command, status);
	}
	unlink(name);
	close(fd);
	return text;
}

static struct class class_of(const char *runtime, const char *area, const char *kernel_area, const char *proto, const char *io,
			     const char *shlib)
{
	return (struct class){
		.runtime = intern(runtime), .area = intern(area), .kernel_area = intern(kernel_area), .kernel_proto = intern(proto),
		.kernel_io = intern(io), .shlib_name = intern(shlib),
	};
}

static void add(struct profile *profile, const char *process, struct class class, const char *syscall, uint64_t samples, uint64_t weight)
{
	tally_add(profile->oncpu.tally, tally_row(profile->oncpu.tally, fake_owner(process), &class, intern(syscall)), samples, weight);
	profile->oncpu.samples += samples;
	profile->oncpu.weight += weight;
}

#define KERNEL(area, kernel_area, proto, io)	class_of("kernel", area, kernel_area, proto, io, NULL)

static struct profile *example(void)
{
	struct profile *profile = fake_profile();

	add(profile, "curl", KERNEL("kernel/network/tcp/write", "network", "tcp", "write"), "write", 10, 100000000);
	add(profile, "curl", KERNEL("kernel/crypto", "network", "tcp", "write"), "write", 1, 5000000);	/* same point but for the area */
	add(profile, "curl", KERNEL("kernel/network/tcp/write", "network", "tcp", "write"), "sendto", 3, 30000000);
	add(profile, "curl", KERNEL("kernel/filesystem", NULL, NULL, NULL), "openat", 4, 40000000);
	add(profile, "curl", KERNEL("kernel/irq", NULL, NULL, NULL), NULL, 5, 50000000);
	add(profile, "curl", class_of("native", "native/libcrypto", NULL, NULL, NULL, "libcrypto"), "write", 20, 200000000);
	add(profile, "curl", class_of("native", "native/libcrypto", NULL, NULL, NULL, "libcrypto"), NULL, 2, 20000000);
	add(profile, "curl", class_of("native", "native/curl", NULL, NULL, NULL, NULL), NULL, 7, 70000000);
	add(profile, "curl", class_of("native", "jit", NULL, NULL, NULL, NULL), NULL, 1, 10000000);
	add(profile, "py\xff\"\n", class_of("cpython", "cpython", NULL, NULL, NULL, "libpython3.11"), NULL, 30, 300000001);
	add(profile, "py\xff\"\n", class_of("native", "native/libz", NULL, NULL, NULL, "libz"), NULL, 1, 1);
	add(profile, "nobody", class_of(NULL, "unknown", NULL, NULL, NULL, NULL), NULL, 6, 60000000);
	profile->lost[KTALLY_LOST_FULL] = (struct ktally_loss){ 8, 80000000 };
	profile->lost[KTALLY_LOST_BUSY] = (struct ktally_loss){ 9, 90000000 };
	profile->lost[KTALLY_LOST_NOTICE] = (struct ktally_loss){ 11, 0 };
	profile->user_ends[KTALLY_END_COMPLETE] = 3;
	profile->user_ends[KTALLY_END_NO_TABLE] = 2;
	profile->tables = (struct profile_tables){ 14, 15, 16, 17, 40, 0 };
	profile->orphans = 12;
	profile->refused = (struct refused){ { 32, 33, 34, 35, 36, 37, 38, 39, 41 } };
	profile->delivery = (struct profile_delivery){ 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 };
	return profile;
}

static void export_and_read(struct profile *profile, uint64_t start, uint64_t end, char **lines, size_t *points, size_t *resources)
{
	struct buffer request = { 0 };
	char *common;

	buffer_string(&request, "");
	*points = export_metrics_protobuf(&request, profile, &fake_host, start, end);
	*lines = lines_of(&request, &common, resources);
	free(common);
	buffer_free(&request);
}

/* Sum over the points of a metric, in millionths for seconds. */
static int64_t sum_of(const char *lines, const char *metric)
{
	int64_t sum = 0;

	for (const char *line = lines; *line; line = strchr(line, '\n') + 1) {
		const char *found = strstr(line, metric), *end = strchr(line, '\n'), *value = end;

		if (!found || found > end)
			continue;
		while (value[-1] != ' ')
			value--;
		sum += memchr(value, '.', (size_t)(end - value)) ? (int64_t)(strtod(value, NULL) * 1e6 + 0.5) : strtoll(value, NULL, 10);
	}
	return sum;
}

static void one_window(void)
{
	static const char *const expected[] = {
		"curl samples.user.count 1 1 1 {} 1000 2000 30",
		"curl samples.kernel.count 1 1 1 {} 1000 2000 5",
		"curl samples.kernel.count 1 1 1 {syscall_name=openat,} 1000 2000 4",
		"curl samples.kernel.count 1 1 1 {kernel_area=network,kernel_proto=tcp,kernel_io=write,syscall_name=write,} 1000 2000 11",
		"curl samples.kernel.count 1 1 1 {kernel_area=network,kernel_proto=tcp,kernel_io=write,syscall_name=sendto,} 1000 2000 3",
		"curl samples.native.count 1 1 1 {} 1000 2000 8",
		"curl samples.native.count 1 1 1 {shlib_name=libcrypto,} 1000 2000 22",
		"curl ktally.cpu.time s 1 1 {ktally.area=native/libcrypto,cpu.mode=user,} 1000 2000 0.220000000",
		"curl ktally.cpu.time s 1 1 {ktally.area=kernel/crypto,cpu.mode=system,kernel_area=network,kernel_proto=tcp,kernel_io=write,"
			"syscall_name=write,} 1000 2000 0.005000000",
		"curl ktally.cpu.time s 1 1 {ktally.area=kernel/irq,cpu.mode=system,} 1000 2000 0.050000000",
		"py?\"? samples.cpython.count 1 1 1 {} 1000 2000 30",
		"py?\"? samples.user.count 1 1 1 {} 1000 2000 31",
		"py?\"? ktally.cpu.time s 1 1 {ktally.area=cpython,cpu.mode=user,} 1000 2000 0.300000001",
		"nobody ktally.cpu.time s 1 1 {ktally.area=unknown,} 1000 2000 0.060000000",
		"- ktally.samples.read 1 1 1 {} 1000 2000 90",
		"- ktally.samples.lost 1 1 1 {ktally.cause=ring_full,} 1000 2000 8",
		"- ktally.samples.lost 1 1 1 {ktally.cause=busy,} 1000 2000 9",
		"- ktally.samples.lost_time s 1 1 {ktally.cause=busy,} 1000 2000 0.090000000",
		"- ktally.notices.lost 1 1 1 {} 1000 2000 11",
		"- ktally.stacks.read 1 1 1 {ktally.stack.end=complete,} 1000 2000 3",
		"- ktally.stacks.read 1 1 1 {ktally.stack.end=no_table,} 1000 2000 2",
		"- ktally.tables.loaded 1 1 1 {} 1000 2000 14",
		"- ktally.tables.failed 1 1 1 {} 1000 2000 15",
		"- ktally.tables.evicted 1 1 1 {} 1000 2000 16",
		"- ktally.files.hung 1 1 1 {} 1000 2000 17",
		"- ktally.files.refused 1 1 1 {} 1000 2000 40",
		"- ktally.module.refused 1 1 1 {ktally.cause=files,} 1000 2000 32",
		"- ktally.module.refused 1 1 1 {ktally.cause=spaces,} 1000 2000 33",
		"- ktally.module.refused 1 1 1 {ktally.cause=holds,} 1000 2000 34",
		"- ktally.module.refused 1 1 1 {ktally.cause=new_files,} 1000 2000 35",
		"- ktally.module.refused 1 1 1 {ktally.cause=numbers,} 1000 2000 36",
		"- ktally.module.refused 1 1 1 {ktally.cause=lookups,} 1000 2000 37",
		"- ktally.module.refused 1 1 1 {ktally.cause=mappings,} 1000 2000 38",
		"- ktally.module.refused 1 1 1 {ktally.cause=stock,} 1000 2000 39",
		"- ktally.module.refused 1 1 1 {ktally.cause=other,} 1000 2000 41",
		"- ktally.samples.orphaned 1 1 1 {} 1000 2000 12",
		"- ktally.export.requests 1 1 1 {} 1000 2000 20",
		"- ktally.export.retries 1 1 1 {} 1000 2000 21",
		"- ktally.export.batches.added 1 1 1 {} 1000 2000 22",
		"- ktally.export.batches.spooled 1 1 1 {} 1000 2000 23",
		"- ktally.export.batches.lost 1 1 1 {ktally.cause=refused,} 1000 2000 24",
		"- ktally.export.batches.lost 1 1 1 {ktally.cause=spool_full,} 1000 2000 25",
		"- ktally.export.batches.lost 1 1 1 {ktally.cause=memory_full,} 1000 2000 26",
		"- ktally.export.batches.lost 1 1 1 {ktally.cause=damaged,} 1000 2000 27",
		"- ktally.export.points.lost 1 1 1 {ktally.cause=refused,} 1000 2000 28",
		"- ktally.export.points.lost 1 1 1 {ktally.cause=spool_full,} 1000 2000 29",
		"- ktally.export.points.lost 1 1 1 {ktally.cause=memory_full,} 1000 2000 30",
		"- ktally.export.points.lost 1 1 1 {ktally.cause=rejected,} 1000 2000 31",
	};
	struct profile *profile = example();
	struct buffer request = { 0 };
	size_t points, resources;
	char *lines, *common;

	points = export_metrics_protobuf(&request, profile, &fake_host, 1000, 2000);
	lines = lines_of(&request, &common, &resources);
	check_number(resources, 4, "a resource for each process and one for ktally");
	check_number(points, count_of(lines, "\n"), "as many points as reported");
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		if (!check(count_of(lines, expected[i]) == 1, "once: %s", expected[i]))
			printf("# %s", lines);
	}
	check_string(common, "service.name=ktally,host.name=testhost,host.arch=amd64,os.type=linux,os.name=Debian GNU/Linux,os.version=12,",
		     "attributes of all resources, no empty ones");
	check_number(sum_of(lines, " samples.user.count") + sum_of(lines, " samples.kernel.count") + 6, profile->oncpu.samples,
		     "user and kernel samples and those without a runtime are all");
	check_number(sum_of(lines, " ktally.cpu.time"), (profile->oncpu.weight + 500) / 1000, "times add up");
	check(!strstr(lines, "nobody samples"), "no count for samples without a runtime");
	check(!strstr(lines, "ktally.throttles") && !strstr(lines, "ktally.stack.end=broken"), "nothing is said of what did not happen");
	free(lines);
	free(common);
	buffer_free(&request);
	fake_free(profile);
}

static void windows(void)
{
	struct profile *profile = example();
	size_t points, resources;
	char *lines;

	export_and_read(profile, 1000, 2000, &lines, &points, &resources);
	free(lines);
	export_and_read(profile, 2000, 3000, &lines, &points, &resources);
	check_number(points, 0, "nothing new, no points");
	check_string(lines, "", "and no request");
	free(lines);
	add(profile, "curl", class_of("native", "native/libcrypto", NULL, NULL, NULL, "libcrypto"), NULL, 1, 1000);
	profile->lost[KTALLY_LOST_FULL].count++;
	export_and_read(profile, 2000, 4000, &lines, &points, &resources);
	check_number(resources, 2, "only what has something new");
	check_number(count_of(lines, "curl samples.native.count 1 1 1 {shlib_name=libcrypto,} 2000 4000 1\n"), 1, "and only what is new");
	check_number(count_of(lines, "- ktally.samples.lost 1 1 1 {ktally.cause=ring_full,} 2000 4000 1\n"), 1, "of ktally itself too");
	check_number(points, 6, "three of the process, three of ktally");
	free(lines);
	profile->user_ends[KTALLY_END_NO_TABLE] = 0;
	export_and_read(profile, 4000, 5000, &lines, &points, &resources);
	check_number(points, 0, "a counter that goes back is no data");
	free(lines);
	fake_free(profile);
}

static struct owner *owner_of(const char *lines)
{
	struct owner_draft draft = { 0 };

	owner_read(lines, strlen(lines), &draft);
	return owner_copy(&draft.owner);
}

/* The attributes of a resource that has these of its own. */
static void check_resource(const char *of_owner, const struct export_host *host, const char *expected, const char *what)
{
	struct profile *profile = fake_profile();
	struct owner *owner = owner_of(of_owner);
	struct class class = class_of("native", "native/libc", NULL, NULL, NULL, "libc");
	struct buffer request = { 0 };
	size_t resources;
	char *lines, *common;

	tally_add(profile->oncpu.tally, tally_row(profile->oncpu.tally, owner, &class, NULL), 1, 1);
	check_number(export_metrics_protobuf(&request, profile, host, 1, 2), 3, "three points");
	lines = lines_of(&request, &common, &resources);
	check_string(common, expected, "%s", what);
	free(lines);
	free(common);
	buffer_free(&request);
	fake_free(profile);
	free(owner);
}

static void resources(void)
{
	static const char *const told[] = {
		"deployment.environment.name=staging", "host.name=first", "service.name=profiler", "team=shop", "host.name=named",
	};
	struct deployment deployment = { .count = 0 };
	struct export_host host = fake_host;

	check_resource("service.name=shop\nservice.namespace=web\nsystemd.unit.name=shop.service\nk8s.pod.uid=1-2\n"
		       "container.id=abc\nprocess.executable.name=python3.11\n", &host,
		       "service.name=shop,service.namespace=web,systemd.unit.name=shop.service,k8s.pod.uid=1-2,container.id=abc,"
		       "process.executable.name=python3.11,host.name=testhost,host.arch=amd64,os.type=linux,os.name=Debian GNU/Linux,"
		       "os.version=12,", "a resource has what its owner has");
	check_resource("", &host, "service.name=ktally,host.name=testhost,host.arch=amd64,os.type=linux,os.name=Debian GNU/Linux,"
		       "os.version=12,", "all of a host is ktally's own");
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		check_number(deployment_set_text(&deployment, told[i]), 0, "%s", told[i]);
	host.deployment = &deployment;
	check_resource("service.name=shop\ndeployment.environment.name=production\n", &host,
		       "service.name=shop,deployment.environment.name=production,host.name=named,team=shop,host.arch=amd64,os.type=linux,"
		       "os.name=Debian GNU/Linux,os.version=12,", "the owner's go first, then what was told, then the host's");
	check_resource("", &host, "deployment.environment.name=staging,host.name=named,service.name=profiler,team=shop,host.arch=amd64,"
		       "os.type=linux,os.name=Debian GNU/Linux,os.version=12,", "what was told is said where nothing else is");
	deployment_release(&deployment);
}

static void json(void)
{
	char path[] = "/tmp/ktally-metrics-json-XXXXXX";
	int fd = mkstemp(path), status, error;
	struct profile *profile = example();
	size_t points, resources;
	char *from_json, *lines;

	close(fd);
	check_number(export_file(path, export_metrics_json, profile, 0, &fake_host), 0, "JSON can be written");
	export_and_read(profile, export_realtime(&fake_host, profile->first_time) - 1, export_realtime(&fake_host, profile->last_time),
			&lines, &points, &resources);
	if (fake_have("python3")) {
		from_json = lines_of_json(path, &status);
		check_number(status, 0, "Python can read it");
		check_string(from_json, lines, "it says what the protobuf says");
		free(from_json);
		error = export_file(path, export_metrics_json, profile, 0, &fake_host);
		from_json = lines_of_json(path, &status);
		check(!error && !status && !strcmp(from_json, lines), "it does so again after an export: it has everything");
		free(from_json);
	} else {
		check_skip("no python3", "JSON");
	}
	check(fake_export_full(export_metrics_json, profile) < 0, "a full disk is an error");
	free(lines);
	fake_free(profile);
	profile = fake_profile();
	check_number(export_file(path, export_metrics_json, profile, 0, &fake_host), 0, "JSON of nothing");
	free(fake_export(export_metrics_json, profile, &points, &error));
	check_number(points, strlen("{\"resourceMetrics\":[]}\n"), "is empty");
	fake_free(profile);
	unlink(path);
}

int main(void)
{
	one_window();
	windows();
	resources();
	json();
	return check_end();
}
