// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the names of a stripped program are: what gcc, objcopy, strip and xz make of one, in all the usual places. */
#include "check.h"
#include "tools.h"

#define BYTES_MOST	(32U << 20)

static const char source[] =
	"#include <stdio.h>\n"
	"static __attribute__((noinline)) int only_here(int a) { return a * 3 + puts(\"x\"); }\n"
	"__attribute__((noinline)) int exported(int a) { return only_here(a) + 1; }\n"
	"int main(int count, char **arguments) { return exported(count) + !arguments; }\n";

static uint64_t wanted_only_here, wanted_exported;

static bool finds(const char *name, bool all)
{
	struct file *file = tools_read(name, BYTES_MOST);
	bool found = file && tools_address(file, "exported") == wanted_exported &&
		     tools_address(file, "only_here") == (all ? wanted_only_here : 0);

	if (file)
		file_free(file);
	return found;
}

static bool make(void)
{
	struct file *file;

	tools_write("a.c", source);
	if (!tools_run("gcc -O1 -g -rdynamic -Wl,--build-id=sha1 -o whole a.c && objcopy --only-keep-debug whole a.debug && "
		       "strip --strip-all -o stripped whole && gcc -O2 -rdynamic -Wl,--build-id=sha1 -o other a.c && "
		       "gcc -O1 -g -rdynamic -Wl,--build-id=none -o whole.no-id a.c && "
		       "objcopy --only-keep-debug whole.no-id b.debug"))
		return false;
	file = tools_read("whole", BYTES_MOST);
	wanted_only_here = tools_address(file, "only_here");
	wanted_exported = tools_address(file, "exported");
	check(wanted_only_here && wanted_exported, "a program that is not stripped has all its names");
	file_free(file);
	return true;
}

#define ID "id=$(readelf -n whole | sed -n 's/.*Build ID: //p'); rest=${id#??}; first=${id%%$rest}; "

static void by_build_id(void)
{
	check(finds("stripped", false), "a stripped one has what others can call");
	check(tools_run(ID "mkdir -p root/usr/lib/debug/.build-id/$first && cp a.debug root/usr/lib/debug/.build-id/$first/$rest.debug"),
	      "its debug file is installed");
	check(finds("stripped", true), "and has the rest");
	check(tools_run(ID "cp other root/usr/lib/debug/.build-id/$first/$rest.debug"), "another program is put there");
	check(finds("stripped", false), "which is not believed");
	check(tools_run(ID "head -c 1000 a.debug >root/usr/lib/debug/.build-id/$first/$rest.debug"), "and half a file");
	check(finds("stripped", false), "nor is that");
	check(tools_run("rm -r root"), "all gone");
}

static void by_link(void)
{
	check(tools_run("cp b.debug linked.debug && objcopy -S --add-gnu-debuglink=linked.debug whole.no-id linked"),
	      "a program without a build id is linked to its debug file");
	wanted_only_here = 0;
	{
		struct file *file = tools_read("whole.no-id", BYTES_MOST);

		wanted_only_here = tools_address(file, "only_here");
		wanted_exported = tools_address(file, "exported");
		file_free(file);
	}
	check(tools_run("mkdir -p root/bin/.debug root/usr/lib/debug/bin"), "directories");
	check(finds("linked", false), "not there");
	check(tools_run("cp linked.debug root/bin/ && cp linked root/bin/linked"), "beside another file with its path");
	check(finds("linked", false), "which is not its own");
	check(tools_run("ln -f linked root/bin/linked"), "beside it");
	check(finds("linked", true), "found by checksum");
	check(tools_run("mv root/bin/linked.debug root/bin/.debug/"), "in .debug");
	check(finds("linked", true), "found there");
	check(tools_run("mv root/bin/.debug/linked.debug root/usr/lib/debug/bin/"), "in /usr/lib/debug");
	check(finds("linked", true), "found there");
	check(tools_run("printf x >>root/usr/lib/debug/bin/linked.debug"), "one byte more");
	check(finds("linked", false), "is another file");
	check(tools_run("rm -r root && mkdir -p root/bin && mkfifo root/bin/linked.debug"), "a pipe");
	check(finds("linked", false), "is not waited for");
	check(tools_run("rm -r root"), "all gone");
}

