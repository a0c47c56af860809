// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * symbols/file.h: ELF files made by hand, files of this machine against nm and objdump, and files that somebody broke.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <lzma.h>
#include <zlib.h>
#include <sys/stat.h>

#include "check.h"
#include "fake_elf.h"
#include "symbols/file.h"
#include "symbols/symtab.h"
#include "symbols/window.h"

#define LIBC		"/usr/lib/x86_64-linux-gnu/libc.so.6"
#define LIBZ		"/usr/lib/x86_64-linux-gnu/libz.so.1"
#define LIBCRYPTO	"/usr/lib/x86_64-linux-gnu/libcrypto.so.3"
#define BYTES_MOST	(32U << 20)

#define GLOBAL(name, offset, bytes)	{ name, offset, bytes, STB_GLOBAL, STT_FUNC, false }
#define LOCAL(name, offset, bytes)	{ name, offset, bytes, STB_LOCAL, STT_FUNC, false }

static const struct fake_symbol all[] = {
	GLOBAL("public", 0x10, 0x20),
	LOCAL("static_one", 0x40, 0x20),
	{ "label", 0x80, 0, STB_LOCAL, STT_NOTYPE, false },
	{ ".L1", 0x44, 0, STB_LOCAL, STT_NOTYPE, false },
	{ "data", 0x100, 8, STB_GLOBAL, STT_OBJECT, false },
	{ "imported", 0x200, 8, STB_GLOBAL, STT_FUNC, true },
	{ "resolver", 0x300, 0x10, STB_GLOBAL, STT_GNU_IFUNC, false },
	GLOBAL("versioned@@LIB_2.0", 0x400, 0x10),
	LOCAL("past_the_end", FAKE_TEXT_BYTES, 0x10),
	LOCAL("last", FAKE_TEXT_BYTES - 4, 0x1000),
	{ NULL, 0, 0, 0, 0, false },
};

static const struct fake_symbol exported[] = {
	GLOBAL("public", 0x10, 0x20), GLOBAL("assembly", 0x2000 / 4, 0), { NULL, 0, 0, 0, 0, false },
};

static struct file *read_memory(const struct buffer *data, int *error)
{
	struct elf_source source = { .fd = -1, .memory = data->data, .bytes = data->bytes };
	struct file *file = NULL;

	*error = file_read(&file, &source, NULL, -1, BYTES_MOST);
	return file;
}

static struct file *read_path(const char *path, size_t most)
{
	struct elf_source source = { .fd = open(path, O_RDONLY | O_CLOEXEC) };
	struct file *file = NULL;
	struct stat status;
	int error;

	if (source.fd < 0)
		return NULL;
	fstat(source.fd, &status);
	source.bytes = (uint64_t)status.st_size;
	error = file_read(&file, &source, path, -1, most);
	close(source.fd);
	errno = -error;
	return file;
}

static const char *find(const struct file *file, uint64_t offset)
{
	uint64_t address, start;

	if (!file || !elf_address_of(file->segments, file->segment_count, FAKE_TEXT_OFFSET + offset, &address))
		return NULL;
	return table_find(&file->table, address, &start);
}

static void by_hand(bool is32)
{
	const struct fake_elf elf = { .is32 = is32, .symbols = all, .dynamic = exported };
	struct buffer data = fake_elf(&elf);
	unsigned int bits = is32 ? 32 : 64;
	uint64_t address;
	struct file *file;
	int error;

	file = read_memory(&data, &error);
	if (!check_number(error, 0, "%u bits: is read", bits))
		return;
	check(elf_address_of(file->segments, file->segment_count, 0x1234, &address) && address == 0x403234,
	      "%u bits: offset to address", bits);
	check(!elf_address_of(file->segments, file->segment_count, 0x2000, &address),
	      "%u bits: an offset that is not loaded", bits);
	check_string(find(file, 0x10), "public", "%u bits: a function", bits);
	check_string(find(file, 0x2f), "public", "%u bits: its last byte", bits);
	check_string(find(file, 0x30), NULL, "%u bits: after it", bits);
	check_string(find(file, 0x48), "static_one", "%u bits: a local function, not a label in it", bits);
	check_string(find(file, 0x90), "label", "%u bits: a label outside of functions", bits);
	check_string(find(file, 0x100), "label", "%u bits: data is no function", bits);
	check_string(find(file, 0x200), "label", "%u bits: what is imported is not here", bits);
	check_string(find(file, 0x308), "resolver", "%u bits: an indirect function", bits);
	check_string(find(file, 0x408), "versioned", "%u bits: without its version", bits);
	check_string(find(file, 0x800), "assembly", "%u bits: only among the exported", bits);
	check_string(find(file, FAKE_TEXT_BYTES - 1), "last", "%u bits: the last byte of the code", bits);
	check_string(file->runtime, NULL, "%u bits: native", bits);
	file_free(file);
	buffer_free(&data);
}

