// SPDX-License-Identifier: GPL-2.0-or-later
/* Debug files from a server: asked for when allowed and only then, believed when they are the right ones, waited for with bounds. */
#include <errno.h>
#include <sys/wait.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "command.h"
#include "confine/filter.h"
#include "debuginfod.h"
#include "said.h"
#include "symbols/download.h"
#include "symbols/elf.h"

#define BYTES_MOST	(32U << 20)

static uint64_t wanted;
static bool no_library;

/* libdebuginfod 0.188 leaks when it is told of a limit. */
__attribute__((weak)) void __lsan_disable(void);
__attribute__((weak)) void __lsan_enable(void);

/* Instead of the C library's. */
void *dlopen(const char *name, int flags)
{
	static void *(*real)(const char *name, int flags);

	if (no_library)
		return NULL;
	if (!real) {
		void *function = dlsym(RTLD_NEXT, "dlopen");

		memcpy(&real, &function, sizeof(real));
	}
	return real(name, flags);
}

static bool finds(void)
{
	struct file *file = tools_read("stripped", BYTES_MOST);
	bool found = file && tools_address(file, "only_here") == wanted;

	check(file && tools_address(file, "exported"), "a stripped program has what others can call");
	if (file)
		file_free(file);
	return found;
}

static void refused(void)
{
	check_number(download_debug_file((const uint8_t *)"abcd", 4, NULL, NULL), -EPERM, "nothing is downloaded unasked");
	no_library = true;
	check_number(download_allow(DOWNLOAD_AT_ONCE), -ENOENT, "it needs the library");
	check(strstr(said(), "apt install libdebuginfod1"), "and says so");
	no_library = false;
	unsetenv("DEBUGINFOD_URLS");
	check_number(download_allow(DOWNLOAD_AT_ONCE), -EDESTADDRREQ, "it needs a server");
	check(strstr(said(), "DEBUGINFOD_URLS"), "and says so");
	setenv("DEBUGINFOD_URLS", " ", 1);
	check_number(download_allow(DOWNLOAD_AT_ONCE), -EDESTADDRREQ, "that has a name");
	check(download_is_allowed() == DOWNLOAD_NEVER, "what is refused is not allowed");
	setenv("DEBUGINFOD_URLS", debuginfod.url, 1);
	said();
}

/* Where a service's downloads go, and the limits of those who set none. */
static void settings(void)
{
	setenv("CACHE_DIRECTORY", "/somewhere", 1);
	unsetenv("DEBUGINFOD_CACHE_PATH");
	setenv("DEBUGINFOD_MAXTIME", "7", 1);
	check_number(download_allow(DOWNLOAD_AT_ONCE), 0, "allowed");
	check_string(getenv("DEBUGINFOD_CACHE_PATH"), "/somewhere/debuginfod", "a service has a cache");
	check_string(getenv("DEBUGINFOD_MAXTIME"), "7", "a limit of one's own stays");
	unsetenv("CACHE_DIRECTORY");
	unsetenv("HOME");
	unsetenv("XDG_CACHE_HOME");
	unsetenv("DEBUGINFOD_CACHE_PATH");
	check_number(download_allow(DOWNLOAD_AT_ONCE), 0, "allowed without a home");
	check_string(getenv("DEBUGINFOD_CACHE_PATH"), "/var/cache/debuginfod_client", "there is a cache then, too");
	unsetenv("DEBUGINFOD_MAXTIME");
	check(!download_allow(DOWNLOAD_AT_ONCE) && getenv("DEBUGINFOD_MAXTIME"), "and a limit where there was none");
	setenv("HOME", "/nonexistent", 1);
	setenv("DEBUGINFOD_CACHE_PATH", "/mine", 1);
	check_number(download_allow(DOWNLOAD_NEVER), 0, "not allowed any more");
	check_string(getenv("DEBUGINFOD_CACHE_PATH"), "/mine", "a cache of one's own stays");
	unsetenv("DEBUGINFOD_MAXTIME");
	debuginfod_use("cache");
}

static void found(void)
{
	check(tools_run(ID "cp a.debug server/$id"), "the server has its debug file");
	check(!finds(), "which is not asked for");
	check_number(download_allow(DOWNLOAD_LATER), 0, "allowed for later");
	check(!finds(), "it is not asked for at once");
	check_number(debuginfod_requests(), 0, "the server was not asked");
	check_number(download_allow(DOWNLOAD_AT_ONCE), 0, "allowed");
	check(finds(), "it is found");
	check(tools_run(ID "test \"$(cat server/log)\" = /buildid/$id/debuginfo"), "by its build id, and nothing else was said");
	check(finds(), "found again");
	check_number(debuginfod_requests(), 1, "in the cache");
	check_number(download_allow(DOWNLOAD_NEVER), 0, "not allowed any more");
	check(finds(), "what is in the cache is found all the same");
}

