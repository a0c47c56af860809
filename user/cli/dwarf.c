// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/message.h"
#include "cli/dwarf.h"
#include "symbols/debug.h"
#include "symbols/download.h"

#define ANSWER_MILLISECONDS	30000
#define CPU_SECONDS_MOST	120		/* for all questions about a file */
#define BYTES_MOST		(4ULL << 30)	/* of address space */
#define FUNCTION_BYTES_MOST	1024
#define FILE_BYTES_MOST		512
#define ENTRY_BYTES		(sizeof(uint32_t) + FUNCTION_BYTES_MOST + FILE_BYTES_MOST)

/* What comes back: so many entries, each a line and two strings, which are empty for what is not known. */
struct answer {
	uint32_t count;
	char entries[LINES_MOST * ENTRY_BYTES];
};

struct dwarf {
	pid_t pid;
	int socket;
	bool failed;
	struct answer answer;
};

/* ------------------------------------------------------------------------------------------------ the other process */

static void limit(int what, rlim_t most)
{
	const struct rlimit limits = { most, most };

	setrlimit(what, &limits);
}

static void confine(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_FSIZE, 0);
	limit(RLIMIT_CPU, CPU_SECONDS_MOST);
#if !defined(__SANITIZE_ADDRESS__)
	limit(RLIMIT_AS, BYTES_MOST);		/* the sanitizer's own memory is terabytes */
#endif
}

static size_t put(char *at, const char *string, size_t most)
{
	size_t bytes = string ? strnlen(string, most - 1) : 0;

	if (bytes)
		memcpy(at, string, bytes);
	at[bytes] = '\0';
	return bytes + 1;
}

static size_t put_line(char *at, const struct line *line)
{
	size_t bytes = sizeof(line->line);

	memcpy(at, &line->line, sizeof(line->line));
	bytes += put(at + bytes, line->function, FUNCTION_BYTES_MOST);
	return bytes + put(at + bytes, line->file, FILE_BYTES_MOST);
}

__attribute__((noreturn)) static void serve(const struct symbols_opened *opened, int socket)
{
	const struct elf_source source = { .fd = opened->fd, .bytes = opened->bytes };
	static struct answer answer;
	struct line list[LINES_MOST];
	struct lines *lines;
	uint64_t address;

	confine();
	answer.count = !lines_open(&lines, &source, opened->path, opened->root);
	if (send(socket, &answer, sizeof(answer.count), MSG_NOSIGNAL) < 0 || !answer.count)
		_exit(0);
	while (recv(socket, &address, sizeof(address), 0) == sizeof(address)) {
		size_t bytes = 0, count = lines_find(lines, address, list);

		for (size_t i = 0; i < count; i++)
			bytes += put_line(answer.entries + bytes, &list[i]);
		answer.count = (uint32_t)count;
		if (send(socket, &answer, sizeof(answer.count) + bytes, MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

/* ------------------------------------------------------------------------------------------------ this process */

/* Bytes of the answer, 0: there is none, and will be none. */
static size_t receive(struct dwarf *dwarf)
{
	struct pollfd ready = { .fd = dwarf->socket, .events = POLLIN };
	ssize_t bytes = 0;
	int events;

	do
		events = poll(&ready, 1, ANSWER_MILLISECONDS);
	while (events < 0 && errno == EINTR);
	if (events > 0)
		bytes = recv(dwarf->socket, &dwarf->answer, sizeof(dwarf->answer), MSG_DONTWAIT);
	dwarf->failed = bytes < (ssize_t)sizeof(dwarf->answer.count);
	return dwarf->failed ? 0 : (size_t)bytes;
}

/* Into the cache, where the other process finds it, which has no such patience. */
static void download(const struct symbols_opened *opened)
{
	const struct elf_source source = { .fd = opened->fd, .bytes = opened->bytes };
	struct elf elf, debug;

	if (download_is_allowed() != DOWNLOAD_AT_ONCE || elf_open(&elf, &source))
		return;
	if (!elf_find_section(&elf, ".debug_info") &&
	    (!debug_open(&elf, opened->path, opened->root, &debug) || !debug_download(&elf, &debug))) {
		close(debug.source.fd);
		elf_close(&debug);
	}
	elf_close(&elf);
}

struct dwarf *dwarf_open(const struct symbols_opened *opened)
{
	struct dwarf *dwarf;
	int sockets[2];

	download(opened);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		return NULL;
	dwarf = memory_zeroed(1, sizeof(*dwarf));
	dwarf->socket = sockets[0];
	dwarf->pid = fork();
	if (!dwarf->pid) {
		close(sockets[0]);
		serve(opened, sockets[1]);
	}
	close(sockets[1]);
	if (dwarf->pid > 0 && receive(dwarf) && dwarf->answer.count)
		return dwarf;
	dwarf_close(dwarf);
	return NULL;
}

void dwarf_close(struct dwarf *dwarf)
{
	if (!dwarf)
		return;
	close(dwarf->socket);
	if (dwarf->pid > 0) {
		kill(dwarf->pid, SIGKILL);
		waitpid(dwarf->pid, NULL, 0);
	}
	free(dwarf);
}

bool dwarf_has_failed(const struct dwarf *dwarf)
{
	return dwarf->failed;
}

/* The next string of the answer, NULL: it does not end. */
static const char *take(const char **at, const char *end)
{
	const char *string = *at, *zero = *at < end ? memchr(*at, '\0', (size_t)(end - *at)) : NULL;

	if (zero)
		*at = zero + 1;
	return zero ? string : NULL;
}

size_t dwarf_find(struct dwarf *dwarf, uint64_t address, struct line *list)
{
	const char *at = dwarf->answer.entries, *end;
	size_t bytes;

	if (dwarf->failed || send(dwarf->socket, &address, sizeof(address), MSG_NOSIGNAL) != sizeof(address)) {
		dwarf->failed = true;
		return 0;
	}
	bytes = receive(dwarf);
	end = (const char *)&dwarf->answer + bytes;
	dwarf->failed |= dwarf->answer.count > LINES_MOST;
	for (size_t i = 0; !dwarf->failed && i < dwarf->answer.count; i++) {
		if (end - at < (ptrdiff_t)sizeof(list[i].line)) {
			dwarf->failed = true;
			break;
		}
		memcpy(&list[i].line, at, sizeof(list[i].line));
		at += sizeof(list[i].line);
		list[i].function = take(&at, end);
		list[i].file = take(&at, end);
		dwarf->failed = !list[i].function || !list[i].file;
		if (!dwarf->failed && !*list[i].function)
			list[i].function = NULL;
		if (!dwarf->failed && !*list[i].file)
			list[i].file = NULL;
	}
	return dwarf->failed ? 0 : dwarf->answer.count;
}
