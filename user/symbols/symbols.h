/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names for frames: the kernel's from /proc/kallsyms, those of files from their ELF symbol tables, found by the number
 * that the device gave to the file, or through the mappings of an address space. Each file is read once, when first needed; memory is bounded by dropping the
 * tables that were used longest ago. Everything read here is hostile: file contents, /proc text, lengths.
 */
#ifndef KTALLY_SYMBOLS_H
#define KTALLY_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/ktally.h>

#include "base/pool.h"
#include "profile/frame.h"
#include "symbols/elf.h"

struct symbols;
struct errands;
struct file;

struct symbols_statistics {
	uint64_t files;			/* symbol tables in memory */
	uint64_t bytes;			/* what they take */
	uint64_t frames_named, frames_unknown;
	uint64_t files_failed;		/* could not be opened, were not the mapped file any more, or were not ELF */
	uint64_t files_evicted;		/* symbol tables dropped to stay below the ceiling */
	uint64_t names_refused;		/* because their process or its user has its share of what names may take */
	uint64_t names_forgotten;	/* to make room */
	uint32_t refused_user;		/* the last one who was refused; POOL_NOBODY: not known */
};

/*
 * Ceiling for the symbol tables of files, 0: 32 MiB. Names that were shown take up to half as much again.
 */
struct symbols *symbols_create(size_t most_bytes);
void symbols_destroy(struct symbols *symbols);

/*
 * Kernel names: text of /proc/kallsyms. 0; -EPERM: the addresses are hidden (all zero): kptr_restrict or no CAP_SYSLOG;
 * -errno.
 */
int symbols_load_kernel(struct symbols *symbols, const char *text, size_t bytes);
int symbols_read_kernel(char **text, size_t *bytes);	/* from /proc/kallsyms, only text symbols (tTwW); malloc()ed */

/* Whether the kernel has a function of that name (for checking rules against this kernel). */
bool symbols_kernel_has(const struct symbols *symbols, const char *prefix_or_name, bool prefix);

/* The executable mappings of an address space: text in the form of /proc/PID/maps. Replaces what was known of mm_id. */
void symbols_set_mappings(struct symbols *symbols, uint64_t mm_id, uint32_t pid, const char *executable,
			  const char *text, size_t bytes);

/* When the process began that they are of, in the kernel's ticks: what tells it from another one that has its number later. */
void symbols_set_start(struct symbols *symbols, uint64_t mm_id, uint64_t ticks);
bool symbols_have_mappings(const struct symbols *symbols, uint64_t mm_id);
bool symbols_address_is_mapped(const struct symbols *symbols, uint64_t mm_id, uint64_t address);
const char *symbols_executable(const struct symbols *symbols, uint64_t mm_id);	/* path, interned; NULL */
void symbols_forget(struct symbols *symbols, uint64_t mm_id);

/*
 * Names and tables are kept for the users and processes that need them, each of whom has a share (pool.h), once this was called: where
 * they are of one capture, there is nobody to be protected from anybody. What a process tells of its just-in-time compiled code is then read
 * in pieces, one at a time when a name is asked for. Whose an address space is: before its mappings are set.
 */
void symbols_divide(struct symbols *symbols);
void symbols_set_user(struct symbols *symbols, uint64_t mm_id, uint32_t user);
bool symbols_are_unread(const struct symbols *symbols, uint64_t mm_id);	/* there are more pieces */
void symbols_get_holder(const struct symbols *symbols, uint64_t mm_id, struct pool_holder *holder);

/* As names_forget(): names that nobody asked for since the last time. It is worth while when there are many. */
void symbols_forget_names(struct symbols *symbols);
bool symbols_have_many_names(const struct symbols *symbols);

/* Reads /proc/PID/maps (executable mappings only) and /proc/PID/exe. malloc()ed. -ESRCH when the process is gone. */
int symbols_read_mappings(uint32_t pid, char **executable, char **text, size_t *bytes);

/* A file that frames name by number (KTALLY_FRAME_FILE), as far as it is known. */
struct symbols_file {
	struct ktally_file identity;	/* as it was announced */
	const char *path;		/* "": not known */
	bool deleted;			/* when it was opened, nothing had its path any more, or something else */
	int error;			/* -errno of opening it, 0 */
	uint32_t owner;			/* user whose file it is, of one that was opened */
	bool awaited;			/* it was told of, and has not been opened yet */
	bool downloading;		/* it has more names than these, once its debug file has come */
	uint8_t build_id[ELF_BUILD_ID_MOST];
	size_t build_id_bytes;
	int fd;				/* of a copy, the symbols' own from now on; -1: there is none */
	struct file *names;		/* what was read of it, the symbols' own from now on; NULL: to be read when needed */
};

