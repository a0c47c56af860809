// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of stripped Go programs, as the go command makes them, against those of the same program that is not stripped;
 * and tables of older versions of Go, put together by hand where there is none to make them.
 */
#include "check.h"
#include "fake_elf.h"
#include "tools.h"

#define BYTES_MOST	(32U << 20)

static const char program[] =
	"package main\n"
	"import (\"fmt\"; \"os\")\n"
	"type T struct{ a int }\n"
	"//go:noinline\n"
	"func (t *T) Method(n int) int { return t.a*n + len(os.Args) }\n"
	"//go:noinline\n"
	"func generic[V int | int64](v V) V { return v*3 + 1 }\n"
	"func main() {\n"
	"	t := &T{4}\n"
	"	fmt.Println(t.Method(3), generic(int64(5)), func() int { return len(os.Args) }())\n"
	"}\n";

static const char with_c[] =
	"package main\n"
	"// static int twice(int a) { return 2 * a; }\n"
	"import \"C\"\n"
	"func init() { _ = C.twice(2) }\n";

/* "main.generic[go.shape.int64]" is "main.generic[...]" in the table. */
static bool same_name(const char *name, const char *found)
{
	size_t bytes = strcspn(name, "[");

	return !strcmp(name, found) || (name[bytes] == '[' && !strncmp(name, found, bytes) && !strncmp(found + bytes, "[...]", 5));
}

/* Each Go function of the one program must be in the other one, where nm says that it is. */
static void compare(const char *whole, const char *stripped, const char *what)
{
	struct file *file = tools_read(stripped, BYTES_MOST);
	unsigned int count = 0, wrong = 0;
	char line[4096];
	FILE *pipe;

	if (!check(file, "%s: is read", what))
		return;
	check_string(file->runtime, "go", "%s: it is a Go program", what);
	snprintf(line, sizeof(line), "nm --defined-only %s/%s | grep -E ' [Tt] (main|runtime|fmt|os|internal/[a-z]*)\\.' | "
		 "grep -vE 'runtime\\.(text|etext)$' | sed 's/\\.abi0$//'", tools_directory, whole);
	pipe = popen(line, "r");
	while (pipe && fgets(line, sizeof(line), pipe)) {
		char *end;
		uint64_t address = strtoull(line, &end, 16), start = 0;
		const char *found = table_find(&file->table, address, &start);

		line[strcspn(line, "\n")] = '\0';
		count++;
		if (found && start == address && same_name(end + 3, found))
			continue;
		if (!wrong++)
			printf("# first: %s, found %s at %llx\n", line, found ? found : "nothing", (unsigned long long)start);
	}
	check(pipe && !pclose(pipe) && count > 1000 && !wrong, "%s: all %u functions are found", what, count);
	file_free(file);
}

static void real(void)
{
	if (system("command -v go >/dev/null || test -x /usr/local/go/bin/go")) {
		check_skip("no go", "what the go command makes");
		return;
	}
	tools_write("main.go", program);
	tools_write("go.mod", "module example.com/x\ngo 1.20\n");
	setenv("GOTOOLCHAIN", "local", 1);
	setenv("GOFLAGS", "-mod=mod", 1);
	if (!tools_run("PATH=$PATH:/usr/local/go/bin; "
		       "CGO_ENABLED=0 go build -o plain . && CGO_ENABLED=0 go build -ldflags '-s -w' -o plain.stripped . && "
		       "CGO_ENABLED=0 go build -buildmode=pie -o pie . && strip -o pie.stripped pie")) {
		check_skip("go does not work here", "what the go command makes");
		return;
	}
	compare("plain", "plain.stripped", "static");
	compare("pie", "pie.stripped", "position-independent");
	tools_write("with_c.go", with_c);
	if (!tools_run("PATH=$PATH:/usr/local/go/bin; export CGO_ENABLED=1; "
		       "go build -o cgo . && strip -o cgo.stripped cgo && "
		       "go build -buildmode=pie -o cgopie . && strip -o cgopie.stripped cgopie")) {
		check_skip("no C compiler for go", "programs with C");
		return;
	}
	compare("cgo", "cgo.stripped", "with C");
	compare("cgopie", "cgopie.stripped", "position-independent, with C");
	/* This linker leaves to relocations what others write into the file, too. */
	if (!tools_run("command -v ld.lld && PATH=$PATH:/usr/local/go/bin && export CGO_ENABLED=1 && "
		       "go build -buildmode=pie -ldflags '-linkmode external -extldflags=-fuse-ld=lld' -o lld . && "
		       "strip -o lld.stripped lld"))
		check_skip("no lld", "position-independent, linked by lld");
	else
		compare("lld", "lld.stripped", "position-independent, linked by lld");
}

