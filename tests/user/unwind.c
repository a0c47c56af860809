// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * unwind/unwind.h: the tables of this machine's own files, and of programs compiled here, say the same as elfutils' libdw,
 * which reads .eh_frame and .debug_frame quite differently, at every place where something changes and at random ones
 * between. With files as arguments: those instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/stat.h>

#include "check.h"
#include "unwind_step.h"
#include "unwind/unwind.h"

#define SHOWN_MOST	5

struct counts {
	unsigned long rows, places, nowhere, given_up, inexact, ends, wrong;
};

struct subject {
	struct elf elf;
	struct unwind_table table;
	struct unwind_statistics statistics;
	Elf *theirs;
	Dwarf *dwarf;
	Dwarf_CFI *eh, *debug;
	bool is_go;
	unsigned int shown;
};

static char directory[] = "/tmp/ktally-test-unwind-XXXXXX";
static uint64_t random_state = 88172645463325252u;

static uint64_t random_number(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	return random_state ^= random_state << 17;
}

static int subject_open(struct subject *subject, const char *path)
{
	struct elf_source source = { .fd = open(path, O_RDONLY | O_CLOEXEC) };
	struct stat status;
	int error;

	*subject = (struct subject){ .shown = 0 };
	if (source.fd < 0)
		return -errno;
	fstat(source.fd, &status);
	source.bytes = (uint64_t)status.st_size;
	error = elf_open(&subject->elf, &source);
	if (!error)
		error = unwind_read(&subject->table, &subject->elf, NULL, KTALLY_UNWIND_BYTES_MAX, &subject->statistics);
	if (error) {
		close(source.fd);
		return error;
	}
	elf_version(EV_CURRENT);
	subject->theirs = elf_begin(source.fd, ELF_C_READ_MMAP, NULL);
	subject->is_go = subject->statistics.functions[UNWIND_PCLNTAB];
	subject->eh = dwarf_getcfi_elf(subject->theirs);
	subject->dwarf = dwarf_begin_elf(subject->theirs, DWARF_C_READ, NULL);
	subject->debug = subject->dwarf ? dwarf_getcfi(subject->dwarf) : NULL;
	return 0;
}

static void subject_close(struct subject *subject)
{
	if (subject->dwarf)
		dwarf_end(subject->dwarf);
	if (subject->eh)
		dwarf_cfi_end(subject->eh);
	elf_end(subject->theirs);
	unwind_table_free(&subject->table);
	close(subject->elf.source.fd);
	elf_close(&subject->elf);
}

static Dwarf_Frame *frame_at(const struct subject *subject, uint64_t address)
{
	Dwarf_Frame *frame;

	if (subject->eh && !dwarf_cfi_addrframe(subject->eh, address, &frame))
		return frame;
	if (subject->debug && !dwarf_cfi_addrframe(subject->debug, address, &frame))
		return frame;
	return NULL;
}

static void compare(struct subject *subject, Dwarf_Frame *frame, const struct elf_segment *segment, uint64_t address,
		    struct counts *counts)
{
	const struct ktally_unwind_rule *rule;
	uint64_t registers[STEP_REGISTERS];
	struct step ours, theirs;
	bool understood;

	for (unsigned int i = 0; i < 16; i++)
		registers[i] = random_number();
	registers[16] = address;
	rule = unwind_table_find(&subject->table, segment->offset + (address - segment->address));
	ours = step_by_rule(rule, registers);
	understood = step_by_libdw(frame, registers, &theirs);
	counts->places++;
	if (ours.end == STEP_NONE) {
		counts->given_up++;
		return;
	}
	if (understood && step_same(&ours, &theirs, true))
		return;
	if (understood && step_same(&ours, &theirs, false) && subject->statistics.inexact) {
		counts->inexact++;
		return;
	}
	/* Go's tables know where goroutines begin and what signal handlers return to, its .debug_frame does not. */
	if (subject->is_go && (ours.end == STEP_END || rule->kind == KTALLY_UNWIND_SIGNAL)) {
		counts->ends += ours.end == STEP_END;
		return;
	}
	counts->wrong++;
	if (subject->shown++ < SHOWN_MOST)
		printf("# %#lx: kind %u register %u %+d deref %+d saved %#x: differs from libdw\n", (unsigned long)address,
		       rule->kind, rule->cfa_register, rule->cfa_offset, rule->deref_offset, rule->saved);
}

/* Where libdw knows nothing: the next place where we say something else, so that gaps do not take for ever. */
static uint64_t after_gap(const struct subject *subject, const struct elf_segment *segment, uint64_t address)
{
	for (uint64_t at = address + 1; at < segment->address + segment->file_bytes; at++)
		if (unwind_table_find(&subject->table, segment->offset + (at - segment->address))->kind)
			return at;
	return UINT64_MAX;
}

