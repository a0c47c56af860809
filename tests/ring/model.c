// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An exhaustive check of kmod/ring.c, the file itself: compiled with RING_MODEL, each of its accesses to shared
 * memory calls model_access(), and there a more urgent context may come and run to its end, or the reader may take a
 * step. explore() goes through all choices, so what is claimed below holds for every schedule within the bounds of a
 * scenario.
 *
 * Contexts of a CPU see each other's accesses in program order, so between them sequential consistency is all there
 * is. The reader is on another CPU. Its view differs from the writer's in two ways, and both are choices:
 *
 *   - bytes of records reach it either at once or as late as the next store-release of the head lets them: what a
 *     plain store in its place would let it read too early, it reads too early here;
 *   - the writer sees any tail that the reader stored since the one it saw last.
 *
 * A head that the reader sees late is the same as a reader that is slow between its steps. That the writer's acquire
 * of the tail keeps its stores behind the reader's loads cannot be seen in a model whose writer stores in program
 * order: TSan sees it (stress.c, and the mutant of it in mutants.sh). Processors do not move a store ahead of a load
 * that it depends on.
 *
 * Only accesses that the other side can notice are points of choice for the reader: heads, tails and bytes of
 * records. It never touches the ring's private fields (but for published, when it is read()), so a step of it before
 * or after the access to one is the same step.
 */
#include <string.h>

#include "check.h"
#include "model.h"

#define ACCESSES_MAX	2000

const char * const level_names[] = { "task", "interrupt", "nmi" };
const struct scenario *scenario;
struct area area;
struct now now;
struct seen seen;
char late_data[BYTES];

/* -------------------------------------------------------------------------------- what is in the ring */

/* [old, new) is the current context's from now on: nobody else may need what was there. */
static void check_reserved(u64 old, u64 new)
{
	struct ktally_ring *ring = &area.ring;
	unsigned int i;

	if (new <= old)
		explore_fail("head goes back, from %llu to %llu", old, new);
	if (new - ring->published > BYTES)
		explore_fail("reserved over what is not published yet");
	for (i = 0; i < now.record_count; i++) {
		struct record *record = &now.records[i];

		if (!record->ended && new - record->position > BYTES)
			explore_fail("reserved over a record that the %s is writing", level_names[record->level]);
	}
	if (!scenario->hostile && new - now.tails[now.tail_count - 1] > BYTES)
		explore_fail("reserved over what the reader has not read");
	if (now.record_count == RECORDS_MAX)
		explore_fail("more than %d records in one run", RECORDS_MAX);
	now.records[now.record_count++] = (struct record) {
		.kind = LOSS, .level = now.level, .position = old, .bytes = new - old,
	};
}

static void check_visible(u64 head, const char *what)
{
	unsigned int i;

	if (head < now.visible)
		explore_fail("%s goes back, from %llu to %llu", what, now.visible, head);
	if (head > area.ring.head)
		explore_fail("%s is ahead of what is reserved", what);
	for (i = 0; i < now.record_count; i++) {
		const struct record *record = &now.records[i];

		if (record->position < head && !record->ended)
			explore_fail("%s covers a record that the %s is writing", what, level_names[record->level]);
	}
}

/* -------------------------------------------------------------------------------- what comes in between */

static void enter(enum level level)
{
	enum level outer = now.level;

	explore_tell("# the %s comes\n", level_names[level]);
	now.level = level;
	now.depth++;
	if (now.depth > seen.depth)
		seen.depth = now.depth;
	scenario->run[level]();
	now.depth--;
	now.level = outer;
	explore_tell("# the %s goes\n", level_names[level]);
}

void interfere(bool concerns_reader)
{
	for (;;) {
		enum { NOTHING, READER = LEVELS } ways[1 + LEVELS] = { NOTHING };
		unsigned int count = 1, level, way;

		if (now.nested < scenario->nested)
			for (level = now.level + 1; level < LEVELS; level++)
				ways[count++] = level;
		if (concerns_reader && now.steps < scenario->steps && reader_can_step())
			ways[count++] = READER;
		way = ways[explore_choose(count)];
		if (way == NOTHING)
			return;
		if (way == READER) {
			now.steps++;
			reader_step();
		} else {
			now.nested++;
			enter(way);
		}
	}
}

/* The tail that the writer is about to load. */
static u64 tail_now(void)
{
	const u64 head = area.ring.head;

	if (scenario->hostile) {
		const u64 lies[] = { head, head - BYTES, head + 8, now.visible, 0, ~0ULL };

		return lies[explore_choose(sizeof(lies) / sizeof(lies[0]))];
	}
	now.tail_seen += explore_choose(now.tail_count - now.tail_seen);
	if (now.tail_seen < now.tail_count - 1)
		seen.late++;
	return now.tails[now.tail_seen];
}

static void tell_access(enum model_access access, const volatile void *address, size_t bytes, u64 value,
			const char *what)
{
	static const char * const names[] = { "load", "store", "store-release", "compare and store", "stored, was" };

	if (access == MODEL_LOAD)
		value = bytes == 8 ? *(const volatile u64 *)address : *(const volatile u32 *)address;
	explore_tell("# %*s%s: %s %s = %lld\n", 2 * (int)now.level, "", level_names[now.level], names[access], what,
		     (long long)value);
}

