// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ktally profile: asks the daemon that runs on this host for a whole profile, see control/request.h. The daemon has the rights and the
 * module; this only needs to be allowed to ask, and writes what it gets by its own rights.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/message.h"
#include "base/number.h"
#include "base/socket_file.h"
#include "cli/command.h"
#include "control/packet.h"
#include "control/request.h"

#define ANSWER_BYTES_MOST 16384

struct profile_command {
	struct request request;
	const char *paths[REQUEST_OUTPUTS_MOST];
	const char *socket;
	uint32_t sources;		/* of the -o's to come, 0: what fits */
};

static const char help[] =
	"usage: ktally profile [options] [-o FILE]...\n"
	"\n"
	"Asks the ktallyd of this host for a profile with every stack, of the host or of some processes, for a time. Without\n"
	"-o it is sent to where ktallyd sends its metrics, as OTLP profiles.\n"
	"\n"
	"      --for TIME          how long: seconds, or 500ms, 5m, 1h (60s)\n"
	"      --hz RATE           samples per second and CPU (99); the same as -F, --rate\n"
	"      --process NAME      processes whose program has this name\n"
	"      --service NAME      processes of this service, as ktallyd attributes them\n"
	"  -o, --output FILE       a file: its format follows from .pb.gz (pprof), .otlp, .folded, .html (flame graph),\n"
	"                          .speedscope.json; may be given again\n"
	"  -s, --source SOURCE     what files named after it show: on-cpu (the default), off-cpu or wall\n"
	"      --send              send it too\n"
	"      --control PATH      the daemon's socket (" CONTROL_PATH ")\n"
	"\n";

static const char help_end[] =
	"  -h, --help\n"
	"\n"
	"Ctrl-C ends it and keeps what was taken. See ktally-profile(1).\n";

enum { OPTION_FOR = 1, OPTION_PROCESS, OPTION_SERVICE, OPTION_SEND, OPTION_CONTROL };

static const struct option long_options[] = {
	SESSION_LONG_HOW,
	SESSION_LONG_WHOM,
	{ "hz", required_argument, NULL, 'F' },
	{ "for", required_argument, NULL, OPTION_FOR },
	{ "process", required_argument, NULL, OPTION_PROCESS },
	{ "service", required_argument, NULL, OPTION_SERVICE },
	{ "output", required_argument, NULL, 'o' },
	{ "source", required_argument, NULL, 's' },
	{ "send", no_argument, NULL, OPTION_SEND },
	{ "control", required_argument, NULL, OPTION_CONTROL },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

/* ---- what to ask for ---- */

static int take_output(struct profile_command *command, const char *path)
{
	struct request *request = &command->request;
	struct request_output *output = &request->outputs[request->output_count];

	if (request->output_count == REQUEST_OUTPUTS_MOST) {
		message_error("-o %s: more than %d files", path, REQUEST_OUTPUTS_MOST);
		return EXIT_USAGE;
	}
	output->format = format_of_file(path);
	output->sources = command->sources;
	if (!output->format) {
		message_error("-o %s: what is it to be? Let its name end in .pb.gz, .otlp, .folded, .html or .speedscope.json", path);
		return EXIT_USAGE;
	}
	command->paths[request->output_count++] = path;
	return -1;
}

static int take_process(struct request *request, const char *name)
{
	if (!*name || strlen(name) >= sizeof(request->process) || strpbrk(name, "\n/")) {
		message_error("--process: \"%s\" is not the name of a program: give the last part of its path", name);
		return EXIT_USAGE;
	}
	strcpy(request->process, name);
	return -1;
}

static int take_service(struct request *request, const char *name)
{
	if (!*name || strlen(name) >= sizeof(request->service) || strchr(name, '\n')) {
		message_error("--service: \"%s\" is not the name of a service: ktally report lists those there are", name);
		return EXIT_USAGE;
	}
	strcpy(request->service, name);
	return -1;
}

/* -1: go on, else the exit code. */
static int take(struct profile_command *command, int option, char *argument)
{
	switch (option) {
	case OPTION_FOR:
		if (!number_parse_duration(argument, 1, REQUEST_DURATION_MOST, &command->request.duration))
			return -1;
		message_error("--for: \"%s\" is not a time of up to an hour: give seconds, or 500ms, 5m", argument);
		return EXIT_USAGE;
	case OPTION_PROCESS:
		return take_process(&command->request, argument);
	case OPTION_SERVICE:
		return take_service(&command->request, argument);
	case OPTION_SEND:
		command->request.send = true;
		return -1;
	case OPTION_CONTROL:
		command->socket = argument;
		return -1;
	case 'o':
		return take_output(command, argument);
	case 's':
		command->sources = format_sources(argument);
		if (command->sources)
			return -1;
		message_error("-s: there is no source \"%s\": take on-cpu, off-cpu or wall", argument);
		return EXIT_USAGE;
	case 'h':
		printf("%s%s%s%s", help, session_help_whom, session_help_how, help_end);
		return EXIT_OK;
	default:
		return session_options_take(&command->request.session, option, argument) == 1 ? -1 : EXIT_USAGE;
	}
}

/* OTLP has both sources in one file, as two profiles; what shows one of them shows what ran. */
static int complete(struct profile_command *command)
{
	struct request *request = &command->request;

	if (session_options_check(&request->session))
		return EXIT_USAGE;
	if (request->session.cpus_wanted != SESSION_CPUS_DEFAULT) {
		message_error("--cpus: which CPUs are sampled is for ktallyd to say: start it with that option");
		return EXIT_USAGE;
	}
	if (!request->output_count)
		request->send = true;
	for (size_t i = 0; i < request->output_count; i++) {
		struct request_output *output = &request->outputs[i];

		if (output->sources & KTALLY_SOURCE_OFFCPU && !request->session.off_cpu) {
			message_error("-s %s is about waits: give --off-cpu too", format_sources_name(output->sources));
			return EXIT_USAGE;
		}
		if (!output->sources)
			output->sources = KTALLY_SOURCE_ONCPU |
					  (!strcmp(output->format->name, "otlp") && request->session.off_cpu ? KTALLY_SOURCE_OFFCPU : 0);
	}
	return -1;
}

static int parse(struct profile_command *command, int argc, char **argv)
{
	int option, code = -1;

	while (code < 0 && (option = getopt_long(argc, argv, SESSION_SHORT_HOW SESSION_SHORT_WHOM "o:s:h", long_options, NULL)) != -1)
		code = take(command, option, optarg);
	if (code < 0 && optind < argc) {
		message_error("\"%s\": profile takes no arguments; -o names a file", argv[optind]);
		code = EXIT_USAGE;
	}
	return code < 0 ? complete(command) : code;
}

/* ---- asking ---- */

static int connect_to(const char *path)
{
	int fd = socket_file_connect(path, CONTROL_SOCKET);

	if (fd == -ENOENT || fd == -ECONNREFUSED)
		message_error("no ktallyd answers at %s: is it running (`systemctl status ktallyd`)? `ktally record` needs none", path);
	else if (fd == -EACCES || fd == -EPERM)
		message_error("not allowed to ask ktallyd at %s: be root, or a member of the group of its --control-group", path);
	else if (fd < 0)
		message_error("cannot reach ktallyd at %s: %s", path, strerror(-fd));
	return fd;
}

static int refused(int error)
{
	return error == -EACCES || error == -EPERM ? EXIT_PERMISSION : EXIT_UNAVAILABLE;
}

static int open_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The answer; 1, or what packet_receive() says. The first signal asks for the end, the second does not wait for it. */
static int wait_for_answer(int fd, int signals, struct packet *packet)
{
	struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
	struct signalfd_siginfo signal;
	bool told = false;

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents)
			return packet_receive(fd, packet, ANSWER_BYTES_MOST);
		if (fds[1].revents && read(signals, &signal, sizeof(signal)) == sizeof(signal)) {
			if (told)
				return -EINTR;
			told = true;
			packet_send(fd, REQUEST_STOP, strlen(REQUEST_STOP), NULL, 0);
		}
	}
}

