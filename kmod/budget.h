/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The time one CPU may spend on one session. What is spent is measured; past the limit samples get
 * rarer by a factor of two, and again, until it fits; when there is plenty of room they get denser
 * again. Rarer samples weigh more, so totals stay right.
 */
#ifndef KTALLY_BUDGET_H
#define KTALLY_BUDGET_H

#include <linux/types.h>

#define KTALLY_BUDGET_WINDOW_NS (100 * 1000 * 1000)
#define KTALLY_THIN_MAX 1024

/**
 * struct ktally_budget - used by its own CPU, with interrupts off
 * @limit: nanoseconds that may be spent in a window
 * @window_start: by local_clock()
 * @spent: in this window
 * @thin: one of this many samples is taken
 * @longest: nanoseconds that one piece of work took at most: so long were interrupts off for it
 */
struct ktally_budget {
	u64 limit;
	u64 window_start;
	u64 spent;
	u32 thin;
	u64 longest;
};

/* What to tell the reader when the factor has changed: as in struct ktally_throttle. */
struct ktally_budget_verdict {
	bool changed;
	u32 thin;
	u32 source;
	u64 spent;
	u64 window;
};

void ktally_budget_init(struct ktally_budget *budget, u32 ppm);
void ktally_budget_restart(struct ktally_budget *budget);
struct ktally_budget_verdict ktally_budget_charge(struct ktally_budget *budget, u64 start);

/* Before that: work that was done in pieces elsewhere, so many nanoseconds in all, and in the longest of them. */
void ktally_budget_add(struct ktally_budget *budget, u64 spent, u64 longest);

#endif /* KTALLY_BUDGET_H */
