// SPDX-License-Identifier: GPL-2.0-or-later
/* OTLP profiles: whose time it is, and what for. */
#include "profile_text.h"

#define BOTH	(KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU)

static const char two_owners[] =
	"    attributes {\n      key: \"service.name\"\n      value {\n        string_value: \"shop\"\n      }\n    }\n"
	"    attributes {\n      key: \"k8s.namespace.name\"\n      value {\n        string_value: \"web\"\n      }\n    }\n"
	"    attributes {\n      key: \"container.id\"\n      value {\n        string_value: \"0a\"\n      }\n    }\n"
	"    attributes {\n      key: \"process.executable.name\"\n      value {\n        string_value: \"python3\"\n      }\n    }\n"
	"    attributes {\n      key: \"team\"\n      value {\n        string_value: \"cart\"\n      }\n    }\n"
	"    attributes {\n      key: \"host.name\"\n";

static size_t times(const char *text, const char *wanted)
{
	size_t count = 0;

	for (text = strstr(text, wanted); text; text = strstr(text + strlen(wanted), wanted))
		count++;
	return count;
}

/* Resources are owners, with the attributes that metrics have of them: two of the same program are two. */
static void check_owners(void)
{
	struct profile *profile = fake_profile();
	struct task *shop = fake_task(profile, 1, 1, "python3", "python3"), *cart = fake_task(profile, 2, 2, "python3", "python3");
	struct task *host = fake_task(profile, 3, 3, "python3", "python3");
	struct stack *stack = fake_stack(profile, "cpython", "u:f@/bin/p#100");
	struct deployment deployment = { .count = 0 };
	struct export_host named = fake_host;
	struct rules rules;
	size_t bytes;
	char *data = NULL, *shown;
	FILE *file = open_memstream(&data, &bytes);

	deployment_set_text(&deployment, "team=cart");
	named.deployment = &deployment;
	shop->owner = fake_owner_of("service.name=shop\nk8s.namespace.name=web\ncontainer.id=0a\nprocess.executable.name=python3\n");
	cart->owner = fake_owner_of("service.name=cart\nprocess.executable.name=python3\n");
	host->owner = fake_owner_of("");
	fake_cell(profile, shop, stack, 1, 3000000000);
	fake_cell(profile, cart, stack, 1, 2000000000);
	fake_cell(profile, host, stack, 1, 1000000000);
	check_number(export_otlp(file, profile, BOTH, &named), 0, "a profile of owners");
	fclose(file);
	validate(data, bytes, &rules, "which");
	shown = decoded(data, bytes);
	check(shown && strstr(shown, two_owners), "a resource has the attributes of its owner, and what was told");
	check_number(shown ? times(shown, "key: \"service.name\"") : 0, 3, "each owner is one");
	check(shown && strstr(shown, "string_value: \"cart\"") && strstr(shown, "string_value: \"ktally\""), "the second, and that of the host");
	check_number(shown ? times(shown, "string_table: \"process.executable.name\"") : 0, 1, "where a resource does not tell the program, samples do");
	check(shown && strstr(shown, "value {\n      string_value: \"python3\"\n    }\n  }\n"), "by name");
	if (check_counts.failed)
		printf("# %s\n", shown);
	free(shown);
	free(data);
	deployment_release(&deployment);
	fake_free(profile);
}

static void check_categories(void)
{
	struct profile *profile = fake_profile();
	struct task *task = fake_task(profile, 1, 1, "p", "p");
	struct rules rules;
	char *data, *text;
	size_t bytes;
	int error;

	fake_cell(profile, task, fake_stack(profile, "native/libssl", "u:SSL_write@/usr/lib/libssl.so.3#1 u:main@/bin/p#2"), 1, 1000000000);
	fake_categorize(profile, "categories:\n  - { name: tls, match: [ { file: libssl } ] }\n  - { name: mine, match: [ { function: main } ] }\n");
	data = fake_export_source(export_otlp, profile, BOTH, &bytes, &error);
	validate(data, bytes, &rules, "a profile with categories");
	text = decoded(data, bytes);
	check(text && strstr(text, "    value {\n      string_value: \"tls\"\n    }\n"), "the category whose self time it is");
	check(text && strstr(text, "    value {\n      array_value {\n        values {\n          string_value: \"tls\"\n        }\n"
		     "        values {\n          string_value: \"mine\"\n        }\n      }\n    }\n"), "and all that it is in");
	check(text && strstr(text, "string_table: \"ktally.category\"\n") && strstr(text, "string_table: \"ktally.categories\"\n"), "as attributes");
	if (check_counts.failed)
		printf("# %s\n", text);
	free(text);
	free(data);
	fake_free(profile);
}

int main(void)
{
	check_owners();
	check_categories();
	return check_end();
}