/* "<6>text" as the message that it is. */
static void pass_on(char *line)
{
	const char *text = line;

	if (line[0] == '<' && line[1] && line[2] == '>')
		text += 3;
	if (line[0] == '<' && line[1] == '4')
		message_warning("%s", strncmp(text, "warning: ", 9) ? text : text + 9);
	else if (line[0] == '<' && line[1] == '6')
		message_info("%s", text);
	else
		message_error("%s", text);
}

static int read_answer(const struct profile_command *command, const struct packet *packet)
{
	char *rest = packet->text.data, *line = strsep(&rest, "\n");
	uint64_t code;

	if (number_parse(line, 0, 255, &code)) {
		message_error("ktallyd answered what cannot be understood: install both programs from the same release");
		return EXIT_FAILED;
	}
	while ((line = strsep(&rest, "\n"))) {
		if (*line)
			pass_on(line);
	}
	if (code == EXIT_OK && packet->fd_count != command->request.output_count) {
		message_error("ktallyd made %zu files instead of %zu", packet->fd_count, command->request.output_count);
		return EXIT_FAILED;
	}
	return (int)code;
}

static int write_files(const struct profile_command *command, const struct packet *packet)
{
	int code = EXIT_OK;

	for (size_t i = 0; i < packet->fd_count; i++) {
		int error = export_copy(command->paths[i], packet->fds[i]);

		if (!error)
			continue;
		message_error("cannot write %s: %s", command->paths[i], strerror(-error));
		code = error == -EACCES || error == -EPERM ? EXIT_PERMISSION : EXIT_FAILED;
	}
	return code;
}

static int ask(const struct profile_command *command, int fd)
{
	const struct session_options *session = &command->request.session;
	struct buffer text = { 0 };
	struct packet packet;
	int signals = open_signals(), code, result;

	request_write(&command->request, &text);
	result = packet_send(fd, text.data, text.bytes, session->cgroup_fds, session->cgroup_count);
	buffer_free(&text);
	if (!result)
		result = wait_for_answer(fd, signals, &packet);
	close(signals);
	if (result != 1) {
		if (result == -EINTR)
			message_error("interrupted: nothing is kept");
		else
			message_error("ktallyd hung up%s%s: see its log", result ? ": " : "", result ? strerror(-result) : "");
		return EXIT_FAILED;
	}
	code = read_answer(command, &packet);
	if (code == EXIT_OK)
		code = write_files(command, &packet);
	packet_free(&packet);
	return code;
}

int command_profile(int argc, char **argv)
{
	struct profile_command command = { .socket = CONTROL_PATH };
	int code, fd;

	request_init(&command.request);
	code = parse(&command, argc, argv);
	if (code < 0) {
		fd = connect_to(command.socket);
		code = fd < 0 ? refused(fd) : ask(&command, fd);
		if (fd >= 0)
			close(fd);
	}
	session_options_release(&command.request.session);
	return code;
}
