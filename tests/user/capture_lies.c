// SPDX-License-Identifier: GPL-2.0-or-later
/* capture/capture.h: chunks that are not what their headers say. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zstd.h>

#include "base/buffer.h"
#include "capture/capture.h"
#include "capture/format.h"
#include "check.h"

static const char symbols[] = "ffffffff81000000 T _text\nffffffff81000100 t start\n";
static const char program[] = "\177ELF and all the rest of it";

static int fd;			/* of a file in memory, and its path */
static char path[64];

/* One chunk by hand. `claimed` is what its header says of its length. */
static int read_chunk(uint32_t type, uint32_t zero, uint64_t claimed, const void *content, size_t bytes)
{
	struct capture_header header = { .type = type, .zero = zero, .bytes = claimed };
	struct buffer file = { 0 };
	struct capture_reader *reader;
	struct capture_item item;
	int status;

	buffer_append(&file, CAPTURE_MAGIC, CAPTURE_MAGIC_BYTES);
	buffer_append(&file, &header, sizeof(header));
	buffer_append(&file, content, bytes);
	if (ftruncate(fd, 0) || pwrite(fd, file.data, file.bytes, 0) != (ssize_t)file.bytes)
		check(false, "writing a file of %zu bytes", file.bytes);
	buffer_free(&file);
	if (capture_open(&reader, path))
		return -1;
	status = capture_next(reader, &item);
	if (status == 1)
		status = 1000 + (int)item.bytes;
	capture_reader_close(reader);
	return status;
}

static void lies(void)
{
	struct capture_mappings mappings = { .executable_bytes = 8 };
	char content[64] = { 0 };
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	check_number(read_chunk(CAPTURE_HOST, 0, 64, content, 64), 1064, "an honest chunk");
	check_number(read_chunk(CAPTURE_HOST, 1, 64, content, 64), -EBADMSG, "a header whose zero is not");
	check_number(read_chunk(CAPTURE_HOST, 0, 1ULL << 40, content, 64), -EBADMSG, "a host chunk of a terabyte");
	check_number(read_chunk(CAPTURE_RECORDS, 0, 1ULL << 63, content, 64), -EBADMSG, "records of 2^63 bytes");
	check_number(read_chunk(CAPTURE_RECORDS, 0, UINT64_MAX, content, 64), -EBADMSG, "records of 2^64 - 1 bytes");
	check_number(read_chunk(99, 0, UINT64_MAX - 3, content, 64), -EBADMSG,
		     "an unknown chunk that overflows when padded");
	check_number(read_chunk(99, 0, 1ULL << 40, content, 64), -ENODATA, "an unknown chunk that is not there");
	check_number(read_chunk(99, 0, 64, content, 64), 0, "an unknown chunk is skipped");
	check_number(read_chunk(0, 0, 64, content, 64), 0, "so is type 0");
	check_number(read_chunk(CAPTURE_RECORDS, 0, CAPTURE_RECORDS_MOST, content, 64), -ENODATA,
		     "records that are not there");
	check_number(read_chunk(CAPTURE_RECORDS, 0, 63, content, 64), -EBADMSG,
		     "records of a length that is no multiple of 8");
	content[63] = 1;
	check_number(read_chunk(CAPTURE_HOST, 0, 63, content, 64), -EBADMSG, "padding that is not zero");
	check_number(read_chunk(CAPTURE_MAPPINGS, 0, 8, &mappings, 8), -EBADMSG, "mappings without their header");
	check_number(read_chunk(CAPTURE_MAPPINGS, 0, 16, &mappings, 16), -EBADMSG, "a path longer than its chunk");
	mappings.executable_bytes = UINT32_MAX;
	check_number(read_chunk(CAPTURE_MAPPINGS, 0, 16, &mappings, 16), -EBADMSG, "a path of 4 GiB");
	mappings.executable_bytes = 0;
	check_number(read_chunk(CAPTURE_MAPPINGS, 0, 16, &mappings, 16), 1000, "mappings without path and text");
	check_number(read_chunk(CAPTURE_OWNER, 0, 8, content, 8), -EBADMSG, "an owner without its header");
	check_number(read_chunk(CAPTURE_OWNER, 0, 16, content, 16), 1000, "an owner of whom nothing is said");
	check_number(read_chunk(CAPTURE_OWNER, 0, CAPTURE_OWNER_MOST + 1, content, 64), -EBADMSG, "one of whom too much is");
	check_number(read_chunk(CAPTURE_ACCOUNT, 0, CAPTURE_ACCOUNT_MOST + 1, content, 64), -EBADMSG, "an account that is too long");
	check_number(read_chunk(CAPTURE_KALLSYMS, 0, 64, content, 64), -EBADMSG, "names that are not compressed data");
	check_number(read_chunk(CAPTURE_KALLSYMS, 0, 0, content, 0), -EBADMSG, "names that are nothing");

	getrusage(RUSAGE_SELF, &after);
	check(after.ru_maxrss - before.ru_maxrss < 8 << 10, "none of that took memory for what it claimed (%ld KiB)",
	      after.ru_maxrss - before.ru_maxrss);
}

