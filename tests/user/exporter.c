// SPDX-License-Identifier: GPL-2.0-or-later
/* Senders within the daemon's loops: what arrives when, and what people are told. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/message.h"
#include "check.h"
#include "daemon/exporter.h"
#include "export/otlp.h"

static char directory[] = "/dev/shm/ktally-exporter-XXXXXX", endpoint[64];
static int messages;			/* what was said on standard error */

/* ---- a destination: refuses connections until it is told to listen ---- */

static int listener;
static volatile bool answers;
static unsigned int got;

static void *serve(void *unused)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	int connection;

	while ((connection = accept(listener, NULL, NULL)) >= 0) {
		char request[65536];
		ssize_t bytes = 0, more;
		char *body;

		/* Bodies of this test are small: they come with the head, or right after it. */
		do {
			more = recv(connection, request + bytes, sizeof(request) - (size_t)bytes - 1, 0);
			bytes += more > 0 ? more : 0;
			request[bytes] = '\0';
			body = strstr(request, "\r\n\r\n");
		} while (more > 0 && (!body || body[4] == '\0'));
		while (!answers)
			usleep(10000);
		if (more > 0) {
			__atomic_add_fetch(&got, 1, __ATOMIC_SEQ_CST);
			send(connection, ok, strlen(ok), MSG_NOSIGNAL);
		}
		close(connection);
	}
	return unused;
}

static void open_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(address);

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || getsockname(listener, (struct sockaddr *)&address, &bytes))
		message_fatal(EXIT_FAILED, "cannot have a port: %m");
	snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d/v1/metrics?token=secret", ntohs(address.sin_port));
}

static pthread_t come_back(void)
{
	pthread_t thread;

	answers = true;
	if (listen(listener, 16) || pthread_create(&thread, NULL, serve, NULL))
		message_fatal(EXIT_FAILED, "cannot listen: %m");
	return thread;
}

static void go_away(pthread_t thread)
{
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listener);
}

/* ---- what was said ---- */

static void forget_messages(void)
{
	if (ftruncate(messages, 0) || lseek(messages, 0, SEEK_SET))
		message_fatal(EXIT_FAILED, "%m");
}

static unsigned int said(const char *what)
{
	struct buffer text = { 0 };
	unsigned int count = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", messages);
	buffer_read_file(&text, path, 1 << 20);
	for (const char *at = text.data; at && (at = strstr(at, what)); at++)
		count++;
	buffer_free(&text);
	return count;
}

/* ---- an exporter ---- */

static void on_time(void *context)
{
	*(bool *)context = true;
}

static bool has_failed(struct exporter *exporter)
{
	return exporter_is_failing(exporter);
}

static bool is_done(struct exporter *exporter)
{
	struct sender_statistics statistics;

	exporter_get_statistics(exporter, &statistics);
	return !statistics.queue.batches && !exporter_is_failing(exporter);
}

static bool is_stored(struct exporter *exporter)
{
	struct sender_statistics statistics;

	exporter_get_statistics(exporter, &statistics);
	return statistics.queue.spool_batches == statistics.queue.batches && !statistics.queue.spool_error;
}

static bool cannot_store(struct exporter *exporter)
{
	struct sender_statistics statistics;

	exporter_get_statistics(exporter, &statistics);
	return statistics.queue.spool_error;
}

/* Turns the loop until something holds. Whether it does, in time. */
static bool within(struct loop *loop, unsigned int seconds, bool (*holds)(struct exporter *exporter), struct exporter *exporter)
{
	bool late = false;
	struct loop_timer timer = { .expired = on_time, .context = &late };

	loop_timer_set(loop, &timer, seconds * 1000);
	while (!holds(exporter) && !late)
		loop_turn(loop);
	loop_timer_cancel(loop, &timer);
	return !late;
}

static struct exporter *make(struct loop *loop, const char *spool)
{
	struct sender_options options = {
		.protocol = &otlp_metrics.protocol, .endpoint = endpoint, .spool = spool, .spool_bytes = 1 << 20, .timeout_ms = 2000,
	};
	struct exporter *exporter;

	return exporter_create(&exporter, loop, &options) == EXIT_OK ? exporter : NULL;
}

static void submit(struct exporter *exporter, size_t bytes)
{
	static unsigned int random = 1;
	struct buffer message = { 0 };

	for (size_t i = 0; i < bytes; i++) {
		char c;

		random = random * 1103515245 + 12345;
		c = (char)(random >> 16);
		buffer_append(&message, &c, 1);
	}
	exporter_submit(exporter, &message, 10);
	buffer_free(&message);
}

static uint64_t finish(struct exporter *exporter, uint64_t milliseconds)
{
	uint64_t before = loop_now();
	bool impatient = false;

	exporter_finish(exporter, milliseconds, &impatient);
	exporter_destroy(exporter);
	return (loop_now() - before) / 1000000;
}

