/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A capture file: the raw stream of the device, with what is needed to name its frames later and elsewhere.
 *
 * It begins with 8 bytes "KTALLY\0\1" and goes on in chunks: { u32 type, u32 zero, u64 bytes } and that many bytes,
 * padded with zeros to a multiple of 8. Chunk types that a reader does not know are skipped. A file that ends within a
 * chunk (the recorder was killed, the disk was full) is read up to there, and capture_next() says so. Readers treat all
 * of it as hostile.
 */
#ifndef KTALLY_CAPTURE_H
#define KTALLY_CAPTURE_H

#include <stddef.h>
#include <stdint.h>
#include <linux/ktally.h>

enum capture_chunk {
	CAPTURE_HOST = 1,	/* lines "key=value": hostname, release, machine, clock, rate, cpus (sampled),
				   realtime, monotonic (both ns, of one moment), command, cpus-left-out ("4-7") */
	CAPTURE_RECORDS = 2,	/* whole records, as read from the device */
	CAPTURE_KALLSYMS = 3,	/* text of /proc/kallsyms (text symbols only), zstd-compressed */
	CAPTURE_MAPPINGS = 4,	/* struct capture_mappings, then the executable's path, then text in /proc/PID/maps form
				   (executable mappings) */
	CAPTURE_FILE = 5,	/* struct capture_file, then the path, then the file, zstd-compressed, if it is there */
	CAPTURE_OWNER = 8,	/* struct capture_owner, then lines as owner_write() writes them (attribute/owner.h), of a cgroup
				   after "path=/..." */
	CAPTURE_ACCOUNT = 9,	/* lines "ID CHARGED SAMPLED": CPU time of a cgroup (0: of the host) since the chunk before, by the
				   kernel's account and by samples, ns */
};

/* Of an address space, or with an mm_id of 0 of a cgroup. */
struct capture_owner {
	uint64_t mm_id;
	uint64_t cgroup_id;
};

struct capture_mappings {
	uint64_t mm_id;
	uint32_t pid;
	uint32_t executable_bytes;
};

#define CAPTURE_BUILD_ID_BYTES	64

/* A file that frames name by number. Comes before the FILE record with its number. */
struct capture_file {
	struct ktally_file identity;	/* as it was announced */
	uint32_t path_bytes;		/* 0: not known */
	uint32_t build_id_bytes;	/* 0: it has none, or it was not read */
	uint32_t status;		/* KTALLY_FILE_* */
	int32_t error;			/* -errno of opening it, or 0 */
	uint64_t content_bytes;		/* of all of the file: those that nobody will find by their path are kept here; 0: not kept */
	uint8_t build_id[CAPTURE_BUILD_ID_BYTES];
};

/* Compresses what goes into a capture: by a thread that may take its time. malloc()ed. 0 or -errno. */
int capture_pack(const void *data, size_t bytes, void **packed, size_t *packed_bytes);

struct capture_writer;

#define CAPTURE_FLAGS	(O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY)	/* that a capture is opened with */

/* -errno, or 0. Writing reports the first error at once and again at close: a full disk is never silent. */
int capture_create(struct capture_writer **writer, const char *path);	/* "-": standard output */

/* From now on who reads it from a pipe is not waited for if he takes nothing for a second: that is an error, -ETIMEDOUT. */
void capture_wait_for_nobody(struct capture_writer *writer);

int capture_write(struct capture_writer *writer, enum capture_chunk type, const void *data, size_t bytes);

/* Gathered into CAPTURE_RECORDS chunks. */
int capture_write_record(struct capture_writer *writer, const void *record, size_t bytes);

/* The executable is NULL if it is not known. */
int capture_write_mappings(struct capture_writer *writer, uint64_t mm_id, uint32_t pid, const char *executable,
			   const char *text, size_t bytes);

/* packed: the file as capture_pack() made it, if file->content_bytes says that it is there. */
int capture_write_file(struct capture_writer *writer, const struct capture_file *file, const char *path, const void *packed,
		       size_t packed_bytes);
int capture_write_owner(struct capture_writer *writer, uint64_t mm_id, uint64_t cgroup_id, const char *text, size_t bytes);
int capture_write_kallsyms(struct capture_writer *writer, const char *text, size_t bytes);
int capture_flush(struct capture_writer *writer);
int capture_close(struct capture_writer *writer);

struct capture_reader;

struct capture_item {
	enum capture_chunk type;
	const void *data;		/* RECORDS are aligned to 8 bytes; for KALLSYMS and FILE already decompressed,
					   for MAPPINGS and OWNER the text; a zero follows; valid until the next call */
	size_t bytes;
	uint64_t mm_id;			/* MAPPINGS and OWNER only */
	uint64_t cgroup_id;		/* OWNER only */
	uint32_t pid;
	const char *path;		/* of the executable of MAPPINGS, of a FILE; zero-terminated, "": not known */
	struct capture_file file;	/* FILE only */
};

/* "-": standard input. -EBADMSG: not a capture. */
int capture_open(struct capture_reader **reader, const char *path);

/* 1: an item; 0: end; -ENODATA: ends within a chunk; -EBADMSG: not as it should be. */
int capture_next(struct capture_reader *reader, struct capture_item *item);
void capture_reader_close(struct capture_reader *reader);

#endif
