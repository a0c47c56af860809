// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The profile as OTLP profiles, opentelemetry-proto v1.11 (which is v1.10 on the wire; the signal is in development and its field
 * numbers have changed before, without anything on the wire to tell by): an ExportProfilesServiceRequest, or the same bytes as
 * ProfilesData in a file. A resource for each owner, with the attributes that it has in metrics (resource.h). In it are up to two
 * profiles:
 *
 *	cpu, nanoseconds		of what ran; period: of the nominal rate
 *	off_cpu, nanoseconds		of what was waited for
 *
 * A sample is all the time of one stack in one thread, and for one cause if it waited. Its attributes:
 *
 *	process.executable.name		where the resource does not say it: with a coarser level than process, or in "other"
 *	process.pid, thread.id, thread.name
 *	ktally.area			what the stack is about (class.h)
 *	ktally.cause			of a wait (wait.h)
 *	ktally.category			of the user's categories that whose self time it is
 *	ktally.categories		those that it is in: a list
 *	ktally.syscall			the system call that it is in
 *	ktally.stack.end		of a stack that is not whole: how it ended, see stack_end_names
 *
 * A profile has ktally.samples.lost if anything was. Of frames see dictionary.c.
 *
 * The same profile gives the same bytes.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/message.h"
#include "export/cells.h"
#include "export/dictionary.h"
#include "export/export.h"
#include "export/label.h"
#include "export/output.h"
#include "export/protobuf.h"
#include "export/resource.h"
#include "lib/libktally.h"

enum {
	REQUEST_RESOURCE_PROFILES = 1, REQUEST_DICTIONARY = 2,
	RESOURCE_PROFILES_RESOURCE = 1, RESOURCE_PROFILES_SCOPE_PROFILES = 2,
	RESOURCE_ATTRIBUTES = 1,
	SCOPE_PROFILES_SCOPE = 1, SCOPE_PROFILES_PROFILES = 2,
	SCOPE_NAME = 1, SCOPE_VERSION = 2,
	KEY_VALUE_KEY = 1, KEY_VALUE_VALUE = 2,
	ANY_VALUE_STRING = 1,

	PROFILE_SAMPLE_TYPE = 1, PROFILE_SAMPLES = 2, PROFILE_TIME = 3, PROFILE_DURATION = 4, PROFILE_PERIOD_TYPE = 5,
	PROFILE_PERIOD = 6, PROFILE_ID = 7, PROFILE_ATTRIBUTES = 11,
	VALUE_TYPE_TYPE = 1, VALUE_TYPE_UNIT = 2,
	SAMPLE_STACK = 1, SAMPLE_ATTRIBUTES = 2, SAMPLE_VALUES = 4,
};

/* What a sample is, as its first fields, in the identities of the profile that is being written; and how much of it there is. */
struct sample {
	size_t start, bytes;
	uint64_t value;
};

struct encoder {
	const struct profile *profile;
	const struct export_host *host;
	size_t most_bytes;
	export_request *take;
	void *context;

	/* Of the request. */
	struct dictionary dictionary;
	struct buffer resources;
	size_t sample_count;
	uint32_t requests;

	/* Of the resource. */
	const struct owner *owner;
	struct buffer profiles;

	/* Of the profile. */
	uint32_t source;
	struct buffer identities;
	struct sample *samples;
	size_t count, room;
	struct map places;			/* hash of the identity -> index in samples, and one */
	struct cell_categories categories;
};

/* ---- samples ---- */

/* The user part's end says more: the kernel's is nearly always whole. */
static const char *end_of(const struct stack *stack)
{
	uint8_t end = stack->user_end > KTALLY_END_COMPLETE ? stack->user_end : stack->kernel_end;

	return end > KTALLY_END_COMPLETE && end < STACK_ENDS ? stack_end_names[end] : NULL;
}

static const char *process_apart_from(const struct owner *owner, const struct task *task)
{
	const char *process = owner->values[OWNER_PROCESS];

	return process && !strcmp(process, task->process_name) ? NULL : task->process_name;
}

