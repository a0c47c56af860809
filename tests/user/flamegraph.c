// SPDX-License-Identifier: GPL-2.0-or-later
/* The flame graph: the file by itself, then as a browser shows it. */
#include <errno.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"

static char directory[] = "/tmp/ktally-test-flamegraph-XXXXXX";

/* Self-made layout: openssl 50 %, of which crypto 30 and disk 20; iperf3 40 %, network; xz 10 %, broken. */
static struct profile *small_profile(void)
{
	struct profile *profile = fake_profile();
	struct task *openssl = fake_task(profile, 10, 10, "openssl", "openssl"),
		    *iperf = fake_task(profile, 20, 20, "iperf3", "iperf3");
	struct task *xz = fake_task(profile, 30, 30, "xz", "xz");
	struct stack *stack;

	fake_cell(profile, openssl,
		  fake_stack(profile, "native/libcrypto", "u:aes_gcm@/usr/lib/libcrypto.so.3 u:main@/usr/bin/openssl"),
		  30, 3000000000);
	fake_cell(profile, openssl,
		  fake_stack(profile, "kernel/disk/write",
			     "k:ext4_file_write_iter k:do_syscall_64 u:write@/usr/lib/libc.so.6 "
			     "u:main@/usr/bin/openssl"),
		  20, 2000000000);
	fake_cell(
		profile, iperf,
		fake_stack(profile, "kernel/network/tcp/write", "k:tcp_sendmsg k:do_syscall_64 u:main@/usr/bin/iperf3"),
		25, 2500000000);
	fake_cell(
		profile, iperf,
		fake_stack(profile, "kernel/network/tcp/read", "k:tcp_recvmsg k:do_syscall_64 u:main@/usr/bin/iperf3"),
		15, 1500000000);
	stack = fake_stack(profile, "native/liblzma", "u:@/usr/lib/liblzma.so.5#10 u:@/usr/lib/liblzma.so.5#20");
	stack->user_end = KTALLY_END_BROKEN;
	fake_cell(profile, xz, stack, 10, 1000000000);
	return profile;
}

static void write_page(const char *name, const char *page, size_t bytes, const char *more)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	if (!file || fwrite(page, 1, bytes, file) != bytes || fputs(more, file) < 0 || fclose(file))
		message_fatal(EXIT_FAILED, "cannot write %s: %m", path);
}

/* The document as a browser has it after the scripts ran. */
static char *browse(const char *name, const char *hash)
{
	char command[1024];
	int status;
	char *text;

	snprintf(
		command, sizeof(command),
		"cd %s && timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-background-networking "
		"--no-first-run --user-data-dir=%s/browser --window-size=1200,800 --virtual-time-budget=2000 --dump-dom "
		"'file://%s/%s%s' 2>%s/browser.log",
		directory, directory, directory, name, hash, directory);
	text = fake_output(command, &status);
	if (status == 0 && text)
		return text;
	printf("# exit status %d: %s\n", status, command);
	free(text);
	return memory_string("");
}

static bool shows(const char *document, const char *wanted)
{
	if (strstr(document, wanted))
		return true;
	printf("# no \"%s\" in the document\n", wanted);
	return false;
}

/* The JSON between the tags. */
static char *data_of(const char *page)
{
	static const char tag[] = "<script id=\"profile\" type=\"application/json\">";
	const char *from = strstr(page, tag), *to;

	if (!from)
		return NULL;
	from += strlen(tag);
	to = strstr(from, "</script>");
	return to ? strndup(from, (size_t)(to - from)) : NULL;
}

static unsigned int count_of(const char *text, const char *part)
{
	unsigned int count = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		count++;
	return count;
}