static size_t read_build_id(uint8_t *build_id)
{
	struct elf_source source = { .fd = -1 };
	char path[128];
	struct elf elf;
	size_t bytes = 0;

	snprintf(path, sizeof(path), "%s/stripped", tools_directory);
	source.fd = open(path, O_RDONLY | O_CLOEXEC);
	source.bytes = source.fd < 0 ? 0 : (uint64_t)lseek(source.fd, 0, SEEK_END);
	if (source.fd >= 0 && !elf_open(&elf, &source)) {
		bytes = elf.build_id_bytes;
		memcpy(build_id, elf.build_id, bytes);
		elf_close(&elf);
	}
	return bytes;
}

/* 0, or the number of what was not as it should be. The process is confined, and another downloads for it. */
static int download_confined(void)
{
	static const uint8_t unknown[20] = { 4, 5, 6 };
	uint8_t build_id[ELF_BUILD_ID_MOST];
	size_t bytes = read_build_id(build_id);
	int fd;

	if (download_allow(DOWNLOAD_LATER) || download_apart() || filter_apply(FILTER_READER))
		return 1;
	fd = download_debug_file(build_id, bytes, NULL, NULL);
	if (fd < 0 || lseek(fd, 0, SEEK_END) < 1000)
		return 2;
	if (download_debug_file(unknown, sizeof(unknown), NULL, NULL) != -ENOENT)
		return 3;
	fd = download_debug_file(build_id, bytes, NULL, NULL);
	return fd < 0 ? 4 : 0;
}

static void apart(void)
{
	unsigned int requests = debuginfod_requests();
	pid_t child;
	int status;

	/* The directory is made, with those above it. */
	debuginfod_use("above/cache.apart");
	check(tools_run(ID "cp a.debug server/$id"), "the server has its debug file");
	fflush(stdout);
	child = fork();
	if (!child)
		_exit(download_confined());
	check(waitpid(child, &status, 0) == child && WIFEXITED(status), "a confined process comes to its end");
	check_number(WEXITSTATUS(status), 0, "and has downloaded, by another");
	check_number(debuginfod_requests() - requests, 2, "which has a cache");
	debuginfod_use("cache");
}

static void not_found(void)
{
	unsigned int requests = debuginfod_requests();

	check_number(download_allow(DOWNLOAD_AT_ONCE), 0, "allowed");
	debuginfod_use("cache.none");
	check(tools_run("rm server/[0-9a-f]*[0-9a-f]"), "the server has nothing");
	check(!finds(), "nothing is found");
	check(!finds(), "nor again");
	check_number(debuginfod_requests() - requests, 1, "the server was asked once");

	debuginfod_use("cache.other");
	check(tools_run(ID "cp twin server/$id"), "the server has one that has all its names in the same places, but is another");
	check(!finds(), "which is not believed");
	debuginfod_use("cache.half");
	check(tools_run(ID "head -c 1000 a.debug >server/$id"), "and half a file");
	check(!finds(), "nor is that");
	check_number(debuginfod_requests() - requests, 3, "though it was asked");

	debuginfod_use("cache.large");
	check(tools_run(ID "cp a.debug server/$id && truncate -s 8M server/$id"), "the file it should have, with a tail");
	if (__lsan_disable)
		__lsan_disable();
	setenv("DEBUGINFOD_MAXSIZE", "1000000", 1);
	check(!finds(), "is larger than one wants");
	debuginfod_use("cache.enough");
	setenv("DEBUGINFOD_MAXSIZE", "10000000", 1);
	check(finds(), "unless one wants it");
	unsetenv("DEBUGINFOD_MAXSIZE");
	if (__lsan_enable)
		__lsan_enable();
	check_string(said(), "", "of all that nothing is said");
}

