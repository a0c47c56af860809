// SPDX-License-Identifier: GPL-2.0-or-later
/* The text for Prometheus: what it says, read by exposition.py as strictly as the formats are specified. */
#include <inttypes.h>
#include <unistd.h>

#include "check.h"
#include "export/prometheus.h"
#include "fake.h"

static struct class class_of(const char *runtime, const char *area, const char *kernel_area, const char *shlib)
{
	return (struct class){
		.runtime = intern(runtime), .area = intern(area), .kernel_area = intern(kernel_area), .shlib_name = intern(shlib),
	};
}

static void add(struct profile *profile, const char *process, struct class class, const char *syscall, uint64_t samples, uint64_t weight)
{
	tally_add(profile->oncpu.tally, tally_row(profile->oncpu.tally, fake_owner(process), &class, intern(syscall)), samples, weight);
	profile->oncpu.samples += samples;
	profile->oncpu.weight += weight;
}

static struct profile *example(void)
{
	struct profile *profile = fake_profile();

	add(profile, "curl", class_of("kernel", "kernel/network/tcp/write", "network", NULL), "write", 10, 100000000);
	add(profile, "curl", class_of("native", "native/libz", NULL, "libz"), NULL, 7, 1500000001);
	add(profile, "sh", class_of("native", "native/libz", NULL, "libz"), NULL, 1, 1000000000);
	add(profile, "a\"b\\c\n", class_of("native", "jit", NULL, NULL), NULL, 1, 2000000000);
	/* Two that are the same once they are printable. */
	add(profile, "x\001", class_of("native", "jit", NULL, NULL), NULL, 1, 3000000000);
	add(profile, "x\002", class_of("native", "jit", NULL, NULL), NULL, 2, 4000000000);
	/* One that would be another label, were it not escaped. */
	add(profile, "y\",ktally_area=\"z", class_of("native", "jit", NULL, NULL), NULL, 1, 5000000000);
	profile->lost[KTALLY_LOST_FULL] = (struct ktally_loss){ 8, 80000000 };
	return profile;
}

static void write_page(struct buffer *page, const struct profile *profile, enum prometheus_format format)
{
	struct metrics metrics;

	metrics_build(&metrics, profile, &fake_host, 0, 0, true);
	prometheus_write(page, &metrics, format);
	metrics_free(&metrics);
}

/* What exposition.py reads in it. To be freed. */
static char *samples_of(const struct buffer *page, enum prometheus_format format, int *status)
{
	char path[] = "/tmp/ktally-prometheus-XXXXXX", command[256];
	int fd = mkstemp(path);
	char *text;

	*status = -1;
	if (fd < 0 || write(fd, page->data, page->bytes) != (ssize_t)page->bytes)
		return NULL;
	snprintf(command, sizeof(command), "PYTHONIOENCODING=utf-8 python3 tests/user/exposition.py %s <%s 2>&1",
		 format == PROMETHEUS_TEXT ? "text" : "openmetrics", path);
	text = fake_output(command, status);
	unlink(path);
	close(fd);
	return text;
}

static size_t count_of(const char *text, const char *what)
{
	size_t count = 0;

	for (text = strstr(text, what); text; text = strstr(text + strlen(what), what))
		count++;
	return count;
}

static void has(const char *text, const char *what)
{
	if (!check(count_of(text, what) == 1, "once: %.*s", (int)strcspn(what, "\n"), what))
		printf("# %s\n", text);
}

static void one_page(enum prometheus_format format)
{
	static const char *const samples[] = {
		"target_info{service_name=ktally,host_name=testhost,host_arch=amd64,os_type=linux,os_name=Debian GNU/Linux,os_version=12",
		"samples_kernel_count_total{service_name=curl,process_executable_name=curl,kernel_area=network,syscall_name=write} 10\n",
		"samples_user_count_total{service_name=curl,process_executable_name=curl} 7\n",
		"samples_native_count_total{service_name=curl,process_executable_name=curl,shlib_name=libz} 7\n",
		"ktally_cpu_time_seconds_total{service_name=curl,process_executable_name=curl,ktally_area=native/libz,cpu_mode=user} "
			"1.500000001\n",
		"ktally_cpu_time_seconds_total{service_name=sh,process_executable_name=sh,ktally_area=native/libz,cpu_mode=user} 1\n",
		"ktally_cpu_time_seconds_total{service_name=a\\\"b\\\\c?,process_executable_name=a\\\"b\\\\c?,ktally_area=jit,cpu_mode=user} 2\n",
		"ktally_cpu_time_seconds_total{service_name=x?,process_executable_name=x?,ktally_area=jit,cpu_mode=user} 7\n",
		"samples_user_count_total{service_name=x?,process_executable_name=x?} 3\n",
		"process_executable_name=y\\\",ktally_area=\\\"z,ktally_area=jit,cpu_mode=user} 5\n",
		"ktally_samples_read_total{} 23\n",
		"ktally_samples_lost_total{ktally_cause=ring_full} 8\n",
		"ktally_samples_lost_time_seconds_total{ktally_cause=ring_full} 0.08\n",
		"ktally_build_info{version=",
	};
	const char *name = format == PROMETHEUS_TEXT ? "text" : "OpenMetrics";
	struct profile *profile = example();
	struct buffer page = { 0 }, again = { 0 };
	int status;
	char *text;

	write_page(&page, profile, format);
	text = samples_of(&page, format, &status);
	check_number(status, 0, "%s: it can be read strictly", name);
	if (status)
		printf("# %s\n", text);
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		has(text, samples[i]);
	if (format == PROMETHEUS_TEXT) {
		has(page.data, "# TYPE ktally_cpu_time_seconds_total counter\n");
		has(page.data, "# HELP ktally_cpu_time_seconds_total CPU time\n");
		has(page.data, "# TYPE target_info gauge\n");
	} else {
		has(page.data, "# TYPE ktally_cpu_time_seconds counter\n# UNIT ktally_cpu_time_seconds seconds\n"
			       "# HELP ktally_cpu_time_seconds CPU time\nktally_cpu_time_seconds_total{");
		has(page.data, "# TYPE target info\n");
		check_number(count_of(page.data, "# UNIT samples_"), 0, "a count has no unit");
		check(!strcmp(page.data + page.bytes - 6, "# EOF\n"), "and it has an end");
	}
	free(text);
	write_page(&again, profile, format);
	check_string(again.data, page.data, "%s: it is the same the next time", name);
	buffer_clear(&again);
	export_metrics_protobuf(&again, profile, &fake_host, 1, 2);
	buffer_clear(&again);
	write_page(&again, profile, format);
	check_string(again.data, page.data, "%s: and after what was new went out otherwise", name);
	buffer_free(&page);
	buffer_free(&again);
	fake_free(profile);
}

