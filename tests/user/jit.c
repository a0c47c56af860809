// SPDX-License-Identifier: GPL-2.0-or-later
/* symbols/jit.h: maps that grow, lie or belong to others; other namespaces; what node itself writes. */
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "base/buffer.h"
#include "check.h"
#include "symbols/jit.h"
#include "symbols/symbols.h"
#include "tools.h"

#define MM	7

static const char *find(struct codes *codes, uint64_t address)
{
	uint64_t start;

	return codes_find(codes, address, &start);
}

/* ------------------------------------------------------------------------------------------------ text and records */

static void read_text(struct jit *jit, struct buffer *text, const char *more)
{
	struct elf_source source = { .fd = -1 };

	buffer_string(text, more);
	source.memory = text->data;
	source.bytes = text->bytes;
	perf_map_read(jit, &source);
}

static void perf_map(void)
{
	struct jit jit = { .codes.most_bytes = 1 << 20 };
	struct buffer text = { 0 };
	char *noise = memory_zeroed(200001, 1);

	read_text(&jit, &text, "7f0000001000 20 first\n0x7F0000001020 0x10 with prefix, capitals and blanks\n7f00000010");
	check_string(find(&jit.codes, 0x7f000000101f), "first", "a line");
	check_string(find(&jit.codes, 0x7f0000001020), "with prefix, capitals and blanks", "another one");
	check_number(jit.codes.count, 2, "half a line is none yet");
	read_text(&jit, &text, "30 10 whole\n\n\n1 \n1 2\n1 2 \nzz 1 x\n7f0000001040 10  y\n11111111111111111 1 long\n");
	check_string(find(&jit.codes, 0x7f0000001030), "whole", "then it is");
	check_string(find(&jit.codes, 0x7f0000001040), " y", "a name can begin with a blank");
	check_number(jit.codes.count, 4, "nonsense is left out");
	memset(noise, 'a', 200000);
	read_text(&jit, &text, noise);
	read_text(&jit, &text, " 1 x\n7f0000001050 10 after\n");
	check_string(find(&jit.codes, 0x7f0000001050), "after", "after a line that is too long to be one");
	check_number(jit.codes.count, 5, "which is left out");
	buffer_append(&text, "7f0000001060 10 a\0b\n", 20);
	read_text(&jit, &text, "");
	check_string(find(&jit.codes, 0x7f0000001060), "a", "a name ends at a zero");
	free(noise);
	buffer_free(&text);
	codes_free(&jit.codes);
}

static void put32(struct buffer *buffer, uint32_t number)
{
	buffer_append(buffer, &number, sizeof(number));
}

static void put64(struct buffer *buffer, uint64_t number)
{
	buffer_append(buffer, &number, sizeof(number));
}

static void put_header(struct buffer *dump)
{
	put32(dump, 0x4a695444);
	put32(dump, 1);
	put32(dump, 40);
	put32(dump, EM_X86_64);
	put32(dump, 0);
	put32(dump, 1);
	put64(dump, 0);
	put64(dump, 0);
}

static void put_load(struct buffer *dump, uint64_t address, uint64_t bytes, uint64_t index, const char *name)
{
	put32(dump, 0);
	put32(dump, (uint32_t)(56 + strlen(name) + 1 + 3));
	put64(dump, 12345);
	put64(dump, 1);
	put64(dump, address);
	put64(dump, address);
	put64(dump, bytes);
	put64(dump, index);
	buffer_append(dump, name, strlen(name) + 1);
	buffer_append(dump, "\xc3\xc3\xc3", 3);
}

static void put_move(struct buffer *dump, uint64_t from, uint64_t to, uint64_t bytes, uint64_t index)
{
	put32(dump, 1);
	put32(dump, 64);
	put64(dump, 12345);
	put64(dump, 1);
	put64(dump, to);
	put64(dump, from);
	put64(dump, to);
	put64(dump, bytes);
	put64(dump, index);
}

static void read_dump(struct jit *jit, const struct buffer *dump, size_t bytes)
{
	struct elf_source source = { .fd = -1, .memory = dump->data, .bytes = bytes };

	jitdump_read(jit, &source);
}

