// SPDX-License-Identifier: GPL-2.0-or-later
/* symbols/codes.h: memory that is used again, against one name for each byte; the ceiling. */
#include "check.h"
#include "symbols/codes.h"

static const char *find(struct codes *codes, uint64_t address)
{
	uint64_t start;

	return codes_find(codes, address, &start);
}

static void newest_wins(void)
{
	struct codes codes = { .most_bytes = 1 << 20 };
	uint64_t start = 0;

	codes_add(&codes, 0x7fff00001000, 0x100, "old", 3);
	codes_add(&codes, 0x1000, 0x100, "far below", 9);
	check_string(find(&codes, 0x7fff000010ff), "old", "the last byte");
	check_string(find(&codes, 0x7fff00001100), NULL, "after it");
	check_string(find(&codes, 0x1000), "far below", "more than 4 GiB away");
	codes_add(&codes, 0x7fff00001040, 0x40, "new one", 3);
	check_string(codes_find(&codes, 0x7fff00001050, &start), "new", "the newer one, as much of its name as was given");
	check_number(start, 0x7fff00001040, "begins there");
	check_string(find(&codes, 0x7fff0000103f), "old", "before it the older one");
	check_string(find(&codes, 0x7fff00001080), "old", "and after it");
	codes_add(&codes, UINT64_MAX - 1, 2, "wraps", 5);
	codes_add(&codes, 0x9000, 0, "empty", 5);
	codes_add(&codes, 0x9000, 1, "", 0);
	check(!find(&codes, UINT64_MAX - 1) && !find(&codes, 0x9000), "nonsense is left out");
	codes_free(&codes);
}

/* Random functions in a small space, looked up in between. */
static void random_codes(void)
{
	unsigned int seed = 4711, wrong = 0;

	for (unsigned int round = 0; round < 200; round++) {
		struct codes codes = { .most_bytes = 1 << 20 };
		int newest[256];

		memset(newest, -1, sizeof(newest));
		for (int i = 0; i < 60; i++) {
			unsigned int at = (unsigned int)rand_r(&seed) % 250, bytes = 1 + (unsigned int)rand_r(&seed) % 40;
			char name[8];

			codes_add(&codes, 0x5000 + at, bytes, name, (size_t)snprintf(name, sizeof(name), "f%d", i));
			for (unsigned int byte = at; byte < at + bytes && byte < 256; byte++)
				newest[byte] = i;
			if (i % 7)
				continue;
			for (unsigned int byte = 0; byte < 250; byte++) {
				char wanted[8];

				snprintf(wanted, sizeof(wanted), "f%d", newest[byte]);
				wrong += !check_same(find(&codes, 0x5000 + byte), newest[byte] < 0 ? NULL : wanted);
			}
		}
		codes_free(&codes);
	}
	check_number(wrong, 0, "each byte belongs to what was made there last");
}

static void ceiling(void)
{
	struct codes codes = { .most_bytes = 100000 };
	char name[32];

	/* A compiler that uses 16 KiB again and again. */
	for (unsigned int i = 0; i < 100000; i++)
		codes_add(&codes, 0x10000 + i % 256 * 64, 64, name, (size_t)snprintf(name, sizeof(name), "function_%u", i));
	check_number(codes.refused, 0, "what is overwritten makes room");
	check_string(find(&codes, 0x10000 + 99999 % 256 * 64), "function_99999", "the last one is there");
	for (unsigned int i = 0; i < 100000; i++)
		codes_add(&codes, 0x100000 + i * 64, 64, name, (size_t)snprintf(name, sizeof(name), "more_%u", i));
	check(codes.refused > 90000, "what does not fit is refused");
	check(codes_bytes(&codes) <= 100000, "%zu bytes", codes_bytes(&codes));
	check_string(find(&codes, 0x10000 + 99999 % 256 * 64), "function_99999", "what was there stays");
	codes_free(&codes);
}

int main(void)
{
	newest_wins();
	random_codes();
	ceiling();
	return check_end();
}
