// SPDX-License-Identifier: GPL-2.0-or-later
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

/* "cpu  user nice system idle iowait irq softirq steal guest guest_nice": a guest's time is in user already. */
int account_of_host(const char *text, uint64_t ticks_per_second, uint64_t *nanoseconds)
{
	uint64_t user, nice, system, irq, softirq, ticks;

	if (!ticks_per_second || sscanf(text, "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %*u %*u %" SCNu64 " %" SCNu64, &user, &nice, &system,
					&irq, &softirq) != 5)
		return -EBADMSG;
	ticks = user + nice + system + irq + softirq;
	*nanoseconds = ticks * (SECOND / ticks_per_second);
	return 0;
}

/* "cpu3 ...": the seventh number is the time for which its run queue had a task on the CPU. */
int account_of_scheduler(const char *text, uint64_t *nanoseconds)
{
	const char *line, *end;
	bool found = false;
	uint64_t time;

	*nanoseconds = 0;
	for (line = text; line; line = end ? end + 1 : NULL) {
		if (sscanf(line, "cpu%*u %*u %*u %*u %*u %*u %*u %" SCNu64, &time) == 1) {
			*nanoseconds += time;
			found = true;
		}
		end = strchr(line, '\n');
	}
	return found ? 0 : -EBADMSG;
}

int account_of_cgroup(const char *text, uint64_t *nanoseconds)
{
	uint64_t microseconds;

	if (sscanf(text, "usage_usec %" SCNu64, &microseconds) != 1)
		return -EBADMSG;
	*nanoseconds = microseconds * 1000;
	return 0;
}

int account_read_host(uint64_t *nanoseconds)
{
	struct buffer text = { 0 };
	int error = buffer_read_file(&text, "/proc/schedstat", TEXT_BYTES_MOST);

	if (!error)
		error = account_of_scheduler(text.data, nanoseconds);
	if (!error) {
		buffer_free(&text);
		return 0;
	}
	buffer_clear(&text);
	error = buffer_read_file(&text, "/proc/stat", TEXT_BYTES_MOST);
	if (!error)
		error = account_of_host(text.data, (uint64_t)sysconf(_SC_CLK_TCK), nanoseconds);
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
