// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "scene.h"
#include "unwind_user.h"

struct scene scene;

static u8 *memory(u64 address, size_t bytes)
{
	if (address >= STACK && address + bytes <= STACK + STACK_BYTES)
		return &scene.stack[address - STACK];
	if (address >= OTHER_STACK && address + bytes <= OTHER_STACK + STACK_BYTES)
		return &scene.other_stack[address - OTHER_STACK];
	return NULL;
}

bool read_user(u64 address, void *to, size_t bytes)
{
	const u8 *from = memory(address, bytes);

	scene.reads++;
	if (!from)
		return false;
	memcpy(to, from, bytes);
	return true;
}

void scene_begin(void)
{
	maker_free(&scene.maker);
	memset(&scene, 0, sizeof(scene));
	scene.depth = FRAMES_MAX;
	scene.registers.cs = __USER_CS;
	scene.registers.ip = CODE;
	scene.registers.sp = STACK + STACK_BYTES / 2;
	scene.mappings[0] = (struct mapping) { CODE, CODE + CODE_BYTES, CODE_OFFSET, 1, NULL };
	scene.mappings[1] = (struct mapping) { BARE, BARE + BARE_BYTES, 0, 2, NULL };
}

void scene_rule(u64 address, u64 bytes, struct ktally_unwind_rule rule)
{
	static const struct ktally_unwind_rule none;

	maker_add(&scene.maker, address - CODE + CODE_OFFSET, &rule);
	maker_add(&scene.maker, address - CODE + CODE_OFFSET + bytes, &none);
}

void scene_word(u64 address, u64 word)
{
	u8 *to = memory(address, sizeof(word));

	must(to);
	memcpy(to, &word, sizeof(word));
}

u64 scene_frame(u64 address)
{
	if (!scene.no_view && address >= CODE && address < CODE + CODE_BYTES)
		return KTALLY_FRAME_FILE << KTALLY_FRAME_TYPE_SHIFT | 1ULL << 36 | (address - CODE + CODE_OFFSET);
	if (!scene.no_view && address >= BARE && address < BARE + BARE_BYTES)
		return KTALLY_FRAME_FILE << KTALLY_FRAME_TYPE_SHIFT | 2ULL << 36 | (address - BARE);
	return KTALLY_FRAME_USER << KTALLY_FRAME_TYPE_SHIFT | address;
}

void scene_walk(void)
{
	struct ktally_view view = { scene.mappings, 2 };

	if (scene.maker.table.row_count) {
		scene.mappings[0].table = maker_finish(&scene.maker, CODE_OFFSET + CODE_BYTES);
		must(!ktally_table_check(scene.mappings[0].table));
	}
	scene.end = 0xff;
	scene.frames[scene.depth] = 0x1234567890abcdef;
	scene.count = ktally_unwind_user(&scene.registers, scene.no_view ? NULL : &view, scene.frames, scene.depth, &scene.end);
	must(scene.count <= scene.depth && scene.frames[scene.depth] == 0x1234567890abcdef);
	must(!opened.rcu && !opened.faults_off && !opened.access);
}

void scene_end(void)
{
	maker_free(&scene.maker);
}
