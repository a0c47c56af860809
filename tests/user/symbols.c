// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * symbols/symbols.h on live processes: this one, its vdso, deleted and exchanged files, another root, the ceiling of
 * memory.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include <zlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "base/buffer.h"
#include "check.h"
#include "fake_elf.h"
#include "symbols/symbols.h"

#define MM	7

static const struct fake_symbol functions[] = {
	{ "inside_container", 0x10, 0x20, STB_GLOBAL, STT_FUNC, false }, { NULL, 0, 0, 0, 0, false },
};

static const struct fake_symbol wrong_functions[] = {
	{ "of_another_file", 0, 0x1000, STB_GLOBAL, STT_FUNC, false }, { NULL, 0, 0, 0, 0, false },
};

static void learn(struct symbols *symbols, pid_t pid)
{
	char *executable, *text;
	size_t bytes;
	int error = symbols_read_mappings((uint32_t)pid, &executable, &text, &bytes);

	if (!check_number(error, 0, "mappings of process %d", pid))
		return;
	symbols_set_mappings(symbols, MM, (uint32_t)pid, executable, text, bytes);
	free(executable);
	free(text);
}

static struct frame name(struct symbols *symbols, uint64_t address)
{
	struct frame frame = { .address = address };

	symbols_name(symbols, MM, false, &frame);
	return frame;
}

static bool ends_with(const char *string, const char *end)
{
	size_t bytes = string ? strlen(string) : 0;

	return bytes >= strlen(end) && !strcmp(string + bytes - strlen(end), end);
}

__attribute__((noinline, noipa)) static void some_static_function(void)
{
	__asm__ volatile("nop; nop; nop; nop");
}

/* Read by hand: dladdr() and dlsym() of some libraries are intercepted by the sanitizers. */
static void own(struct symbols *symbols)
{
	void *vdso = dlopen("linux-vdso.so.1", RTLD_NOLOAD | RTLD_LAZY);
	struct frame frame;
	void *code;

	learn(symbols, getpid());
	frame = name(symbols, (uintptr_t)some_static_function + 2);
	check_string(frame.function, "some_static_function", "a function of this program");
	check_number(frame.function_offset, 2, "two bytes into it");
	check(frame.kind == FRAME_NATIVE && ends_with(frame.object, "/symbols"), "in this program's file");
	frame = name(symbols, (uintptr_t)zlibVersion + 1);
	check_string(frame.function, "zlibVersion", "a function of libz");
	check(ends_with(frame.object, ".so") || strstr(frame.object, "libz.so"), "in libz");
	check(frame.object_address < 1 << 24 && frame.object_address > frame.function_offset,
	      "at its link-time address");
	frame = name(symbols, (uintptr_t)dlsym(RTLD_DEFAULT, "getppid") + 3);
	check_string(frame.function, "getppid", "a function of libc");
	frame = name(symbols, (uintptr_t)symbols);
	check(frame.kind == FRAME_UNKNOWN && !frame.function && !frame.object, "an address that is no code");

	check_string(name(symbols, (uintptr_t)dlsym(vdso, "__vdso_clock_gettime") + 1).function, NULL,
		     "the vdso is another kernel's until told");
	symbols_use_own_vdso(symbols);
	frame = name(symbols, (uintptr_t)dlsym(vdso, "__vdso_clock_gettime") + 1);
	check_string(frame.function, "clock_gettime", "a function of the vdso");
	check_string(frame.object, "[vdso]", "in the vdso");
	check(frame.kind == FRAME_NATIVE, "which is native");

	code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	learn(symbols, getpid());
	frame = name(symbols, (uintptr_t)code);
	check(frame.kind == FRAME_ANONYMOUS && !frame.object && !frame.function, "code without a file");
	munmap(code, 4096);
	check_string(symbols_runtime(symbols, MM), NULL, "this program is native");
}

static char *copy_of(const struct buffer *data, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0700);
	char *code;

	if (fd < 0 || write(fd, data->data, data->bytes) != (ssize_t)data->bytes)
		return NULL;
	code = mmap(NULL, data->bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	close(fd);
	return code == MAP_FAILED ? NULL : code;
}

/* The line of a mapping at 0x400000, as a capture has it. */
static void recorded(char *line, size_t most, const struct stat *status, const char *path)
{
	snprintf(line, most, "400000-410000 r-xp 00000000 %02x:%02x %lu %s\n", major(status->st_dev),
		 minor(status->st_dev), (unsigned long)status->st_ino, path);
}

