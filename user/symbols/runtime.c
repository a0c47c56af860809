// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <string.h>

#include "symbols/runtime.h"

/* "python", "python3", "python3.11", "python3.13t", "php-fpm8.2", "perl5.36.0": the name, then only a version. */
static bool is_version_of(const char *name, const char *of)
{
	size_t bytes = strlen(of);

	if (strncmp(name, of, bytes))
		return false;
	name += bytes;
	if (*name == '-' && name[1] >= '0' && name[1] <= '9')
		name++;
	name += strspn(name, "0123456789.");
	return !*name || (name[-1] >= '0' && name[-1] <= '9' && strspn(name, "dmtu") == strlen(name));
}

const char *runtime_of_executable(const char *path)
{
	static const struct {
		const char *name, *runtime;
	} runtimes[] = {
		{ "python", "cpython" },
		{ "node", "v8js" },
		{ "nodejs", "v8js" },
		{ "nsolid", "v8js" },
		{ "java", "jvm" },
		{ "perl", "perl" },
		{ "ruby", "ruby" },
		{ "php", "php" },
		{ "php-fpm", "php" },
		{ "php-cgi", "php" },
		{ "beam.smp", "beam" },
		{ "dotnet", "dotnet" },
	};
	const char *slash = path ? strrchr(path, '/') : NULL;
	const char *name = slash ? slash + 1 : path;

	if (!name)
		return NULL;
	for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++)
		if (is_version_of(name, runtimes[i].name))
			return runtimes[i].runtime;
	return NULL;
}

/* Launchers have any name, and these libraries no other use. */
const char *runtime_of_library(const char *path, size_t bytes)
{
	static const struct {
		const char *name, *runtime;
	} libraries[] = { { "/libjvm.so", "jvm" }, { "/libcoreclr.so", "dotnet" }, { "/libnode.so", "v8js" } };

	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		const char *name = libraries[i].name;
		const char *found = memmem(path, bytes, name, strlen(name));
		size_t rest = found ? bytes - (size_t)(found - path) - strlen(name) : 1;

		if (found && (!rest || found[strlen(name)] == '.'))
			return libraries[i].runtime;
	}
	return NULL;
}