/* Nobody but us tells of the stubs that LLVM's linker writes, and of where the dynamic linker begins. */
static bool in_linkers(const struct subject *subject, uint64_t address)
{
	static const char *const names[] = { ".plt", ".iplt", ".plt.sec", ".plt.got" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct elf_section *section = elf_find_section(&subject->elf, names[i]);

		if (section && address - section->address < section->bytes)
			return true;
	}
	return address - subject->elf.entry < 256;
}

static void walk(struct subject *subject, const struct elf_segment *segment, struct counts *counts)
{
	uint64_t end = segment->address + segment->file_bytes;
	uint64_t address = segment->address;

	while (address < end) {
		Dwarf_Frame *frame = frame_at(subject, address);
		Dwarf_Addr row_start, row_end;

		if (!frame) {
			const struct ktally_unwind_rule *rule =
				unwind_table_find(&subject->table, segment->offset + (address - segment->address));

			counts->nowhere++;
			/* Go's cover padding too, and nothing describes what the linker wrote. */
			if (rule->kind != KTALLY_UNWIND_NONE && !subject->is_go && !in_linkers(subject, address)) {
				counts->wrong++;
				if (subject->shown++ < SHOWN_MOST)
					printf("# %#lx: kind %u, but libdw knows nothing\n", (unsigned long)address,
					       rule->kind);
				address++;
				continue;
			}
			address = after_gap(subject, segment, address);
			continue;
		}
		dwarf_frame_info(frame, &row_start, &row_end, NULL);
		if (row_end <= address)
			row_end = address + 1;
		counts->rows++;
		compare(subject, frame, segment, address, counts);
		compare(subject, frame, segment, row_end - 1, counts);
		compare(subject, frame, segment, address + random_number() % (row_end - address), counts);
		free(frame);
		address = row_end;
	}
}

static bool has_kind(const struct unwind_table *table, unsigned int kind)
{
	for (uint32_t i = 0; i < table->row_count; i++)
		if (table->rules[table->rows[i].rule].kind == kind)
			return true;
	return false;
}

static void report(const struct subject *subject, const struct counts *counts, const char *name)
{
	const struct unwind_statistics *statistics = &subject->statistics;

	printf("# %s: functions %lu .eh_frame %lu .debug_frame %lu pclntab, %lu rows, %lu rules, %lu bytes; lost: %lu cfa, "
	       "%lu return address, %lu saved, %lu malformed; %lu of %lu bytes uncovered\n", name,
	       statistics->functions[UNWIND_EH_FRAME], statistics->functions[UNWIND_DEBUG_FRAME],
	       statistics->functions[UNWIND_PCLNTAB], statistics->rows, statistics->rules, statistics->bytes,
	       statistics->lost_cfa, statistics->lost_return_address, statistics->lost_saved, statistics->malformed,
	       statistics->uncovered_bytes, statistics->code_bytes);
	printf("# %s: %lu places compared in %lu of libdw's rows; %lu given up, %lu not in all registers\n", name,
	       counts->places, counts->rows, counts->given_up, counts->inexact);
}

/* kinds: those that must be among the rules, as bits. */
static void same_as_libdw(const char *name, const char *path, unsigned int kinds)
{
	struct counts counts = { 0 };
	struct subject subject;
	int error = subject_open(&subject, path);

	if (error == -ENOENT) {
		check_skip("not on this machine", "%s", name);
		return;
	}
	if (!check_number(error, 0, "%s is read", name))
		return;
	check_number(unwind_table_check(&subject.table), 0, "%s: a valid table", name);
	for (size_t i = 0; i < subject.elf.segment_count; i++)
		if (subject.elf.segments[i].executable)
			walk(&subject, &subject.elf.segments[i], &counts);
	report(&subject, &counts, name);
	check_number(counts.wrong, 0, "%s: as libdw says", name);
	check(counts.places > 10, "%s: compared at many places", name);
	check(subject.is_go == (counts.ends > 0) && counts.ends < 100, "%s: where goroutines begin", name);
	/* A few instructions of the C library have the return address in a register, and it may be in a small program. */
	check((counts.given_up + counts.inexact) * 1000 <= counts.places + 30000, "%s: hardly a rule is missing", name);
	for (unsigned int kind = 1; kind <= KTALLY_UNWIND_SIGNAL; kind++)
		if (kinds >> kind & 1)
			check(has_kind(&subject.table, kind), "%s: has rules of kind %u", name, kind);
	subject_close(&subject);
}

