// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "export/output.h"

#define WORTHWHILE	65536

void output_write(struct output *output, const void *data, size_t bytes)
{
	if (output->error || !bytes)
		return;
	errno = 0;
	if (fwrite(data, 1, bytes, output->file) != bytes)
		output->error = errno ? -errno : -EIO;
}

static void empty(struct output *output)
{
	output_write(output, output->buffer.data, output->buffer.bytes);
	buffer_clear(&output->buffer);
}

void output_relieve(struct output *output)
{
	if (output->buffer.bytes >= WORTHWHILE)
		empty(output);
}

int output_finish(struct output *output)
{
	empty(output);
	errno = 0;
	if (!output->error && fflush(output->file))
		output->error = errno ? -errno : -EIO;
	buffer_free(&output->buffer);
	return output->error;
}
