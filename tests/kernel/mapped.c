// SPDX-License-Identifier: GPL-2.0
#include "mapped.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workload.h"

/* ------------------------------------------------------------------------------------------------ what is mapped */

static bool next_mapped(FILE *maps, struct mapped *mapped, bool *executable)
{
	unsigned long start, end, offset;
	char line[512], rights[8];

	if (!fgets(line, sizeof(line), maps))
		return false;
	mapped->path[0] = '\0';
	if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %255[^\n]", &start, &end, rights, &offset, mapped->path) < 4)
		errx(1, "maps: %s", line);
	mapped->start = start;
	mapped->end = end;
	mapped->offset = offset;
	*executable = rights[2] == 'x';
	return true;
}

static FILE *open_maps(pid_t pid)
{
	char path[64];
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "r");
	if (!maps)
		err(1, "%s", path);
	return maps;
}

bool find_mapped(pid_t pid, uint64_t address, struct mapped *mapped)
{
	FILE *maps = open_maps(pid);
	bool found = false, executable;

	while (!found && next_mapped(maps, mapped, &executable))
		found = address >= mapped->start && address < mapped->end;
	fclose(maps);
	return found;
}

bool find_mapped_file(pid_t pid, const char *path, uint64_t offset, struct mapped *mapped)
{
	FILE *maps = open_maps(pid);
	bool found = false, executable;

	while (!found && next_mapped(maps, mapped, &executable))
		found = executable && !strcmp(mapped->path, path) && offset >= mapped->offset &&
			offset < mapped->offset + (mapped->end - mapped->start);
	fclose(maps);
	return found;
}

uint64_t offset_of(const void *function)
{
	struct mapped mapped;

	if (!find_mapped(getpid(), (uint64_t)function, &mapped))
		errx(1, "%p is not mapped", function);
	return (uint64_t)function - mapped.start + mapped.offset;
}

uint32_t leaf_file(const struct ktally_stack *stack, uint64_t begin, uint64_t end)
{
	uint64_t leaf;

	if (!stack->user_frames)
		return 0;
	leaf = stack->frames[stack->kernel_frames];
	return frame_is_file(leaf) && frame_offset(leaf) >= begin && frame_offset(leaf) < end ? frame_file(leaf) : 0;
}

/* ------------------------------------------------------------------------------------------------ code */

void write_code(const char *path, char mark)
{
	/* push %rbp; mov %rsp, %rbp; 1: dec %rdi; jnz 1b; pop %rbp; ret */
	static const unsigned char function[] = { 0x55, 0x48, 0x89, 0xe5, 0x48, 0xff, 0xcf, 0x75, 0xfb, 0x5d, 0xc3 };
	char content[CODE_BYTES] = {};
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

	memcpy(content + CODE_OFFSET, function, sizeof(function));
	content[CODE_BYTES - 1] = mark;
	if (fd < 0 || write(fd, content, sizeof(content)) != sizeof(content))
		err(1, "%s", path);
	close(fd);
}

code map_code(const char *path, void *address)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *page = mmap(address, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | (address ? MAP_FIXED_NOREPLACE : 0), fd, 4096);

	if (page == MAP_FAILED)
		err(1, "%s", path);
	close(fd);
	return (code)(uintptr_t)(page + CODE_OFFSET % 4096);
}

void unmap_code(code function)
{
	munmap((void *)((uintptr_t)function & ~4095UL), 4096);
}

/* ------------------------------------------------------------------------------------------------ files */

struct ktally_setup files_setup(const pid_t *pids, uint32_t count)
{
	return (struct ktally_setup) {
		.sources = KTALLY_SOURCE_ONCPU,
		.capture = KTALLY_CAPTURE_USER | KTALLY_CAPTURE_FILES,
		.rate = 997,
		.ring_bytes = 1 << 20,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
		.pids = (uintptr_t)pids,
		.pid_count = count,
	};
}

bool is_same_content(int a, int b)
{
	static char of_a[65536], of_b[65536];
	off_t at = 0;

	for (;;) {
		ssize_t bytes = pread(a, of_a, sizeof(of_a), at);

		if (bytes < 0 || bytes != pread(b, of_b, sizeof(of_b), at) || memcmp(of_a, of_b, (size_t)bytes))
			return false;
		if (!bytes)
			return at;
		at += bytes;
	}
}

int copy_file(const char *from, const char *to, mode_t mode)
{
	static char buffer[65536];
	int source = open(from, O_RDONLY | O_CLOEXEC), target = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	ssize_t bytes = -1;

	while (source >= 0 && target >= 0 && (bytes = read(source, buffer, sizeof(buffer))) > 0)
		if (write(target, buffer, (size_t)bytes) != bytes)
			break;
	if (bytes)
		return errno ? -errno : -EIO;
	if (fchmod(target, mode))
		return -errno;
	close(source);
	close(target);
	return 0;
}

void mount_memory(const char *directory)
{
	if (mkdir(directory, 0755) && errno != EEXIST)
		err(1, "%s", directory);
	if (mount("ktally", directory, "tmpfs", 0, "mode=0755"))
		err(1, "mount %s", directory);
}

double unmount(const char *directory, double seconds)
{
	uint64_t began = now_ns();

	while (umount(directory)) {
		if (errno != EBUSY)
			err(1, "umount %s", directory);
		if ((double)(now_ns() - began) / 1e9 > seconds)
			return -1;
		sleep_seconds(0.02);
	}
	return (double)(now_ns() - began) / 1e9;
}

long session_figure(const struct session *session, const char *name)
{
	char path[64], line[128];
	long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", session->fd);
	file = fopen(path, "r");
	if (!file)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			value = atol(line + strlen(name) + 1);
	fclose(file);
	return value;
}

/* ------------------------------------------------------------------------------------------------ spinning */

__asm__(".pushsection .text\n"
	".globl spin_here\n"
	"spin_here:\n"
	"	push %rbp\n"
	"	mov %rsp, %rbp\n"
	"1:	dec %rdi\n"
	"	jnz 1b\n"
	"	pop %rbp\n"
	"	ret\n"
	".globl spin_here_end\n"
	"spin_here_end:\n"
	".popsection\n");

/* Before the harness gets to see that it was not meant. Without asking for the time, which would be code of no file. */
static __attribute__((constructor)) void spin_if_told(void)
{
	const char *rounds = getenv(SPIN_VARIABLE);

	if (!rounds)
		return;
	if (atol(rounds))
		spin_here((uint64_t)atol(rounds));
	else
		for (;;)
			spin_here(1000000);
	_exit(0);
}

void execute_spinner(const char *path, const char *rounds)
{
	char variable[64], *arguments[] = { (char *)(uintptr_t)"ktally-spinner", NULL }, *environment[] = { variable, NULL };

	snprintf(variable, sizeof(variable), SPIN_VARIABLE "=%s", rounds);
	execve(path, arguments, environment);
	err(127, "%s", path);
}
