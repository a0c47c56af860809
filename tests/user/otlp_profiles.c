// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * OTLP profiles: every rule of the data model, on what is written; and on the same spoilt, as a rule that nothing can break is
 * none. With arguments: the rules on these files.
 */
#include <errno.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"
#include "profile_text.h"

#define BOTH	(KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU)

typedef Profiles__ExportProfilesServiceRequest request_message;

static void set_build_id(struct stack *stack, unsigned int frame, const char *build_id)
{
	stack->frames[frame].build_id = intern(build_id);
}

static struct profile *small_profile(void)
{
	static const char same_name[] = "openssl";	/* equal, but elsewhere */
	struct profile *profile = fake_profile();
	struct task *main_thread = fake_task(profile, 10, 10, "openssl", "openssl");
	struct task *worker = fake_task(profile, 10, 11, "openssl", "worker"), *again = fake_task(profile, 10, 11, "openssl", "worker");
	struct task *evil = fake_task(profile, 20, 20, "ev\xffil\n", "\xc0\xaf");
	struct stack *crypto, *moved, *disk;

	again->process_name = same_name;
	crypto = fake_stack(profile, "native/libcrypto", "u:aes@/usr/lib/libcrypto.so.3#aa10 u:main@/usr/bin/openssl#1200");
	moved = fake_stack(profile, "native/libcrypto", "u:aes@/usr/lib/libcrypto.so.3#aa10 u:main@/usr/bin/openssl#1200");
	moved->frames[0].address += 0x1000;		/* of another process: the same code elsewhere */
	disk = fake_stack(profile, "kernel/disk/write", "k:ext4_write k:do_syscall_64 u:@/usr/lib/libc.so.6#10 a:#7f12 x:#5");
	disk->class.syscall_name = intern("write");
	disk->frames[1].function = intern("do_\xff\xc0\xaf");
	disk->user_end = KTALLY_END_BROKEN;
	for (unsigned int i = 0; i < 2; i++) {
		set_build_id(i ? moved : crypto, 0, "0123456789abcdef0123456789abcdef01234567");
		set_build_id(disk, i, "aabb");
	}
	fake_cell(profile, main_thread, crypto, 20, 2000000000);
	fake_cell(profile, main_thread, moved, 1, 100000000);
	fake_cell(profile, worker, crypto, 10, 1000000000);
	fake_cell(profile, again, crypto, 1, 11);
	fake_cell(profile, main_thread, disk, 5, 500000000);
	fake_cell(profile, evil, fake_stack(profile, "unknown", ""), 1, 50000000);
	fake_cell(profile, evil, disk, 0, 0);
	fake_wait(profile, evil, disk, "io/disk", 3, 3000000000);
	fake_wait(profile, evil, disk, "run queue", 3, 7);
	profile->lost[KTALLY_LOST_FULL].count = 12;
	return profile;
}

static void check_small(void)
{
	struct profile *profile = small_profile();
	size_t bytes, again_bytes;
	struct rules rules;
	char *data, *again;
	int error;

	data = fake_export_source(export_otlp, profile, BOTH, &bytes, &error);
	check_number(error, 0, "profiles are written");
	validate(data, bytes, &rules, "a small profile");
	check_number(rules.samples, 6, "samples of equal stacks and attributes are one");
	check_number(rules.value, 6650000018, "and have all the time");
	again = fake_export_source(export_otlp, profile, BOTH, &again_bytes, &error);
	check(bytes == again_bytes && !memcmp(data, again, bytes), "the same profile gives the same bytes");
	free(again);
	free(data);
	data = fake_export_source(export_otlp, profile, KTALLY_SOURCE_OFFCPU, &bytes, &error);
	validate(data, bytes, &rules, "waits alone");
	check_number(rules.value, 3000000007, "are the time waited");
	free(data);
	check_number(fake_export_full(export_otlp, profile), -ENOSPC, "a full disk is told");
	fake_free(profile);

	profile = fake_profile();
	data = fake_export_source(export_otlp, profile, BOTH, &bytes, &error);
	check(!error && !bytes, "no samples are no envelope either");
	free(data);
	fake_free(profile);
}