static void jitdump(void)
{
	struct jit jit = { .codes.most_bytes = 1 << 20 };
	struct buffer dump = { 0 };
	size_t half;

	put_header(&dump);
	put_load(&dump, 0x7f0000002000, 0x40, 1, "compiled");
	put32(&dump, 4);	/* unwinding information */
	put32(&dump, 24);
	put64(&dump, 0);
	put64(&dump, 0);
	half = dump.bytes + 20;
	put_load(&dump, 0x7f0000002040, 0x40, 2, "later");
	put_move(&dump, 0x7f0000002000, 0x7f0000003000, 0x20, 1);
	put_move(&dump, 0x7f0000002000, 0x7f0000004000, 0x20, 99);
	read_dump(&jit, &dump, 20);
	check(!jit.useless && !jit.codes.count, "half a header");
	dump.data[8] = 48;
	read_dump(&jit, &dump, 40);
	check(!jit.useless && !jit.read_until, "or most of a longer one, is one that is being written");
	dump.data[8] = 40;
	read_dump(&jit, &dump, half);
	check_string(find(&jit.codes, 0x7f000000203f), "compiled", "a function");
	check_string(find(&jit.codes, 0x7f0000002040), NULL, "not one that is being written");
	read_dump(&jit, &dump, dump.bytes);
	check_string(find(&jit.codes, 0x7f0000002040), "later", "when it is");
	check_string(find(&jit.codes, 0x7f000000301f), "compiled", "a function that was moved");
	check_string(find(&jit.codes, 0x7f0000003020), NULL, "as long as it is there");
	check_string(find(&jit.codes, 0x7f0000004000), NULL, "one that nobody knows was not");
	put32(&dump, 0);
	put32(&dump, 15);
	put64(&dump, 0);
	put_load(&dump, 0x7f0000005000, 0x40, 3, "after nonsense");
	read_dump(&jit, &dump, dump.bytes);
	check(jit.useless && !find(&jit.codes, 0x7f0000005000), "a record shorter than its head ends it");
	check_string(find(&jit.codes, 0x7f0000002040), "later", "what was read before stays");
	codes_free(&jit.codes);
	map_free(&jit.loads);
	jit = (struct jit){ .codes.most_bytes = 1 << 20 };
	dump.data[0] = 'x';
	read_dump(&jit, &dump, dump.bytes);
	check(jit.useless && !jit.codes.count, "another sort of file");
	buffer_free(&dump);
}

/* ------------------------------------------------------------------------------------------------ processes */

static bool learn(struct symbols *symbols, pid_t pid)
{
	char *executable, *text;
	size_t bytes;

	if (symbols_read_mappings((uint32_t)pid, &executable, &text, &bytes))
		return false;
	symbols_set_mappings(symbols, MM, (uint32_t)pid, executable, text, bytes);
	free(executable);
	free(text);
	return true;
}

static struct frame name(struct symbols *symbols, uint64_t address)
{
	struct frame frame = { .address = address };

	symbols_name(symbols, MM, false, &frame);
	return frame;
}

/* The slower the machine, the longer is waited between two readings of a map. */
static struct frame name_in_time(struct symbols *symbols, uint64_t address, const char *wanted)
{
	struct frame frame = { .address = address };

	for (unsigned int tries = 0; tries < 200; tries++) {
		usleep(50000);
		frame = name(symbols, address);
		if (!!frame.function == !!wanted && (!wanted || !strcmp(frame.function, wanted)))
			break;
	}
	return frame;
}

static void write_line(const char *path, const char *mode, const char *code, unsigned int bytes, const char *name_there)
{
	FILE *file = fopen(path, mode);

	if (!file || fprintf(file, "%lx %x %s\n", (unsigned long)code, bytes, name_there) < 0 || fclose(file))
		message_fatal(EXIT_FAILED, "cannot write %s: %m", path);
}

static void own_map(void)
{
	char *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct symbols *symbols = symbols_create(0);
	struct symbols_statistics statistics;
	struct frame frame;
	char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	unlink(path);
	learn(symbols, getpid());
	frame = name(symbols, (uintptr_t)code + 8);
	check(frame.kind == FRAME_ANONYMOUS && !frame.function, "compiled code without a map");
	write_line(path, "w", code, 0x10, "LazyCompile:~hot /home/x.js:1");
	check(!name(symbols, (uintptr_t)code + 8).function, "it is not looked for at once again");
	frame = name_in_time(symbols, (uintptr_t)code + 8, "LazyCompile:~hot /home/x.js:1");
	check_string(frame.function, "LazyCompile:~hot /home/x.js:1", "but after a while");
	check(frame.kind == FRAME_ANONYMOUS && !frame.object && frame.function_offset == 8, "eight bytes into it");
	symbols_get_statistics(symbols, &statistics);
	check(statistics.files == 1 && statistics.bytes, "it counts as a file in memory");
	write_line(path, "a", code + 16, 0x10, "second");
	check_string(name_in_time(symbols, (uintptr_t)code + 16, "second").function, "second", "a new address: the map is read on");
	write_line(path, "a", code, 0x10, "again");
	check_string(name_in_time(symbols, (uintptr_t)code + 8, "again").function, "again", "one that was used again is noticed after a while");
	learn(symbols, getpid());
	check_string(name(symbols, (uintptr_t)code + 16).function, "second", "mappings that are read again change nothing");
	write_line(path, "w", code, 0x10, "anew");
	check_string(name_in_time(symbols, (uintptr_t)code + 24, NULL).function, NULL, "a map that was begun anew");
	check_string(name(symbols, (uintptr_t)code).function, "anew", "is read anew");
	if (!geteuid()) {
		check(!chown(path, 12345, 12345), "it belongs to somebody else");
		symbols_destroy(symbols);
		symbols = symbols_create(0);
		learn(symbols, getpid());
		check_string(name(symbols, (uintptr_t)code).function, NULL, "who does not speak for this process");
	}
	unlink(path);
	check(!mkfifo(path, 0600), "a pipe");
	symbols_destroy(symbols);
	symbols = symbols_create(0);
	learn(symbols, getpid());
	alarm(20);
	check_string(name(symbols, (uintptr_t)code).function, NULL, "is not waited for");
	alarm(0);
	unlink(path);
	symbols_destroy(symbols);
	munmap(code, 4096);
}

