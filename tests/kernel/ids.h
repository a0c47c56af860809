/* SPDX-License-Identifier: GPL-2.0 */
/* The ids of a session: what each stands for, and which rings have said so. */
#ifndef KTALLY_TEST_IDS_H
#define KTALLY_TEST_IDS_H

#include <stdint.h>

struct id {
	uint64_t id;
	uint64_t rings;		/* a bit for each ring that announced it */
	void *record;
};

struct ids {
	struct id *slots;
	uint64_t count;
	uint64_t size;		/* a power of two, or 0 */
};

struct id *ids_find(const struct ids *ids, uint64_t id);
/* Finds it or makes it; never NULL. */
struct id *ids_get(struct ids *ids, uint64_t id);
void ids_clear(struct ids *ids);

#endif /* KTALLY_TEST_IDS_H */
