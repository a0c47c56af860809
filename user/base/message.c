// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/message.h"

const char *message_program = "ktally";
static const char *place_file;
static unsigned int place_line;

void message_place(const char *file, unsigned int line)
{
	place_file = file;
	place_line = line;
}

static int copy_fd = -1;

/* journald tells which stream it listens to as DEVICE:INODE; standard error may have been pointed elsewhere since. */
static bool to_journal(void)
{
	static int known = -1;
	unsigned long long device, inode;
	const char *stream;
	struct stat status;

	if (known < 0) {
		stream = getenv("JOURNAL_STREAM");
		known = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && !fstat(STDERR_FILENO, &status) &&
			status.st_dev == device && status.st_ino == inode;
	}
	return known;
}

static void write_line(int fd, const char *line, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t written = write(fd, line + done, bytes - done);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			break;		/* nobody to tell */
		done += (size_t)written;
	}
}

void message_copy_to(int fd)
{
	copy_fd = fd;
}

/*
 * One write() for each message, so that lines of several processes never mix. Names of files and processes get into
 * messages and are chosen by anybody: control characters would let them fake lines or drive a terminal.
 */
__attribute__((format(printf, 3, 0)))
static void say(int priority, const char *severity, const char *format, va_list arguments)
{
	static const char cut[] = "...";
	char line[2048];
	size_t start, used;
	int saved = errno;
	int length;

	length = to_journal() ? snprintf(line, sizeof(line), "<%d>", priority) :
				snprintf(line, sizeof(line), "%.64s: %s", message_program, severity);
	start = used = (size_t)length;
	if (place_file) {
		length = snprintf(line + used, sizeof(line) / 2, "%s:%u: ", place_file, place_line);
		used += (size_t)length < sizeof(line) / 2 ? (size_t)length : sizeof(line) / 2 - 1;
	}
	errno = saved;		/* for %m */
	length = vsnprintf(line + used, sizeof(line) - used, format, arguments);
	if (length < 0)
		length = snprintf(line + used, sizeof(line) - used, "%s", format);
	used += (size_t)length;
	if (used > sizeof(line) - 2) {
		used = sizeof(line) - 2;
		memcpy(line + used - strlen(cut), cut, strlen(cut));
	}
	for (size_t i = start; i < used; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	}
	line[used++] = '\n';
	write_line(STDERR_FILENO, line, used);
	if (copy_fd >= 0) {
		char copy[1024];

		used = (size_t)snprintf(copy, sizeof(copy), "<%d>%.*s", priority, (int)(used - start - 1), line + start);
		used = used < sizeof(copy) - 1 ? used : sizeof(copy) - 2;
		copy[used++] = '\n';
		write_line(copy_fd, copy, used);
	}
	errno = saved;
}

void message_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(LOG_ERR, "", format, arguments);
	va_end(arguments);
}

void message_warning(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(LOG_WARNING, "warning: ", format, arguments);
	va_end(arguments);
}

void message_info(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(LOG_INFO, "", format, arguments);
	va_end(arguments);
}

void message_fatal(int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(LOG_ERR, "", format, arguments);
	va_end(arguments);
	exit(code);
}
