// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/message.h"
#include "base/socket_file.h"
#include "control/packet.h"
#include "control/request.h"
#include "daemon/check.h"
#include "daemon/control.h"
#include "daemon/profiling.h"

#define ASKERS_MOST 8

#define GROUPS_MOST 256

/* How long somebody who connects may take to say what he wants. */
#define PATIENCE_MS 5000

/* What a profile may take beyond its time, to name and write everything. */
#define WRITING_MS 60000

#define MESSAGES_BYTES_MOST 4096

struct asker {
	struct control *control;
	int fd;				/* -1: nobody */
	int watch;
	struct ucred who;
	struct loop_timer patience;
	bool stopped;			/* it sent REQUEST_STOP */
};

struct control {
	struct loop *loop;
	struct control_options options;
	char *path;
	int fd, watch;
	struct stat file;		/* the socket, to remove none of somebody else's */
	gid_t group;
	struct asker askers[ASKERS_MOST];
	struct asker self;		/* who asks by control_take(); has no descriptor */

	struct profiling profiling;
	struct asker *asked;		/* for the profile that is being taken; NULL: none is */
	int messages_watch;
	struct loop_timer deadline;
	struct buffer messages;
	uint64_t started, duration;	/* ns, ms */
};

static void listen_on(struct control *control);

/* ---- answers ---- */

static void hang_up(struct asker *asker)
{
	struct control *control = asker->control;

	loop_timer_cancel(control->loop, &asker->patience);
	loop_unwatch(control->loop, asker->watch);
	close(asker->fd);
	asker->fd = -1;
	listen_on(control);
}

/* The last word. Who does not take it is not waited for. */
static void answer(struct asker *asker, int code, const char *messages, const int *fds, size_t fd_count)
{
	struct buffer text = { 0 };

	if (asker->fd < 0)
		return;
	buffer_format(&text, "%d\n%s", code, messages);
	packet_send(asker->fd, text.data, text.bytes, fds, fd_count);
	buffer_free(&text);
	hang_up(asker);
}