typedef void symbols_file_use(void *context, const struct symbols_file *file);

void symbols_set_file(struct symbols *symbols, const struct symbols_file *file);
const struct symbols_file *symbols_find_file(struct symbols *symbols, uint32_t number);	/* NULL: nobody told of it */
void symbols_each_file(const struct symbols *symbols, symbols_file_use *use, void *context);
void symbols_forget_files(struct symbols *symbols);	/* those that nobody looked for since the last time */

/*
 * Symbols that were dropped are read again when they are needed: right then, or, for who must not wait that long, by somebody
 * else, who is told of which files and gives them back; *names are the symbols' own then, NULL: they could not be read. So is what
 * processes name: by who runs the errands (errand.h). Then it is known whether any name of those asked for since the last time is still
 * to come from there, soon; one that takes longer comes when it is asked for later.
 */
void symbols_leave_reading(struct symbols *symbols, const struct errands *errands);
bool symbols_were_awaited(struct symbols *symbols);
const struct errands *symbols_errands(const struct symbols *symbols);	/* for what else is asked of processes */
bool symbols_are_awaited(const struct symbols *symbols, uint32_t number);	/* from who reads them */
bool symbols_were_dropped(const struct symbols *symbols, uint32_t number);	/* and can be read again */
void symbols_set_names(struct symbols *symbols, uint32_t number, struct file *names);
bool symbols_are_downloading(const struct symbols *symbols, uint32_t number);
void symbols_end_download(struct symbols *symbols, uint32_t number, struct file *names);	/* NULL: it did not come */

/*
 * What has its path now: a descriptor; -ESTALE: another file; -errno. On another host, the same build id is the same program. Here,
 * where it was sampled, it is that very file or none: whoever may make a file at a path can give it any build id.
 */
int symbols_open_path(const struct symbols_file *file);
int symbols_open_path_here(const struct symbols_file *file);

/*
 * Fills in frame->function, object, build_id, object_address, function_offset and kind from frame->address and file. `kernel` says
 * which sort it is.
 */
void symbols_name(struct symbols *symbols, uint64_t mm_id, bool kernel, struct frame *frame);

/* Why a frame has no name. */
enum symbols_lack {
	SYMBOLS_LACK_NOTHING,
	SYMBOLS_LACK_KERNEL,		/* the kernel's own table */
	SYMBOLS_LACK_MAPPINGS,		/* nobody read those of the process while it was there */
	SYMBOLS_LACK_MAPPING,		/* no code is known to be there */
	SYMBOLS_LACK_FILE,		/* it cannot be opened, or is another one now */
	SYMBOLS_LACK_ELF,		/* code from a file of another sort */
	SYMBOLS_LACK_TABLE,		/* stripped, and no debug file is here */
	SYMBOLS_LACK_FUNCTION,		/* it has its symbols, but none there */
	SYMBOLS_LACK_MAP,		/* just-in-time compiled, and nothing tells what */
	SYMBOLS_LACK_COMPILED,		/* the same, and what tells of other code does not of this */
};

struct symbols_diagnosis {
	enum symbols_lack lack;
	bool deleted;
	int error;			/* -errno of opening the file */
	char build_id[129];		/* in hexadecimal; "": it has none, or was not read */
};

void symbols_diagnose(struct symbols *symbols, uint64_t mm_id, const struct frame *frame,
		      struct symbols_diagnosis *diagnosis);

/*
 * Opens the file that a frame is in, and the root below which its debug file may be, which is ours. *key is the same for the same
 * file. 0 or -errno.
 */
struct symbols_opened {
	int fd;
	uint64_t bytes, key;
	int root;			/* -1: there is none */
	char *path;			/* to be freed */
};

int symbols_open(struct symbols *symbols, uint64_t mm_id, const struct frame *frame, struct symbols_opened *opened);
void symbols_close(struct symbols_opened *opened);

/*
 * Names for [vdso], from the image that this process has: right when the mappings are those of the kernel that runs
 * now.
 */
void symbols_use_own_vdso(struct symbols *symbols);

/*
 * Language runtime of the program that an address space runs, by its name, its contents and its libraries: "go" (has Go
 * build info), "rust", "cpython", "v8js", "jvm", "perl", "ruby", "php", "beam", "dotnet"; NULL: native. Cached. Asked
 * for the address space, as a path can be another file in each container.
 */
const char *symbols_runtime(struct symbols *symbols, uint64_t mm_id);
const char *symbols_known_runtime(const struct symbols *symbols, uint64_t mm_id);	/* without looking for it; NULL: nor is it known */

void symbols_get_statistics(const struct symbols *symbols, struct symbols_statistics *statistics);

#endif
