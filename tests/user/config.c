// SPDX-License-Identifier: GPL-2.0-or-later
/* config/: trees of YAML, its refusals, and the configuration file of ktallyd with what goes before it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/message.h"
#include "check.h"
#include "classify/categories.h"
#include "config/config.h"
#include "daemon/demand.h"
#include "daemon/options.h"
#include "said.h"

static char path[] = "/tmp/ktally-config-XXXXXX";

static struct document *tree_of(const char *text)
{
	struct document *document = NULL;

	check_number(document_parse(&document, "here.yaml", text, strlen(text)), 0, "it is taken: %.20s", text);
	return document;
}

static void test_tree(void)
{
	struct document *document = tree_of("# a comment\nword: a b c\nquoted: \"*x: y\"\nnothing:\nlist:\n  - 1\n  - { deep: 'er' }\n");
	const struct node *node;

	check_string(document_find(document->root, "word")->text, "a b c", "a text");
	check_string(document_find(document->root, "quoted")->text, "*x: y", "a quoted one");
	check_string(document_find(document->root, "nothing")->text, "", "an empty one");
	check_number(document_find(document->root, "nothing")->line, 4, "and its line");
	check(!document_find(document->root, "wor"), "what is not there");
	node = document_find(document->root, "list");
	check_number(node->kind, NODE_LIST, "a list");
	check_string(node->first->text, "1", "its first item is a text, whatever it looks like");
	check_number(node->first->line, 6, "in its line");
	node = node->first->next;
	check_number(node->kind, NODE_MAP, "the second is a map");
	check_string(document_find(node, "deep")->text, "er", "with a text");
	check(!node->next, "and no third");
	document_free(document);

	document = tree_of("# nothing\n");
	check(document->root->kind == NODE_MAP && !document->root->first, "a file without content is an empty map");
	document_free(document);
	document = tree_of("---\n");
	check(document->root->kind == NODE_MAP && !document->root->first, "so is an empty document");
	document_free(document);
	document_free(NULL);
}

static void refuses_text(const char *text, size_t bytes, const char *wanted)
{
	struct document *document = NULL;
	const char *message;

	check_number(document_parse(&document, "here.yaml", text, bytes), -EINVAL, "it is refused: %.30s", text);
	message = said();
	check(!document && strstr(message, wanted), "with \"%s\"", wanted);
	if (!strstr(message, wanted))
		printf("# %s\n", message);
}

static void refuses(const char *text, const char *wanted)
{
	refuses_text(text, strlen(text), wanted);
}

static void test_refusals(void)
{
	struct buffer text = { 0 };

	refuses("a: 1\nb: 2\na: 3\n", "here.yaml:3: \"a\" is here for a second time, the first is in line 1");
	refuses("a: &x [1]\nb: *x\n", "here.yaml:1: anchors");
	refuses("b: *x\n", "here.yaml:1: anchors");
	refuses("a: !!int 1\n", "here.yaml:1: anchors");
	refuses("!t a: 1\n", "here.yaml:1: a key must be a plain word");
	refuses("[a]: 1\n", "here.yaml:1: a key must be a plain word");
	refuses("a: \"x\\ny\"\n", "here.yaml:1: this text has a line break");
	refuses("a: |\n  x\n  y\n", "here.yaml:1: this text has a line break");
	refuses("a: \"x\\0y\"\n", "control character");
	refuses("a: 1\n---\nb: 2\n", "here.yaml:2: a second document");
	refuses("- a\n", "here.yaml:1: there must be lines of \"key: value\" here");
	refuses("word\n", "here.yaml:1: there must be lines");
	refuses("a: [1\nb: 2\n", "here.yaml:2: this is not YAML");
	refuses("a: 'x\n", "this is not YAML");
	refuses_text("a: \xff\n", 5, "this is not YAML");
	refuses_text("a\0b: 1", 6, "this is not YAML");
	for (int i = 0; i < 1000; i++)
		buffer_string(&text, "[");
	refuses(text.data, "deep within each other");
	buffer_clear(&text);
	for (int i = 0; i <= DOCUMENT_KEYS_MOST; i++)
		buffer_format(&text, "k%d: 1\n", i);
	refuses(text.data, "more than 256 keys");
	buffer_free(&text);
}

/* ---- the file of ktallyd ---- */

