// SPDX-License-Identifier: GPL-2.0
#include "budget.h"

#include <linux/ktally.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/sched/clock.h>

void ktally_budget_init(struct ktally_budget *budget, u32 ppm)
{
	budget->limit = div_u64((u64)KTALLY_BUDGET_WINDOW_NS * ppm, 1000000);
	budget->thin = 1;
	ktally_budget_restart(budget);
}

void ktally_budget_restart(struct ktally_budget *budget)
{
	budget->window_start = local_clock();
	budget->spent = 0;
}

void ktally_budget_add(struct ktally_budget *budget, u64 spent, u64 longest)
{
	budget->spent += spent;
	if (unlikely(longest > budget->longest))
		WRITE_ONCE(budget->longest, longest);
}

/**
 * ktally_budget_charge() - the work that began at @start is done
 * @budget: this CPU's
 * @start: by local_clock()
 *
 * What it took before the window, and what an interrupt in the middle of it has charged already, makes
 * no more than the window.
 *
 * Judged once a window, or at once when four times the limit is gone. The factor falls again only when a quarter of the
 * limit was used, so that it does not swing: halving it doubles what is spent.
 *
 * Return: whether the factor changed, and by what figures.
 */
struct ktally_budget_verdict ktally_budget_charge(struct ktally_budget *budget, u64 start)
{
	struct ktally_budget_verdict verdict = {};
	u64 now = local_clock();
	u64 window = now - budget->window_start;
	u64 allowed;
	u32 thin = budget->thin;

	budget->spent = min(budget->spent + (now - start), window);
	if (unlikely(now - start > budget->longest))
		WRITE_ONCE(budget->longest, now - start);
	if (window < KTALLY_BUDGET_WINDOW_NS && budget->spent < 4 * budget->limit)
		return verdict;

	allowed = mul_u64_u64_div_u64(budget->limit, max_t(u64, window, KTALLY_BUDGET_WINDOW_NS),
				      KTALLY_BUDGET_WINDOW_NS);
	if (budget->spent > allowed)
		thin = min_t(u32, thin * 2, KTALLY_THIN_MAX);
	else if (budget->spent < allowed / 4 && thin > 1)
		thin /= 2;

	verdict.changed = thin != budget->thin;
	verdict.thin = thin;
	verdict.spent = budget->spent;
	verdict.window = window;
	budget->thin = thin;
	budget->window_start = now;
	budget->spent = 0;
	return verdict;
}
