/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of the OTLP profiles data model, as the comments of opentelemetry-proto v1.11 and the specification have them, held
 * against any bytes. What is SHOULD there is a must here. What is broken comes out as lines "RULE: what".
 */
#ifndef KTALLY_PROFILE_RULES_H
#define KTALLY_PROFILE_RULES_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/map.h"
#include "base/message.h"
#include "profiles.pb-c.h"
#include "symbols/printable.h"

enum { MAPPINGS, LOCATIONS, FUNCTIONS, LINKS, STRINGS, ATTRIBUTES, STACKS, TABLES };

struct rules {
	struct buffer *findings;
	size_t count;
	const Profiles__ProfilesDictionary *dictionary;
	size_t sizes[TABLES];
	bool *used[TABLES];		/* is anything that is used refers to it */
	uint64_t samples;
	int64_t value;			/* of all samples */
};

__attribute__((format(printf, 3, 4)))
static inline void rules_broken(struct rules *rules, const char *rule, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (rules->count++ < 50)
		buffer_format(rules->findings, "%s: %s\n", rule, text);
}

/* ---- anything at all ---- */

static inline void rules_text(struct rules *rules, const char *field, const char *text)
{
	char *copy = memory_string(text);

	printable(copy, strlen(copy));
	if (strcmp(copy, text))
		rules_broken(rules, "utf8", "%s is not well-formed, or has control characters", field);
	free(copy);
}

/* No field that the schema does not have, and no string that is none. */
static inline void rules_message(struct rules *rules, const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;

	for (unsigned int i = 0; i < message->n_unknown_fields; i++)
		rules_broken(rules, "unknown", "field %u of %s", message->unknown_fields[i].tag, descriptor->short_name);
	for (unsigned int i = 0; i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
		const void *place = (const char *)message + field->offset;
		size_t count = 1;

		if (field->type != PROTOBUF_C_TYPE_MESSAGE && field->type != PROTOBUF_C_TYPE_STRING)
			continue;
		if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF && *(const uint32_t *)((const char *)message + field->quantifier_offset) != field->id)
			continue;
		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			count = *(const size_t *)((const char *)message + field->quantifier_offset);
			place = *(const void *const *)place;
		}
		for (size_t j = 0; j < count; j++) {
			const void *value = ((const void *const *)place)[j];

			if (value && field->type == PROTOBUF_C_TYPE_STRING)
				rules_text(rules, field->name, value);
			else if (value)
				rules_message(rules, value);
		}
	}
}

/* ---- references ---- */

/* The reference is used, if it is one at all. */
static inline bool rules_use(struct rules *rules, int table, int32_t index, const char *what)
{
	if (index < 0 || (size_t)index >= rules->sizes[table]) {
		rules_broken(rules, "index", "%s %d of %zu", what, index, rules->sizes[table]);
		return false;
	}
	rules->used[table][index] = true;
	return true;
}

static inline const char *rules_string(struct rules *rules, int32_t index, const char *what)
{
	return rules_use(rules, STRINGS, index, what) ? rules->dictionary->string_table[index] : "";
}

static inline const Profiles__KeyValueAndUnit *rules_find(struct rules *rules, const int32_t *indices, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++) {
		const Profiles__KeyValueAndUnit *attribute = indices[i] >= 0 && (size_t)indices[i] < rules->sizes[ATTRIBUTES] ?
							     rules->dictionary->attribute_table[indices[i]] : NULL;

		if (attribute && !strcmp(rules_string(rules, attribute->key_strindex, "key"), key))
			return attribute;
	}
	return NULL;
}

static inline void rules_attributes(struct rules *rules, const int32_t *indices, size_t count, const char *what)
{
	for (size_t i = 0; i < count; i++) {
		const char *key;

		if (!rules_use(rules, ATTRIBUTES, indices[i], "attribute"))
			continue;
		if (!indices[i]) {
			rules_broken(rules, "attribute", "of a %s is none", what);
			continue;
		}
		key = rules_string(rules, rules->dictionary->attribute_table[indices[i]]->key_strindex, "key");
		if (rules_find(rules, indices, i, key))
			rules_broken(rules, "attribute", "a %s has %s twice", what, key);
	}
}

/* ---- samples and profiles ---- */

