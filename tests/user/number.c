// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "base/number.h"
#include "check.h"

#define UNTOUCHED 0xdeadULL

typedef int parser(const char *text, uint64_t least, uint64_t most, uint64_t *value);

static void accepts(parser *parse, const char *text, uint64_t wanted)
{
	uint64_t value = UNTOUCHED;

	check_number(parse(text, 0, UINT64_MAX, &value), 0, "\"%s\" is a number", text);
	check_number(value, wanted, "\"%s\" is %llu", text, (unsigned long long)wanted);
}

static void refuses(parser *parse, const char *text, int error)
{
	uint64_t value = UNTOUCHED;

	check_number(parse(text, 0, UINT64_MAX, &value), error, "\"%s\" is refused", text);
	check_number(value, UNTOUCHED, "\"%s\" leaves the value alone", text);
}

int main(void)
{
	uint64_t value = UNTOUCHED;

	accepts(number_parse, "0", 0);
	accepts(number_parse, "0019", 19);
	accepts(number_parse, "18446744073709551615", UINT64_MAX);
	refuses(number_parse, "18446744073709551616", -ERANGE);
	refuses(number_parse, "99999999999999999999999999", -ERANGE);
	refuses(number_parse, "", -EINVAL);
	refuses(number_parse, "-1", -EINVAL);
	refuses(number_parse, "+1", -EINVAL);
	refuses(number_parse, " 1", -EINVAL);
	refuses(number_parse, "1 ", -EINVAL);
	refuses(number_parse, "0x10", -EINVAL);
	refuses(number_parse, "19K", -EINVAL);
	check_number(number_parse("9", 10, 20, &value), -ERANGE, "9 is below 10");
	check_number(number_parse("21", 10, 20, &value), -ERANGE, "21 is above 20");
	check_number(number_parse("10", 10, 20, &value), 0, "10 is within 10 to 20");
	check_number(number_parse("20", 10, 20, &value), 0, "20 is within 10 to 20");

	accepts(number_parse_bytes, "16384", 16384);
	accepts(number_parse_bytes, "256K", 256 << 10);
	accepts(number_parse_bytes, "16M", 16 << 20);
	accepts(number_parse_bytes, "3G", 3ULL << 30);
	refuses(number_parse_bytes, "256k", -EINVAL);
	refuses(number_parse_bytes, "256KB", -EINVAL);
	refuses(number_parse_bytes, "K", -EINVAL);
	refuses(number_parse_bytes, "18446744073709551615G", -ERANGE);

	accepts(number_parse_nanoseconds, "0", 0);
	accepts(number_parse_nanoseconds, "0ms", 0);
	accepts(number_parse_nanoseconds, "500ns", 500);
	accepts(number_parse_nanoseconds, "20us", 20000);
	accepts(number_parse_nanoseconds, "5ms", 5000000);
	accepts(number_parse_nanoseconds, "18446744073s", 18446744073000000000ULL);
	refuses(number_parse_nanoseconds, "18446744074s", -ERANGE);
	refuses(number_parse_nanoseconds, "5", -EINVAL);
	refuses(number_parse_nanoseconds, "0.5ms", -EINVAL);
	refuses(number_parse_nanoseconds, "5m", -EINVAL);
	refuses(number_parse_nanoseconds, "ms", -EINVAL);

	accepts(number_parse_duration, "30", 30000);
	accepts(number_parse_duration, "0.5", 500);
	accepts(number_parse_duration, "1.005", 1005);
	accepts(number_parse_duration, "250ms", 250);
	accepts(number_parse_duration, "90s", 90000);
	accepts(number_parse_duration, "1.5m", 90000);
	accepts(number_parse_duration, "2h", 7200000);
	refuses(number_parse_duration, "1.", -EINVAL);
	refuses(number_parse_duration, ".5", -EINVAL);
	refuses(number_parse_duration, "1.0005", -EINVAL);
	refuses(number_parse_duration, "1d", -EINVAL);
	refuses(number_parse_duration, "1 s", -EINVAL);
	refuses(number_parse_duration, "99999999999999999h", -ERANGE);
	return check_end();
}
