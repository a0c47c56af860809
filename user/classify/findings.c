// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>

#include "base/map.h"
#include "base/message.h"
#include "classify/findings.h"

struct findings {
	struct automaton *automaton;
	bool compiled;
	size_t bytes;
	findings_begin *begin;
	automaton_found *take;
	struct map kept;
	uint64_t names;		/* for intern_has_forgotten() */
};

struct findings *findings_create(size_t bytes, findings_begin *begin, automaton_found *take)
{
	struct findings *findings = memory_zeroed(1, sizeof(*findings));

	findings->automaton = automaton_create();
	findings->bytes = bytes;
	findings->begin = begin;
	findings->take = take;
	return findings;
}

void findings_add(struct findings *findings, const char *patterns, unsigned int rule)
{
	automaton_add(findings->automaton, patterns, rule);
}

const void *findings_of(struct findings *findings, const char *name)
{
	void *finding;

	if (intern_has_forgotten(&findings->names))
		map_free_values(&findings->kept);
	finding = map_get(&findings->kept, (uintptr_t)name);
	if (finding)
		return finding;
	if (!findings->compiled) {
		automaton_compile(findings->automaton);
		findings->compiled = true;
	}
	finding = memory_zeroed(1, findings->bytes);
	if (findings->begin)
		findings->begin(finding, name);
	automaton_match(findings->automaton, name, findings->take, finding);
	map_put(&findings->kept, (uintptr_t)name, finding);
	return finding;
}