static void check_text(void)
{
	struct profile *profile = fake_profile();
	struct task *task = fake_task(profile, 10, 11, "openssl", "worker");
	struct stack *stack = fake_stack(profile, "native/libcrypto", "u:aes@/usr/lib/libcrypto.so.3#aa10 u:@/bin/x#20");
	char *data, *text;
	size_t bytes;
	int error;

	set_build_id(stack, 0, "0123");
	fake_cell(profile, task, stack, 20, 2000000000);
	data = fake_export_source(export_otlp, profile, BOTH, &bytes, &error);
	text = decoded(data, bytes);
	check(text && strstr(text, "    profiles {\n"
		     "      sample_type {\n        type_strindex: 10\n        unit_strindex: 11\n      }\n"
		     "      samples {\n        stack_index: 1\n        attribute_indices: 3\n        attribute_indices: 4\n"
		     "        attribute_indices: 5\n        attribute_indices: 6\n        values: 2000000000\n      }\n"
		     "      time_unix_nano: 1700000050000000000\n      duration_nano: 20000000001\n"
		     "      period_type {\n        type_strindex: 10\n        unit_strindex: 11\n      }\n"
		     "      period: 5025125\n      profile_id: "), "a profile and its sample, as protoc reads them");
	check(text && strstr(text, "  mapping_table {\n  }\n  mapping_table {\n    memory_limit: 18446744073709551615\n"
		     "    filename_strindex: 1\n    attribute_indices: 1\n  }\n"), "a mapping, after none");
	check(text && strstr(text, "  location_table {\n  }\n  location_table {\n    mapping_index: 1\n    address: 43536\n"
		     "    lines {\n      function_index: 1\n    }\n    attribute_indices: 2\n  }\n"
		     "  location_table {\n    address: 32\n    lines {\n      function_index: 2\n    }\n    attribute_indices: 2\n  }\n"),
	      "its locations, one with a mapping, one named after its object");
	check(text && strstr(text, "  stack_table {\n  }\n  stack_table {\n    location_indices: 1\n    location_indices: 2\n  }\n"),
	      "its stack, innermost first");
	check(text && strstr(text, "  attribute_table {\n    key_strindex: 6\n    value {\n      int_value: 10\n    }\n  }\n"), "numbers are numbers");
	check(text && strstr(text, "  string_table: \"\"\n  string_table: \"/usr/lib/libcrypto.so.3\"\n"
		     "  string_table: \"process.executable.build_id.gnu\"\n  string_table: \"aes\"\n"
		     "  string_table: \"profile.frame.type\"\n  string_table: \"[x]\"\n  string_table: \"process.pid\"\n"), "strings, once each");
	if (check_counts.failed)
		printf("# %s\n", text);
	free(text);
	free(data);
	fake_free(profile);
}

/* Where the source is known: inlined functions are lines of one location, the innermost first. */
static void check_source(void)
{
	static const struct source_line inner = { "inner", "/src/a.h", 12, true }, outer = { "outer", "/src/b.c", 34, false };
	struct profile *profile = fake_profile();
	struct stack *stack = fake_stack(profile, "native/p", "u:inner@/bin/p#100 u:outer@/bin/p#100");
	struct rules rules;
	char *data, *text;
	size_t bytes;
	int error;

	stack->frames[0].source = &inner;
	stack->frames[1].source = &outer;
	fake_cell(profile, fake_task(profile, 1, 1, "p", "p"), stack, 1, 1000000000);
	data = fake_export_source(export_otlp, profile, BOTH, &bytes, &error);
	validate(data, bytes, &rules, "a profile with lines");
	text = decoded(data, bytes);
	check(text && strstr(text, "  location_table {\n    address: 256\n    lines {\n      function_index: 1\n      line: 12\n    }\n"
		     "    lines {\n      function_index: 2\n      line: 34\n    }\n"), "two lines of one location");
	check(text && strstr(text, "  function_table {\n    name_strindex: 1\n    filename_strindex: 2\n  }\n"
		     "  function_table {\n    name_strindex: 3\n    filename_strindex: 4\n  }\n"), "functions with their files");
	free(text);
	free(data);
	fake_free(profile);
}

