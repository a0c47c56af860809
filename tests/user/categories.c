// SPDX-License-Identifier: GPL-2.0-or-later
/* classify/categories.h, scope.h, topics.h and category_sets.h, by hand. See categories_random.c too. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/message.h"
#include "check.h"
#include "classify/categories.h"
#include "classify/category_sets.h"
#include "classify/classify.h"
#include "classify/scope.h"
#include "classify/topics.h"

#define FRAMES_MOST	32

/* "FUNCTION@FILE", leaf first, with blanks between; FUNCTION@[kernel] for the kernel, a question mark for no name. */
static struct stack *stack_of(const char *frames)
{
	struct stack *stack = memory_zeroed(1, sizeof(*stack) + FRAMES_MOST * sizeof(stack->frames[0]));

	for (const char *at = frames; *at; at += strspn(at, " ")) {
		size_t bytes = strcspn(at, " "), name = strcspn(at, "@");
		struct frame *frame = &stack->frames[stack->kernel_frames + stack->user_frames];

		*frame = (struct frame){ .kind = FRAME_NATIVE, .object = intern_bytes(at + name + 1, bytes - name - 1) };
		if (*at != '?')
			frame->function = intern_bytes(at, name);
		if (frame->object == intern("[kernel]")) {
			frame->kind = FRAME_KERNEL;
			stack->kernel_frames++;
		} else {
			stack->user_frames++;
		}
		at += bytes;
	}
	classify(stack, "/usr/bin/program", NULL);
	return stack;
}

/* What a stack counts for, as "area:kernel self:NAME inclusive:NAME", categories only unless `areas`. */
static const char *topics_text(struct topics *topics, const char *frames, const char *syscall, bool areas)
{
	static const char *const kinds[] = { [TOPIC_AREA] = "area", [TOPIC_SELF] = "self", [TOPIC_INCLUSIVE] = "inclusive" };
	static char text[1024];
	struct stack *stack = stack_of(frames);
	const struct topic_set *set = topics_of_stack(topics, stack, "/usr/bin/program", NULL);
	size_t used = 0;

	set = topics_in_syscall(topics, set, intern(syscall));
	check_number(set->open, 0, "nothing is open in a system call");
	text[0] = '\0';
	for (size_t i = 0; i < set->count; i++) {
		const struct topic *topic = topics_get(topics, set->numbers[i]);

		if (topic->kind != TOPIC_AREA || areas)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s:%s", used ? " " : "", kinds[topic->kind],
						 topic->name);
	}
	free(stack);
	return text;
}

static unsigned int add(struct categories *categories, const char *name, unsigned int modes, bool at_leaf)
{
	int category = categories_add(categories, name, name, modes);

	check(category >= 0, "category %s", name);
	return (unsigned int)categories_add_match(categories, (unsigned int)category, at_leaf);
}

static void pattern(struct categories *categories, unsigned int match, enum part part, enum condition condition, const char *text)
{
	check_number(categories_add_pattern(categories, match, part, condition, text), 0, "pattern %s", text);
}

static struct topics *compiled(struct categories *categories)
{
	categories_compile(categories);
	return topics_create(categories);
}

