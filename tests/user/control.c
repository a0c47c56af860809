// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Profiles on demand from end to end: a ktallyd on a device of the test's own, `ktally profile` asking it, and those who ask for
 * what they may not have, or not as they should.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

#include "base/socket_file.h"
#include "control/packet.h"
#include "control/request.h"
#include "demand.h"

#define NOBODY 65534

/* ---- who asks as he should ---- */

static void check_file(const char *file, const char *wanted, const char *name)
{
	char *text = contents(path_of(file));

	check_string(text, wanted, "%s", name);
	free(text);
	unlink(path_of(file));
}

static void check_profiles(void)
{
	struct stat status;

	check_ask("--for 300ms --hz 199 -o @host.folded -o @host.pb.gz -o @host.otlp -o @host.html", EXIT_OK,
		  "5 samples, 0.01 s of CPU time in 0.", "a profile of the host");
	check_file("host.folded", "other;[unknown];[unknown] 10000000\n"
		   "victim;[unknown];[unknown] 1000000\nvictim;[unknown];[unknown];[unknown] 3000000\n", "has every stack");
	check(!stat(path_of("host.pb.gz"), &status) && status.st_size > 100, "pprof is there");
	check(!stat(path_of("host.otlp"), &status) && status.st_size > 100, "OTLP profiles are there");
	check(!stat(path_of("host.html"), &status) && status.st_size > 10000, "a flame graph is there");
	check_number(status.st_mode & 0777, 0600, "for its owner only");
	unlink(path_of("host.pb.gz"));
	unlink(path_of("host.otlp"));
	unlink(path_of("host.html"));
	check(says("user 0 (process "), "ktallyd tells who asked");
	check(says("asked for a profile of every process at 199 Hz for 0.3 s"), "and what for");
	check(says("the profile that user 0 asked for has ended, with 0"), "and what became of it");

	check_ask("--for 100ms --process victim -o @victim.folded", EXIT_OK, "4 samples", "a profile of one program");
	check_file("victim.folded", "victim;[unknown];[unknown] 1000000\nvictim;[unknown];[unknown];[unknown] 3000000\n", "has its stacks");
	check_ask("--for 100ms --service victim -o @victim.folded", EXIT_OK, "4 samples", "a profile of one service");
	check_file("victim.folded", "victim;[unknown];[unknown] 1000000\nvictim;[unknown];[unknown];[unknown] 3000000\n", "has its stacks");
	check_ask("--for 100ms --service victim --process other -o @nothing.folded", EXIT_OK, "nothing was sampled", "no process of a service");
	check_ask("--for 100ms --process nothing -o @nothing.folded", EXIT_OK, "nothing was sampled", "one of a program that does not run");
	check_file("nothing.folded", "", "has none");
	check_ask("--for 100ms --off-cpu -s off-cpu -o @waits.folded -s wall -o @wall.folded", EXIT_OK, "1 waits", "a profile of waits");
	check_file("waits.folded", "victim;[unknown];[unknown];[unknown] 5000000\n", "has them");
	check_file("wall.folded", "other;[unknown];[unknown] 10000000\n"
		   "victim;[unknown];[unknown] 1000000\nvictim;[unknown];[unknown];[unknown] 8000000\n", "beside what ran");
	check_ask("--for 100ms -o /nonexistent/x.folded", EXIT_FAILED, "cannot write /nonexistent/x.folded: No such file", "a file that cannot be made");
	check_ask("--for 100ms -G / -o @cgroup.folded", EXIT_OK, "samples", "a cgroup's descriptor arrives");
	check(says("a profile of 1 cgroups"), "which ktallyd tells too");
	unlink(path_of("cgroup.folded"));
}

static void check_refusals(void)
{
	check_ask("--for 1", EXIT_USAGE, "nowhere to send profiles to", "a profile to be sent to nowhere");
	check_ask("-o @x", EXIT_USAGE, "what is it to be?", "a file of no format");
	check_ask("--for 2h -o @x.folded", EXIT_USAGE, "up to an hour", "more time than there may be");
	check_ask("-s wall -o @x.folded", EXIT_USAGE, "--off-cpu", "waits that are not sampled");
	check_ask("--process a/b -o @x.folded", EXIT_USAGE, "not the name of a program", "a path for a name");
	check_ask("--service= -o @x.folded", EXIT_USAGE, "not the name of a service", "no name");
	check_ask("-a -p 1 -o @x.folded", EXIT_USAGE, "contradicts", "a contradiction");
	check_ask("--control /nonexistent/socket -o @x.folded", EXIT_UNAVAILABLE, "no ktallyd answers", "nobody there");
}

