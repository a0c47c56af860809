// SPDX-License-Identifier: GPL-2.0-or-later
/* Who may read the metrics: by a token, and by a socket's mode and group. */
#include <grp.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/message.h"
#include "base/socket_file.h"
#include "check.h"
#include "daemon/exposition.h"
#include "http_client.h"

static void write_page(void *context, struct buffer *text, enum prometheus_format format)
{
	(void)context;
	(void)format;
	buffer_string(text, "page\n");
}

static char directory[] = "/tmp/ktally-http-XXXXXX", token_path[64], socket_path[64];

static void write_token(const char *text, mode_t mode)
{
	int fd = open(token_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && !fchmod(fd, mode) && !close(fd), "a file of a token");
}

/* The status of the answer to a request with these lines more. */
static int status_with(int fd, const char *more)
{
	char request[1024];
	bool closed;
	char *text;
	int status;

	snprintf(request, sizeof(request), "GET /metrics HTTP/1.1\r\n%sConnection: close\r\n" LINES, more);
	put(fd, request);
	text = got(fd, 1000, &closed);
	close(fd);
	status = strncmp(text, "HTTP/1.1 ", 9) ? 0 : atoi(text + 9);
	if (status == 401)
		check(strstr(text, "\r\nWWW-Authenticate: Bearer") && !strstr(text, "page"), "a refusal says how, and nothing else");
	free(text);
	return status;
}

static void test_token(void)
{
	struct exposition_options options = { .token = token_path };
	struct exposition *exposition;

	http_address_parse("0", &options.address);
	((struct sockaddr_in *)&options.address)->sin_port = htons(client.port);
	check_number(exposition_create(&exposition, client.loop, &options, write_page, NULL), EXIT_FAILED, "a token that is not there");
	write_token("fifteen-letters", 0600);
	check_number(exposition_create(&exposition, client.loop, &options, write_page, NULL), EXIT_USAGE, "one that is too short");
	write_token("two words, of enough letters\n", 0600);
	check_number(exposition_create(&exposition, client.loop, &options, write_page, NULL), EXIT_USAGE, "one with spaces");
	write_token("sixteen-letters-\nand another line\n", 0600);
	check_number(exposition_create(&exposition, client.loop, &options, write_page, NULL), EXIT_USAGE, "one of two lines");
	write_token("sixteen-letters-\n", 0644);
	check_number(exposition_create(&exposition, client.loop, &options, write_page, NULL), EXIT_USAGE, "one that everybody may read");
	write_token("sixteen-letters-\n", 0640);
	if (!check_number(exposition_create(&exposition, client.loop, &options, write_page, NULL), EXIT_OK, "a good one"))
		return;
	check_number(status_with(connected(), ""), 401, "without a token");
	check_number(status_with(connected(), "Authorization: Bearer sixteen-letters-\r\n"), 200, "with the token");
	check_number(status_with(connected(), "authorization:  bearer sixteen-letters- \r\n"), 200, "however it is written");
	check_number(status_with(connected(), "Authorization: Bearer sixteen-letters_\r\n"), 401, "with one whose last letter is wrong");
	check_number(status_with(connected(), "Authorization: Bearer Sixteen-letters-\r\n"), 401, "whose first letter is wrong");
	check_number(status_with(connected(), "Authorization: Bearer sixteen-letters\r\n"), 401, "with a part of it");
	check_number(status_with(connected(), "Authorization: Bearer sixteen-letters--\r\n"), 401, "with more than it");
	check_number(status_with(connected(), "Authorization: Bearer \r\n"), 401, "with an empty one");
	check_number(status_with(connected(), "Authorization:\r\n"), 401, "with nothing");
	check_number(status_with(connected(), "Authorization: Basic sixteen-letters-\r\n"), 401, "as a password");
	check_number(status_with(connected(), "Authorization: Bearer wrong\r\nAuthorization: Bearer sixteen-letters-\r\n"), 400, "with two");
	write_token("another-of-sixteen\n", 0600);
	check_number(status_with(connected(), "Authorization: Bearer sixteen-letters-\r\n"), 200, "a new token waits");
	exposition_reload(exposition);
	check_number(status_with(connected(), "Authorization: Bearer sixteen-letters-\r\n"), 401, "until it is read: the old one is no good");
	check_number(status_with(connected(), "Authorization: Bearer another-of-sixteen\r\n"), 200, "and the new one is");
	write_token("short", 0600);
	exposition_reload(exposition);
	check_number(status_with(connected(), "Authorization: Bearer another-of-sixteen\r\n"), 200, "one that cannot be used changes nothing");
	check(!unlink(token_path) && !mkfifo(token_path, 0600), "a pipe that nobody writes to is there now");
	alarm(20);
	exposition_reload(exposition);
	alarm(0);
	check_number(status_with(connected(), "Authorization: Bearer another-of-sixteen\r\n"), 200, "nor does it keep who reads it");
	unlink(token_path);
	exposition_destroy(exposition);
}

