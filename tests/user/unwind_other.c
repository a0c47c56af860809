// SPDX-License-Identifier: GPL-2.0-or-later
/* unwind/sframe.h, unwind/pclntab.h: sections made by hand, and broken. Go's own files are compared in unwind.c. */
#include "fake_frames.h"

#define ADDRESS		(FAKE_TEXT_ADDRESS + 0x100)

struct sframe_header {
	uint16_t magic;
	uint8_t version, flags, abi;
	int8_t rbp, return_address;
	uint8_t extra;
	uint32_t functions, rows, row_bytes, functions_at, rows_at;
} __attribute__((packed));

struct sframe_function {
	int32_t start;
	uint32_t bytes, rows_at, rows;
	uint8_t info, repeated;
	uint16_t padding;
} __attribute__((packed));

struct sframe_function_3 {
	int64_t start;
	uint32_t bytes, rows_at;
} __attribute__((packed));

struct sframe_rows_3 {
	uint16_t rows;
	uint8_t info, more, repeated;
} __attribute__((packed));

static const struct sframe_header plain_header = {
	.magic = 0xdee2, .version = 2, .flags = 1, .abi = 3, .return_address = -8, .functions = 1, .rows = 3,
};

static struct fake_table read_sframe(struct sframe_header header, const void *functions, size_t function_bytes,
				     const void *rows, size_t row_bytes)
{
	struct buffer section = { 0 };
	struct fake_table fake;

	if (!header.row_bytes)
		header.row_bytes = (uint32_t)row_bytes;
	if (!header.rows_at)
		header.rows_at = (uint32_t)function_bytes;
	buffer_append(&section, &header, sizeof(header));
	for (unsigned int i = 0; i < header.extra; i++)
		put_number(&section, 0xff, 1);
	buffer_append(&section, functions, function_bytes);
	buffer_append(&section, rows, row_bytes);
	fake = read_fake_section(".sframe", &section);
	buffer_free(&section);
	return fake;
}

#define INFO(rsp, words, width)	((rsp) | (words) << 1 | (width) << 5)

static void sframe_2(void)
{
	static const uint8_t rows[] = { 0, INFO(1, 1, 0), 8, 1, INFO(1, 2, 0), 16, 0xf0, 4, INFO(0, 2, 1), 16, 0, 0xf0, 0xff,
					32, INFO(0, 0, 0) };
	static const uint8_t wide_rows[] = { 0, 0, 0, 0, INFO(1, 1, 2), 0, 0, 1, 0, 0, 1, 0, 0, INFO(1, 1, 0), 8 };
	static const uint8_t two[] = { 0, 0, INFO(1, 1, 0), 8, 0, 1, INFO(1, 1, 0), 16 };
	struct sframe_function function = { .start = ADDRESS, .bytes = 0x400, .rows = 4 };
	struct sframe_header header = plain_header;
	struct fake_table fake = read_sframe(header, &function, sizeof(function), rows, sizeof(rows));

	check_string(fake_rule(&fake, 0x100), "rsp+8", "sframe 2: first row");
	check_string(fake_rule(&fake, 0x101), "rsp+16 rbp-16", "sframe 2: rbp saved");
	check_string(fake_rule(&fake, 0x104), "rbp+16 rbp-16", "sframe 2: words of two bytes");
	check_string(fake_rule(&fake, 0x120), "end", "sframe 2: no words, no caller");
	check_string(fake_rule(&fake, 0x4ff), "end", "sframe 2: to the end");
	check_string(fake_rule(&fake, 0x500), "none", "sframe 2: not past it");
	check_number(fake.statistics.functions[UNWIND_SFRAME], 1, "sframe 2: a function");
	free_fake(&fake);

	header.flags = 5;
	header.extra = 4;
	function.start = ADDRESS - (int)sizeof(header) - 4;
	fake = read_sframe(header, &function, sizeof(function), rows, sizeof(rows));
	check_string(fake_rule(&fake, 0x101), "rsp+16 rbp-16", "sframe 2: relative to the field, longer header");
	free_fake(&fake);

	header = plain_header;
	header.rbp = -16;
	function = (struct sframe_function){ .start = ADDRESS, .bytes = 0x400, .rows = 2, .info = 2 };
	fake = read_sframe(header, &function, sizeof(function), wide_rows, sizeof(wide_rows));
	check_string(fake_rule(&fake, 0x100), "rsp+65536 rbp-16", "sframe 2: words of four bytes, rbp always saved");
	check_string(fake_rule(&fake, 0x200), "rsp+8 rbp-16", "sframe 2: places of four bytes");
	free_fake(&fake);

	function = (struct sframe_function){ .start = ADDRESS, .bytes = 0x400, .rows = 2, .info = 1 };
	fake = read_sframe(plain_header, &function, sizeof(function), two, sizeof(two));
	check_string(fake_rule(&fake, 0x1ff), "rsp+8", "sframe 2: places of two bytes, before");
	check_string(fake_rule(&fake, 0x200), "rsp+16", "sframe 2: places of two bytes");
	free_fake(&fake);
}

