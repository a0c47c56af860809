// SPDX-License-Identifier: GPL-2.0-or-later
/* Both implementations of the daemon's loop, on pipes, sockets and timers: whatever one does the other must do. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/message.h"
#include "check.h"
#include "loop/loop.h"

struct pipe_end {
	struct loop *loop;
	int fd, watch, calls;
	size_t bytes;
	bool drain;			/* take everything, as the owner of a DRAINED watch does; else one byte a call */
	bool unwatch;			/* at the first call */
	short events;
};

static void take(void *context, short events)
{
	struct pipe_end *end = context;
	char buffer[64];
	ssize_t bytes;

	end->calls++;
	end->events |= events;
	do {
		bytes = read(end->fd, buffer, end->drain ? sizeof(buffer) : 1);
		if (bytes > 0)
			end->bytes += (size_t)bytes;
	} while (end->drain && bytes > 0);
	if (end->unwatch || bytes == 0) {
		loop_unwatch(end->loop, end->watch);
		end->watch = -1;
	}
}

struct clock {
	struct loop *loop;
	struct loop_timer timer;
	int calls;
	uint64_t called;
	uint64_t again;			/* ms; 0: once */
};

static void strike(void *context)
{
	struct clock *clock = context;

	clock->calls++;
	clock->called = loop_now();
	if (clock->again)
		loop_timer_set(clock->loop, &clock->timer, clock->again);
}

static void open_pipe(int ends[2])
{
	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC)) {
		perror("pipe2");
		exit(1);
	}
}

static void put(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
		perror("write");
		exit(1);
	}
}

/* Turns until the time is up, whatever happens meanwhile. 0, or the first error. */
static int turn_for(struct loop *loop, uint64_t milliseconds)
{
	struct clock end = { .loop = loop, .timer = { .expired = strike, .context = &end } };
	int error = 0;

	loop_timer_set(loop, &end.timer, milliseconds);
	while (!error && !end.calls)
		error = loop_turn(loop);
	loop_timer_cancel(loop, &end.timer);
	return error;
}

static void test_drained(struct loop *loop)
{
	const char *name = loop_name(loop);
	int ends[2];
	struct pipe_end end = { .loop = loop, .drain = true };

	open_pipe(ends);
	put(ends[1], "before");
	end.fd = ends[0];
	end.watch = loop_watch(loop, ends[0], POLLIN, LOOP_DRAINED, take, &end);
	check(end.watch >= 0, "%s: a pipe is watched", name);
	turn_for(loop, 20);
	check_number(end.bytes, 6, "%s: what was there before watching is reported", name);
	check_number(end.calls, 1, "%s: once, when it was drained", name);
	for (int i = 0; i < 100; i++) {
		put(ends[1], "again");
		turn_for(loop, 1);
	}
	check_number(end.bytes, 506, "%s: everything that comes later is reported", name);
	check_number(end.events, POLLIN, "%s: as POLLIN", name);
	close(ends[1]);
	turn_for(loop, 20);
	check(end.events & POLLHUP, "%s: the other end's closing is reported as POLLHUP", name);
	check_number(end.watch, -1, "%s: and its watch is gone", name);
	end.calls = 0;
	turn_for(loop, 20);
	check_number(end.calls, 0, "%s: a watch that unwatched itself is not called any more", name);
	close(ends[0]);
}

static void test_level(struct loop *loop)
{
	const char *name = loop_name(loop);
	int ends[2];
	struct pipe_end end = { .loop = loop };

	open_pipe(ends);
	end.fd = ends[0];
	end.watch = loop_watch(loop, ends[0], POLLIN, LOOP_LEVEL, take, &end);
	put(ends[1], "one at a time");
	turn_for(loop, 50);
	check_number(end.bytes, 13, "%s: a level watch reports until all is read", name);
	check(end.calls >= 13, "%s: byte by byte", name);
	loop_unwatch(loop, end.watch);
	end.calls = 0;
	put(ends[1], "x");
	turn_for(loop, 20);
	check_number(end.calls, 0, "%s: an unwatched descriptor is not reported", name);
	close(ends[0]);
	close(ends[1]);
}

/* A slot that is used again must not get what was meant for the one before, and closing and opening gives the same number. */
static void test_reuse(struct loop *loop)
{
	const char *name = loop_name(loop);
	struct pipe_end first = { .loop = loop, .drain = true }, second = { .loop = loop, .drain = true };
	int old[2], new[2];

	for (int i = 0; i < 200; i++) {
		int same;

		open_pipe(old);
		first.fd = old[0];
		first.watch = loop_watch(loop, old[0], POLLIN, LOOP_DRAINED, take, &first);
		turn_for(loop, 0);
		put(old[1], "old");
		if (i & 1)
			usleep(10);
		loop_unwatch(loop, first.watch);
		same = old[0];
		close(old[0]);
		open_pipe(new);
		second.fd = new[0];
		second.watch = loop_watch(loop, new[0], POLLIN, LOOP_DRAINED, take, &second);
		if (same != new[0] || first.watch != second.watch)
			check(false, "%s: the slot and the descriptor are used again", name);
		put(new[1], "new");
		while (second.bytes < 3u * (unsigned int)(i + 1))
			loop_turn(loop);
		loop_unwatch(loop, second.watch);
		close(old[1]);
		close(new[0]);
		close(new[1]);
	}
	check(first.calls <= 200, "%s: the former owner of a slot is not called in place of the new one", name);
	check_number(second.bytes, 600, "%s: the new one gets everything", name);
}

static void strike_at_once(void *context)
{
	struct clock *clock = context;

	clock->calls++;
	loop_timer_set(clock->loop, &clock->timer, 0);
}

