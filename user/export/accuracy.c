// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/message.h"
#include "export/accuracy.h"
#include "export/label.h"

#define PATH_COLUMNS	60

static double difference_percent(const struct account *account)
{
	return account->charged ? 100.0 * ((double)account->sampled - (double)account->charged) / (double)account->charged : 0;
}

static bool are_some_left_out(const struct export_host *host)
{
	return host->cpus_left_out && *host->cpus_left_out;
}

void accuracy_write_host(struct buffer *text, const struct profile *profile, const struct export_host *host)
{
	double percent = difference_percent(&profile->account);

	if (profile->account.charged)
		buffer_format(text, "  %-14s%10.2f s  by the kernel in the same time%s; samples stand for %.1f %% %s\n", "accounted",
			      (double)profile->account.charged / 1e9, are_some_left_out(host) ? " on the CPUs sampled" : "", percent < 0 ? -percent : percent, percent < 0 ? "less" : "more");
}

static int compare(const void *a_place, const void *b_place)
{
	const struct cgroup *a = *(struct cgroup *const *)a_place, *b = *(struct cgroup *const *)b_place;

	if (a->account.charged != b->account.charged)
		return a->account.charged > b->account.charged ? -1 : 1;
	return strcmp(a->path, b->path);
}

void accuracy_write_cgroups(struct buffer *text, const struct profile *profile, size_t most)
{
	const struct map *all = profile->cgroups ? cgroups_all(profile->cgroups) : NULL;
	struct cgroup **cgroups = memory_zeroed(all ? all->used + 1 : 1, sizeof(struct cgroup *));
	size_t count = 0;

	for (struct map_slot *slot = all ? map_next(all, NULL) : NULL; slot; slot = map_next(all, slot)) {
		struct cgroup *cgroup = slot->value;

		if (cgroup->path && cgroup->account.charged)
			cgroups[count++] = cgroup;
	}
	qsort(cgroups, count, sizeof(struct cgroup *), compare);
	if (count)
		buffer_format(text, "\n%-*s%12s%12s%12s\n", 2 + PATH_COLUMNS, "CPU TIME OF CGROUPS, s", "accounted", "sampled", "");
	for (size_t i = 0; i < count && i < most; i++) {
		const struct account *account = &cgroups[i]->account;

		buffer_string(text, "  ");
		label_padded(text, cgroups[i]->path, PATH_COLUMNS);
		buffer_format(text, "%12.2f%12.2f  %+8.1f %%\n", (double)account->charged / 1e9, (double)account->sampled / 1e9,
			      difference_percent(account));
	}
	free(cgroups);
}