static void sframe_stubs(void)
{
	static const uint8_t rows[] = { 0, INFO(1, 1, 0), 16, 11, INFO(1, 1, 0), 24 };
	static const uint8_t other[] = { 0, INFO(1, 1, 0), 16, 11, INFO(1, 1, 0), 32 };
	struct sframe_function function = { .start = ADDRESS, .bytes = 0x100, .rows = 2, .info = 0x10, .repeated = 16 };
	struct fake_table fake = read_sframe(plain_header, &function, sizeof(function), rows, sizeof(rows));

	check_string(fake_rule(&fake, 0x180), "rsp+16 plt 11", "sframe: stubs");
	free_fake(&fake);
	fake = read_sframe(plain_header, &function, sizeof(function), other, sizeof(other));
	check_string(fake_rule(&fake, 0x180), "none", "sframe: stubs of another kind");
	check_number(fake.statistics.lost_cfa, 1, "sframe: stubs of another kind are counted");
	free_fake(&fake);
	function.start++;
	fake = read_sframe(plain_header, &function, sizeof(function), rows, sizeof(rows));
	check_string(fake_rule(&fake, 0x180), "none", "sframe: stubs that are not aligned");
	free_fake(&fake);
}

#define CONTROL(number, deref, is_register)	((number) << 3 | (deref) << 1 | (is_register))

static void sframe_3(void)
{
	struct sframe_header header = plain_header;
	struct sframe_function_3 function = { .start = ADDRESS, .bytes = 0x80 };
	static const struct {
		const char *name, *rule;
		uint8_t info, more;
		uint8_t row[16];
	} list[] = {
		{ "plain", "rsp+16 rbp-16", 0, 0, { 0, INFO(1, 2, 0), 16, 0xf0 } },
		{ "signal", "signal", 0x80, 0, { 0, INFO(1, 1, 0), 16 } },
		{ "flexible", "r10+0", 0, 1, { 0, INFO(0, 2, 0), CONTROL(10, 0, 1), 0 } },
		{ "flexible: DRAP", "*(rbp-8)+0 rbp=rbp+0", 0, 1,
		  { 0, INFO(0, 5, 0), CONTROL(6, 1, 1), 0xf8, 0, CONTROL(6, 1, 1), 0 } },
		{ "flexible: rbp at the CFA", "r10+8 rbp-16", 0, 1,
		  { 0, INFO(0, 5, 0), CONTROL(10, 0, 1), 8, 0, CONTROL(0, 1, 0), 0xf0 } },
		{ "flexible: return address as always", "r10+8", 0, 1,
		  { 0, INFO(0, 4, 0), CONTROL(10, 0, 1), 8, CONTROL(0, 1, 0), 0xf8 } },
		{ "flexible: return address elsewhere", "none", 0, 1,
		  { 0, INFO(0, 4, 0), CONTROL(10, 0, 1), 8, CONTROL(0, 1, 0), 0xf0 } },
		{ "flexible: rbp in a register", "none", 0, 1,
		  { 0, INFO(0, 5, 0), CONTROL(10, 0, 1), 8, 0, CONTROL(3, 0, 1), 0 } },
		{ "flexible: no caller", "end", 0, 1, { 0, INFO(0, 0, 0) } },
		{ "flexible: half", "none", 0, 1, { 0, INFO(0, 1, 0), CONTROL(10, 0, 1) } },
		{ "flexible: half of rbp", "none", 0, 1, { 0, INFO(0, 4, 0), CONTROL(10, 0, 1), 8, 0, CONTROL(6, 1, 1) } },
		{ "flexible: CFA from the CFA", "none", 0, 1, { 0, INFO(0, 2, 0), CONTROL(0, 1, 0), 8 } },
		{ "unknown kind", "none", 0, 2, { 0, INFO(1, 1, 0), 16 } },
		{ "unknown width of places", "none", 3, 0, { 0, INFO(1, 1, 0), 16 } },
		{ "unknown width of words", "none", 0, 0, { 0, INFO(1, 1, 3), 16 } },
	};

	header.version = 3;
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct sframe_rows_3 rows = { .rows = 1, .info = list[i].info, .more = list[i].more };
		uint8_t all[sizeof(rows) + sizeof(list[i].row)];
		struct fake_table fake;

		memcpy(all, &rows, sizeof(rows));
		memcpy(all + sizeof(rows), list[i].row, sizeof(list[i].row));
		fake = read_sframe(header, &function, sizeof(function), all, sizeof(all));
		check_string(fake_rule(&fake, 0x100), list[i].rule, "sframe 3: %s", list[i].name);
		free_fake(&fake);
	}
}