/* Which attributes, and in which order, is the same for all, so equal sets are equal bytes. */
static void add_identity(struct encoder *encoder, const struct profile_cell *cell)
{
	const struct stack *stack = cell->stack;
	struct dictionary *dictionary = &encoder->dictionary;
	struct cell_categories *categories = &encoder->categories;
	struct buffer indices = { 0 };

	cell_categories(categories, encoder->profile, cell);
	protobuf_integer(&encoder->identities, SAMPLE_STACK, dictionary_stack(dictionary, stack));
	dictionary_text(dictionary, &indices, "process.executable.name", process_apart_from(encoder->owner, cell->task));
	dictionary_integer(dictionary, &indices, "process.pid", cell->task->pid);
	dictionary_integer(dictionary, &indices, "thread.id", cell->task->tid);
	dictionary_text(dictionary, &indices, "thread.name", cell->task->comm);
	dictionary_text(dictionary, &indices, "ktally.area", stack->class.area);
	dictionary_text(dictionary, &indices, "ktally.cause", cell->cause);
	dictionary_text(dictionary, &indices, "ktally.category", categories->self);
	dictionary_texts(dictionary, &indices, "ktally.categories", categories->inclusive, categories->count);
	dictionary_text(dictionary, &indices, "ktally.syscall", stack->class.syscall_name);
	dictionary_text(dictionary, &indices, "ktally.stack.end", end_of(stack));
	protobuf_message(&encoder->identities, SAMPLE_ATTRIBUTES, &indices);
	buffer_free(&indices);
}

/* Of samples that are of the same stack and have the same attributes there is one. */
static void add_sample(struct encoder *encoder, const struct profile_cell *cell)
{
	size_t start = encoder->identities.bytes, bytes, index;
	uint64_t key;

	add_identity(encoder, cell);
	bytes = encoder->identities.bytes - start;
	key = hash_bytes(encoder->identities.data + start, bytes, encoder->dictionary.seed);
	while ((index = (uintptr_t)map_get(&encoder->places, key))) {
		struct sample *sample = &encoder->samples[index - 1];

		if (sample->bytes == bytes && !memcmp(encoder->identities.data + sample->start, encoder->identities.data + start, bytes)) {
			sample->value += cell->weight;
			encoder->identities.bytes = start;
			return;
		}
		key++;
	}
	if (encoder->count == encoder->room) {
		encoder->room = encoder->room ? encoder->room * 2 : 256;
		encoder->samples = memory_resized(encoder->samples, encoder->room, sizeof(*encoder->samples));
	}
	encoder->samples[encoder->count++] = (struct sample){ start, bytes, cell->weight };
	map_put(&encoder->places, key, (void *)(uintptr_t)encoder->count);
}

static void write_samples(struct encoder *encoder, struct buffer *profile)
{
	struct buffer message = { 0 }, values = { 0 };

	for (size_t i = 0; i < encoder->count; i++) {
		const struct sample *sample = &encoder->samples[i];

		buffer_clear(&message);
		buffer_clear(&values);
		buffer_append(&message, encoder->identities.data + sample->start, sample->bytes);
		protobuf_varint(&values, sample->value <= INT64_MAX ? sample->value : INT64_MAX);
		protobuf_message(&message, SAMPLE_VALUES, &values);
		protobuf_message(profile, PROFILE_SAMPLES, &message);
	}
	buffer_free(&values);
	buffer_free(&message);
}

/* ---- profiles ---- */

static void write_value_type(struct encoder *encoder, struct buffer *profile, unsigned int field, const char *type, const char *unit)
{
	struct buffer message = { 0 };

	protobuf_integer(&message, VALUE_TYPE_TYPE, dictionary_string(&encoder->dictionary, type));
	protobuf_integer(&message, VALUE_TYPE_UNIT, dictionary_string(&encoder->dictionary, unit));
	protobuf_message(profile, field, &message);
	buffer_free(&message);
}

/* The same profile, sent again, has the same identifier. */
static void write_id(const struct encoder *encoder, struct buffer *profile)
{
	const struct export_host *host = encoder->host;
	const char *const texts[] = { host->name, host->id };
	uint64_t times[2], id[2];

	times[0] = hash_words(export_realtime(host, encoder->profile->first_time), encoder->profile->last_time);
	times[1] = hash_words(encoder->source, encoder->requests);
	for (unsigned int half = 0; half < 2; half++) {
		id[half] = hash_bytes(times, sizeof(times), half);
		for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
			id[half] = texts[i] ? hash_bytes(texts[i], strlen(texts[i]), id[half]) : id[half];
		for (enum owner_key key = 0; key < OWNER_KEYS; key++) {
			const char *value = encoder->owner->values[key];

			id[half] = value ? hash_bytes(value, strlen(value), id[half] + key) : id[half];
		}
	}
	id[1] |= 1;		/* all zeros would be no identifier */
	protobuf_bytes(profile, PROFILE_ID, id, sizeof(id));
}

