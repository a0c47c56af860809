// SPDX-License-Identifier: GPL-2.0-or-later
/* The file of speedscope, to the letter, and as a reader of JSON sees it. */
#include <errno.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"

static void check_text(void)
{
	struct profile *profile = fake_profile();
	struct task *openssl = fake_task(profile, 10, 10, "openssl", "openssl"), *worker = fake_task(profile, 10, 11, "openssl", "worker");
	struct task *evil = fake_task(profile, 1, 1, "e\"vil\n</script>", "evil");
	struct stack *stack;
	char *text;
	size_t bytes;
	int error;

	stack = fake_stack(profile, "native/libcrypto", "u:aes@/usr/lib/libcrypto.so.3 u:main@/usr/bin/openssl");
	fake_cell(profile, openssl, stack, 2, 2000);
	fake_cell(profile, worker, stack, 1, 500);
	stack = fake_stack(profile, "kernel/disk/write", "k:ext4_write u:write@/usr/lib/libc.so.6 u:main@/usr/bin/openssl");
	fake_cell(profile, openssl, stack, 1, 700);
	stack = fake_stack(profile, "unknown", "u:deep@/usr/bin/openssl");
	stack->user_end = KTALLY_END_TRUNCATED;
	fake_cell(profile, evil, stack, 1, 42);
	fake_wait(profile, openssl, stack, "io/disk", 1, 9);

	text = fake_export(export_speedscope, profile, &bytes, &error);
	check_number(error, 0, "a profile is written");
	check_string(text,
		     "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"exporter\":\"ktally@0.1.0\","
		     "\"name\":\"CPU time of testhost\",\"activeProfileIndex\":0,\n"
		     "\"shared\":{\"frames\":[\n"
		     "{\"name\":\"openssl\"},\n"
		     "{\"name\":\"main\",\"file\":\"/usr/bin/openssl\"},\n"
		     "{\"name\":\"aes\",\"file\":\"/usr/lib/libcrypto.so.3\"},\n"
		     "{\"name\":\"write\",\"file\":\"/usr/lib/libc.so.6\"},\n"
		     "{\"name\":\"ext4_write\",\"file\":\"[kernel]\"},\n"
		     "{\"name\":\"e\\\"vil?\\u003c/script>\"},\n"
		     "{\"name\":\"[truncated]\"},\n"
		     "{\"name\":\"deep\",\"file\":\"/usr/bin/openssl\"}]},\n"
		     "\"profiles\":[{\"type\":\"sampled\",\"name\":\"CPU time of testhost\",\"unit\":\"nanoseconds\",\"startValue\":0,\"endValue\":3242,\n"
		     "\"samples\":[\n[0,1,2],\n[0,1,3,4],\n[5,6,7]],\n"
		     "\"weights\":[2500,700,42]}]}\n", "frames once each, stacks from the outermost, threads together, heaviest first");
	free(text);
	text = fake_export_source(export_speedscope, profile, KTALLY_SOURCE_OFFCPU, &bytes, &error);
	check(strstr(text, "\"name\":\"waiting of testhost\"") && strstr(text, "\"weights\":[9]"), "waits alone");
	free(text);
	check_number(fake_export_full(export_speedscope, profile), -ENOSPC, "a full disk is told");
	fake_free(profile);

	profile = fake_profile();
	text = fake_export(export_speedscope, profile, &bytes, &error);
	check(!error && strstr(text, "\"frames\":[]") && strstr(text, "\"samples\":[],\n\"weights\":[]"), "one without samples has none");
	free(text);
	fake_free(profile);
}

/* What speedscope's schema wants, and that nothing is lost on the way. */
static void check_read(void)
{
	static const char script[] =
		"import json, sys\n"
		"file = json.load(open(sys.argv[1])); profile, = file[\"profiles\"]; frames = file[\"shared\"][\"frames\"]\n"
		"assert profile[\"type\"] == \"sampled\" and profile[\"unit\"] == \"nanoseconds\"\n"
		"assert len(profile[\"samples\"]) == len(profile[\"weights\"]) == 3000\n"
		"assert all(0 <= index < len(frames) for sample in profile[\"samples\"] for index in sample)\n"
		"assert all(weight > 0 for weight in profile[\"weights\"])\n"
		"assert len({json.dumps(frame) for frame in frames}) == len(frames)\n"
		"assert profile[\"endValue\"] - profile[\"startValue\"] == sum(profile[\"weights\"]) == int(sys.argv[2])\n";
	char json[] = "/tmp/ktally-test-speedscope-XXXXXX", command[2048];
	struct profile *profile = fake_profile();
	struct task *task = fake_task(profile, 1, 1, "p", "p");
	uint64_t total = 0;
	char *text;
	size_t bytes;
	int error, status, fd;

	for (unsigned int i = 0; i < 3000; i++) {
		char frames[96];

		snprintf(frames, sizeof(frames), "u:f%u@/lib/%u u:g%u@/lib/x u:main@/bin/p", i, i % 3, i % 50);
		fake_cell(profile, task, fake_stack(profile, "native/x", frames), 1, 1000 + i);
		total += 1000 + i;
	}
	text = fake_export(export_speedscope, profile, &bytes, &error);
	fd = mkstemp(json);
	check(fd >= 0 && write(fd, text, bytes) == (ssize_t)bytes, "a large file of %zu bytes is written", bytes);
	close(fd);
	free(text);
	snprintf(command, sizeof(command), "python3 -c '%s' %s %llu 2>&1", script, json, (unsigned long long)total);
	text = fake_output(command, &status);
	check(status == 0, "a reader of JSON finds all of it%s%s", text && *text ? ": " : "", text ? text : "");
	free(text);
	unlink(json);
	fake_free(profile);
}

int main(void)
{
	check_text();
	check_read();
	return check_end();
}
