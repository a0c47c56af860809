// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes inputs for the fuzzers to begin with: seed DIRECTORY makes DIRECTORY/elf and so on. */
#include <fcntl.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_elf.h"
#include "fake_frames.h"
#include "spool/file.h"
#include "unwind/unwind.h"

static const char *directory;

static void write_seed(const char *name, const void *data, size_t bytes)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes) {
		perror(path);
		exit(1);
	}
	close(fd);
}

static const struct fake_symbol functions[] = {
	{ "_ZN3foo3barEv", 0x10, 0x20, STB_GLOBAL, STT_FUNC, false },
	{ "local", 0x20, 0x40, STB_LOCAL, STT_FUNC, false },
	{ "label@@V_1", 0x100, 0, STB_WEAK, STT_NOTYPE, false },
	{ "imported", 0, 0, STB_GLOBAL, STT_FUNC, true },
	{ NULL, 0, 0, 0, 0, false },
};

static void elf_seeds(void)
{
	struct fake_elf elf = { .symbols = functions,
				.dynamic = functions,
				.build_id = "01234567890123456789",
				.link = "x.debug" };
	unsigned char packed[8192];
	struct buffer data = fake_elf(&elf), stripped;
	size_t bytes = 0;

	write_seed("elf/64", data.data, data.bytes);
	if (lzma_easy_buffer_encode(0, LZMA_CHECK_NONE, NULL, (uint8_t *)data.data, data.bytes, packed, &bytes,
				    sizeof(packed)) != LZMA_OK)
		exit(1);
	write_seed("debugdata/packed", packed, bytes);
	write_seed("debugdata/content", data.data, data.bytes);
	elf = (struct fake_elf){ .dynamic = functions,
				 .section = ".gnu_debugdata",
				 .section_data = packed,
				 .section_bytes = bytes };
	stripped = fake_elf(&elf);
	write_seed("elf/packed", stripped.data, stripped.bytes);
	buffer_free(&stripped);
	buffer_free(&data);
	elf = (struct fake_elf){ .is32 = true,
				 .symbols = functions,
				 .section = ".go.buildinfo",
				 .section_data = "x",
				 .section_bytes = 1 };
	data = fake_elf(&elf);
	write_seed("elf/32", data.data, data.bytes);
	buffer_free(&data);
	/* A real one, with stubs. */
	if (!buffer_read_file(&data, "/usr/lib/x86_64-linux-gnu/libanl.so.1", 64 << 10) ||
	    !buffer_read_file(&data, "/usr/lib/x86_64-linux-gnu/gconv/ISO8859-1.so", 64 << 10))
		write_seed("elf/library", data.data, data.bytes);
	buffer_free(&data);
}

static void compiled_seeds(void)
{
	static const char map[] = "10 10 one\n0x18 0x4 LazyCompile:~two /x.js:1:2\n7f0000001000 20 _ZN3foo3barEv\n";
	static const struct {
		uint32_t magic, version, bytes, machine, padding, pid;
		uint64_t time, flags;
		struct {
			uint32_t type, bytes;
			uint64_t time;
			uint32_t pid, tid;
			uint64_t virtual_address, address, bytes_of_code, index;
			char name_and_code[8];
		} load;
		struct {
			uint32_t type, bytes;
			uint64_t time;
			uint32_t pid, tid;
			uint64_t virtual_address, from, to, bytes_of_code, index;
		} move;
	} dump = {
		0x4a695444, 1, 40, EM_X86_64, 0, 1, 0, 0,
		{ 0, sizeof(dump.load), 0, 1, 1, 16, 16, 8, 1, "one\0\xc3" },
		{ 1, sizeof(dump.move), 0, 1, 1, 32, 16, 32, 8, 1 },
	};

	write_seed("perf_map/three", map, sizeof(map) - 1);
	write_seed("jitdump/two", &dump, sizeof(dump));
}

/* Two functions in Go 1.20's form. */
static void pclntab_seed(void)
{
	static const struct {
		uint32_t magic;
		uint8_t zero[2], instruction_bytes, pointer_bytes;
		uint64_t count, files, text, places[5];
		char names[20];
		uint32_t table[5], words[4];
	} table = {
		0xfffffff1, { 0, 0 }, 1, 8, 2, 1, FAKE_TEXT_ADDRESS, { 72, 92, 92, 92, 92 }, "main.one\0main.two",
		{ 0, 20, 32, 28, 48 }, { 0, 0, 32, 9 },
	};

	write_seed("pclntab/two", &table, sizeof(table));
}

static void name_seeds(void)
{
	static const char *const names[] = {
		"_ZNSt6vectorIiSaIiEE9push_backERKi", "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE",
		"_RNvNtCs1234_7mycrate3foo3bar", "_RINvMs_NtCs1_3foo3barINtB4_1TlEE1fpKj3_E",
		"_D3std5stdio__T7writelnTAyaZQnFNfQjZv", "_D3foo3Bar6__ctorMxFiPHAyaG3dZCQsQq",
		"_D2rt4util__T3barVii5Vdn1VeN8P3VAyaa3_616263S_D3a1bFZvZ3fooFNbMDFxiJkXvZ5innerMOFB2iZZv",
	};
	char path[32];

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "demangle/%u", i);
		write_seed(path, names[i], strlen(names[i]));
	}
}

