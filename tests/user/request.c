// SPDX-License-Identifier: GPL-2.0-or-later
/* The text that profiles are asked for by: what is written is read back, and everything else is refused. */
#include "base/message.h"
#include "check.h"
#include "control/request.h"

#define HEAD	"ktally 1 profile\n"

static void check_round(void)
{
	struct request request, again;
	struct buffer text = { 0 }, second = { 0 }, said = { 0 };

	request_init(&request);
	request.duration = 1500;
	request.session.rate = 199;
	request.session.depth = 64;
	request.session.off_cpu = true;
	request.session.kernel = false;
	request.session.keep_ns = 5000000000;
	request.session.pids[request.session.pid_count++] = 12;
	request.session.pids[request.session.pid_count++] = INT32_MAX;
	request.session.cgroup_count = 2;
	request.outputs[request.output_count++] = (struct request_output){ format_named("pprof"), KTALLY_SOURCE_ONCPU };
	request.outputs[request.output_count++] = (struct request_output){ format_named("flame"), KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU };
	request.send = true;
	strcpy(request.process, "my = program");
	memset(request.service, 's', sizeof(request.service) - 1);
	request_write(&request, &text);
	check_string(request_read(&again, text.data, text.bytes), NULL, "what is written can be read");
	request_write(&again, &second);
	check_string(second.data, text.data, "and says the same");
	check_number(again.session.pids[1], INT32_MAX, "to the last process");
	check_number(again.outputs[1].sources, KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU, "and file");
	check(!again.session.kernel && again.session.off_cpu && again.send, "and switch");
	check_string(again.process, "my = program", "and name");
	check_string(again.service, request.service, "even the longest one");
	strcpy(again.service, "shop");
	request_describe(&again, &said);
	check_string(said.data, "processes named my = program of service shop of pid 12, 2147483647 in 2 cgroups at 199 Hz for 1.5 s, with waits", "people are told what it is");
	buffer_clear(&said);
	request_init(&request);
	request_describe(&request, &said);
	check_string(said.data, "every process at 99 Hz for 60 s", "so they are of one that says little");
	buffer_free(&said);
	buffer_free(&second);
	buffer_free(&text);
}

static void refuses_bytes(const char *text, size_t bytes, const char *wanted, const char *name)
{
	struct request request;
	const char *wrong = request_read(&request, text, bytes);

	check(wrong && strstr(wrong, wanted), "%s is refused: \"%s\"", name, wrong ? wrong : "not at all");
}

static void refuses(const char *text, const char *wanted)
{
	char name[64];

	snprintf(name, sizeof(name), "%.50s", text);
	for (char *at = name; (at = strchr(at, '\n')); at++)
		*at = '|';
	refuses_bytes(text, strlen(text), wanted, name);
}

static void check_nonsense(void)
{
	struct buffer text = { 0 };

	refuses("", "empty");
	refuses("\n", "not what this version");
	refuses("ktally 2 profile\nsend=1\n", "not what this version");
	refuses("ktally 1 profile", "no end");
	refuses("send=1\n" HEAD, "not what this version");
	refuses(HEAD HEAD, "not what this version");
	refuses(HEAD, "asks for no file");
	refuses(HEAD "send=0\n", "asks for no file");
	refuses(HEAD "send=1", "no end");
	refuses(HEAD "send\n", "not what this version");
	refuses(HEAD "send=1\nfor=0\n", "out of bounds");
	refuses(HEAD "send=1\nfor=3600001\n", "out of bounds");
	refuses(HEAD "send=1\nfor=99999999999999999999\n", "out of bounds");
	refuses(HEAD "send=1\nrate=0\n", "out of bounds");
	refuses(HEAD "send=1\nrate=10001\n", "out of bounds");
	refuses(HEAD "send=1\nrate=-1\n", "out of bounds");
	refuses(HEAD "send=2\n", "out of bounds");
	refuses(HEAD "send=1\ncgroups=17\n", "out of bounds");
	refuses(HEAD "send=1\nring-bytes=1000000\n", "power of two");
	refuses(HEAD "send=1\nwait-min-ns=5\n", "asks for none");
	refuses(HEAD "send=1\npid=0\n", "no number");
	refuses(HEAD "send=1\npid=2147483648\n", "no number");
	refuses(HEAD "send=1\nprocess=\n", "empty or too long");
	refuses(HEAD "send=1\nservice=\n", "empty or too long");
	refuses(HEAD "send=1\nshell=/bin/sh\n", "does not know");
	refuses(HEAD "output=pprof\n", "no sources");
	refuses(HEAD "output= on-cpu\n", "none of");
	refuses(HEAD "output=pprof both\n", "none of");
	refuses(HEAD "output=../../etc/passwd on-cpu\n", "none of");
	refuses(HEAD "process=" "0123456789012345678901234567890123456789012345678901234567890123456789\n", "too long");
	refuses_bytes(HEAD "send=1\0\n", sizeof(HEAD) + 7, "no text", "a zero byte");
	for (int i = 0; i <= REQUEST_OUTPUTS_MOST; i++)
		buffer_string(&text, i ? "output=pprof on-cpu\n" : HEAD "output=pprof on-cpu\n");
	refuses_bytes(text.data, text.bytes, "too many files", "more files than there may be");
	buffer_clear(&text);
	buffer_string(&text, HEAD "send=1\n");
	for (int i = 0; i <= KTALLY_PIDS_MAX; i++)
		buffer_format(&text, "pid=%d\n", i + 1);
	refuses_bytes(text.data, text.bytes, "too many processes", "more processes than there may be");
	buffer_clear(&text);
	while (text.bytes <= REQUEST_BYTES_MOST)
		buffer_string(&text, "send=1\n");
	refuses_bytes(text.data, text.bytes, "too long", "too long a text");
	buffer_free(&text);
}

int main(void)
{
	check_round();
	check_nonsense();
	return check_end();
}