/* In the background: its process. */
static pid_t ask_aside(const char *arguments)
{
	struct result result;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child)
		return child;
	/* Signals are for the one that asks. */
	signal(SIGINT, SIG_IGN);
	result = ask(arguments);
	_exit(result.code);
}

static pid_t child_of(pid_t parent)
{
	char path[64];
	char *text;
	pid_t child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	text = contents(path);
	child = (pid_t)strtol(text, NULL, 10);
	free(text);
	return child;
}

static void check_one_at_a_time(void)
{
	pid_t aside = ask_aside("--for 30 -o @long.folded"), asking;
	const time_t begun = time(NULL);

	check(says("for 30 s"), "a long profile has begun");
	check_ask("--for 1 -o @second.folded", EXIT_BUSY, "another profile is being taken, for up to", "a second one is refused");
	check(access(path_of("second.folded"), F_OK), "and makes no file");
	asking = child_of(aside);
	check(asking > 0, "who asked waits");
	kill(asking, SIGINT);
	check_number(end_of(aside), EXIT_OK, "Ctrl-C ends it");
	check(time(NULL) - begun < 20, "early");
	check_file("long.folded", "other;[unknown];[unknown] 10000000\n"
		   "victim;[unknown];[unknown] 1000000\nvictim;[unknown];[unknown];[unknown] 3000000\n", "and keeps what was taken");

	aside = ask_aside("--for 31 -o @gone.folded");
	check(says("for 31 s"), "another has begun");
	kill(child_of(aside), SIGKILL);
	end_of(aside);
	check(says("who asked has hung up"), "when who asked is gone it is not taken to its end");
	check_ask("--for 100ms -o @next.folded", EXIT_OK, "5 samples", "the next one is");
	unlink(path_of("next.folded"));

	aside = ask_aside("--for 32 -o @killed.folded");
	check(says("for 32 s"), "another has begun");
	kill(child_of(daemon_pid), SIGKILL);
	check_number(end_of(aside), EXIT_FAILED, "when the process that takes it is killed, who asked is told");
	check(says("the process that took the profile was ended: Killed"), "so is the log");
	check_ask("--for 100ms -o @next.folded", EXIT_OK, "5 samples", "and the next one is taken");
	unlink(path_of("next.folded"));
}

/* ---- who cannot end ---- */

static bool is_refused(void)
{
	struct result result = ask("--for 100ms -o @next.folded");
	bool refused = result.code == EXIT_BUSY;

	result_free(&result);
	return refused;
}

/*
 * A process that reads a file which never answers is kept by the kernel, killed or not. So is one here: as killed, by who traces it; as
 * done, by its pipe, which somebody else has open as another thread of it would have.
 */
static void check_kept(void)
{
	pid_t aside = ask_aside("--for 34 -o @kept.folded"), taker;
	unsigned int refused = 0;
	char pipe_path[64];
	time_t began;
	int pipe_end;

	check(says("for 34 s"), "a profile has begun");
	taker = child_of(daemon_pid);
	if (ptrace(PTRACE_SEIZE, taker, NULL, NULL)) {
		check_skip("this process may not trace others", "a process that cannot end");
		kill(child_of(aside), SIGKILL);
		end_of(aside);
	} else {
		kill(child_of(aside), SIGKILL);
		end_of(aside);
		check(says("who asked has hung up"), "who asked is gone");
		check_ask("--for 100ms -o @next.folded", EXIT_BUSY, "cannot end", "while the process is kept ktallyd answers");
		began = time(NULL);
		for (unsigned int i = 0; i < 12; i++)
			refused += is_refused();
		check(refused == 12 && time(NULL) - began < 5, "and waits no more for who cannot end, however often it is asked");
		check_number(end_of(taker), -SIGKILL, "it was killed");
		check_ask("--for 100ms -o @next.folded", EXIT_OK, "5 samples", "when it is gone the next profile is taken");
		unlink(path_of("next.folded"));
	}

	aside = ask_aside("--for 3500ms -o @held.folded");
	check(says("for 3.5 s"), "another has begun");
	snprintf(pipe_path, sizeof(pipe_path), "/proc/%d/fd/%d", child_of(daemon_pid), TAKER_MESSAGES);
	pipe_end = open(pipe_path, O_WRONLY);
	check(pipe_end >= 0, "whose pipe does not end with it");
	check_number(end_of(aside), EXIT_OK, "its last word is enough");
	close(pipe_end);
	check_file("held.folded", "other;[unknown];[unknown] 10000000\n"
		   "victim;[unknown];[unknown] 1000000\nvictim;[unknown];[unknown];[unknown] 3000000\n", "it is all there");
}

