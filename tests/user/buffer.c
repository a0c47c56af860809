// SPDX-License-Identifier: GPL-2.0-or-later
/* base/buffer.h: growing, JSON text, whole files. */
#include <errno.h>
#include <unistd.h>

#include "base/buffer.h"
#include "check.h"

static void growing(void)
{
	struct buffer buffer = { 0 };
	char expected[4001] = "";
	size_t filled = 0;

	buffer_append(&buffer, NULL, 0);
	check_string(buffer.data, "", "nothing appended is the empty string");
	for (unsigned int i = 0; i < 1000; i++) {
		buffer_format(&buffer, "%03u,", i);
		filled += (size_t)snprintf(expected + filled, sizeof(expected) - filled, "%03u,", i);
	}
	check_string(buffer.data, expected, "a thousand small pieces");
	check_number(buffer.bytes, filled, "as many bytes");
	buffer_clear(&buffer);
	check(buffer.bytes == 0 && buffer.data[0] == '\0' && buffer.capacity, "clear keeps the memory");
	buffer_format(&buffer, "%s|%s", expected, expected);
	check_number(buffer.bytes, 2 * filled + 1, "one piece larger than the room");
	buffer_append(&buffer, "a\0b", 3);
	check(buffer.bytes == 2 * filled + 4 && !memcmp(buffer.data + buffer.bytes - 3, "a\0b", 4), "zeros are kept");
	buffer_free(&buffer);
	check(!buffer.data && !buffer.bytes && !buffer.capacity, "free leaves an empty buffer");
}

static void json(void)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
		{ "plain", "\"plain\"" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "\n\t\r\x01\x7f", "\"\\n\\t\\u000d\\u0001\\u007f\"" },
		{ "std::map<int, x>", "\"std::map<int, x>\"" },
		{ "</script><!--", "\"\\u003c/script>\\u003c!--\"" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ "\xff" "a", "\"\xef\xbf\xbd" "a\"" },
		{ "\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },				/* overlong */
		{ "\xe0\x9f\xbf", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },		/* overlong */
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },		/* surrogate */
		{ "\xed\x9f\xbf", "\"\xed\x9f\xbf\"" },
		{ "\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },	/* past U+10FFFF */
		{ "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },				/* cut off */
	};
	struct buffer buffer = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buffer_clear(&buffer);
		buffer_json_string(&buffer, cases[i].text);
		check_string(buffer.data, cases[i].json, "JSON text %zu", i);
	}
	buffer_free(&buffer);
}

static void files(void)
{
	char path[] = "/tmp/ktally-buffer.XXXXXX";
	struct buffer buffer = { 0 }, whole = { 0 };
	int fd = mkstemp(path);

	if (!check(fd >= 0, "a temporary file"))
		return;
	for (unsigned int i = 0; i < 30000; i++)
		buffer_format(&buffer, "%u\n", i);
	check(write(fd, buffer.data, buffer.bytes) == (ssize_t)buffer.bytes, "filled it");
	close(fd);

	check_number(buffer_read_file(&whole, path, 1 << 20), 0, "reads it");
	check(whole.bytes == buffer.bytes && !memcmp(whole.data, buffer.data, whole.bytes + 1), "all of it");
	check_number(buffer_read_file(&whole, path, buffer.bytes), 0, "reads it again, just short enough");
	check_number(whole.bytes, 2 * buffer.bytes, "appended");
	check_number(buffer_read_file(&whole, path, buffer.bytes - 1), -EFBIG, "one byte too long");
	check_number(whole.bytes, 2 * buffer.bytes, "a failure appends nothing");
	check(whole.data[whole.bytes] == '\0', "and leaves it terminated");
	check_number(buffer_read_file(&whole, "/nowhere", 10), -ENOENT, "no such file");
	check_number(buffer_read_file(&whole, "/proc/self/maps", 1 << 20), 0, "/proc text, which has no size");
	check(whole.bytes > 2 * buffer.bytes, "some text");
	check_number(buffer_read_fd(&whole, -1, 10), -EBADF, "no descriptor");
	buffer_free(&whole);
	check_number(buffer_read_file(&whole, "/dev/null", 0), 0, "an empty file");
	check_string(whole.data, "", "is the empty string");
	buffer_free(&whole);
	buffer_free(&buffer);
	unlink(path);
}

int main(void)
{
	growing();
	json();
	files();
	return check_end();
}
