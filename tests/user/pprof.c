// SPDX-License-Identifier: GPL-2.0-or-later
/* profile.proto, as `go tool pprof` reads it. */
#include <errno.h>
#include <unistd.h>
#include <zlib.h>

#include "check.h"
#include "fake.h"

static char directory[] = "/tmp/ktally-test-pprof-XXXXXX";

static void write_file(const char *name, const char *data, size_t bytes)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	if (!file || fwrite(data, 1, bytes, file) != bytes || fclose(file))
		message_fatal(EXIT_FAILED, "cannot write %s: %m", path);
}

/* go tool pprof with the options, on the file; NULL if it failed. */
static char *pprof(const char *options, const char *name)
{
	char command[512];
	int status;
	char *text;

	snprintf(command, sizeof(command), "cd %s && TZ=UTC PPROF_TMPDIR=. go tool pprof -symbolize=local %s %s 2>&1",
		 directory, options, name);
	text = fake_output(command, &status);
	if (status == 0)
		return text;
	printf("# %s: %s\n", command, text ? text : "");
	free(text);
	return NULL;
}

/* Whether the text has the line, blanks being worth one each. */
static bool has_line(const char *text, const char *wanted)
{
	struct buffer plain = { 0 };
	bool found;

	buffer_string(&plain, "\n");
	for (const char *at = text ? text : ""; *at; at++) {
		bool blank = *at == ' ' || *at == '\t';
		char last = plain.data[plain.bytes - 1];

		if (blank && (last == ' ' || last == '\n'))
			continue;
		if (*at == '\n' && last == ' ')
			plain.data[--plain.bytes] = '\0';
		buffer_append(&plain, blank ? " " : at, 1);
	}
	found = strstr(plain.data, wanted);
	if (!found)
		printf("# no \"%s\" in: %s\n", wanted, plain.data);
	buffer_free(&plain);
	return found;
}

static struct profile *small_profile(void)
{
	struct profile *profile = fake_profile();
	struct task *main_thread = fake_task(profile, 10, 10, "openssl", "openssl");
	struct task *worker = fake_task(profile, 10, 11, "openssl", "worker"),
		    *python = fake_task(profile, 20, 20, "python3.11", "python3");
	struct stack *stack = fake_stack(profile, "native/libcrypto",
					 "u:aes_gcm@/usr/lib/libcrypto.so.3#aa10 u:main@/usr/bin/openssl#1200");

	stack->frames[0].build_id = intern("0123456789abcdef0123456789abcdef01234567");
	fake_cell(profile, main_thread, stack, 20, 2000000000);
	fake_cell(profile, worker, stack, 10, 1000000000);
	stack = fake_stack(
		profile, "kernel/disk/write",
		"k:ext4_file_write_iter k:do_syscall_64 u:write@/usr/lib/libc.so.6 u:main@/usr/bin/openssl#1234");
	stack->class.syscall_name = intern("write");
	fake_cell(profile, main_thread, stack, 5, 500000000);
	fake_cell(profile, python,
		  fake_stack(profile, "native/libz",
			     "u:@/usr/lib/libz.so.1#5010 u:@/usr/lib/libz.so.1#6020 a:#7f1234567000"),
		  3, 300000000);
	fake_cell(profile, python,
		  fake_stack(profile, "kernel/other",
			     "k:nft_do_chain@[nf_tables]#ffffffffc0001000 k:@[kernel]#ffffffff81555000"),
		  2, 150000000);
	fake_cell(profile, python, fake_stack(profile, "unknown", ""), 1, 50000000);
	profile->lost[KTALLY_LOST_FULL] = (struct ktally_loss){ .count = 12, .weight = 60000000 };
	return profile;
}