static void test_conditions(void)
{
	struct categories *categories = categories_create();
	struct topics *topics;
	unsigned int match;

	match = add(categories, "tls", MODE_BOTH, false);
	pattern(categories, match, PART_FRAME, CONDITION_FILE, "libssl");
	pattern(categories, match, PART_FRAME, CONDITION_FILE, "libtls*");
	match = add(categories, "handshake", MODE_BOTH, false);
	pattern(categories, match, PART_FRAME, CONDITION_FUNCTION, "*handshake*");
	pattern(categories, match, PART_FRAME, CONDITION_FILE, "/usr/lib/*");
	match = add(categories, "leaf", MODE_INCLUSIVE, true);
	pattern(categories, match, PART_FRAME, CONDITION_FUNCTION, "memcpy");
	match = add(categories, "copies", MODE_SELF, false);
	pattern(categories, match, PART_FRAME, CONDITION_FUNCTION, "memcpy");
	match = add(categories, "std", MODE_INCLUSIVE, false);
	pattern(categories, match, PART_FRAME, CONDITION_PACKAGE, "std");
	pattern(categories, match, PART_FRAME, CONDITION_CLASS, "std::vector");
	match = add(categories, "kernel", MODE_INCLUSIVE, false);
	pattern(categories, match, PART_FRAME, CONDITION_FRAME_TYPE, "kernel");
	match = add(categories, "net", MODE_BOTH, false);
	pattern(categories, match, PART_FRAME, CONDITION_AREA, "kernel/network*");
	topics = compiled(categories);

	check_string(topics_text(topics, "f@/bin/x g@/usr/lib/libssl.so.3 main@/bin/x", NULL, false), "inclusive:tls",
		     "a library that is not the leaf");
	check_string(topics_text(topics, "g@/usr/lib/libssl.so.3 g@/usr/lib/libssl.so.3", NULL, false), "self:tls inclusive:tls",
		     "and that is, twice in the stack");
	check_string(topics_text(topics, "g@/usr/lib/libtlsx.so", NULL, false), "self:tls inclusive:tls", "another pattern of the list");
	check_string(topics_text(topics, "g@/usr/lib/libsslx.so.3 h@/opt/libssl3.so", NULL, false), "", "names that are like it");
	check_string(topics_text(topics, "do_handshake@/usr/lib/libx.so", NULL, false), "self:handshake inclusive:handshake",
		     "two conditions of one frame");
	check_string(topics_text(topics, "do_handshake@/opt/lib/libx.so f@/usr/lib/libx.so", NULL, false), "",
		     "but not one of each of two frames");
	check_string(topics_text(topics, "do_handshake@/usr/lib/libssl.so.3", NULL, false), "self:tls inclusive:tls inclusive:handshake",
		     "self time is of the first category only");
	check_string(topics_text(topics, "memcpy@/lib/libc.so.6 f@/bin/x", NULL, false), "inclusive:leaf self:copies", "at the leaf");
	check_string(topics_text(topics, "f@/bin/x memcpy@/lib/libc.so.6", NULL, false), "", "not at the leaf, and self only");
	check_string(topics_text(topics, "std::vector<std::string>::push_back@/bin/x", NULL, false), "inclusive:std", "class and package");
	check_string(topics_text(topics, "std::list<int>::push_back@/bin/x", NULL, false), "", "another class");
	check_string(topics_text(topics, "tcp_sendmsg@[kernel] main@/bin/x", NULL, false), "inclusive:kernel self:net inclusive:net",
		     "type and area");
	check_string(topics_text(topics, "?@[kernel] main@/bin/x", NULL, false), "inclusive:kernel", "a frame without a name");
	check_string(topics_text(topics, "", NULL, false), "", "no frames");
	topics_destroy(topics);
	categories_destroy(categories);
}

static void test_context(void)
{
	struct categories *categories = categories_create();
	struct topics *topics;
	unsigned int match;

	match = add(categories, "below", MODE_BOTH, false);
	pattern(categories, match, PART_FRAME, CONDITION_FUNCTION, "work");
	pattern(categories, match, PART_CALLED_BY, CONDITION_FUNCTION, "serve");
	match = add(categories, "above", MODE_BOTH, false);
	pattern(categories, match, PART_FRAME, CONDITION_FUNCTION, "work");
	pattern(categories, match, PART_CALLS, CONDITION_FUNCTION, "read");
	match = add(categories, "between", MODE_INCLUSIVE, false);
	pattern(categories, match, PART_FRAME, CONDITION_FUNCTION, "work");
	pattern(categories, match, PART_CALLED_BY, CONDITION_FUNCTION, "serve");
	pattern(categories, match, PART_CALLS, CONDITION_FUNCTION, "read");
	pattern(categories, match, PART_CALLS, CONDITION_FILE, "libc");
	match = add(categories, "recursive", MODE_INCLUSIVE, false);
	pattern(categories, match, PART_FRAME, CONDITION_FUNCTION, "again");
	pattern(categories, match, PART_CALLED_BY, CONDITION_FUNCTION, "again");
	topics = compiled(categories);

	check_string(topics_text(topics, "work@/x serve@/x", NULL, false), "self:below inclusive:below", "called by it");
	check_string(topics_text(topics, "x@/x work@/x y@/x serve@/x", NULL, false), "inclusive:below", "called by it, not directly");
	check_string(topics_text(topics, "serve@/x work@/x", NULL, false), "", "calling it is not being called by it");
	check_string(topics_text(topics, "work@/x serve@/x work@/x", NULL, false), "self:below inclusive:below", "one of two is called by it");
	check_string(topics_text(topics, "read@/x y@/x work@/x", NULL, false), "inclusive:above", "calls it");
	check_string(topics_text(topics, "work@/x read@/x", NULL, false), "", "being called by it is not calling it");
	check_string(topics_text(topics, "work@/x read@/x work@/x", NULL, false), "inclusive:above", "one of two calls it");
	check_string(topics_text(topics, "read@/lib/libc.so.6 work@/x serve@/x", NULL, false), "inclusive:below inclusive:above inclusive:between",
		     "between both");
	check_string(topics_text(topics, "work@/x read@/lib/libc.so.6 serve@/x work@/x", NULL, false), "self:below inclusive:below inclusive:above",
		     "one is called, another calls: that is not between");
	check_string(topics_text(topics, "again@/x f@/x", NULL, false), "", "a frame is not called by itself");
	check_string(topics_text(topics, "again@/x again@/x", NULL, false), "inclusive:recursive", "but by its like");
	topics_destroy(topics);
	categories_destroy(categories);
}

