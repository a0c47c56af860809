// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The stack of any process that somebody else has stopped, as the module would take it: kmod/unwind_user.c, with the tables
 * that the daemon would load.
 *
 * usage: stops PID
 *
 * For each line on standard input, the general registers by their DWARF numbers and rip, in hexadecimal, a line on standard
 * output: how the stack ends (KTALLY_END_*), and the frames' addresses.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kernel.h"
#include "table.h"
#include "unwind/unwind.h"
#include "unwind_user.h"

#define FRAMES_MAX	512
#define MAPPINGS_MAX	1024
#define FILES_MAX	256

struct program {
	dev_t device;
	ino_t inode;
	struct unwind_table made;
	struct ktally_table table;
	bool has_table;
};

static pid_t process;
static struct program programs[FILES_MAX];
static unsigned int program_count;
static struct mapping mappings[MAPPINGS_MAX];
static unsigned int mapping_count;

bool read_user(u64 address, void *to, size_t bytes)
{
	struct iovec local = { to, bytes }, remote = { (void *)(uintptr_t)address, bytes };

	return process_vm_readv(process, &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}

/* ------------------------------------------------------------------------------------------------ tables */

static void make_table(struct program *program, int fd, u64 bytes)
{
	const struct elf_source source = { .fd = fd, .bytes = bytes };
	struct unwind_statistics statistics;
	const struct unwind_table *made = &program->made;
	struct elf elf;

	if (elf_open(&elf, &source))
		return;
	program->has_table = !unwind_read(&program->made, &elf, NULL, KTALLY_UNWIND_BYTES_MAX, &statistics);
	elf_close(&elf);
	if (!program->has_table)
		return;
	program->table = (struct ktally_table) {
		.memo = calloc(1, KTALLY_TABLE_MEMO_BYTES), .rows = made->rows, .first_rows = made->first_row,
		.rules = made->rules, .first_chunk = made->first_chunk, .chunk_count = made->chunk_count,
		.row_count = made->row_count, .rule_count = made->rule_count,
	};
	must(program->table.memo && !ktally_table_check(&program->table));
}

static unsigned int find_program(const char *path)
{
	char below_root[4200];
	struct stat status;
	unsigned int i;
	int fd;

	snprintf(below_root, sizeof(below_root), "/proc/%d/root%s", process, path);
	fd = open(below_root, O_RDONLY | O_CLOEXEC);
	must(fd >= 0 && !fstat(fd, &status));
	for (i = 0; i < program_count; i++)
		if (programs[i].device == status.st_dev && programs[i].inode == status.st_ino)
			break;
	if (i == program_count) {
		must(program_count++ < FILES_MAX);
		programs[i].device = status.st_dev;
		programs[i].inode = status.st_ino;
		make_table(&programs[i], fd, (u64)status.st_size);
	}
	close(fd);
	return i;
}

static void add_mapping(const char *line)
{
	struct mapping *mapping = &mappings[mapping_count];
	char rights[5], path[4096];
	unsigned int program;

	if (sscanf(line, "%llx-%llx %4s %llx %*s %*s %4095[^\n]", &mapping->start, &mapping->end, rights, &mapping->offset,
		   path) != 5 || rights[2] != 'x' || path[0] != '/')
		return;
	program = find_program(path);
	mapping->file = program + 1;
	mapping->table = programs[program].has_table ? &programs[program].table : NULL;
	must(++mapping_count < MAPPINGS_MAX);
}

static void read_mappings(void)
{
	char path[64], line[8192];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", process);
	file = fopen(path, "re");
	must(file);
	mapping_count = 0;
	while (fgets(line, sizeof(line), file))
		add_mapping(line);
	fclose(file);
}

/* ------------------------------------------------------------------------------------------------ stacks */

static u64 address_of(u64 frame)
{
	u64 value = frame & KTALLY_FRAME_VALUE_MASK;
	const struct mapping *mapping = mappings;
	u64 offset = value & ((1ULL << 36) - 1);

	if (frame >> KTALLY_FRAME_TYPE_SHIFT == KTALLY_FRAME_USER)
		return value;
	while (mapping->file != value >> 36 || offset < mapping->offset || offset - mapping->offset >= mapping->end - mapping->start)
		mapping++;
	return offset - mapping->offset + mapping->start;
}

static bool read_registers(struct pt_regs *to)
{
	unsigned long *const order[] = {
		&to->ax, &to->dx, &to->cx, &to->bx, &to->si, &to->di, &to->bp, &to->sp,
		&to->r8, &to->r9, &to->r10, &to->r11, &to->r12, &to->r13, &to->r14, &to->r15, &to->ip,
	};

	*to = (struct pt_regs) { .cs = __USER_CS };
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (scanf("%lx", order[i]) != 1)
			return false;
	return true;
}

int main(int count, char **arguments)
{
	struct ktally_view view = { mappings, 0 };
	u64 frames[FRAMES_MAX];
	struct pt_regs registers;
	u8 end;

	if (count != 2) {
		fprintf(stderr, "usage: stops PID\n");
		return 2;
	}
	process = atoi(arguments[1]);
	while (read_registers(&registers)) {
		unsigned int found;

		read_mappings();
		view.count = mapping_count;
		found = ktally_unwind_user(&registers, &view, frames, FRAMES_MAX, &end);
		printf("%u", end);
		for (unsigned int i = 0; i < found; i++)
			printf(" %llx", address_of(frames[i]));
		printf("\n");
		fflush(stdout);
	}
	return 0;
}
