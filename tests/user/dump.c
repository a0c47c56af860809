// SPDX-License-Identifier: GPL-2.0-or-later
/* ktally dump: every record, every field, as JSON. */
#include <sys/stat.h>

#include "check.h"
#include "command.h"
#include "fake.h"

static char directory[] = "/tmp/ktally-test-dump-XXXXXX";
static char path[64], cut_path[64];

static const char expected[] =
	"{\"type\":\"host\",\"values\":{\"hostname\":\"recorded\",\"release\":\"6.1.0-test\",\"machine\":\"0123\",\"clock\":\"1\",\"rate\":\"199\","
	"\"cpus\":\"2\",\"realtime\":\"1700000100000000000\",\"monotonic\":\"100000000000\",\"command\":\"openssl speed\",\"cpus-left-out\":\"2-3\"}}\n"
	"{\"type\":\"kallsyms\",\"bytes\":161}\n"
	"{\"type\":\"mappings\",\"mm_id\":\"0x9000000000000001\",\"pid\":10,\"executable\":\"/nonexistent/openssl\",\"maps\":"
	"\"00400000-00401000 r-xp 00000000 08:01 11 /nonexistent/openssl\\n"
	"7f0000001000-7f0000002000 r-xp 00001000 08:01 12 /nonexistent/libcrypto.so.3\\n\"}\n"
	"{\"type\":\"owner\",\"mm_id\":\"0x9000000000000001\",\"cgroup_id\":0,\"values\":{\"service.name\":\"shop\",\"service.version\":\"1\"}}\n"
	"{\"type\":\"owner\",\"mm_id\":\"0x0\",\"cgroup_id\":77,\"values\":{\"path\":\"/docker/0123456789abcdef\","
	"\"container.id\":\"0123456789abcdef\"}}\n"
	"{\"type\":\"account\",\"lines\":\"0 20000000 25000000\\n77 10000000 9000000\\n\"}\n"
	"{\"type\":\"task\",\"flags\":0,\"size\":80,\"cpu\":0,\"time\":1000,\"task_id\":\"0xa1\",\"mm_id\":\"0x9000000000000001\",\"cgroup_id\":77,"
	"\"start_time\":5,\"pid\":10,\"tid\":10,\"parent\":1,\"task_flags\":0,\"comm\":\"openssl\"}\n"
	"{\"type\":\"task\",\"flags\":0,\"size\":80,\"cpu\":0,\"time\":1000,\"task_id\":\"0xa2\",\"mm_id\":\"0x9000000000000001\",\"cgroup_id\":77,"
	"\"start_time\":5,\"pid\":10,\"tid\":11,\"parent\":1,\"task_flags\":0,\"comm\":\"0123456789abcdef\"}\n"
	"{\"type\":\"task\",\"flags\":0,\"size\":80,\"cpu\":0,\"time\":1000,\"task_id\":\"0xa3\",\"mm_id\":\"0x0\",\"cgroup_id\":77,"
	"\"start_time\":5,\"pid\":2,\"tid\":2,\"parent\":1,\"task_flags\":1,\"comm\":\"kthreadd\"}\n"
	"{\"type\":\"stack\",\"flags\":0,\"size\":48,\"cpu\":0,\"stack_id\":\"0x51\",\"mm_id\":\"0x9000000000000001\",\"kernel_frames\":0,"
	"\"user_frames\":2,\"kernel_end\":\"none\",\"user_end\":\"complete\",\"frames\":[\"user 0x7f0000001010\",\"user 0x400100\"]}\n"
	"{\"type\":\"stack\",\"flags\":0,\"size\":56,\"cpu\":0,\"stack_id\":\"0x52\",\"mm_id\":\"0x9000000000000001\",\"kernel_frames\":2,"
	"\"user_frames\":1,\"kernel_end\":\"complete\",\"user_end\":\"broken\",\"frames\":[\"kernel 0xffffffff81000104\","
	"\"kernel 0xffffffff81000208\",\"user 0x7f0000001020\"]}\n"
	"{\"type\":\"stack\",\"flags\":0,\"size\":40,\"cpu\":0,\"stack_id\":\"0x53\",\"mm_id\":\"0x0\",\"kernel_frames\":1,\"user_frames\":0,"
	"\"kernel_end\":\"complete\",\"user_end\":\"none\",\"frames\":[\"kernel 0xffffffff81000308\"]}\n"
	"{\"type\":\"sample\",\"flags\":0,\"size\":48,\"cpu\":0,\"time\":20000001000,\"stack_id\":\"0x51\",\"task_id\":\"0xa1\",\"weight\":5000000,"
	"\"tid\":10,\"syscall\":-1}\n"
	"{\"type\":\"sample\",\"flags\":0,\"size\":48,\"cpu\":0,\"time\":24000001000,\"stack_id\":\"0x52\",\"task_id\":\"0xa2\",\"weight\":5000000,"
	"\"tid\":11,\"syscall\":1}\n"
	"{\"type\":\"sample\",\"flags\":0,\"size\":48,\"cpu\":1,\"time\":21000001000,\"stack_id\":\"0x53\",\"task_id\":\"0xa3\",\"weight\":5000000,"
	"\"tid\":2,\"syscall\":-1}\n"
	"{\"type\":\"sample\",\"flags\":0,\"size\":48,\"cpu\":1,\"time\":23000001000,\"stack_id\":\"0x51\",\"task_id\":\"0xa1\",\"weight\":5000000,"
	"\"tid\":10,\"syscall\":-1}\n"
	"{\"type\":\"sample\",\"flags\":0,\"size\":48,\"cpu\":1,\"time\":23500001000,\"stack_id\":\"0x99\",\"task_id\":\"0xa1\",\"weight\":5000000,"
	"\"tid\":10,\"syscall\":-1}\n"
	"{\"type\":\"lost\",\"flags\":0,\"size\":40,\"cpu\":1,\"time\":30000000000,\"cause\":\"full\",\"loss\":{\"count\":3,\"weight\":15000000}}\n"
	"{\"type\":\"throttle\",\"flags\":0,\"size\":40,\"cpu\":0,\"time\":31000000000,\"thin\":4,\"spent\":7,\"window\":9}\n"
	"{\"type\":\"exit\",\"flags\":0,\"size\":32,\"cpu\":0,\"time\":32000000000,\"start_time\":5,\"pid\":10,\"tid\":11}\n"
	"{\"type\":\"file\",\"flags\":0,\"size\":64,\"cpu\":0,\"time\":33000000000,\"file\":7,\"generation\":8,\"inode\":9,"
	"\"device_major\":254,\"device_minor\":1,\"bytes\":10,\"changed\":-11,\"modified\":12}\n"
	"{\"type\":999,\"flags\":0,\"size\":16,\"cpu\":0,\"bytes\":\"edfe000000000000\"}\n";