/* Of a process that was at that place of the stripped program. */
static void make_capture(const char *path)
{
	const uint64_t at = 0x400000, stack[] = { 0x71, 0, 1, KTALLY_END_COMPLETE, 0x2000000000000000 | (at + wanted) };
	static const char comm[16] = "stripped", host[] = "hostname=recorded\nrelease=6.1.0-test\nrate=199\ncpus=2\n";
	struct capture_writer *writer;
	char program[128], maps[512];
	struct stat status;

	snprintf(program, sizeof(program), "%s/stripped", tools_directory);
	if (stat(program, &status) || capture_create(&writer, path))
		message_fatal(EXIT_FAILED, "cannot create %s", path);
	snprintf(maps, sizeof(maps), "%llx-%llx r-xp 00000000 %02x:%02x %lu %s\n", (unsigned long long)at,
		 (unsigned long long)at + 0x10000, major(status.st_dev), minor(status.st_dev), (unsigned long)status.st_ino, program);
	capture_write(writer, CAPTURE_HOST, host, strlen(host));
	capture_write_mappings(writer, 0x9000000000000001, 10, program, maps, strlen(maps));
	recording_write_task(writer, 0xa1, 10, 10, comm);
	recording_write_stack(writer, stack, 0x9000000000000001);
	recording_write_sample(writer, 0, 20000001000, 0x71, 0xa1, 10, -1);
	if (capture_close(writer))
		message_fatal(EXIT_FAILED, "cannot write %s", path);
}

static void reported(void)
{
	unsigned int requests = debuginfod_requests();
	char path[128], line[256];
	struct result result;

	download_allow(DOWNLOAD_NEVER);
	debuginfod_use("cache.report");
	snprintf(path, sizeof(path), "%s/capture", tools_directory);
	make_capture(path);
	snprintf(line, sizeof(line), "report -i %s --unknown", path);
	result = command_run(command_report, line);
	check(strstr(result.out, "cure: --download, or debuginfod-find debuginfo "), "a report tells what would cure it");
	result_free(&result);
	snprintf(line, sizeof(line), "report -i %s -f folded", path);
	result = command_run(command_report, line);
	check(!strstr(result.out, "only_here"), "of itself it has no more names");
	check_number(debuginfod_requests() - requests, 0, "and asks nobody");
	result_free(&result);
	snprintf(line, sizeof(line), "report --download -i %s -f folded", path);
	result = command_run(command_report, line);
	check(result.code == EXIT_OK && strstr(result.out, "only_here"), "with --download it has");
	result_free(&result);
	debuginfod_use("cache.lines");
	snprintf(line, sizeof(line), "report --download --lines -i %s -f folded", path);
	result = command_run(command_report, line);
	check(strstr(result.out, "only_here (a.c:2)"), "and lines with --lines");
	result_free(&result);
	unsetenv("DEBUGINFOD_URLS");
	result = command_run(command_report, line);
	check(result.code == EXIT_USAGE && strstr(result.err, "DEBUGINFOD_URLS"), "without servers it fails");
	result_free(&result);
	setenv("DEBUGINFOD_URLS", debuginfod.url, 1);
	check_number(debuginfod_requests() - requests, 2, "which were asked once for each cache");
	download_allow(DOWNLOAD_AT_ONCE);
}

static bool give_up(void *context)
{
	(*(unsigned int *)context)++;
	return true;
}

static void never_answered(void)
{
	static const uint8_t id[20] = { 1, 2, 3 };
	time_t begin = time(NULL);
	unsigned int calls = 0, requests;

	check(tools_run("touch server/hold"), "the server does not answer any more");
	debuginfod_use("cache.hold");
	check_number(download_debug_file(id, sizeof(id), give_up, &calls), -ENOENT, "one may give up");
	check(calls == 1 && time(NULL) - begin < 10, "soon");
	check_string(said(), "", "and nothing is said");

	setenv("DEBUGINFOD_TIMEOUT", "1", 1);
	requests = debuginfod_requests();
	check(!finds(), "nothing comes");
	check(time(NULL) - begin < 15, "and it is not waited for for long");
	check_number(debuginfod_requests() - requests, 1, "it was asked");
	check(strstr(said(), "no debug files can be downloaded"), "this is said");
	check(tools_run("rm server/hold"), "even if it answers again");
	check_number(download_debug_file(id, sizeof(id), NULL, NULL), -EAGAIN, "it is left alone");
	check(!finds(), "for a while");
	check_number(debuginfod_requests() - requests, 1, "and was not asked");
	check_string(said(), "", "which is not said again");
}

int main(void)
{
	struct file *file;

	if (!debuginfod_begin_test())
		return check_end();
	check(said_begin(), "what is said is read");
	file = tools_read("whole", BYTES_MOST);
	wanted = tools_address(file, "only_here");
	check(wanted, "a program that is not stripped has all its names");
	file_free(file);
	refused();
	settings();
	found();
	apart();
	not_found();
	reported();
	never_answered();
	debuginfod_end_test();
	return check_end();
}
