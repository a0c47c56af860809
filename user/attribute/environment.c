// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "attribute/environment.h"
#include "base/buffer.h"
#include "base/message.h"
#include "symbols/proc.h"

/* Environments of services have some kilobytes; a larger one than this is not looked at. */
#define ENVIRONMENT_BYTES_MOST	(256U << 10)

struct text {
	const char *at;
	size_t bytes;
};

/* The part up to the separator, which `rest` is moved past. False: nothing was left. */
static bool next_part(struct text *rest, char separator, struct text *part)
{
	const char *end;

	if (!rest->at)
		return false;
	end = memchr(rest->at, separator, rest->bytes);
	*part = (struct text){ rest->at, end ? (size_t)(end - rest->at) : rest->bytes };
	if (end)
		*rest = (struct text){ end + 1, rest->bytes - part->bytes - 1 };
	else
		*rest = (struct text){ NULL, 0 };
	return true;
}

static struct text trimmed(struct text text)
{
	while (text.bytes && strchr(" \t", *text.at)) {
		text.at++;
		text.bytes--;
	}
	while (text.bytes && strchr(" \t", text.at[text.bytes - 1]))
		text.bytes--;
	return text;
}

static int digit(char character)
{
	return character >= '0' && character <= '9' ? character - '0' :
	       character >= 'a' && character <= 'f' ? character - 'a' + 10 :
	       character >= 'A' && character <= 'F' ? character - 'A' + 10 : -1;
}

/* Room must be as large as the text. The bytes that it stands for; -EBADMSG. */
static ssize_t decode(const struct text *text, char *room)
{
	size_t bytes = 0;

	for (size_t i = 0; i < text->bytes; i++) {
		int high, low;

		if (text->at[i] != '%') {
			room[bytes++] = text->at[i];
			continue;
		}
		if (text->bytes - i < 3)
			return -EBADMSG;
		high = digit(text->at[i + 1]);
		low = digit(text->at[i + 2]);
		if (high < 0 || low < 0)
			return -EBADMSG;
		room[bytes++] = (char)(high << 4 | low);
		i += 2;
	}
	return (ssize_t)bytes;
}

/* One "key=value"; an empty one is nothing. Calls back unless `use` is NULL. 0 or -EBADMSG. */
static int read_attribute(struct text item, char *room, environment_attribute *use, void *context)
{
	struct text key, value = item;
	ssize_t bytes;

	if (!trimmed(item).bytes)
		return 0;
	next_part(&value, '=', &key);
	key = trimmed(key);
	value = trimmed(value);
	if (!value.at || !key.bytes)
		return -EBADMSG;
	bytes = decode(&value, room);
	if (bytes < 0)
		return (int)bytes;
	if (use)
		use(context, key.at, key.bytes, room, (size_t)bytes);
	return 0;
}

/* First all of it is looked at, as one that is wrong spoils all. */
int environment_read_attributes(const char *text, size_t bytes, environment_attribute *use, void *context)
{
	char *room = memory_zeroed(1, bytes + 1);
	int error = 0;

	for (int pass = 0; pass < 2 && !error; pass++) {
		struct text rest = { text, bytes }, item;

		while (!error && next_part(&rest, ',', &item))
			error = read_attribute(item, room, pass ? use : NULL, context);
	}
	free(room);
	return error;
}

static void take_attribute(void *context, const char *key, size_t key_bytes, const char *value, size_t value_bytes)
{
	enum owner_key found = owner_key_of(key, key_bytes);

	/* What it was called until 2024. */
	if (key_bytes == strlen("deployment.environment") && !memcmp(key, "deployment.environment", key_bytes))
		found = OWNER_DEPLOYMENT;
	if (found < OWNER_KEYS && owner_key_is_declared(found))
		owner_draft_set(context, found, value, value_bytes);
}

/* The value of a variable, if it is that one. */
static bool is_variable(const struct text *variable, const char *name, struct text *value)
{
	size_t bytes = strlen(name);

	if (variable->bytes <= bytes || memcmp(variable->at, name, bytes) || variable->at[bytes] != '=')
		return false;
	*value = (struct text){ variable->at + bytes + 1, variable->bytes - bytes - 1 };
	return true;
}

void environment_read(const char *text, size_t bytes, struct owner_draft *draft)
{
	struct text rest = { text, bytes }, variable, service = { NULL, 0 }, value;

	while (next_part(&rest, '\0', &variable)) {
		if (is_variable(&variable, "OTEL_RESOURCE_ATTRIBUTES", &value))
			environment_read_attributes(value.at, value.bytes, take_attribute, draft);
		else if (is_variable(&variable, "OTEL_SERVICE_NAME", &value) && value.bytes)
			service = value;
	}
	if (service.at)
		owner_draft_set(draft, OWNER_SERVICE, service.at, service.bytes);
}

int environment_read_process(uint32_t pid, struct owner_draft *draft)
{
	struct buffer text = { 0 };
	char path[64];
	int error;

	snprintf(path, sizeof(path), "/proc/%u/environ", pid);
	error = buffer_read_file(&text, path, ENVIRONMENT_BYTES_MOST);
	if (!error && !text.bytes)
		error = proc_lacks_environment(pid) ? -ENODATA : -EAGAIN;
	if (!error)
		environment_read(text.data, text.bytes, draft);
	buffer_free(&text);
	return error;
}