static void check_small(void)
{
	struct profile *profile = small_profile();
	size_t bytes, again_bytes;
	char *data, *again, *text;
	int error;

	data = fake_export(export_pprof, profile, &bytes, &error);
	check_number(error, 0, "a profile is written");
	check(bytes > 2 && !memcmp(data, "\x1f\x8b", 2), "it is gzipped");
	again = fake_export(export_pprof, profile, &again_bytes, &error);
	check(bytes == again_bytes && !memcmp(data, again, bytes), "and the same when written again");
	write_file("small.pb.gz", data, bytes);
	free(again);
	free(data);
	check_number(fake_export_full(export_pprof, profile), -ENOSPC, "a full disk is told");
	fake_free(profile);
	if (!fake_have("go")) {
		check_skip("no go, so no go tool pprof: install golang", "pprof reads the profile");
		return;
	}

	text = pprof("-top -unit=ms", "small.pb.gz");
	check(has_line(text,
		       "\nType: cpu\nTime: 2023-11-14 22:14:10 UTC\nDuration: 20s, Total samples = 4000ms (20.00%)\n"),
	      "pprof -top shows cpu by default, when it was, how long, and the total");
	check(text && !strstr(text, "File:"), "and takes no file for the program");
	check(has_line(text, "\n3000ms 75.00% 75.00% 3000ms 75.00% aes_gcm\n"), "self time and share of a function");
	check(has_line(text, " 3500ms 87.50% main\n"), "inclusive time of another");
	check(has_line(text, "\n500ms 12.50% 87.50% 500ms 12.50% ext4_file_write_iter\n"), "a kernel function");
	check(has_line(text, "\n300ms 7.50% 95.00% 300ms 7.50% [libz.so.1]\n"),
	      "frames without a name by their object");
	free(text);
	text = pprof("-top -sample_index=samples", "small.pb.gz");
	check(has_line(text, "\n30 73.17% 73.17% 30 73.17% aes_gcm\n"), "numbers of samples");
	free(text);
	text = pprof("-top -addresses", "small.pb.gz");
	check(has_line(text, " 000000000000aa10 aes_gcm"), "addresses of frames with a name");
	check(has_line(text, " 0000000000005010 [libz.so.1]"), "and without");
	free(text);
	text = pprof("-top -tagfocus=thread=worker", "small.pb.gz");
	check(has_line(text, "\n1s 25.00% 25.00% 1s 25.00% aes_gcm\n"), "labels select");
	free(text);
	text = pprof("-comments", "small.pb.gz");
	check(has_line(text, "199 samples per second and CPU; lost: 12; without a known task or stack: 0\n"),
	      "comments tell the losses");
	free(text);
	text = pprof("-raw", "small.pb.gz");
	check(has_line(text, "\nPeriodType: cpu nanoseconds\nPeriod: 5025125\n"), "period by the rate");
	check(has_line(
		      text,
		      "\nsamples/count cpu/nanoseconds[dflt]\n20 2000000000: 1 2\narea:[native/libcrypto] process:[openssl] service:[openssl] "
		      "thread:[openssl]\npid:[10] tid:[10]\n"),
	      "sample types, the first sample, its stack and labels");
	check(has_line(
		      text,
		      "\n5 500000000: 3 4 5 6\narea:[kernel/disk/write] process:[openssl] service:[openssl] syscall:[write] thread:[openssl]\n"),
	      "a sample in a system call");
	check(has_line(text, " 0x0/0xffffffffffffffff/0x0 [kernel.kallsyms] [FN]\n"), "the kernel's mapping");
	check(has_line(text, " 0x0/0xffffffffffffffff/0x0 /usr/lib/libcrypto.so.3 0123456789abcdef0123456789abcdef01234567 [FN]\n"),
	      "a library's mapping, with its build id");
	check(has_line(text, " 0x0/0xffffffffffffffff/0x0 /usr/lib/libc.so.6 [FN]\n"), "and one of which it is not known");
	check(has_line(text, "\n1 50000000:\n"), "an empty stack");
	free(text);
	text = pprof("-traces", "small.pb.gz");
	check(has_line(text, "500ms ext4_file_write_iter\ndo_syscall_64\nwrite\nmain\n"),
	      "pprof -traces has the stack, innermost first");
	free(text);
	text = pprof("-proto -output=again.pb.gz", "small.pb.gz");
	free(text);
	text = pprof("-top -diff_base=again.pb.gz", "small.pb.gz");
	check(has_line(text, "\nShowing nodes accounting for 0, 0% of 4s total\n"),
	      "what pprof writes again is the same");
	free(text);
}