static void test_syscalls(void)
{
	struct categories *categories = categories_create();
	struct topics *topics;
	unsigned int match;

	match = add(categories, "sync", MODE_BOTH, false);
	pattern(categories, match, PART_FRAME, CONDITION_SYSCALL, "fsync");
	pattern(categories, match, PART_FRAME, CONDITION_SYSCALL, "fdatasync");
	match = add(categories, "checkpoint", MODE_BOTH, false);
	pattern(categories, match, PART_FRAME, CONDITION_FUNCTION, "checkpoint");
	pattern(categories, match, PART_FRAME, CONDITION_SYSCALL, "write");
	match = add(categories, "disk", MODE_BOTH, false);
	pattern(categories, match, PART_FRAME, CONDITION_AREA, "kernel/disk*");
	pattern(categories, match, PART_FRAME, CONDITION_SYSCALL, "write");
	match = add(categories, "plain", MODE_BOTH, false);
	pattern(categories, match, PART_FRAME, CONDITION_FUNCTION, "submit_bio");
	topics = compiled(categories);

	check_string(topics_text(topics, "x@/x", "fsync", false), "self:sync inclusive:sync", "a system call alone");
	check_string(topics_text(topics, "x@/x", "write", false), "", "another one");
	check_string(topics_text(topics, "x@/x", NULL, false), "", "none");
	check_string(topics_text(topics, "x@/x checkpoint@/x", "write", false), "inclusive:checkpoint", "with a frame");
	check_string(topics_text(topics, "x@/x checkpoint@/x", "read", false), "", "in another system call, the same stack");
	check_string(topics_text(topics, "submit_bio@[kernel] checkpoint@/x", "write", false),
		     "inclusive:checkpoint self:disk inclusive:disk inclusive:plain", "what depends on it goes before what does not");
	check_string(topics_text(topics, "submit_bio@[kernel] checkpoint@/x", NULL, false), "self:plain inclusive:plain", "and else not");
	check_string(topics_text(topics, "submit_bio@[kernel] checkpoint@/x", "fdatasync", false), "self:sync inclusive:sync inclusive:plain",
		     "nor in another system call");
	topics_destroy(topics);
	categories_destroy(categories);
}

static void test_areas(void)
{
	struct topics *topics = topics_create(NULL);
	const struct topic_set *a, *b;
	struct stack *stack = stack_of("f@/bin/x"), *other = stack_of("g@/bin/x h@/bin/x");

	check_string(topics_text(topics, "clear_page_erms@[kernel] tcp_sendmsg@[kernel] do_syscall_64@[kernel] send@/lib/libc.so.6 "
				 "main@/usr/bin/program", NULL, true),
		     "area:kernel/network/tcp/write area:kernel/network/tcp area:kernel/network area:kernel area:kernel/memory/pages area:kernel/memory "
		     "area:native/libc "
		     "area:native/program", "all areas that frames are in, and what they are part of");
	a = topics_of_stack(topics, stack, NULL, NULL);
	b = topics_of_stack(topics, other, NULL, NULL);
	check(a == b, "stacks with the same topics share a set");
	check(topics_in_syscall(topics, a, "read") == a, "which is the same in all system calls");
	check_string(topics_text(topics, "", NULL, true), "area:unknown", "no frames");
	free(stack);
	free(other);
	topics_destroy(topics);
	topics_destroy(NULL);
}