static void write_file(const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
}

/* With the file, and an option behind it, unless NULL. */
static int parse(struct daemon_options *options, const char *text, const char *option)
{
	char name[] = "ktallyd", config[] = "--config", file[sizeof(path)], other[256];
	char *argv[] = { name, config, file, other, NULL };

	write_file(text);
	memcpy(file, path, sizeof(path));
	snprintf(other, sizeof(other), "%s", option ? option : "");
	optind = 0;
	return daemon_options_parse(options, option ? 4 : 3, argv);
}

static void test_options(void)
{
	struct daemon_options options;

	check_number(parse(&options, "rate: 99\nno-kernel: true\noff-cpu: 5ms\ninterval: 10s\nloop: poll\nout: d\n"
			   "endpoint: http://h:4318\n", NULL), -1, "a file of options is taken");
	check_number(options.session.rate, 99, "rate");
	check(!options.session.kernel, "no-kernel");
	check(options.session.off_cpu && options.session.keep_ns == 5000000, "off-cpu with a value");
	check_number(options.interval, 10000, "interval");
	check_number(options.loop, LOOP_POLL, "loop");
	check_string(options.out, "d", "out");
	check_string(options.endpoint, "http://h:4318/v1/metrics", "endpoint");
	daemon_options_release(&options);

	check_number(parse(&options, "no-kernel: false\noff-cpu: true\n", NULL), -1, "booleans");
	check(options.session.kernel, "false is as if it were not there");
	check(options.session.off_cpu && options.session.keep_ns == 1000000, "true is without a value");
	daemon_options_release(&options);
	check_number(parse(&options, "off-cpu: false\n", NULL), -1, "a value that may be left out, and false");
	check(!options.session.off_cpu, "no waits then");
	daemon_options_release(&options);
	check_number(parse(&options, "", NULL), -1, "an empty file");
	daemon_options_release(&options);

	unsetenv("DEBUGINFOD_URLS");
	check_number(parse(&options, "download: true\n", NULL), EXIT_USAGE, "downloads, of which nobody says where from");
	check(strstr(said(), "DEBUGINFOD_URLS names no server"), "are refused");
	check_number(parse(&options, "download: false\n", NULL), -1, "and not asked for");
	daemon_options_release(&options);
	check_string(said(), "", "all of that without a word");
}