/* Protobuf strings are UTF-8: other readers than Go's refuse a profile that has anything else. */
static void check_hostile_names(void)
{
	struct profile *profile = fake_profile();
	struct task *task = fake_task(profile, 1, 1, "\xff\xfe", "x\ny");
	struct stack *stack = fake_stack(profile, "unknown", "u:A@/a u:B@/b");
	size_t bytes;
	char *data, *text;
	int error;

	stack->frames[0].function = intern("\xc3(\x80 overlong \xc0\xaf surrogate \xed\xa0\x80");
	stack->frames[1].function = intern("std::map<int, f\xc3\xbcr>::operator[](int&&)");
	fake_cell(profile, task, stack, 1, 1000000000);
	data = fake_export(export_pprof, profile, &bytes, &error);
	write_file("hostile.pb.gz", data, bytes);
	free(data);
	fake_free(profile);
	if (!fake_have("go")) {
		check_skip("no go, so no go tool pprof: install golang", "pprof reads hostile names");
		return;
	}
	text = pprof("-raw", "hostile.pb.gz");
	check(text && strstr(text, "??") && !strstr(text, "\xff") && !strstr(text, "\xc0"),
	      "bytes that are not UTF-8 are replaced");
	check(text && strstr(text, "std::map<int, f\xc3\xbcr>::operator[](int&&)"), "and what is, is kept");
	free(text);
}

/* Where the source is known: inlined functions are lines of one location. */
static void check_source(void)
{
	static const struct source_line inner = { "inner", "/src/a.h", 12, true }, outer = { "outer", "/src/b.c", 34, false };
	static const struct source_line alone = { "alone", "/src/b.c", 56, false };
	struct profile *profile = fake_profile();
	struct task *task = fake_task(profile, 1, 1, "p", "p");
	struct stack *stack = fake_stack(profile, "native/p", "u:inner@/bin/p#100 u:outer@/bin/p#100 u:alone@/bin/p#200");
	char *data, *text;
	size_t bytes;
	int error;

	stack->frames[0].source = &inner;
	stack->frames[0].function = intern("inner (a.h:12)");
	stack->frames[1].source = &outer;
	stack->frames[2].source = &alone;
	fake_cell(profile, task, stack, 1, 1000000000);
	data = fake_export(export_pprof, profile, &bytes, &error);
	write_file("source.pb.gz", data, bytes);
	free(data);
	fake_free(profile);
	if (!fake_have("go")) {
		check_skip("no go, so no go tool pprof: install golang", "pprof reads lines");
		return;
	}
	text = pprof("-raw", "source.pb.gz");
	check(has_line(text, "\n1: 0x100 M=2 inner /src/a.h:12:0 s=0\nouter /src/b.c:34:0 s=0\n2: 0x200 M=2 alone /src/b.c:56:0 s=0\n"),
	      "lines and files, of inlined functions too");
	free(text);
	text = pprof("-top -lines", "source.pb.gz");
	check(text && strstr(text, "inner /src/a.h:12") && strstr(text, "alone /src/b.c:56"), "which -lines shows");
	free(text);
}

/* Labels for whose time it is, and what for. */
static void check_labels(void)
{
	struct profile *profile = fake_profile();
	struct task *task = fake_task(profile, 1, 1, "p", "p");
	char *data, *text;
	size_t bytes;
	int error;

	task->owner = fake_owner_of("service.name=shop\nk8s.pod.name=shop-0\ncontainer.id=0a\nprocess.executable.name=p\n");
	fake_cell(profile, task, fake_stack(profile, "native/libssl", "u:SSL_write@/usr/lib/libssl.so.3#1 u:main@/bin/p#2"), 1, 1000000000);
	fake_cell(profile, fake_task(profile, 2, 2, "q", "q"), fake_stack(profile, "native/q", "u:main@/bin/q#2"), 1, 500000000);
	fake_categorize(profile, "categories:\n  - { name: tls, match: [ { file: libssl } ] }\n  - { name: mine, match: [ { function: main } ] }\n");
	data = fake_export(export_pprof, profile, &bytes, &error);
	write_file("labels.pb.gz", data, bytes);
	free(data);
	fake_free(profile);
	if (!fake_have("go")) {
		check_skip("no go, so no go tool pprof: install golang", "pprof reads labels");
		return;
	}
	text = pprof("-raw", "labels.pb.gz");
	check(has_line(text, "area:[native/libssl] categories:[tls mine] category:[tls] container:[0a] pod:[shop-0] process:[p] service:[shop] "),
	      "owner and categories are labels");
	free(text);
	text = pprof("-top -unit=ms -tagfocus=service=shop", "labels.pb.gz");
	check(has_line(text, "\nShowing nodes accounting for 1000ms, 66.67% of 1500ms total\n"), "by which pprof selects");
	free(text);
	text = pprof("-top -unit=ms -tagfocus=category=mine", "labels.pb.gz");
	check(has_line(text, "\nShowing nodes accounting for 500ms, 33.33% of 1500ms total\n"), "self time");
	free(text);
	text = pprof("-top -unit=ms -tagfocus=categories=mine", "labels.pb.gz");
	check(has_line(text, "\nShowing nodes accounting for 1500ms, 100% of 1500ms total\n"), "and inclusive time");
	free(text);
}