static void runtimes(void)
{
	static const struct fake_symbol rust[] = { GLOBAL("main", 0, 16),
						   LOCAL("_RNvCsabc_7___rustc17rust_begin_unwind", 16, 16),
						   { NULL, 0, 0, 0, 0, false } };
	const struct fake_elf with_info = { .symbols = all,
					    .section = ".go.buildinfo",
					    .section_data = "x",
					    .section_bytes = 1 };
	const struct fake_elf with_panics = { .symbols = rust };
	struct buffer data = fake_elf(&with_info);
	struct file *file;
	int error;

	file = read_memory(&data, &error);
	check_string(file ? file->runtime : NULL, "go", "a Go program");
	file_free(file);
	buffer_free(&data);
	data = fake_elf(&with_panics);
	file = read_memory(&data, &error);
	check_string(file ? file->runtime : NULL, "rust", "a Rust program");
	file_free(file);
	buffer_free(&data);
	file = read_path("/usr/local/go/bin/go", BYTES_MOST);
	if (file) {
		check_string(file->runtime, "go", "the go command");
		file_free(file);
	} else {
		check_skip("not installed", "the go command");
	}
}

static void kinds(void)
{
	const struct fake_elf elf = { .symbols = all };
	struct buffer data = fake_elf(&elf), other = { 0 };
	int error;

	read_memory(&other, &error);
	check_number(error, -ENOEXEC, "an empty file");
	buffer_string(&other, "#!/bin/sh\necho this is a script, long enough to hold all of an ELF header\n");
	read_memory(&other, &error);
	check_number(error, -ENOEXEC, "a script");
	buffer_free(&other);
	data.data[EI_DATA] = ELFDATA2MSB;
	read_memory(&data, &error);
	check_number(error, -ENOEXEC, "a file of a big-endian machine");
	data.data[EI_DATA] = ELFDATA2LSB;
	((Elf64_Ehdr *)data.data)->e_type = ET_REL;
	read_memory(&data, &error);
	check_number(error, -ENOEXEC, "an object file");
	((Elf64_Ehdr *)data.data)->e_type = ET_CORE;
	read_memory(&data, &error);
	check_number(error, -ENOEXEC, "a core dump");
	((Elf64_Ehdr *)data.data)->e_type = ET_EXEC;
	((Elf64_Ehdr *)data.data)->e_shoff = 0;
	((Elf64_Ehdr *)data.data)->e_shnum = 0;
	file_free(read_memory(&data, &error));
	check_number(error, 0, "without sections it is still a program");
	buffer_free(&data);
}

static void ceilings(void)
{
	struct file *whole = read_path(LIBCRYPTO, BYTES_MOST), *file;
	uint64_t start;

	if (!whole) {
		check_skip("no " LIBCRYPTO, "ceilings");
		return;
	}
	check(!read_path(LIBCRYPTO, 10000) && errno == EFBIG, "more functions than there is room for");
	file_free(whole);

	/* A table of which the local part does not fit: the rest is kept. */
	{
		static struct fake_symbol many[1003];
		static char names[1000][16];
		const struct fake_elf elf = { .symbols = many };
		struct elf_source source = { .fd = -1 };
		struct buffer data;

		for (unsigned int i = 0; i < 1000; i++) {
			snprintf(names[i], sizeof(names[i]), "local_%u", i);
			many[i] = (struct fake_symbol)LOCAL(names[i], i * 4, 4);
		}
		many[1000] = (struct fake_symbol)GLOBAL("public", 4001, 2);
		many[1001] = (struct fake_symbol){ 0 };
		data = fake_elf(&elf);
		source.memory = data.data;
		source.bytes = data.bytes;
		check_number(file_read(&file, &source, NULL, -1, 10000), 0,
			     "local functions that do not fit are left out");
		check_number(file->table.count, 1, "all of them");
		check_string(table_find(&file->table, FAKE_TEXT_ADDRESS + 4002, &start), "public",
			     "and the public one is there");
		file_free(file);
		buffer_free(&data);
	}
}

/* ------------------------------------------------------------------------------------------------ debug files */

