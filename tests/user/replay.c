// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A sender with a spool that is killed with SIGKILL again and again, at moments that chance chooses, while its destination comes and goes. Each
 * run first sends what the ones before left, then goes on submitting numbered batches, and notes in shared memory up to which
 * number all was safe when it looked: on disk, or accepted. In the end the destination must have got all of those, whole, each run's in order.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <time.h>
#include <unistd.h>

#include "base/message.h"
#include "check.h"
#include "export/sender.h"

#define RUNS	40	/* at least: on a busy machine a run has little time, and there are more of them */
#define RUNS_MOST	1000
#define NUMBERS	(1 << 20)

struct shared {
	uint64_t submitted, safe;	/* numbers */
	uint64_t found;			/* batches, by all runs */
	uint64_t damaged;
};

static struct shared *shared;
static char directory[] = "/tmp/ktally-replay-XXXXXX";
static int port;

static uint64_t milliseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void read_answer(struct sender_answer *answer, long status, const char *type, const struct buffer *body)
{
	(void)type;
	(void)body;
	*answer = (struct sender_answer){ .verdict = status == 200 ? SENDER_ACCEPTED : SENDER_TRY_AGAIN };
	if (status != 200)
		sender_describe(answer, status, "");
}

static const struct sender_protocol protocol = { .name = "numbers", .content_type = "text/plain", .read_answer = read_answer };

/* ---- the sender, in a process of its own ---- */

/* "number 17: " and as many letters as that says. */
static void text_of(uint64_t number, struct buffer *text)
{
	buffer_clear(text);
	buffer_format(text, "number %llu:", (unsigned long long)number);
	for (uint64_t i = 0; i < 200 + number % 5000; i++)
		buffer_append(text, &"abcdefghijklmnopqrstuvwxyz"[(number + i * i) % 26], 1);
}

static void note(struct sender *sender, uint64_t number)
{
	sender_run(sender);
	if (sender_is_safe(sender))
		__atomic_store_n(&shared->safe, number, __ATOMIC_SEQ_CST);
}

/* For ever, or until all is sent if there is an end. */
static void run_sender(bool has_end)
{
	struct sender_options options = { .protocol = &protocol, .compression = "none", .timeout_ms = 1000, .spool = directory };
	uint64_t number = shared->submitted, next = milliseconds();
	struct sender_statistics statistics;
	struct buffer text = { 0 };
	struct sender *sender;
	char endpoint[64];

	snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d/", port);
	options.endpoint = endpoint;
	sender = sender_create(&options);
	if (!sender)
		_exit(1);
	sender_get_statistics(sender, &statistics);
	shared->found += statistics.queue.found;
	shared->damaged += statistics.queue.damaged;
	while (!has_end || !sender_idle(sender)) {
		struct pollfd fds[SENDER_FDS_MOST];
		int timeout = sender_timeout(sender);

		if (!has_end && milliseconds() >= next) {
			text_of(++number, &text);
			__atomic_store_n(&shared->submitted, number, __ATOMIC_SEQ_CST);
			sender_submit(sender, text.data, text.bytes, 1);
			next = milliseconds() + (number % 3 ? number % 2 : 60);		/* bursts, with time between them to become safe */
		}
		note(sender, number);
		poll(fds, sender_fds(sender, fds, SENDER_FDS_MOST), timeout >= 0 && timeout < 2 ? timeout : 2);
		note(sender, number);
	}
	buffer_free(&text);
	sender_destroy(sender);
	_exit(0);
}

/* ---- the destination: one connection at a time, as a sender has no more ---- */

struct destination {
	int listener, connection;
	struct buffer request;
	unsigned char *got;		/* how often, by number */
	uint64_t last;			/* number, on this connection */
	uint64_t requests, spoiled, disordered, refused;
	bool is_away;			/* answers 503 */
};

static void listen_at(struct destination *destination)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(address);

	destination->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(destination->listener, (struct sockaddr *)&address, sizeof(address)) || listen(destination->listener, 16) ||
	    getsockname(destination->listener, (struct sockaddr *)&address, &bytes))
		message_fatal(EXIT_FAILED, "cannot listen: %m");
	port = ntohs(address.sin_port);
	destination->connection = -1;
}

static void hang_up(struct destination *destination)
{
	if (destination->connection >= 0)
		close(destination->connection);
	destination->connection = -1;
	destination->last = 0;
	buffer_clear(&destination->request);
}