static void check_waits(void)
{
	struct profile *profile = fake_profile();
	struct task *task = fake_task(profile, 1, 1, "p", "p");
	struct stack *stack = fake_stack(profile, "kernel/disk/read", "k:io_schedule u:main@/bin/p");
	char *data, *text;
	size_t bytes;
	int error;

	fake_cell(profile, task, stack, 1, 1000000000);
	fake_wait(profile, task, stack, "io/disk", 3, 2000000000);
	fake_wait(profile, task, stack, "run queue", 1, 500000000);
	data = fake_export_source(export_pprof, profile, KTALLY_SOURCE_OFFCPU, &bytes, &error);
	write_file("waits.pb.gz", data, bytes);
	free(data);
	data = fake_export_source(export_pprof, profile, KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU, &bytes, &error);
	write_file("wall.pb.gz", data, bytes);
	free(data);
	fake_free(profile);
	if (!fake_have("go")) {
		check_skip("no go, so no go tool pprof: install golang", "pprof reads waits");
		return;
	}
	text = pprof("-raw", "waits.pb.gz");
	check(has_line(text, "\nwaits/count offcpu/nanoseconds[dflt]\n3 2000000000: 1 2\narea:[kernel/disk/read] cause:[io/disk] "), "waits have their own types, and a cause");
	check(has_line(text, "\n1 500000000: 1 2\narea:[kernel/disk/read] cause:[run queue] "), "each of its own");
	free(text);
	text = pprof("-top -unit=ms", "wall.pb.gz");
	check(has_line(text, "Type: wall\n") && has_line(text, "Total samples = 3500ms"), "wall time has both");
	free(text);
}

static void check_large(void)
{
	struct profile *profile = fake_profile();
	struct task *task = fake_task(profile, 1, 1, "p", "p");
	struct buffer frames = { 0 };
	uint64_t total = 0;
	char *data, *text;
	char expected[64];
	size_t bytes;
	int error;

	for (unsigned int i = 0; i < 20000; i++) {
		buffer_clear(&frames);
		for (unsigned int depth = 0; depth < 30; depth++)
			buffer_format(&frames, "u:function_%u@/usr/lib/lib%u.so.1 ", (i >> (depth / 2)) + depth * 7,
				      depth % 5);
		fake_cell(profile, task, fake_stack(profile, "native/lib", frames.data), 1, 1000000 + i);
		total += 1000000 + i;
	}
	buffer_free(&frames);
	data = fake_export(export_pprof, profile, &bytes, &error);
	check(!error && bytes < 4 << 20, "20 000 stacks take %zu bytes", bytes);
	write_file("large.pb.gz", data, bytes);
	free(data);
	fake_free(profile);
	if (!fake_have("go")) {
		check_skip("no go, so no go tool pprof: install golang", "pprof reads a large profile");
		return;
	}
	text = pprof("-top -unit=ns", "large.pb.gz");
	snprintf(expected, sizeof(expected), "Total samples = %lluns", (unsigned long long)total);
	check(has_line(text, expected), "and pprof finds all of them");
	free(text);
}

int main(void)
{
	char command[64];

	if (!mkdtemp(directory))
		message_fatal(EXIT_FAILED, "cannot make %s: %m", directory);
	check_small();
	check_hostile_names();
	check_source();
	check_labels();
	check_waits();
	check_large();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	check(system(command) == 0, "cleaned up");
	return check_end();
}