/* At every byte of the code of one, the other says the same. */
static void same_tables(const char *name, const char *path, const char *other_path)
{
	struct subject subject, other;
	unsigned long different = 0;

	if (!check_number(subject_open(&subject, path), 0, "%s is read", name) ||
	    !check_number(subject_open(&other, other_path), 0, "%s: the other is read", name))
		return;
	for (size_t i = 0; i < subject.elf.segment_count; i++) {
		const struct elf_segment *segment = &subject.elf.segments[i];

		for (uint64_t at = segment->offset; segment->executable && at < segment->offset + segment->file_bytes; at++)
			different += !!memcmp(unwind_table_find(&subject.table, at), unwind_table_find(&other.table, at),
					      sizeof(struct ktally_unwind_rule));
	}
	check_number(different, 0, "%s: says the same", name);
	check(has_kind(&subject.table, KTALLY_UNWIND_END) && has_kind(&other.table, KTALLY_UNWIND_END),
	      "%s: both say something", name);
	subject_close(&subject);
	subject_close(&other);
}

/* Functions of each kind that compilers write: aligned stack (DRAP), alloca(), large frames, many saved registers. */
static const char program[] =
	"#include <alloca.h>\n#include <math.h>\n#include <setjmp.h>\n#include <signal.h>\n#include <stdarg.h>\n"
	"#include <stdio.h>\n#include <string.h>\n"
	"#define NOINLINE __attribute__((noinline))\n"
	"volatile int sink; jmp_buf buffer;\n"
	"NOINLINE int use(void *p, int n) { memset(p, n, n); return ((char *)p)[0]; }\n"
	"NOINLINE int drap(int n, ...) { _Alignas(64) char big[256]; va_list list; va_start(list, n);\n"
	"	char *p = alloca(n); int x = use(big, n) + use(p, n) + va_arg(list, int); va_end(list); return x; }\n"
	"NOINLINE int drap_more(int a, int b, int c, int d, int e, int f, int g) { _Alignas(128) char big[512];\n"
	"	int x = a * b + c * d - e; for (int i = 0; i < g; i++) x += use(big, i + x + f) * (i ^ a ^ b ^ c ^ d ^ e);\n"
	"	return x + use(alloca(g + 1), g); }\n"
	"NOINLINE int large(int n) { char big[1 << 20]; return use(big, n) + use(big + 4096, n); }\n"
	"NOINLINE int dynamic(int n) { return use(alloca(n), n) + use(alloca(2 * n), n); }\n"
	"NOINLINE double many(int a, int b, int c, int d, int e, int f, double g) {\n"
	"	for (int i = 0; i < a; i++) g += sin(g) * use(&sink, 1) * (a + b * c - d * e + f) + i;\n"
	"	return g > 3 ? many(b, c, d, e, f, a, g / 2) : g; }\n"
	"NOINLINE void jump(int n) { if (n) longjmp(buffer, n); }\n"
	"int main(int n, char **a) { int x = n; signal(SIGUSR1, SIG_IGN); if (!setjmp(buffer)) jump(n > 5);\n"
	"	x += drap(n, 3) + drap_more(1, 2, 3, 4, 5, 6, n) + large(n) + dynamic(n);\n"
	"	printf(\"%d %f %s\\n\", x, many(1, 2, 3, 4, 5, 6, x), a[0]); return 0; }\n";

static bool write_file(const char *name, const char *content)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "we");
	if (!file)
		return false;
	fputs(content, file);
	return !fclose(file);
}

__attribute__((format(printf, 1, 2)))
static bool run(const char *format, ...)
{
	char command[1024];
	size_t at = (size_t)snprintf(command, sizeof(command), "cd %s && ", directory);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command + at, sizeof(command) - at, format, arguments);
	va_end(arguments);
	return !system(command);
}

#define KIND(name)	(1U << KTALLY_UNWIND_##name)

static void compiled(void)
{
	static const struct {
		const char *options;
		unsigned int kinds;
	} list[] = {
		{ "gcc -O2 -fomit-frame-pointer", KIND(END) | KIND(DEREF) | KIND(PLT) },
		{ "gcc -O0", KIND(END) },
		{ "gcc -O3 -mavx2 -g", KIND(END) | KIND(DEREF) },
		{ "gcc -Os -fno-plt -Wl,-z,now", KIND(END) },
		{ "gcc -O2 -fcf-protection -Wl,-z,ibtplt", KIND(PLT) },
		{ "gcc -O2 -static", KIND(END) | KIND(SIGNAL) | KIND(DEREF) },
		{ "gcc -O2 -static-pie -fPIE", KIND(END) | KIND(SIGNAL) },
		{ "gcc -O2 -no-pie -s", KIND(END) | KIND(DEREF) },
		{ "gcc -O2 -fno-asynchronous-unwind-tables -g", KIND(DEREF) },
		{ "gcc -O2 -fno-asynchronous-unwind-tables -g -gz=zlib", KIND(DEREF) },
		{ "clang -O2 -fno-asynchronous-unwind-tables -g", 0 },
		{ "clang -O2 -fuse-ld=lld", KIND(END) | KIND(PLT) },
		{ "clang -O2 -fuse-ld=lld -fcf-protection -Wl,-z,force-ibt", KIND(END) | KIND(PLT) },
	};
	char path[256];

	snprintf(path, sizeof(path), "%s/program", directory);
	if (!check(write_file("program.c", program), "a program to compile"))
		return;
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (run("%s -w -o program program.c -lm 2>log", list[i].options))
			same_as_libdw(list[i].options, path, list[i].kinds);
		else
			check_skip("cannot be compiled here", "%s", list[i].options);
	}
}

