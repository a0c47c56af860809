// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Languages write in their own ways where a function is from:
 *
 *	C++, Rust	std::vector<int>::push_back, <alloc::vec::Vec<T> as core::ops::Drop>::drop
 *	Go		net/http.(*Server).Serve, runtime.mallocgc
 *	JVM, .NET	java.lang.String.hashCode, Lcom/foo/Bar;::run, void [System.Private.CoreLib] System.Threading.Thread::Start()
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "classify/scope.h"

/* Up to where the last `separator` is that no bracket has around it; NULL: nowhere. */
static const char *last_scope(const char *function)
{
	const char *found = NULL;
	int depth = 0;

	for (const char *c = function; *c; c++) {
		if (!strncmp(c, "operator", 8) && !isalnum((unsigned char)c[8]) && c[8] != '_')
			break;			/* operator<, operator() and the like are names */
		if (*c == '<' || *c == '(' || *c == '[' || *c == '{')
			depth++;
		else if (*c == '>' || *c == ')' || *c == ']' || *c == '}')
			depth -= depth > 0;
		else if (!depth && c[0] == ':' && c[1] == ':')
			found = c;
	}
	return found;
}

/* Without what is in angle brackets; but for one that all of it is in, as Rust's "<T as Trait>". */
static void copy_without_arguments(char *to, const char *from, size_t bytes)
{
	size_t used = 0;
	int depth = 0;

	if (bytes && *from == '<') {
		snprintf(to, SCOPE_BYTES, "%.*s", (int)bytes, from);
		return;
	}
	for (size_t i = 0; i < bytes && used < SCOPE_BYTES - 1; i++) {
		depth += from[i] == '<';
		if (!depth)
			to[used++] = from[i];
		depth -= depth && from[i] == '>';
	}
	to[used] = '\0';
}

static void scope_by_colons(struct scope *scope, const char *function)
{
	const char *end = last_scope(function), *begin;

	if (!end || end == function)
		return;
	copy_without_arguments(scope->class, function, (size_t)(end - function));
	begin = scope->class + strspn(scope->class, "<&*( ");
	if (!strncmp(begin, "dyn ", 4))
		begin += 4;
	snprintf(scope->package, SCOPE_BYTES, "%.*s", (int)strcspn(begin, ": >"), begin);
}

/* The package ends at the first dot after the last slash; what receivers have around them is no part of the type. */
static void scope_of_go(struct scope *scope, const char *function)
{
	size_t bytes = strcspn(function, "([{");
	const char *slash = memrchr(function, '/', bytes);
	const char *dot = strchr(slash ? slash : function, '.'), *end, *rest;

	if (!dot)
		return;
	snprintf(scope->package, SCOPE_BYTES, "%.*s", (int)(dot - function), function);
	dot += 1 + strspn(dot + 1, "(*");
	end = rest = dot + strcspn(dot, ").[");
	if (*rest == '[')
		rest += strcspn(rest, "]") + 1;		/* type arguments, which have dots too */
	if (end > dot && rest < function + strlen(function) && strchr(rest, '.'))
		snprintf(scope->class, SCOPE_BYTES, "%.*s", (int)(end - dot), dot);
}

/* Result and assembly before it, parameters behind it, and a tier behind those. */
static void scope_of_method(struct scope *scope, const char *function)
{
	size_t bytes = strcspn(function, "(");
	const char *space = memrchr(function, ' ', bytes), *begin = space ? space + 1 : function;
	const char *end = memmem(begin, bytes - (size_t)(begin - function), "::", 2), *dot;

	if (!end)
		end = memrchr(begin, '.', bytes - (size_t)(begin - function));
	if (!end)
		return;
	if (*begin == 'L' && end[-1] == ';') {
		begin++;
		end--;
	}
	if (end <= begin)
		return;
	snprintf(scope->class, SCOPE_BYTES, "%.*s", (int)(end - begin), begin);
	for (char *c = scope->class; *c; c++)
		*c = *c == '/' ? '.' : *c;
	dot = strrchr(scope->class, '.');
	if (dot)
		snprintf(scope->package, SCOPE_BYTES, "%.*s", (int)(dot - scope->class), scope->class);
}

void scope_of(struct scope *scope, const char *function, const char *type)
{
	scope->package[0] = scope->class[0] = '\0';
	if (!type || !strcmp(type, "kernel") || !strcmp(type, "cpython") || !strcmp(type, "v8js"))
		return;
	if (!strcmp(type, "go"))
		scope_of_go(scope, function);
	else if (!strcmp(type, "jvm") || !strcmp(type, "dotnet"))
		scope_of_method(scope, function);
	else
		scope_by_colons(scope, function);
}
