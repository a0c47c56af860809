// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The OTLP metrics: protobuf read by a parser that has only the field numbers of opentelemetry-proto, JSON read by Python;
 * both must say the same, and their sums must be those that went into the tally.
 */
#include <inttypes.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"

/* ---- the wire format ---- */

struct field {
	const uint8_t *at, *end;	/* what comes after it, within the message */
	unsigned int number;
	uint64_t value;			/* varint, fixed64 */
	const uint8_t *data;		/* bytes, else NULL */
	size_t bytes;
};

static bool malformed;

static uint64_t read_varint(const uint8_t **at, const uint8_t *end)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; *at < end && shift < 64; shift += 7) {
		uint8_t byte = *(*at)++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	malformed = true;
	return 0;
}

static bool next_field(struct field *field)
{
	uint64_t tag;

	if (field->at >= field->end)
		return false;
	tag = read_varint(&field->at, field->end);
	*field = (struct field){ .at = field->at, .end = field->end, .number = (unsigned int)(tag >> 3) };
	switch (tag & 7) {
	case 0:
		field->value = read_varint(&field->at, field->end);
		return !malformed;
	case 1:
		if (field->end - field->at < 8)
			break;
		memcpy(&field->value, field->at, 8);
		field->at += 8;
		return true;
	case 2:
		field->bytes = read_varint(&field->at, field->end);
		if (malformed || field->bytes > (size_t)(field->end - field->at))
			break;
		field->data = field->at;
		field->at += field->bytes;
		return true;
	}
	malformed = true;
	return false;
}

#define for_each_field(cursor, message, size)	\
	for (*(cursor) = (struct field){ .at = (message), .end = (message) + (size) }; next_field(cursor);)

/* ---- a request as lines: "process metric unit temporality monotonic {key=value,...} start end value" ---- */

static void read_attribute(struct buffer *text, const uint8_t *data, size_t bytes)
{
	struct field field, inner;

	for_each_field(&field, data, bytes) {
		if (field.number == 1)
			buffer_format(text, "%.*s=", (int)field.bytes, field.data);
		else if (field.number == 2)
			for_each_field(&inner, field.data, field.bytes)
				if (inner.number == 1)
					buffer_format(text, "%.*s,", (int)inner.bytes, inner.data);
	}
}

static void read_point(struct buffer *lines, const char *prefix, const uint8_t *data, size_t bytes)
{
	struct buffer attributes = { 0 };
	uint64_t start = 0, end = 0;
	struct field field;
	char value[64] = "none";
	double seconds;

	buffer_string(&attributes, "");
	for_each_field(&field, data, bytes) {
		if (field.number == 2)
			start = field.value;
		else if (field.number == 3)
			end = field.value;
		else if (field.number == 7)
			read_attribute(&attributes, field.data, field.bytes);
		else if (field.number == 6)
			snprintf(value, sizeof(value), "%" PRId64, (int64_t)field.value);
		else if (field.number == 4) {
			memcpy(&seconds, &field.value, sizeof(seconds));
			snprintf(value, sizeof(value), "%.9f", seconds);
		}
	}
	buffer_format(lines, "%s {%s} %" PRIu64 " %" PRIu64 " %s\n", prefix, attributes.data, start, end, value);
	buffer_free(&attributes);
}

static void read_metric(struct buffer *lines, const char *process, const uint8_t *data, size_t bytes)
{
	struct field field = { 0 }, sum = { 0 }, name = { 0 }, unit = { 0 }, inner;
	unsigned int temporality = 0, monotonic = 0;
	char prefix[512];

	for_each_field(&field, data, bytes) {
		if (field.number == 1)
			name = field;
		else if (field.number == 3)
			unit = field;
		else if (field.number == 7)
			sum = field;
	}
	for_each_field(&inner, sum.data, sum.bytes) {
		if (inner.number == 2)
			temporality = (unsigned int)inner.value;
		else if (inner.number == 3)
			monotonic = (unsigned int)inner.value;
	}
	snprintf(prefix, sizeof(prefix), "%s %.*s %.*s %u %u", process, (int)name.bytes, name.data, (int)unit.bytes, unit.data,
		 temporality, monotonic);
	for_each_field(&inner, sum.data, sum.bytes)
		if (inner.number == 1)
			read_point(lines, prefix, inner.data, inner.bytes);
}

