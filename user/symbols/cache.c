// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbols/file.h"

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
	cache->bytes -= file->bytes;
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
	return file;
}

void cache_put(struct cache *cache, uint64_t key, struct file *file)
{
	struct file *before = map_get(&cache->files, key);

	if (before)
		drop(cache, before);
	file->key = key;
	map_put(&cache->files, key, file);
	link_newest(cache, file);
	cache->bytes += file->bytes;
	while (cache->bytes > cache->most_bytes && cache->oldest != file) {
		drop(cache, cache->oldest);
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
}
