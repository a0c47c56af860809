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
 * Names that keep libiberty (2.40) busy for longer than anybody waits, in ways that show nothing on the way, so that the callback cannot end
 * them. The numbers are of what doubles the time, each: real names have a few, and names that merely look so are shown as they are.
 */
#define DOUBLINGS_MOST	10

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char sequence[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/* Rust: "FGz_" is a function type with 64 lifetimes, and "FGzzzzzzzzzz_" one with 62^10, which are counted one by one. */
static bool has_endless_binder(const char *mangled)
{
	for (const char *at = mangled + 1; (at = strchr(at, 'G')); at++)
		if ((at[-1] == 'F' || at[-1] == 'D') && strspn(at + 1, digits) > 1)
			return true;
	return false;
}

/* "T_", "T0_", "TL0_1_"; what is behind it. NULL: it is none. */
static const char *behind_parameter(const char *at)
{
	if (*at++ != 'T')
		return NULL;
	if (*at == 'L') {
		at += 1 + strspn(at + 1, sequence);
		if (*at++ != '_')
			return NULL;
	}
	at += strspn(at, sequence);
	return *at == '_' ? at + 1 : NULL;
}

/* C++: in a conversion operator arguments of a template parameter, "T_I...E", are read once, and then once more as the operator's. */
static bool converts_too_deep(const char *mangled)
{
	unsigned int count = 0;

	if (!strstr(mangled, "cv"))
		return false;
	for (const char *at = mangled; (at = strchr(at, 'T')); at++) {
		const char *behind = behind_parameter(at);

		count += behind && *behind == 'I';
	}
	return count > DOUBLINGS_MOST;
}

/* "S_", "S1A_": a type that was there before, whose parts may be, too. */
static bool refers_back_often(const char *mangled)
{
	unsigned int count = 0;

	for (const char *at = mangled; (at = strchr(at, 'S')); at++)
		count += at[1 + strspn(at + 1, sequence)] == '_';
	return count > DOUBLINGS_MOST;
}

/* C++: what is expanded is searched for a parameter, by way of all that it refers back to. Mostly it is the parameter: "DpRKT_", "spT_", "sZT_". */
static bool expands_what_is_large(const char *mangled)
{
	static const char *const expansions[] = { "Dp", "sp", "sZ" };

	for (size_t i = 0; i < sizeof(expansions) / sizeof(expansions[0]); i++) {
		for (const char *at = mangled; (at = strstr(at, expansions[i]));) {
			const char *behind;

			at += 2;
			behind = behind_parameter(at + strspn(at, "ORKVP"));
			if (!behind || *behind == 'I')
				return refers_back_often(mangled);
		}
	}
	return false;
}

int demangle(const char *mangled, char *into, size_t most)
{
	struct output output = { .text = into, .most = most };

	if (mangled[0] != '_' || !strchr("ZRD", mangled[1]) || strnlen(mangled, MANGLED_MOST) == MANGLED_MOST)
		return -EINVAL;
	if (mangled[1] == 'D')
		return demangle_d(mangled, into, most);
	if (mangled[1] == 'R' ? has_endless_binder(mangled) : converts_too_deep(mangled) || expands_what_is_large(mangled))
		return -EINVAL;
	/* Rust's older scheme looks like C++ with a hash at the end. */
	if (try(rust_demangle_callback, mangled, &output) || try(cplus_demangle_v3_callback, mangled, &output))
		return 0;
	return -EINVAL;
}
