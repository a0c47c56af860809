// SPDX-License-Identifier: GPL-2.0-or-later
#include <dwarf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <gelf.h>
#include <elfutils/libdw.h>

#include "base/message.h"
#include "symbols/debug.h"
#include "symbols/lines.h"
#include "symbols/proc.h"

#define DWARF_BYTES_MOST	(512U << 20)	/* unpacked */
#define RANGES_MOST		(1U << 20)
#define LINK_BYTES_MOST		4096
#define DEPTH_MOST		64
#define STEPS_MOST		(4U << 20)	/* entries of a unit that are looked at for one address */

struct range {
	uint64_t start, end;
	Dwarf_Off unit;
};

/* An ELF file as libdw sees it. */
struct opened {
	int fd;
	Elf *elf;
	Dwarf *dwarf;
};

struct lines {
	struct opened main, common;	/* common: what dwz took out of several files */
	struct range *ranges;		/* of the units of compilation, sorted */
	size_t count, capacity;
};

static bool has_dwarf(const struct elf *elf)
{
	const struct elf_section *section = elf_find_section(elf, ".debug_info");

	return section && section->type == SHT_PROGBITS;
}

/* Compressed sections say themselves how much comes of them. */
static bool is_small_enough(const struct elf *elf)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < elf->section_count; i++) {
		const struct elf_section *section = &elf->sections[i];
		uint64_t bytes = section->bytes;
		Elf64_Chdr header;

		if (strncmp(elf_section_name(elf, section), ".debug_", 7) && !(section->flags & SHF_COMPRESSED))
			continue;
		if (section->flags & SHF_COMPRESSED) {
			if (!elf->is64 || elf_read(elf, section->offset, &header, sizeof(header)))
				return false;
			bytes = header.ch_size;
		}
		if (section->type != SHT_NOBITS && (__builtin_add_overflow(sum, bytes, &sum) || sum > DWARF_BYTES_MOST))
			return false;
	}
	return elf_find_section(elf, ".zdebug_info") == NULL;
}

static void close_opened(struct opened *opened)
{
	dwarf_end(opened->dwarf);
	elf_end(opened->elf);
	if (opened->fd >= 0)
		close(opened->fd);
	*opened = (struct opened){ .fd = -1 };
}

/* libdw 0.188 goes on reading where the last string does not end. */
static bool ends_strings(Elf *elf)
{
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return false;
	for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
		GElf_Shdr header;
		const char *name = gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
		Elf_Data *data;

		if (!name || strncmp(name, ".debug_", 7))
			continue;
		if ((header.sh_flags & SHF_COMPRESSED) && elf_compress(section, 0, 0) < 0)
			return false;
		if (strcmp(name, ".debug_str") && strcmp(name, ".debug_line_str"))
			continue;
		data = elf_getdata(section, NULL);
		if (data && data->d_size && (!data->d_buf || ((const char *)data->d_buf)[data->d_size - 1]))
			return false;
	}
	return true;
}

/* Takes the descriptor. Read, not mapped: see elf.h. */
static bool open_dwarf(struct opened *opened, int fd)
{
	elf_version(EV_CURRENT);
	*opened = (struct opened){ .fd = fd };
	opened->elf = elf_begin(fd, ELF_C_READ, NULL);
	opened->dwarf = opened->elf && ends_strings(opened->elf) ? dwarf_begin_elf(opened->elf, DWARF_C_READ, NULL) : NULL;
	if (opened->dwarf)
		return true;
	close_opened(opened);
	return false;
}

