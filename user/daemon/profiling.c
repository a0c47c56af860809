// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/message.h"
#include "confine/opener.h"
#include "daemon/order.h"
#include "daemon/profiling.h"
#include "daemon/taker.h"
#include "session/session.h"

/* Of a batch: many times what one has, so that what says it has more is no batch. */
#define BATCH_BYTES_MOST (64U << 20)

/* What was killed is gone at once, unless it waits for something that does not answer: then nobody can tell how long. */
#define REAP_MS 500

static int open_files(struct profiling *profiling, const struct request *request)
{
	*profiling = (struct profiling){ .batches = -1, .messages = -1, .code = -1 };
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

static int write_order(const struct request *request, const struct daemon_options *options)
{
	int fd = memfd_create("ktally-order", MFD_CLOEXEC), error = 0;
	struct buffer text = { 0 };

	if (fd < 0)
		return -errno;
	order_write(request, options, &text);
	for (size_t done = 0; done < text.bytes && !error;) {
		ssize_t wrote = write(fd, text.data + done, text.bytes - done);

		if (wrote < 0)
			error = -errno;
		else
			done += (size_t)wrote;
	}
	buffer_free(&text);
	if (!error && lseek(fd, 0, SEEK_SET))
		error = -errno;
	if (error)
		close(fd);
	return error ? error : fd;
}

/* In the child, of a process with threads: what follows is system calls only. */
__attribute__((noreturn)) static void execute(int *fds, size_t count, char **environment)
{
	static char *const arguments[] = { (char *)"ktallyd", (char *)TAKER_ARGUMENT, NULL };
	static const char failed[] = "<3>the process that takes profiles cannot be started: is /proc mounted, and ktallyd allowed to execute "
				     "itself?\n";

	/* Out of the way first, since some are where others are to be. */
	for (size_t i = 0; i < count; i++)
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, TAKER_ORDER + (int)count);
	for (size_t i = 0; i < count; i++)
		if (fds[i] < 0 || dup2(fds[i], TAKER_ORDER + (int)i) < 0)
			_exit(EXIT_FAILED);
	syscall(SYS_close_range, TAKER_ORDER + (unsigned int)count, ~0U, 0);
	execve("/proc/self/exe", arguments, environment);
	if (write(TAKER_MESSAGES, failed, sizeof(failed) - 1) < 0)
		_exit(EXIT_FAILED);
	_exit(EXIT_FAILED);
}

static pid_t start(const struct profiling *profiling, const struct request *request, int order, int messages)
{
	int fds[2 + REQUEST_OUTPUTS_MOST + 1 + KTALLY_CGROUPS_MAX + 1];
	char *environment[TAKER_VARIABLES_MOST + 1];
	size_t count = 0;
	pid_t child;

	fds[count++] = order;
	fds[count++] = messages;
	for (size_t i = 0; i < profiling->output_count; i++)
		fds[count++] = profiling->outputs[i];
	if (profiling->batches >= 0)
		fds[count++] = profiling->batches;
	for (uint32_t i = 0; i < request->session.cgroup_count; i++)
		fds[count++] = request->session.cgroup_fds[i];
	if (request->session.device > 0)
		fds[count++] = request->session.device;
	taker_environment(environment);
	child = fork();
	if (!child)
		execute(fds, count, environment);
	return child;
}

/* Never waits for longer than that. False: it goes on. */
static bool reap(struct profiling *profiling, int *status, int milliseconds)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	pid_t ended = 0;

	for (int i = 0; profiling->child > 0 && !ended && i <= milliseconds; i++) {
		ended = waitpid(profiling->child, status, WNOHANG);
		if (ended < 0 && errno == EINTR)
			ended = 0;
		if (!ended && i < milliseconds)
			nanosleep(&moment, NULL);
	}
	if (profiling->child > 0 && !ended)
		return false;
	profiling->child = 0;
	return true;
}

int profiling_start(struct profiling *profiling, struct request *request, const struct daemon_options *options)
{
	int messages[2] = { -1, -1 }, order = -1, status, error;

	/* That was waited for when it was to end: who asks again and again has nobody wait again. */
	if (!reap(profiling, &status, 0))
		return -EBUSY;
	error = open_files(profiling, request);
	/* Neither may the process that takes the profile open it, as it has the daemon's filter. */
	request->session.device = error ? 0 : opener_open(KTALLY_DEVICE_PATH, SESSION_DEVICE_FLAGS, 0);
	if (!error) {
		order = write_order(request, options);
		error = order < 0 ? order : 0;
	}
	if (!error && pipe2(messages, O_CLOEXEC))
		error = -errno;
	if (!error) {
		profiling->child = start(profiling, request, order, messages[1]);
		error = profiling->child < 0 ? -errno : 0;
	}
	if (request->session.device > 0)
		close(request->session.device);
	request->session.device = 0;
	if (order >= 0)
		close(order);
	if (messages[1] >= 0)
		close(messages[1]);
	profiling->messages = messages[0];
	if (error) {
		profiling->child = 0;
		profiling_release(profiling);
		return error;
	}
	fcntl(messages[0], F_SETFL, O_NONBLOCK);
	error = opener_sacrifice(profiling->child);
	if (error)
		message_info("the profile is not the first to go when memory runs out: %s", strerror(-error));
	return 0;
}

void profiling_stop(struct profiling *profiling)
{
	kill(profiling->child, SIGTERM);
}

size_t profiling_take(struct profiling *profiling, char *text, size_t bytes)
{
	size_t used = 0;

	for (size_t i = 0; i < bytes; i++) {
		if (profiling->is_at_end)
			profiling->code = (unsigned char)text[i];
		else if (text[i] == TAKER_END)
			profiling->is_at_end = true;
		else
			text[used++] = text[i];
	}
	return used;
}

static int seal(const struct profiling *profiling)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

	for (size_t i = 0; i < profiling->output_count; i++) {
		if (fcntl(profiling->outputs[i], F_ADD_SEALS, seals) || lseek(profiling->outputs[i], 0, SEEK_SET))
			return -errno;
	}
	return 0;
}

/*
 * The process may be kept by the kernel after its last word, when a thread of it is reading a file that does not answer; so may one that was
 * killed. Neither is waited for: the daemon has a host to sample.
 */
int profiling_end(struct profiling *profiling)
{
	int status = 0, error;
	bool gone;

	if (profiling->code >= 0)
		kill(profiling->child, SIGKILL);
	gone = reap(profiling, &status, REAP_MS);
	error = seal(profiling);
	if (!error && profiling->code >= 0)
		return profiling->code;
	if (!error && gone && WIFEXITED(status))
		return WEXITSTATUS(status);
	if (!gone)
		kill(profiling->child, SIGKILL);
	message_error("the process that took the profile was ended%s%s", gone && !error ? ": " : "",
		      gone && !error ? strsignal(WTERMSIG(status)) : "");
	return EXIT_FAILED;
}

void profiling_kill(struct profiling *profiling)
{
	int status;

	kill(profiling->child, SIGKILL);
	reap(profiling, &status, REAP_MS);
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
	struct stat status;
	off_t at = 0;
	int result = fstat(profiling->batches, &status) ? -errno : 0;

	while (!result && pread(profiling->batches, &head, sizeof(head), at) == sizeof(head)) {
		ssize_t read;

		/* The process has read what any program brings along: it is not believed more than that. */
		if (head.bytes > BATCH_BYTES_MOST || at + (off_t)sizeof(head) > status.st_size || head.bytes > (uint64_t)(status.st_size - at)) {
			result = -EIO;
			break;
		}
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