/* What a process left behind when it ended, for those who read its capture later. */
static void left_behind(void)
{
	static const char maps[] = "7f0000001000-7f0000002000 r-xp 00000000 00:00 0\n";
	struct symbols *symbols = symbols_create(0);
	char path[64];
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", pid);
	write_line(path, "w", (const char *)0x7f0000001000, 0x100, "left_behind");
	symbols_set_mappings(symbols, MM, (uint32_t)pid, NULL, maps, sizeof(maps) - 1);
	check_string(name(symbols, 0x7f0000001010).function, "left_behind", "the map of a process that is gone");
	symbols_destroy(symbols);
	symbols = symbols_create(0);
	if (!geteuid()) {
		check(!chown(path, 12345, 12345), "whose user is not known any more");
		symbols_set_mappings(symbols, MM, (uint32_t)pid, NULL, maps, sizeof(maps) - 1);
		check_string(name(symbols, 0x7f0000001010).function, NULL, "so anybody could have written it");
	}
	unlink(path);
	symbols_destroy(symbols);
}

/* First process of its own process namespace, with its own /tmp. */
static void contained(int channel)
{
	char *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("none", "/tmp", "tmpfs", 0, NULL))
		code = NULL;
	if (code)
		write_line("/tmp/perf-1.map", "w", code, 0x1000, "in_container");
	if (write(channel, &code, sizeof(code)) != sizeof(code))
		_exit(1);
	pause();
	_exit(0);
}

static void container(void)
{
	struct symbols *symbols = symbols_create(0);
	uint64_t code = 0;
	pid_t outer, inner = 0;
	int channel[2], number[2];

	if (geteuid() || pipe(channel) || pipe(number)) {
		check_skip("needs root", "a map in another namespace");
		symbols_destroy(symbols);
		return;
	}
	fflush(stdout);
	outer = fork();
	if (!outer) {
		if (unshare(CLONE_NEWPID | CLONE_NEWNS))
			_exit(1);
		inner = fork();
		if (!inner)
			contained(channel[1]);
		if (write(number[1], &inner, sizeof(inner)) != sizeof(inner))
			_exit(1);
		waitpid(inner, NULL, 0);
		_exit(0);
	}
	close(channel[1]);
	close(number[1]);
	if (read(number[0], &inner, sizeof(inner)) != sizeof(inner) || read(channel[0], &code, sizeof(code)) != sizeof(code))
		code = 0;
	if (!code) {
		check_skip("namespaces are not allowed here", "a map in another namespace");
	} else {
		check(learn(symbols, inner), "a process in other namespaces");
		check_string(name(symbols, code + 5).function, "in_container",
			     "a map in another mount namespace, by the number in another process namespace");
		kill(inner, SIGKILL);
	}
	waitpid(outer, NULL, 0);
	close(channel[0]);
	close(number[0]);
	symbols_destroy(symbols);
}

/* The mapping says which file it is: no place and no owner need be known. */
static void own_jitdump(void)
{
	char *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *marker, path[128];
	struct symbols *symbols = symbols_create(0);
	struct buffer dump = { 0 };
	int fd;

	put_header(&dump);
	put_load(&dump, (uintptr_t)code, 0x40, 1, "dumped");
	snprintf(path, sizeof(path), "%s/jit-%d.dump", tools_directory, getpid());
	fd = open(path, O_RDWR | O_CREAT, 0600);
	check(write(fd, dump.data, dump.bytes) == (ssize_t)dump.bytes, "a jitdump file");
	learn(symbols, getpid());
	check_string(name(symbols, (uintptr_t)code).function, NULL, "which is not mapped");
	marker = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	learn(symbols, getpid());
	check_string(name(symbols, (uintptr_t)code).function, "dumped", "which is");
	munmap(marker, 4096);
	munmap(code, 4096);
	close(fd);
	buffer_free(&dump);
	symbols_destroy(symbols);
}

