/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which waits are kept: by chance, and yet the same whenever it is asked for. So nothing is drawn or stored when a wait
 * begins, and a flush that looks at an open wait comes to the end that its switch will come to.
 *
 * What is random is the session's key, what is asked about is whose wait it is and when it began, to the nanosecond.
 * Such times follow each other evenly, and that must not show. Multiplied once they are points on a line; and as a wait
 * that is kept delays what comes after it, a machine that does the same over and over settles where those points miss,
 * or meet, what is kept: then sums were wrong by many times the error of chance. So the halves are folded, and
 * multiplied again. (tests/user/draw.c)
 *
 * The tests compile this header in user space, too.
 */
#ifndef KTALLY_DRAW_H
#define KTALLY_DRAW_H

#include <linux/types.h>

/*
 * Whether a random share of @keep is less than @took: it is with probability @took / @keep, or surely. @key is odd.
 * The product of 96 bits is made by hand: an __int128 costs more around it than it is.
 */
static inline bool ktally_is_drawn(u64 key, u64 asked, u64 keep, u64 took)
{
	u64 draw = asked * key;

	draw = (draw ^ draw >> 32) * key >> 32;
	return (keep >> 32) * draw + ((u32)keep * draw >> 32) < took;
}

#endif /* KTALLY_DRAW_H */
