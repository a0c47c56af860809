/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of self and inclusive time, for people: of categories, and of areas. */
#ifndef KTALLY_INCLUSIVE_H
#define KTALLY_INCLUSIVE_H

#include "base/buffer.h"
#include "profile/profile.h"

/* source: KTALLY_SOURCE_ONCPU: of CPU time; KTALLY_SOURCE_OFFCPU: of waits that are not for work. Nothing without any topics. */
void inclusive_write(struct buffer *text, const struct profile *profile, uint32_t source);

#endif