/* Away, ended, started again, there again: nothing is lost. */
static void with_spool(struct loop *loop)
{
	struct exporter *exporter;
	pthread_t thread;
	uint64_t took;

	forget_messages();
	got = 0;
	open_port();
	exporter = make(loop, directory);
	check(exporter && !said("ktally: "), "it starts, and has nothing to say");
	submit(exporter, 100);
	check(within(loop, 10, has_failed, exporter), "a destination that is away is noticed");
	submit(exporter, 100);
	submit(exporter, 100);
	check(within(loop, 10, is_stored, exporter), "what waits is on disk");
	took = finish(exporter, 8000);
	check(took < 4000, "it ends without waiting for what is not there: after %d ms", (int)took);
	check(said("does not take metrics: ") == 1, "that it is away was told, once");
	check(said("3 batches of metrics stay in the spool ") == 1 && said("/metrics until ktallyd runs again: ") == 1, "and what stays");
	check(!said("secret"), "the query of an address is not told");
	check(!said("lost"), "nothing is lost");

	forget_messages();
	exporter = make(loop, directory);
	check_number(said("3 batches of metrics are in the spool"), 1, "the next run finds them");
	check(within(loop, 10, has_failed, exporter), "but it is still away");
	thread = come_back();
	submit(exporter, 100);
	check(within(loop, 20, is_done, exporter), "it is there again");
	check_number(said("takes metrics again after 1 failed requests; nothing was dropped"), 1, "that is told");
	finish(exporter, 5000);
	check_number(__atomic_load_n(&got, __ATOMIC_SEQ_CST), 4, "all arrived");
	check(said("ktally: ") == 3, "no more is said");

	forget_messages();
	exporter = make(loop, directory);
	check(!said("ktally: "), "the run after that finds nothing");
	answers = false;
	submit(exporter, 100);
	took = finish(exporter, 1000);
	check(took >= 1000 && took < 4000, "one that never answers is waited for as long as that may take: %d ms", (int)took);
	check(said("1 batches of metrics stay in the spool") == 1 && !said("lost"), "and what it did not take stays");
	answers = true;
	exporter = make(loop, directory);
	within(loop, 10, is_done, exporter);
	finish(exporter, 5000);
	check(__atomic_load_n(&got, __ATOMIC_SEQ_CST) >= 5, "until it takes it");
	go_away(thread);
}

static void without_spool(struct loop *loop)
{
	struct exporter *exporter;

	forget_messages();
	open_port();
	exporter = make(loop, NULL);
	submit(exporter, 100);
	check(within(loop, 10, has_failed, exporter), "without a spool");
	finish(exporter, 300);
	check(said("the last metrics were not delivered to http://127.0.0.1:") == 1 && said("they are lost") == 1, "what is left is lost, and told");
	close(listener);
}

/* A file size limit, for the disk is full; in a child. The number of what failed. */
static int on_full_disk(struct loop *loop)
{
	struct rlimit small = { 1000, 1000000 }, large = { 1000000, 1000000 };
	struct profile_delivery delivery = { 0 };
	struct exporter *exporter;

	signal(SIGXFSZ, SIG_IGN);
	open_port();
	exporter = make(loop, directory);
	setrlimit(RLIMIT_FSIZE, &small);
	submit(exporter, 10000);
	if (!within(loop, 10, cannot_store, exporter))
		return 1;
	submit(exporter, 10000);
	submit(exporter, 10000);
	within(loop, 1, is_stored, exporter);
	if (said("/metrics cannot be written: File too large: what waits to be sent is kept in memory, up to 8 MiB") != 1)
		return 2;
	exporter_add_delivery(exporter, &delivery);
	exporter_add_delivery(NULL, &delivery);
	if (delivery.batches != 3 || delivery.batches_spooled || !delivery.requests)
		return 7;
	setrlimit(RLIMIT_FSIZE, &large);
	submit(exporter, 10000);
	if (!within(loop, 10, is_stored, exporter) || said("/metrics can be written again") != 1)
		return 3;
	for (int i = 0; i < 20; i++) {
		submit(exporter, 100000);
		if (!within(loop, 10, is_stored, exporter))
			return 4;
	}
	if (said("the spool is full: the oldest metrics that wait for ") != 1)
		return 5;
	exporter_add_delivery(exporter, &delivery);
	if (delivery.batches != 3 + 24 || delivery.batches_spooled != 24 || delivery.batches_evicted < 10 ||
	    delivery.points_evicted != 10 * delivery.batches_evicted)
		return 8;
	finish(exporter, 5000);
	return said("batches of metrics stay in the spool") == 1 && said("data points were dropped in all") == 1 ? 0 : 6;
}

static void bad_spools(void)
{
	struct exporter *exporter;
	struct loop *loop;
	int status = -1;
	pid_t child;

	forget_messages();
	fflush(stdout);
	child = fork();
	if (!child) {
		if (loop_create(&loop, LOOP_POLL))
			_exit(99);
		_exit(on_full_disk(loop));
	}
	waitpid(child, &status, 0);
	check_number(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0, "a disk that is full for a while, then the spool itself");

	loop_create(&loop, LOOP_POLL);
	forget_messages();
	check(!make(loop, "/dev/null"), "no spool where there cannot be one");
	check(said("the spool /dev/null/metrics cannot be used: Not a directory") == 1, "and why");
	exporter = make(loop, directory);
	child = fork();
	if (!child)
		_exit(make(loop, directory) ? 1 : 0);
	waitpid(child, &status, 0);
	check(WIFEXITED(status) && !WEXITSTATUS(status), "no spool that somebody else has");
	check(said("is in use by another process") == 1, "and why");
	exporter_destroy(exporter);
	loop_destroy(loop);
}

int main(void)
{
	static const enum loop_kind kinds[] = { LOOP_IO_URING, LOOP_POLL };
	char command[128];

	messages = memfd_create("messages", MFD_CLOEXEC);
	if (!mkdtemp(directory) || messages < 0 || dup2(messages, STDERR_FILENO) < 0)
		return 1;
	for (size_t i = 0; i < 2; i++) {
		struct loop *loop;

		if (loop_create(&loop, kinds[i])) {
			check_skip("it does not work here", "io_uring");
			continue;
		}
		printf("# with %s\n", loop_name(loop));
		with_spool(loop);
		without_spool(loop);
		loop_destroy(loop);
	}
	bad_spools();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) ? 1 : check_end();
}