static struct result dump(const char *input)
{
	char line[128];

	snprintf(line, sizeof(line), "dump -i %s", input);
	return command_run(command_dump, line);
}

static void check_whole(void)
{
	struct result result = dump(path);
	int full, status;
	char command[128], *text;

	check_number(result.code, EXIT_OK, "a whole capture is dumped");
	check_string(result.out, expected, "all of it");
	check_string(result.err, "", "without complaint");
	result_free(&result);

	full = open("/dev/full", O_WRONLY);
	result = command_run_to(command_dump, "dump -i nowhere", full);
	check_number(result.code, EXIT_FAILED, "no capture");
	check(strstr(result.err, "there is no capture nowhere: `ktally record` writes one"), "and what to do about it");
	result_free(&result);
	snprintf(command, sizeof(command), "dump -i %s", path);
	result = command_run_to(command_dump, command, full);
	check(result.code == EXIT_FAILED && strstr(result.err, "No space left on device"), "a full disk is told");
	result_free(&result);
	close(full);

	if (!fake_have("jq")) {
		check_skip("no jq: apt-get install jq", "jq reads it");
		return;
	}
	snprintf(command, sizeof(command), "%s/dump.json", directory);
	full = open(command, O_CREAT | O_WRONLY, 0600);
	snprintf(command, sizeof(command), "dump -i %s", path);
	result = command_run_to(command_dump, command, full);
	result_free(&result);
	close(full);
	snprintf(command, sizeof(command), "jq -s 'map(select(.type==\"sample\").weight) | add' %s/dump.json",
		 directory);
	text = fake_output(command, &status);
	check_string(text, "25000000\n", "jq reads it");
	free(text);
}

/* Cut anywhere, it tells what came before, and that it is cut; never more. */
static void check_cut(void)
{
	size_t bytes = recording_bytes(path), told = 0, wrong = 0, ends = 0;

	for (size_t i = 0; i < bytes; i += i < 1100 ? 7 : 13) {
		struct result result;

		recording_cut(path, cut_path, i);
		result = dump(cut_path);
		if (strncmp(result.out, expected, strlen(result.out)))
			wrong++;
		if (result.code == EXIT_FAILED && strlen(result.err))
			told++;
		else if (result.code == EXIT_OK)
			ends++;		/* cut exactly between two chunks: nobody can tell */
		result_free(&result);
	}
	check_number(wrong, 0, "what is dumped of a cut capture is a beginning of the whole");
	check(told > 100 && ends < 5, "a cut capture is told as such: %zu times, %zu times not", told, ends);
}

static void check_options(void)
{
	struct result result = command_run(command_dump, "dump --help");

	check(result.code == EXIT_OK && !strncmp(result.out, "usage: ktally dump", 18), "--help");
	result_free(&result);
	result = command_run(command_dump, "dump --nonsense");
	check_number(result.code, EXIT_USAGE, "an unknown option");
	result_free(&result);
	result = command_run(command_dump, "dump file");
	check_number(result.code, EXIT_USAGE, "an argument");
	result_free(&result);
	result = command_run(command_dump, "dump -i /etc/passwd");
	check(result.code == EXIT_FAILED && strstr(result.err, "/etc/passwd is not a capture"),
	      "a file that is no capture");
	result_free(&result);
}

int main(void)
{
	char command[64];

	if (!mkdtemp(directory))
		message_fatal(EXIT_FAILED, "cannot make %s: %m", directory);
	snprintf(path, sizeof(path), "%s/capture", directory);
	snprintf(cut_path, sizeof(cut_path), "%s/cut", directory);
	recording_make(path, true);
	check_whole();
	check_cut();
	check_options();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	check(system(command) == 0, "cleaned up");
	return check_end();
}