__attribute__((format(printf, 3, 4)))
static void refuse(struct asker *asker, int code, const char *format, ...)
{
	struct buffer text = { 0 };
	char why[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	message_warning("control: user %u (process %d) was refused: %s", asker->who.uid, asker->who.pid, why);
	buffer_format(&text, "<3>%s\n", why);
	answer(asker, code, text.data, NULL, 0);
	buffer_free(&text);
}

/* ---- the profile ---- */

static void end_profile(struct control *control)
{
	loop_unwatch(control->loop, control->messages_watch);
	loop_timer_cancel(control->loop, &control->deadline);
	profiling_release(&control->profiling);
	buffer_free(&control->messages);
	control->asked = NULL;
}

static void cancel(struct control *control, const char *why)
{
	message_info("control: the profile that user %u asked for is not taken to its end: %s", control->asked->who.uid, why);
	profiling_kill(&control->profiling);
	end_profile(control);
}

struct sent {
	struct control *control;
	size_t batches, samples;
};

static int send_batch(void *context, const struct buffer *request, size_t samples)
{
	struct sent *sent = context;
	const struct control_options *options = &sent->control->options;
	int error = options->send(options->context, request, samples);

	sent->batches += !error;
	sent->samples += error ? 0 : samples;
	return error;
}

static int send_profile(struct control *control)
{
	struct sent sent = { .control = control };
	int error;

	if (control->profiling.batches < 0)
		return EXIT_OK;
	error = profiling_batches(&control->profiling, send_batch, &sent);
	if (error)
		buffer_format(&control->messages, "<3>the profile is not sent: %s\n", strerror(-error));
	else
		buffer_format(&control->messages, "<6>%zu samples of stacks are on their way, in %zu requests\n", sent.samples, sent.batches);
	return error ? EXIT_FAILED : EXIT_OK;
}

static void finish(struct control *control)
{
	struct asker *asker = control->asked;
	int code = profiling_end(&control->profiling);

	if (code == EXIT_OK)
		code = send_profile(control);
	message_info("control: the profile that user %u asked for has ended, with %d", asker->who.uid, code);
	buffer_append(&control->messages, "", 0);
	answer(asker, code, control->messages.data, control->profiling.outputs, code == EXIT_OK ? control->profiling.output_count : 0);
	end_profile(control);
}

static void on_messages(void *context, short events)
{
	struct control *control = context;
	char text[1024];
	ssize_t bytes;

	(void)events;
	while ((bytes = read(control->profiling.messages, text, sizeof(text))) > 0) {
		size_t room = MESSAGES_BYTES_MOST - control->messages.bytes, said = profiling_take(&control->profiling, text, (size_t)bytes);

		buffer_append(&control->messages, text, said < room ? said : room);
	}
	if (!bytes || control->profiling.code >= 0)
		finish(control);
}

static void on_deadline(void *context)
{
	struct control *control = context;
	struct asker *asker = control->asked;

	cancel(control, "it takes too long to write");
	answer(asker, EXIT_FAILED, "<3>the profile takes too long to write: ask for less time or fewer processes\n", NULL, 0);
}

static void begin(struct asker *asker, struct request *request, const struct packet *packet)
{
	struct control *control = asker->control;
	struct buffer what = { 0 };
	int error;

	memcpy(request->session.cgroup_fds, packet->fds, packet->fd_count * sizeof(int));
	request->session.all = !request->session.pid_count && !request->session.cgroup_count;
	request_describe(request, &what);
	error = profiling_start(&control->profiling, request, control->options.daemon);
	if (error == -EBUSY) {
		refuse(asker, EXIT_BUSY, "the process of the profile before cannot end: it waits for a file that does not answer");
	} else if (error) {
		refuse(asker, EXIT_FAILED, "a profile cannot be taken: %s", strerror(-error));
	} else {
		message_info("control: user %u (process %d) asked for a profile of %s%s", asker->who.uid, asker->who.pid, what.data,
			     request->send ? ", to be sent" : "");
		control->asked = asker;
		control->started = loop_now();
		control->duration = request->duration;
		control->messages_watch = loop_watch(control->loop, control->profiling.messages, POLLIN, LOOP_DRAINED, on_messages, control);
		loop_timer_set(control->loop, &control->deadline, request->duration + WRITING_MS);
	}
	buffer_free(&what);
}

void control_take(struct control *control, const struct request *request)
{
	struct request own = *request;
	const struct packet nothing = { .fd_count = 0 };

	begin(&control->self, &own, &nothing);
}

/* ---- who asks, and what for ---- */

static bool is_member(const struct control *control, const struct asker *asker)
{
	gid_t groups[GROUPS_MOST];
	socklen_t bytes = sizeof(groups);

	if (asker->who.gid == control->group)
		return true;
	if (getsockopt(asker->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes))
		return false;
	for (size_t i = 0; i < bytes / sizeof(groups[0]); i++) {
		if (groups[i] == control->group)
			return true;
	}
	return false;
}

static bool may_ask(const struct control *control, const struct asker *asker)
{
	return !asker->who.uid || asker->who.uid == geteuid() || (control->options.group && is_member(control, asker));
}

static void take_request(struct asker *asker, const struct packet *packet)
{
	struct control *control = asker->control;
	struct request request;
	const char *wrong;

	loop_timer_cancel(control->loop, &asker->patience);
	wrong = request_read(&request, packet->text.data, packet->text.bytes);
	if (!wrong && packet->fd_count != request.session.cgroup_count)
		wrong = "it has more or fewer descriptors than cgroups";
	if (!may_ask(control, asker))
		refuse(asker, EXIT_PERMISSION, "only root, the user that ktallyd runs as, and members of the group of its --control-group "
		       "may ask for a profile");
	else if (wrong)
		refuse(asker, EXIT_USAGE, "the request cannot be understood: %s", wrong);
	else if (request.send && !control->options.send)
		refuse(asker, EXIT_USAGE, "ktallyd has nowhere to send profiles to: name a file with -o, or give ktallyd an --endpoint");
	else if (control->asked)
		refuse(asker, EXIT_BUSY, "another profile is being taken, for up to %" PRIu64 " s more: one goes at a time",
		       control->duration / 1000 - (loop_now() - control->started) / 1000000000 + 1);
	else
		begin(asker, &request, packet);
}

/* One request, and one stop: who sends more could go on without end, and have the daemon do nothing else. */
static const char *take_packet(struct asker *asker, const struct packet *packet)
{
	struct control *control = asker->control;

	if (control->asked != asker) {
		take_request(asker, packet);
		return NULL;
	}
	if (asker->stopped || strcmp(packet->text.data, REQUEST_STOP) != 0)
		return "who asked sends what nobody asked for";
	asker->stopped = true;
	profiling_stop(&control->profiling);
	return NULL;
}

static void on_asker(void *context, short events)
{
	struct asker *asker = context;
	struct control *control = asker->control;
	const char *wrong = NULL;
	struct packet packet;
	int result = 1;

	(void)events;
	while (asker->fd >= 0 && !wrong) {
		result = packet_receive(asker->fd, &packet, REQUEST_BYTES_MOST);
		if (result != 1)
			break;
		wrong = take_packet(asker, &packet);
		packet_free(&packet);
	}
	if (asker->fd < 0 || result == -EAGAIN)
		return;
	if (result == -EMSGSIZE && control->asked != asker) {
		refuse(asker, EXIT_USAGE, "the request cannot be understood: it is too long");
		return;
	}
	if (control->asked == asker)
		cancel(control, wrong ?: "who asked has hung up");
	hang_up(asker);
}

static void on_patience(void *context)
{
	refuse(context, EXIT_USAGE, "no request came within %d seconds", PATIENCE_MS / 1000);
}

/* ---- the socket ---- */

static struct asker *free_asker(struct control *control)
{
	for (size_t i = 0; i < ASKERS_MOST; i++) {
		if (control->askers[i].fd < 0)
			return &control->askers[i];
	}
	return NULL;
}

static void on_connection(void *context, short events)
{
	struct control *control = context;
	struct asker *asker;
	int fd;

	(void)events;
	while ((asker = free_asker(control)) && (fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		socklen_t bytes = sizeof(asker->who);
		int watch = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &asker->who, &bytes) ? -errno :
			    loop_watch(control->loop, fd, POLLIN, LOOP_LEVEL, on_asker, asker);

		if (watch < 0) {
			close(fd);
			continue;
		}
		asker->fd = fd;
		asker->watch = watch;
		asker->stopped = false;
		loop_timer_set(control->loop, &asker->patience, PATIENCE_MS);
	}
	/* With all places taken the others wait in the kernel's queue. */
	if (!asker && control->watch >= 0) {
		loop_unwatch(control->loop, control->watch);
		control->watch = -1;
	}
}

static void listen_on(struct control *control)
{
	if (control->watch < 0)
		control->watch = loop_watch(control->loop, control->fd, POLLIN, LOOP_LEVEL, on_connection, control);
}

static int find_group(const struct control_options *options, gid_t *found)
{
	const struct group *group = options->group ? getgrnam(options->group) : NULL;

	*found = group ? group->gr_gid : (gid_t)-1;
	if (group || !options->group)
		return EXIT_OK;
	message_error("--control-group: there is no group \"%s\"", options->group);
	return EXIT_USAGE;
}

static int open_socket(struct control *control)
{
	char *slash = strrchr(control->path, '/');

	/* Where no service manager made it; what is there is left as it is. */
	if (slash && slash != control->path) {
		*slash = '\0';
		if (!mkdir(control->path, 0700) && control->options.group)
			chmod(control->path, 0755);
		*slash = '/';
	}
	control->fd = socket_file_listen(control->path, CONTROL_SOCKET | SOCK_NONBLOCK, control->options.group ? 0660 : 0600, control->group,
					 &control->file);
	return control->fd < 0 ? control->fd : 0;
}

static void tell_failure(const char *path, int error)
{
	if (error == -EADDRINUSE)
		message_warning("%s belongs to another ktallyd: profiles cannot be asked of this one; --control gives it a socket of its own",
				path);
	else
		message_warning("no profiles can be asked for: cannot make the socket %s: %s", path, strerror(-error));
}

/* The directory of the socket is made if need be, the one above it is not; what is there must be a socket. */
int control_check(const struct control_options *options)
{
	char *copy = memory_string(options->path);
	struct stat status;
	gid_t group;
	int error = 0, code = find_group(options, &group);

	if (strlen(options->path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		error = -ENAMETOOLONG;
	else if (!lstat(options->path, &status))
		error = S_ISSOCK(status.st_mode) ? 0 : -EEXIST;
	else if (strchr(options->path, '/'))
		error = check_place(dirname(copy), true);
	free(copy);
	if (code != EXIT_OK || !error)
		return code;
	tell_failure(options->path, error);
	return options->may_fail ? EXIT_OK : EXIT_FAILED;
}

int control_create(struct control **result, struct loop *loop, const struct control_options *options)
{
	struct control *control = memory_zeroed(1, sizeof(*control));
	int error, code;

	*result = NULL;
	control->loop = loop;
	control->options = *options;
	control->path = memory_string(options->path);
	control->fd = control->watch = -1;
	control->self = (struct asker){ .control = control, .fd = -1, .who = { .pid = getpid(), .uid = geteuid(), .gid = getegid() } };
	control->deadline = (struct loop_timer){ .expired = on_deadline, .context = control };
	for (size_t i = 0; i < ASKERS_MOST; i++)
		control->askers[i] = (struct asker){
			.control = control, .fd = -1, .patience = { .expired = on_patience, .context = &control->askers[i] },
		};
	code = find_group(&control->options, &control->group);
	error = code == EXIT_OK ? open_socket(control) : 0;
	if (!error && code == EXIT_OK) {
		listen_on(control);
		*result = control;
		return EXIT_OK;
	}
	if (error)
		tell_failure(control->path, error);
	control_destroy(control);
	return code != EXIT_OK ? code : options->may_fail ? EXIT_OK : EXIT_FAILED;
}

void control_destroy(struct control *control)
{
	if (!control)
		return;
	if (control->asked)
		cancel(control, "ktallyd ends");
	for (size_t i = 0; i < ASKERS_MOST; i++) {
		if (control->askers[i].fd >= 0)
			answer(&control->askers[i], EXIT_FAILED, "<3>ktallyd ends\n", NULL, 0);
	}
	if (control->watch >= 0)
		loop_unwatch(control->loop, control->watch);
	if (control->fd >= 0) {
		socket_file_remove(control->path, &control->file);
		close(control->fd);
	}
	free(control->path);
	free(control);
}
