// SPDX-License-Identifier: GPL-2.0-or-later
/* What a confined process still gets: files that were named before, by the opener, and the capabilities that it needs. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "confine/capabilities.h"
#include "confine/filter.h"
#include "confine/opener.h"

#include "check.h"

static char directory[] = "/tmp/ktally-opener-XXXXXX", there[64], later[64], forbidden[64];

static bool score_is(pid_t pid, const char *expected)
{
	struct buffer text = { 0 };
	char path[64];
	bool same;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	same = !buffer_read_file(&text, path, 64) && !strncmp(text.data, expected, strlen(expected));
	buffer_free(&text);
	return same;
}

/* 0, or the number of what was not as it should be. */
static int use_opener(void)
{
	pid_t child;
	int fd;

	opener_name(there, O_RDWR);
	opener_name(later, O_WRONLY | O_CREAT);
	opener_name(forbidden, O_WRONLY);
	if (opener_start())
		return 1;
	if (filter_apply(FILTER_READER))
		return 2;
	fd = opener_open(there, O_RDWR, 0);
	if (fd < 0 || write(fd, "x", 1) != 1 || close(fd))
		return 3;
	if (opener_open(there, O_RDWR | O_TRUNC, 0) != -EPERM)
		return 4;
	if (opener_open("/proc/self/mem", O_RDWR, 0) != -EPERM || opener_open(forbidden, O_RDWR, 0) != -EPERM)
		return 5;
	fd = opener_open(later, O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || close(fd))
		return 6;
	fd = opener_open(later, O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || close(fd))
		return 7;
	fd = opener_open(there, O_RDONLY, 0);
	if (fd < 0 || close(fd))
		return 8;
	if (opener_open(forbidden, O_WRONLY, 0) != -EPERM)
		return 12;
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	if (opener_sacrifice(child) || !score_is(child, "1000"))
		return 9;
	kill(child, SIGKILL);
	if (opener_sacrifice(getppid()) != -ESRCH || opener_sacrifice(1) != -ESRCH || opener_sacrifice(-1) != -ESRCH ||
	    opener_sacrifice(getpid()) != -ESRCH)
		return 10;
	opener_end();
	return opener_open(there, O_RDWR, 0) == -EPERM ? 0 : 11;
}

/* What it ends with, -1: by a signal. */
static int in_child(int (*use)(void))
{
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (!child)
		_exit(use());
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- capabilities ---- */

static unsigned long long status_bits(const char *field)
{
	struct buffer text = { 0 };
	unsigned long long bits = 0;
	char *line;

	if (!buffer_read_file(&text, "/proc/self/status", 1 << 16)) {
		line = strstr(text.data, field);
		bits = line ? strtoull(line + strlen(field), NULL, 16) : 0;
	}
	buffer_free(&text);
	return bits;
}

static int give_up(void)
{
	unsigned long long had = status_bits("CapPrm:");

	if (capabilities_keep(CAPABILITIES_OF_READER))
		return 1;
	return status_bits("CapPrm:") == (had & CAPABILITIES_OF_READER) && status_bits("CapEff:") == status_bits("CapPrm:") &&
	       !(status_bits("CapBnd:") & ~CAPABILITIES_OF_READER) ? 0 : 2;
}

static void test_capabilities(void)
{
	if (!(status_bits("CapEff:") & CAPABILITY(CAP_SETPCAP)))
		check_skip("needs root", "capabilities are given up");
	else
		check_number(in_child(give_up), 0, "capabilities are given up, but for those that are needed");
}

int main(void)
{
	int fd;

	if (!mkdtemp(directory))
		return 1;
	snprintf(there, sizeof(there), "%s/there", directory);
	snprintf(later, sizeof(later), "%s/later", directory);
	snprintf(forbidden, sizeof(forbidden), "%s/link", directory);
	fd = open(there, O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || close(fd) || symlink("/proc/self/mem", forbidden))
		return 1;
	check_number(in_child(use_opener), 0, "what was named can be opened for writing, and nothing else");
	test_capabilities();
	unlink(there);
	unlink(later);
	unlink(forbidden);
	rmdir(directory);
	return check_end();
}
