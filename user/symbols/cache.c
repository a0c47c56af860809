// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/pool.h"
#include "symbols/file.h"

/* What nobody has asked for yet is its own user's. */
static uint32_t user_of(const struct file *file)
{
	return file->claimed ? file->user : POOL_NOBODY;
}

static void account(struct cache *cache, const struct file *file, int sign)
{
	uintptr_t bytes = (uintptr_t)map_get(&cache->users, user_of(file));

	bytes = sign > 0 ? bytes + file->bytes : bytes - file->bytes;
	map_put(&cache->users, user_of(file), (void *)bytes);
	cache->bytes = sign > 0 ? cache->bytes + file->bytes : cache->bytes - file->bytes;
}

static void unlink_file(struct cache *cache, struct file *file)
{
	if (file->newer)
		file->newer->older = file->older;
	else
		cache->newest = file->older;
	if (file->older)
		file->older->newer = file->newer;
	else
		cache->oldest = file->newer;
}

static void link_newest(struct cache *cache, struct file *file)
{
	file->newer = NULL;
	file->older = cache->newest;
	if (cache->newest)
		cache->newest->newer = file;
	else
		cache->oldest = file;
	cache->newest = file;
}

static void take(struct cache *cache, struct file *file)
{
	unlink_file(cache, file);
	map_remove(&cache->files, file->key);
	account(cache, file, -1);
}

static void drop(struct cache *cache, struct file *file)
{
	take(cache, file);
	file_free(file);
}

struct file *cache_get(struct cache *cache, uint64_t key)
{
	struct file *file = map_get(&cache->files, key);

	if (file && file != cache->newest) {
		unlink_file(cache, file);
		link_newest(cache, file);
	}
	if (file && !file->claimed) {
		account(cache, file, -1);
		file->claimed = true;
		file->user = cache->user;
		account(cache, file, 1);
	}
	return file;
}

/*
 * Beside this one: of the user who has most, what was used longest ago. NULL: what the others have is to stay, which is half of all
 * there may be; a file may be as large as that by itself, and nobody knows yet whose it is.
 */
static struct file *expendable(const struct cache *cache, const struct file *but)
{
	uint64_t user = POOL_NOBODY;
	uintptr_t most = 0;
	struct file *file;

	if (cache->bytes - but->bytes <= cache->most_bytes / 2)
		return NULL;
	for (struct map_slot *slot = map_next(&cache->users, NULL); slot; slot = map_next(&cache->users, slot)) {
		uintptr_t bytes = (uintptr_t)slot->value - (slot->key == user_of(but) ? but->bytes : 0);

		if (bytes > most) {
			most = bytes;
			user = slot->key;
		}
	}
	for (file = cache->oldest; file && (file == but || user_of(file) != user); file = file->newer)
		;
	return file;
}

void cache_put(struct cache *cache, uint64_t key, struct file *file)
{
	struct file *before = map_get(&cache->files, key), *other;

	if (before)
		drop(cache, before);
	file->key = key;
	map_put(&cache->files, key, file);
	link_newest(cache, file);
	account(cache, file, 1);
	while (cache->bytes > cache->most_bytes && (other = expendable(cache, file))) {
		drop(cache, other);
		cache->evicted++;
	}
}

struct file *cache_take(struct cache *cache, uint64_t key)
{
	struct file *file = map_get(&cache->files, key);

	if (file)
		take(cache, file);
	return file;
}

void cache_free(struct cache *cache)
{
	while (cache->oldest)
		drop(cache, cache->oldest);
	map_free(&cache->files);
	map_free(&cache->users);
}