static void write_losses(struct encoder *encoder, struct buffer *profile)
{
	const struct ktally_loss *lost = encoder->profile->lost;
	uint64_t count = lost[KTALLY_LOST_FULL].count + lost[KTALLY_LOST_BUSY].count;
	struct buffer indices = { 0 };

	if (count) {
		dictionary_integer(&encoder->dictionary, &indices, "ktally.samples.lost", count);
		protobuf_message(profile, PROFILE_ATTRIBUTES, &indices);
	}
	buffer_free(&indices);
}

static void end_profile(struct encoder *encoder)
{
	const struct profile *from = encoder->profile;
	bool ran = encoder->source == KTALLY_SOURCE_ONCPU;
	struct buffer profile = { 0 };

	if (!encoder->count)
		return;
	write_value_type(encoder, &profile, PROFILE_SAMPLE_TYPE, ran ? "cpu" : "off_cpu", "nanoseconds");
	write_samples(encoder, &profile);
	protobuf_fixed(&profile, PROFILE_TIME, export_realtime(encoder->host, from->first_time));
	protobuf_integer(&profile, PROFILE_DURATION, from->last_time - from->first_time + 1);	/* its end is not in it */
	if (ran && encoder->host->rate) {
		write_value_type(encoder, &profile, PROFILE_PERIOD_TYPE, "cpu", "nanoseconds");
		protobuf_integer(&profile, PROFILE_PERIOD, 1000000000 / encoder->host->rate);
	}
	write_id(encoder, &profile);
	write_losses(encoder, &profile);
	protobuf_message(&encoder->profiles, SCOPE_PROFILES_PROFILES, &profile);
	buffer_free(&profile);

	encoder->sample_count += encoder->count;
	encoder->count = 0;
	map_free(&encoder->places);
	buffer_clear(&encoder->identities);
}

/* ---- resources and requests ---- */

/* Keys and values as they are here too, although the dictionary may be referred to: collectors up to 0.159 lose those that are not. */
static void add_resource_attribute(struct buffer *resource, const char *key, const char *string)
{
	struct buffer attribute = { 0 }, value = { 0 }, clean = { 0 };

	label_text(&clean, string, NULL);
	protobuf_message(&value, ANY_VALUE_STRING, &clean);
	protobuf_bytes(&attribute, KEY_VALUE_KEY, key, strlen(key));
	protobuf_message(&attribute, KEY_VALUE_VALUE, &value);
	protobuf_message(resource, RESOURCE_ATTRIBUTES, &attribute);
	buffer_free(&clean);
	buffer_free(&value);
	buffer_free(&attribute);
}

static void write_resource(const struct encoder *encoder, struct buffer *resource)
{
	struct resource_attribute attributes[RESOURCE_ATTRIBUTES_MOST];
	size_t count = resource_attributes(encoder->host, encoder->owner, attributes);

	for (size_t i = 0; i < count; i++)
		add_resource_attribute(resource, attributes[i].key, attributes[i].value);
}

static void end_resource(struct encoder *encoder)
{
	struct buffer resource = { 0 }, scope = { 0 }, scope_profiles = { 0 }, message = { 0 };

	end_profile(encoder);
	if (!encoder->profiles.bytes)
		return;
	write_resource(encoder, &resource);
	protobuf_bytes(&scope, SCOPE_NAME, "ktally", strlen("ktally"));
	protobuf_bytes(&scope, SCOPE_VERSION, ktally_version(), strlen(ktally_version()));
	protobuf_message(&scope_profiles, SCOPE_PROFILES_SCOPE, &scope);
	buffer_append(&scope_profiles, encoder->profiles.data, encoder->profiles.bytes);
	protobuf_message(&message, RESOURCE_PROFILES_RESOURCE, &resource);
	protobuf_message(&message, RESOURCE_PROFILES_SCOPE_PROFILES, &scope_profiles);
	protobuf_message(&encoder->resources, REQUEST_RESOURCE_PROFILES, &message);
	buffer_clear(&encoder->profiles);
	buffer_free(&message);
	buffer_free(&scope_profiles);
	buffer_free(&scope);
	buffer_free(&resource);
}