void model_access(enum model_access access, volatile void *address, size_t bytes, u64 value, const char *what)
{
	struct ktally_ring *ring = &area.ring;
	const bool is_head = address == reader_head(), is_tail = address == &ring->consumer->tail;
	const bool is_reserved = address == &ring->head;

	if (++now.accesses > ACCESSES_MAX)
		explore_fail("does not come to an end");
	if (access == MODEL_EXCHANGED) {
		if (is_reserved)
			check_reserved(value, ring->head);
		if (explore_telling())
			tell_access(access, address, bytes, value, what);
		if (!now.quiet)
			interfere(is_reserved);		/* before anything is written there */
		return;
	}
	if (!now.quiet)
		interfere(is_head || is_tail);

	if (is_tail && access == MODEL_LOAD)
		ring->consumer->tail = now.tail = now.quiet ? now.tails[now.tail_count - 1] : tail_now();
	if (explore_telling())
		tell_access(access, address, bytes, value, what);
	if (access == MODEL_LOAD || access == MODEL_EXCHANGE)
		return;
	if (is_tail)
		explore_fail("writes to the reader's page");
	if (is_reserved)
		check_reserved(ring->head, value);
	if (address == &ring->published)
		check_visible(value, "published");
	if (address == &ring->producer->head)
		check_visible(value, "producer.head");
	if (is_head) {
		now.visible = value;
		if (access == MODEL_RELEASE && now.late)
			memcpy(late_data, ring->data, BYTES);
	}
}

/* -------------------------------------------------------------------------------- a run */

static void begin_run(void)
{
	struct ktally_ring *ring = &area.ring;

	memset(&now, 0, sizeof(now));
	memset(&reader, 0, sizeof(reader));
	area_reset(&area, START);
	if (scenario->room < BYTES) {
		struct record *filler = &now.records[now.record_count++];
		char *data;
		u32 word;

		*filler = (struct record) {
			.kind = FILLER, .position = START - (BYTES - scenario->room), .bytes = BYTES - scenario->room,
			.ended = true,
		};
		data = (char *)ring->data + (filler->position & (BYTES - 1));
		*(struct ktally_record *)data = header_of(filler);
		for (word = 0; word < WORDS; word++)
			*(u64 *)(data + offset_of(filler, word)) = word_of(filler, word);
		ring->consumer->tail = filler->position;
	}
	reader.position = ring->consumer->tail;
	reader.head = ring->consumer->tail;
	now.tails[now.tail_count++] = ring->consumer->tail;
	now.visible = START;
	if (scenario->steps)
		now.late = explore_choose(2);
	if (now.late)
		memcpy(late_data, ring->data, BYTES);
}

static void check_shown(void)
{
	const struct ktally_ring *ring = &area.ring;

	if (memcmp(ring->lost, now.lost, sizeof(now.lost)))
		explore_fail("losses were not counted right");
	if (memcmp(ring->producer->lost, now.lost, sizeof(now.lost)))
		explore_fail("the producer page shows stale losses after an announcement");
}

static void check_rest(void)
{
	const struct ktally_ring *ring = &area.ring;

	if (ring->nest)
		explore_fail("nest is %u when all have left", ring->nest);
	if (ring->published != ring->head || ring->producer->head != ring->head)
		explore_fail("all have left, and head %llu is published up to %llu, visible up to %llu", ring->head,
			     ring->published, ring->producer->head);
}

/* One run: the task, and whatever came. Then all is quiet, and the books must balance. */
static void run(void)
{
	struct ktally_ring *ring = &area.ring;
	enum level level;
	u32 cause;

	begin_run();
	enter(TASK);
	now.quiet = true;
	check_rest();
	if (scenario->hostile) {
		now.tails[0] = ring->head;
		announces();
		check_shown();
		return;
	}

	announces();
	check_shown();
	read_all();
	announces();
	check_rest();
	read_all();
	if (reader.position != ring->head || ktally_ring_unread(ring))
		explore_fail("read everything, and %llu bytes are left", ktally_ring_unread(ring));
	for (cause = 0; cause < KTALLY_LOST_CAUSES; cause++)
		if (memcmp(&reader.lost[cause], &now.lost[cause], sizeof(now.lost[cause])))
			explore_fail("LOST records of cause %u say %llu lost standing for %llu, it was %llu for %llu",
				     cause, reader.lost[cause].count, reader.lost[cause].weight,
				     now.lost[cause].count, now.lost[cause].weight);
	for (level = TASK; level < LEVELS; level++) {
		reader.missing[level] += now.sequence[level] - reader.sequence[level];
		if (reader.missing[level] != now.missing[level])
			explore_fail("%llu records of the %s are missing, it lost %llu", reader.missing[level],
				     level_names[level], now.missing[level]);
	}
}

int main(void)
{
	u64 runs, all = 0, full = 0, read = 0, told = 0, late = 0;
	unsigned int depth = 0, i;

	if (area_map(&area, BYTES))
		return 1;
	for (i = 0; i < scenario_count; i++) {
		bool right;

		scenario = &scenarios[i];
		memset(&seen, 0, sizeof(seen));
		right = explore(run, &runs);
		if (!check(right, "%s: %llu schedules, up to %u contexts deep", scenario->name, runs, seen.depth))
			return check_end();
		if (runs < scenario->runs_least)
			check(runs >= scenario->runs_least, "%s: as many schedules as there were once", scenario->name);
		all += runs;
		depth = seen.depth > depth ? seen.depth : depth;
		full += seen.full;
		read += seen.read;
		told += seen.told;
		late += seen.late;
	}
	printf("# %llu schedules: %llu records read, %llu found no room, %llu LOST records, %llu late tails\n", all, read,
	       full, told, late);
	check(depth == LEVELS && full && read && told && late, "everything happened that was to be tried");
	area_unmap(&area);
	return check_end();
}
