// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ktally report --unknown on what really lacks something: a program that gcc and strip made, one that was deleted, what
 * no file is mapped to, nothing at all. And whose packages files are.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/buffer.h"
#include "capture/capture.h"
#include "cli/package.h"
#include "cli/unknown.h"
#include "fake_records.h"
#include "tools.h"

#define OTHER_MM	0x78

static const char program[] =
	"#include <stdio.h>\n"
	"static __attribute__((noinline)) int hidden(int a) { return a * 3 + puts(\"x\"); }\n"
	"__attribute__((noinline)) int exported(int a) { return hidden(a) + 1; }\n"
	"int main(int count, char **arguments) { return exported(count) + !arguments; }\n";

static char *report(const struct profile *profile, uint32_t sources, size_t most)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *file = open_memstream(&text, &bytes);

	check_number(unknown_write(file, profile, sources, most), 0, "the report is written");
	fclose(file);
	return text;
}

static bool says(const char *text, const char *wanted)
{
	bool found = strstr(text, wanted);

	if (!found)
		printf("# no \"%s\" in:\n# %s\n", wanted, text);
	return found;
}

/* A line of /proc/PID/maps for a file of the directory, and where in it the code of a function is. */
static uint64_t line_of(struct buffer *maps, const char *name, const char *remark, uint64_t at, uint64_t address)
{
	char path[256];
	struct stat status;

	snprintf(path, sizeof(path), "%s/%s", tools_directory, name);
	if (stat(path, &status))
		memset(&status, 0, sizeof(status));
	buffer_format(maps, "%llx-%llx r-xp 00000000 %02x:%02x %lu %s%s\n", (unsigned long long)at,
		      (unsigned long long)at + 0x10000, major(status.st_dev), minor(status.st_dev),
		      (unsigned long)status.st_ino, path, remark);
	return at + address;	/* gcc's first segments are where they lie in the file */
}

static void feed_mappings(struct profile *profile, const struct buffer *maps, const char *executable)
{
	const struct capture_item item = {
		.type = CAPTURE_MAPPINGS, .data = maps->data, .bytes = maps->bytes, .mm_id = MM, .path = executable,
	};

	profile_feed_item(profile, &item);
}

static char *build_id_of(const char *name)
{
	static char id[256];
	char command[512];
	FILE *pipe;

	snprintf(command, sizeof(command), "readelf -n %s/%s | sed -n 's/.*Build ID: //p'", tools_directory, name);
	pipe = popen(command, "r");
	if (!pipe || !fgets(id, sizeof(id), pipe))
		id[0] = '\0';
	if (pipe)
		pclose(pipe);
	id[strcspn(id, "\n")] = '\0';
	return id;
}

