// SPDX-License-Identifier: GPL-2.0-or-later
/* symbols/mappings.h: lines of /proc/PID/maps as the kernel writes them and as it never would. */
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "check.h"
#include "symbols/mappings.h"
#include "symbols/symbols.h"

static void lines(void)
{
	static const char good[] =
		"7f9770df1000-7f9770e17000 r-xp 00026000 fe:1a 326269                     /usr/lib/a b.so (deleted)\n";
	static const char *const bad[] = {
		"",
		"\n",
		"7f9770df1000",
		"7f9770df1000-7f9770e17000",
		"7f9770df1000-7f9770e17000 r-xp",
		"x-y r-xp 0 0:0 0",
		"7f9770e17000-7f9770df1000 r-xp 00026000 fe:00 1 /a",
		"1000-1000 r-xp 0 0:0 0 ",
		"1000-2000 r-xp 0 0:0",
		"10000000000000000-20000000000000000 r-xp 0 0:0 0 ",
		"1000-2000 r-xp 0 100000000:0 0 ",
		"1000-2000 r-xp 0 0:0 99999999999999999999 ",
		"1000-2000 r-xp 0 0.0 0 ",
		"1000-2000r-xp 0 0:0 0 ",
		"-2000 r-xp 0 0:0 0 ",
	};
	struct mapping_line line;

	check(mappings_parse_line(good, strlen(good), &line), "a line");
	check_number(line.start, 0x7f9770df1000, "its start");
	check_number(line.end, 0x7f9770e17000, "its end");
	check_number(line.offset, 0x26000, "its offset");
	check_number(line.major, 0xfe, "its device");
	check_number(line.minor, 0x1a, "the other part of it");
	check_number(line.inode, 326269, "its inode");
	check(line.executable, "it is executable");
	check(line.path_bytes == 25 && !memcmp(line.path, "/usr/lib/a b.so (deleted)", 25), "its path, with blanks");
	check(mappings_parse_line("1000-2000 rw-p 0 0:0 0", 22, &line) && !line.path_bytes && !line.executable,
	      "no path, not executable, no newline");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check(!mappings_parse_line(bad[i], strlen(bad[i]), &line), "not a line: \"%s\"",
		      bad[i][0] == '\n' ? "" : bad[i]);
}

static const char text[] =
	"00400000-00410000 r--p 00000000 fe:00 10 /usr/bin/prog\n"
	"00410000-00420000 r-xp 00010000 fe:00 10 /usr/bin/prog\n"
	"7f0000000000-7f0000001000 r-xp 00000000 00:00 0 \n"
	"7f0000002000-7f0000003000 r-xp 00001000 fe:00 11 /usr/lib/libold.so (deleted)\n"
	"7f0000004000-7f0000005000 r-xp 00000000 00:00 0 [vdso]\n"
	"7f0000005000-7f0000006000 r-xp 00000000 00:00 0 [anon:v8]\n"
	"7f0000006000-7f0000007000 rwxp 00000000 00:01 5 /dev/zero (deleted)\n"
	"this is not a line\n"
	"6f0000000000-6f0000001000 r-xp 00002000 fe:00 10 /usr/bin/prog\n"
	"7f0000002800-7f0000009000 r-xp 00000000 fe:00 12 /overlaps\n";

static const char *object_at(const struct mappings *mappings, uint64_t address)
{
	const struct mapping *mapping = mappings_find(mappings, address);

	return !mapping ? NULL : mapping->object ? mapping->object->path : "anonymous";
}

