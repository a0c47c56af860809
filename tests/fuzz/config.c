// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a configuration file; what categories it has are compiled and tried on some stacks. And any bytes as the name of a function. */
#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/map.h"
#include "base/message.h"
#include "classify/classify.h"
#include "classify/scope.h"
#include "classify/topics.h"
#include "config/categories.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define FRAMES	6

static const char *const functions[] = {
	"main", "tcp_sendmsg", "std::vector<int>::push_back", "net/http.(*Server).Serve", "aaaaaaaaaaaaaaaa", "f.isra.0", NULL,
};
static const char *const files[] = { "/usr/bin/program", "/usr/lib/libssl.so.3", "/usr/lib/libc.so.6", "[kernel]" };
static const char *const syscalls[] = { "read", "write", NULL };

/* Each message is fine, but there are millions. */
static void quiet(bool on)
{
	static int null = -1, errors = -1;

	if (null < 0) {
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		errors = dup(STDERR_FILENO);
		__sanitizer_set_report_fd((void *)(uintptr_t)errors);
	}
	if (dup2(on ? null : errors, STDERR_FILENO) < 0)
		abort();
}

static struct stack *make_stack(unsigned int number)
{
	struct stack *stack = memory_zeroed(1, sizeof(*stack) + FRAMES * sizeof(stack->frames[0]));

	stack->kernel_frames = (uint16_t)(number % 2);
	stack->user_frames = (uint16_t)(FRAMES - stack->kernel_frames);
	for (unsigned int i = 0; i < FRAMES; i++) {
		const char *file = i < stack->kernel_frames ? files[3] : files[(number + i) % 3];

		stack->frames[i] = (struct frame){
			.kind = i < stack->kernel_frames ? FRAME_KERNEL : FRAME_NATIVE,
			.function = intern(functions[(number * 3 + i) % (sizeof(functions) / sizeof(functions[0]))]),
			.object = intern(file),
		};
	}
	classify(stack, files[0], NULL);
	return stack;
}

static void try_stacks(struct categories *categories)
{
	struct topics *topics = topics_create(categories);

	for (unsigned int i = 0; i < 8; i++) {
		struct stack *stack = make_stack(i);
		const struct topic_set *set = topics_of_stack(topics, stack, files[0], NULL);

		for (size_t j = 0; j < sizeof(syscalls) / sizeof(syscalls[0]); j++) {
			const struct topic_set *in_call = topics_in_syscall(topics, set, intern(syscalls[j]));
			unsigned int self = 0;

			for (size_t k = 0; k < in_call->count; k++) {
				if (k && in_call->numbers[k] <= in_call->numbers[k - 1])
					abort();
				self += topics_get(topics, in_call->numbers[k])->kind == TOPIC_SELF;
			}
			if (self > 1 || in_call->open)
				abort();
		}
		free(stack);
	}
	topics_destroy(topics);
}

static int take(void *context, int option, const char *argument)
{
	(void)context;
	return option == 'x' && (!argument || strlen(argument) > DOCUMENT_BYTES_MOST) ? abort(), 0 : -1;
}

static void try_document(const struct document *document)
{
	static const struct option options[] = {
		{ "rate", required_argument, NULL, 'x' }, { "off-cpu", optional_argument, NULL, 'y' },
		{ "no-kernel", no_argument, NULL, 'z' }, { "help", no_argument, NULL, 'h' }, { }
	};
	static const char *const barred[] = { "help", NULL };
	struct categories *categories = config_categories(document, "none");

	config_take_options(document, options, barred, take, NULL);
	if (categories)
		try_stacks(categories);
	categories_destroy(categories);
}

static void try_scopes(const uint8_t *data, size_t bytes)
{
	static const char *const types[] = { "native", "go", "jvm", "rust" };
	char *name = memory_zeroed(bytes + 1, 1);
	struct scope scope;

	memcpy(name, data, bytes);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		scope_of(&scope, name, types[i]);
		if (strlen(scope.package) >= SCOPE_BYTES || strlen(scope.class) >= SCOPE_BYTES)
			abort();
	}
	free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct document *document;

	quiet(true);
	if (!document_parse(&document, "fuzz.yaml", data, bytes)) {
		try_document(document);
		document_free(document);
	}
	quiet(false);
	try_scopes(data, bytes);
	return 0;
}
