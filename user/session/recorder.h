/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes a live session down as a capture: what the host is, its kernel's names, the mappings of its processes and the files
 * of their code as they are learnt, and every record.
 *
 * The first write that fails (the disk is full, most likely) is told once, with its cause; after that nothing is written, so that
 * what is in the file stays a capture that can be read up to there. Sampling and counting go on.
 */
#ifndef KTALLY_RECORDER_H
#define KTALLY_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/ktally.h>

#include "base/buffer.h"
#include "lib/libktally.h"
#include "session/loader.h"
#include "session/options.h"

struct recorder;

/* `command` is what was run, NULL if nothing was; it goes into the file. Options as session_open() left them. 0 or -errno, said. */
int recorder_create(struct recorder **recorder, const char *path, const struct ktally_info *info, const struct session_options *options,
		    const char *command);

/* As capture_wait_for_nobody(): for who has a host to sample. */
void recorder_wait_for_nobody(struct recorder *recorder);

/* Names of the kernel, as read from /proc/kallsyms. */
void recorder_write_kallsyms(struct recorder *recorder, const char *text, size_t bytes);

void recorder_write(struct recorder *recorder, const struct ktally_record *record);
void recorder_write_mappings(struct recorder *recorder, uint64_t mm_id, uint32_t pid, const char *executable, const char *text, size_t bytes);
void recorder_write_file(struct recorder *recorder, const struct loaded *loaded);
void recorder_write_owner(struct recorder *recorder, uint64_t mm_id, uint64_t cgroup_id, const char *text, size_t bytes);
void recorder_write_account(struct recorder *recorder, const char *text, size_t bytes);
void recorder_flush(struct recorder *recorder);		/* so that the file on disk is whole up to now */

/* Whether the file is still the one its path leads to, and was not moved away by a rotation of logs, say. */
bool recorder_is_in_place(const struct recorder *recorder);

bool recorder_has_failed(const struct recorder *recorder);
uint64_t recorder_bytes(const struct recorder *recorder);	/* size of the file, 0 for standard output */

/* 0, or the first -errno of all writes. The recorder is gone either way; NULL is no recorder and no error. */
int recorder_close(struct recorder *recorder);

#endif