static void check_file(const char *page)
{
	static const char expected[] =
		"\"labels\":[\"all\",0,-1,\"openssl\",1,-1,\"main\",3,0,\"aes_gcm\",3,1,\"iperf3\",1,-1,\"main\",3,2,\"do_syscall_64\",2,3,"
		"\"tcp_sendmsg\",2,3,\"write\",3,4,\"ext4_file_write_iter\",2,3,\"tcp_recvmsg\",2,3,\"xz\",1,-1,\"[broken]\",4,-1,"
		"\"[liblzma.so.5]\",3,5]";
	static const char *const outside[] = { "http://", "https://", "src=", "@import", "url(", "fetch(", "import(" };
	char *data = data_of(page);

	check(data && strstr(data, expected),
	      "labels: text, kind and object of each function, a name in two files twice");
	check(data && strstr(data, "\"nodes\":[0,0,1,1,2,2,3,3,3,8,4,6,5,9,1,4,2,5,3,6,4,7,4,10,1,11,2,12,3,13,4,13]"),
	      "the tree in preorder, heaviest first, the broken stack marked");
	check(data && strstr(data,
			     "\"selfs\":[3,0,3000000000,30,6,1,2000000000,20,10,2,2500000000,25,11,3,1500000000,15,15,4,1000000000,10]"),
	      "samples by leaf and area");
	free(data);
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
		check(!strstr(page, outside[i]), "the file needs nothing from outside: no %s", outside[i]);
	check_number(count_of(page, "</script>"), 2, "two script elements, the data and the program");
	check(strstr(page, "default-src 'none'"), "and would not be allowed to fetch anything");
}

static void check_small(void)
{
	/* A reader's hands: runs in the page, after its own script. */
	static const char hands[] =
		"<script>\n"
		"const say = (key, value) => document.body.setAttribute('data-' + key, value);\n"
		"const find = name => [...label].findIndex(one => labels[one].text === name);\n"
		"const click = node => { const at = canvas.getBoundingClientRect(), [left, width] = box(node);\n"
		"  canvas.dispatchEvent(new MouseEvent('click', { bubbles: true, clientX: at.left + left + width / 2,\n"
		"    clientY: at.top + rowTop(level[node]) + ROW / 2 })); };\n"
		"const press = (key, options) => (document.activeElement ?? document.body).dispatchEvent(\n"
		"  new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...options }));\n"
		"click(find('write')); say('clicked', location.hash + ' ' + labels[label[zoom]].text);\n"
		"click(0); say('root', zoom);\n"
		"canvas.focus(); press('ArrowUp'); press('ArrowRight'); press('ArrowUp'); say('moved', element('status').textContent);\n"
		"press('Enter'); say('entered', labels[label[zoom]].text + ' ' + location.hash);\n"
		"press('Escape'); say('escaped', zoom + location.hash);\n"
		"press('i'); say('icicle', rowTop(0) + ' ' + rowTop(1));\n"
		"press('f', { ctrlKey: true }); say('search', document.activeElement.id);\n"
		"[...document.querySelectorAll('#legend button')].find(one => one.dataset.area === 'kernel').click();\n"
		"say('area', area + ' ' + (100 * areaSums[0] / total[0]).toFixed(1) + ' ' + (100 * areaSums[find('openssl')] / total[0]).toFixed(1));\n"
		"</script>";
	struct profile *profile = small_profile();
	char *page, *document;
	size_t bytes;
	int error;

	page = fake_export(export_flamegraph, profile, &bytes, &error);
	check_number(error, 0, "a flame graph is written");
	check_number(fake_export_full(export_flamegraph, profile), -ENOSPC, "a full disk is told");
	check_file(page);
	write_page("small.html", page, bytes, "");
	write_page("hands.html", page, bytes, hands);
	free(page);
	fake_free(profile);
	if (!fake_have("chromium")) {
		check_skip("no chromium: apt-get install chromium", "a browser shows the flame graph");
		return;
	}

	document = browse("small.html", "");
	check(shows(document, "data-frames=\"16\""), "the program in the page comes to its end");
	check(shows(document,
		    "<title>ktally: testhost, Linux 6.1.0-44-amd64: 20.0 s, 10.00 s of CPU time in 100 samples</title>"),
	      "the title");
	check(shows(document, "<span>network</span><data value=\"4000000000\">40.00 %</data>"),
	      "an area of the legend is the sum of its parts");
	check(shows(document, "<span>libcrypto</span><data value=\"3000000000\">30.00 %</data>"),
	      "a library in the legend");
	check(shows(document, "all — 100.00 % · 10.000 s · 100 samples — self 0.00 % · 0 ns"),
	      "the status line tells about everything");
	free(document);
	document = browse("small.html", "#search=^tcp_|lzma");
	check(shows(document, ">matched 50.00 %<"), "search by regular expression, nested matches once");
	free(document);
	document = browse("small.html", "#search=(");
	check(shows(document, ">not a regular expression<"), "what is not a regular expression is told");
	free(document);
	document = browse("small.html", "#zoom=openssl;main;write&theme=dark&view=icicle");
	check(shows(document,
		    "write — /usr/lib/libc.so.6 — 20.00 % · 2.000 s · 20 samples — self 0.00 % · 0 ns — 100.00 % of what is shown — native/libc<"),
	      "zoom by the address");
	check(shows(document, "data-theme=\"dark\"") &&
		      shows(document, "<button id=\"view\" title=\"i\" aria-pressed=\"true\">"),
	      "theme and view too");
	free(document);
	document = browse("small.html", "#area=kernel/disk");
	check(shows(document,
		    "<button data-area=\"kernel/disk\" style=\"padding-left: 1.5rem;\" aria-pressed=\"true\">"),
	      "an area by the address");
	free(document);

	document = browse("hands.html", "");
	check(shows(document, "data-clicked=\"#zoom=openssl;main;write write\""), "a click zooms");
	check(shows(document, "data-root=\"0\""), "a click on the root zooms out");
	check(shows(document, "data-moved=\"main — /usr/bin/iperf3 — 40.00 %"), "arrow keys move");
	check(shows(document, "data-entered=\"main #zoom=iperf3;main\""), "Enter zooms");
	check(shows(document, "data-escaped=\"0\""), "Escape shows everything again");
	check(shows(document, "data-icicle=\"0 19\""), "i turns it upside down");
	check(shows(document, "data-search=\"search\""), "Ctrl-F goes to the search");
	check(shows(document, "data-area=\"kernel 60.0 20.0\""),
	      "a click in the legend picks the area out of all frames");
	free(document);
}