/* ---- each rule, broken ---- */

static Profiles__Profile *first_profile(request_message *request)
{
	return request->resource_profiles[0]->scope_profiles[0]->profiles[0];
}

static Profiles__Sample *first_sample(request_message *request)
{
	return first_profile(request)->samples[0];
}

/* Spoilt messages no longer know all their memory, so it is kept in a list. */
static struct memory {
	struct memory *next;
	max_align_t data[];
} *memories;

static void *take_memory(void *context, size_t bytes)
{
	struct memory *memory = memory_zeroed(1, sizeof(*memory) + bytes);

	(void)context;
	memory->next = memories;
	memories = memory;
	return memory->data;
}

static void keep_memory(void *context, void *data)
{
	(void)context;
	(void)data;
}

static void free_memory(void)
{
	while (memories) {
		struct memory *memory = memories;

		memories = memory->next;
		free(memory);
	}
}

static void set_text(char **place, const char *text)
{
	*place = strcpy(take_memory(NULL, strlen(text) + 1), text);
}

static void set_values(Profiles__Sample *sample, size_t values, size_t times)
{
	sample->values = take_memory(NULL, values * sizeof(int64_t));
	for (size_t i = 0; i < values; i++)
		sample->values[i] = 5;
	sample->timestamps_unix_nano = take_memory(NULL, times * sizeof(uint64_t));
	for (size_t i = 0; i < times; i++)
		sample->timestamps_unix_nano[i] = 1700000050000000000ULL;
	sample->n_values = values;
	sample->n_timestamps_unix_nano = times;
}

/* A KeyValueAndUnit that is used. */
static Profiles__KeyValueAndUnit *used_attribute(request_message *request)
{
	return request->dictionary->attribute_table[first_sample(request)->attribute_indices[0]];
}

#define SPOIL(name, ...) static void spoil_##name(request_message *request) { __VA_ARGS__; }

SPOIL(negative, first_sample(request)->stack_index = -1)
SPOIL(past, first_sample(request)->attribute_indices[0] = 4711)
SPOIL(link, first_sample(request)->link_index = 1)
SPOIL(line, request->dictionary->location_table[1]->lines[0]->function_index = 0)
SPOIL(zero, request->dictionary->stack_table[0]->n_location_indices = request->dictionary->stack_table[1]->n_location_indices;
      request->dictionary->stack_table[0]->location_indices = take_memory(NULL, 8 * sizeof(int32_t)))
SPOIL(zero_string, set_text(&request->dictionary->string_table[0], "x"))
SPOIL(zero_link, request->dictionary->link_table[0]->span_id.len = 0)
SPOIL(no_zero, request->dictionary->n_link_table = 0)
SPOIL(duplicate, set_text(&request->dictionary->string_table[2], request->dictionary->string_table[1]))
SPOIL(duplicate_location, *request->dictionary->location_table[2] = *request->dictionary->location_table[1];
      request->dictionary->location_table[1]->n_lines = 0; request->dictionary->location_table[1]->lines = NULL;
      request->dictionary->location_table[2]->n_lines = 0; request->dictionary->location_table[2]->lines = NULL;
      request->dictionary->location_table[2]->n_attribute_indices = 0; request->dictionary->location_table[2]->attribute_indices = NULL;
      request->dictionary->location_table[1]->n_attribute_indices = 0)
