// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <string.h>

#include "base/number.h"
#include "control/request.h"

#define FIRST_LINE	"ktally 1 profile"
#define VALUE_BYTES	OWNER_VALUE_BYTES	/* with the terminating zero */

/* Numbers of a request and their bounds; of two sizes, and booleans. */
static const struct number {
	const char *key;
	size_t place, bytes;
	uint64_t least, most;
} numbers[] = {
#define NUMBER(key, field, least, most)	{ key, offsetof(struct request, field), sizeof(((struct request *)0)->field), least, most }
	NUMBER("for", duration, 1, REQUEST_DURATION_MOST),
	NUMBER("rate", session.rate, KTALLY_RATE_MIN, KTALLY_RATE_MAX),
	NUMBER("depth", session.depth, 0, KTALLY_DEPTH_MAX),
	NUMBER("ring-bytes", session.ring_bytes, 0, KTALLY_RING_BYTES_MAX),
	NUMBER("budget-ppm", session.budget_ppm, 0, KTALLY_BUDGET_PPM_MAX),
	NUMBER("kernel", session.kernel, 0, 1),
	NUMBER("off-cpu", session.off_cpu, 0, 1),
	NUMBER("keep-ns", session.keep_ns, 0, KTALLY_KEEP_NS_MAX),
	NUMBER("wait-min-ns", session.wait_min_ns, 0, KTALLY_KEEP_NS_MAX),
	NUMBER("cgroups", session.cgroup_count, 0, KTALLY_CGROUPS_MAX),
	NUMBER("send", send, 0, 1),
};

#define NUMBERS	(sizeof(numbers) / sizeof(numbers[0]))

static uint64_t get(const struct request *request, const struct number *number)
{
	const char *place = (const char *)request + number->place;

	switch (number->bytes) {
	case sizeof(bool):
		return *(const bool *)place;
	case sizeof(uint32_t):
		return *(const uint32_t *)place;
	default:
		return *(const uint64_t *)place;
	}
}

static void set(struct request *request, const struct number *number, uint64_t value)
{
	char *place = (char *)request + number->place;

	switch (number->bytes) {
	case sizeof(bool):
		*(bool *)place = value;
		break;
	case sizeof(uint32_t):
		*(uint32_t *)place = (uint32_t)value;
		break;
	default:
		*(uint64_t *)place = value;
	}
}

void request_init(struct request *request)
{
	*request = (struct request){ .duration = 60000 };
	session_options_init(&request->session);
	request->session.rate = 99;
}

void request_write(const struct request *request, struct buffer *text)
{
	buffer_string(text, FIRST_LINE "\n");
	for (size_t i = 0; i < NUMBERS; i++)
		buffer_format(text, "%s=%" PRIu64 "\n", numbers[i].key, get(request, &numbers[i]));
	for (uint32_t i = 0; i < request->session.pid_count; i++)
		buffer_format(text, "pid=%d\n", request->session.pids[i]);
	if (*request->process)
		buffer_format(text, "process=%s\n", request->process);
	if (*request->service)
		buffer_format(text, "service=%s\n", request->service);
	for (size_t i = 0; i < request->output_count; i++)
		buffer_format(text, "output=%s %s\n", request->outputs[i].format->name, format_sources_name(request->outputs[i].sources));
}

static const char *take_number(struct request *request, const struct number *number, const char *value)
{
	uint64_t result;

	if (number_parse(value, number->least, number->most, &result))
		return "a number of it is none, or out of bounds";
	set(request, number, result);
	return NULL;
}

static const char *take_pid(struct request *request, const char *value)
{
	struct session_options *session = &request->session;
	uint64_t pid;

	if (session->pid_count == KTALLY_PIDS_MAX)
		return "it has too many processes";
	if (number_parse(value, 1, INT32_MAX, &pid))
		return "a process of it is no number";
	session->pids[session->pid_count++] = (__s32)pid;
	return NULL;
}

