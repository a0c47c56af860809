// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/pool.h"

static size_t held(const struct map *holders, uint64_t key)
{
	return (uintptr_t)map_get(holders, key);
}

static void set_held(struct map *holders, uint64_t key, size_t amount)
{
	if (amount || map_get(holders, key))
		map_put(holders, key, (void *)(uintptr_t)amount);
}

static bool may_take(const struct pool *pool, const struct pool_holder *holder, size_t amount)
{
	size_t left;

	if (pool->used > pool->most || amount > pool->most - pool->used)
		return false;
	left = pool->most - pool->used - amount;
	if (pool->undivided)
		return true;
	return held(&pool->users, holder->user) + amount <= left &&
	       (!holder->process || held(&pool->processes, holder->process) + amount <= left / 2);
}

bool pool_has_room(struct pool *pool, const struct pool_holder *holder, size_t amount)
{
	if (may_take(pool, holder, amount))
		return true;
	pool->refused++;
	pool->last_refused = *holder;
	return false;
}

bool pool_take(struct pool *pool, const struct pool_holder *holder, size_t amount)
{
	if (!pool_has_room(pool, holder, amount))
		return false;
	pool->used += amount;
	set_held(&pool->users, holder->user, held(&pool->users, holder->user) + amount);
	if (holder->process)
		set_held(&pool->processes, holder->process, held(&pool->processes, holder->process) + amount);
	return true;
}

void pool_give(struct pool *pool, const struct pool_holder *holder, size_t amount)
{
	pool->used -= amount;
	set_held(&pool->users, holder->user, held(&pool->users, holder->user) - amount);
	if (holder->process)
		set_held(&pool->processes, holder->process, held(&pool->processes, holder->process) - amount);
}

size_t pool_of_user(const struct pool *pool, uint32_t user)
{
	return held(&pool->users, user);
}

void pool_free(struct pool *pool)
{
	map_free(&pool->users);
	map_free(&pool->processes);
}