static void write_file(const char *directory, const char *path, const struct buffer *data)
{
	char whole[512];
	int fd;

	snprintf(whole, sizeof(whole), "%s%s", directory, path);
	for (char *slash = whole + strlen(directory) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(whole, 0700);
		*slash = '/';
	}
	fd = open(whole, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	check(fd >= 0 && write(fd, data->data, data->bytes) == (ssize_t)data->bytes, "wrote %s", path);
	close(fd);
}

static const char *find_debug(const struct fake_elf *elf, const char *directory, const char *path,
			      struct buffer *holder)
{
	struct elf_source source = { .fd = -1 };
	int root = open(directory, O_PATH | O_DIRECTORY);
	struct buffer data = fake_elf(elf);
	struct file *file = NULL;
	const char *name;

	source.memory = data.data;
	source.bytes = data.bytes;
	check_number(file_read(&file, &source, path, root, BYTES_MOST), 0, "is read");
	name = find(file, 0x48);
	buffer_clear(holder);
	if (name)
		buffer_string(holder, name);
	file_free(file);
	buffer_free(&data);
	close(root);
	return name ? holder->data : NULL;
}

static void debug_files(void)
{
	static const char id[] = "\x01\x23\x45\x67\x89\xab\xcd\xef" "0123456789ab", other_id[] = "zzzzzzzzzzzzzzzzzzzz";
	struct fake_elf debug = { .symbols = all, .build_id = id };
	struct fake_elf stripped = { .dynamic = exported, .build_id = id };
	char directory[] = "/tmp/ktally-elf.XXXXXX", command[64];
	struct buffer data, name = { 0 }, packed = { 0 };
	uint32_t sum;

	if (!check(mkdtemp(directory), "a directory"))
		return;
	check_string(find_debug(&stripped, directory, "/bin/prog", &name), NULL,
		     "a stripped file has no local functions");
	data = fake_elf(&debug);
	write_file(directory, "/usr/lib/debug/.build-id/01/23456789abcdef303132333435363738396162.debug", &data);
	check_string(find_debug(&stripped, directory, "/bin/prog", &name), "static_one",
		     "its debug file has, found by build id");
	stripped.build_id = other_id;
	check_string(find_debug(&stripped, directory, "/bin/prog", &name), NULL, "not that of another build");
	stripped.link = "prog.debug";
	write_file(directory, "/bin/.debug/prog.debug", &data);
	check_string(find_debug(&stripped, directory, "/bin/prog", &name), NULL, "not by link either");
	stripped.build_id = id;
	snprintf(command, sizeof(command), "rm -r %s/usr", directory);
	check_number(system(command), 0, "only the link is left");
	check_string(find_debug(&stripped, directory, "/bin/prog", &name), "static_one", "found by link, in .debug");
	check_string(find_debug(&stripped, directory, "/sbin/prog", &name), NULL, "not from another directory");
	write_file(directory, "/usr/lib/debug/sbin/prog.debug", &data);
	check_string(find_debug(&stripped, directory, "/sbin/prog", &name), "static_one",
		     "found by link, in /usr/lib/debug");

	stripped.build_id = NULL;
	check_string(find_debug(&stripped, directory, "/sbin/prog", &name), NULL,
		     "without a build id the checksum must be right");
	sum = (uint32_t)crc32(crc32(0, NULL, 0), (const Bytef *)data.data, (uInt)data.bytes);
	stripped.checksum = sum;
	check_string(find_debug(&stripped, directory, "/sbin/prog", &name), "static_one", "and then it is enough");
	stripped.link = "../sbin/prog.debug";
	check_string(find_debug(&stripped, directory, "/usr/lib/debug/bin/prog", &name), NULL,
		     "a link does not lead elsewhere");
	stripped.link = NULL;

	/* The mini debug information of Fedora: the same in .gnu_debugdata, packed. */
	packed.data = malloc(lzma_stream_buffer_bound(data.bytes));
	packed.capacity = lzma_stream_buffer_bound(data.bytes);
	check_number(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, NULL, (uint8_t *)data.data, data.bytes,
					     (uint8_t *)packed.data, &packed.bytes, packed.capacity),
		     LZMA_OK, "packed");
	stripped.section = ".gnu_debugdata";
	stripped.section_data = packed.data;
	stripped.section_bytes = packed.bytes;
	check_string(find_debug(&stripped, directory, "/bin/x", &name), "static_one", "functions from .gnu_debugdata");
	stripped.section_bytes = packed.bytes / 2;
	check_string(find_debug(&stripped, directory, "/bin/x", &name), NULL, "not if it is cut short");
	packed.data[packed.bytes / 2] ^= 1;
	stripped.section_bytes = packed.bytes;
	check_string(find_debug(&stripped, directory, "/bin/x", &name), NULL, "nor if it is broken");
	buffer_free(&packed);
	buffer_free(&data);
	buffer_free(&name);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	check_number(system(command), 0, "cleaned up");
}

