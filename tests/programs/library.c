// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libktally on the device itself: a CPU that comes online while a session runs, a reader that sleeps, a signal, two
 * sessions side by side. Takes CPU 1 offline and online again.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <libktally.h>

#include "../user/check.h"

struct seen {
	unsigned long long samples, weight, lost, on_cpu[2];
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void spin(double seconds)
{
	double end = now() + seconds;

	while (now() < end)
		;
}

static bool set_online(const char *value)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY);
	bool done = fd >= 0 && write(fd, value, 1) == 1;

	if (fd >= 0)
		close(fd);
	return done;
}

static void run_on(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	check(!sched_setaffinity(0, sizeof(cpus), &cpus), "runs on CPU %d", cpu);
}

static struct ktally_session *start(unsigned int rate, unsigned int ring_bytes)
{
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_ONCPU,
		.capture = KTALLY_CAPTURE_USER | KTALLY_CAPTURE_KERNEL,
		.rate = rate,
		.ring_bytes = ring_bytes,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};
	struct ktally_session *session;
	int error = ktally_open(&session);

	if (!error)
		error = ktally_set_up(session, &setup);
	if (!check_number(error, 0, "a session of %u samples a second", rate))
		exit(check_end());
	return session;
}

static void drain(struct ktally_session *session, struct seen *seen)
{
	const struct ktally_record *record;

	while ((record = ktally_next(session))) {
		const struct ktally_sample *sample = (const void *)record;
		const struct ktally_lost *lost = (const void *)record;

		if (record->type == KTALLY_RECORD_SAMPLE) {
			seen->samples++;
			seen->weight += sample->weight;
			seen->on_cpu[record->cpu & 1]++;
		} else if (record->type == KTALLY_RECORD_LOST && lost->cause != KTALLY_LOST_NOTICE) {
			seen->lost += lost->loss.count;
		}
	}
}

/* Ends the session; the module's count must be what was seen. */
static void settle(struct ktally_session *session, struct seen *seen, struct ktally_totals *totals)
{
	check_number(ktally_disable(session), 0, "disable");
	drain(session, seen);
	check_number(ktally_flush(session, 0), 0, "flush");
	drain(session, seen);
	check_number(ktally_wait(session, 0), 0, "nothing is left");
	ktally_get_totals(session, totals);
	check_number(seen->samples + seen->lost, totals->samples, "read and lost is what was taken (%llu and %llu)",
		     seen->samples, seen->lost);
	ktally_close(session);
}

static void comes_online(void)
{
	struct ktally_session *session;
	struct ktally_totals totals;
	struct seen seen = { 0 };

	if (!set_online("0")) {
		check_skip("CPU 1 cannot be taken offline", "a CPU comes online");
		return;
	}
	session = start(499, 0);
	ktally_get_totals(session, &totals);
	check_number(totals.rings, 1, "one CPU, one ring");
	check_number(ktally_enable(session), 0, "enable");
	spin(0.5);
	drain(session, &seen);
	check(seen.on_cpu[0] > 20 && !seen.on_cpu[1], "samples of CPU 0 (%llu)", seen.on_cpu[0]);
	check(set_online("1"), "CPU 1 comes online");
	run_on(1);
	spin(0.5);
	check(ktally_wait(session, 2000) == 1, "there is something to read");
	drain(session, &seen);
	check(seen.on_cpu[1] > 20, "samples of CPU 1 (%llu)", seen.on_cpu[1]);
	run_on(0);
	check(set_online("0") && set_online("1"), "CPU 1 goes and comes back");
	spin(0.1);
	settle(session, &seen, &totals);
	check_number(totals.rings, 2, "two rings");
}

static void sleeps(void)
{
	struct ktally_session *session = start(KTALLY_RATE_MAX, KTALLY_RING_BYTES_MIN);
	struct ktally_totals totals;
	struct seen seen = { 0 };

	check_number(ktally_enable(session), 0, "enable");
	for (int round = 0; round < 3; round++) {
		spin(1);
		drain(session, &seen);
	}
	settle(session, &seen, &totals);
	check(seen.lost > 100, "a reader that sleeps loses samples (%llu)", seen.lost);
	check_number(totals.lost[KTALLY_LOST_FULL].count + totals.lost[KTALLY_LOST_BUSY].count, seen.lost,
		     "as many as the module says");
}

static void ignore(int number)
{
	(void)number;
}

static void signals(void)
{
	struct itimerval soon = { .it_value.tv_usec = 200000 };
	struct sigaction action = { .sa_handler = ignore };
	struct ktally_session *session = start(19, 0);

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	check_number(ktally_wait(session, 10000), -EINTR, "a signal ends a wait");
	check_number(ktally_wait(session, 10), 0, "and the next one waits its time");
	check_number(ktally_set_rate(session, 0), -EINVAL, "an error of the module is returned unchanged");
	ktally_close(session);
}

static void side_by_side(void)
{
	struct ktally_session *slow = start(50, 0), *fast = start(500, 0);
	struct ktally_totals totals;
	struct seen seen_slow = { 0 }, seen_fast = { 0 };

	ktally_enable(slow);
	ktally_enable(fast);
	spin(2);
	settle(slow, &seen_slow, &totals);
	check(totals.rate == 50, "one has its rate");
	settle(fast, &seen_fast, &totals);
	check(totals.rate == 500, "the other its own");
	check(seen_fast.samples > 4 * seen_slow.samples, "as one sees (%llu and %llu samples)", seen_slow.samples,
	      seen_fast.samples);
}

/* A session is a descriptor: one that was opened here serves where the device cannot be opened. */
static void handed_over(void)
{
	struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU, .capture = KTALLY_CAPTURE_USER };
	struct ktally_session *session;
	int fd = open(KTALLY_DEVICE_PATH, O_RDWR | O_CLOEXEC);

	check(fd >= 0, "opens the device");
	check(!setgid(65534) && !setuid(65534), "becomes nobody");
	check_number(ktally_open(&session), -EACCES, "who may not open it");
	check_number(ktally_open_fd(&session, fd), 0, "but use the descriptor");
	check(ktally_get_info(session)->allowed & KTALLY_ALLOWED_ALL_PROCESSES, "with the rights of its opener");
	check_number(ktally_set_up(session, &setup), 0, "set-up");
	check_number(ktally_enable(session), 0, "enable");
	spin(0.3);
	check_number(ktally_wait(session, 3000), 1, "records come");
	ktally_close(session);
}

int main(void)
{
	comes_online();
	sleeps();
	signals();
	side_by_side();
	handed_over();
	return check_end();
}