/* No more sets than there is room for, and categories are told from each other after that. */
static void test_bounds(void)
{
	struct categories *categories = categories_create();
	unsigned int match = add(categories, "one", MODE_BOTH, false);
	struct topics *topics;
	const struct topic_set *set = NULL;
	size_t sets = 0, area = 0, category = 0;
	struct map seen = { 0 };

	pattern(categories, match, PART_FRAME, CONDITION_FUNCTION, "one");
	topics = compiled(categories);
	for (unsigned int i = 0; i < 25000; i++) {
		char text[128];
		struct stack *stack;

		snprintf(text, sizeof(text), "one@/l/a%u.so f@/l/b%u.so", i % 200, i / 200);
		stack = stack_of(text);
		set = topics_of_stack(topics, stack, NULL, NULL);
		sets += !map_put(&seen, (uintptr_t)set, (void *)set);
		free(stack);
	}
	check(sets > 19000 && sets <= 20001, "%zu sets of 25000", sets);
	for (size_t i = 0; i < set->count; i++) {
		area += topics_get(topics, set->numbers[i])->kind == TOPIC_AREA;
		category += topics_get(topics, set->numbers[i])->kind != TOPIC_AREA;
	}
	check_number(area, 1, "past that one area");
	check_string(topics_get(topics, set->numbers[0])->name, "other", "which is \"other\"");
	check_number(category, 2, "and the category still");
	map_free(&seen);
	topics_destroy(topics);
	categories_destroy(categories);
}

static void test_adding(void)
{
	struct categories *categories = categories_create();
	char text[CATEGORY_PATTERN_MOST + 2];
	unsigned int match = add(categories, "one", MODE_BOTH, false);
	static const char *const bad[] = { "", "*", "**", "***", "a*b", "*a*b", "a**", "a\nb", "\x7f" };
	int error = 0;

	check_number(categories_add(categories, "one", "x", MODE_BOTH), -EEXIST, "a name is taken once");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_number(categories_add_pattern(categories, match, PART_FRAME, CONDITION_FUNCTION, bad[i]), -EINVAL, "\"%s\" is no pattern",
			     bad[i][0] < ' ' || bad[i][0] == 0x7f ? "(control)" : i == 7 ? "(line break)" : bad[i]);
	check_number(categories_add_pattern(categories, match, PART_FRAME, CONDITION_FUNCTION, "sync.(*Mutex).Lock*"), 0, "Go's stars are");
	check_number(categories_add_pattern(categories, match, PART_CALLS, CONDITION_AREA, "kernel"), -EINVAL, "an area is of the stack");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	check_number(categories_add_pattern(categories, match, PART_FRAME, CONDITION_FILE, text), -E2BIG, "too long a pattern");
	text[CATEGORY_PATTERN_MOST] = '\0';
	for (unsigned int i = 0; i <= CATEGORY_PATTERNS_MOST / CATEGORY_PATTERN_MOST && !error; i++)
		error = categories_add_pattern(categories, match, PART_FRAME, CONDITION_FILE, text);
	check_number(error, -E2BIG, "too many bytes in all");
	categories_compile(categories);
	categories_destroy(categories);
	categories_destroy(NULL);
}