static const char script[] =
	"function ktallyHot(n) { let s = 0; for (let i = 0; i < n; i++) s += Math.sqrt(i) % 3; return s; }\n"
	"let sum = 0;\n"
	"for (let i = 0; i < 400; i++) sum += ktallyHot(10000);\n"
	"require('fs').writeFileSync('ready', String(sum));\n"
	"setInterval(() => ktallyHot(1000), 5);\n";

/* Where a function of the script is: from the map that the runtime wrote, else from the dump, by its strings. */
static uint64_t address_in_map(pid_t pid, char *line_name, size_t most)
{
	char path[64], line[1024];
	uint64_t address = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		char *blank = strchr(line, ' ');

		if (!strstr(line, "ktallyHot") || !blank || !(blank = strchr(blank + 1, ' ')))
			continue;
		address = strtoull(line, NULL, 16);
		snprintf(line_name, most, "%.*s", (int)strcspn(blank + 1, "\n"), blank + 1);
	}
	if (file)
		fclose(file);
	return address;
}

static pid_t start_node(const char *option)
{
	pid_t pid;
	char path[128];

	tools_write("hot.js", script);
	snprintf(path, sizeof(path), "%s/ready", tools_directory);
	unlink(path);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (chdir(tools_directory))
			_exit(1);
		execlp("node", "node", option, "hot.js", NULL);
		_exit(127);
	}
	for (unsigned int i = 0; i < 600 && access(path, R_OK) && !waitpid(pid, NULL, WNOHANG); i++)
		usleep(100000);
	usleep(300000);
	return pid;
}

static void node(void)
{
	struct symbols *symbols = symbols_create(0);
	char wanted[512] = "", path[64];
	uint64_t address;
	pid_t pid;

	if (system("command -v node >/dev/null")) {
		check_skip("no node", "what node writes");
		symbols_destroy(symbols);
		return;
	}
	pid = start_node("--perf-basic-prof");
	address = address_in_map(pid, wanted, sizeof(wanted));
	check(address && learn(symbols, pid), "node has compiled a function: %s", wanted);
	check_string(name(symbols, address + 1).function, wanted, "which has its name");
	check(name(symbols, address + 1).kind == FRAME_ANONYMOUS, "and is in anonymous memory");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	symbols_destroy(symbols);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", pid);
	unlink(path);

	/* Both at once tell where the function is, the dump what it is called. */
	symbols = symbols_create(0);
	pid = start_node("--perf-prof");
	check(learn(symbols, pid), "node with --perf-prof");
	{
		char dump_path[128];
		struct buffer dump = { 0 };
		struct jit jit = { .codes.most_bytes = 8 << 20 };
		struct elf_source source = { .fd = -1 };
		const char *found;
		uint64_t at = 40, start, hot = 0;

		snprintf(dump_path, sizeof(dump_path), "%s/jit-%d.dump", tools_directory, pid);
		check(!buffer_read_file(&dump, dump_path, 64 << 20) && dump.bytes > 1000, "it writes a dump");
		while (at + 64 < dump.bytes) {
			uint32_t type, bytes;

			memcpy(&type, dump.data + at, 4);
			memcpy(&bytes, dump.data + at + 4, 4);
			if (!type && at + bytes <= dump.bytes && strstr(dump.data + at + 56, "ktallyHot"))
				memcpy(&hot, dump.data + at + 32, 8);
			at += bytes ? bytes : dump.bytes;
		}
		check(hot, "with the function in it");
		found = name(symbols, hot + 1).function;
		check(found && strstr(found, "ktallyHot"), "whose name is found: %s", found ? found : "none");
		source.memory = dump.data;
		source.bytes = dump.bytes;
		jitdump_read(&jit, &source);
		check(jit.read_until > dump.bytes / 2 && codes_find(&jit.codes, hot, &start), "all of it is understood");
		codes_free(&jit.codes);
		map_free(&jit.loads);
		buffer_free(&dump);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	symbols_destroy(symbols);
}

int main(void)
{
	if (!check(tools_begin(), "a directory"))
		return check_end();
	perf_map();
	jitdump();
	own_map();
	left_behind();
	container();
	own_jitdump();
	node();
	tools_end();
	return check_end();
}