static void broken_sframe(void)
{
	static const uint8_t rows[] = { 0, INFO(1, 1, 0), 8, 8, INFO(1, 1, 0), 16, 4, INFO(1, 1, 0), 24 };
	static const struct {
		const char *name;
		size_t at, bytes;
		uint32_t value;
	} headers[] = {
#define HEADER(field)	offsetof(struct sframe_header, field), sizeof(((struct sframe_header *)0)->field)
		{ "magic", HEADER(magic), 0xe2de },
		{ "version 1", HEADER(version), 1 },
		{ "version 4", HEADER(version), 4 },
		{ "another machine", HEADER(abi), 2 },
		{ "another return address", HEADER(return_address), 0xf0 },
		{ "more functions than it has", HEADER(functions), 3 },
		{ "very many functions", HEADER(functions), UINT32_MAX },
		{ "functions past the end", HEADER(functions_at), 1000 },
		{ "rows past the end", HEADER(rows_at), 1000 },
		{ "more rows than it has", HEADER(row_bytes), 1000 },
	};
	struct sframe_function function = { .start = ADDRESS, .bytes = 0x400, .rows = 3 };
	struct fake_table fake = read_sframe(plain_header, &function, sizeof(function), rows, sizeof(rows));

	check_string(fake_rule(&fake, 0x107), "rsp+8", "broken sframe: before a row that goes back");
	check_string(fake_rule(&fake, 0x108), "none", "broken sframe: after it");
	check_number(fake.statistics.malformed, 1, "broken sframe: counted");
	free_fake(&fake);
	function.rows = 4;
	function.rows_at = 3;
	fake = read_sframe(plain_header, &function, sizeof(function), rows, 3 + 3);
	check_string(fake_rule(&fake, 0x108), "none", "broken sframe: fewer rows than it says");
	free_fake(&fake);
	function.rows_at = 1000;
	fake = read_sframe(plain_header, &function, sizeof(function), rows, sizeof(rows));
	check_string(fake_rule(&fake, 0x100), "none", "broken sframe: rows elsewhere");
	free_fake(&fake);
	function.rows = 1;
	function.rows_at = 0;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct sframe_header header = plain_header;

		memcpy((char *)&header + headers[i].at, &headers[i].value, headers[i].bytes);
		fake = read_sframe(header, &function, sizeof(function), rows, sizeof(rows));
		check_string(fake_rule(&fake, 0x100), "none", "broken sframe: %s", headers[i].name);
		free_fake(&fake);
	}
	for (size_t bytes = 0; bytes < sizeof(plain_header) + sizeof(function) + sizeof(rows); bytes++) {
		struct buffer section = { 0 };

		buffer_append(&section, &plain_header, sizeof(plain_header));
		buffer_append(&section, &function, sizeof(function));
		buffer_append(&section, rows, sizeof(rows));
		section.bytes = bytes;
		fake = read_fake_section(".sframe", &section);
		if (fake.error)
			check(false, "broken sframe: cut off after %zu bytes", bytes);
		free_fake(&fake);
		buffer_free(&section);
	}
}

