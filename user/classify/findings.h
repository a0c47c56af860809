/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What rules say of names. A name is looked at once: what was found is kept under its address, so names must be
 * interned or constant. There are no more findings than interned names, which is what bounds them; when names are forgotten, so are
 * all findings (intern.h). What findings_of() returns is good until then.
 */
#ifndef KTALLY_FINDINGS_H
#define KTALLY_FINDINGS_H

#include <stddef.h>

#include "classify/automaton.h"

struct findings;

/* A finding has that many bytes, all zero at first; begin(), unless NULL, goes before take() for each rule. */
typedef void findings_begin(void *finding, const char *name);
struct findings *findings_create(size_t bytes, findings_begin *begin, automaton_found *take);

/* As automaton_add(). No more once something was looked up. */
void findings_add(struct findings *findings, const char *patterns, unsigned int rule);

const void *findings_of(struct findings *findings, const char *name);

#endif
