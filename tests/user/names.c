// SPDX-License-Identifier: GPL-2.0-or-later
/* What is shown of names: symbols/printable.h, demangle.h, names.h and runtime.h. */
#include <errno.h>
#include <unistd.h>

#include "base/buffer.h"
#include "check.h"
#include "symbols/demangle.h"
#include "symbols/names.h"
#include "symbols/printable.h"
#include "symbols/runtime.h"

static void characters(void)
{
	static const struct {
		const char *raw, *shown;
	} cases[] = {
		{ "plain text", "plain text" },
		{ "", "" },
		{ "a\tb\nc\x7f", "a?b?c?" },
		{ "\x1b[31m", "?[31m" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "\xc2\x85", "??" },
		{ "\xc2\xa0", "\xc2\xa0" },
		{ "\xff\xfe", "??" },
		{ "\xc0\x80", "??" },
		{ "\xe0\x9f\xbf", "???" },
		{ "\xed\xa0\x80", "???" },
		{ "\xf4\x90\x80\x80", "????" },
		{ "ab\xe2\x82", "ab??" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char copy[64];

		strcpy(copy, cases[i].raw);
		printable(copy, strlen(copy));
		check_string(copy, cases[i].shown, "printable %zu", i);
	}
	check_string(intern_printable("abc\0def", 7), "abc", "up to a zero");
	check(intern_printable("abc", 3) == intern_printable("abcdef", 3), "equal names are one string");
}

static void mangled(void)
{
	static const struct {
		const char *raw, *shown;
	} cases[] = {
		{ "_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int, std::allocator<int> >::push_back" },
		{ "_ZN12_GLOBAL__N_13fooEi.constprop.0", "(anonymous namespace)::foo" },
		{ "_Z1fIiEvT_", "f<int>" },
		{ "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt" },
		{ "_RNvC6_123foo3bar", "123foo::bar" },
		{ "_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar" },
		{ "_ZN3foo3barB5cxx11Ev", "foo::bar[abi:cxx11]" },
		{ "_ZThn16_N3Foo3barEv", "non-virtual thunk to Foo::bar()" },
		{ "_D8demangle4testFNfZv", "demangle.test" },
		{ "_D3std5stdio__T7writelnTAyaZQnFNfQjZv", "std.stdio.writeln!(...).writeln" },
		{ "_D3std4conv13__T2toTAyaTiZ2toFNaNbNfiZAya", "std.conv.to!(...).to" },
		{ "_D3foo3Bar3bazMxFiZv", "foo.Bar.baz" },
		{ "_D3foo3Bar3bazMFZ5innerMFZv", "foo.Bar.baz.inner" },
		{ "_D3foo3Bar6__ctorMFiZCQqQo", "foo.Bar.this" },
		{ "_D2rt4util8typeinfo__T15TypeInfoGenericTaThZQw11initializerMxFNaNbNeZ1cyG1a",
		  "rt.util.typeinfo.TypeInfoGeneric!(...).TypeInfoGeneric.initializer.c" },
		{ "_D3std10functional__T7memoizeS_DQBe5regex__T9regexImplTAyaZQpFNfxAyaAxaZSQCtQBp8internal2ir__T5RegexTaZ"
		  "QjVii8ZQDlFxQByQByZQBy", "std.functional.memoize!(...).memoize" },
		{ "_Dmain", "D main" },
		{ "_D", NULL },
		{ "_D3foo", NULL },
		{ "_DT_INIT", NULL },
		{ "_D99999999999999999999foo", NULL },
		{ "_D1aQaZ", NULL },
		{ "_D1aQzzzzzzzzzzzZ", NULL },
		{ "main", NULL },
		{ "_start", NULL },
		{ "_Z", NULL },
		{ "_Z3fo", NULL },
		{ "_R", NULL },
		{ "_RNvNtC0mycrate3fooyaGr", NULL },	/* an empty name within, which libiberty gives without text */
		{ "", NULL },
		{ "_", NULL },
		{ "_ZZZZZZ", NULL },
	};
	char shown[256];
	char deep[1200] = "_Z1f", wide[1000] = "_Z1fI1AIiiE";

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int error = demangle(cases[i].raw, shown, sizeof(shown));

		check_string(error ? NULL : shown, cases[i].shown, "demangle \"%s\"", cases[i].raw);
	}
	check_number(demangle("_ZNSt6vectorIiSaIiEE9push_backERKi", shown, 20), -EINVAL, "no room");
	memset(deep + 4, 'P', sizeof(deep) - 6);
	deep[sizeof(deep) - 2] = 'i';
	check_number(demangle(deep, shown, sizeof(shown)), -EINVAL, "a name that is too long");
	/* Each argument is the one before it, twice: a billion characters when written out. */
	for (unsigned int i = 0; i < 28; i++) {
		char digit = (char)(i < 9 ? '1' + i : 'A' + i - 9);

		snprintf(wide + strlen(wide), 16, "S0_IS%c_S%c_E", digit, digit);
	}
	strcat(wide, "EvT_");
	check_number(demangle(wide, shown, sizeof(shown)), -EINVAL, "a name that explodes is cut short");
	/* libiberty would try a minute and more. */
	strcpy(wide, "_D1a");
	while (strlen(wide) < 900)
		strcat(wide, "FS1b");
	check_number(demangle(wide, shown, sizeof(shown)), -EINVAL, "one that can be read in many ways is given up");
}