enum { SHAPE_NONE, SHAPE_VALUE, SHAPE_TIMES, SHAPE_BOTH };

static inline int rules_shape(struct rules *rules, const Profiles__Sample *sample)
{
	if (sample->n_values && sample->n_timestamps_unix_nano) {
		if (sample->n_values != sample->n_timestamps_unix_nano)
			rules_broken(rules, "shape", "%zu values and %zu times", sample->n_values, sample->n_timestamps_unix_nano);
		return SHAPE_BOTH;
	}
	if (sample->n_values > 1)
		rules_broken(rules, "shape", "%zu values without times", sample->n_values);
	if (!sample->n_values && !sample->n_timestamps_unix_nano)
		rules_broken(rules, "shape", "a sample with neither value nor time");
	return sample->n_values ? SHAPE_VALUE : SHAPE_TIMES;
}

static inline int rules_compare(const void *a, const void *b)
{
	const int32_t first = *(const int32_t *)a, second = *(const int32_t *)b;

	return first < second ? -1 : first > second;
}

/* Equal bytes give the same number; strings of the interning kind have no zero bytes. */
static inline uint64_t rules_number(const void *data, size_t bytes)
{
	struct buffer text = { 0 };
	uint64_t number;

	for (size_t i = 0; i < bytes; i++)
		buffer_append(&text, &"0123456789abcdef"[((const uint8_t *)data)[i] >> 4], 1), buffer_append(&text, &"0123456789abcdef"[((const uint8_t *)data)[i] & 15], 1);
	number = (uintptr_t)intern_bytes(text.data, text.bytes);
	buffer_free(&text);
	return number;
}

/* Stack, set of attributes and link are one sample's alone. */
static inline void rules_identity(struct rules *rules, struct map *seen, const Profiles__Sample *sample)
{
	struct buffer identity = { 0 };

	buffer_append(&identity, &sample->stack_index, sizeof(int32_t));
	buffer_append(&identity, &sample->link_index, sizeof(int32_t));
	buffer_append(&identity, sample->attribute_indices, sample->n_attribute_indices * sizeof(int32_t));
	qsort(identity.data + 2 * sizeof(int32_t), sample->n_attribute_indices, sizeof(int32_t), rules_compare);
	if (map_put(seen, rules_number(identity.data, identity.bytes), rules))
		rules_broken(rules, "identity", "two samples of stack %d with the same attributes", sample->stack_index);
	buffer_free(&identity);
}

static inline void rules_samples(struct rules *rules, const Profiles__Profile *profile)
{
	struct map seen = { 0 };
	int shape = SHAPE_NONE;

	for (size_t i = 0; i < profile->n_samples; i++) {
		const Profiles__Sample *sample = profile->samples[i];
		int this = rules_shape(rules, sample);

		if (shape != SHAPE_NONE && this != shape)
			rules_broken(rules, "shape", "samples of a profile differ in it");
		shape = this;
		rules_identity(rules, &seen, sample);
		rules_use(rules, STACKS, sample->stack_index, "stack");
		rules_use(rules, LINKS, sample->link_index, "link");
		rules_attributes(rules, sample->attribute_indices, sample->n_attribute_indices, "sample");
		for (size_t j = 0; j < sample->n_values; j++) {
			if (sample->values[j] <= 0)
				rules_broken(rules, "value", "%" PRId64 " is nothing", sample->values[j]);
			rules->value += sample->values[j];
		}
		for (size_t j = 0; j < sample->n_timestamps_unix_nano; j++) {
			if (sample->timestamps_unix_nano[j] - profile->time_unix_nano >= profile->duration_nano)
				rules_broken(rules, "time", "a sample is outside of its profile");
		}
	}
	rules->samples += profile->n_samples;
	map_free(&seen);
}

static inline bool rules_value_type(struct rules *rules, const Profiles__ValueType *type, const char *what)
{
	static const char *const units[] = { "nanoseconds", "count", "bytes" };
	const char *unit = type ? rules_string(rules, type->unit_strindex, "unit") : "";

	if (!type || !*rules_string(rules, type->type_strindex, "type")) {
		rules_broken(rules, "type", "%s has no type", what);
		return false;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!strcmp(unit, units[i]))
			return true;
	}
	rules_broken(rules, "type", "\"%s\" is not a unit", unit);
	return false;
}

