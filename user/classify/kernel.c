// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/map.h"
#include "classify/findings.h"
#include "classify/kernel.h"
#include "classify/rules.h"

/* What the name of a function tells. */
struct finding {
	unsigned char connector;	/* lowest rule, 0: none */
	unsigned char area;
	unsigned char direction;
	bool interrupt, entry;
	const char *syscall_name;	/* by the connector's rule; NULL */
};

static void take(void *context, unsigned int rule)
{
	const struct rules *found = &rules[rule];
	struct finding *finding = context;

	if (found->connector && (!finding->connector || found->connector < finding->connector))
		finding->connector = found->connector;
	if (found->area < finding->area) {
		finding->area = found->area;
		finding->direction = found->direction;
	} else if (found->area == finding->area && !finding->direction) {
		finding->direction = found->direction;
	}
	finding->interrupt |= found->interrupt;
	finding->entry |= found->entry;
}

static const char *syscall_of(const char *function)
{
	static const char *const prefixes[] = { "__x64_sys_", "__arm64_sys_", "ksys_" };

	for (unsigned int i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t skip = strlen(prefixes[i]), bytes = 0;

		if (strncmp(function, prefixes[i], skip))
			continue;
		while (isalnum((unsigned char)function[skip + bytes]) || function[skip + bytes] == '_')
			bytes++;
		return bytes ? intern_bytes(function + skip, bytes) : NULL;
	}
	return NULL;
}

static void begin(void *context, const char *function)
{
	struct finding *finding = context;

	finding->area = AREA_OTHER;
	finding->syscall_name = syscall_of(function);
}

static const struct finding *find(const char *function)
{
	static struct findings *findings;

	if (!findings) {
		findings = findings_create(sizeof(struct finding), begin, take);
		for (unsigned int i = 0; i < rules_count; i++)
			findings_add(findings, rules[i].patterns, i);
	}
	return findings_of(findings, function);
}

/* The connector looks no further out than the first function that is a system call. */
static void classify_by_connector(const struct stack *stack, struct class *class)
{
	static const struct {
		const char *area, *proto, *io;
	} values[CONNECTOR_RULES + 1] = {
		{ NULL, NULL, NULL },
		{ "network", "tcp", "read" },
		{ "network", "tcp", "write" },
		{ "network", "udp", "read" },
		{ "network", "udp", "write" },
		{ "ipc", NULL, "read" },
		{ "ipc", NULL, "write" },
		{ "network", "other", "read" },
		{ "network", "other", "write" },
		{ "disk", NULL, "read" },
		{ "disk", NULL, "write" },
		{ "memory", NULL, NULL },
		{ "synchronization", NULL, NULL },
	};
	unsigned int rule = 0;

	for (unsigned int i = 0; i < stack->kernel_frames && !class->syscall_name; i++) {
		const struct finding *finding;

		if (!stack->frames[i].function)
			continue;
		finding = find(stack->frames[i].function);
		if (finding->connector && (!rule || finding->connector < rule))
			rule = finding->connector;
		class->syscall_name = finding->syscall_name;
	}
	/* Over the loopback device the receiving half runs within the write. */
	if (rule == CONNECTOR_TCP_READ && class->syscall_name && !strcmp(class->syscall_name, "write"))
		rule = CONNECTOR_TCP_WRITE;
	class->kernel_area = intern(values[rule].area);
	class->kernel_proto = intern(values[rule].proto);
	class->kernel_io = intern(values[rule].io);
}

static const char *area_of(const struct stack *stack)
{
	enum area area = AREA_OTHER;
	enum direction direction = DIRECTION_NONE;

	for (unsigned int i = 0; i < stack->kernel_frames; i++) {
		const struct finding *finding;

		if (!stack->frames[i].function)
			continue;
		finding = find(stack->frames[i].function);
		if (i == 0 && finding->entry)
			return area_name(AREA_SYSCALL, DIRECTION_NONE);
		if (finding->area < area) {
			area = finding->area;
			direction = finding->direction;
		} else if (finding->area == area && finding->direction) {
			direction = finding->direction;
		}
		if (finding->interrupt)
			break;
	}
	return area_name(area, direction);
}

const char *kernel_area(const char *function)
{
	const struct finding *finding = function ? find(function) : NULL;

	return finding && finding->area != AREA_OTHER ? area_name(finding->area, finding->direction) : NULL;
}

void classify_kernel(struct stack *stack)
{
	struct class *class = &stack->class;

	class->runtime = intern("kernel");
	classify_by_connector(stack, class);
	class->area = area_of(stack);
}