/* Real DWARF, where there is a compiler to make it. */
static void lines_seed(void)
{
	static const char *const options[] = { "-gdwarf-5", "-gdwarf-4", "-gdwarf-5 -gz=zlib" };
	char command[1024];

	for (unsigned int i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		snprintf(command, sizeof(command), "mkdir -p %s/lines && echo 'static inline int f(int a) { return a * 3; } "
			 "int main(int a) { return f(a) + f(a + 1); }' | gcc -O2 -nostartfiles -nostdlib -Wl,-e,main "
			 "-Wl,-z,noseparate-code %s -x c -o %s/lines/%u - 2>/dev/null", directory, options[i], directory, i);
		if (system(command))
			return;
	}
}

static const uint8_t frames[] = {
	14, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1,
	38, 0, 0, 0, 22, 0, 0, 0, 0x00, 0x31, 0x40, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0,
	0x0e, 16, 0x86, 2, 0x44, 0x0a, 0x0f, 3, 0x76, 0x78, 0x06, 0x48, 0x0b, 0x10, 3, 2, 0x76, 0x70,
};
static const uint8_t debug_frames[] = {
	14, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1,
	28, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x31, 0x40, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0,
	0x0e, 16, 0x86, 2, 0x44, 0x0a, 0x48, 0x0b,
};
static const uint8_t simple_frames[] = {
	0xe2, 0xde, 2, 1, 3, 0, 0xf8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0,
	0x00, 0x31, 0x40, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3, 8, 1, 5, 16, 0xf0,
};
static const uint8_t simple_frames_3[] = {
	0xe2, 0xde, 3, 1, 3, 0, 0xf8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0,
	0x00, 0x31, 0x40, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 10, 0x33, 0xf8, 0, 0x33, 0,
};

static void unwind_seed(const char *name, const char *section, const void *data, size_t bytes)
{
	const struct fake_elf elf = { .build_id = "01234567890123456789", .section = section, .section_data = data,
				      .section_bytes = bytes };
	struct buffer file = fake_elf(&elf);

	write_seed(name, file.data, file.bytes);
	buffer_free(&file);
}

static void unwind_seeds(void)
{
	static const char *const real[] = { "libanl.so.1", "gconv/ISO8859-1.so", "libBrokenLocale.so.1", "libutil.so.1" };
	static const uint32_t magics[] = { 0xfffffffa, 0xfffffff0, 0xfffffff1 };
	/* One chunk, two rows, two rules. */
	static const uint8_t table[8 + 8 + 48 + 8] = { 1, 0, 1, 2, 0, 2, 0, 0, [12] = 2, [40] = 2, 7, [44] = 8, [68] = 1, 0, 1 };
	char path[128], name[64];
	struct buffer data = { 0 };

	unwind_seed("unwind/eh_frame", ".eh_frame", frames, sizeof(frames));
	unwind_seed("unwind/debug_frame", ".debug_frame", debug_frames, sizeof(debug_frames));
	unwind_seed("unwind/sframe", ".sframe", simple_frames, sizeof(simple_frames));
	unwind_seed("unwind/sframe3", ".sframe", simple_frames_3, sizeof(simple_frames_3));
	for (size_t i = 0; i < 3; i++) {
		struct buffer go = fake_pclntab(magics[i]);

		snprintf(name, sizeof(name), "unwind/go%zu", i);
		unwind_seed(name, ".gopclntab", go.data, go.bytes);
		buffer_free(&go);
	}
	for (size_t i = 0; i < sizeof(real) / sizeof(real[0]); i++) {
		snprintf(path, sizeof(path), "/usr/lib/x86_64-linux-gnu/%s", real[i]);
		snprintf(name, sizeof(name), "unwind/real%zu", i);
		if (!buffer_read_file(&data, path, 64 << 10))
			write_seed(name, data.data, data.bytes);
		buffer_clear(&data);
	}
	buffer_free(&data);
	write_seed("unwind_cache/table", table, sizeof(table));
}

static void http_seeds(void)
{
	static const char scrape[] =
		"GET /metrics?a=b HTTP/1.1\r\nHost: [::1]:9464\r\nUser-Agent: Prometheus/3.4\r\n"
		"Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2\r\n"
		"Accept-Encoding: gzip\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
	static const char url[] = "HEAD http://127.0.0.1:1/ HTTP/1.0\r\nTransfer-Encoding: x\r\n\r\n";

	static const char partly[] =
		"{\"took\":3,\"errors\":true,\"items\":[{\"create\":{\"status\":201}},{\"create\":{\"status\":429,\"error\":"
		"{\"type\":\"es_rejected_execution_exception\",\"reason\":\"rejected \\u0041\"}}},{\"create\":{\"status\":400,\"error\":\"x\"}}]}";
	static const char refused[] = "{\"error\":{\"root_cause\":[],\"type\":\"security_exception\",\"reason\":\"no\"},\"status\":401}";

	write_seed("elasticsearch/partly", partly, strlen(partly));
	write_seed("elasticsearch/refused", refused, strlen(refused));
	write_seed("http_request/scrape", scrape, strlen(scrape));
	write_seed("http_request/url", url, strlen(url));
}

