// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/message.h"
#include "daemon/profiling.h"
#include "daemon/taker.h"

static int open_files(struct profiling *profiling, const struct request *request)
{
	*profiling = (struct profiling){ .batches = -1, .messages = -1 };
	for (size_t i = 0; i < request->output_count; i++) {
		int fd = memfd_create("ktally-profile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

		if (fd < 0)
			return -errno;
		profiling->outputs[profiling->output_count++] = fd;
	}
	if (request->send) {
		profiling->batches = memfd_create("ktally-batches", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (profiling->batches < 0)
			return -errno;
	}
	return 0;
}

int profiling_start(struct profiling *profiling, const struct request *request, const struct daemon_options *options)
{
	int messages[2], error = open_files(profiling, request);

	if (!error && pipe2(messages, O_CLOEXEC))
		error = -errno;
	if (error) {
		profiling_release(profiling);
		return error;
	}
	profiling->child = fork();
	if (!profiling->child)
		taker_run(request, options, profiling, messages[1]);
	error = profiling->child < 0 ? -errno : 0;
	close(messages[1]);
	profiling->messages = messages[0];
	if (error) {
		profiling->child = 0;
		profiling_release(profiling);
		return error;
	}
	fcntl(messages[0], F_SETFL, O_NONBLOCK);
	return 0;
}

void profiling_stop(struct profiling *profiling)
{
	kill(profiling->child, SIGTERM);
}

int profiling_end(struct profiling *profiling)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int status = 0, error = 0;
	pid_t ended;

	do
		ended = waitpid(profiling->child, &status, 0);
	while (ended < 0 && errno == EINTR);
	profiling->child = 0;
	for (size_t i = 0; i < profiling->output_count && !error; i++) {
		if (fcntl(profiling->outputs[i], F_ADD_SEALS, seals) || lseek(profiling->outputs[i], 0, SEEK_SET))
			error = -errno;
	}
	if (ended < 0 || error || WIFSIGNALED(status)) {
		message_error("the process that took the profile was ended%s%s", ended > 0 && !error ? ": " : "",
			      ended > 0 && !error ? strsignal(WTERMSIG(status)) : "");
		return EXIT_FAILED;
	}
	return WEXITSTATUS(status);
}

void profiling_kill(struct profiling *profiling)
{
	kill(profiling->child, SIGKILL);
	while (waitpid(profiling->child, NULL, 0) < 0 && errno == EINTR)
		;
	profiling->child = 0;
}

void profiling_release(struct profiling *profiling)
{
	while (profiling->output_count)
		close(profiling->outputs[--profiling->output_count]);
	if (profiling->batches >= 0)
		close(profiling->batches);
	if (profiling->messages >= 0)
		close(profiling->messages);
	profiling->batches = profiling->messages = -1;
}

int profiling_batches(const struct profiling *profiling, export_request *take, void *context)
{
	struct buffer request = { 0 };
	struct profiling_batch head;
	off_t at = 0;
	int result = 0;

	while (!result && pread(profiling->batches, &head, sizeof(head), at) == sizeof(head)) {
		ssize_t read;

		buffer_clear(&request);
		request.data = memory_resized(request.data, head.bytes + 1, 1);
		request.capacity = head.bytes + 1;
		read = pread(profiling->batches, request.data, head.bytes, at + (off_t)sizeof(head));
		if (read != (ssize_t)head.bytes) {
			result = -EIO;
			break;
		}
		request.bytes = head.bytes;
		request.data[request.bytes] = '\0';
		at += (off_t)(sizeof(head) + head.bytes);
		result = take(context, &request, head.samples);
	}
	buffer_free(&request);
	return result;
}