static void by_debuginfod(void)
{
	char path[128];

	check(tools_run("mkdir -p root && " ID "mkdir -p cache/$id home/.cache/debuginfod_client/$id && cp a.debug cache/$id/debuginfo"),
	      "debuginfod's client has downloaded a file");
	setenv("HOME", "/nonexistent", 1);
	unsetenv("XDG_CACHE_HOME");
	check(finds("stripped", false), "elsewhere");
	snprintf(path, sizeof(path), "%s/cache", tools_directory);
	setenv("DEBUGINFOD_CACHE_PATH", path, 1);
	check(finds("stripped", true), "found where $DEBUGINFOD_CACHE_PATH says");
	check(tools_run(ID "mv cache/$id/debuginfo home/.cache/debuginfod_client/$id/ && : >cache/$id/debuginfo"),
	      "it noted there that there is none");
	check(finds("stripped", false), "which is no file");
	snprintf(path, sizeof(path), "%s/home", tools_directory);
	setenv("HOME", path, 1);
	check(finds("stripped", true), "found in the home directory");
	check(tools_run(ID "cp other home/.cache/debuginfod_client/$id/debuginfo"), "another one");
	check(finds("stripped", false), "is not believed");
	unsetenv("DEBUGINFOD_CACHE_PATH");
	check(tools_run("rm -r root cache home"), "all gone");
}

/* As rpm's find-debuginfo does it: the functions that .dynsym does not have, in an ELF file, packed. */
static void packed(void)
{
	struct file *file;

	if (system("command -v xz >/dev/null")) {
		check_skip("no xz", "packed tables");
		return;
	}
	check(tools_run("nm -D whole --format=posix --defined-only | awk '{ print $1 }' | sort >dynamic && "
			"nm whole --format=posix --defined-only | awk '$2 ~ /[Tt]/ { print $1 }' | sort >functions && "
			"comm -13 dynamic functions >keep && grep -qx only_here keep && ! grep -qx exported keep && "
			"objcopy -S --remove-section .gdb_index --remove-section .comment --keep-symbols=keep a.debug mini && "
			"xz -kf mini && objcopy --add-section .gnu_debugdata=mini.xz stripped packed"),
	      "a program with packed local functions");
	check(finds("packed", true), "has them besides those that others can call");
	check(tools_run("xz -kf -9e --check=sha256 mini && objcopy --add-section .gnu_debugdata=mini.xz stripped packed.9"),
	      "packed as small as can be");
	check(finds("packed.9", false), "it would take 64 MiB to unpack: refused");

	check(tools_run("{ cat mini; head -c 400M /dev/zero; } | xz -1 -T1 >bomb.xz && test $(stat -c %%s bomb.xz) -lt 1000000 && "
			"objcopy --add-section .gnu_debugdata=bomb.xz stripped bomb"), "400 MiB in half a megabyte");
	check(finds("bomb", false), "are refused");
	check(tools_run("head -c 700 mini.xz >cut.xz && objcopy --add-section .gnu_debugdata=cut.xz stripped cut"),
	      "one cut short");
	check(finds("cut", false), "is refused");
	check(tools_run("xz -kf mini && xz -kf packed && cp packed.xz nested.xz && "
			"objcopy --add-section .gnu_debugdata=nested.xz stripped nested"), "one within another");
	file = tools_read("nested", BYTES_MOST);
	check(file && !tools_address(file, "only_here"), "is not followed");
	file_free(file);
}

/* The linker keeps one of two functions that are the same, and gives it both names. */
static void folded(void)
{
	struct file *file;
	uint64_t address;

	tools_write("f.cc", "struct A { int a, b; int one(); }; struct B { int a, b; int two(); };\n"
		    "__attribute__((noinline)) int A::one() { return a * 3 + b; }\n"
		    "__attribute__((noinline)) int B::two() { return a * 3 + b; }\n"
		    "int main(int n, char **) { A a{n, 1}; B b{n, 2}; return a.one() + b.two(); }\n");
	if (!tools_run("g++ -O1 -fno-ipa-icf -ffunction-sections -fuse-ld=gold -Wl,--icf=all -o folded f.cc && "
		       "g++ -O1 -fno-ipa-icf -ffunction-sections -o apart f.cc")) {
		check_skip("no g++ or gold", "functions that the linker folds");
		return;
	}
	file = tools_read("folded", BYTES_MOST);
	address = tools_address(file, "_ZN1A3oneEv");
	check(address && !tools_address(file, "_ZN1B3twoEv"), "two functions are one, by the name that is first");
	check(address && table_is_folded(&file->table, address + 1), "which is said to be one of several");
	address = tools_address(file, "main");
	check(address && !table_is_folded(&file->table, address), "others are not");
	file_free(file);
	file = tools_read("apart", BYTES_MOST);
	address = tools_address(file, "_ZN1A3oneEv");
	check(address && !table_is_folded(&file->table, address) && tools_address(file, "_ZN1B3twoEv"), "left apart they are two");
	file_free(file);
}

int main(void)
{
	if (!check(tools_begin(), "a directory"))
		return check_end();
	if (make()) {
		by_build_id();
		by_debuginfod();
		packed();
		by_link();
	} else {
		check_skip("no gcc or objcopy", "stripped programs");
	}
	folded();
	tools_end();
	return check_end();
}
