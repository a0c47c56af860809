// SPDX-License-Identifier: GPL-2.0-or-later
/* base/digest.h: what others, whose figures these are (b2sum -l 256), say of the same bytes, however they come. */
#include "check.h"
#include "base/digest.h"

static const char *text_of(struct digest *digest)
{
	static char text[2 * DIGEST_BYTES + 1];
	uint8_t result[DIGEST_BYTES];

	digest_finish(digest, result);
	for (size_t i = 0; i < sizeof(result); i++)
		sprintf(text + 2 * i, "%02x", result[i]);
	return text;
}

static const char *of(const void *data, size_t bytes, size_t step)
{
	struct digest digest;

	digest_begin(&digest);
	for (size_t at = 0; at < bytes; at += step)
		digest_add(&digest, (const char *)data + at, bytes - at < step ? bytes - at : step);
	return text_of(&digest);
}

int main(void)
{
	static const struct {
		size_t bytes;
		const char *text;
	} runs[] = {
		{ 0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8" },
		{ 1, "03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314" },
		{ 127, "4ff62e7c4c43fe101a078479c48836be4907d9d498dcc577ca89d694b2c11f9b" },
		{ 128, "14696d2a98d9f8a280da8b132b1045b345e1033759c6b02fcc4ee885c8ae7c37" },
		{ 129, "3934215260b1039be9d9d2b073b059bcd50120c327a22af93eb4d98cf821c14c" },
		{ 256, "3d0cb2693dfbac42af5a6cc960953fea8714aa39c4bcd054ef61d6b5e98ade4a" },
		{ 257, "63cb41934eb22ceb359755501ea299abcd784306baf8845ad6b97ff0828b7cfe" },
		{ 1000, "6ac4bea923678eb024090384d6e767b5870f849057dc19b172d8d9f2df30bf8e" },
	};
	static uint8_t data[1000];
	struct digest one, other;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	check_string(of("abc", 3, 3), "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319", "of abc");
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		for (size_t step = 1; step <= sizeof(data); step += 1 + step / 2)
			if (!check_string(of(data, runs[i].bytes, step), runs[i].text, "of %zu bytes, %zu at a time", runs[i].bytes, step))
				break;
	}
	digest_begin(&one);
	digest_begin(&other);
	digest_add_number(&one, 0x0102030405060708);
	digest_add(&other, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
	check(!memcmp(&one, &other, sizeof(one)), "of a number, the lowest byte first");
	return check_end();
}
