/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What programs say to people: one line an event, on standard error, with a journald priority prefix when standard
 * error is the journal. An error names the cause and the cure. Exit codes of all programs are here.
 */
#ifndef KTALLY_MESSAGE_H
#define KTALLY_MESSAGE_H

#include <stddef.h>

/* Those above 2 are sysexits(3)'s, so that systemd shows them by their names: NOPERM, UNAVAILABLE, TEMPFAIL. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,	/* while running: disk full, device gone, module stopped the session */
	EXIT_USAGE = 2,		/* the command line or the environment cannot be understood */
	EXIT_UNAVAILABLE = 69,	/* the module is not loaded, too old or too new: so it stays until somebody changes it */
	EXIT_BUSY = 75,		/* too many sessions, no memory, switched off: later it may be otherwise */
	EXIT_PERMISSION = 77,	/* not allowed: capabilities, lockdown, device permissions */
	EXIT_COMMAND = 127,	/* ktally record: the command could not be started (else: the command's own) */
};

extern const char *message_program;	/* "ktally", "ktallyd": put before each message */

__attribute__((format(printf, 1, 2))) void message_error(const char *format, ...);
__attribute__((format(printf, 1, 2))) void message_warning(const char *format, ...);
__attribute__((format(printf, 1, 2))) void message_info(const char *format, ...);

/* From here on each message is written to this descriptor too, as a line "<3>text" with its priority (3, 4, 6), 1 KiB at most. -1: no more. */
void message_copy_to(int fd);

/* What is said from now on is about this line of a file, and says so. NULL: about none. */
void message_place(const char *file, unsigned int line);

/* message_error and exit(code). */
__attribute__((noreturn, format(printf, 2, 3))) void message_fatal(int code, const char *format, ...);

/* malloc and friends that never return NULL. */
void *memory_zeroed(size_t count, size_t bytes);
void *memory_resized(void *memory, size_t count, size_t bytes);
char *memory_string(const char *string);

#endif
