// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpus.h"

#define TEXT_BYTES_MOST	(1U << 20)

/* A number at the text, which then points behind it. */
static int take_number(const char **text, uint64_t *number)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	errno = 0;
	*number = strtoull(*text, &end, 10);
	*text = end;
	return errno || *number >= CPUS_MOST ? -ERANGE : 0;
}

static int take_range(const char **text, struct cpus *cpus)
{
	uint64_t first, last;
	int error = take_number(text, &first);

	last = first;
	if (!error && **text == '-') {
		++*text;
		error = take_number(text, &last);
	}
	if (error)
		return error;
	if (last < first)
		return -EINVAL;
	for (uint64_t number = first; number <= last; number++)
		cpus->words[number / 64] |= 1ULL << number % 64;
	return 0;
}

int cpus_parse(struct cpus *cpus, const char *text)
{
	memset(cpus, 0, sizeof(*cpus));
	while (*text && *text != '\n') {
		int error = take_range(&text, cpus);

		if (error)
			return error;
		if (*text == ',' && text[1] && text[1] != '\n')
			text++;
		else if (*text && *text != '\n')
			return -EINVAL;
	}
	return *text && text[1] ? -EINVAL : 0;
}

int cpus_read(struct cpus *cpus, const char *path)
{
	struct buffer text = { 0 };
	int error = buffer_read_file(&text, path, TEXT_BYTES_MOST);

	if (!error)
		error = cpus_parse(cpus, text.data ? text.data : "");
	buffer_free(&text);
	return error;
}

void cpus_format(struct buffer *text, const struct cpus *cpus)
{
	const char *comma = "";

	for (uint64_t first = 0, last; first < CPUS_MOST; first = last + 1) {
		last = first;
		if (!cpus_has(cpus, first))
			continue;
		while (cpus_has(cpus, last + 1))
			last++;
		buffer_format(text, "%s%" PRIu64, comma, first);
		if (last > first)
			buffer_format(text, "-%" PRIu64, last);
		comma = ",";
	}
}

size_t cpus_count(const struct cpus *cpus, const struct cpus *among)
{
	size_t count = 0;

	for (size_t i = 0; i < CPUS_WORDS; i++)
		count += (size_t)__builtin_popcountll(cpus->words[i] & (among ? among->words[i] : UINT64_MAX));
	return count;
}

size_t cpus_end(const struct cpus *cpus)
{
	for (size_t number = CPUS_MOST; number; number--) {
		if (cpus_has(cpus, number - 1))
			return number;
	}
	return 0;
}