/* Threads that wait: their frames have the colour of the cause, and the legend has the causes. */
static void check_waits(void)
{
	static const char say[] =
		"<script>\n"
		"const find = text => label.findIndex(one => labels[one].text === text);\n"
		"document.documentElement.dataset.colors = ['io_schedule', 'ep_poll', 'main'].map(text => colorOf[find(text)]);\n"
		"</script>";
	struct profile *profile = fake_profile();
	struct task *task = fake_task(profile, 1, 1, "p", "p");
	char *page, *document;
	size_t bytes;
	int error;

	fake_cell(profile, task, fake_stack(profile, "native/p", "u:main@/bin/p"), 1, 1000000000);
	fake_wait(profile, task, fake_stack(profile, "kernel/disk/read", "k:io_schedule u:main@/bin/p"), "io/disk", 1, 2000000000);
	fake_wait(profile, task, fake_stack(profile, "kernel/poll", "k:ep_poll u:main@/bin/p"), "idle/poll", 1, 5000000000);
	page = fake_export_source(export_flamegraph, profile, KTALLY_SOURCE_ONCPU | KTALLY_SOURCE_OFFCPU, &bytes, &error);
	write_page("waits.html", page, bytes, say);
	free(page);
	fake_free(profile);
	if (!fake_have("chromium")) {
		check_skip("no chromium: apt-get install chromium", "a browser shows waits");
		return;
	}
	document = browse("waits.html", "");
	check(shows(document, "<h2 id=\"legend-title\">Where wall time went</h2>"), "the legend says what it is of");
	check(shows(document, "<span>io</span><data value=\"2000000000\">25.00 %</data>"), "and has the causes");
	check(shows(document, "data-colors=\"waiting/io,waiting/idle,native/p\""), "which frames have their colours from");
	free(document);
}

