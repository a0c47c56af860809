// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * unwind/unwind.h: the tables of this machine's own files say the same as elfutils' libdw, which reads .eh_frame and
 * .debug_frame quite differently, at every place where something changes and at random ones between.
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
		error = unwind_read(&subject->table, &subject->elf, NULL, UNWIND_TABLE_BYTES_MOST, &subject->statistics);
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

static void walk(struct subject *subject, const struct elf_segment *segment, unsigned int every, struct counts *counts)
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
			if (rule->kind != KTALLY_UNWIND_NONE && !subject->is_go) {	/* Go's cover padding too */
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
		if (random_number() % every == 0) {
			compare(subject, frame, segment, address, counts);
			compare(subject, frame, segment, row_end - 1, counts);
			compare(subject, frame, segment, address + random_number() % (row_end - address), counts);
		}
		free(frame);
		address = row_end;
	}
}

static void same_as_libdw(const char *path, unsigned int every)
{
	struct counts counts = { 0 };
	struct subject subject;
	int error = subject_open(&subject, path);

	if (error == -ENOENT) {
		check_skip("not on this machine", "%s", path);
		return;
	}
	if (!check_number(error, 0, "%s is read", path))
		return;
	check_number(unwind_table_check(&subject.table), 0, "%s: a valid table", path);
	for (size_t i = 0; i < subject.elf.segment_count; i++)
		if (subject.elf.segments[i].executable)
			walk(&subject, &subject.elf.segments[i], every, &counts);
	printf("# %s: %lu functions, %lu rows, %lu rules, %lu bytes; lost: %lu cfa, %lu return address, %lu saved; "
	       "%lu malformed; %lu of %lu bytes uncovered\n", path,
	       subject.statistics.functions[0] + subject.statistics.functions[1] + subject.statistics.functions[2] +
	       subject.statistics.functions[3],
	       subject.statistics.rows, subject.statistics.rules, subject.statistics.bytes, subject.statistics.lost_cfa,
	       subject.statistics.lost_return_address, subject.statistics.lost_saved, subject.statistics.malformed,
	       subject.statistics.uncovered_bytes, subject.statistics.code_bytes);
	printf("# %s: %lu places compared in %lu of libdw's rows; %lu given up, %lu not in all registers\n", path,
	       counts.places, counts.rows, counts.given_up, counts.inexact);
	check_number(counts.wrong, 0, "%s: as libdw says", path);
	check(counts.places > 10, "%s: compared at many places", path);
	check(subject.is_go == (counts.ends > 0) && counts.ends < 100, "%s: where goroutines begin", path);
	check((counts.given_up + counts.inexact) * 1000 <= counts.places, "%s: hardly a rule is missing", path);
	subject_close(&subject);
}

int main(int argc, char **argv)
{
	static const char *const files[] = {
		"/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
		"/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "/lib64/ld-linux-x86-64.so.2", "/usr/bin/python3",
		"/usr/bin/perl", "/usr/bin/git", "/usr/lib/gcc/x86_64-linux-gnu/12/cc1",
	};

	for (int i = 1; i < argc; i++)
		same_as_libdw(argv[i], 1);
	for (size_t i = 0; argc == 1 && i < sizeof(files) / sizeof(files[0]); i++)
		same_as_libdw(files[i], 1);
	return check_end();
}