SPOIL(orphan, request->dictionary->location_table[1]->n_lines = 0)
SPOIL(twice, first_sample(request)->attribute_indices[1] = first_sample(request)->attribute_indices[0])
SPOIL(none, first_sample(request)->attribute_indices[1] = 0)
SPOIL(floating, used_attribute(request)->value->value_case = PROFILES__ANY_VALUE__VALUE_DOUBLE_VALUE)
SPOIL(no_value, used_attribute(request)->value->value_case = PROFILES__ANY_VALUE__VALUE__NOT_SET)
SPOIL(no_key, used_attribute(request)->key_strindex = 0)
SPOIL(code, set_text(&request->dictionary->string_table[used_attribute(request)->key_strindex], "code.function.name"))
SPOIL(reference, used_attribute(request)->value->value_case = PROFILES__ANY_VALUE__VALUE_STRING_VALUE_STRINDEX;
      used_attribute(request)->value->string_value_strindex = 1)
SPOIL(no_shape, set_values(first_sample(request), 0, 0))
SPOIL(two_values, set_values(first_sample(request), 2, 0))
SPOIL(lengths, set_values(first_sample(request), 2, 3))
SPOIL(shapes, set_values(first_sample(request), 1, 1))
SPOIL(nothing, first_sample(request)->values[0] = 0)
SPOIL(identity, Profiles__Profile *profile = first_profile(request);
      profile->samples[1]->stack_index = profile->samples[0]->stack_index;
      profile->samples[1]->n_attribute_indices = profile->samples[0]->n_attribute_indices = 1;
      profile->samples[1]->attribute_indices[0] = profile->samples[0]->attribute_indices[0])
SPOIL(late, set_values(first_sample(request), 0, 1); first_sample(request)->timestamps_unix_nano[0] += 20000000001)
SPOIL(early, set_values(first_sample(request), 0, 1); first_sample(request)->timestamps_unix_nano[0] -= 1)
SPOIL(no_time, first_profile(request)->duration_nano = 0)
SPOIL(no_type, first_profile(request)->sample_type->type_strindex = 0)
SPOIL(unit, first_profile(request)->sample_type->unit_strindex = 1)
SPOIL(period, first_profile(request)->period = 0)
SPOIL(address, request->dictionary->mapping_table[1]->memory_limit = 16)
SPOIL(bare, request->dictionary->location_table[1]->n_lines = 0; request->dictionary->location_table[1]->mapping_index = 0)
SPOIL(no_location, request->dictionary->stack_table[1]->location_indices[0] = 0)
SPOIL(frame_type, request->dictionary->location_table[1]->n_attribute_indices = 0)
SPOIL(no_name, request->dictionary->function_table[1]->name_strindex = 0)
SPOIL(build_id, request->dictionary->mapping_table[1]->n_attribute_indices = 0)
SPOIL(htlhash, Profiles__KeyValueAndUnit *id = request->dictionary->attribute_table[request->dictionary->mapping_table[1]->attribute_indices[0]];
      set_text(&request->dictionary->string_table[id->key_strindex], "process.executable.build_id.htlhash"))
SPOIL(id, memset(first_profile(request)->profile_id.data, 0, 16))
SPOIL(short_id, first_profile(request)->profile_id.len = 15)
SPOIL(payload, set_text(&first_profile(request)->original_payload_format, "pprof"))
SPOIL(no_samples, first_profile(request)->n_samples = 0)
SPOIL(no_profiles, request->resource_profiles[0]->scope_profiles[0]->n_profiles = 0)
SPOIL(no_scopes, request->resource_profiles[0]->n_scope_profiles = 0)
SPOIL(no_resources, request->n_resource_profiles = 0)
SPOIL(key_reference, set_text(&request->resource_profiles[0]->resource->attributes[0]->key, "");
      request->resource_profiles[0]->resource->attributes[0]->key_strindex = 1)
SPOIL(resource_twice, set_text(&request->resource_profiles[0]->resource->attributes[0]->key, "host.name"))
SPOIL(utf8, set_text(&request->dictionary->string_table[1], "\xc0\xaf"))

