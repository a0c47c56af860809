// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tools/perf/Documentation/jitdump-specification.txt. Times are not looked at: what was written last is what is there now.
 * The code itself, its lines and its unwinding information are stepped over.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "symbols/jit.h"

#define MAGIC			0x4a695444	/* "JiTD" */
#define NAME_BYTES_MOST		1024
#define RECORDS_MOST		(256U << 10)	/* at once; the rest later */
#define RECORD_BYTES		128		/* as many as that of a piece: each is read for itself */
#define LOADS_MOST		(256U << 10)	/* that can be moved */

enum { RECORD_LOAD, RECORD_MOVE };

struct header {
	uint32_t magic, version, bytes, machine, padding, pid;
	uint64_t time, flags;
};

struct record {
	uint32_t type, bytes;
	uint64_t time;
};

struct load {
	struct record record;
	uint32_t pid, tid;
	uint64_t virtual_address, address, bytes, index;	/* then the name with its zero, then the code */
};

struct move {
	struct record record;
	uint32_t pid, tid;
	uint64_t virtual_address, from, to, bytes, index;
};

static bool read_header(struct jit *jit, const struct elf *reader)
{
	struct header header;

	if (reader->source.bytes < sizeof(header))
		return false;
	if (elf_read(reader, 0, &header, sizeof(header)) || header.magic != MAGIC || header.version != 1 ||
	    header.bytes < sizeof(header) || header.machine != EM_X86_64) {
		jit->useless = true;
		return false;
	}
	if (header.bytes > reader->source.bytes)
		return false;		/* it is being written */
	jit->read_until = header.bytes;
	return true;
}

/* Adds the function that the record at `at` tells of, with another address and size if they are given. */
static void take_load(struct jit *jit, const struct elf *reader, uint64_t at, uint32_t record_bytes,
		      const struct move *move)
{
	char name[NAME_BYTES_MOST];
	struct load load;
	size_t bytes;

	if (record_bytes <= sizeof(load) || elf_read(reader, at, &load, sizeof(load)))
		return;
	bytes = record_bytes - sizeof(load) < sizeof(name) ? record_bytes - sizeof(load) : sizeof(name);
	if (elf_read(reader, at + sizeof(load), name, bytes))
		return;
	codes_add(&jit->codes, move ? move->to : load.address, move ? move->bytes : load.bytes, name,
		  strnlen(name, bytes));
	if (jit->loads.used < LOADS_MOST)
		map_put(&jit->loads, load.index, (void *)(uintptr_t)at);
}

static void take_move(struct jit *jit, const struct elf *reader, uint64_t at, uint32_t record_bytes)
{
	struct record loaded;
	struct move move;
	uint64_t from;

	if (record_bytes < sizeof(move) || elf_read(reader, at, &move, sizeof(move)))
		return;
	from = (uintptr_t)map_get(&jit->loads, move.index);
	if (from && !elf_read(reader, from, &loaded, sizeof(loaded)))
		take_load(jit, reader, from, loaded.bytes, &move);
}

void jitdump_read(struct jit *jit, const struct elf_source *source)
{
	const struct elf reader = { .source = *source };
	size_t most = jit->piece ? jit->piece / RECORD_BYTES : RECORDS_MOST;

	if (jit->useless || (!jit->read_until && !read_header(jit, &reader)))
		return;
	for (size_t i = 0; i < most && !jit->codes.refused && jit->read_until < source->bytes; i++) {
		struct record record;

		if (source->bytes - jit->read_until < sizeof(record) ||
		    elf_read(&reader, jit->read_until, &record, sizeof(record)))
			return;
		if (record.bytes < sizeof(record)) {
			jit->useless = true;
			return;
		}
		if (record.bytes > source->bytes - jit->read_until)
			return;		/* it is being written */
		if (record.type == RECORD_LOAD)
			take_load(jit, &reader, jit->read_until, record.bytes, NULL);
		else if (record.type == RECORD_MOVE)
			take_move(jit, &reader, jit->read_until, record.bytes);
		jit->read_until += record.bytes;
	}
}