static void go(void)
{
	static const uint32_t magics[] = { 0xfffffffa, 0xfffffff0, 0xfffffff1 };
	static const char *const names[] = { "1.16", "1.18", "1.20" };

	for (size_t i = 0; i < 3; i++) {
		struct buffer table = fake_pclntab(magics[i]);
		struct fake_table fake = read_fake_section(".gopclntab", &table);

		check_number(fake.statistics.functions[UNWIND_PCLNTAB], 2, "Go %s: functions", names[i]);
		check_string(fake_rule(&fake, 0x0ff), "none", "Go %s: before", names[i]);
		check_string(fake_rule(&fake, 0x100), "rsp+8", "Go %s: at first", names[i]);
		check_string(fake_rule(&fake, 0x104), "rsp+72", "Go %s: with a frame", names[i]);
		check_string(fake_rule(&fake, 0x11f), "rsp+72", "Go %s: to the end of it", names[i]);
		check_string(fake_rule(&fake, 0x120), "rsp+8", "Go %s: without again", names[i]);
		check_string(fake_rule(&fake, 0x140), "end", "Go %s: where goroutines begin", names[i]);
		check_string(fake_rule(&fake, 0x180), "none", "Go %s: after", names[i]);
		check_number(fake.statistics.malformed, 0, "Go %s: well-formed", names[i]);
		free_fake(&fake);

		/* Every byte of it, set to what breaks most. */
		for (size_t at = 0; at < table.bytes; at++) {
			char kept = table.data[at];

			table.data[at] = (char)0xff;
			fake = read_fake_section(".gopclntab", &table);
			if (fake.error)
				check(false, "Go %s: byte %zu broken", names[i], at);
			free_fake(&fake);
			table.data[at] = kept;
		}
		for (size_t bytes = 0; bytes < table.bytes; bytes++) {
			struct buffer part = { .data = table.data, .bytes = bytes };

			fake = read_fake_section(".gopclntab", &part);
			if (fake.error)
				check(false, "Go %s: cut off after %zu bytes", names[i], bytes);
			free_fake(&fake);
		}
		buffer_free(&table);
	}
}

/* Code that nothing describes, in a section of this name; what is said of it, from its beginning and 16 bytes later. */
static void undescribed(const char *name, const char *section, uint64_t entry, const uint8_t *code, size_t bytes,
			const char *const *rules)
{
	const struct fake_elf elf = { .section = section, .section_data = code, .section_bytes = bytes,
				      .section_address = ADDRESS, .code = code, .code_bytes = bytes };
	struct buffer file = fake_elf(&elf);
	struct fake_table fake;

	((Elf64_Ehdr *)file.data)->e_entry = entry;
	fake = read_fake(&file);
	for (unsigned int i = 0; i < 4; i++)
		check_string(fake_rule(&fake, FAKE_CODE + 8 * i), rules[i], "%s, after %u bytes", name, 8 * i);
	free_fake(&fake);
	buffer_free(&file);
}

