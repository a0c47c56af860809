// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/buffer.h"
#include "base/message.h"
#include "base/number.h"
#include "config/categories.h"
#include "daemon/order.h"

#define NAME	"the daemon's order"
#define ERRNO_MOST 4095

static void write_key(struct buffer *text, const char *key)
{
	buffer_json_string(text, key);
	buffer_string(text, ":");
}

static void write_pair(struct buffer *text, const char *key, const char *value)
{
	write_key(text, key);
	buffer_json_string(text, value);
	buffer_string(text, ",");
}

static void write_node(struct buffer *text, const struct node *node)
{
	const char *marks = node->kind == NODE_LIST ? "[]" : "{}";

	if (node->kind == NODE_TEXT) {
		buffer_json_string(text, node->text);
		return;
	}
	buffer_append(text, &marks[0], 1);
	for (const struct node *item = node->first; item; item = item->next) {
		if (node->kind == NODE_MAP)
			write_key(text, item->key);
		write_node(text, item);
		if (item->next)
			buffer_string(text, ",");
	}
	buffer_append(text, &marks[1], 1);
}

static void write_request(const struct request *request, struct buffer *text)
{
	struct buffer lines = { 0 };
	char *rest, *line;

	request_write(request, &lines);
	rest = lines.data;
	buffer_string(text, "[");
	while ((line = strsep(&rest, "\n")) && rest) {
		buffer_json_string(text, line);
		buffer_string(text, *rest ? "," : "]");
	}
	buffer_free(&lines);
}

static void write_cpus(struct buffer *text, const struct session_options *session)
{
	struct buffer list = { 0 };

	if (session->cpus_wanted == SESSION_CPUS_DEFAULT)
		return;
	if (session->cpus_wanted == SESSION_CPUS_GIVEN)
		cpus_format(&list, &session->cpus);
	write_pair(text, "cpus", list.data ? list.data : "all");
	buffer_free(&list);
}

/* A descriptor is handed over beside the order; why there is none is said in it. */
static void write_device(struct buffer *text, const struct session_options *session)
{
	if (session->device < 0)
		buffer_format(text, "\"no-device\":\"%d\",", -session->device);
}

void order_write(const struct request *request, const struct daemon_options *options, struct buffer *text)
{
	const struct node *categories = options->file ? document_find(options->file->root, "categories") : NULL;

	buffer_string(text, "{");
	buffer_format(text, "\"level\":\"%u\",\"series\":\"%" PRIu64 "\",", (unsigned int)options->level, options->series);
	if (options->category_sets)
		write_pair(text, "category-sets", options->category_sets);
	write_cpus(text, &options->session);
	write_device(text, &request->session);
	write_key(text, "attributes");
	buffer_string(text, "[");
	for (size_t i = 0; i < options->deployment.count; i++) {
		const struct deployment_attribute *attribute = &options->deployment.attributes[i];

		buffer_string(text, i ? ",{" : "{");
		write_pair(text, "key", attribute->key);
		write_key(text, "value");
		buffer_json_string(text, attribute->value);
		buffer_string(text, "}");
	}
	buffer_string(text, "],");
	if (categories) {
		write_key(text, "categories");
		write_node(text, categories);
		buffer_string(text, ",");
	}
	write_key(text, "request");
	write_request(request, text);
	buffer_string(text, "}");
}

static const char *text_of(const struct node *map, const char *key)
{
	const struct node *node = document_find(map, key);

	return node && node->kind == NODE_TEXT ? node->text : NULL;
}

static bool read_attributes(const struct node *list, struct deployment *deployment)
{
	for (const struct node *item = list ? list->first : NULL; item; item = item->next) {
		const char *key = text_of(item, "key"), *value = text_of(item, "value");

		if (!key || !value || deployment_set(deployment, key, strlen(key), value, strlen(value)))
			return false;
	}
	return true;
}

static bool read_request(const struct node *list, struct request *request)
{
	struct buffer lines = { 0 };
	bool right;

	for (const struct node *item = list ? list->first : NULL; item; item = item->next)
		if (item->kind == NODE_TEXT)
			buffer_format(&lines, "%s\n", item->text);
	right = lines.data && !request_read(request, lines.data, lines.bytes);
	buffer_free(&lines);
	return right;
}

static bool read_cpus(const char *text, struct session_options *session)
{
	if (!text)
		return true;
	session->cpus_wanted = strcmp(text, "all") ? SESSION_CPUS_GIVEN : SESSION_CPUS_ALL;
	return session->cpus_wanted == SESSION_CPUS_ALL || (!cpus_parse(&session->cpus, text) && cpus_end(&session->cpus));
}

static bool read_device(const char *text, struct session_options *session)
{
	uint64_t error;

	if (!text)
		return true;
	if (number_parse(text, 1, ERRNO_MOST, &error))
		return false;
	session->device = -(int)error;
	return true;
}

static bool read_all(struct request *request, struct daemon_options *options)
{
	const struct node *root = options->file->root;
	const char *level_text = text_of(root, "level"), *series = text_of(root, "series");
	uint64_t level;

	if (!level_text || !series || number_parse(level_text, 0, OWNER_LEVELS - 1, &level) ||
	    number_parse(series, 0, UINT64_MAX, &options->series))
		return false;
	options->level = (enum owner_level)level;
	options->category_sets = text_of(root, "category-sets");
	return read_cpus(text_of(root, "cpus"), &options->session) &&
	       read_attributes(document_find(root, "attributes"), &options->deployment) &&
	       read_request(document_find(root, "request"), request) &&
	       read_device(text_of(root, "no-device"), &request->session) &&
	       (options->categories = config_categories(options->file, options->category_sets));
}

int order_read(const char *text, size_t bytes, struct request *request, struct daemon_options *options)
{
	*options = (struct daemon_options){ .level = OWNER_BY_PROCESS };
	if (document_parse(&options->file, NAME, text, bytes))
		return EXIT_FAILED;
	if (read_all(request, options))
		return EXIT_OK;
	message_error("the profile cannot be taken: the order of the daemon cannot be understood");
	daemon_options_release(options);
	return EXIT_FAILED;
}
