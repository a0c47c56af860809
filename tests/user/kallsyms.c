// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernel names: symbols/kallsyms.h on texts made by hand, symbols.h on this kernel's own. */
#include <errno.h>
#include <time.h>

#include "base/buffer.h"
#include "base/message.h"
#include "check.h"
#include "symbols/kallsyms.h"
#include "symbols/symbols.h"

static const char small[] =
	"0000000000000000 A fixed_percpu_data\n"
	"ffffffff81000000 T _stext\n"
	"ffffffff81000000 T _text\n"
	"ffffffff81000000 T startup_64\n"
	"ffffffff81000100 T __pfx_vfs_read\n"
	"ffffffff81000110 t rw_helper\n"
	"ffffffff81000110 T vfs_read\n"
	"ffffffff81000200 T __cfi_memcpy\n"
	"ffffffff81000210 W memcpy\n"
	"ffffffff81000210 T __memcpy\n"
	"ffffffff81000300 T last_function\n"
	"ffffffff81000400 T _etext\n"
	"ffffffff81001000 D some_data\n"
	"ffffffff81002000 T _sinittext\n"
	"ffffffff81002000 t init_one\n"
	"ffffffff81002080 T _einittext\n"
	"ffffffffc0200000 t tcp_bbr_init\t[tcp_bbr]\n"
	"ffffffffc0100000 t nft_do_chain\t[nf_tables]\n"
	"ffffffffc0100800 t nft_last\t[nf_tables]\n"
	"ffffffffc0300000 t bpf_prog_6deef7357e7b4530_sd_fw_ingress\t[bpf]\n";

static const char *find(const struct kallsyms *kallsyms, uint64_t address)
{
	static char text[600];
	const char *object, *name;
	uint64_t start;

	name = kallsyms_find(kallsyms, address, &start, &object);
	if (!name)
		snprintf(text, sizeof(text), "? %s", object);
	else
		snprintf(text, sizeof(text), "%s+%#llx %s", name, (unsigned long long)(address - start), object);
	return text;
}

static void by_hand(void)
{
	struct kallsyms kallsyms;

	if (!check_number(kallsyms_parse(&kallsyms, small, strlen(small)), 0, "a text is read"))
		return;
	check_string(find(&kallsyms, 0xffffffff81000005), "startup_64+0x5 [kernel]",
		     "a function, not the section it begins");
	check_string(find(&kallsyms, 0xffffffff81000112), "vfs_read+0x2 [kernel]", "the global of two names");
	check_string(find(&kallsyms, 0xffffffff81000105), "startup_64+0x105 [kernel]",
		     "padding before a function is not a function");
	check_string(find(&kallsyms, 0xffffffff81000218), "memcpy+0x8 [kernel]", "the plainer of two names");
	check_string(find(&kallsyms, 0xffffffff810003ff), "last_function+0xff [kernel]", "the last function");
	check_string(find(&kallsyms, 0xffffffff81000400), "? [kernel]", "ends at _etext");
	check_string(find(&kallsyms, 0xffffffff81001800), "? [kernel]", "nothing is named after the text");
	check_string(find(&kallsyms, 0xffffffff8100207f), "init_one+0x7f [kernel]", "text of the initialisation");
	check_string(find(&kallsyms, 0xffffffff81003000), "? [kernel]", "ends at _einittext");
	check_string(find(&kallsyms, 0xffffffffc0100010), "nft_do_chain+0x10 [nf_tables]", "a module");
	check_string(find(&kallsyms, 0xffffffffc0100810), "nft_last+0x10 [nf_tables]", "its last function");
	check_string(find(&kallsyms, 0xffffffffc01f0000), "? [kernel]", "does not reach to the next module");
	check_string(find(&kallsyms, 0xffffffffc0200000), "tcp_bbr_init+0 [tcp_bbr]",
		     "a module that comes first in the text");
	check_string(find(&kallsyms, 0xffffffffc0300001), "bpf_prog_6deef7357e7b4530_sd_fw_ingress+0x1 [bpf]",
		     "a BPF program");
	check_string(find(&kallsyms, 0xffffffff80000000), "? [kernel]", "before everything");
	check_string(find(&kallsyms, 0), "? [kernel]", "zero");
	check(kallsyms_has(&kallsyms, "vfs_read", false), "has a name");
	check(!kallsyms_has(&kallsyms, "vfs_rea", false), "not a part of it");
	check(kallsyms_has(&kallsyms, "vfs_rea", true), "but as a prefix");
	check(!kallsyms_has(&kallsyms, "some_data", false), "data is no function");
	kallsyms_free(&kallsyms);
}

