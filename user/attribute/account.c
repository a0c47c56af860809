// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attribute/account.h"
#include "base/buffer.h"

#define TEXT_BYTES_MOST	(4U << 20)	/* some hundred bytes for each CPU, and as many for interrupts or scheduling domains */
#define SECOND		1000000000ULL

void account_compare(struct account *account, uint64_t sampled)
{
	if (account->is_charged && account->begun && account->charge >= account->charged_last && sampled >= account->sampled_last)
		account_add(account, account->charge - account->charged_last, sampled - account->sampled_last);
	account->charged_last = account->charge;
	account->sampled_last = sampled;
	account->begun = account->is_charged;
	account->is_charged = false;
}

void account_add(struct account *account, uint64_t charged, uint64_t sampled)
{
	account->charged += charged;
	account->sampled += sampled;
}

/* Not the line of all CPUs, which has no number, and spaces instead. */
static bool is_of_cpu(const char *line, const struct cpus *left_out)
{
	uint64_t number;

	return !strncmp(line, "cpu", 3) && isdigit((unsigned char)line[3]) && sscanf(line + 3, "%" SCNu64, &number) == 1 && !(left_out && cpus_has(left_out, number));
}

/* "cpu3 user nice system idle iowait irq softirq steal guest guest_nice": a guest's time is in user already. */
static bool ticks_of(const char *line, uint64_t *ticks)
{
	uint64_t user, nice, system, irq, softirq;

	if (sscanf(line, "cpu%*u %" SCNu64 " %" SCNu64 " %" SCNu64 " %*u %*u %" SCNu64 " %" SCNu64, &user, &nice, &system, &irq,
		   &softirq) != 5)
		return false;
	*ticks = user + nice + system + irq + softirq;
	return true;
}

/* The seventh number is the time for which its run queue had a task on the CPU. */
static bool time_of(const char *line, uint64_t *time)
{
	return sscanf(line, "cpu%*u %*u %*u %*u %*u %*u %*u %" SCNu64, time) == 1;
}

static int add_cpus(const char *text, const struct cpus *left_out, bool (*figure_of)(const char *line, uint64_t *figure), uint64_t *sum)
{
	const char *line, *end;
	bool found = false;
	uint64_t figure;

	*sum = 0;
	for (line = text; line; line = end ? end + 1 : NULL) {
		end = strchr(line, '\n');
		if (!is_of_cpu(line, left_out) || !figure_of(line, &figure))
			continue;
		*sum += figure;
		found = true;
	}
	return found ? 0 : -EBADMSG;
}

int account_of_host(const char *text, const struct cpus *left_out, uint64_t ticks_per_second, uint64_t *nanoseconds)
{
	int error = ticks_per_second ? add_cpus(text, left_out, ticks_of, nanoseconds) : -EBADMSG;

	if (!error)
		*nanoseconds *= SECOND / ticks_per_second;
	return error;
}

int account_of_scheduler(const char *text, const struct cpus *left_out, uint64_t *nanoseconds)
{
	return add_cpus(text, left_out, time_of, nanoseconds);
}

int account_of_cgroup(const char *text, uint64_t *nanoseconds)
{
	uint64_t microseconds;

	if (sscanf(text, "usage_usec %" SCNu64, &microseconds) != 1)
		return -EBADMSG;
	*nanoseconds = microseconds * 1000;
	return 0;
}

int account_read_host(const struct cpus *left_out, uint64_t *nanoseconds)
{
	struct buffer text = { 0 };
	int error = buffer_read_file(&text, "/proc/schedstat", TEXT_BYTES_MOST);

	if (!error)
		error = account_of_scheduler(text.data, left_out, nanoseconds);
	if (!error) {
		buffer_free(&text);
		return 0;
	}
	buffer_clear(&text);
	error = buffer_read_file(&text, "/proc/stat", TEXT_BYTES_MOST);
	if (!error)
		error = account_of_host(text.data, left_out, (uint64_t)sysconf(_SC_CLK_TCK), nanoseconds);
	buffer_free(&text);
	return error;
}

int account_read_cgroup(const char *mount, const char *path, uint64_t *nanoseconds)
{
	struct buffer file = { 0 }, text = { 0 };
	int error;

	buffer_format(&file, "%s%s/cpu.stat", mount, path);
	error = buffer_read_file(&text, file.data, TEXT_BYTES_MOST);
	if (!error)
		error = account_of_cgroup(text.data, nanoseconds);
	buffer_free(&file);
	buffer_free(&text);
	return error;
}