static void spaces(void)
{
	struct objects objects = { .pool = { .most = SIZE_MAX, .undivided = true } };
	struct names names = { .pool = { .most = 10000, .undivided = true } };
	struct mappings *one = mappings_parse(&objects, &names, 1, "/usr/bin/prog (deleted)", text, strlen(text));
	struct mappings *other = mappings_parse(&objects, &names, 2, "", text, strlen(text));
	struct buffer many = { 0 };

	check_string(one->executable, "/usr/bin/prog", "the executable's path, deleted or not");
	check_string(other->executable, NULL, "no executable");
	check_number(one->count, 7, "executable mappings, none that overlaps");
	check_string(object_at(one, 0x400000), NULL, "what is not executable is not there");
	check_string(object_at(one, 0x41ffff), "/usr/bin/prog", "the last byte");
	check_string(object_at(one, 0x420000), NULL, "and the one after it");
	check_string(object_at(one, 0x6f0000000010), "/usr/bin/prog", "out of order");
	check_string(object_at(one, 0x7f0000000000), "anonymous", "anonymous");
	check_string(object_at(one, 0x7f0000005000), "anonymous", "anonymous with a name");
	check_string(object_at(one, 0x7f0000006000), "anonymous", "shared anonymous");
	check_string(object_at(one, 0x7f0000004000), "[vdso]", "the vdso");
	check_string(object_at(one, 0x7f0000002900), "/usr/lib/libold.so (deleted)", "a deleted file");
	check_number(mappings_find(one, 0x7f0000002000)->object->name_bytes, strlen("/usr/lib/libold.so"),
		     "and its name");
	check(mappings_find(one, 0x410000)->object == mappings_find(other, 0x410000)->object,
	      "address spaces share objects");
	check(mappings_find(one, 0x410000)->object == mappings_find(one, 0x6f0000000000)->object,
	      "and so do mappings of one file");
	mappings_free(one, &objects);
	check_number(objects.map.used, 3, "objects live as long as someone maps them");
	mappings_free(other, &objects);
	check_number(objects.map.used, 0, "and no longer");

	for (unsigned int i = 0; i < 70000; i++)
		buffer_format(&many, "%x-%x r-xp 0 fe:00 %u /f%u\n", i * 4096, i * 4096 + 4096, i, i);
	one = mappings_parse(&objects, NULL, 1, NULL, many.data, many.bytes);
	check(one->count == 16384, "there is a limit to the mappings of one address space");
	mappings_free(one, &objects);
	names_free(&names);
	objects_free(&objects);
	buffer_free(&many);
}

/* This process: its own code is where the kernel says. */
static void own(void)
{
	struct symbols *symbols = symbols_create(0);
	char *executable, *maps;
	char expected[4096];
	size_t bytes;
	ssize_t length = readlink("/proc/self/exe", expected, sizeof(expected) - 1);
	void *code;

	expected[length > 0 ? length : 0] = '\0';
	check_number(symbols_read_mappings((uint32_t)getpid(), &executable, &maps, &bytes), 0,
		     "reads its own mappings");
	check_string(executable, expected, "its own executable");
	check(!memmem(maps, bytes, "rw-p", 4) && memmem(maps, bytes, "r-xp", 4), "executable ones only");
	check(!symbols_have_mappings(symbols, 7), "nothing is known at first");
	symbols_set_mappings(symbols, 7, (uint32_t)getpid(), executable, maps, bytes);
	check(symbols_have_mappings(symbols, 7) && !symbols_have_mappings(symbols, 8), "then one address space is");
	check_string(symbols_executable(symbols, 7), expected, "with its executable");
	check(symbols_address_is_mapped(symbols, 7, (uintptr_t)own), "code is mapped");
	check(!symbols_address_is_mapped(symbols, 7, (uintptr_t)&symbols), "the stack is not code");
	check(!symbols_address_is_mapped(symbols, 8, (uintptr_t)own), "not in another address space");
	free(executable);
	free(maps);

	code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(!symbols_address_is_mapped(symbols, 7, (uintptr_t)code), "a later mapping is not known");
	check_number(symbols_read_mappings((uint32_t)getpid(), &executable, &maps, &bytes), 0, "reads them again");
	symbols_set_mappings(symbols, 7, (uint32_t)getpid(), executable, maps, bytes);
	check(symbols_address_is_mapped(symbols, 7, (uintptr_t)code), "then it is");
	munmap(code, 4096);
	free(executable);
	free(maps);

	symbols_forget(symbols, 7);
	check(!symbols_have_mappings(symbols, 7), "forgotten");
	symbols_forget(symbols, 7);
	symbols_destroy(symbols);
	check_number(symbols_read_mappings(0x7ffffff0, &executable, &maps, &bytes), -ESRCH, "no such process");
	check_number(symbols_read_mappings(2, &executable, &maps, &bytes), -ESRCH, "a kernel thread has none");
}

/*
 * Names of one file, by hard links, that all have the same hash where no secret goes into it: its state is known after the first word, and
 * a second word that is equal to it makes it the same whatever came before.
 */