/* Whether there was a whole request. */
static bool take_request(struct destination *destination)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	static const char away[] = "HTTP/1.1 503 Away\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n";
	struct buffer *request = &destination->request, wanted = { 0 };
	const char *answer = destination->is_away ? away : ok;
	char *body = request->data ? strstr(request->data, "\r\n\r\n") : NULL, *length;
	unsigned long long number = 0;
	size_t bytes, whole;

	if (!body)
		return false;
	body += 4;
	length = strstr(request->data, "Content-Length: ");
	bytes = length ? strtoul(length + 16, NULL, 10) : 0;
	whole = (size_t)(body - request->data) + bytes;
	if (request->bytes < whole)
		return false;
	destination->requests++;
	if (destination->is_away) {
		destination->refused++;
	} else if (sscanf(body, "number %llu:", &number) == 1 && number < NUMBERS) {
		text_of(number, &wanted);
		destination->spoiled += wanted.bytes != bytes || memcmp(wanted.data, body, bytes);
		destination->disordered += number <= destination->last;
		destination->last = number;
		if (destination->got[number] < 255)
			destination->got[number]++;
	} else {
		destination->spoiled++;
	}
	buffer_free(&wanted);
	memmove(request->data, request->data + whole, request->bytes - whole + 1);
	request->bytes -= whole;
	if (send(destination->connection, answer, strlen(answer), MSG_NOSIGNAL) < 0)
		hang_up(destination);
	return true;
}

static void serve(struct destination *destination, uint64_t until)
{
	while (milliseconds() < until) {
		struct pollfd fds[] = { { .fd = destination->listener, .events = POLLIN }, { .fd = destination->connection, .events = POLLIN } };
		char piece[16384];
		ssize_t bytes;

		if (poll(fds, 2, 5) <= 0)
			continue;
		if (fds[1].revents) {
			bytes = recv(destination->connection, piece, sizeof(piece), MSG_DONTWAIT);
			if (bytes > 0)
				buffer_append(&destination->request, piece, (size_t)bytes);
			else
				hang_up(destination);
			while (take_request(destination))
				;
		}
		if (fds[0].revents) {
			hang_up(destination);
			destination->connection = accept4(destination->listener, NULL, NULL, SOCK_CLOEXEC);
		}
	}
}

static pid_t begin(bool has_end)
{
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child)
		run_sender(has_end);
	return child;
}

static void end(struct destination *destination)
{
	uint64_t until = milliseconds() + 60000;
	pid_t child = begin(true);
	int status = -1;

	destination->is_away = false;
	while (milliseconds() < until && !waitpid(child, &status, WNOHANG))
		serve(destination, milliseconds() + 20);
	check(WIFEXITED(status) && !WEXITSTATUS(status), "the last run delivers what is left, and ends");
}

static bool is_enough(uint64_t unsafe)
{
	return shared->submitted > 200 && shared->submitted - unsafe > 50 && shared->found > 20;
}

int main(void)
{
	struct destination destination = { .got = memory_zeroed(NUMBERS, 1) };
	uint64_t missing = 0, twice = 0, unsafe = 0, killed_early = 0;
	bool *may_miss = memory_zeroed(NUMBERS, 1);
	unsigned int random = (unsigned int)milliseconds();
	unsigned int runs = 0;
	char command[128];

	if (!mkdtemp(directory))
		return 1;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	listen_at(&destination);
	while (runs < RUNS || (runs < RUNS_MOST && !is_enough(unsafe))) {
		uint64_t before = shared->submitted;
		pid_t child = begin(false);

		runs++;
		random = random * 1103515245 + 12345;
		destination.is_away = random >> 16 & 1;
		serve(&destination, milliseconds() + 20 + (random >> 17) % 500);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		hang_up(&destination);
		killed_early += shared->submitted == before;
		/* What was not safe at this moment may be lost. */
		for (uint64_t number = shared->safe > before ? shared->safe + 1 : before + 1; number <= shared->submitted; number++) {
			may_miss[number] = true;
			unsafe++;
		}
	}
	end(&destination);
	for (uint64_t number = 1; number <= shared->submitted; number++) {
		missing += !destination.got[number] && !may_miss[number];
		twice += destination.got[number] > 1;
	}
	printf("# %llu batches in %u runs, %llu not safe yet; %llu runs too short for any; %llu found by later runs, %llu refused; %llu arrived twice\n",
	       (unsigned long long)shared->submitted, runs, (unsigned long long)unsafe, (unsigned long long)killed_early, (unsigned long long)shared->found,
	       (unsigned long long)destination.refused, (unsigned long long)twice);
	check(is_enough(unsafe), "killed in the middle of it, when much of it was safe");
	check(destination.refused, "and by a destination that refused some");
	check_number(missing, 0, "nothing is missing that was safe");
	check_number(destination.spoiled, 0, "nothing is torn or spoiled");
	check_number(destination.disordered, 0, "each run sends in order");
	check_number(shared->damaged, 0, "no run found anything damaged");
	check(twice <= 2 * runs, "twice comes only what was under way when a run was killed");
	free(destination.got);
	free(may_miss);
	buffer_free(&destination.request);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) ? 1 : check_end();
}