static int connected_to_path(void)
{
	int fd = socket_file_connect(socket_path, SOCK_STREAM);

	if (fd < 0) {
		fprintf(stderr, "connect: %s\n", strerror(-fd));
		exit(1);
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void test_path(void)
{
	struct exposition_options options = { .token = NULL };
	const struct group *own = getgrgid(getegid());
	struct exposition *exposition, *other;
	struct stat status;
	char text[80];
	int stale;

	snprintf(text, sizeof(text), "unix:%s", socket_path);
	check_number(http_address_parse(text, &options.address), 0, "a path");
	if (!check_number(exposition_create(&exposition, client.loop, &options, write_page, NULL), EXIT_OK, "is served"))
		return;
	check(!stat(socket_path, &status) && S_ISSOCK(status.st_mode) && (status.st_mode & 07777) == 0600, "for its owner only");
	check_number(status_with(connected_to_path(), ""), 200, "and gives metrics");
	check_number(exposition_create(&other, client.loop, &options, write_page, NULL), EXIT_FAILED, "another cannot have it");
	exposition_destroy(exposition);
	check(stat(socket_path, &status) && errno == ENOENT, "and goes with the server");

	/* One that was killed leaves its socket, with nobody behind it. */
	stale = socket_file_listen(socket_path, SOCK_STREAM, 0600, (gid_t)-1, &status);
	close(stale);
	options.group = own ? own->gr_name : NULL;
	check(stale >= 0 && !access(socket_path, F_OK), "a socket is left behind");
	if (check_number(exposition_create(&exposition, client.loop, &options, write_page, NULL), EXIT_OK, "it is replaced")) {
		check(!stat(socket_path, &status) && (status.st_mode & 07777) == (own ? 0660 : 0600) && status.st_gid == getegid(),
		      "with a group it is for that too");
		/* Somebody else's that took its place stays. */
		check(!unlink(socket_path) && !mkdir(socket_path, 0700), "something else is there");
		exposition_destroy(exposition);
		check(!stat(socket_path, &status) && S_ISDIR(status.st_mode), "which is left alone");
		check_number(exposition_create(&exposition, client.loop, &options, write_page, NULL), EXIT_FAILED, "and is not replaced");
		rmdir(socket_path);
	}
	options.group = "no such group";
	check_number(exposition_create(&exposition, client.loop, &options, write_page, NULL), EXIT_USAGE, "a group that there is not");
	options.group = own ? own->gr_name : "root";
	http_address_parse("0", &options.address);
	check_number(exposition_create(&exposition, client.loop, &options, write_page, NULL), EXIT_USAGE, "a port has no group");
	check_number(http_address_parse("unix:relative", &options.address), -EINVAL, "a path that is relative");
	check_number(http_address_parse("unix:", &options.address), -EINVAL, "or empty");
}

/* A port that is free: given to somebody else first. */
static void find_port(void)
{
	struct exposition_options options = { .token = NULL };
	struct exposition *exposition;

	for (client.port = 20000; client.port < 30000; client.port++) {
		http_address_parse("0", &options.address);
		((struct sockaddr_in *)&options.address)->sin_port = htons(client.port);
		if (exposition_create(&exposition, client.loop, &options, write_page, NULL) == EXIT_OK) {
			exposition_destroy(exposition);
			turn_for(1);
			return;
		}
	}
}

int main(void)
{
	static const enum loop_kind kinds[] = { LOOP_POLL, LOOP_IO_URING };

	message_program = "access";
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(directory))
		return 1;
	snprintf(token_path, sizeof(token_path), "%s/token", directory);
	snprintf(socket_path, sizeof(socket_path), "%s/socket", directory);
	for (size_t i = 0; i < 2; i++) {
		if (loop_create(&client.loop, kinds[i])) {
			check_skip("it does not work here", "io_uring");
			continue;
		}
		printf("# %s\n", loop_name(client.loop));
		find_port();
		test_token();
		test_path();
		unlink(token_path);
		loop_destroy(client.loop);
	}
	rmdir(directory);
	return check_end();
}