static inline void rules_profile(struct rules *rules, const Profiles__Profile *profile)
{
	static const uint8_t zeros[16];

	rules_value_type(rules, profile->sample_type, "a profile");
	if (profile->period || profile->period_type) {
		rules_value_type(rules, profile->period_type, "a period");
		if (profile->period <= 0)
			rules_broken(rules, "type", "a period of %" PRId64, profile->period);
	}
	if (!profile->time_unix_nano || !profile->duration_nano)
		rules_broken(rules, "time", "a profile of no time");
	if (profile->profile_id.len && (profile->profile_id.len != 16 || !memcmp(profile->profile_id.data, zeros, 16)))
		rules_broken(rules, "id", "not 16 bytes that are not all zero");
	if (!*profile->original_payload_format != !profile->original_payload.len)
		rules_broken(rules, "payload", "its format without it, or the other way round");
	if (!profile->n_samples)
		rules_broken(rules, "empty", "a profile without samples");
	rules_attributes(rules, profile->attribute_indices, profile->n_attribute_indices, "profile");
	rules_samples(rules, profile);
}

/* What is above profiles cannot refer to the dictionary with collectors up to v0.159. */
static inline void rules_key_values(struct rules *rules, Profiles__KeyValue *const *attributes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (attributes[i]->key_strindex || !*attributes[i]->key || !attributes[i]->value ||
		    attributes[i]->value->value_case == PROFILES__ANY_VALUE__VALUE_STRING_VALUE_STRINDEX ||
		    attributes[i]->value->value_case == PROFILES__ANY_VALUE__VALUE__NOT_SET)
			rules_broken(rules, "inline", "attribute %zu of a resource or scope", i);
		for (size_t j = 0; j < i; j++) {
			if (!strcmp(attributes[i]->key, attributes[j]->key))
				rules_broken(rules, "attribute", "a resource has %s twice", attributes[i]->key);
		}
	}
}

static inline void rules_resource(struct rules *rules, const Profiles__ResourceProfiles *resource)
{
	if (!resource->resource || !resource->resource->n_attributes)
		rules_broken(rules, "empty", "nothing says what a resource is");
	else
		rules_key_values(rules, resource->resource->attributes, resource->resource->n_attributes);
	if (!resource->n_scope_profiles)
		rules_broken(rules, "empty", "a resource without profiles");
	for (size_t i = 0; i < resource->n_scope_profiles; i++) {
		const Profiles__ScopeProfiles *scope = resource->scope_profiles[i];

		if (!scope->scope || !*scope->scope->name)
			rules_broken(rules, "empty", "a scope without a name");
		else
			rules_key_values(rules, scope->scope->attributes, scope->scope->n_attributes);
		if (!scope->n_profiles)
			rules_broken(rules, "empty", "a scope without profiles");
		for (size_t j = 0; j < scope->n_profiles; j++)
			rules_profile(rules, scope->profiles[j]);
	}
}

/* ---- what is used of the dictionary, from samples downwards ---- */

static inline void rules_stacks(struct rules *rules)
{
	for (size_t i = 0; i < rules->sizes[STACKS]; i++) {
		const Profiles__Stack *stack = rules->dictionary->stack_table[i];

		for (size_t j = 0; rules->used[STACKS][i] && j < stack->n_location_indices; j++) {
			if (rules_use(rules, LOCATIONS, stack->location_indices[j], "location") && !stack->location_indices[j])
				rules_broken(rules, "location", "a stack has one that is none");
		}
	}
}

static inline void rules_location(struct rules *rules, const Profiles__Location *location)
{
	rules_attributes(rules, location->attribute_indices, location->n_attribute_indices, "location");
	if (!rules_find(rules, location->attribute_indices, location->n_attribute_indices, "profile.frame.type"))
		rules_broken(rules, "frame type", "a location without");
	if (rules_use(rules, MAPPINGS, location->mapping_index, "mapping") && location->mapping_index) {
		const Profiles__Mapping *mapping = rules->dictionary->mapping_table[location->mapping_index];

		if (location->address < mapping->memory_start || location->address >= mapping->memory_limit)
			rules_broken(rules, "location", "%#" PRIx64 " is not in its mapping", location->address);
	}
	if (!location->mapping_index && !location->n_lines)
		rules_broken(rules, "location", "neither a mapping nor a line");
	for (size_t i = 0; i < location->n_lines; i++) {
		const Profiles__Line *line = location->lines[i];

		if (rules_use(rules, FUNCTIONS, line->function_index, "function") && !line->function_index)
			rules_broken(rules, "function", "a line without");
		if (line->line < 0 || line->column < 0)
			rules_broken(rules, "function", "a line of %" PRId64, line->line);
	}
}