static void test_precedence(void)
{
	struct daemon_options options;

	parse(&options, "interval: 10s\nrate: 99\n", "--interval=20s");
	check_number(options.interval, 20000, "the command line goes before the file");
	check_number(options.session.rate, 99, "for what it says");
	daemon_options_release(&options);
	setenv("OTEL_METRIC_EXPORT_INTERVAL", "15000", 1);
	parse(&options, "interval: 10s\n", NULL);
	check_number(options.interval, 15000, "so does the environment");
	daemon_options_release(&options);
	parse(&options, "interval: 10s\n", "--interval=20s");
	check_number(options.interval, 20000, "and the command line before that");
	daemon_options_release(&options);
	unsetenv("OTEL_METRIC_EXPORT_INTERVAL");
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://e:4318", 1);
	parse(&options, "endpoint: http://f:4318\n", NULL);
	check_string(options.endpoint, NULL, "the environment's endpoint goes before that of the file");
	daemon_options_release(&options);
	parse(&options, "endpoint: http://f:4318\n", "--endpoint=http://c:4318");
	check_string(options.endpoint, "http://c:4318/v1/metrics", "and that of the command line before both");
	daemon_options_release(&options);
	unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
	setenv("OTEL_EXPORTER_OTLP_PROFILES_ENDPOINT", "http://e:4318/p", 1);
	parse(&options, "profiles-endpoint: http://f:4318/p\n", NULL);
	check_string(options.profiles_endpoint, NULL, "the same of that for profiles");
	daemon_options_release(&options);
	unsetenv("OTEL_EXPORTER_OTLP_PROFILES_ENDPOINT");
	setenv("OTEL_RESOURCE_ATTRIBUTES", "team=cart", 1);
	parse(&options, "level: service\nattribute:\n  team: shop\n  site: north\n", NULL);
	check(options.level == OWNER_BY_SERVICE && options.deployment.count == 2, "level and attributes of the file");
	check_string(options.deployment.attributes[0].value, "cart", "an attribute of the environment");
	check_string(options.deployment.attributes[1].value, "north", "and one of the file");
	daemon_options_release(&options);
	unsetenv("OTEL_RESOURCE_ATTRIBUTES");
	parse(&options, "this: is [nonsense\n", "--no-config");
	check_string(said(), "", "--no-config reads nothing");
	daemon_options_release(&options);
}

/* Where profiles go by file, environment and option. */
static void goes_to(const char *text, const char *variable, const char *option, const char *wanted, const char *what)
{
	struct daemon_options options;
	char *endpoint;

	if (variable)
		setenv(variable, "http://e:4318/own", 1);
	parse(&options, text, option);
	endpoint = demand_endpoint(&options);
	check_string(endpoint, wanted, "%s", what);
	free(endpoint);
	daemon_options_release(&options);
	if (variable)
		unsetenv(variable);
}

