// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of D: dlang.org/spec/abi.html#name_mangling. libiberty's dlang_demangle() tries nested function types in every
 * way there is: 116 bytes keep it busy for more than a minute, so it cannot be given names that anybody may choose.
 * Of what it tells only the name is wanted here, so the rest is stepped over: arguments of templates are "...", as Go
 * writes them. A budget of steps bounds what hostile names cost; none is needed for what compilers write.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "symbols/demangle.h"

#define STEPS_MOST	4096
#define DEPTH_MOST	64

struct name {
	const char *begin, *at, *end;
	char *into;
	size_t bytes, most;
	unsigned int steps, depth;
	unsigned int silent;		/* within what is stepped over */
};

static bool skip_type(struct name *name);
static bool take_qualified(struct name *name);

static char peek(const struct name *name, size_t ahead)
{
	return (size_t)(name->end - name->at) > ahead ? name->at[ahead] : '\0';
}

static bool accept(struct name *name, char c)
{
	if (!c || peek(name, 0) != c)
		return false;
	name->at++;
	return true;
}

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

static bool enter(struct name *name)
{
	if (name->depth >= DEPTH_MOST || ++name->steps > STEPS_MOST)
		return false;
	name->depth++;
	return true;
}

static bool leave(struct name *name, bool result)
{
	name->depth--;
	return result && name->steps <= STEPS_MOST;
}

static bool write(struct name *name, const char *text, size_t bytes)
{
	if (name->silent)
		return true;
	if (bytes >= name->most - name->bytes)
		return false;
	memcpy(name->into + name->bytes, text, bytes);
	name->bytes += bytes;
	return true;
}

static bool take_number(struct name *name, size_t *number)
{
	if (!is_one_of(peek(name, 0), "0123456789"))
		return false;
	for (*number = 0; is_one_of(peek(name, 0), "0123456789"); name->at++)
		if (__builtin_mul_overflow(*number, 10, number) ||
		    __builtin_add_overflow(*number, (size_t)(*name->at - '0'), number))
			return false;
	return true;
}

/* "Q" and a distance back from it, in digits of base 26 of which the last is a small letter. NULL: it is none. */
static const char *take_back_reference(struct name *name)
{
	const char *from = name->at;
	size_t distance = 0;

	if (!accept(name, 'Q'))
		return NULL;
	for (;;) {
		char c = peek(name, 0);
		bool last = c >= 'a' && c <= 'z';

		if (!last && !(c >= 'A' && c <= 'Z'))
			return NULL;
		name->at++;
		distance = distance * 26 + (size_t)(c - (last ? 'a' : 'A'));
		if (distance > (size_t)(from - name->begin))
			return NULL;
		if (last)
			return distance ? from - distance : NULL;
	}
}

static bool take_template(struct name *name);

/* A length and so many bytes, which may hold a template in the way of older compilers. */
static bool take_plain(struct name *name)
{
	static const struct {
		const char *raw, *shown;
	} special[] = { { "__ctor", "this" }, { "__dtor", "~this" }, { "__postblit", "this(this)" } };
	const char *text;
	size_t bytes;

	if (!take_number(name, &bytes) || !bytes || bytes > (size_t)(name->end - name->at))
		return false;
	text = name->at;
	name->at += bytes;
	if (bytes > 4 && (!memcmp(text, "__T", 3) || !memcmp(text, "__U", 3))) {
		struct name within = *name;
		bool whole;

		within.at = text;
		within.end = text + bytes;
		whole = take_template(&within) && within.at == within.end;
		name->bytes = within.bytes;
		name->steps = within.steps;
		return whole;
	}
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		if (bytes == strlen(special[i].raw) && !memcmp(text, special[i].raw, bytes))
			return write(name, special[i].shown, strlen(special[i].shown));
	return write(name, text, bytes);
}

static bool is_template(const struct name *name)
{
	return peek(name, 0) == '_' && peek(name, 1) == '_' && (peek(name, 2) == 'T' || peek(name, 2) == 'U');
}

static bool take_symbol(struct name *name)
{
	const char *after, *target;
	bool taken;

	if (peek(name, 0) != 'Q')
		return is_template(name) ? take_template(name) : take_plain(name);
	target = take_back_reference(name);
	if (!target || !is_one_of(*target, "123456789"))
		return false;
	after = name->at;
	name->at = target;
	taken = take_plain(name);
	name->at = after;
	return taken;
}

/* A reference back may be to a name or to a type; only that of a name has a digit there. */
static bool is_symbol(const struct name *name)
{
	struct name ahead = *name;
	const char *target;

	if (is_one_of(peek(name, 0), "123456789") || is_template(name))
		return true;
	target = take_back_reference(&ahead);
	return target && is_one_of(*target, "123456789");
}

static void skip_modifiers(struct name *name)
{
	for (;;) {
		if (is_one_of(peek(name, 0), "xyO"))
			name->at++;
		else if (peek(name, 0) == 'N' && peek(name, 1) == 'g')
			name->at += 2;
		else
			return;
	}
}

/* Calling convention, attributes, parameters: all of a function's type but what it returns. */
static bool skip_function(struct name *name)
{
	if (!is_one_of(peek(name, 0), "FUWVRY"))
		return false;
	name->at++;
	while (peek(name, 0) == 'N' && is_one_of(peek(name, 1), "abcdefijlm"))
		name->at += 2;
	while (!is_one_of(peek(name, 0), "XYZ")) {
		while (is_one_of(peek(name, 0), "IJKLM") || (peek(name, 0) == 'N' && peek(name, 1) == 'k'))
			name->at += *name->at == 'N' ? 2 : 1;
		if (!skip_type(name))
			return false;
	}
	name->at++;
	return true;
}