static void ceiling(void)
{
	struct names names = { .pool = { .most = 20000, .undivided = true } };
	const char *first = names_function(&names, "_ZN3foo3barEv", false);
	unsigned int refused = 0;

	check_string(first, "foo::bar", "a function's name is demangled");
	check(names_function(&names, "_ZN3foo3barEv", false) == first, "once");
	check_string(names_object(&names, "_ZN3foo3barEv", 13), "_ZN3foo3barEv", "a file's is not");
	check_string(names_object(&names, "/lib/a\nb (deleted)", 8), "/lib/a?b",
		     "its bytes count, and are made printable");
	check_string(names_function(&names, "_ZN3foo3barEv", true), "foo::bar [folded]", "one of several with the same code");
	check_string(names_function(&names, "plain", true), "plain [folded]", "whatever language it is of");
	for (unsigned int i = 0; i < 1000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "hostile_function_%u", i);
		refused += !names_function(&names, name, false);
	}
	check(refused > 800 && names.pool.refused == refused, "the ceiling holds, and what it refuses is counted");
	check(names.pool.used <= names.pool.most, "%zu bytes are below it", names.pool.used);
	check(names_function(&names, "_ZN3foo3barEv", false) == first, "what is known stays known");
	names_free(&names);
}

static void runtimes(void)
{
	static const struct {
		const char *path, *runtime;
	} cases[] = {
		{ "/usr/bin/python3.11", "cpython" },
		{ "/usr/bin/python", "cpython" },
		{ "python3.13t", "cpython" },
		{ "/opt/python2.7d", "cpython" },
		{ "/usr/bin/node", "v8js" },
		{ "/usr/bin/nodejs", "v8js" },
		{ "/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "jvm" },
		{ "/usr/bin/perl", "perl" },
		{ "/usr/bin/perl5.36.0", "perl" },
		{ "/usr/bin/ruby3.1", "ruby" },
		{ "/usr/bin/php8.2", "php" },
		{ "/usr/sbin/php-fpm8.2", "php" },
		{ "/usr/bin/php-cgi8.2", "php" },
		{ "/usr/lib/erlang/erts-13.1.5/bin/beam.smp", "beam" },
		{ "/usr/share/dotnet/dotnet", "dotnet" },
		{ "/usr/bin/pythonista", NULL },
		{ "/usr/bin/node_exporter", NULL },
		{ "/usr/bin/javac", NULL },
		{ "/usr/bin/perldoc", NULL },
		{ "/usr/bin/rubymine", NULL },
		{ "/usr/bin/python3-config", NULL },
		{ "/usr/bin/cat", NULL },
		{ "", NULL },
		{ NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_string(runtime_of_executable(cases[i].path), cases[i].runtime, "runtime of %s",
			     cases[i].path ? cases[i].path : "nothing");
	check_string(runtime_of_library("/usr/lib/jvm/java-17/lib/server/libjvm.so", 41), "jvm", "who maps libjvm");
	check_string(runtime_of_library("/usr/lib/libnode.so.108", 23), "v8js", "who maps libnode");
	check_string(runtime_of_library("/usr/lib/libjvm.so", 17), NULL, "only the bytes that are given");
	check_string(runtime_of_library("/usr/lib/libc.so.6", 18), NULL, "who maps libc");
}

/* Types with more lifetimes than anybody can count, in what is not shown: nothing ends a demangler that counts them, but an alarm. */
static void endless(void)
{
	static const char *const names[] = { "_RMIC1aFGzzzzzzzzzz_EuEu", "_RMIC1aDGzzzzzzzzzz_EL_Eu", "_RXIC1aFG000000zzzzz_EuEuC1a" };
	struct buffer nested = { 0 }, ends = { 0 }, shared = { 0 };
	char shown[256];

	alarm(60);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		check_number(demangle(names[i], shown, sizeof(shown)), -EINVAL, "%s is left as it is", names[i]);
	/* a::operator T<T<T<...>>>, of which each level is read twice */
	for (int level = 0; level < 60; level++) {
		buffer_string(&nested, level ? "T_I" : "_ZN1acvT_I");
		buffer_string(&ends, "E");
	}
	buffer_format(&nested, "i%sE", ends.data);
	check_number(demangle(nested.data, shown, sizeof(shown)), -EINVAL, "%s is left as it is", nested.data);
	/* Types of two that came before, and what is expanded of the last one, which is searched all through. */
	buffer_string(&shared, "_ZTC1aIFviiEFvS0_S0_E");
	for (int type = 1; type < 34; type++) {
		const char digit = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[type];

		buffer_format(&shared, "FvS%c_S%c_E", digit, digit);
	}
	buffer_string(&shared, "E0_1bIDpSY_E");
	check_number(demangle(shared.data, shown, sizeof(shown)), -EINVAL, "%s is left as it is", shared.data);
	buffer_free(&nested);
	buffer_free(&ends);
	buffer_free(&shared);
	alarm(0);
	check_number(demangle("_RMIC1aFGz_EuEu", shown, sizeof(shown)), 0, "those that somebody could write are shown");
	check_number(demangle("_RINvC1a1fFG_RL0_uEuE", shown, sizeof(shown)), 0, "and those that somebody does");
	check_number(demangle("_ZN1acvT_I1bEIS0_EEv", shown, sizeof(shown)), 0, "a conversion is shown");
	check_number(demangle("_ZN1a1fIJilEEEvDpRKT_", shown, sizeof(shown)), 0, "and so is what is expanded");
}

int main(void)
{
	characters();
	mangled();
	endless();
	ceiling();
	runtimes();
	return check_end();
}
