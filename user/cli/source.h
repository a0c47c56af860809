/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks as the source has them: functions that were inlined are frames of their own, and each tells its file and line. */
#ifndef KTALLY_SOURCE_H
#define KTALLY_SOURCE_H

#include "profile/frame.h"
#include "symbols/symbols.h"

struct source;

struct source *source_create(void);
void source_destroy(struct source *source);

/*
 * For struct profile_options: gives the stack back, or a larger one instead of it. Frames are named "function (file:line)"
 * where that is known, and have it as frame->source too, which lasts as long as the source does.
 */
struct stack *source_expand(void *source, struct symbols *symbols, struct stack *stack);

#endif