static void useless(void)
{
	static const char hidden[] = "0000000000000000 T _text\n0000000000000000 T vfs_read\n";
	static const char *const nonsense[] = {
		"",
		"\n",
		"\n\n\n",
		"hello\n",
		"ffffffff81000000\n",
		"ffffffff81000000 T\n",
		"ffffffff81000000 T \n",
		"fffffffff81000000 T too_long\n",
		"ffffffff81000000 D data_only\n",
		"FFFFFFFF81000000 T capitals\n",
		"x T y\n",
	};
	struct kallsyms kallsyms;

	check_number(kallsyms_parse(&kallsyms, hidden, strlen(hidden)), -EPERM, "hidden addresses");
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		check_number(kallsyms_parse(&kallsyms, nonsense[i], strlen(nonsense[i])), -EBADMSG, "nonsense %zu", i);
}

static void hostile(void)
{
	struct kallsyms kallsyms;
	struct buffer text = { 0 };

	/* A name with escape sequences, one without an end, addresses from one end to the other. */
	buffer_string(&text,
		      "0000000000001000 T low\n7fffffffffffffff T \x1b[2Jevil\x01\nffffffffffffffff T high\t[a\x1b"
		      "b]\n");
	buffer_string(&text, "fffffffffffffff0 T ");
	for (unsigned int i = 0; i < 5000; i++)
		buffer_string(&text, "abcdefgh");
	check_number(kallsyms_parse(&kallsyms, text.data, text.bytes), 0, "a hostile text is read");
	check_string(find(&kallsyms, 0xffffffffffffffff), "? [kernel]", "nothing fits behind the last address");
	check(strlen(find(&kallsyms, 0xfffffffffffffff1)) > 100, "a long name is cut, not lost");
	check_string(find(&kallsyms, 0x1000), "? [kernel]",
		     "what is farther than 4 GiB from the highest address is left out");
	kallsyms_free(&kallsyms);

	buffer_clear(&text);
	buffer_string(&text, "ffffffff81000000 T \x1b[2Jevil\x01\n");
	check_number(kallsyms_parse(&kallsyms, text.data, text.bytes), 0, "control characters");
	check_string(find(&kallsyms, 0xffffffff81000000), "?[2Jevil?+0 [kernel]", "do not come through");
	kallsyms_free(&kallsyms);
	buffer_free(&text);
}

static double seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Every symbol of this kernel: its address gives its own name or another one that kallsyms has for the same address. */
static void this_kernel(void)
{
	struct symbols *symbols = symbols_create(0);
	struct symbols_statistics statistics;
	unsigned int looked_up = 0, wrong = 0, elsewhere = 0;
	char *text, *line, *rest;
	double begin, loaded;
	size_t bytes;
	int error;

	error = symbols_read_kernel(&text, &bytes);
	if (error) {
		check_skip("/proc/kallsyms cannot be read", "this kernel's names");
		symbols_destroy(symbols);
		return;
	}
	begin = seconds();
	error = symbols_load_kernel(symbols, text, bytes);
	loaded = seconds() - begin;
	if (error == -EPERM) {
		check_skip("this kernel hides its addresses", "this kernel's names");
		free(text);
		symbols_destroy(symbols);
		return;
	}
	check_number(error, 0, "this kernel's names are loaded");
	check(!memmem(text, bytes, " D ", 3) && memmem(text, bytes, " T ", 3), "only text symbols are read");
	symbols_get_statistics(symbols, &statistics);
	printf("# %zu bytes of text, %llu bytes of memory, %.3f s\n", bytes, (unsigned long long)statistics.bytes,
	       loaded);
	check(statistics.bytes < bytes, "they take less memory than their text");

	for (rest = text; (line = strsep(&rest, "\n")) && *line;) {
		struct frame frame = { .address = strtoull(line, NULL, 16) };
		char *name = line + 19, *end = name + strcspn(name, "\t");
		bool module = *end;

		*end = '\0';
		if (!strncmp(name, "__pfx_", 6) || !strncmp(name, "__cfi_", 6) || strstr(name, "_text_end") ||
		    !strcmp(name, "_etext") || !strcmp(name, "_einittext"))
			continue;
		symbols_name(symbols, 0, true, &frame);
		looked_up++;
		wrong += !frame.function || frame.function_offset || frame.object_address != frame.address;
		elsewhere += module == !strcmp(frame.object, "[kernel]");
	}
	check(looked_up > 10000, "%u look-ups", looked_up);
	check_number(wrong, 0, "every symbol's address has a name that starts there");
	check_number(elsewhere, 0, "modules' and the kernel's own are told apart");
	check(symbols_kernel_has(symbols, "vfs_read", false), "this kernel has vfs_read");
	check(symbols_kernel_has(symbols, "tcp_send", true), "and something that sends by TCP");
	check(!symbols_kernel_has(symbols, "no_such_function_in_any_kernel", true), "and not everything");
	free(text);

	check_number(symbols_load_kernel(symbols, "x", 1), -EBADMSG, "a text that is none");
	check(symbols_kernel_has(symbols, "vfs_read", false), "does not replace what was known");
	symbols_destroy(symbols);
}

int main(void)
{
	by_hand();
	useless();
	hostile();
	this_kernel();
	return check_end();
}