/* This process maps a file, then something happens to the file. */
static void files(void)
{
	const struct fake_elf elf = { .symbols = functions };
	const struct fake_elf wrong_elf = { .symbols = wrong_functions };
	struct buffer data = fake_elf(&elf), wrong = fake_elf(&wrong_elf);
	char directory[] = "/tmp/ktally-symbols.XXXXXX", path[64], other[64];
	struct symbols_statistics statistics;
	struct symbols *symbols;
	struct frame frame;
	char *code;
	int fd;

	check(mkdtemp(directory), "a directory");
	snprintf(path, sizeof(path), "%s/lib with blanks.so", directory);
	snprintf(other, sizeof(other), "%s/other.so", directory);
	code = copy_of(&data, path);

	symbols = symbols_create(0);
	learn(symbols, getpid());
	frame = name(symbols, (uintptr_t)code + FAKE_TEXT_OFFSET + 0x11);
	check_string(frame.function, "inside_container", "a function of a mapped file");
	check_string(frame.object, path, "its path");
	check_number(frame.object_address, FAKE_TEXT_ADDRESS + 0x11, "its address");
	symbols_destroy(symbols);

	check_number(rename(path, other), 0, "the file is renamed");
	check(copy_of(&wrong, path), "another one has its old path, as recorded before");
	symbols = symbols_create(0);
	{
		struct stat status;
		char line[256];

		/* As a capture has it: the process is gone, so only the path is left, and there is another file now. */
		stat(other, &status);
		recorded(line, sizeof(line), &status, path);
		symbols_set_mappings(symbols, MM, 0, NULL, line, strlen(line));
		frame = name(symbols, 0x400000 + FAKE_TEXT_OFFSET + 0x11);
		check_string(frame.function, NULL, "the wrong file gives no names");
		check_string(frame.object, path, "but the path is known");
		check_number(frame.object_address, FAKE_TEXT_OFFSET + 0x11, "and the offset in the file");
		symbols_get_statistics(symbols, &statistics);
		check_number(statistics.files_failed, 1, "and it is counted");
		name(symbols, 0x400000 + FAKE_TEXT_OFFSET + 0x12);
		symbols_get_statistics(symbols, &statistics);
		check_number(statistics.files_failed, 1, "and not tried again by the same way");
		check_number(statistics.frames_unknown, 2, "unknown frames are counted");
		recorded(line, sizeof(line), &status, other);
		symbols_set_mappings(symbols, MM, 0, NULL, line, strlen(line));
		check_string(name(symbols, 0x400000 + FAKE_TEXT_OFFSET + 0x11).function, "inside_container",
			     "the right one does");
	}
	symbols_destroy(symbols);

	unlink(other);
	symbols = symbols_create(0);
	learn(symbols, getpid());
	frame = name(symbols, (uintptr_t)code + FAKE_TEXT_OFFSET + 0x11);
	if (access("/proc/self/map_files", X_OK) || geteuid())
		check_skip("needs CAP_CHECKPOINT_RESTORE", "a deleted file");
	else
		check_string(frame.function, "inside_container", "a deleted file");
	check_string(frame.object, other, "its path is without the kernel's remark");
	symbols_destroy(symbols);
	munmap(code, data.bytes);

	fd = memfd_create("jit", MFD_CLOEXEC);
	check(ftruncate(fd, 65536) == 0, "a file in memory");
	code = mmap(NULL, 65536, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	symbols = symbols_create(0);
	learn(symbols, getpid());
	frame = name(symbols, (uintptr_t)code + 16);
	if (geteuid())
		check_skip("needs CAP_CHECKPOINT_RESTORE", "code that a compiler wrote to a file in memory");
	else
		check(frame.kind == FRAME_ANONYMOUS && !frame.object, "code that a compiler wrote to a file in memory");
	symbols_destroy(symbols);
	munmap(code, 65536);
	close(fd);
	unlink(path);
	rmdir(directory);
	buffer_free(&wrong);
	buffer_free(&data);
}

/* A process in another root: its path means another file there than here, and a link in it leads nowhere outside. */
static void other_root(void)
{
	const struct fake_elf elf = { .symbols = functions };
	struct buffer data = fake_elf(&elf);
	char directory[] = "/tmp/ktally-root.XXXXXX", path[64];
	struct symbols *symbols = symbols_create(0);
	char line[256], moved[64];
	struct stat status;
	uint64_t code = 0;
	int channel[2];
	pid_t child;

	if (geteuid()) {
		check_skip("needs root", "another root");
		return;
	}
	check(mkdtemp(directory) && !pipe(channel), "a directory and a pipe");
	snprintf(path, sizeof(path), "%s/usr", directory);
	mkdir(path, 0700);
	child = fork();
	if (!child) {
		/* chroot() alone: the sanitizer's own files are mapped already. */
		char *mapped = chroot(directory) || chdir("/") ? NULL : copy_of(&data, "/usr/libz.so.1");

		if (write(channel[1], &mapped, sizeof(mapped)) != sizeof(mapped))
			_exit(1);
		pause();
		_exit(0);
	}
	check(read(channel[0], &code, sizeof(code)) == sizeof(code) && code, "a process in another root maps a file");
	learn(symbols, child);
	check_string(name(symbols, code + FAKE_TEXT_OFFSET + 0x11).function, "inside_container",
		     "which is found there");
	symbols_destroy(symbols);

	/* Whoever waits for a pipe waits for good: the test's time limit would tell. */
	snprintf(path, sizeof(path), "%s/usr/libz.so.1", directory);
	stat(path, &status);
	recorded(line, sizeof(line), &status, "/usr/libz.so.1");
	symbols = symbols_create(0);
	symbols_set_mappings(symbols, MM, (uint32_t)child, NULL, line, strlen(line));
	check_string(name(symbols, 0x400000 + FAKE_TEXT_OFFSET + 0x11).function, "inside_container",
		     "found by its path alone");
	symbols_destroy(symbols);
	snprintf(moved, sizeof(moved), "%s/usr/real.so", directory);
	check(!rename(path, moved) && !symlink("/usr/real.so", path), "a link takes its place");
	symbols = symbols_create(0);
	symbols_set_mappings(symbols, MM, (uint32_t)child, NULL, line, strlen(line));
	check_string(name(symbols, 0x400000 + FAKE_TEXT_OFFSET + 0x11).function, "inside_container",
		     "which leads to where it does in that root");
	symbols_destroy(symbols);
	check(!rename(moved, path), "and back");

	symbols = symbols_create(0);
	learn(symbols, child);
	unlink(path);
	check(!mkfifo(path, 0600), "a pipe takes its place");
	check_string(name(symbols, code + FAKE_TEXT_OFFSET + 0x11).function, "inside_container",
		     "it is found though it was deleted since");
	symbols_destroy(symbols);
	symbols = symbols_create(0);
	symbols_set_mappings(symbols, MM, (uint32_t)child, NULL, line, strlen(line));
	alarm(20);
	check_string(name(symbols, 0x400000 + FAKE_TEXT_OFFSET + 0x11).function, NULL,
		     "by the path alone it is gone, and the pipe not waited for");
	alarm(0);
	symbols_destroy(symbols);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(channel[0]);
	close(channel[1]);
	unlink(path);
	snprintf(path, sizeof(path), "%s/usr", directory);
	rmdir(path);
	rmdir(directory);
	buffer_free(&data);
}

/* The first is larger than half of the ceiling, the others together are, too: tables come and go, and what went is read again when needed. */
static void ceiling(void)
{
	static const char *const libraries[] = { "libcrypto.so.3", "libc.so.6", "libz.so.1", "libm.so.6",
						 "libssl.so.3" };
	struct symbols *symbols = symbols_create(375000);
	struct symbols_statistics statistics;
	void *handles[5], *function;
	unsigned int rounds = 0, wrong = 0;
	uint64_t most = 0;

	for (unsigned int i = 0; i < 5; i++)
		handles[i] = dlopen(libraries[i], RTLD_LAZY);
	if (!handles[0] || !handles[4]) {
		check_skip("libcrypto or libssl is not here", "the ceiling");
		symbols_destroy(symbols);
		return;
	}
	learn(symbols, getpid());
	for (; rounds < 20; rounds++) {
		function = dlsym(handles[0], "EVP_DigestUpdate");
		wrong += !check_same(name(symbols, (uintptr_t)function + 1).function, "EVP_DigestUpdate");
		function = dlsym(handles[1], "getppid");
		wrong += !check_same(name(symbols, (uintptr_t)function + 1).function, "getppid");
		wrong += !check_same(name(symbols, (uintptr_t)zlibVersion + 1).function, "zlibVersion");
		function = dlsym(handles[3], "lgammal");
		wrong += !check_same(name(symbols, (uintptr_t)function + 1).function, "lgammal");
		function = dlsym(handles[4], "SSL_new");
		wrong += !check_same(name(symbols, (uintptr_t)function + 1).function, "SSL_new");
		symbols_get_statistics(symbols, &statistics);
		if (statistics.bytes > most)
			most = statistics.bytes;
	}
	check_number(wrong, 0, "names stay right while tables come and go");
	check(statistics.files_evicted > 10, "%llu went", (unsigned long long)statistics.files_evicted);
	check(most <= 375000 + 187500, "%llu bytes at most", (unsigned long long)most);
	for (unsigned int i = 0; i < 5; i++)
		if (handles[i])
			dlclose(handles[i]);
	symbols_destroy(symbols);
}

/* Whoever may run programs may run one file by a million names. */
static void executables(void)
{
	struct symbols *symbols = symbols_create(1000000);
	unsigned int known = 0;
	char path[64];

	for (unsigned int i = 0; i < 100000; i++) {
		snprintf(path, sizeof(path), "/tmp/%u/program", i);
		symbols_set_mappings(symbols, MM, 1, path, "", 0);
		known += symbols_executable(symbols, MM) != NULL;
	}
	check(known > 100 && known < 100000 / strlen(path), "names of executables have a ceiling (%u)", known);
	check(!symbols_executable(symbols, MM), "past it one has none");
	symbols_set_mappings(symbols, MM, 1, "/tmp/7/program", "", 0);
	check_string(symbols_executable(symbols, MM), "/tmp/7/program", "those from before are known still");
	symbols_destroy(symbols);
}

/* A thousand processes that map the same files share their tables. */
static void shared(void)
{
	struct symbols *symbols = symbols_create(0);
	struct symbols_statistics once, often;
	char *executable, *text;
	size_t bytes;

	symbols_read_mappings((uint32_t)getpid(), &executable, &text, &bytes);
	symbols_set_mappings(symbols, MM, (uint32_t)getpid(), executable, text, bytes);
	name(symbols, (uintptr_t)some_static_function);
	symbols_get_statistics(symbols, &once);
	for (unsigned int i = 0; i < 1000; i++) {
		struct frame frame = { .address = (uintptr_t)some_static_function };

		symbols_set_mappings(symbols, 100 + i, (uint32_t)getpid(), executable, text, bytes);
		symbols_name(symbols, 100 + i, false, &frame);
	}
	symbols_get_statistics(symbols, &often);
	check(often.frames_named == 1001 && often.files == once.files && often.bytes == once.bytes,
	      "a thousand processes share one table");
	for (unsigned int i = 0; i < 1000; i++)
		symbols_forget(symbols, 100 + i);
	symbols_forget(symbols, MM);
	symbols_set_mappings(symbols, MM, (uint32_t)getpid(), executable, text, bytes);
	check_string(name(symbols, (uintptr_t)some_static_function).function, "some_static_function",
		     "it outlives those that map it");
	symbols_get_statistics(symbols, &often);
	check_number(often.files, once.files, "and is used for the next one");
	free(executable);
	free(text);
	symbols_destroy(symbols);
}

static void runtime(const char *const arguments[], const char *wanted)
{
	struct symbols *symbols = symbols_create(0);
	int input[2];
	pid_t child;

	if (access(arguments[0], X_OK)) {
		check_skip("not installed", "runtime of %s", arguments[0]);
		symbols_destroy(symbols);
		return;
	}
	check_number(pipe(input), 0, "a pipe");
	child = fork();
	if (!child) {
		dup2(input[0], 0);
		close(input[1]);
		execv(arguments[0], (char *const *)(uintptr_t)arguments);
		_exit(127);
	}
	close(input[0]);
	usleep(300000);
	learn(symbols, child);
	check_string(symbols_runtime(symbols, MM), wanted, "runtime of %s", arguments[0]);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(input[1]);
	symbols_destroy(symbols);
}

int main(void)
{
	struct symbols *symbols = symbols_create(0);

	own(symbols);
	symbols_destroy(symbols);
	files();
	other_root();
	ceiling();
	executables();
	shared();
	runtime((const char *const[]){ "/usr/bin/python3.11", NULL }, "cpython");
	runtime((const char *const[]){ "/usr/bin/perl", NULL }, "perl");
	runtime((const char *const[]){ "/bin/cat", NULL }, NULL);
	return check_end();
}