static inline bool rules_is_htlhash(const Profiles__KeyValueAndUnit *attribute)
{
	const char *text = attribute->value && attribute->value->value_case == PROFILES__ANY_VALUE__VALUE_STRING_VALUE ?
			   attribute->value->string_value : "";

	return strlen(text) == 32 && strspn(text, "0123456789abcdefABCDEF") == 32;
}

static inline void rules_mapping(struct rules *rules, const Profiles__Mapping *mapping)
{
	static const char *const keys[] = {
		"process.executable.build_id.gnu", "process.executable.build_id.go", "process.executable.build_id.htlhash",
	};
	const Profiles__KeyValueAndUnit *found[3];

	for (size_t i = 0; i < 3; i++)
		found[i] = rules_find(rules, mapping->attribute_indices, mapping->n_attribute_indices, keys[i]);
	if (!found[0] && !found[1] && !found[2])
		rules_broken(rules, "build id", "a mapping without any");
	if (found[2] && !rules_is_htlhash(found[2]))
		rules_broken(rules, "build id", "htlhash is not 32 hexadecimal digits");
	rules_attributes(rules, mapping->attribute_indices, mapping->n_attribute_indices, "mapping");
	rules_string(rules, mapping->filename_strindex, "filename");
	if (mapping->memory_start >= mapping->memory_limit)
		rules_broken(rules, "location", "a mapping of nothing");
}

static inline void rules_function(struct rules *rules, const Profiles__Function *function)
{
	rules_string(rules, function->name_strindex, "name");
	rules_string(rules, function->system_name_strindex, "system name");
	rules_string(rules, function->filename_strindex, "filename");
	if (!function->name_strindex && !function->system_name_strindex && !function->filename_strindex)
		rules_broken(rules, "function", "without any name");
}

static inline void rules_attribute(struct rules *rules, const Profiles__KeyValueAndUnit *attribute)
{
	const char *key = rules_string(rules, attribute->key_strindex, "key");

	rules_string(rules, attribute->unit_strindex, "unit");
	if (!*key)
		rules_broken(rules, "attribute", "without a key");
	if (!strncmp(key, "code.", 5))
		rules_broken(rules, "code", "%s is not for profiles", key);
	if (!attribute->value || attribute->value->value_case == PROFILES__ANY_VALUE__VALUE__NOT_SET)
		rules_broken(rules, "attribute", "%s has no value", key);
	else if (attribute->value->value_case == PROFILES__ANY_VALUE__VALUE_DOUBLE_VALUE)
		rules_broken(rules, "attribute", "%s is a float", key);
	else if (attribute->value->value_case == PROFILES__ANY_VALUE__VALUE_STRING_VALUE_STRINDEX)
		rules_broken(rules, "inline", "%s is a reference, which collectors do not look up there", key);
}

/* ---- tables ---- */

/* Messages by their bytes: number 0 has none but in the table of links, and no two are equal. */
static inline void rules_table(struct rules *rules, int table, const char *name, void *entries)
{
	ProtobufCMessage *const *messages = entries;
	char *const *strings = entries;
	struct map seen = { 0 };

	if (!rules->sizes[table])
		rules_broken(rules, "zero", "%s has no number 0", name);
	for (size_t i = 0; i < rules->sizes[table]; i++) {
		size_t bytes = table == STRINGS ? strlen(strings[i]) : protobuf_c_message_get_packed_size(messages[i]);
		uint8_t *data = memory_zeroed(1, bytes + 1);
		static const uint8_t link[28] = { 0x0a, 16, [18] = 0x12, 8 };

		if (table == STRINGS)
			memcpy(data, strings[i], bytes);
		else
			protobuf_c_message_pack(messages[i], data);
		if (i == 0 && (table == LINKS ? bytes != sizeof(link) || memcmp(data, link, bytes) : bytes))
			rules_broken(rules, "zero", "number 0 of %s is something", name);
		if (map_put(&seen, rules_number(data, bytes), rules))
			rules_broken(rules, "duplicate", "number %zu of %s", i, name);
		free(data);
	}
	map_free(&seen);
}