static void linkers(void)
{
#define RULES(...)	(const char *const[]){ __VA_ARGS__ }
	undescribed("stubs", ".plt", 0,
		    BYTES(0xff, 0x35, 1, 2, 3, 4, 0xff, 0x25, 1, 2, 3, 4, 0x0f, 0x1f, 0x40, 0,
			  0xff, 0x25, 1, 2, 3, 4, 0x68, 0, 0, 0, 0, 0xe9, 1, 2, 3, 4),
		    RULES("rsp+16", "rsp+24", "rsp+8 plt 11", "rsp+8 plt 11"));
	undescribed("stubs with branch tracking", ".plt", 0,
		    BYTES(0xff, 0x35, 1, 2, 3, 4, 0xff, 0x25, 1, 2, 3, 4, 0x0f, 0x1f, 0x40, 0,
			  0xf3, 0x0f, 0x1e, 0xfa, 0x68, 0, 0, 0, 0, 0xe9, 1, 2, 3, 4, 0x66, 0x90),
		    RULES("rsp+16", "rsp+24", "rsp+8 plt 9", "rsp+8 plt 9"));
	undescribed("stubs of another kind", ".plt", 0,
		    BYTES(0xff, 0x35, 1, 2, 3, 4, 0xff, 0x25, 1, 2, 3, 4, 0x0f, 0x1f, 0x40, 0,
			  0xff, 0x25, 1, 2, 3, 4, 0x69, 0, 0, 0, 0, 0xe9, 1, 2, 3, 4),
		    RULES("none", "none", "none", "none"));
	undescribed("stubs that only jump", ".plt.sec", 0,
		    BYTES(0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0x25, 1, 2, 3, 4, 0x66, 0x0f, 0x1f, 0x44, 0, 0,
			  0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0x25, 1, 2, 3, 4, 0x66, 0x0f, 0x1f, 0x44, 0, 0),
		    RULES("rsp+8", "rsp+8", "rsp+8", "rsp+8"));
	undescribed("jumps in no section of stubs", ".plx", 0,
		    BYTES(0xff, 0x25, 1, 2, 3, 4, 0x66, 0x90), RULES("none", "none", "none", "none"));
	undescribed("an entry", ".x", ADDRESS, BYTES(0x31, 0xed, 0x49, 0x89, 0xd1), RULES("end", "end", "end", "end"));
	undescribed("an entry with branch tracking", ".x", ADDRESS, BYTES(0xf3, 0x0f, 0x1e, 0xfa, 0x31, 0xed),
		    RULES("end", "end", "end", "end"));
	undescribed("the dynamic linker's entry", ".x", ADDRESS, BYTES(0x48, 0x89, 0xe7, 0xe8, 1, 2, 3, 4),
		    RULES("end", "end", "end", "end"));
	undescribed("an entry elsewhere", ".x", ADDRESS + 8, BYTES(1, 2, 3, 4, 5, 6, 7, 8, 0x48, 0x31, 0xed),
		    RULES("none", "end", "end", "end"));
	undescribed("a library's first function as its entry", ".x", ADDRESS, BYTES(0x48, 0x8d, 0x3d, 1, 2, 3, 4),
		    RULES("none", "none", "none", "none"));
}

/* Go's own: what signal handlers return to, and the byte before, by which it is looked up. */
static void go_signal(void)
{
	struct buffer table = fake_pclntab(0xfffffff1), file;
	const struct fake_elf elf = { .section = ".gopclntab", .section_data = table.data, .section_bytes = table.bytes,
				      .code = "\xb8\x0f\0\0\0\x0f\x05", .code_bytes = 7 };
	struct fake_table fake;

	/* The first function is 32 bytes long then. */
	table.data[0x80 + 16 + 8] = 0x20;
	file = fake_elf(&elf);
	fake = read_fake(&file);
	check_string(fake_rule(&fake, 0x0fe), "none", "Go's return from a signal: not far before");
	check_string(fake_rule(&fake, 0x0ff), "signal", "Go's return from a signal: the byte before");
	check_string(fake_rule(&fake, 0x100), "signal", "Go's return from a signal");
	check_string(fake_rule(&fake, 0x120), "end", "Go's return from a signal: not after");
	free_fake(&fake);
	buffer_free(&file);
	buffer_free(&table);
}

int main(void)
{
	sframe_2();
	sframe_stubs();
	sframe_3();
	broken_sframe();
	go();
	go_signal();
	linkers();
	return check_end();
}