static void reasons(void)
{
	const struct profile_options options = { .cells = true };
	struct profile *profile = profile_create(&options);
	struct ktally_task node = task_record(1, MM, 100, 101, "node"), ghost = task_record(2, OTHER_MM, 200, 200, "ghost");
	struct buffer maps = { 0 }, wanted = { 0 };
	struct file *file = tools_read("whole", 1 << 20);
	uint64_t hidden = tools_address(file, "hidden"), exported = tools_address(file, "exported");
	uint64_t whole, stripped, stripped_known, no_id, deleted, script, kernel = 0xffffffff81001010;
	char *text;

	file_free(file);
	whole = line_of(&maps, "whole", "", 0x10000000, 0x10);	/* within the headers */
	stripped = line_of(&maps, "stripped", "", 0x20000000, hidden);
	stripped_known = stripped - hidden + exported;
	deleted = line_of(&maps, "gone", " (deleted)", 0x30000000, 0x1000);
	no_id = line_of(&maps, "no-id", "", 0x40000000, hidden);
	script = line_of(&maps, "a.c", "", 0x50000000, 4);
	buffer_string(&maps, "60000000-60010000 r-xp 00000000 00:00 0\n");
	feed_task(profile, &node);
	feed_task(profile, &ghost);
	feed_mappings(profile, &maps, "/usr/bin/node");
	feed_stack(profile, 1, MM, NULL, 0, (const uint64_t[]){ stripped, stripped_known }, 2);
	feed_stack(profile, 2, MM, NULL, 0, (const uint64_t[]){ stripped_known, stripped, stripped }, 3);
	feed_stack(profile, 3, MM, &kernel, 1, (const uint64_t[]){ 0x60000010, 0x60000020 }, 2);
	feed_stack(profile, 4, MM, NULL, 0, (const uint64_t[]){ deleted, whole, no_id, script, 0x70000000 }, 5);
	feed_stack(profile, 5, OTHER_MM, NULL, 0, (const uint64_t[]){ 0x1234 }, 1);
	feed_sample(profile, 1, 1, 7 * SECOND, 4 * SECOND, 0, NULL);
	feed_sample(profile, 2, 1, 7 * SECOND, 3 * SECOND, 0, NULL);
	feed_sample(profile, 2, 1, 7 * SECOND, 3 * SECOND, 0, NULL);
	feed_sample(profile, 3, 1, 7 * SECOND, 2 * SECOND, 0, NULL);
	feed_sample(profile, 4, 1, 7 * SECOND, SECOND, 0, NULL);
	feed_sample(profile, 5, 2, 7 * SECOND, SECOND / 2, 0, NULL);

	text = report(profile, KTALLY_SOURCE_ONCPU, 100);
	check(says(text, "Of 13.50 s the function that ran has a name for 44.4 %.\n"), "how much has names");
	buffer_format(&wanted, "        4.00   29.6 %%       10.00   74.1 %%         3  stripped  %s/stripped\n"
		      "        lacks symbols: the file is stripped, and its debug file is not here\n"
		      "        cure: --download, or debuginfod-find debuginfo %s\n", tools_directory, build_id_of("stripped"));
	check(says(text, wanted.data), "a stripped file, by itself and below others, each sample once");
	check(says(text, "lacks a map of just-in-time compiled code\n        cure: start it with node --perf-basic-prof\n"),
	      "compiled code, and how its runtime is made to tell");
	check(says(text, "/gone\n        lacks the file: it was deleted or replaced\n        cure: start the process again"),
	      "a file that was deleted");
	check(says(text, "/no-id\n        lacks symbols: the file is stripped, and its debug file is not here\n"
		   "        cure: build it with -Wl,--build-id, and do not strip it\n"), "one that nothing can be found for");
	check(says(text, "/whole\n        lacks symbols for these addresses; for others the file has them\n"),
	      "an address that is no function's");
	check(says(text, "/a.c\n        lacks symbols: the file is no ELF program\n"), "a file that is no program");
	check(says(text, "ghost\n        lacks the process's mappings"), "a process that was gone too soon");
	check(says(text, "node\n        lacks a mapping"), "an address that is nowhere");
	check(says(text, "[kernel]\n        lacks symbols of the kernel\n"), "the kernel");
	free(text);
	text = report(profile, KTALLY_SOURCE_ONCPU, 1);
	check(says(text, "/stripped\n") && says(text, "and 8 more\n") && !strstr(text, "ghost"), "as many as asked for");
	free(text);
	text = report(profile, KTALLY_SOURCE_OFFCPU, 100);
	check(!strcmp(text, "Of 0.00 s the function that ran has a name for 0.0 %.\n"), "of waits there are none");
	free(text);
	buffer_free(&maps);
	buffer_free(&wanted);
	profile_destroy(profile);
}

static void packages(void)
{
	struct package_query queries[] = { { .path = "/usr/lib/libx.so.1" }, { .path = "/usr/bin/y" }, { .path = "/usr/bin/z" },
					   { .path = "/opt/y" } };
	char directory[128];

	snprintf(directory, sizeof(directory), "%s/info", tools_directory);
	check(tools_run("mkdir info && printf '/.\\n/lib\\n/lib/libx.so.1\\n' >info/libx1:amd64.list && "
			"printf '/usr/bin\\n/usr/bin/y' >info/y-tools.list && printf '/usr/bin/z' >info/z.md5sums && "
			"printf '/usr/bin/zz\\n/usr/bin/\\n' >info/zz.list"), "lists of packages");
	package_find(directory, queries, 4);
	check_string(queries[0].name, "libx1", "a library, by the path that it had before /usr was merged");
	check_string(queries[1].name, "y-tools", "a program, at the end of a list");
	check_string(queries[2].name, "", "one that is in no list");
	check_string(queries[3].name, "", "nor is one from elsewhere");
	package_find("/nonexistent", queries, 4);
	check_string(queries[2].name, "", "without lists nothing is known");
	if (!access("/var/lib/dpkg/info/bash.list", R_OK)) {
		struct package_query bash = { .path = "/usr/bin/bash" };

		package_find(NULL, &bash, 1);
		check_string(bash.name, "bash", "bash is of bash");
	}
}

int main(void)
{
	if (!check(tools_begin(), "a directory"))
		return check_end();
	tools_write("a.c", program);
	packages();
	if (tools_run("gcc -O1 -rdynamic -Wl,--build-id=sha1 -o whole a.c && strip -o stripped whole && "
		      "objcopy --remove-section .note.gnu.build-id stripped no-id"))
		reasons();
	else
		check_skip("no gcc or objcopy", "what lacks names");
	tools_end();
	return check_end();
}
