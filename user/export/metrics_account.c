// SPDX-License-Identifier: GPL-2.0-or-later
/* How near the samples are to the kernel's own account of CPU time. */
#include "export/metrics.h"

/* Which number, and whether it only grows. */
struct definition {
	const char *name, *description;
	bool difference;
};

static const struct definition of_host[] = {
	{ "ktally.cpu.accounted", "CPU time that the kernel charged on this host", false },
	{ "ktally.cpu.difference", "CPU time of samples less that which the kernel charged", true },
};

static const struct definition of_cgroups[] = {
	{ "ktally.cgroup.accounted", "CPU time that the kernel charged in a cgroup", false },
	{ "ktally.cgroup.difference", "CPU time of samples in a cgroup less that which the kernel charged", true },
};

static double seconds_of(const struct metrics *metrics, const struct account *account, bool difference)
{
	uint64_t charged = account->charged - (metrics->everything ? 0 : account->charged_exported);
	uint64_t sampled = account->sampled - (metrics->everything ? 0 : account->sampled_exported);

	return (double)(int64_t)(difference ? sampled - charged : charged) / 1e9;
}

static void add_point(struct metrics *metrics, Otlp__Sum *sum, const struct account *account, bool difference, const char *cgroup)
{
	const struct metrics_attribute attribute = { "ktally.cgroup", cgroup };
	double seconds = seconds_of(metrics, account, difference);
	Otlp__NumberDataPoint *point;

	if (seconds == 0)
		return;
	point = metrics_add_point(metrics, sum, &attribute, 1);
	point->value_case = OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
	point->as_double = seconds;
}

static Otlp__Sum *add_sum(struct metrics *metrics, Otlp__ScopeMetrics *scope, const struct definition *definition)
{
	Otlp__Sum *sum = metrics_add_sum(metrics, scope, definition->name, "s", definition->description);

	sum->is_monotonic = !definition->difference;
	return sum;
}

void metrics_add_accounts(struct metrics *metrics, Otlp__ScopeMetrics *scope, const struct profile *profile)
{
	/* Who wants the host as one does not want its cgroups. */
	bool apart = profile->cgroups && profile->options.level != OWNER_BY_HOST;
	const struct map *cgroups = apart ? cgroups_all(profile->cgroups) : NULL;

	for (int i = 0; i < 2; i++)
		add_point(metrics, add_sum(metrics, scope, &of_host[i]), &profile->account, of_host[i].difference, NULL);
	for (int i = 0; cgroups && i < 2; i++) {
		Otlp__Sum *sum = add_sum(metrics, scope, &of_cgroups[i]);

		for (struct map_slot *slot = map_next(cgroups, NULL); slot; slot = map_next(cgroups, slot)) {
			const struct cgroup *cgroup = slot->value;

			add_point(metrics, sum, &cgroup->account, of_cgroups[i].difference, cgroup->path);
		}
	}
}

static void mark(struct account *account)
{
	account->charged_exported = account->charged;
	account->sampled_exported = account->sampled;
}

void metrics_mark_accounts(struct profile *profile)
{
	const struct map *cgroups = profile->cgroups ? cgroups_all(profile->cgroups) : NULL;

	mark(&profile->account);
	for (struct map_slot *slot = cgroups ? map_next(cgroups, NULL) : NULL; slot; slot = map_next(cgroups, slot))
		mark(&((struct cgroup *)slot->value)->account);
}
