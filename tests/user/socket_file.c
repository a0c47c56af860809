// SPDX-License-Identifier: GPL-2.0-or-later
/* Several who start in the same instant, where one before them was killed: exactly one has the socket, and whoever connects reaches him. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/socket_file.h"
#include "check.h"

#define STARTERS	4
#define ROUNDS		100

static char directory[] = "/tmp/ktally-socket-XXXXXX";
static char path[64];

/* Tells what came of it, and listens until the pipe is closed. */
static void starter(int begin, int told, int end)
{
	struct stat file;
	char byte;
	int fd;

	poll(&(struct pollfd){ .fd = begin }, 1, -1);
	fd = socket_file_listen(path, SOCK_STREAM, 0600, (gid_t)-1, &file);
	if (write(told, &fd, sizeof(fd)) != sizeof(fd))
		_exit(1);
	_exit(read(end, &byte, 1) != 0);
}

struct outcome {
	unsigned int won, told, other;
	bool answers, left;
};

static struct outcome one_round(void)
{
	struct outcome outcome = { 0 };
	int begin[2], told[2], end[2], result, status, fd;
	struct stat file;

	if (pipe2(begin, O_CLOEXEC) || pipe2(told, O_CLOEXEC) || pipe2(end, O_CLOEXEC))
		return outcome;
	close(socket_file_listen(path, SOCK_STREAM, 0600, (gid_t)-1, &file));
	for (unsigned int i = 0; i < STARTERS; i++) {
		if (fork())
			continue;
		close(begin[1]);
		close(end[1]);
		starter(begin[0], told[1], end[0]);
	}
	close(begin[1]);
	for (unsigned int i = 0; i < STARTERS && read(told[0], &result, sizeof(result)) == sizeof(result); i++) {
		outcome.won += result >= 0;
		outcome.told += result == -EADDRINUSE;
		outcome.other += result < 0 && result != -EADDRINUSE;
	}
	fd = socket_file_connect(path, SOCK_STREAM);
	outcome.answers = fd >= 0;
	close(fd);
	close(end[1]);
	for (unsigned int i = 0; i < STARTERS; i++)
		wait(&status);
	close(begin[0]);
	close(told[0]);
	close(told[1]);
	close(end[0]);
	outcome.left = unlink(path) || rmdir(directory) || mkdir(directory, 0700);
	return outcome;
}

int main(void)
{
	unsigned int one = 0, told = 0, answered = 0, clean = 0;

	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/socket", directory);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct outcome outcome = one_round();

		one += outcome.won == 1;
		told += outcome.told == STARTERS - 1;
		answered += outcome.answers;
		clean += !outcome.left;
	}
	check_number(one, ROUNDS, "of %u who start at once one has the socket, each time", STARTERS);
	check_number(told, ROUNDS, "the others are told that somebody has it");
	check_number(answered, ROUNDS, "whoever connects reaches that one");
	check_number(clean, ROUNDS, "and nothing else is left in the directory");
	rmdir(directory);
	return check_end();
}