/* ---------------------------------------------------------------------------------------- files of this machine */

/*
 * Each line of a command is an address and a name. Its address must begin a function, and with_name its name must be
 * the one found.
 */
static void compare(const char *path, const char *command, bool with_name, const char *what)
{
	struct file *file = read_path(path, BYTES_MOST);
	unsigned int count = 0, wrong = 0;
	char line[4096];
	FILE *pipe;

	if (!file) {
		check_skip("the file is not here", "%s of %s", what, path);
		return;
	}
	pipe = popen(command, "r");
	while (pipe && fgets(line, sizeof(line), pipe)) {
		char *end, *name = strrchr(line, ' ');
		uint64_t address = strtoull(line, &end, 16), start = 0;
		const char *found = table_find(&file->table, address, &start);

		if (!name)
			continue;
		name++;
		name[strcspn(name, "\n")] = '\0';
		count++;
		if (found && start == address && (!with_name || !strcmp(found, name)))
			continue;
		if (!wrong++)
			printf("# first: %llx is %s, found %s\n", (unsigned long long)address, name,
			       found ? found : "nothing");
	}
	if (!pipe || pclose(pipe) || !count)
		check_skip("nm or objdump says nothing of it", "%s of %s", what, path);
	else
		check_number(wrong, 0, "all %u %s of %s are found", count, what, path);
	file_free(file);
}

static void real_files(void)
{
	static const char *const paths[] = { LIBC, LIBZ, LIBCRYPTO, "/usr/bin/perl", "/usr/bin/python3.11" };
	char command[512];

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		snprintf(command, sizeof(command), "nm -D --defined-only %s | grep ' [TWi] ' | grep -v ' data_start$'",
			 paths[i]);
		compare(paths[i], command, false, "exported functions");
	}
	/* nm knows an IFUNC's resolver and a label as text too; the awk keeps what has a size and is a function. */
	compare("/proc/self/exe",
		"readelf -sW /proc/$PPID/exe | awk '$4 == \"FUNC\" && $7 ~ /^[0-9]+$/ && $3 > 0 { print $2, $8 }'",
		false, "functions");
	for (size_t i = 1; i < sizeof(paths) / sizeof(paths[0]); i++) {
		snprintf(command, sizeof(command),
			 "objdump -d -j .plt -j .plt.sec -j .plt.got %s 2>/dev/null | "
			 "sed -n 's/^\\([0-9a-f]*\\) <\\([^*+]*@plt\\)>:/\\1 \\2/p' | sed 's/@[A-Z][^@]*@plt/@plt/'",
			 paths[i]);
		compare(paths[i], command, true, "stubs");
	}
}

/* ------------------------------------------------------------------------------------------------ broken files */

/* Whatever comes out, it must be in bounds and come soon: the sanitizers and the time limit of the test watch that. */
static void look_up_everywhere(struct file *file)
{
	uint64_t start;

	if (!file)
		return;
	for (size_t i = 0; i < file->table.count; i++) {
		const char *name = table_find(&file->table, file->table.base + file->table.entries[i].start, &start);

		if (name && strlen(name) > 4095)
			abort();
	}
	file_free(file);
}

static void broken(const struct buffer *whole, size_t truncations, unsigned int flips, const char *what)
{
	unsigned int seed = 99, read = 0;
	struct buffer data = { 0 };
	struct file *file;
	int error;

	for (size_t bytes = 0; bytes < whole->bytes; bytes += whole->bytes / truncations + 1) {
		char *copy = malloc(bytes ? bytes : 1);

		memcpy(copy, whole->data, bytes);
		data = (struct buffer){ .data = copy, .bytes = bytes };
		file = read_memory(&data, &error);
		read += !error;
		look_up_everywhere(file);
		free(copy);
	}
	check(read && read < truncations, "%s cut short at %zu places, still a program at %u", what, truncations, read);

	data = (struct buffer){ 0 };
	buffer_append(&data, whole->data, whole->bytes);
	read = 0;
	for (unsigned int i = 0; i < flips; i++) {
		/* Half of them where the headers are: the first 4 KiB and the last 4 KiB. */
		uint32_t random = (uint32_t)rand_r(&seed) * 7 + (uint32_t)rand_r(&seed);
		size_t at = random % data.bytes;
		char was;

		if (i % 4 == 0)
			at = random % 4096;
		else if (i % 4 == 1)
			at = data.bytes - 1 - random % 4096;
		was = data.data[at];
		data.data[at] = i % 8 < 4 ? (char)(was ^ 1 << (i / 8 % 8)) : (char)0xff;
		file = read_memory(&data, &error);
		read += !error;
		look_up_everywhere(file);
		/* Every eighth stays, so that damage adds up; then a fresh start. */
		if (i % 8)
			data.data[at] = was;
		if (i % 256 == 255)
			memcpy(data.data, whole->data, whole->bytes);
	}
	buffer_free(&data);
	check(read && read < flips, "%s with %u damages, still a program in %u cases", what, flips, read);
}

