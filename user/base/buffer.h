/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A byte string that grows. Running out of memory ends the program with a message: see message.h. */
#ifndef KTALLY_BUFFER_H
#define KTALLY_BUFFER_H

#include <stddef.h>

struct buffer {
	char *data;		/* always zero-terminated once something was appended; NULL before */
	size_t bytes;		/* without the terminating zero */
	size_t capacity;
};

void buffer_append(struct buffer *buffer, const void *data, size_t bytes);
void buffer_string(struct buffer *buffer, const char *string);
__attribute__((format(printf, 2, 3))) void buffer_format(struct buffer *buffer, const char *format, ...);

/* Quoted and escaped, safe in HTML scripts; bytes that are not UTF-8 become U+FFFD. */
void buffer_json_string(struct buffer *buffer, const char *string);

void buffer_clear(struct buffer *buffer);	/* empties, keeps the memory */
void buffer_free(struct buffer *buffer);

/* Appends a whole file or /proc text, however long it turns out to be; -EFBIG past `most` bytes. -errno or 0. */
int buffer_read_file(struct buffer *buffer, const char *path, size_t most);
int buffer_read_fd(struct buffer *buffer, int fd, size_t most);

#endif