static void spool_seeds(void)
{
	static const char text[] = "0123456789abcdef.batch";
	static const unsigned char file[SPOOL_HEAD_BYTES + 9] = {
		'k', 't', 's', 'p', 'o', 'o', 'l', 0, 1, 0, 0, 0, 1, 0, 0, 0, 0x34, 0x12, [24] = 8, [32] = 9,
		[SPOOL_HEAD_BYTES] = '1', '2', '3', '4', '5', '6', '7', '8', '9',
	};

	write_seed("spool/file", file, sizeof(file));
	write_seed("spool/name", text, sizeof(text) - 1);
}

static void attribute_seeds(void)
{
	static const struct {
		const char *name, *text;
	} seeds[] = {
		{ "attribute/attributes", "service.name=a%20b,k8s.pod.name=c , service.version = 1" },
		{ "attribute/path", "/kubepods.slice/kubepods-pod6f1b7c2e_0a4d_4c5e_9f3b_2d8e7a6c5b41.slice/cri-containerd-"
				    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope/a.service" },
		{ "attribute/cgroup", "1:name=systemd:/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n0::/a.service\n" },
		{ "attribute/log", "pod_namespace_container-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.log" },
		{ "attribute/lines", "service.name=shop\ncontainer.id=1\npath=/x\n" },
		{ "attribute/stat", "cpu  10 2 3 1000 500 4 5 6 7 8\n" },
		{ "attribute/cpu.stat", "usage_usec 1234567\nuser_usec 1\n" },
	};
	static const char environment[] = "PATH=/bin\0OTEL_SERVICE_NAME=shop\0OTEL_RESOURCE_ATTRIBUTES=service.name=a%20b,deployment.environment=c";

	for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
		write_seed(seeds[i].name, seeds[i].text, strlen(seeds[i].text));
	write_seed("attribute/environment", environment, sizeof(environment));
}

static void config_seeds(void)
{
	static const char options[] = "rate: 99\noff-cpu: 5ms\nno-kernel: true\n# a comment\nattribute: { a: b }\n";
	static const char rules[] =
		"categories:\n  - name: tls\n    label: 'TLS'\n    mode: both\n    match:\n      - file: [libssl, /usr/*]\n"
		"      - function: \"*push*\"\n        class: std::vector\n        package: std\n        frame_type: native\n"
		"        at: leaf\n        syscall: [read, write]\n        area: kernel/network*\n"
		"  - name: between\n    match: [ { function: main, called-by: { function: aa* }, calls: { file: libc } } ]\n";

	write_seed("config/options", options, sizeof(options) - 1);
	write_seed("config/rules", rules, sizeof(rules) - 1);
}

int main(int argc, char **argv)
{
	static const char maps[] =
		"55bde00de000-55bde00e3000 r-xp 00002000 fe:00 247026                     /usr/bin/cat (deleted)\n"
		"7f9770fe5000-7f9770fe7000 r-xp 00000000 00:00 0                          [vdso]\n"
		"7f9770fe8000-7f977100e000 r-xp 00001000 fe:00 325835                     /usr/lib/ld.so\n";
	static const char kallsyms[] =
		"ffffffff81000000 T _stext\nffffffff81000000 T __pfx_f\n"
		"ffffffff81000010 t f\nffffffff81000010 T _etext\n"
		"ffffffffc0100000 t g\t[m]\nffffffffc0200000 W h\t[bpf]\n";
	static const char request[] =
		"ktally 1 profile\nfor=60000\nrate=99\nkernel=1\npid=12\nprocess=openssl\noutput=pprof on-cpu\nsend=1\n";
	struct buffer own = { 0 };

	if (argc != 2) {
		fprintf(stderr, "usage: seed DIRECTORY\n");
		return 2;
	}
	directory = argv[1];
	spool_seeds();
	elf_seeds();
	http_seeds();
	compiled_seeds();
	lines_seed();
	name_seeds();
	pclntab_seed();
	unwind_seeds();
	attribute_seeds();
	config_seeds();
	write_seed("mappings/short", maps, sizeof(maps) - 1);
	if (!buffer_read_file(&own, "/proc/self/maps", 1 << 20))
		write_seed("mappings/own", own.data, own.bytes);
	buffer_free(&own);
	write_seed("kallsyms/short", kallsyms, sizeof(kallsyms) - 1);
	write_seed("request/all", request, sizeof(request) - 1);
	return 0;
}