/* What the program headers say is enough. */
static void without_sections(void)
{
	char path[256], bare[256];
	Elf64_Ehdr header;
	int fd;

	snprintf(path, sizeof(path), "%s/program", directory);
	snprintf(bare, sizeof(bare), "%s/bare", directory);
	if (!run("gcc -O2 -w -o program program.c -lm 2>log && cp program bare")) {
		check_skip("gcc is not installed", "without section headers");
		return;
	}
	fd = open(bare, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && pread(fd, &header, sizeof(header), 0) == sizeof(header)) {
		header.e_shoff = header.e_shnum = header.e_shstrndx = 0;
		check(pwrite(fd, &header, sizeof(header), 0) == sizeof(header), "section headers are taken away");
		same_tables("without section headers", bare, path);
	}
	close(fd);
}

static void go(void)
{
	static const char *const builds[] = { "", "-buildmode=pie" };
	char path[256], stripped[256];

	snprintf(path, sizeof(path), "%s/hello", directory);
	snprintf(stripped, sizeof(stripped), "%s/hello.stripped", directory);
	if (!run("PATH=$PATH:/usr/local/go/bin go version >log 2>&1")) {
		check_skip("Go is not installed", "Go's programs");
		return;
	}
	if (!write_file("hello.go", "package main\nfunc main() { println(\"hello\") }\n") ||
	    !write_file("calls.go", "package main\n// static int twice(int x) { return 2 * x; }\nimport \"C\"\n"
				    "func main() { println(\"hello\", C.twice(4)) }\n"))
		return;
	for (size_t i = 0; i < 4; i++) {
		const char *source = i < 2 ? "hello" : "calls", *build = builds[i % 2];
		char name[64];

		snprintf(name, sizeof(name), "Go: %s %s", source, build);
		if (!run("PATH=$PATH:/usr/local/go/bin GO111MODULE=off GOFLAGS=-p=1 "
			 "GOCACHE=${GOCACHE:-${HOME:-$PWD}/.cache/go-build} sh -c '"
			 "go build %s -o hello %s.go && go build %s -ldflags=\"-s -w\" -o hello.stripped %s.go' >log 2>&1",
			 build, source, build, source)) {
			check_skip("cannot be built here", "%s", name);
			continue;
		}
		same_as_libdw(name, path, KIND(END) | KIND(REGISTER) | KIND(SIGNAL));
		same_tables("Go: stripped", stripped, path);
	}
}

int main(int argc, char **argv)
{
#define LIBRARY(name)	"/usr/lib/x86_64-linux-gnu/" name
	static const struct {
		const char *path;
		unsigned int kinds;
	} files[] = {
		{ LIBRARY("libc.so.6"), KIND(END) | KIND(SIGNAL) | KIND(PLT) },
		{ LIBRARY("libcrypto.so.3"), KIND(DEREF) | KIND(PLT) },
		{ LIBRARY("libstdc++.so.6"), KIND(PLT) },
		{ LIBRARY("libaom.so.3"), KIND(DEREF) },
		{ "/lib64/ld-linux-x86-64.so.2", KIND(END) },
		{ "/usr/bin/python3", KIND(END) },
		{ "/usr/bin/perl", KIND(END) },
		{ "/usr/bin/git", KIND(END) },
		{ "/usr/lib/gcc/x86_64-linux-gnu/12/cc1", KIND(END) },
	};

	if (!mkdtemp(directory)) {
		check(false, "a directory");
		return check_end();
	}
	for (int i = 1; i < argc; i++)
		same_as_libdw(argv[i], argv[i], 0);
	for (size_t i = 0; argc == 1 && i < sizeof(files) / sizeof(files[0]); i++)
		same_as_libdw(files[i].path, files[i].path, files[i].kinds);
	if (argc == 1) {
		compiled();
		without_sections();
		go();
	}
	check(run("rm -rf %s", directory), "cleaned up");
	return check_end();
}
