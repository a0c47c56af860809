// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/message.h"
#include "daemon/access.h"

#define SCHEME		"Bearer "

static const char *what_is_wrong(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return "has something else than one line of printable characters without spaces";
	}
	if (bytes < ACCESS_TOKEN_LEAST)
		return "has less than 16 characters";
	return bytes > ACCESS_TOKEN_MOST ? "has more than 512 characters" : NULL;
}

/* From a pipe only what a writer is there for: whoever waits for one does nothing else, and it may have been there at the start only. */
static int read_file(struct buffer *text, const char *path, struct stat *status)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), error;

	if (fd < 0)
		return -errno;
	error = fstat(fd, status) || fcntl(fd, F_SETFL, 0) ? -errno : buffer_read_fd(text, fd, ACCESS_TOKEN_MOST + 2);
	close(fd);
	return error;
}

int access_read(struct access *access)
{
	struct buffer text = { 0 };
	const char *wrong = NULL;
	struct stat status;
	size_t bytes;
	int error;

	if (!access->path)
		return EXIT_OK;
	error = read_file(&text, access->path, &status);
	if (error) {
		message_error("--prometheus-token: cannot read %s: %s", access->path, error == -EFBIG ? "it is no token" : strerror(-error));
		buffer_free(&text);
		return EXIT_FAILED;
	}
	bytes = text.bytes - (text.bytes && text.data[text.bytes - 1] == '\n');
	if (status.st_mode & S_IROTH)
		wrong = "can be read by everybody: chmod o-r it";
	else
		wrong = what_is_wrong(text.data, bytes);
	if (wrong) {
		message_error("--prometheus-token: %s %s", access->path, wrong);
	} else {
		memcpy(access->token, text.data, bytes);
		access->bytes = bytes;
	}
	explicit_bzero(text.data, text.bytes);
	buffer_free(&text);
	return wrong ? EXIT_USAGE : EXIT_OK;
}

/* That it has another length may be seen. */
bool access_allows(const struct access *access, struct http_text authorization)
{
	const size_t scheme = strlen(SCHEME);
	volatile unsigned char differs = 0;

	if (!access->path)
		return true;
	if (authorization.bytes != scheme + access->bytes || strncasecmp(authorization.data, SCHEME, scheme))
		return false;
	for (size_t i = 0; i < access->bytes; i++)
		differs |= (unsigned char)(authorization.data[scheme + i] ^ access->token[i]);
	return !differs;
}
