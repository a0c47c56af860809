// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * symbols/lines.h against addr2line, on what gcc and clang make: inlined functions, DWARF 4 and 5, compressed sections,
 * debug files, what dwz shares; and files that somebody broke.
 */
#include <errno.h>
#include <signal.h>

#include "base/buffer.h"
#include "check.h"
#include "cli/dwarf.h"
#include "symbols/demangle.h"
#include "symbols/lines.h"
#include "tools.h"

static const char program[] =
	"#include <stdio.h>\n"
	"static inline __attribute__((always_inline)) int innermost(int a)\n"
	"{\n"
	"	int sum = 0;\n"
	"	for (int i = 0; i < a; i++)\n"
	"		sum += i * a ^ getchar();\n"
	"	return sum;\n"
	"}\n"
	"static inline __attribute__((always_inline)) int middle(int a)\n"
	"{\n"
	"	return innermost(a + 1) * 3;\n"
	"}\n"
	"__attribute__((noinline)) int outer(int a)\n"
	"{\n"
	"	return middle(a) + puts(\"x\");\n"
	"}\n"
	"int main(int count, char **arguments)\n"
	"{\n"
	"	return outer(count) + !arguments;\n"
	"}\n";

static struct lines *open_lines(const char *name, int *error)
{
	struct elf_source source = { .fd = -1 };
	struct lines *lines = NULL;
	char path[256], root[256];
	struct stat status;
	int root_fd;

