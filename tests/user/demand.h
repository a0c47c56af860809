/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ktallyd on a device of the test's own, those who ask it for profiles, and a collector: for the tests of profiles on demand. */
#ifndef KTALLY_TEST_DEMAND_H
#define KTALLY_TEST_DEMAND_H

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>

#include "check.h"
#include "command.h"
#include "daemon/daemon.h"
#include "daemon/taker.h"
#include "small_device.h"

static char directory[] = "/tmp/ktally-test-control-XXXXXX";
static char socket_path[64], log_path[64];
static pid_t daemon_pid;

static inline const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static inline char *contents(const char *path)
{
	struct buffer text = { 0 };

	buffer_append(&text, "", 0);
	buffer_read_file(&text, path, 1 << 20);
	return text.data;
}

static inline void wait_a_moment(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

/* Whether the daemon says it, within some seconds. */
static inline bool says(const char *wanted)
{
	bool found = false;

	for (int i = 0; i < 500 && !found; i++) {
		char *text = contents(log_path);

		found = strstr(text, wanted);
		free(text);
		if (!found)
			wait_a_moment();
	}
	return found;
}

/* However that ends: who goes on has its standard error, and whoever reads that waits for its end. */
static inline void end_with_test(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* ---- the daemon ---- */

/* The daemon of a test executes the test, on a device that is like the one before. */
static inline void take_profile_if_told(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], TAKER_ARGUMENT)) {
		message_program = "ktallyd";
		taker_run();
	}
}

static inline int run_daemon(const char *more)
{
	char line[256], *argv[16] = { "ktallyd" }, *word;
	struct daemon_options options;
	struct daemon *daemon;
	int argc = 1, code;

	/* What is opened by another process is no device here. */
	snprintf(line, sizeof(line), "--no-confine --loop poll --interval 3600 --control %s %s", socket_path, more);
	for (word = strtok(line, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	message_program = "ktallyd";
	optind = 0;
	code = daemon_options_parse(&options, argc, argv);
	if (code >= 0)
		return code;
	code = daemon_create(&daemon, &options);
	if (code == EXIT_OK) {
		code = daemon_run(daemon);
		daemon_destroy(daemon);
	}
	daemon_options_release(&options);
	return code;
}

static inline pid_t start_daemon(const char *log, const char *more)
{
	pid_t child;
	int fd;

	fflush(stdout);
	child = fork();
	if (child)
		return child;
	end_with_test();
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, STDERR_FILENO);
	_exit(run_daemon(more));
}

static inline int end_of(pid_t child)
{
	int status = 0;

	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline void start(const char *more)
{
	unlink(log_path);
	daemon_pid = start_daemon(log_path, more);
	check(says("sampling"), "ktallyd %s samples", more);
}

static inline void stop(void)
{
	kill(daemon_pid, SIGTERM);
	check_number(end_of(daemon_pid), EXIT_OK, "ktallyd ends well");
	check(access(socket_path, F_OK), "and takes its socket away");
}

/* ---- who asks ---- */

/* As a user would: `arguments` may name files of the directory as @NAME. */
static inline struct result ask(const char *arguments)
{
	struct buffer line = { 0 };
	struct result result;

	buffer_format(&line, "profile --control %s ", socket_path);
	for (; *arguments; arguments++) {
		if (*arguments == '@')
			buffer_format(&line, "%s/", directory);
		else
			buffer_append(&line, arguments, 1);
	}
	result = command_run(command_profile, line.data);
	buffer_free(&line);
	return result;
}

static inline void check_ask(const char *arguments, int code, const char *wanted, const char *name)
{
	struct result result = ask(arguments);

	check_number(result.code, code, "%s", name);
	check(strstr(result.err, wanted), "ktally says \"%s\"", wanted);
	if (result.code != code || !strstr(result.err, wanted))
		printf("# %s\n", result.err);
	result_free(&result);
}

/* ---- a collector ---- */

/* Takes what is sent, and keeps the last of each path, "/" being "_"; its port is printed. */
static const char collector[] =
	"import gzip, http.server, sys\n"
	"class Handler(http.server.BaseHTTPRequestHandler):\n"
	"    def do_POST(self):\n"
	"        body = self.rfile.read(int(self.headers[\"Content-Length\"]))\n"
	"        if self.headers[\"Content-Encoding\"] == \"gzip\": body = gzip.decompress(body)\n"
	"        name = self.path.replace(\"/\", \"_\") + \"_\" + self.headers[\"Content-Type\"].replace(\"/\", \"_\")\n"
	"        open(sys.argv[1] + \"/\" + name, \"wb\").write(body)\n"
	"        self.send_response(200); self.send_header(\"Content-Length\", \"0\"); self.end_headers()\n"
	"    def log_message(self, *arguments): pass\n"
	"server = http.server.HTTPServer((\"127.0.0.1\", 0), Handler)\n"
	"print(server.server_port, flush=True); server.serve_forever()\n";

static inline pid_t start_collector(int *port)
{
	int out[2];
	char text[16] = "";
	pid_t child;

	if (pipe(out))
		return -1;
	fflush(stdout);
	child = fork();
	if (!child) {
		end_with_test();
		dup2(out[1], STDOUT_FILENO);
		execlp("python3", "python3", "-c", collector, directory, NULL);
		_exit(127);
	}
	close(out[1]);
	check(read(out[0], text, sizeof(text) - 1) > 0, "a collector listens");
	close(out[0]);
	*port = atoi(text);
	return child;
}


static inline void begin(void)
{
	if (!mkdtemp(directory))
		message_fatal(EXIT_FAILED, "cannot make %s: %m", directory);
	snprintf(socket_path, sizeof(socket_path), "%s/run/control", directory);
	snprintf(log_path, sizeof(log_path), "%s/log", directory);
	for (char **variable = environ; *variable; variable++)
		if (!strncmp(*variable, "OTEL_", 5))
			**variable = '_';
}

static inline void end(void)
{
	unlink(log_path);
	rmdir(path_of("run"));
	check(!rmdir(directory), "nothing is left behind");
}

#endif
