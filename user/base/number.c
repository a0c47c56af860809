// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/number.h"

/* Decimal digits from *text on, which is moved past them. -EINVAL if there are none, -ERANGE if there are too many. */
static int digits(const char **text, uint64_t *value)
{
	const char *at = *text;
	uint64_t sum = 0;

	for (; *at >= '0' && *at <= '9'; at++) {
		if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, (uint64_t)(*at - '0'), &sum))
			return -ERANGE;
	}
	if (at == *text)
		return -EINVAL;
	*text = at;
	*value = sum;
	return 0;
}

static int within(uint64_t value, uint64_t least, uint64_t most, uint64_t *result)
{
	if (value < least || value > most)
		return -ERANGE;
	*result = value;
	return 0;
}

int number_parse(const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
	uint64_t parsed;
	int error = digits(&text, &parsed);

	if (!error && *text)
		error = -EINVAL;
	return error ? error : within(parsed, least, most, value);
}

int number_parse_bytes(const char *text, uint64_t least, uint64_t most, uint64_t *bytes)
{
	static const char suffixes[] = "KMG";
	uint64_t parsed, factor = 1;
	int error = digits(&text, &parsed);

	if (error)
		return error;
	if (*text) {
		const char *suffix = strchr(suffixes, *text);

		if (!suffix || text[1])
			return -EINVAL;
		factor = 1024ULL << (10 * (suffix - suffixes));
	}
	if (__builtin_mul_overflow(parsed, factor, &parsed))
		return -ERANGE;
	return within(parsed, least, most, bytes);
}

int number_parse_duration(const char *text, uint64_t least, uint64_t most, uint64_t *milliseconds)
{
	static const struct {
		const char *suffix;
		uint64_t milliseconds;
	} units[] = { { "", 1000 }, { "s", 1000 }, { "ms", 1 }, { "m", 60 * 1000 }, { "h", 3600 * 1000 } };
	uint64_t whole, thousandths = 0, parsed, unit = 0;
	int error = digits(&text, &whole);

	if (error)
		return error;
	if (*text == '.') {
		uint64_t place = 100;

		for (text++; *text >= '0' && *text <= '9'; text++, place /= 10) {
			if (!place)
				return -EINVAL;
			thousandths += place * (uint64_t)(*text - '0');
		}
		if (place == 100)
			return -EINVAL;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(text, units[i].suffix))
			unit = units[i].milliseconds;
	if (!unit)
		return -EINVAL;
	if (__builtin_mul_overflow(whole, unit, &parsed) ||
	    __builtin_add_overflow(parsed, thousandths * unit / 1000, &parsed))
		return -ERANGE;
	return within(parsed, least, most, milliseconds);
}

int number_parse_nanoseconds(const char *text, uint64_t least, uint64_t most, uint64_t *nanoseconds)
{
	static const struct {
		const char *suffix;
		uint64_t nanoseconds;
	} units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000 * 1000 }, { "s", 1000 * 1000 * 1000 } };
	uint64_t parsed, unit = 0;
	int error = digits(&text, &parsed);

	if (error)
		return error;
	if (!parsed && !*text)
		unit = 1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(text, units[i].suffix))
			unit = units[i].nanoseconds;
	if (!unit)
		return -EINVAL;
	if (__builtin_mul_overflow(parsed, unit, &parsed))
		return -ERANGE;
	return within(parsed, least, most, nanoseconds);
}
