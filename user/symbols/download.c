// SPDX-License-Identifier: GPL-2.0-or-later
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/message.h"
#include "symbols/download.h"
#include "symbols/downloader.h"

#define LIBRARY		"libdebuginfod.so.1"
#define BYTES_MOST	(1L << 30)	/* unless DEBUGINFOD_MAXSIZE says another */
#define SECONDS_MOST	"600"		/* unless DEBUGINFOD_MAXTIME does */
#define PAUSE_SECONDS	600		/* when no server answers: the library has tried three times by then */
#define SERVICE_CACHE	"/var/cache/debuginfod_client"
#define PATH_BYTES_MOST	4096

struct debuginfod_client;

typedef int client_progress(struct debuginfod_client *client, long bytes, long all);

static struct {
	struct debuginfod_client *(*begin)(void);
	void (*end)(struct debuginfod_client *client);
	int (*find)(struct debuginfod_client *client, const unsigned char *build_id, int bytes, char **path);
	void (*set_progress)(struct debuginfod_client *client, client_progress *progress);
} library;

static enum download_when allowed;
static time_t paused_until;		/* by the monotonic clock; one thread at a time downloads */
static bool failing;

static _Thread_local struct {
	download_progress *progress;
	void *context;
} waiting;

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

static int open_library(void)
{
	const struct {
		const char *name;
		void *to;
	} functions[] = {
		{ "debuginfod_begin", &library.begin },
		{ "debuginfod_end", &library.end },
		{ "debuginfod_find_debuginfo", &library.find },
		{ "debuginfod_set_progressfn", &library.set_progress },
	};
	void *handle = library.begin ? NULL : dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (library.begin)
		return 0;
	if (!handle) {
		message_error("--download needs " LIBRARY ", which is not here: apt install libdebuginfod1, or dnf install "
			      "elfutils-debuginfod-client (%s)", dlerror());
		return -ENOENT;
	}
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *function = dlsym(handle, functions[i].name);

		if (!function) {
			message_error("--download needs a newer " LIBRARY ": this one has no %s()", functions[i].name);
			library.begin = NULL;
			dlclose(handle);
			return -ENOSYS;
		}
		memcpy(functions[i].to, &function, sizeof(function));
	}
	return 0;
}

/* A service has no home: its manager says where its cache is, else it is where debug.c looks for it. */
static void choose_cache(void)
{
	const char *service = getenv("CACHE_DIRECTORY");
	char path[PATH_BYTES_MOST];

	if (service && service[0] == '/' && snprintf(path, sizeof(path), "%s/debuginfod", service) < (int)sizeof(path))
		setenv("DEBUGINFOD_CACHE_PATH", path, 0);
	else if (!getenv("HOME") && !getenv("XDG_CACHE_HOME"))
		setenv("DEBUGINFOD_CACHE_PATH", SERVICE_CACHE, 0);
}

int download_allow(enum download_when when)
{
	const char *servers = getenv("DEBUGINFOD_URLS");
	int error;

	allowed = DOWNLOAD_NEVER;
	if (when == DOWNLOAD_NEVER)
		return 0;
	if (!servers || !servers[strspn(servers, " ")]) {
		message_error("--download: DEBUGINFOD_URLS names no server to ask: set it, as to https://debuginfod.debian.net");
		return -EDESTADDRREQ;
	}
	error = open_library();
	if (error)
		return error;
	choose_cache();
	setenv("DEBUGINFOD_MAXTIME", SECONDS_MOST, 0);
	allowed = when;
	return 0;
}

enum download_when download_is_allowed(void)
{
	return allowed;
}

/*
 * Before a server has answered, bytes are but a count of calls. The library checks what it is told to expect, here it is also what
 * comes; and it is not told of a limit that nobody set, as version 0.188 has a leak then.
 */
static int on_progress(struct debuginfod_client *client, long bytes, long all)
{
	const char *set = getenv("DEBUGINFOD_MAXSIZE");
	long most = set && atol(set) > 0 ? atol(set) : BYTES_MOST;

	(void)client;
	return bytes > most || all > most || (waiting.progress && waiting.progress(waiting.context));
}

/* Told when it begins and when it ends. */
static int pause_downloads(int error)
{
	if (!failing)
		message_warning("no debug files can be downloaded from the servers of DEBUGINFOD_URLS: %s: they are asked again every "
				"%d minutes", strerror(-error), PAUSE_SECONDS / 60);
	failing = true;
	paused_until = now() + PAUSE_SECONDS;
	return -EAGAIN;
}

static int find(const uint8_t *build_id, size_t build_id_bytes, download_progress *progress, void *context)
{
	struct debuginfod_client *client = library.begin();
	int found;

	if (!client)
		return -ENOMEM;
	waiting.progress = progress;
	waiting.context = context;
	/* Who wants to see the library's own progress does without ours. */
	if (progress || !getenv("DEBUGINFOD_PROGRESS"))
		library.set_progress(client, on_progress);
	found = library.find(client, build_id, (int)build_id_bytes, NULL);
	library.end(client);
	return found;
}

/* As the library chooses it: $DEBUGINFOD_CACHE_PATH, an old place, if it is there, and then the usual ones. */
static bool name_cache(char *path, size_t most)
{
	const char *chosen = getenv("DEBUGINFOD_CACHE_PATH"), *caches = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int bytes = 0;

	if (!chosen && home && snprintf(path, most, "%s/.debuginfod_client_cache", home) < (int)most && !access(path, F_OK))
		return true;
	if (chosen)
		bytes = snprintf(path, most, "%s", chosen);
	else if (caches)
		bytes = snprintf(path, most, "%s/debuginfod_client", caches);
	else if (home)
		bytes = snprintf(path, most, "%s/.cache/debuginfod_client", home);
	return bytes > 0 && (size_t)bytes < most;
}

/* With what is above it, as the library would do. */
static int make_cache(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

int download_apart(void)
{
	char path[PATH_BYTES_MOST];
	int error = -ENOENT;

	if (allowed != DOWNLOAD_LATER)
		return 0;
	if (name_cache(path, sizeof(path)))
		error = make_cache(path);
	if (!error)
		error = downloader_start(find, path);
	if (error)
		message_error("--download: the process that downloads cannot be started: %s", strerror(-error));
	return error;
}

int download_debug_file(const uint8_t *build_id, size_t build_id_bytes, download_progress *progress, void *context)
{
	int found;

	if (allowed == DOWNLOAD_NEVER)
		return -EPERM;
	if (build_id_bytes < 2)
		return -ENOENT;
	if (now() < paused_until)
		return -EAGAIN;
	found = (downloader_is_there() ? downloader_ask : find)(build_id, build_id_bytes, progress, context);
	if (found < 0 && found != -ENOENT && found != -EFBIG)
		return pause_downloads(found);
	if (failing)
		message_info("the servers of DEBUGINFOD_URLS answer again");
	failing = false;
	if (found >= 0)
		fcntl(found, F_SETFD, FD_CLOEXEC);
	return found;
}