static void test_timers(struct loop *loop)
{
	const char *name = loop_name(loop);
	struct clock once = { .loop = loop, .timer = { .expired = strike, .context = &once } };
	struct clock often = { .loop = loop, .timer = { .expired = strike, .context = &often }, .again = 10 };
	struct clock never = { .loop = loop, .timer = { .expired = strike, .context = &never } };
	uint64_t start = loop_now();

	loop_timer_set(loop, &often.timer, 10);
	loop_timer_set(loop, &once.timer, 60);
	loop_timer_set(loop, &never.timer, 30);
	check(loop_timer_is_set(loop, &never.timer), "%s: a timer is set", name);
	loop_timer_cancel(loop, &never.timer);
	check(!loop_timer_is_set(loop, &never.timer), "%s: a timer is cancelled", name);
	turn_for(loop, 120);
	check_number(once.calls, 1, "%s: a timer expires once", name);
	check(once.called - start >= 60000000, "%s: not before its time", name);
	check_number(never.calls, 0, "%s: a cancelled one does not", name);
	check(often.calls >= 2 && often.calls <= 12, "%s: one that sets itself again does again (%d times)", name, often.calls);
	loop_timer_cancel(loop, &often.timer);

	loop_timer_set(loop, &once.timer, 10);
	loop_timer_set(loop, &once.timer, 3600000);
	once.calls = 0;
	turn_for(loop, 40);
	check_number(once.calls, 0, "%s: setting a timer again moves it", name);
	loop_timer_set(loop, &once.timer, 10);
	turn_for(loop, 40);
	check_number(once.calls, 1, "%s: and it still expires once", name);
}

/* A timer that sets itself to nothing must not starve the descriptors. */
static void test_fairness(struct loop *loop)
{
	const char *name = loop_name(loop);
	struct clock busy = { .loop = loop, .timer = { .expired = strike_at_once, .context = &busy } };
	struct pipe_end end = { .loop = loop, .drain = true };
	int ends[2];

	open_pipe(ends);
	end.fd = ends[0];
	end.watch = loop_watch(loop, ends[0], POLLIN, LOOP_DRAINED, take, &end);
	loop_timer_set(loop, &busy.timer, 0);
	put(ends[1], "hello");
	for (int i = 0; i < 50 && end.bytes < 5; i++)
		loop_turn(loop);
	check_number(end.bytes, 5, "%s: a timer that is always due does not starve a descriptor", name);
	loop_timer_cancel(loop, &busy.timer);
	loop_unwatch(loop, end.watch);
	close(ends[0]);
	close(ends[1]);
}

static void test_many(struct loop *loop)
{
	const char *name = loop_name(loop);
	struct pipe_end ends[LOOP_WATCHES_MAX + 1];
	int sockets[LOOP_WATCHES_MAX + 1][2];
	int served = 0;

	for (int i = 0; i <= LOOP_WATCHES_MAX; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets[i])) {
			perror("socketpair");
			exit(1);
		}
		ends[i] = (struct pipe_end){ .loop = loop, .fd = sockets[i][0], .drain = true };
		ends[i].watch = loop_watch(loop, sockets[i][0], POLLIN, i & 1 ? LOOP_DRAINED : LOOP_LEVEL, take, &ends[i]);
	}
	check(ends[LOOP_WATCHES_MAX - 1].watch >= 0, "%s: %d descriptors are watched", name, LOOP_WATCHES_MAX);
	check_number(ends[LOOP_WATCHES_MAX].watch, -ENOSPC, "%s: no more", name);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < LOOP_WATCHES_MAX; i++)
			put(sockets[i][1], "12345");
		turn_for(loop, 20);
	}
	for (int i = 0; i < LOOP_WATCHES_MAX; i++)
		served += ends[i].bytes == 15;
	check_number(served, LOOP_WATCHES_MAX, "%s: every one is served", name);
	for (int i = 0; i <= LOOP_WATCHES_MAX; i++) {
		loop_unwatch(loop, ends[i].watch);
		close(sockets[i][0]);
		close(sockets[i][1]);
	}
}

static void take_signal(void *context, short events)
{
	struct pipe_end *end = context;
	struct signalfd_siginfo information;

	(void)events;
	while (read(end->fd, &information, sizeof(information)) == sizeof(information))
		end->calls++;
}

static void test_signals(struct loop *loop)
{
	struct pipe_end end = { .loop = loop };
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	end.fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	end.watch = loop_watch(loop, end.fd, POLLIN, LOOP_DRAINED, take_signal, &end);
	turn_for(loop, 5);
	for (int i = 0; i < 3; i++) {
		kill(getpid(), SIGHUP);
		turn_for(loop, 10);
	}
	check_number(end.calls, 3, "%s: three signals are taken", loop_name(loop));
	loop_unwatch(loop, end.watch);
	close(end.fd);
}

static void test(enum loop_kind kind, const char *name)
{
	struct loop *loop;
	struct clock guard = { .timer = { .expired = strike, .context = &guard }, .again = 1000 };
	int error = loop_create(&loop, kind);

	if (error) {
		check_skip(strerror(-error), "%s", name);
		return;
	}
	guard.loop = loop;
	loop_timer_set(loop, &guard.timer, 1000);
	check_string(loop_name(loop), name, "the loop runs on %s", name);
	test_drained(loop);
	test_level(loop);
	test_reuse(loop);
	test_timers(loop);
	test_fairness(loop);
	test_many(loop);
	test_signals(loop);
	loop_timer_cancel(loop, &guard.timer);
	loop_destroy(loop);
}

int main(void)
{
	message_program = "loop";
	test(LOOP_POLL, "poll");
	test(LOOP_IO_URING, "io_uring");
	return check_end();
}
