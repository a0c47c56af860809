// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/message.h"
#include "base/number.h"
#include "session/options.h"

/* A thread makes at most a thousand records a second, most make far fewer, and what is shorter is estimated without bias. */
#define KEEP_DEFAULT 1000000

const char session_help_how[] =
	"  -F, --rate HZ           samples per second and CPU, 1 to 10000\n"
	"      --depth N           most user frames of a stack, 1 to 512 (128)\n"
	"      --no-kernel         no kernel frames\n"
	"      --budget-ppm N      most CPU time the module may take, in millionths, before it thins (10000: 1 %)\n"
	"      --ring-bytes N      ring of each CPU, a power of two, 16K to 16M (256K)\n"
	"      --off-cpu[=TIME]    what threads wait for, too; of waits shorter than TIME a share (1ms), 0: all\n"
	"      --wait-min TIME     only count waits shorter than TIME: 500ns, 20us, 5ms, 1s\n";

const char session_help_here[] =
	"      --cpus LIST         only these CPUs: 0-3,8; all: isolated ones, too, which are left out otherwise\n"
	"      --no-confine        keep all capabilities and system calls, for debuggers and sanitizers\n";

const char session_help_whom[] =
	"  -a, --all               every process of the host\n"
	"  -p, --pid PID[,PID...]  these processes, and children they fork from now on\n"
	"  -G, --cgroup PATH       tasks in this cgroup (v2) directory and below; may be given again\n";

void session_options_init(struct session_options *options)
{
	*options = (struct session_options){ .kernel = true, .confine = true, .keep_ns = KEEP_DEFAULT };
}

static int refuse_number(const char *name, const char *text, int error, uint64_t least, uint64_t most)
{
	if (error == -ERANGE)
		message_error("%s: %s is out of bounds: it must be %" PRIu64 " to %" PRIu64, name, text, least, most);
	else
		message_error("%s: \"%s\" is not a number: it must be %" PRIu64 " to %" PRIu64, name, text, least, most);
	return -EINVAL;
}

static int take_number(const char *name, const char *text, uint64_t least, uint64_t most, uint32_t *result)
{
	uint64_t value;
	int error = number_parse(text, least, most, &value);

	if (error)
		return refuse_number(name, text, error, least, most);
	*result = (uint32_t)value;
	return 1;
}

static int take_ring_bytes(struct session_options *options, const char *text)
{
	uint64_t bytes;
	int error = number_parse_bytes(text, KTALLY_RING_BYTES_MIN, KTALLY_RING_BYTES_MAX, &bytes);

	if (error)
		return refuse_number("--ring-bytes", text, error, KTALLY_RING_BYTES_MIN, KTALLY_RING_BYTES_MAX);
	if (bytes & (bytes - 1)) {
		message_error("--ring-bytes: %s is not a power of two", text);
		return -EINVAL;
	}
	options->ring_bytes = (uint32_t)bytes;
	return 1;
}

static int take_wait(const char *name, const char *text, uint64_t *nanoseconds)
{
	if (!number_parse_nanoseconds(text, 0, KTALLY_KEEP_NS_MAX, nanoseconds))
		return 1;
	message_error("%s: \"%s\" is not a time of 0 to %llu seconds: give 500ns, 20us, 5ms or 1s", name, text,
		      KTALLY_KEEP_NS_MAX / 1000000000ULL);
	return -EINVAL;
}

static int take_cpus(struct session_options *options, const char *text)
{
	int error;

	options->cpus_wanted = strcmp(text, "all") ? SESSION_CPUS_GIVEN : SESSION_CPUS_ALL;
	if (options->cpus_wanted == SESSION_CPUS_ALL)
		return 1;
	error = cpus_parse(&options->cpus, text);
	if (!error && cpus_end(&options->cpus))
		return 1;
	message_error("--cpus: \"%s\" is not a list of CPUs%s: give numbers and ranges such as 0-3,8, or all", text,
		      error == -ERANGE ? " that there can be" : "");
	return -EINVAL;
}

static int take_pids(struct session_options *options, const char *text)
{
	char *copy = memory_string(text), *rest = copy, *item;
	int result = 1;

	while (result == 1 && (item = strsep(&rest, ","))) {
		uint64_t pid;

		if (number_parse(item, 1, INT32_MAX, &pid)) {
			message_error("-p: \"%s\" is not a process id: give numbers separated by commas", item);
			result = -EINVAL;
		} else if (options->pid_count == KTALLY_PIDS_MAX) {
			message_error("-p: more than %d processes: put them in a cgroup and use -G", KTALLY_PIDS_MAX);
			result = -EINVAL;
		} else {
			options->pids[options->pid_count++] = (__s32)pid;
		}
	}
	free(copy);
	return result;
}

static int take_cgroup(struct session_options *options, const char *path)
{
	int fd;

	if (options->cgroup_count == KTALLY_CGROUPS_MAX) {
		message_error("-G: more than %d cgroups: name a cgroup above them", KTALLY_CGROUPS_MAX);
		return -EINVAL;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		message_error("-G %s: %s: name a directory below the cgroup v2 mount, usually /sys/fs/cgroup", path, strerror(errno));
		return -EINVAL;
	}
	options->cgroup_fds[options->cgroup_count++] = fd;
	return 1;
}

int session_options_take(struct session_options *options, int option, const char *argument)
{
	switch (option) {
	case 'F':
		return take_number("--rate", argument, KTALLY_RATE_MIN, KTALLY_RATE_MAX, &options->rate);
	case SESSION_OPTION_DEPTH:
		return take_number("--depth", argument, 1, KTALLY_DEPTH_MAX, &options->depth);
	case SESSION_OPTION_BUDGET:
		return take_number("--budget-ppm", argument, 1, KTALLY_BUDGET_PPM_MAX, &options->budget_ppm);
	case SESSION_OPTION_RING:
		return take_ring_bytes(options, argument);
	case SESSION_OPTION_NO_KERNEL:
		options->kernel = false;
		return 1;
	case SESSION_OPTION_OFF_CPU:
		options->off_cpu = true;
		return argument ? take_wait("--off-cpu", argument, &options->keep_ns) : 1;
	case SESSION_OPTION_WAIT_MIN:
		return take_wait("--wait-min", argument, &options->wait_min_ns);
	case SESSION_OPTION_CPUS:
		return take_cpus(options, argument);
	case SESSION_OPTION_NO_CONFINE:
		options->confine = false;
		return 1;
	case 'a':
		options->all = true;
		return 1;
	case 'p':
		return take_pids(options, argument);
	case 'G':
		return take_cgroup(options, argument);
	default:
		return 0;
	}
}

int session_options_check(const struct session_options *options)
{
	if (options->wait_min_ns && !options->off_cpu) {
		message_error("--wait-min is about waits: give --off-cpu too");
		return -EINVAL;
	}
	if (!options->all || (!options->pid_count && !options->cgroup_count))
		return 0;
	message_error("-a (every process) contradicts %s: leave one of them out", options->pid_count ? "-p" : "-G");
	return -EINVAL;
}

const struct cpus *session_options_left_out(const struct session_options *options)
{
	return cpus_end(&options->left_out) ? &options->left_out : NULL;
}

void session_options_release(struct session_options *options)
{
	while (options->cgroup_count)
		close(options->cgroup_fds[--options->cgroup_count]);
}
