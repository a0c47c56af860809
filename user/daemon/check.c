// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/message.h"
#include "base/socket_file.h"
#include "control/packet.h"
#include "daemon/check.h"
#include "daemon/demand.h"
#include "daemon/exports.h"
#include "session/session.h"

int check_loop(struct loop **loop, enum loop_kind kind)
{
	int error = loop_create(loop, kind);

	if (!error)
		return EXIT_OK;
	message_error("io_uring does not work here (%s): leave out --loop io_uring, and poll is used", strerror(-error));
	return EXIT_FAILED;
}

int check_place(const char *path, bool is_directory)
{
	char *copy = memory_string(path);
	struct stat status;
	int error = 0;

	if (!stat(path, &status)) {
		if (is_directory != !!S_ISDIR(status.st_mode))
			error = is_directory ? -ENOTDIR : -EISDIR;
	} else if (errno != ENOENT) {
		error = -errno;
	} else if (stat(dirname(copy), &status)) {
		error = -errno;
	} else if (!S_ISDIR(status.st_mode)) {
		error = -ENOTDIR;
	}
	free(copy);
	/* Who starts it may have rights that who checks has not. */
	return error == -EACCES ? 0 : error;
}

static bool cannot_be(const char *path, bool is_directory, int *error)
{
	*error = path && strcmp(path, "-") ? check_place(path, is_directory) : 0;
	return *error;
}

/* As they are said where these are made: open_files() of the daemon, files.c, recorder.c. */
static int check_files(const struct daemon_options *options)
{
	int error;

	if (cannot_be(options->out, true, &error))
		message_error("cannot make the directory %s: %s", options->out, strerror(-error));
	else if (cannot_be(options->capture, false, &error))
		message_error("cannot create the capture %s: %s", options->capture, strerror(-error));
	else if (cannot_be(options->metrics_json, false, &error))
		message_error("cannot write %s: %s", options->metrics_json, strerror(-error));
	return error ? EXIT_FAILED : EXIT_OK;
}

static bool one_answers(const struct daemon_options *options)
{
	int fd = options->control ? socket_file_connect(options->control, CONTROL_SOCKET | SOCK_NONBLOCK) : -ENOENT;

	if (fd >= 0)
		close(fd);
	return fd >= 0 || fd == -EACCES || fd == -EAGAIN;
}

static int check_prometheus(const struct daemon_options *options, struct loop *loop)
{
	bool in_use = one_answers(options);
	int code = options->prometheus ? exposition_check(&options->exposition, loop, &in_use) : EXIT_OK;

	if (code == EXIT_OK && options->prometheus && in_use)
		message_info("what metrics are to be served at is in use, by the ktallyd that answers at %s presumably", options->control);
	return code;
}

/* In the order of a start, so that of several faults the same is told, but for --profile. */
int check_start(struct daemon_options *options, const char *file)
{
	struct loop *loop = NULL;
	int code = session_check_cpus(&options->session);

	if (code == EXIT_OK)
		code = check_loop(&loop, options->loop);
	if (code == EXIT_OK)
		code = exports_check(options);
	if (code == EXIT_OK)
		code = check_files(options);
	if (code == EXIT_OK)
		code = demand_check(options);
	if (code == EXIT_OK)
		code = check_prometheus(options, loop);
	loop_destroy(loop);
	if (code == EXIT_OK)
		message_info("the configuration can be used: %s", file);
	return code;
}