/* Compressed names as a chunk that is as it should be. */
static int read_names(const void *compressed, size_t bytes)
{
	struct buffer content = { 0 };
	int status;

	buffer_append(&content, compressed, bytes);
	buffer_append(&content, "\0\0\0\0\0\0\0", -bytes % 8);
	status = read_chunk(CAPTURE_KALLSYMS, 0, bytes, content.data, content.bytes);
	buffer_free(&content);
	return status;
}

/* A FILE whose header is this, with a path and a program of `bytes` bytes, packed; cut: bytes that are missing at the end. */
static int read_file_chunk(struct capture_file file, const char *name, const void *content, size_t bytes, size_t cut)
{
	struct buffer chunk = { 0 };
	size_t packed_bytes = 0;
	void *packed = NULL;
	int status;

	file.path_bytes = (uint32_t)strlen(name);
	if (bytes)
		capture_pack(content, bytes, &packed, &packed_bytes);
	buffer_append(&chunk, &file, sizeof(file));
	buffer_string(&chunk, name);
	if (packed)
		buffer_append(&chunk, packed, packed_bytes);
	chunk.bytes -= cut;
	packed_bytes = chunk.bytes;
	buffer_append(&chunk, "\0\0\0\0\0\0\0", -chunk.bytes % 8);
	status = read_chunk(CAPTURE_FILE, 0, packed_bytes, chunk.data, chunk.bytes);
	buffer_free(&chunk);
	free(packed);
	return status;
}

static void file_lies(void)
{
	const size_t length = strlen(program), too_many = (size_t)CAPTURE_CONTENT_MOST + 1;
	struct capture_file file = { .identity.file = 9, .content_bytes = length };
	void *zeros = calloc(1, too_many);

	check_number(read_file_chunk(file, "/bin/y", program, length, 0), 1000 + (int)length, "an honest file");
	check_number(read_file_chunk(file, "/bin/y", program, length - 1, 0), -EBADMSG, "one shorter than told");
	check_number(read_file_chunk(file, "/bin/y", program, length, 4), -EBADMSG, "one that is cut");
	check_number(read_file_chunk(file, "/bin/y", NULL, 0, 0), -EBADMSG, "one that is not there");
	check_number(read_file_chunk(file, "", NULL, 0, 8), -EBADMSG, "one without all of its header");
	check_number(read_file_chunk(file, "", NULL, 0, sizeof(file) - 8), -EBADMSG, "or nearly all of it");
	file.content_bytes = 0;
	check_number(read_file_chunk(file, "/bin/y", NULL, 0, 0), 1000, "one that nobody kept");
	check_number(read_file_chunk(file, "/bin/y", program, length, 0), -EBADMSG, "one that was kept, it is told, by nobody");
	file.build_id_bytes = CAPTURE_BUILD_ID_BYTES;
	check_number(read_file_chunk(file, "/bin/y", NULL, 0, 0), 1000, "a long build id");
	file.build_id_bytes++;
	check_number(read_file_chunk(file, "/bin/y", NULL, 0, 0), -EBADMSG, "a longer one than there is room for");
	file = (struct capture_file){ .content_bytes = 0 };
	check_number(read_file_chunk(file, "/bin/y", NULL, 0, 0), -EBADMSG, "a file without a number");
	file = (struct capture_file){ .identity.file = 9, .content_bytes = too_many };
	check_number(read_file_chunk(file, "/bin/y", zeros, too_many, 0), -EBADMSG, "one larger than any that is kept");
	check_number(read_chunk(CAPTURE_FILE, 0, CAPTURE_FILE_MOST + 1, program, sizeof(program)), -EBADMSG, "or that claims to be");
	free(zeros);
}

static void compressed_lies(void)
{
	static char zeros[1 << 20], step[1 << 16];
	struct buffer compressed = { 0 };
	struct rusage before, after;
	ZSTD_CStream *stream = ZSTD_createCStream();
	size_t bytes;

	bytes = ZSTD_compress(step, sizeof(step), symbols, strlen(symbols), 9);
	check_number(read_names(step, bytes), 1000 + (int)strlen(symbols), "honest names");
	check_number(read_names(step, bytes - 5), -EBADMSG, "names cut inside");
	step[bytes] = 'x';
	check_number(read_names(step, bytes + 1), -EBADMSG, "names with something after");

	for (unsigned int megabytes = 600; megabytes--;) {
		ZSTD_inBuffer from = { .src = zeros, .size = sizeof(zeros) };
		size_t left = 1;

		while (left) {
			ZSTD_outBuffer to = { .dst = step, .size = sizeof(step) };

			left = ZSTD_compressStream2(stream, &to, &from, megabytes ? ZSTD_e_continue : ZSTD_e_end);
			check(!ZSTD_isError(left), "a bomb is made");
			buffer_append(&compressed, step, to.pos);
			if (megabytes && from.pos == from.size)
				break;
		}
	}
	ZSTD_freeCStream(stream);
	getrusage(RUSAGE_SELF, &before);
	check_number(read_names(compressed.data, compressed.bytes), -EBADMSG, "%zu bytes that stand for 600 MiB",
		     compressed.bytes);
	getrusage(RUSAGE_SELF, &after);
	check(after.ru_maxrss - before.ru_maxrss < 500 << 10, "took %ld KiB of memory at most",
	      after.ru_maxrss - before.ru_maxrss);
	buffer_free(&compressed);
}

int main(void)
{
	fd = memfd_create("capture", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	lies();
	compressed_lies();
	file_lies();
	close(fd);
	return check_end();
}