/* A path of dwz's common file and its build id: it counts only below our own root, and with that build id. */
static int open_common(const struct elf *elf, const struct elf_section *link, struct opened *opened)
{
	char text[LINK_BYTES_MOST];
	struct elf_source source = { .fd = -1, .any_type = true };
	struct elf common;
	size_t name;
	off_t bytes;
	int root, error = -ENOENT;

	if (link->bytes < 4 || link->bytes > sizeof(text) || elf_read(elf, link->offset, text, link->bytes))
		return -EBADMSG;
	name = strnlen(text, link->bytes);
	if (name == link->bytes || text[0] != '/')
		return -ENOENT;
	root = proc_open_root(0);
	if (root < 0)
		return root;
	source.fd = proc_open_in_root(root, text);
	close(root);
	bytes = source.fd >= 0 ? lseek(source.fd, 0, SEEK_END) : 0;
	source.bytes = bytes > 0 ? (uint64_t)bytes : 0;
	if (source.fd >= 0 && !elf_open(&common, &source)) {
		size_t id_bytes = link->bytes - name - 1;

		if (common.build_id_bytes == id_bytes && !memcmp(common.build_id, text + name + 1, id_bytes) &&
		    is_small_enough(&common) && !elf_find_section(&common, ".gnu_debugaltlink") &&
		    open_dwarf(opened, source.fd)) {
			source.fd = -1;
			error = 0;
		}
		elf_close(&common);
	}
	if (source.fd >= 0)
		close(source.fd);
	return error;
}

static int by_start(const void *a, const void *b)
{
	const struct range *one = a, *other = b;

	return one->start < other->start ? -1 : one->start > other->start;
}

static void add_ranges(struct lines *lines, Dwarf_Die *unit)
{
	Dwarf_Addr base, start, end;

	for (ptrdiff_t at = 0; lines->count < RANGES_MOST && (at = dwarf_ranges(unit, at, &base, &start, &end)) > 0;) {
		if (start >= end)
			continue;
		if (lines->count == lines->capacity) {
			lines->capacity = lines->capacity ? lines->capacity * 2 : 64;
			lines->ranges = memory_resized(lines->ranges, lines->capacity, sizeof(*lines->ranges));
		}
		lines->ranges[lines->count++] = (struct range){ start, end, dwarf_dieoffset(unit) };
	}
}

/* Units whose contents are in another file (split DWARF) are left out: libdw would open what the file names. */
static void index_units(struct lines *lines)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Die die;
	uint8_t type;

	while (!dwarf_get_units(lines->main.dwarf, unit, &unit, NULL, &type, &die, NULL) && lines->count < RANGES_MOST)
		if (type == DW_UT_compile)
			add_ranges(lines, &die);
	if (lines->count)
		qsort(lines->ranges, lines->count, sizeof(*lines->ranges), by_start);
}

static int open_elf(struct lines *lines, const struct elf *elf)
{
	const struct elf_section *link = elf_find_section(elf, ".gnu_debugaltlink");
	int error, fd;

	if (!has_dwarf(elf))
		return -ENOENT;
	if (!is_small_enough(elf))
		return -EFBIG;
	error = link ? open_common(elf, link, &lines->common) : 0;
	if (error)
		return error;	/* half of the names would be missing, and libdw would go and look for them */
	fd = fcntl(elf->source.fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!open_dwarf(&lines->main, fd))
		return -EBADMSG;
	if (link)
		dwarf_setalt(lines->main.dwarf, lines->common.dwarf);
	index_units(lines);
	return 0;
}

int lines_open(struct lines **result, const struct elf_source *source, const char *path, int root)
{
	struct lines *lines;
	struct elf elf, debug;
	int error = elf_open(&elf, source);

	if (error)
		return error;
	lines = memory_zeroed(1, sizeof(*lines));
	lines->main.fd = lines->common.fd = -1;
	error = open_elf(lines, &elf);
	if (error == -ENOENT && !debug_open(&elf, path, root, &debug)) {
		int fd = debug.source.fd;

		error = open_elf(lines, &debug);
		elf_close(&debug);
		close(fd);
	}
	elf_close(&elf);
	if (error)
		lines_close(lines);
	else
		*result = lines;
	return error;
}

void lines_close(struct lines *lines)
{
	if (!lines)
		return;
	close_opened(&lines->main);
	close_opened(&lines->common);
	free(lines->ranges);
	free(lines);
}