/* ---- who does not ---- */

/* One who may ask, and never stops sending: he is hung up on, and the next one has his profile. */
static void check_flood(void)
{
	static const char good[] = "ktally 1 profile\nfor=60000\noutput=folded on-cpu\n";
	int fd = socket_file_connect(socket_path, CONTROL_SOCKET);
	pid_t senders[2];
	int error;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	packet_send(fd, good, strlen(good), NULL, 0);
	fflush(stdout);
	for (size_t i = 0; i < 2; i++) {
		senders[i] = fork();
		if (!senders[i]) {
			end_with_test();
			do
				error = packet_send(fd, "x", 1, NULL, 0);
			while (!error || error == -EAGAIN);
			_exit(0);
		}
	}
	check(says("sends what nobody asked for"), "who floods ktallyd is hung up on");
	for (size_t i = 0; i < 2; i++)
		waitpid(senders[i], NULL, 0);
	close(fd);
	check_ask("--for 100ms -o @next.folded", EXIT_OK, "5 samples", "and the next profile is taken");
	unlink(path_of("next.folded"));
}

static void send_raw(const char *text, size_t bytes, int descriptors, const char *wanted, const char *name)
{
	int fd = socket_file_connect(socket_path, CONTROL_SOCKET), fds[PACKET_FDS_MOST];
	struct packet answer = { 0 };
	int result;

	for (int i = 0; i < descriptors; i++)
		fds[i] = STDIN_FILENO;
	result = fd < 0 ? fd : packet_send(fd, text, bytes, fds, (size_t)descriptors);
	if (!result)
		result = packet_receive(fd, &answer, 4096);
	check(result == 1 && answer.text.data[0] == '0' + EXIT_USAGE && strstr(answer.text.data, wanted), "%s is refused", name);
	if (result != 1 || !strstr(answer.text.data, wanted))
		printf("# %d %s\n", result, result == 1 ? answer.text.data : "");
	packet_free(&answer);
	close(fd);
}

static void check_hostile(void)
{
	static char large[REQUEST_BYTES_MOST + 4096];
	static const char good[] = "ktally 1 profile\nfor=100\noutput=folded on-cpu\n";
	int fds[32], fd;
	time_t start;

	memset(large, 'x', sizeof(large));
	send_raw(large, sizeof(large), 0, "too long", "a packet that is too long");
	send_raw("\n", 1, 0, "cannot be understood", "an empty line");
	send_raw("stop", 4, 0, "cannot be understood", "an end of nothing");
	send_raw(good, strlen(good), 1, "descriptors", "a descriptor that nobody spoke of");
	send_raw("ktally 1 profile\ncgroups=2\nsend=1\n", 34, 1, "descriptors", "one descriptor for two");
	send_raw(good, strlen(good), 60, "descriptors", "a lot of them");

	/* More than there is room for, who say nothing: they wait for each other. */
	start = time(NULL);
	for (size_t i = 0; i < 12; i++)
		fds[i] = socket_file_connect(socket_path, CONTROL_SOCKET);
	check_ask("--for 100ms -o @late.folded", EXIT_OK, "5 samples", "among those who connect and say nothing one is served");
	check(time(NULL) - start < 15, "when the others' patience is over");
	unlink(path_of("late.folded"));
	for (size_t i = 0; i < 12; i++)
		close(fds[i]);

	/* One who asks and takes nothing. */
	fd = socket_file_connect(socket_path, CONTROL_SOCKET);
	packet_send(fd, good, strlen(good), NULL, 0);
	for (int i = 0; i < 1000; i++)
		packet_send(fd, "nonsense", 8, NULL, 0);
	close(fd);
	check_ask("--for 100ms -o @after.folded", EXIT_OK, "5 samples", "who hangs up is in nobody's way");
	unlink(path_of("after.folded"));
}

