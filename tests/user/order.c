// SPDX-License-Identifier: GPL-2.0-or-later
/* daemon/order.h: what the daemon orders is what is taken, and what is no order is refused. */
#include <string.h>

#include "check.h"
#include "base/message.h"
#include "config/categories.h"
#include "daemon/order.h"

static const char configuration[] =
	"endpoint: http://user:password@there/\n"
	"category-sets: gc\n"
	"categories:\n"
	"  - name: mine\n"
	"    label: \"Mine: \\\"all\\\" {of} [it], #1 \xc3\xa9\"\n"
	"    mode: self\n"
	"    match:\n"
	"      - function: [\"*::write\", read]\n"
	"        called-by: { file: libmine }\n"
	"      - package: net/http\n";

static void same_again(void)
{
	struct daemon_options options = { .level = OWNER_BY_SERVICE, .series = 12345, .category_sets = "gc" }, again;
	struct request request, ordered;
	struct buffer text = { 0 }, before = { 0 }, after = { 0 }, second = { 0 };

	check(!document_parse(&options.file, "test.yaml", configuration, strlen(configuration)), "a configuration");
	options.categories = config_categories(options.file, options.category_sets);
	options.session.cpus_wanted = SESSION_CPUS_GIVEN;
	check(!cpus_parse(&options.session.cpus, "1-3,65"), "CPUs");
	deployment_set_text(&options.deployment, "team=shop: \"a\", {b} \\ \xc3\xa9");
	deployment_set_text(&options.deployment, "deployment.environment.name=production");
	request_init(&request);
	request.duration = 1234;
	request.session.pids[request.session.pid_count++] = 17;
	request.session.cgroup_count = 2;
	request.session.off_cpu = true;
	strcpy(request.process, "open\"ssl");
	request.outputs[request.output_count++] = (struct request_output){ format_named("pprof"), KTALLY_SOURCE_ONCPU };
	request.send = true;
	request.session.device = -24;
	order_write(&request, &options, &text);
	check(!strstr(text.data, "password"), "nothing else of the configuration is in the order");
	if (check_number(order_read(text.data, text.bytes, &ordered, &again), EXIT_OK, "it is read")) {
		check(again.level == options.level && again.series == options.series, "level and series");
		check_number(again.session.cpus_wanted, SESSION_CPUS_GIVEN, "some CPUs");
		check(!memcmp(&again.session.cpus, &options.session.cpus, sizeof(options.session.cpus)), "these");
		check_number((long long)again.deployment.count, 2, "attributes");
		check_string(again.deployment.attributes[0].value, options.deployment.attributes[0].value, "as they are");
		request_write(&request, &before);
		request_write(&ordered, &after);
		check_string(after.data, before.data, "the request");
		check_number(ordered.session.device, -24, "why there is no device");
		check_number((long long)categories_count(again.categories), (long long)categories_count(options.categories), "categories");
		check_string(categories_get(again.categories, 0)->label, categories_get(options.categories, 0)->label, "with their labels");
		order_write(&ordered, &again, &second);
		check_string(second.data, text.data, "and written again, it is the same order");
		daemon_options_release(&again);
	}
	request.session.device = 7;
	buffer_clear(&second);
	order_write(&request, &options, &second);
	if (check_number(order_read(second.data, second.bytes, &ordered, &again), EXIT_OK, "an order with a device")) {
		check_number(ordered.session.device, 0, "whose number here is nobody's business there");
		daemon_options_release(&again);
	}
	for (size_t bytes = 0; bytes < text.bytes; bytes += 1 + bytes / 16)
		check(order_read(text.data, bytes, &ordered, &again) != EXIT_OK, "%zu bytes of it are none", bytes);
	buffer_free(&before);
	buffer_free(&after);
	buffer_free(&second);
	buffer_free(&text);
	daemon_options_release(&options);
}

static void nonsense(void)
{
	static const char *const texts[] = {
		"", "{}", "[]", "x", "{\"level\":\"0\"}", "{\"level\":\"0\",\"series\":\"1\"}", "{\"level\":\"9\",\"series\":\"1\",\"request\":[]}",
		"{\"level\":\"0\",\"series\":\"1\",\"request\":[\"ktally 1 profile\",\"for=1\"]}",
		"{\"level\":\"0\",\"series\":\"1\",\"attributes\":[{\"key\":\"\",\"value\":\"x\"}],\"request\":[\"ktally 1 profile\",\"send=1\"]}",
		"{\"level\":\"0\",\"series\":\"1\",\"cpus\":\"none\",\"request\":[\"ktally 1 profile\",\"send=1\"]}",
		"{\"level\":\"0\",\"series\":\"1\",\"no-device\":\"0\",\"request\":[\"ktally 1 profile\",\"send=1\"]}",
		"{\"level\":\"0\",\"series\":\"1\",\"attributes\":\"x\",\"request\":{\"a\":\"ktally 2 profile\"}}",
	};
	struct daemon_options options;
	struct request request;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check(order_read(texts[i], strlen(texts[i]), &request, &options) != EXIT_OK, "%s is none", texts[i]);
}

int main(void)
{
	same_again();
	nonsense();
	return check_end();
}