	snprintf(path, sizeof(path), "%s/%s", tools_directory, name);
	snprintf(root, sizeof(root), "%s/root", tools_directory);
	source.fd = open(path, O_RDONLY | O_CLOEXEC);
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (source.fd < 0 || fstat(source.fd, &status))
		message_fatal(EXIT_FAILED, "%s: %m", path);
	source.bytes = (uint64_t)status.st_size;
	snprintf(path, sizeof(path), "/bin/%s", name);
	*error = lines_open(&lines, &source, path, root_fd);
	close(source.fd);
	if (root_fd >= 0)
		close(root_fd);
	return *error ? NULL : lines;
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

/* "innermost a.c:6 middle a.c:11 outer a.c:15", the last name as addr2line has it: here it is always "-". */
static void describe(struct lines *lines, uint64_t address, char *text, size_t most)
{
	struct line list[LINES_MOST];
	size_t count = lines_find(lines, address, list);

	*text = '\0';
	for (size_t i = 0; i < count; i++) {
		char name[1024];

		if (!list[i].function || demangle(list[i].function, name, sizeof(name)))
			snprintf(name, sizeof(name), "%s", list[i].function ? list[i].function : "-");
		snprintf(text + strlen(text), most - strlen(text), list[i].line ? "%s %s:%u " : "%s %s:? ", name,
			 base_name(list[i].file), list[i].line);
	}
}

/* The same by addr2line -i -f: pairs of lines, the name and the place. */
static void wanted(FILE *pipe, char *text, size_t most)
{
	char name[1024], place[1024], last[2100] = "";

	*text = '\0';
	/* addr2line is asked for address 0 after each, which has a pair of "??". */
	while (fgets(name, sizeof(name), pipe) && fgets(place, sizeof(place), pipe) && strncmp(name, "??", 2)) {
		name[strcspn(name, "\n")] = '\0';
		place[strcspn(place, " \n")] = '\0';
		if (*last)
			strcat(text, last);
		snprintf(last, sizeof(last), "%s %s ", name, base_name(place));
		if (strlen(text) + 2100 > most)
			break;
	}
	/* The outermost function's name is the symbol table's matter. */
	if (*last)
		snprintf(text + strlen(text), most - strlen(text), "-%s", strchr(last, ' '));
}

static void compare(const char *name, const char *with_dwarf, const char *what)
{
	static char saw[65536], want[65536], command[8192];
	unsigned int count = 0, inlined = 0, wrong = 0;
	struct file *file = tools_read(with_dwarf, 1 << 20);
	uint64_t start = tools_address(file, "outer");
	struct lines *lines;
	FILE *pipe;
	int error;

	lines = open_lines(name, &error);
	if (!check_number(error, 0, "%s: has lines", what))
		return;
	for (uint64_t at = start; at < start + 60; at += 2) {
		int bytes = snprintf(command, sizeof(command), "addr2line -C -i -f -e %s/%s %llx 0", tools_directory, with_dwarf,
				     (unsigned long long)at);

		if (bytes < 0 || !(pipe = popen(command, "r")))
			break;
		wanted(pipe, want, sizeof(want));
		while (fgets(command, sizeof(command), pipe))
			;
		pclose(pipe);
		describe(lines, at, saw, sizeof(saw));
		count++;
		inlined += strstr(saw, "innermost") != NULL;
		if (strcmp(saw, want) && !wrong++)
			printf("# first: %llx is \"%s\", saw \"%s\"\n", (unsigned long long)at, want, saw);
	}
	check(count == 30 && inlined > 3 && !wrong, "%s: as addr2line says, %u of %u inlined", what, inlined, count);
	check(!lines_find(lines, 1, (struct line[LINES_MOST]){ 0 }), "%s: nothing is at address 1", what);
	lines_close(lines);
	file_free(file);
}

static void made(void)
{
	int error;

	check(tools_run("gcc -O2 -gdwarf-5 -o five a.c && gcc -O2 -gdwarf-4 -o four a.c && "
			"gcc -O2 -g -gz=zlib -o packed a.c && strip -o stripped five"), "programs");
	compare("five", "five", "DWARF 5");
	compare("four", "four", "DWARF 4");
	compare("packed", "packed", "compressed");
	check(!open_lines("stripped", &error) && error == -ENOENT, "a stripped one has none");
	check(tools_run("objcopy --only-keep-debug five five.debug && objcopy -S --add-gnu-debuglink=five.debug five linked && "
			"mkdir -p root/bin/.debug && cp five.debug root/bin/.debug/"), "with a debug file");
	check(!open_lines("linked", &error) && error == -ENOENT, "which is none of a file that is elsewhere");
	check(tools_run("ln linked root/bin/linked"), "where the file is");
	compare("linked", "five", "debug file");
	if (tools_run("command -v clang"))
		check(tools_run("clang -O2 -g -o clang a.c"), "by clang");
	if (!access("/usr/bin/clang", X_OK))
		compare("clang", "clang", "clang");
	/* Its contents are in a.dwo: libdw would open whatever file is named there. */
	check(tools_run("gcc -O2 -g -gsplit-dwarf -o split a.c"), "split DWARF");
	{
		struct lines *lines = open_lines("split", &error);

		check(lines && !lines_find(lines, 0x1060, (struct line[LINES_MOST]){ 0 }), "is left alone");
		lines_close(lines);
	}
	if (!tools_run("command -v dwz")) {
		check_skip("no dwz", "what dwz shares");
		return;
	}
	check(tools_run("cp five one && cp five two && sed -i s/x/y/ a.c && gcc -O2 -g -o two a.c && "
			"dwz -m common.debug -M /nonexistent/common.debug one two"), "dwz");
	check(!open_lines("one", &error) && error == -ENOENT, "without the common file there are none");
	check(tools_run("cp five one && gcc -O2 -g -o two a.c && dwz -m common.debug -M $PWD/common.debug one two"), "dwz");
	compare("one", "five", "what dwz shares");
}

/* Any byte of DWARF may be anything: the sanitizers and the time limit of the test watch. */
static void broken(void)
{
	struct buffer data = { 0 };
	unsigned int seed = 99, opened = 0;
	char path[256];
	int error;

	snprintf(path, sizeof(path), "%s/five", tools_directory);
	if (buffer_read_file(&data, path, 1 << 20))
		return;
	for (unsigned int round = 0; round < 300; round++) {
		struct line list[LINES_MOST];
		struct lines *lines;
		int fd;

		for (unsigned int i = 0; i < 6; i++)
			data.data[0x40 + (size_t)rand_r(&seed) % (data.bytes - 0x40)] ^= (char)(1 << rand_r(&seed) % 8);
		snprintf(path, sizeof(path), "%s/broken", tools_directory);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (write(fd, data.data, data.bytes) != (ssize_t)data.bytes)
			break;
		close(fd);
		lines = open_lines("broken", &error);
		opened += lines != NULL;
		for (uint64_t at = 0x1000; lines && at < 0x1300; at += 8)
			lines_find(lines, at, list);
		lines_close(lines);
		if (round % 20 == 19) {
			buffer_clear(&data);
			snprintf(path, sizeof(path), "%s/five", tools_directory);
			if (buffer_read_file(&data, path, 1 << 20))
				break;
		}
	}
	check(opened > 50, "%u of 300 broken files were read, without harm", opened);
	buffer_free(&data);
}

/* A broken file costs the process that reads it, at most. */
static void apart(void)
{
	struct symbols_opened opened = { .fd = -1 };
	struct line list[LINES_MOST];
	unsigned int failed = 0;
	struct dwarf *dwarf;
	struct stat status;
	char path[256], children[64];
	FILE *file;
	int pid = 0;

	snprintf(path, sizeof(path), "%s/four", tools_directory);
	opened.fd = open(path, O_RDONLY | O_CLOEXEC);
	fstat(opened.fd, &status);
	opened.bytes = (uint64_t)status.st_size;
	opened.path = path;
	dwarf = dwarf_open(&opened);
	if (!check(dwarf, "lines by way of another process"))
		return;
	{
		struct file *table = tools_read("four", 1 << 20);
		uint64_t outer = tools_address(table, "outer");
		size_t count = 0;

		for (uint64_t at = outer; count < 3 && at < outer + 60; at++)
			count = dwarf_find(dwarf, at, list);
		check_number(count, 3, "three functions at one place");
		check_string(list[0].function, "innermost", "the innermost one");
		check_string(list[1].function, "middle", "the next one");
		check(!list[2].function && list[2].line && !strcmp(base_name(list[2].file), "a.c"), "and the place in the last");
		check(!dwarf_find(dwarf, 1, list) && !dwarf_has_failed(dwarf), "an address that is nowhere");
		file_free(table);
	}
	snprintf(children, sizeof(children), "/proc/self/task/%d/children", getpid());
	file = fopen(children, "r");
	if (file && fscanf(file, "%d", &pid) == 1 && pid > 0) {
		kill(pid, SIGKILL);
		check(!dwarf_find(dwarf, 1, list) && dwarf_has_failed(dwarf), "it crashes, which is noticed");
		failed++;
	}
	if (!failed)
		check_skip("the kernel does not tell of children", "a crash");
	if (file)
		fclose(file);
	dwarf_close(dwarf);
	close(opened.fd);
	opened.fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);
	fstat(opened.fd, &status);
	opened.bytes = (uint64_t)status.st_size;
	check(!dwarf_open(&opened), "a file without lines");
	close(opened.fd);
}

int main(void)
{
	if (!check(tools_begin(), "a directory"))
		return check_end();
	tools_write("a.c", program);
	if (tools_run("gcc --version && addr2line --version")) {
		made();
		apart();
		broken();
	} else {
		check_skip("no gcc or addr2line", "source lines");
	}
	tools_end();
	return check_end();
}
