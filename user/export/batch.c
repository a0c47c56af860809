// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "export/batch.h"
#include "export/compress.h"

#define BLOCK_BYTES 4096

void batch_free(struct batch *batch)
{
	buffer_free(&batch->data);
	free(batch);
}

uint64_t batch_disk_bytes(const struct batch *batch)
{
	return (SPOOL_HEAD_BYTES + batch->label.bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

void batch_compress(struct worker_job *job)
{
	struct batch *batch = (struct batch *)job;
	struct buffer smaller = { 0 };

	compress_append(&smaller, batch->label.compression, batch->data.data, batch->data.bytes);
	buffer_free(&batch->data);
	batch->data = smaller;
}

void batch_store(struct worker_job *job)
{
	struct batch *batch = (struct batch *)job;

	batch->error = spool_put(batch->spool, &batch->label, batch->data.data);
}

void batch_load(struct worker_job *job)
{
	struct batch *batch = (struct batch *)job;

	batch->error = spool_get(batch->spool, &batch->label, &batch->data);
}

void batch_remove(struct worker_job *job)
{
	struct batch *batch = (struct batch *)job;

	batch->error = spool_remove(batch->spool, batch->label.number);
}
