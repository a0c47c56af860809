// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libiberty does the work, but for D. A mangled name can refer to parts of itself, so a few hundred bytes can stand for more text
 * than there are atoms: the first byte past what the caller takes ends it, by jumping out of the callback. That is
 * legal: these variants of the functions allocate nothing on the way (but for Rust's punycode: a few bytes of a hostile
 * name are lost).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>
#include <libiberty/demangle.h>

#include "symbols/demangle.h"

#define MANGLED_MOST	1024	/* libiberty's own limit of recursion refuses longer ones */

struct output {
	char *text;
	size_t bytes, most;
	jmp_buf too_long;
};

static void append(const char *text, size_t bytes, void *context)
{
	struct output *output = context;

	if (bytes >= output->most - output->bytes)
		longjmp(output->too_long, 1);
	if (!bytes)	/* then libiberty may give no text at all */
		return;
	memcpy(output->text + output->bytes, text, bytes);
	output->bytes += bytes;
}

typedef int demangle_function(const char *mangled, int options, demangle_callbackref callback, void *context);

static bool try(demangle_function *function, const char *mangled, struct output *output)
{
	output->bytes = 0;
	if (setjmp(output->too_long))
		return false;
	if (!function(mangled, DMGL_NO_OPTS, append, output) || !output->bytes)
		return false;
	output->text[output->bytes] = '\0';
	return true;
}

/*
 * "FGz_" is a function type with 64 lifetimes, and "FGzzzzzzzzzz_" one with more than anybody could count; which libiberty does, one by one,
 * also in parts of which it shows nothing, where the callback cannot end it. Real ones have a few. It may be a part of a name that only looks
 * so: such a name is shown as it is.
 */
static bool has_endless_binder(const char *mangled)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (const char *at = mangled + 1; (at = strchr(at, 'G')); at++)
		if ((at[-1] == 'F' || at[-1] == 'D') && strspn(at + 1, digits) > 1)
			return true;
	return false;
}

int demangle(const char *mangled, char *into, size_t most)
{
	struct output output = { .text = into, .most = most };

	if (mangled[0] != '_' || !strchr("ZRD", mangled[1]) || strnlen(mangled, MANGLED_MOST) == MANGLED_MOST)
		return -EINVAL;
	if (mangled[1] == 'D')
		return demangle_d(mangled, into, most);
	if (mangled[1] == 'R' && has_endless_binder(mangled))
		return -EINVAL;
	/* Rust's older scheme looks like C++ with a hash at the end. */
	if (try(rust_demangle_callback, mangled, &output) || try(cplus_demangle_v3_callback, mangled, &output))
		return 0;
	return -EINVAL;
}