static void check_spoilt(void)
{
	static const struct {
		const char *rule, *name;
		void (*spoil)(request_message *request);
	} spoilers[] = {
#define SPOILER(rule, name) { rule, #name, spoil_##name }
		SPOILER("index", negative), SPOILER("index", past), SPOILER("index", link), SPOILER("function", line),
		SPOILER("zero", zero), SPOILER("zero", zero_string), SPOILER("zero", zero_link), SPOILER("zero", no_zero),
		SPOILER("duplicate", duplicate), SPOILER("duplicate", duplicate_location), SPOILER("orphan", orphan),
		SPOILER("attribute", twice), SPOILER("attribute", none), SPOILER("attribute", floating), SPOILER("attribute", no_value),
		SPOILER("attribute", no_key), SPOILER("code", code), SPOILER("inline", reference), SPOILER("shape", no_shape),
		SPOILER("shape", two_values), SPOILER("shape", lengths), SPOILER("shape", shapes), SPOILER("value", nothing),
		SPOILER("identity", identity), SPOILER("time", late), SPOILER("time", early), SPOILER("time", no_time),
		SPOILER("type", no_type), SPOILER("type", unit), SPOILER("type", period), SPOILER("location", address),
		SPOILER("location", bare), SPOILER("location", no_location), SPOILER("frame type", frame_type), SPOILER("function", no_name),
		SPOILER("build id", build_id), SPOILER("build id", htlhash), SPOILER("id", id), SPOILER("id", short_id),
		SPOILER("payload", payload), SPOILER("empty", no_samples), SPOILER("empty", no_profiles), SPOILER("empty", no_scopes),
		SPOILER("empty", no_resources), SPOILER("inline", key_reference), SPOILER("attribute", resource_twice), SPOILER("utf8", utf8),
	};
	struct profile *profile = small_profile();
	struct buffer findings = { 0 };
	struct rules rules;
	size_t bytes;
	char *data;
	int error;

	data = fake_export_source(export_otlp, profile, BOTH, &bytes, &error);
	for (size_t i = 0; i < sizeof(spoilers) / sizeof(spoilers[0]); i++) {
		ProtobufCAllocator allocator = { .alloc = take_memory, .free = keep_memory };
		request_message *request = profiles__export_profiles_service_request__unpack(&allocator, bytes, (uint8_t *)data);
		size_t spoilt_bytes;
		char wanted[64], *spoilt;

		spoilers[i].spoil(request);
		spoilt_bytes = protobuf_c_message_get_packed_size(&request->base);
		spoilt = memory_zeroed(1, spoilt_bytes + 1);
		protobuf_c_message_pack(&request->base, (uint8_t *)spoilt);
		buffer_clear(&findings);
		buffer_string(&findings, "\n");
		rules_check(&rules, spoilt, spoilt_bytes, &findings);
		snprintf(wanted, sizeof(wanted), "\n%s: ", spoilers[i].rule);
		check(strstr(findings.data, wanted), "%s breaks the rule of %s", spoilers[i].name, spoilers[i].rule);
		if (!strstr(findings.data, wanted))
			printf("# %s\n", findings.data);
		free(spoilt);
		free_memory();
	}
	check(rules_check(&rules, "\x1a\x01x", 3, &findings) && strstr(findings.data, "unknown: "), "a field that there is none of is seen");
	check(rules_check(&rules, "\x0a\x7f", 2, &findings) && strstr(findings.data, "bytes: "), "so is what is no message");
	buffer_free(&findings);
	free(data);
	fake_free(profile);
}

/* ---- many samples ---- */

static struct profile *large_profile(unsigned int stacks)
{
	struct profile *profile = fake_profile();
	struct buffer frames = { 0 };
	struct task *tasks[10];