/* Asks as nobody, in a group or not. */
static int ask_as(gid_t group, const char *arguments)
{
	struct result result;
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		if (setgroups(group ? 1 : 0, &group) || setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
			_exit(99);
		result = ask(arguments);
		fputs(result.err, stderr);
		_exit(result.code);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void check_rights(void)
{
	if (geteuid()) {
		check_skip("only root can be somebody else", "who may ask");
		return;
	}
	chmod(directory, 0755);
	check_number(ask_as(0, "--for 1 -o /dev/null"), EXIT_USAGE, "a file's name says what it is to be");
	check_number(ask_as(0, "--for 100ms -o /dev/fd/nobody.folded"), EXIT_PERMISSION, "nobody cannot reach the socket");
	chmod(path_of("run"), 0755);
	chmod(socket_path, 0666);
	check_number(ask_as(0, "--for 100ms -o /dev/fd/nobody.folded"), EXIT_PERMISSION, "if he can he is refused");
	check(says("user 65534"), "and that is told");
	stop();

	start("--control-group daemon");
	check_number(ask_as(0, "--for 100ms -o /nonexistent/nobody.folded"), EXIT_PERMISSION, "so he is who is not in the group");
	check_number(ask_as(1, "--for 100ms -o /nonexistent/nobody.folded"), EXIT_FAILED, "who is gets an answer, and writes with his own rights");
	check(says("user 65534 (process "), "that is told too");
}

/* ---- the socket ---- */

static void check_socket(void)
{
	char other[64];
	pid_t second;
	char *text;

	snprintf(other, sizeof(other), "%s/other.log", directory);
	second = start_daemon(other, "");
	check_number(end_of(second), EXIT_FAILED, "a second ktallyd does not take the socket away");
	text = contents(other);
	check(strstr(text, "belongs to another ktallyd"), "and says whose it is");
	free(text);
	check_ask("--for 100ms -o @mine.folded", EXIT_OK, "5 samples", "the first one still answers");
	unlink(path_of("mine.folded"));
	unlink(other);

	kill(daemon_pid, SIGKILL);
	check_number(end_of(daemon_pid), -SIGKILL, "ktallyd is killed");
	check(!access(socket_path, F_OK), "its socket stays behind");
	start("");
	check_ask("--for 100ms -o @again.folded", EXIT_OK, "5 samples", "another takes its place");
	unlink(path_of("again.folded"));
}

/* The daemon's only child. */
static void check_memory(void)
{
	struct buffer text = { 0 };
	char path[64], *end;
	long child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)daemon_pid, (int)daemon_pid);
	check(!buffer_read_file(&text, path, 4096) && text.bytes, "the profile is taken by a process of its own");
	child = text.data ? strtol(text.data, &end, 10) : 0;
	for (int i = 0; i < 500; i++) {
		snprintf(path, sizeof(path), "/proc/%ld/cmdline", child);
		buffer_clear(&text);
		if (!buffer_read_file(&text, path, 4096) && text.bytes > strlen("ktallyd") && !strcmp(text.data + strlen("ktallyd") + 1, TAKER_ARGUMENT))
			break;
		wait_a_moment();
	}
	check(text.bytes > strlen("ktallyd") && !strcmp(text.data + strlen("ktallyd") + 1, TAKER_ARGUMENT), "which is executed");
	snprintf(path, sizeof(path), "/proc/%ld/environ", child);
	buffer_clear(&text);
	check(!buffer_read_file(&text, path, 1 << 20) && text.bytes, "it has an environment");
	check(!memmem(text.data, text.bytes, "password", strlen("password")), "without the credentials that the daemon has");
	buffer_free(&text);
}

int main(int argc, char **argv)
{
	pid_t aside;

	take_profile_if_told(argc, argv);
	begin();
	setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=password", 1);
	start("");
	check_profiles();
	check_refusals();
	check_one_at_a_time();
	check_kept();
	check_hostile();
	check_flood();
	check_socket();
	check_rights();
	aside = ask_aside("--for 33 -o @end.folded");
	check(says("for 33 s"), "a profile has begun");
	check_memory();
	stop();
	check_number(end_of(aside), EXIT_FAILED, "who waits for one is told that ktallyd ends");
	unlink(path_of("end.folded"));
	end();
	return check_end();
}
