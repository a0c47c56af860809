// SPDX-License-Identifier: GPL-2.0-or-later
/* ktallyd --check-config: what a start would refuse is refused, and nothing is left behind. */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/message.h"
#include "base/socket_file.h"
#include "check.h"
#include "control/packet.h"
#include "daemon/check.h"
#include "said.h"

static char directory[] = "/tmp/ktally-check-XXXXXX";

/* Words with blanks between, "+" being the directory. */
static int checked(const char *words)
{
	char *argv[24] = { (char *)"ktallyd", (char *)"--no-config", (char *)"--check-config" }, *word;
	struct daemon_options options;
	struct buffer line = { 0 };
	int argc = 3, code;

	for (; *words; words++)
		buffer_append(&line, *words == '+' ? directory : words, *words == '+' ? strlen(directory) : 1);
	for (word = strtok(line.data, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	optind = 0;
	code = daemon_options_parse(&options, argc, argv);
	buffer_free(&line);
	return code;
}

static void check_config(const char *words, int code, const char *wanted)
{
	const char *message;

	said();
	check_number(checked(words), code, "%s", words);
	message = said();
	check(strstr(message, wanted), "\"%s\" is said", wanted);
	if (!strstr(message, wanted))
		printf("# %s\n", message);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, mode))
		abort();
	close(fd);
}

/* How many names there are in the directory. */
static int names(void)
{
	DIR *listing = opendir(directory);
	int count = 0;

	while (listing && readdir(listing))
		count++;
	closedir(listing);
	return count - 2;
}

static void test_places(void)
{
	check_config("--out +/a/b", EXIT_FAILED, "cannot make the directory");
	check_config("--out +/file", EXIT_FAILED, "Not a directory");
	check_config("--capture +/a/b", EXIT_FAILED, "cannot create the capture");
	check_config("--capture +", EXIT_FAILED, "Is a directory");
	check_config("--metrics-json +/a/b", EXIT_FAILED, "cannot write");
	check_config("--json-lines +/a/b", EXIT_FAILED, "cannot write lines to");
	check_config("--json-lines +", EXIT_FAILED, "cannot write lines to");
	check_config("--endpoint http://h:4318 --spool +/a/b", EXIT_FAILED, "b/metrics cannot be used: No such file");
	check_config("--endpoint http://h:4318 --spool +/file", EXIT_FAILED, "file/metrics cannot be used: Not a directory");
	check_config("--elasticsearch http://h:9200 --spool +/a/b", EXIT_FAILED, "b/documents cannot be used");
	check_config("--control +/a/b/c/d", EXIT_FAILED, "cannot make the socket");
	check_config("--control +/file", EXIT_FAILED, "File exists");
	check_config("--control /tmp/01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
		     EXIT_FAILED, "File name too long");
	check_config("--control-group no-such-group", EXIT_USAGE, "there is no group \"no-such-group\"");
	check_config("--out +/a --capture +/b --metrics-json +/c --json-lines +/d --control +/run/control --endpoint http://h:4318 --spool +/s",
		     EXIT_OK, "can be used");
	check_config("--capture - --metrics-json -", EXIT_OK, "can be used");
}

static void test_backends(void)
{
	check_config("--endpoint http://user@h:4318", EXIT_USAGE, "has a user name in it");
	check_config("--elasticsearch http://user@h:9200", EXIT_USAGE, "has a user name in it");
	check_config("--profiles-endpoint nowhere", EXIT_USAGE, "is not an address to send to");
	setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "lzma", 1);
	check_config("--endpoint http://h:4318", EXIT_USAGE, "there is no compression \"lzma\"");
	unsetenv("OTEL_EXPORTER_OTLP_COMPRESSION");
	setenv("KTALLY_ELASTICSEARCH_CERTIFICATE", "/nonexistent", 1);
	check_config("--elasticsearch http://h:9200", EXIT_USAGE, "cannot read the certificate");
	unsetenv("KTALLY_ELASTICSEARCH_CERTIFICATE");
	check_config("--profile 10s", EXIT_USAGE, "nowhere to send it to");
	check_config("--profile 10s --control none --endpoint http://h:4318", EXIT_USAGE, "there is no control socket");
	check_config("--profile 10s --endpoint http://h:4318", EXIT_OK, "can be used");
	check_config("--cpus 0-9999", EXIT_USAGE, "--cpus: this host does not have all of these CPUs");
	check_config("--cpus 0", EXIT_OK, "can be used");
	check_config("--cpus all", EXIT_OK, "can be used");
}

static int listen_anywhere(unsigned int *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&address, bytes) || listen(fd, 1) || getsockname(fd, (struct sockaddr *)&address, &bytes))
		abort();
	*port = ntohs(address.sin_port);
	return fd;
}

static void test_prometheus(void)
{
	char words[256], path[64];
	unsigned int port;
	struct stat status;
	int fd = listen_anywhere(&port), control;

	write_file("short", "secret\n", 0600);
	write_file("open", "0123456789abcdef\n", 0644);
	write_file("token", "0123456789abcdef\n", 0600);
	check_config("--prometheus 0 --prometheus-token +/none", EXIT_FAILED, "cannot read");
	check_config("--prometheus 0 --prometheus-token +/short", EXIT_USAGE, "less than 16");
	check_config("--prometheus 0 --prometheus-token +/open", EXIT_USAGE, "can be read by everybody");
	check_config("--prometheus 0 --prometheus-token +/token", EXIT_OK, "can be used");
	check_config("--prometheus unix:+/socket --prometheus-group no-such-group", EXIT_USAGE, "there is no group");
	check_config("--prometheus 0 --prometheus-group root", EXIT_USAGE, "only a path has a group");
	check_config("--prometheus 192.0.2.1:0", EXIT_FAILED, "this host does not have that address");
	check_config("--prometheus unix:+/a/b/socket", EXIT_FAILED, "cannot make the socket");
	check_config("--prometheus unix:+/file", EXIT_FAILED, "cannot make the socket");
	check_config("--prometheus unix:+/socket", EXIT_OK, "can be used");
	snprintf(words, sizeof(words), "--control +/control --prometheus %u", port);
	check_config(words, EXIT_FAILED, "something else serves port");
	snprintf(path, sizeof(path), "%s/control", directory);
	control = socket_file_listen(path, CONTROL_SOCKET, 0600, (gid_t)-1, &status);
	check(control >= 0, "a ktallyd answers");
	check_config(words, EXIT_OK, "is in use, by the ktallyd that answers at");
	close(control);
	unlink(path);
	close(fd);
	snprintf(words, sizeof(words), "--control +/control --prometheus %u", port);
	check_config(words, EXIT_OK, "can be used");
}

int main(void)
{
	char command[64];
	int before;

	message_program = "ktallyd";
	for (char **variable = environ; *variable; variable++)
		if (!strncmp(*variable, "OTEL_", 5) || !strncmp(*variable, "KTALLY_", 7))
			**variable = '_';
	if (!mkdtemp(directory) || !said_begin())
		return 1;
	write_file("file", "x", 0600);
	before = names();
	test_places();
	test_backends();
	check_number(names(), before, "nothing is left behind");
	test_prometheus();
	check_number(names(), before + 3, "nor there, but the tokens of the test");
	snprintf(command, sizeof(command), "rm -r %s", directory);
	check_number(system(command), 0, "it is cleared away");
	return check_end();
}