static void test_profiles(void)
{
	static const char file[] = "endpoint: https://f:1/otlp/v1/metrics\n", beside[] = "https://f:1/otlp/v1development/profiles";
	static const char own[] = "endpoint: http://f:4318\nprofiles-endpoint: http://f:4318/p\n";

	goes_to(file, NULL, NULL, beside, "profiles go beside metrics");
	goes_to("endpoint: http://f/api\n", NULL, NULL, NULL, "where that can be told");
	goes_to(own, NULL, NULL, "http://f:4318/p", "or where the file has them go");
	goes_to(file, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", NULL, beside, "that metrics alone go elsewhere is no word on profiles");
	goes_to(file, "OTEL_EXPORTER_OTLP_PROFILES_ENDPOINT", NULL, NULL, "the environment's address for them goes before the file's");
	goes_to(own, "OTEL_EXPORTER_OTLP_ENDPOINT", NULL, NULL, "so does that for everything");
	goes_to(file, "OTEL_EXPORTER_OTLP_ENDPOINT", "--endpoint=http://c:4318", "http://c:4318/v1development/profiles",
		"and the command line before both");
}

static void refuses_file(const char *text, const char *wanted)
{
	struct daemon_options options;
	const char *message;
	char where[512];

	check_number(parse(&options, text, NULL), EXIT_USAGE, "refused: %.40s", text);
	message = said();
	snprintf(where, sizeof(where), "%s:%s", path, wanted);
	check(strstr(message, where), "with \"FILE:%s\"", wanted);
	if (!strstr(message, where))
		printf("# %s\n", message);
}

static void test_nonsense(void)
{
	struct daemon_options options;
	char name[] = "ktallyd", config[] = "--config", none[] = "/nonexistent.yaml", help[] = "--help";
	char *argv[] = { name, config, none, help, NULL };

	refuses_file("rate: 99\nintervall: 3\n", "2: there is no key \"intervall\": is \"interval\" meant?");
	refuses_file("catagories: []\n", "1: there is no key \"catagories\": is \"categories\" meant?");
	refuses_file("foo: 3\n", "1: there is no key \"foo\": keys are the long options");
	refuses_file("cup: 0\n", "1: there is no key \"cup\": keys are the long options");
	refuses_file("cpu: 0\n", "1: there is no key \"cpu\": is \"cpus\" meant?");
	refuses_file("rtae: 9\n", "1: there is no key \"rtae\": is \"rate\" meant?");
	refuses_file("category: []\n", "1: there is no key \"category\": is \"categories\" meant?");
	refuses_file("frobnicate: 3\n", "1: there is no key \"frobnicate\": keys are the long options");
	refuses_file("help: true\n", "1: \"help\" is for the command line only");
	refuses_file("config: x\n", "1: \"config\" is for the command line only");
	refuses_file("\nrate: fast\n", "2: --rate: \"fast\" is not a number");
	refuses_file("rate:\n", "1: \"rate\" has no value");
	refuses_file("no-kernel: 3\n", "1: \"no-kernel\" is \"3\", and must be true or false");
	refuses_file("no-kernel:\n", "1: \"no-kernel\" is \"\", and must be true or false");
	refuses_file("no-kernel: [true]\n", "1: \"no-kernel\" must be true or false");
	refuses_file("off-cpu: soon\n", "1: --off-cpu: \"soon\" is not a time");
	refuses_file("rate: [9, 8]\n", "1: --rate: \"9,8\" is not a number");
	refuses_file("out: [\"a,b\"]\n", "1: what is listed for \"out\" must be words without commas");
	refuses_file("rate: { a: b }\n", "1: --rate: \"a=b\" is not a number");
	refuses_file("rate: { a: [b] }\n", "1: under \"rate\" there must be lines");
	refuses_file("rate: *x\n", "1: anchors");

	optind = 0;
	check_number(daemon_options_parse(&options, 3, argv), EXIT_USAGE, "a file that is not there, but was asked for");
	check(strstr(said(), "cannot read /nonexistent.yaml"), "is an error");
	check_number(parse(&options, "rate: 99\n", "--check-config"), EXIT_OK, "--check-config of a good file");
	check(strstr(said(), "can be used"), "says so");
	check_number(parse(&options, "rate: 0\n", "--check-config"), EXIT_USAGE, "--check-config of a bad one");
	said();
	parse(&options, "rate: 99\n", NULL);
	message_error("later");
	check(strstr(said(), "ktallyd: later"), "later messages are not about the file");
	daemon_options_release(&options);
}

/* The example must be one. */
static void test_example(void)
{
	char name[] = "ktallyd", config[] = "--config", example[] = "user/examples/ktally.yaml", check_only[] = "--check-config";
	char *argv[] = { name, config, example, check_only, NULL };
	struct daemon_options options;

	optind = 0;
	check_number(daemon_options_parse(&options, 4, argv), EXIT_OK, "the example can be used");
	check(strstr(said(), "can be used: user/examples/ktally.yaml"), "and says so");
	check_number(parse(&options, "category-sets: [gc, rpc]\ncategories:\n  - name: a\n    match: [ { function: f } ]\n", NULL), -1,
		     "sets and categories");
	check_number(categories_count(options.categories), 3, "two and one");
	daemon_options_release(&options);
	check_number(parse(&options, "category-sets: [gc, rpc]\n", "--category-sets=none"), -1, "none on the command line");
	check_number(categories_count(options.categories), 0, "goes before those of the file");
	daemon_options_release(&options);
	refuses_file("category-sets: gcc\n", "1: --category-sets: there is no set \"gcc\"");
	refuses_file("rate: 9\ncategories: 3\n", "2: \"categories\" must be a list");
}

int main(void)
{
	int fd = mkstemp(path);

	message_program = "ktallyd";
	if (fd < 0 || !said_begin())
		return 1;
	close(fd);
	test_tree();
	test_refusals();
	test_options();
	test_precedence();
	test_profiles();
	test_nonsense();
	test_example();
	unlink(path);
	return check_end();
}