static void write_colliding(struct buffer *maps, unsigned int wanted, uint32_t inode)
{
	static const char directory[] = "/tmp/dir";
	uint64_t begin = hash_words(0xfeULL << 32, inode) ^ 0xa54ff53a5f1d36f1ULL, start = 0x7f0000000000;
	uint64_t first;

	memcpy(&first, directory, sizeof(first));
	for (uint64_t i = 0; wanted; i++) {
		uint64_t words[2] = { 0x6161616161616161ULL + (i & 15) + ((i >> 4 & 15) << 8) + ((i >> 8 & 15) << 16) + (i >> 12 << 24) };
		unsigned __int128 product = (unsigned __int128)(begin ^ first) * 0xbb67ae8584caa73bULL;
		char name[17] = "";

		words[1] = ((uint64_t)product ^ (uint64_t)(product >> 64)) + 0x6a09e667f3bcc909ULL;
		product = (unsigned __int128)(words[1] ^ words[0]) * 0xbb67ae8584caa73bULL;
		words[1] = ((uint64_t)product ^ (uint64_t)(product >> 64)) + 0x6a09e667f3bcc909ULL;
		memcpy(name, words, 16);
		if (strlen(name) < 16 || strpbrk(name, "/\n"))
			continue;
		buffer_format(maps, "%llx-%llx r-xp 0 fe:00 %u %s%s\n", (unsigned long long)start, (unsigned long long)start + 4096, inode,
			      directory, name);
		start += 4096;
		wanted--;
	}
}

/* A process chooses them, and who takes records waits for that. */
static void colliding(void)
{
	struct timespec began, ended;
	struct objects objects = { .pool = { .most = SIZE_MAX, .undivided = true } };
	struct buffer maps = { 0 };
	struct mappings *mappings;
	long long took;

	write_colliding(&maps, 16384, 4711);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &began);
	mappings = mappings_parse(&objects, NULL, 1, NULL, maps.data, maps.bytes);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ended);
	took = (ended.tv_sec - began.tv_sec) * 1000LL + (ended.tv_nsec - began.tv_nsec) / 1000000;
	check(mappings->count == 16384 && objects.map.used == 16384, "names of one file that are made to collide");
	check(took < 1000, "are parsed in %lld ms", took);
	mappings_free(mappings, &objects);
	objects_free(&objects);
	buffer_free(&maps);
}

/* As many as one may have, in one process after the other that stays: a share of what there is, and others have theirs. */
static void many(void)
{
	struct objects objects = { .pool = { .most = 8 << 20 } };
	struct names names = { .pool = { .most = 10000, .undivided = true } };
	struct mappings *processes[100], *other;
	struct buffer maps = { 0 };
	size_t before;

	for (unsigned int i = 0; i < 16384; i++)
		buffer_format(&maps, "%llx-%llx r-xp 0 00:00 0 \n", 0x7f0000000000ULL + i * 4096, 0x7f0000001000ULL + i * 4096);
	for (unsigned int i = 0; i < 100; i++) {
		if (i == 50) {
			maps.bytes = 0;
			for (unsigned int j = 0; j < 16384; j++)
				buffer_format(&maps, "%x-%x r-xp 0 fe:00 %u /f%u\n", j * 4096, j * 4096 + 4096, j, j);
		}
		names.holder = (struct pool_holder){ .user = 65534, .process = i + 1 };
		processes[i] = mappings_parse(&objects, &names, i + 1, NULL, maps.data, maps.bytes);
	}
	check(objects.pool.used <= 4 << 20, "a hundred processes with thousands of mappings each: %zu bytes are kept of them", objects.pool.used);
	check_number(processes[0]->count, 16384, "the first one's are known");
	check_number(processes[40]->count, 0, "and a later one's refused");
	check(processes[99]->count < 16384, "so are some of many files");
	before = objects.pool.used;
	names.holder = (struct pool_holder){ .user = 1000, .process = 1000 };
	other = mappings_parse(&objects, &names, 1000, NULL, text, strlen(text));
	check_number(other->count, 7, "another user's are known");
	mappings_free(other, &objects);
	check_number((long long)objects.pool.used, (long long)before, "and given back");
	for (unsigned int i = 0; i < 100; i++)
		mappings_free(processes[i], &objects);
	check_number((long long)(objects.pool.used + objects.map.used), 0, "nothing is left of them when they are gone");
	objects_free(&objects);
	names_free(&names);
	buffer_free(&maps);
}

int main(void)
{
	lines();
	spaces();
	colliding();
	many();
	own();
	return check_end();
}