/* Control characters cannot be in it: it is a line. */
static const char *take_name(char *name, size_t bytes, const char *value)
{
	if (!*value || strlen(value) >= bytes)
		return "the name of the process or service is empty or too long";
	strcpy(name, value);
	return NULL;
}

static const char *take_output(struct request *request, const char *value)
{
	char name[VALUE_BYTES];
	const char *blank = strchr(value, ' ');
	struct request_output *output = &request->outputs[request->output_count];

	if (request->output_count == REQUEST_OUTPUTS_MOST)
		return "it asks for too many files";
	if (!blank)
		return "it asks for a file of no sources";
	memcpy(name, value, (size_t)(blank - value));
	name[blank - value] = '\0';
	output->format = format_named(name);
	output->sources = format_sources(blank + 1);
	if (!output->format || !output->sources)
		return "it asks for a file of a format or sources that there are none of";
	request->output_count++;
	return NULL;
}

static const char *take_line(struct request *request, const char *key, const char *value)
{
	for (size_t i = 0; i < NUMBERS; i++) {
		if (!strcmp(key, numbers[i].key))
			return take_number(request, &numbers[i], value);
	}
	if (!strcmp(key, "pid"))
		return take_pid(request, value);
	if (!strcmp(key, "process"))
		return take_name(request->process, sizeof(request->process), value);
	if (!strcmp(key, "service"))
		return take_name(request->service, sizeof(request->service), value);
	if (!strcmp(key, "output"))
		return take_output(request, value);
	return "it has a key that this version does not know: install both programs from the same release";
}

static const char *check(const struct request *request)
{
	const struct session_options *session = &request->session;

	if (session->ring_bytes && (session->ring_bytes < KTALLY_RING_BYTES_MIN || session->ring_bytes & (session->ring_bytes - 1)))
		return "its ring is no power of two, or too small";
	if (session->wait_min_ns && !session->off_cpu)
		return "it bounds waits, and asks for none";
	if (!request->output_count && !request->send)
		return "it asks for no file, and not to send any";
	return NULL;
}

const char *request_read(struct request *request, const char *text, size_t bytes)
{
	char line[VALUE_BYTES + 32], *value;
	const char *wrong = NULL, *end;
	bool first = true;

	request_init(request);
	if (bytes > REQUEST_BYTES_MOST)
		return "it is too long";
	for (; bytes && !wrong; text = end + 1) {
		size_t length;

		end = memchr(text, '\n', bytes);
		if (!end)
			return "its last line has no end";
		length = (size_t)(end - text);
		bytes -= length + 1;
		if (length >= sizeof(line) || memchr(text, '\0', length))
			return "a line of it is too long, or no text";
		memcpy(line, text, length);
		line[length] = '\0';
		value = strchr(line, '=');
		if (first != !value || (first && strcmp(line, FIRST_LINE)))
			return "it is not what this version of ktallyd is asked by";
		first = false;
		if (!value)
			continue;
		*value++ = '\0';
		wrong = strlen(value) < VALUE_BYTES ? take_line(request, line, value) : "a line of it is too long, or no text";
	}
	if (!wrong && first)
		return "it is empty";
	return wrong ? wrong : check(request);
}

void request_describe(const struct request *request, struct buffer *text)
{
	const struct session_options *session = &request->session;
	bool named = *request->process || *request->service;

	if (*request->process)
		buffer_format(text, "processes named %s", request->process);
	if (*request->service)
		buffer_format(text, "%sservice %s", *request->process ? " of " : "", request->service);
	if (!named && !session->pid_count && !session->cgroup_count)
		buffer_string(text, "every process");
	for (uint32_t i = 0; i < session->pid_count; i++)
		buffer_format(text, "%s%d", i ? ", " : named ? " of pid " : "pid ", session->pids[i]);
	if (session->cgroup_count)
		buffer_format(text, "%s%u cgroups", session->pid_count || named ? " in " : "", session->cgroup_count);
	buffer_format(text, " at %u Hz for %.3g s%s", session->rate, (double)request->duration / 1000, session->off_cpu ? ", with waits" : "");
}
