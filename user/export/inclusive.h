/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of self and inclusive time, for people: of categories, and of areas. */
#ifndef KTALLY_INCLUSIVE_H
#define KTALLY_INCLUSIVE_H

#include "base/buffer.h"
#include "profile/profile.h"

/* total: what is 100 percent, ns. Nothing without any topics. */
void inclusive_write(struct buffer *text, const struct profile *profile, uint64_t total);

#endif