static void test_scopes(void)
{
	static const struct {
		const char *function, *type, *package, *class;
	} cases[] = {
		{ "std::vector<int, std::allocator<int> >::push_back", "native", "std", "std::vector" },
		{ "google::protobuf::Message::Parse", "native", "google", "google::protobuf::Message" },
		{ "(anonymous namespace)::work", "native", "anonymous", "(anonymous namespace)" },
		{ "ns::operator<", "native", "ns", "ns" }, { "a::b::operator()", "native", "a", "a::b" }, { "operator new", "native", "", "" },
		{ "memcpy", "native", "", "" }, { "::x", "native", "", "" }, { "f<a::b>", "native", "", "" },
		{ "<alloc::vec::Vec<T> as core::ops::Drop>::drop", "rust", "alloc", "<alloc::vec::Vec<T> as core::ops::Drop>" },
		{ "<dyn core::any::Any>::is", "rust", "core", "<dyn core::any::Any>" },
		{ "serde_json::de::from_str", "rust", "serde_json", "serde_json::de" },
		{ "runtime.mallocgc", "go", "runtime", "" }, { "net/http.(*Server).Serve", "go", "net/http", "Server" },
		{ "github.com/x/y.T.Method", "go", "github.com/x/y", "T" }, { "main.main.func1", "go", "main", "main" },
		{ "gopkg.in/yaml%2ev3.(*parser).parse", "go", "gopkg.in/yaml%2ev3", "parser" }, { "x.(*T[go.shape.int]).M", "go", "x", "T" },
		{ "x.T[a.b].M", "go", "x", "T" }, { "x.f[go.shape.int]", "go", "x", "" }, { "plain", "go", "", "" },
		{ "int java.lang.String.hashCode()", "jvm", "java.lang", "java.lang.String" },
		{ "Lcom/foo/Bar;::run", "jvm", "com.foo", "com.foo.Bar" }, { "com.foo.Bar$Inner::run", "jvm", "com.foo", "com.foo.Bar$Inner" },
		{ "Interpreter", "jvm", "", "" }, { "::", "jvm", "", "" }, { ".", "jvm", "", "" }, { "L;::", "jvm", "", "" },
		{ "void [System.Private.CoreLib] System.Threading.Thread::Start()[Tier0]", "dotnet", "System.Threading", "System.Threading.Thread" },
		{ "py::f:/x/y.py", "cpython", "", "" }, { "LazyCompile:*a /b.js:1", "v8js", "", "" }, { "tcp::x", "kernel", "", "" },
		{ "a::b", NULL, "", "" }, { "<<<<", "native", "", "" }, { ">>>a::b", "native", "", ">>>a" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scope scope;

		scope_of(&scope, cases[i].function, cases[i].type);
		check_string(scope.package, cases[i].package, "package of %s", cases[i].function);
		check_string(scope.class, cases[i].class, "class of %s", cases[i].function);
	}
}

/* ---- ready-made ---- */

static void test_sets(void)
{
	static const struct {
		const char *frames, *wanted;
	} cases[] = {
		{ "G1ParScanThreadState::copy_to_survivor_space@/usr/lib/jvm/lib/server/libjvm.so", "self:gc inclusive:gc" },
		{ "PSomething::f@/usr/bin/program", "" },
		{ "visit_decref@/usr/bin/python3.11 gc_collect_main@/usr/bin/python3.11", "self:gc inclusive:gc" },
		{ "visit_decref@/usr/bin/program", "" },
		{ "f@/usr/lib/libprotobuf.so.32 main@/usr/bin/program", "self:serialization inclusive:serialization" },
		{ "rapidjson::Writer::Int@/usr/bin/program", "self:serialization inclusive:serialization" },
		{ "memcpy@/lib/libc.so.6 grpc_core::Call::Run@/usr/bin/program", "inclusive:rpc" },
		{ "native_queued_spin_lock_slowpath@[kernel]", "self:locking inclusive:locking" },
		{ "absl::Mutex::Lock@/usr/bin/program", "self:locking inclusive:locking" },
		{ "_int_malloc@/lib/libc.so.6 malloc@/lib/libc.so.6", "self:memory-allocation inclusive:memory-allocation" },
		{ "deflate_fast@/usr/bin/program", "self:compression inclusive:compression" },
		{ "aes_gcm_enc@/usr/lib/libcrypto.so.3", "self:crypto inclusive:crypto" },
		{ "spdlog::logger::log@/usr/bin/program", "self:logging inclusive:logging" },
		{ "match@/usr/lib/libpcre2-8.so.0", "self:regex inclusive:regex" },
		{ "main@/usr/bin/program", "" },
	};
	struct categories *categories = categories_create();
	struct topics *topics;

	check_number(category_sets_add(categories, "all"), 0, "all sets");
	check_number(categories_count(categories), 9, "nine of them");
	topics = compiled(categories);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_string(topics_text(topics, cases[i].frames, NULL, false), cases[i].wanted, "ready-made: %s", cases[i].frames);
	topics_destroy(topics);
	categories_destroy(categories);

	categories = categories_create();
	add(categories, "gc", MODE_SELF, false);
	check_number(category_sets_add(categories, "gc, regex"), 0, "some sets");
	check_number(categories_count(categories), 2, "two of them");
	check_number(categories_get(categories, 0)->modes, MODE_SELF, "one that was there already stays as it is");
	check_number(category_sets_add(categories, "none"), 0, "none");
	check_number(categories_count(categories), 2, "adds nothing");
	check_number(category_sets_check("gc,nonsense"), -EINVAL, "one that there is not");
	categories_destroy(categories);
}

int main(void)
{
	test_conditions();
	test_context();
	test_syscalls();
	test_areas();
	test_bounds();
	test_adding();
	test_scopes();
	test_sets();
	return check_end();
}