static void hostile(void)
{
	const struct fake_elf elf = { .symbols = all,
				      .dynamic = exported,
				      .build_id = "01234567890123456789",
				      .link = "x" };
	const struct fake_elf elf32 = { .is32 = true, .symbols = all, .dynamic = exported };
	struct buffer data = fake_elf(&elf);

	broken(&data, data.bytes, 20000, "a small file");
	buffer_free(&data);
	data = fake_elf(&elf32);
	broken(&data, data.bytes, 20000, "a small file of 32 bits");
	buffer_free(&data);
	if (buffer_read_file(&data, LIBZ, 8 << 20))
		check_skip("no " LIBZ, "a real library, broken");
	else
		broken(&data, 300, 3000, "a real library");
	buffer_free(&data);
}

/* A file that has its reader go to and fro does not have it read for ever. */
static void to_and_fro(void)
{
	struct buffer data = { 0 };
	struct elf elf = { .source = { .fd = -1 } };
	struct window window;
	uint64_t read = 0;
	size_t bytes = 0;

	while (data.bytes < 4 << 20)
		buffer_string(&data, "0123456789abcdef");
	elf.source.memory = data.data;
	elf.source.bytes = data.bytes;
	window_open(&window, &elf, 0, data.bytes);
	for (uint64_t at = 0; at < data.bytes; at += bytes, read += bytes) {
		bytes = 4096;
		if (!window_at(&window, at, &bytes))
			break;
	}
	check_number(read, data.bytes, "who goes forward reads all of it");
	read = 0;
	for (uint64_t i = 0; i < 100000; i++) {
		bytes = 16;
		read += !!window_at(&window, i % 2 * (2 << 20) + i * 4 % 4096, &bytes);
	}
	check(read > 100 && read < 1000, "who goes to and fro does so some hundred times: %lu", (unsigned long)read);
	window_close(&window);
	buffer_free(&data);
}

#define SHARING		40000

/* Symbols that all have one long name, and lead to no function: what is looked at is bounded, not what the file has. */
static void shared_names(void)
{
	static struct fake_symbol list[SHARING + 1];
	const struct fake_elf fake = { .symbols = list };
	struct buffer name = { 0 }, data;
	struct elf_section *symbols;
	struct draft draft;
	struct elf elf;
	bool rust = false;

	buffer_string(&name, ".L");
	while (name.bytes < 4000)
		buffer_string(&name, "x");
	for (size_t i = 0; i < SHARING; i++)
		list[i] = (struct fake_symbol)LOCAL(i ? ".L" : name.data, 0x10, 0x20);
	data = fake_elf(&fake);
	check_number(elf_open(&elf, &(struct elf_source){ .fd = -1, .memory = data.data, .bytes = data.bytes }), 0, "symbols that share a name");
	symbols = (struct elf_section *)(uintptr_t)elf_find_section_type(&elf, SHT_SYMTAB);
	for (int shared = 0; symbols && shared < 2; shared++) {
		draft_begin(&draft, 0, BYTES_MOST);
		symtab_read(&elf, SHT_SYMTAB, false, &draft, &rust);
		check(draft.overflow == shared, "%s", shared ? "are not all looked at" : "those that have their own are");
		draft_drop(&draft);
		for (size_t i = 1; i <= SHARING; i++)
			((Elf64_Sym *)(data.data + symbols->offset))[i].st_name = 1;
	}
	elf_close(&elf);
	buffer_free(&data);
	buffer_free(&name);
}

int main(void)
{
	by_hand(false);
	by_hand(true);
	runtimes();
	kinds();
	ceilings();
	shared_names();
	to_and_fro();
	debug_files();
	real_files();
	hostile();
	return check_end();
}
