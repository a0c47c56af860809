/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of frames in files need: files with code in them, sessions that see them, and what a process maps. */
#ifndef KTALLY_TEST_MAPPED_H
#define KTALLY_TEST_MAPPED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "device.h"

/* A mapping as /proc/PID/maps has it; false: nothing is mapped there. */
struct mapped {
	uint64_t start, end, offset;
	char path[256];
};

bool find_mapped(pid_t pid, uint64_t address, struct mapped *mapped);
/* The same by path and offset in the file, of what can be executed. */
bool find_mapped_file(pid_t pid, const char *path, uint64_t offset, struct mapped *mapped);
/* Of a function of this program: its offset in the program's file. */
uint64_t offset_of(const void *function);
/* The number of the file that the innermost user frame is in, if it is in it from offset @begin up to @end; 0: it is not. */
uint32_t leaf_file(const struct ktally_stack *stack, uint64_t begin, uint64_t end);

/*
 * A file of two pages with a function in the second that spins so many rounds; it keeps a frame pointer. Its content ends with
 * the mark.
 */
#define CODE_OFFSET 0x1040
#define CODE_END 0x1050
#define CODE_BYTES 0x2000
typedef void (*code)(uint64_t rounds);
void write_code(const char *path, char mark);
/* Maps the second page there (or anywhere if NULL), to be executed. */
code map_code(const char *path, void *address);
void unmap_code(code function);

/* All user frames of these processes, by file. */
struct ktally_setup files_setup(const pid_t *pids, uint32_t count);

/* Whether both have the same content, from the beginning. */
bool is_same_content(int a, int b);
/* Copies a file; 0 or -errno. */
int copy_file(const char *from, const char *to, mode_t mode);

/* A new file system in memory; and the end of it, after at most so many seconds: how many it took, -1: it stays busy. */
void mount_memory(const char *directory);
double unmount(const char *directory, double seconds);

/* A number of /proc/self/fdinfo of the session. */
long session_figure(const struct session *session, const char *name);

/*
 * This program, executed with KTALLY_MAPPED in its environment, does nothing but spin: so many rounds or, with 0, for ever.
 * spin_here() is what it spins in, up to spin_here_end.
 */
#define SPIN_VARIABLE "KTALLY_MAPPED"
void spin_here(uint64_t rounds);
extern const char spin_here_end[];
/* Never returns. */
void execute_spinner(const char *path, const char *rounds);

#endif /* KTALLY_TEST_MAPPED_H */