/* ------------------------------------------------------------------------------------------------ by hand */

static void put(struct buffer *buffer, uint64_t number, size_t bytes)
{
	buffer_append(buffer, &number, bytes);
}

/* Two functions, "main.one" of 32 bytes and "main.two" of 16, as Go 1.16, 1.18 and 1.20 wrote them. */
static struct buffer table_of(uint32_t magic, uint64_t count)
{
	static const char names[] = "main.one\0main.two";
	bool narrow = magic != 0xfffffffa;
	size_t width = narrow ? 4 : 8, header = 8 + (narrow ? 8 : 7) * 8;
	uint64_t text = narrow ? 0 : FAKE_TEXT_ADDRESS + 0x100;
	struct buffer table = { 0 };

	put(&table, magic, 4);
	put(&table, 0x08010000, 4);
	put(&table, count, 8);
	put(&table, 1, 8);
	if (narrow)
		put(&table, FAKE_TEXT_ADDRESS + 0x100, 8);
	put(&table, header, 8);
	for (unsigned int i = 0; i < 4; i++)
		put(&table, header + sizeof(names), 8);
	buffer_append(&table, names, sizeof(names));
	put(&table, text, width);
	put(&table, 5 * width, width);
	put(&table, text + 0x20, width);
	put(&table, 5 * width + width + 4, width);
	put(&table, text + 0x30, width);
	put(&table, text, width);
	put(&table, 0, 4);
	put(&table, text + 0x20, width);
	put(&table, 9, 4);
	return table;
}

static struct file *read_table(const struct buffer *table, size_t bytes)
{
	const struct fake_elf elf = { .section = ".gopclntab", .section_data = table->data, .section_bytes = bytes };
	struct buffer data = fake_elf(&elf);
	struct elf_source source = { .fd = -1, .memory = data.data, .bytes = data.bytes };
	struct file *file = NULL;

	if (file_read(&file, &source, NULL, -1, BYTES_MOST))
		file = NULL;
	buffer_free(&data);
	return file;
}

static void versions(void)
{
	static const struct {
		uint32_t magic;
		const char *name;
	} cases[] = { { 0xfffffffa, "Go 1.16" }, { 0xfffffff0, "Go 1.18" }, { 0xfffffff1, "Go 1.20" } };
	uint64_t start;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buffer table = table_of(cases[i].magic, 2);
		struct file *file = read_table(&table, table.bytes);

		if (check(file, "%s: is read", cases[i].name)) {
			check_string(table_find(&file->table, FAKE_TEXT_ADDRESS + 0x11f, &start), "main.one",
				     "%s: the first function", cases[i].name);
			check_string(table_find(&file->table, FAKE_TEXT_ADDRESS + 0x120, &start), "main.two",
				     "%s: the second one", cases[i].name);
			check_string(table_find(&file->table, FAKE_TEXT_ADDRESS + 0x130, &start), NULL,
				     "%s: its end", cases[i].name);
			file_free(file);
		}
		for (size_t bytes = 1; bytes < table.bytes; bytes++) {
			file = read_table(&table, bytes);
			if (!file || file->table.count > 2)
				check(false, "%s: cut to %zu bytes", cases[i].name, bytes);
			file_free(file);
		}
		buffer_free(&table);
		table = table_of(cases[i].magic, UINT64_MAX);
		file = read_table(&table, table.bytes);
		check(file && !file->table.count, "%s: more functions than there can be", cases[i].name);
		file_free(file);
		buffer_free(&table);
	}
}

int main(void)
{
	versions();
	if (check(tools_begin(), "a directory")) {
		real();
		tools_end();
	}
	return check_end();
}