/* What resources have in common goes before the first line, once. */
static void read_resource(struct buffer *lines, struct buffer *common, const uint8_t *data, size_t bytes)
{
	struct buffer attributes = { 0 };
	struct field field, scope, inner;
	const char *process;

	buffer_string(&attributes, "");
	for_each_field(&field, data, bytes)
		if (field.number == 1)
			for_each_field(&inner, field.data, field.bytes)
				if (inner.number == 1)
					read_attribute(&attributes, inner.data, inner.bytes);
	process = strstr(attributes.data, "process.executable.name=");
	if (process) {
		attributes.data[strlen(attributes.data) - 1] = '\0';
		process += strlen("process.executable.name=");
	}
	buffer_clear(common);
	buffer_format(common, "%.*s", process ? (int)(process - 24 - attributes.data) : 1000, attributes.data);
	for_each_field(&field, data, bytes)
		if (field.number == 2)
			for_each_field(&scope, field.data, field.bytes)
				if (scope.number == 2)
					read_metric(lines, process ? process : "-", scope.data, scope.bytes);
	buffer_free(&attributes);
}

static size_t count_of(const char *text, const char *what)
{
	size_t count = 0;

	for (text = strstr(text, what); text; text = strstr(text + strlen(what), what))
		count++;
	return count;
}

static char *lines_of(const struct buffer *request, char **common, size_t *resources)
{
	struct buffer lines = { 0 }, shared = { 0 };
	struct field field;

	malformed = false;
	*resources = 0;
	buffer_string(&lines, "");
	buffer_string(&shared, "");
	for_each_field(&field, (const uint8_t *)request->data, request->bytes) {
		malformed |= field.number != 1;
		read_resource(&lines, &shared, field.data, field.bytes);
		(*resources)++;
	}
	check(!malformed, "the request is well-formed");
	*common = shared.data;
	return lines.data;
}

/* The same lines of the JSON, by Python. */
static const char script[] =
	"import json, sys\n"
	"seen = set()\n"
	"for resource in json.load(open(sys.argv[1], encoding='utf-8'))['resourceMetrics']:\n"
	"    attributes = {a['key']: a['value']['stringValue'] for a in resource['resource']['attributes']}\n"
	"    process = attributes.get('process.executable.name', '-')\n"
	"    assert attributes['service.name'] == 'ktally' and process not in seen\n"
	"    seen.add(process)\n"
	"    for scope in resource['scopeMetrics']:\n"
	"        assert scope['scope']['name'] == 'ktally' and scope['scope']['version']\n"
	"        for metric in scope['metrics']:\n"
	"            total, sets = metric['sum'], set()\n"
	"            assert total['isMonotonic'] is True and total['aggregationTemporality'] == 1\n"
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
	tally_add(profile->oncpu.tally, tally_row(profile->oncpu.tally, intern(process), &class, intern(syscall)), samples, weight);
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
	profile->stacks_truncated = 2;
	profile->orphans = 12;
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
		"- ktally.stacks.truncated 1 1 1 {} 1000 2000 2",
		"- ktally.samples.orphaned 1 1 1 {} 1000 2000 12",
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
	check(!strstr(lines, "ktally.throttles") && !strstr(lines, "ktally.stacks.broken"), "nothing is said of what did not happen");
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
	profile->stacks_truncated = 0;
	export_and_read(profile, 4000, 5000, &lines, &points, &resources);
	check_number(points, 0, "a counter that goes back is no data");
	free(lines);
	fake_free(profile);
}

static void many_processes(void)
{
	struct profile *profile = fake_profile();
	size_t points, resources;
	char *lines;

	for (unsigned int i = 0; i < 1000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "process%03u", i);
		add(profile, name, class_of("native", "native/libc", NULL, NULL, NULL, "libc"), NULL, 1, 1000 * (i + 1));
	}
	export_and_read(profile, 1, 2, &lines, &points, &resources);
	check_number(resources, 251, "at most 250 processes");
	check(strstr(lines, "process999 ") && strstr(lines, "process751 ") && !strstr(lines, "process750 "), "those with the most time");
	check_number(count_of(lines, "other samples.native.count 1 1 1 {shlib_name=libc,} 1 2 751\n"), 1, "and the rest in one");
	check_number(sum_of(lines, " samples.user.count"), 1000, "no sample is left out");
	check_number(sum_of(lines, " ktally.cpu.time"), 1000 * 1001 / 2, "no time is left out");
	free(lines);
	fake_free(profile);
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
	many_processes();
	json();
	return check_end();
}