static void check_hostile_names(void)
{
	struct profile *profile = fake_profile();
	struct task *task = fake_task(profile, 1, 1, "</script><script>document.title='taken'</script>", "x");
	struct stack *stack = fake_stack(profile, "unknown", "u:A@/a u:B@/b u:C@/c u:D@/d");
	char *page, *document, *data;
	size_t bytes;
	int error;

	stack->frames[0].function = intern("<img src=x onerror=alert(1)>");
	stack->frames[1].function = intern("<!--<script>");
	stack->frames[2].function = intern("\xe2\x80\xa8\"\\\xff\x01]]>");
	stack->frames[3].function = NULL;
	stack->frames[3].object = intern("/tmp/</script><b>bold</b>");
	stack->class.area = intern("native/</script><i>");
	fake_cell(profile, task, stack, 1, 1000000000);
	page = fake_export(export_flamegraph, profile, &bytes, &error);
	data = data_of(page);
	check_number(count_of(page, "</script>"), 2, "no name ends the script element");
	check(data && !strstr(data, "</") && !strstr(data, "<!"), "what begins a tag is escaped");
	free(data);
	write_page(
		"hostile.html", page, bytes,
		"<script>document.body.setAttribute('data-made', document.querySelectorAll('img, b, body i i').length);</script>");
	free(page);
	fake_free(profile);
	if (!fake_have("chromium")) {
		check_skip("no chromium: apt-get install chromium", "a browser takes hostile names for text");
		return;
	}
	document = browse("hostile.html",
			  "#zoom=%3C%2Fscript%3E%3Cscript%3Edocument.title%3D'taken'%3C%2Fscript%3E;%5B%3Cb%3E");
	check(shows(document, "data-frames=\"6\"") && !strstr(document, "<title>taken"),
	      "a browser takes hostile names for text");
	check(shows(document, "data-made=\"0\""), "and makes no elements of them");
	free(document);
}

static void check_large(void)
{
	struct profile *profile = fake_profile();
	struct task *task = fake_task(profile, 1, 1, "large", "large");
	struct buffer frames = { 0 };
	char *page, *document;
	size_t bytes;
	int error;

	for (unsigned int i = 0; i < 20000; i++) {
		buffer_clear(&frames);
		for (unsigned int depth = 0; depth < 30; depth++)
			buffer_format(&frames, "u:function_%u@/usr/lib/lib%u.so.1 ",
				      (i >> (depth / 2)) % 1000 + depth * 7, depth % 5);
		fake_cell(profile, task, fake_stack(profile, "native/lib", frames.data), 1, 1000000 + i);
	}
	buffer_free(&frames);
	page = fake_export(export_flamegraph, profile, &bytes, &error);
	check(!error && bytes < 8 << 20, "20 000 stacks take %zu bytes", bytes);
	write_page("large.html", page, bytes,
		   "<script>let boxes = 0; const fillRect = pen.fillRect.bind(pen);\n"
		   "pen.fillRect = (...box) => { boxes++; fillRect(...box); }; draw();\n"
		   "document.body.setAttribute('data-few', boxes > 100 && boxes < count / 10);</script>");
	free(page);
	fake_free(profile);
	if (!fake_have("chromium")) {
		check_skip("no chromium: apt-get install chromium", "a browser draws a large flame graph");
		return;
	}
	document = browse("large.html", "#search=function_7");
	check(shows(document, "data-frames=") && shows(document, "matched "), "a browser draws a large flame graph");
	check(shows(document, "data-few=\"true\""), "only the part of it that can be seen");
	free(document);
}

int main(void)
{
	char command[64];

	if (!mkdtemp(directory))
		message_fatal(EXIT_FAILED, "cannot make %s: %m", directory);
	check_small();
	check_waits();
	check_hostile_names();
	check_large();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	check(system(command) == 0, "cleaned up");
	return check_end();
}