	for (unsigned int i = 0; i < 10; i++) {
		char name[16];

		snprintf(name, sizeof(name), "process-%u", i);
		tasks[i] = fake_task(profile, i + 1, i + 1, name, name);
	}
	for (unsigned int i = 0; i < stacks; i++) {
		buffer_clear(&frames);
		for (unsigned int depth = 0; depth < 30; depth++)
			buffer_format(&frames, "u:function_%u@/usr/lib/lib%u.so.1 ", (i >> (depth / 2)) + depth * 7, depth % 5);
		fake_cell(profile, tasks[i % 10], fake_stack(profile, "native/lib", frames.data), 1, 1000000 + i);
		if (i % 3 == 0)
			fake_wait(profile, tasks[i % 10], fake_stack(profile, "native/lib", frames.data), "io/disk", 1, 7);
	}
	buffer_free(&frames);
	return profile;
}

struct requests {
	size_t count, samples, most_bytes;
	uint64_t value;
	bool broken;
	struct buffer findings;
	int answer;		/* after the first */
};

static int take_request(void *context, const struct buffer *request, size_t samples)
{
	struct requests *requests = context;
	struct rules rules;

	requests->broken |= rules_check(&rules, request->data, request->bytes, &requests->findings) || rules.samples != samples;
	requests->count++;
	requests->samples += samples;
	requests->value += (uint64_t)rules.value;
	if (requests->most_bytes < request->bytes)
		requests->most_bytes = request->bytes;
	return requests->answer;
}

static void check_split(void)
{
	struct profile *profile = large_profile(3000);
	struct requests requests = { 0 };

	check_number(export_profiles(profile, BOTH, &fake_host, 100000, take_request, &requests), 0, "a profile in several requests");
	check(requests.count > 5, "that is %zu", requests.count);
	check(requests.most_bytes < 102000, "none of them is much longer than asked for: %zu bytes", requests.most_bytes);
	check(!requests.broken, "none breaks a rule%s%s", requests.findings.bytes ? ": " : "", requests.findings.bytes ? requests.findings.data : "");
	check_number(requests.samples, 4000, "together they have every sample");
	check_number(requests.value, profile->oncpu.weight + profile->offcpu.weight, "and all the time");
	buffer_free(&requests.findings);
	requests = (struct requests){ .answer = -ENOBUFS };
	check_number(export_profiles(profile, BOTH, &fake_host, 100000, take_request, &requests), -ENOBUFS, "who has enough of them");
	check_number(requests.count, 1, "gets no more");
	buffer_free(&requests.findings);
	fake_free(profile);
}

static void check_large(void)
{
	struct profile *profile = large_profile(20000);
	struct rules rules;
	clock_t start;
	size_t bytes;
	char *data;
	int error;

	start = clock();
	data = fake_export_source(export_otlp, profile, BOTH, &bytes, &error);
	printf("# 26667 samples of 20000 stacks: %zu bytes, %.2f s with sanitizers\n", bytes, (double)(clock() - start) / CLOCKS_PER_SEC);
	validate(data, bytes, &rules, "a large profile");
	check_number(rules.value, profile->oncpu.weight + profile->offcpu.weight, "it has all the time");
	check(bytes < 6 << 20, "in less than 6 MiB");
	free(data);
	fake_free(profile);
}

/* 1: some file breaks a rule. */
static int check_files(char **paths)
{
	struct buffer findings = { 0 };
	int code = 0;

	for (; *paths; paths++) {
		struct buffer data = { 0 };
		struct rules rules;
		int error = buffer_read_file(&data, *paths, 1U << 30);

		buffer_clear(&findings);
		if (error || rules_check(&rules, data.data, data.bytes, &findings))
			code = 1;
		printf("%s: %s\n%s", *paths, error ? strerror(-error) : findings.bytes ? "broken" : "fine", error ? "" : findings.data);
		if (!error && !findings.bytes)
			printf("%" PRIu64 " samples, %.3f s\n", rules.samples, (double)rules.value / 1e9);
		buffer_free(&data);
	}
	buffer_free(&findings);
	return code;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return check_files(argv + 1);
	check_small();
	check_text();
	check_source();
	check_spoilt();
	check_split();
	check_large();
	return check_end();
}