static bool skip_types(struct name *name, unsigned int count)
{
	while (count--)
		if (!skip_type(name))
			return false;
	return true;
}

static bool skip_type_inside(struct name *name)
{
	size_t number;
	char c;

	skip_modifiers(name);
	c = peek(name, 0);
	if (c == 'Q')
		return take_back_reference(name);
	if (is_one_of(c, "FUWVRY"))
		return skip_function(name) && skip_type(name);
	if (!c)
		return false;
	name->at++;
	switch (c) {
	case 'A':
	case 'P':
		return skip_type(name);
	case 'G':
		return take_number(name, &number) && skip_type(name);
	case 'H':
		return skip_types(name, 2);
	case 'D':
		skip_modifiers(name);
		return skip_type(name);
	case 'C':
	case 'S':
	case 'E':
	case 'T':
	case 'I':
		return take_qualified(name);
	case 'N':
		if (accept(name, 'h'))
			return skip_type(name);
		return accept(name, 'n');
	case 'z':
		return accept(name, 'i') || accept(name, 'k');
	case 'B':
		while (!accept(name, 'Z'))
			if (!skip_type(name))
				return false;
		return true;
	}
	return is_one_of(c, "vghstiklmfdeopjqrcbauwn");
}

static bool skip_type(struct name *name)
{
	bool skipped;

	if (!enter(name))
		return false;
	name->silent++;
	skipped = skip_type_inside(name);
	name->silent--;
	return leave(name, skipped);
}

static bool skip_hexadecimal(struct name *name)
{
	const char *begin;

	accept(name, 'N');
	if (!strncmp(name->at, "AN", 2) && name->end - name->at >= 3) {	/* "NAN", of which the N is gone */
		name->at += 2;
		return true;
	}
	for (begin = name->at; is_one_of(peek(name, 0), "0123456789ABCDEFINP"); name->at++)
		;
	return name->at > begin;
}

static bool skip_value(struct name *name)
{
	size_t number;
	char c = peek(name, 0);
	bool skipped = false;

	if (!enter(name))
		return false;
	if (is_one_of(c, "0123456789"))
		return leave(name, take_number(name, &number));
	name->at += c ? 1 : 0;
	switch (c) {
	case 'n':
		skipped = true;
		break;
	case 'i':
	case 'N':
		skipped = take_number(name, &number);
		break;
	case 'e':
		skipped = skip_hexadecimal(name);
		break;
	case 'c':
		skipped = skip_hexadecimal(name) && accept(name, 'c') && skip_hexadecimal(name);
		break;
	case 'a':
	case 'w':
	case 'd':
		skipped = take_number(name, &number) && accept(name, '_') && number <= (size_t)(name->end - name->at) / 2;
		name->at += skipped ? 2 * number : 0;
		break;
	case 'A':
	case 'S':
		skipped = take_number(name, &number);
		/* Those of an associative array come in pairs, which only its type tells: as many as there are. */
		while (skipped && number--)
			skipped = skip_value(name);
		break;
	}
	return leave(name, skipped);
}

static bool skip_argument(struct name *name)
{
	size_t number;

	accept(name, 'H');
	switch (peek(name, 0)) {
	case 'T':
		name->at++;
		return skip_type(name);
	case 'V':
		name->at++;
		return skip_type(name) && skip_value(name);
	case 'S':
		name->at++;
		if (peek(name, 0) != '_' || peek(name, 1) != 'D')
			return take_qualified(name);
		name->at += 2;		/* all of a function's name */
		if (!take_qualified(name))
			return false;
		accept(name, 'M');
		return skip_type(name);
	case 'X':
		name->at++;
		if (!take_number(name, &number) || number > (size_t)(name->end - name->at))
			return false;
		name->at += number;
		return true;
	}
	return false;
}

static bool take_template(struct name *name)
{
	bool taken, arguments;

	if (!enter(name))
		return false;
	name->at += 3;
	taken = take_symbol(name);
	arguments = peek(name, 0) != 'Z';
	name->silent++;
	while (taken && !accept(name, 'Z'))
		taken = skip_argument(name);
	name->silent--;
	return leave(name, taken && write(name, arguments ? "!(...)" : "!()", arguments ? 6 : 3));
}

/* Names, the outermost first. One that is within a function has that function's type before it. */
static bool take_qualified(struct name *name)
{
	bool taken, first = true;

	if (!enter(name))
		return false;
	do {
		const char *before;

		while (accept(name, '0'))
			;	/* without a name */
		taken = (first || write(name, ".", 1)) && take_symbol(name);
		first = false;
		before = name->at;
		if (!taken || is_symbol(name))
			continue;
		if (accept(name, 'M'))
			skip_modifiers(name);
		if (!skip_function(name) || !is_symbol(name))
			name->at = before;	/* the type of all of it, or what comes after it */
	} while (taken && is_symbol(name) && name->steps <= STEPS_MOST);
	return leave(name, taken);
}

int demangle_d(const char *mangled, char *into, size_t most)
{
	size_t bytes = strlen(mangled);
	struct name name = { .begin = mangled, .at = mangled + 2, .end = mangled + bytes, .into = into, .most = most };

	if (!strcmp(mangled, "_Dmain") && most > 6) {
		strcpy(into, "D main");
		return 0;
	}
	if (bytes < 4 || !most || !take_qualified(&name) || !name.bytes)
		return -EINVAL;
	name.silent = 1;
	accept(&name, 'M');
	if (!accept(&name, 'Z') && !skip_type(&name))
		return -EINVAL;
	if (name.at < name.end && *name.at != '.')	/* ".part.0" is the compiler's */
		return -EINVAL;
	into[name.bytes] = '\0';
	return 0;
}