static inline void rules_orphans(struct rules *rules, int table, const char *name)
{
	for (size_t i = 1; i < rules->sizes[table]; i++) {
		if (!rules->used[table][i])
			rules_broken(rules, "orphan", "number %zu of %s", i, name);
	}
}

#define FOR_USED(rules, table, i)	for (size_t i = 1; i < (rules)->sizes[table]; i++) if ((rules)->used[table][i])

static inline void rules_dictionary(struct rules *rules)
{
	const Profiles__ProfilesDictionary *dictionary = rules->dictionary;
	const struct {
		const char *name;
		void *entries;
	} tables[TABLES] = {
		[MAPPINGS] = { "mapping_table", dictionary->mapping_table }, [LOCATIONS] = { "location_table", dictionary->location_table },
		[FUNCTIONS] = { "function_table", dictionary->function_table }, [LINKS] = { "link_table", dictionary->link_table },
		[STRINGS] = { "string_table", dictionary->string_table }, [STACKS] = { "stack_table", dictionary->stack_table },
		[ATTRIBUTES] = { "attribute_table", dictionary->attribute_table },
	};

	rules_stacks(rules);
	FOR_USED(rules, LOCATIONS, i)
		rules_location(rules, dictionary->location_table[i]);
	FOR_USED(rules, MAPPINGS, i)
		rules_mapping(rules, dictionary->mapping_table[i]);
	FOR_USED(rules, FUNCTIONS, i)
		rules_function(rules, dictionary->function_table[i]);
	FOR_USED(rules, ATTRIBUTES, i)
		rules_attribute(rules, dictionary->attribute_table[i]);
	for (int table = 0; table < TABLES; table++) {
		rules_table(rules, table, tables[table].name, tables[table].entries);
		rules_orphans(rules, table, tables[table].name);
	}
}

static inline void rules_request(struct rules *rules, const Profiles__ExportProfilesServiceRequest *request)
{
	static const Profiles__ProfilesDictionary none = PROFILES__PROFILES_DICTIONARY__INIT;
	const Profiles__ProfilesDictionary *dictionary = rules->dictionary = request->dictionary ? request->dictionary : &none;
	const size_t sizes[TABLES] = {
		[MAPPINGS] = dictionary->n_mapping_table, [LOCATIONS] = dictionary->n_location_table,
		[FUNCTIONS] = dictionary->n_function_table, [LINKS] = dictionary->n_link_table,
		[STRINGS] = dictionary->n_string_table, [ATTRIBUTES] = dictionary->n_attribute_table,
		[STACKS] = dictionary->n_stack_table,
	};

	for (int table = 0; table < TABLES; table++) {
		rules->sizes[table] = sizes[table];
		rules->used[table] = memory_zeroed(sizes[table] + 1, sizeof(bool));
	}
	rules_message(rules, &request->base);
	if (!request->n_resource_profiles)
		rules_broken(rules, "empty", "a request without profiles");
	for (size_t i = 0; i < request->n_resource_profiles; i++)
		rules_resource(rules, request->resource_profiles[i]);
	rules_dictionary(rules);
	for (int table = 0; table < TABLES; table++)
		free(rules->used[table]);
}

/* How many rules are broken, and where; what was seen in samples and value. */
static inline size_t rules_check(struct rules *rules, const void *data, size_t bytes, struct buffer *findings)
{
	Profiles__ExportProfilesServiceRequest *request = profiles__export_profiles_service_request__unpack(NULL, bytes, data);

	*rules = (struct rules){ .findings = findings };
	buffer_append(findings, "", 0);
	if (!request) {
		rules_broken(rules, "bytes", "not an ExportProfilesServiceRequest");
		return rules->count;
	}
	rules_request(rules, request);
	profiles__export_profiles_service_request__free_unpacked(request, NULL);
	return rules->count;
}

#endif