/* 0 or what the taker said. */
static int end_request(struct encoder *encoder)
{
	int error;

	end_resource(encoder);
	if (!encoder->sample_count)
		return 0;
	protobuf_message(&encoder->resources, REQUEST_DICTIONARY, &encoder->dictionary.message);
	error = encoder->take(encoder->context, &encoder->resources, encoder->sample_count);
	encoder->requests++;
	encoder->sample_count = 0;
	buffer_clear(&encoder->resources);
	dictionary_free(&encoder->dictionary);
	dictionary_init(&encoder->dictionary);
	return error;
}

static size_t request_bytes(const struct encoder *encoder)
{
	return encoder->resources.bytes + encoder->profiles.bytes + encoder->identities.bytes + 16 * encoder->count +
	       encoder->dictionary.message.bytes;
}

/* ---- cells in the order of resources and profiles ---- */

struct entry {
	const struct profile_cell *cell;
	const struct owner *owner;
	uint32_t source;
	uint64_t group_weight;
	size_t place;			/* among the cells, heaviest first */
};

/* By owner, the one with the most time first; then by source, what ran first; then by weight. */
static int compare_entries(const void *a, const void *b)
{
	const struct entry *first = a, *second = b;

	if (first->group_weight != second->group_weight)
		return first->group_weight < second->group_weight ? 1 : -1;
	if (first->owner != second->owner)
		return owner_compare(first->owner, second->owner);
	if (first->source != second->source)
		return first->source < second->source ? -1 : 1;
	return first->place < second->place ? -1 : first->place > second->place;
}

static struct entry *entries_sorted(const struct profile *profile, uint32_t sources, size_t *count)
{
	const uint32_t all[] = { KTALLY_SOURCE_ONCPU, KTALLY_SOURCE_OFFCPU };
	struct entry *entries = memory_zeroed(profile->oncpu.cells.used + profile->offcpu.cells.used + 1, sizeof(*entries));
	struct map weights = { 0 };	/* owner -> weight, as a number */

	*count = 0;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		size_t found;
		const struct profile_cell **cells = cells_sorted(profile, sources & all[i], &found);

		for (size_t j = 0; j < found; j++) {
			const struct owner *owner = cells[j]->task->owner;
			uint64_t weight = (uintptr_t)map_get(&weights, (uintptr_t)owner) + cells[j]->weight;

			if (!cells[j]->weight)
				continue;
			map_put(&weights, (uintptr_t)owner, (void *)(uintptr_t)weight);
			entries[(*count)++] = (struct entry){ cells[j], owner, all[i], 0, j };
		}
		free(cells);
	}
	for (size_t i = 0; i < *count; i++)
		entries[i].group_weight = (uintptr_t)map_get(&weights, (uintptr_t)entries[i].owner);
	map_free(&weights);
	qsort(entries, *count, sizeof(*entries), compare_entries);
	return entries;
}

int export_profiles(const struct profile *profile, uint32_t sources, const struct export_host *host, size_t most_bytes,
		    export_request *take, void *context)
{
	struct encoder encoder = { .profile = profile, .host = host, .most_bytes = most_bytes, .take = take, .context = context };
	size_t count;
	struct entry *entries = entries_sorted(profile, sources, &count);
	int error = 0;

	dictionary_init(&encoder.dictionary);
	for (size_t i = 0; i < count && !error; i++) {
		const struct entry *entry = &entries[i];

		if (encoder.owner != entry->owner)
			end_resource(&encoder);
		else if (encoder.source != entry->source)
			end_profile(&encoder);
		encoder.owner = entry->owner;
		encoder.source = entry->source;
		add_sample(&encoder, entry->cell);
		if (request_bytes(&encoder) >= most_bytes)
			error = end_request(&encoder);
	}
	if (!error)
		error = end_request(&encoder);
	free(entries);
	dictionary_free(&encoder.dictionary);
	map_free(&encoder.places);
	free(encoder.categories.inclusive);
	buffer_free(&encoder.resources);
	buffer_free(&encoder.profiles);
	buffer_free(&encoder.identities);
	free(encoder.samples);
	return error;
}

static int write_request(void *context, const struct buffer *request, size_t samples)
{
	struct output *output = context;

	(void)samples;
	output_write(output, request->data, request->bytes);
	return output->error;
}

int export_otlp(FILE *file, const struct profile *profile, uint32_t sources, const struct export_host *host)
{
	struct output output = { .file = file };

	export_profiles(profile, sources, host, SIZE_MAX, write_request, &output);
	return output_finish(&output);
}