/* Names and labels that no metric has yet, but some attribute of an administrator may. */
static void odd_names(void)
{
	static const struct {
		const char *name, *unit, *family;
	} cases[] = {
		{ "ktally.cpu.time", "s", "ktally_cpu_time_seconds" },
		{ "samples.user.count", "1", "samples_user_count" },
		{ "ktally.spool.bytes", "By", "ktally_spool_bytes" },
		{ "ktally.queue", "{batch}", "ktally_queue" },
		{ "a..b--c", "", "a_b_c" },
		{ "seconds", "s", "seconds_seconds" },
	};
	struct metrics metrics;
	struct buffer text = { 0 };
	Otlp__ScopeMetrics *self, *owner;
	Otlp__Sum *sum;
	const struct metrics_attribute attributes[] = { { "a.b", "1" }, { "a-b", "2" }, { "9", "3" }, { "_x", "4" }, { "host.name", "5" } };
	int status;
	char *samples;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buffer_clear(&text);
		prometheus_family(&text, cases[i].name, cases[i].unit);
		check_string(text.data, cases[i].family, "%s in \"%s\"", cases[i].name, cases[i].unit);
	}
	metrics_init(&metrics, 0, 0, true);
	owner = metrics_add_resource(&metrics, &fake_host, fake_owner("p"));
	self = metrics_add_resource(&metrics, &fake_host, NULL);
	sum = metrics_add_sum(&metrics, owner, "x", "1", "A \\ and\na line feed");
	metrics_set_count(metrics_add_point(&metrics, sum, attributes, 5), 1);
	sum = metrics_add_sum(&metrics, self, "queued", "1", "Falls too");
	sum->is_monotonic = false;
	metrics_set_count(metrics_add_point(&metrics, sum, NULL, 0), 2);
	buffer_clear(&text);
	prometheus_write(&text, &metrics, PROMETHEUS_TEXT);
	samples = samples_of(&text, PROMETHEUS_TEXT, &status);
	check_number(status, 0, "odd names are well-formed");
	has(samples, "x_total{service_name=p,process_executable_name=p,a_b=1,a_b_other=2,key_9=3,key_x=4,host_name=5} 1\n");
	has(samples, "queued{} 2\n");
	has(text.data, "# TYPE queued gauge\n");
	has(text.data, "# HELP x_total A \\\\ and?a line feed\n");
	free(samples);
	buffer_free(&text);
	metrics_free(&metrics);
}

/* As many as the tally has, and none of them comes to be others' later. */
static void many_processes(void)
{
	struct profile *profile = fake_profile();
	struct buffer page = { 0 };

	for (unsigned int i = 0; i < 1000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "process%03u", i);
		add(profile, name, class_of("native", "native/libc", NULL, "libc"), NULL, 1, 1000 * (i + 1));
	}
	write_page(&page, profile, PROMETHEUS_TEXT);
	check_number(count_of(page.data, "\nktally_cpu_time_seconds_total{"), 1000, "each process is a series");
	check_number(count_of(page.data, "\"other\""), 0, "and none is among others");
	buffer_free(&page);
	fake_free(profile);
	profile = fake_profile();
	write_page(&page, profile, PROMETHEUS_OPENMETRICS);
	has(page.data, "target_info{service_name=\"ktally\"");
	check(!strcmp(page.data + page.bytes - 6, "# EOF\n"), "a page of nothing is one");
	buffer_free(&page);
	fake_free(profile);
}

int main(void)
{
	if (!fake_have("python3")) {
		check_skip("no python3", "Prometheus");
		return check_end();
	}
	one_page(PROMETHEUS_TEXT);
	one_page(PROMETHEUS_OPENMETRICS);
	odd_names();
	many_processes();
	return check_end();
}