static const char *name_of(Dwarf_Die *die)
{
	static const unsigned int names[] = { DW_AT_linkage_name, DW_AT_MIPS_linkage_name, DW_AT_name };
	const char *name = NULL;
	Dwarf_Attribute attribute;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !name; i++)
		name = dwarf_formstring(dwarf_attr_integrate(die, names[i], &attribute));
	return name;
}

static unsigned int number_of(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word number;

	if (dwarf_formudata(dwarf_attr(die, name, &attribute), &number) || number > INT32_MAX)
		return 0;
	return (unsigned int)number;
}

/* Where a function was inlined: the place in what it was inlined into. */
static void call_of(Dwarf_Die *unit, Dwarf_Die *die, struct line *line)
{
	Dwarf_Files *files;
	size_t count;
	unsigned int file = number_of(die, DW_AT_call_file);

	*line = (struct line){ .line = number_of(die, DW_AT_call_line) };
	if (!dwarf_getsrcfiles(unit, &files, &count) && file < count)
		line->file = dwarf_filesrc(files, file, NULL, NULL);
}

static bool find_unit(const struct lines *lines, uint64_t address, Dwarf_Die *unit)
{
	size_t low = 0, high = lines->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (lines->ranges[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low && address < lines->ranges[low - 1].end &&
	       dwarf_offdie(lines->main.dwarf, lines->ranges[low - 1].unit, unit);
}

/* What encloses an address, the outermost first. Bounded, as dwarf_getscopes() is not. */
struct scopes {
	Dwarf_Die list[DEPTH_MOST];
	size_t count;
	unsigned int steps;
};

/* Namespaces and types have no addresses, but functions within. */
static bool enclose(Dwarf_Die *die, uint64_t address, unsigned int depth, struct scopes *scopes)
{
	Dwarf_Die child;

	if (depth >= DEPTH_MOST || dwarf_child(die, &child))
		return false;
	do {
		int tag = dwarf_tag(&child);
		bool is_code = tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine ||
			       tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
		bool may_have_code = tag == DW_TAG_namespace || tag == DW_TAG_class_type ||
				     tag == DW_TAG_structure_type || tag == DW_TAG_module;

		if (++scopes->steps > STEPS_MOST)
			return true;
		if (is_code && dwarf_haspc(&child, address) > 0) {
			if (scopes->count < DEPTH_MOST)
				scopes->list[scopes->count++] = child;
			enclose(&child, address, depth + 1, scopes);
			return true;
		}
		if (may_have_code && enclose(&child, address, depth + 1, scopes))
			return true;
	} while (!dwarf_siblingof(&child, &child));
	return false;
}

/* Functions that are inlined where the address is, from the inside out. */
static size_t find_inlined(Dwarf_Die *unit, uint64_t address, struct line *list)
{
	struct scopes scopes = { .count = 0 };
	size_t found = 0;

	enclose(unit, address, 0, &scopes);
	for (size_t i = scopes.count; i-- && found + 1 < LINES_MOST;) {
		int tag = dwarf_tag(&scopes.list[i]);

		if (tag == DW_TAG_subprogram)
			break;
		if (tag != DW_TAG_inlined_subroutine)
			continue;
		list[found].function = name_of(&scopes.list[i]);
		call_of(unit, &scopes.list[i], &list[++found]);
	}
	return found;
}

size_t lines_find(struct lines *lines, uint64_t address, struct line *list)
{
	Dwarf_Die unit;
	Dwarf_Line *line;
	size_t inlined;
	int number = 0;

	if (!find_unit(lines, address, &unit))
		return 0;
	list[0] = (struct line){ 0 };
	inlined = find_inlined(&unit, address, list);
	line = dwarf_getsrc_die(&unit, address);
	if (line) {
		list[0].file = dwarf_linesrc(line, NULL, NULL);
		list[0].line = !dwarf_lineno(line, &number) && number > 0 ? (unsigned int)number : 0;
	}
	return inlined + 1;
}
