/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A debuginfod of our own, debuginfod.py, in "server" of the directory of tools.h, and a stripped program whose debug file it may have. */
#ifndef KTALLY_TEST_DEBUGINFOD_H
#define KTALLY_TEST_DEBUGINFOD_H

#include <dlfcn.h>
#include <signal.h>

#include "check.h"
#include "tools.h"

#define ID "id=$(readelf -n whole | sed -n 's/.*Build ID: //p'); "

static struct {
	FILE *pipe;
	int pid, port;
	char url[64];
} debuginfod;

/* A fresh cache, so that all is asked for. */
static inline void debuginfod_use(const char *cache)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", tools_directory, cache);
	setenv("DEBUGINFOD_CACHE_PATH", path, 1);
}

static inline unsigned int debuginfod_requests(void)
{
	char path[128], line[256];
	unsigned int count = 0;
	FILE *log;

	snprintf(path, sizeof(path), "%s/server/log", tools_directory);
	log = fopen(path, "r");
	while (log && fgets(line, sizeof(line), log))
		count++;
	if (log)
		fclose(log);
	return count;
}

/* False: skipped, which is said. */
static inline bool debuginfod_begin_test(void)
{
	static const char source[] =
		"#include <stdio.h>\n"
		"static __attribute__((noinline)) int only_here(int a) { return a * 3 + puts(\"x\"); }\n"
		"__attribute__((noinline)) int exported(int a) { return only_here(a) + 1; }\n"
		"int main(int count, char **arguments) { return exported(count) + !arguments; }\n";
	char command[128];
	void *library = dlopen("libdebuginfod.so.1", RTLD_LAZY);

	if (!library || !check(tools_begin(), "a directory")) {
		check_skip("no libdebuginfod1", "downloads");
		return false;
	}
	dlclose(library);
	tools_write("a.c", source);
	if (!tools_run("mkdir server cache root && gcc -O1 -g -rdynamic -Wl,--build-id=sha1 -o whole a.c && "
		       "objcopy --only-keep-debug whole a.debug && strip --strip-all -o stripped whole && "
		       "gcc -O2 -rdynamic -Wl,--build-id=sha1 -o other a.c && "
		       "gcc -O1 -g -rdynamic -Wl,--build-id=0x$(printf '%%040d' 7) -o twin a.c && command -v python3")) {
		check_skip("no gcc, objcopy or python3", "downloads");
		tools_end();
		return false;
	}
	snprintf(command, sizeof(command), "exec python3 tests/user/debuginfod.py %s/server", tools_directory);
	debuginfod.pipe = popen(command, "r");
	if (!check(debuginfod.pipe && fscanf(debuginfod.pipe, "%d %d", &debuginfod.pid, &debuginfod.port) == 2, "a server")) {
		tools_end();
		return false;
	}
	snprintf(debuginfod.url, sizeof(debuginfod.url), "http://127.0.0.1:%d", debuginfod.port);
	unsetenv("CACHE_DIRECTORY");
	setenv("HOME", "/nonexistent", 1);
	setenv("DEBUGINFOD_URLS", debuginfod.url, 1);
	setenv("DEBUGINFOD_TIMEOUT", "20", 1);
	setenv("DEBUGINFOD_RETRY_LIMIT", "0", 1);
	unsetenv("DEBUGINFOD_PROGRESS");
	unsetenv("http_proxy");
	debuginfod_use("cache");
	return true;
}

static inline void debuginfod_end_test(void)
{
	kill(debuginfod.pid, SIGTERM);
	pclose(debuginfod.pipe);
	tools_end();
}

#endif
