// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "profile/refused.h"

#define BYTES_MOST	(64U << 10)
#define PREFIX		"refused_"

const char *const refused_names[REFUSED_CAUSES] = {
	[REFUSED_FILES] = "files",
	[REFUSED_SPACES] = "spaces",
	[REFUSED_HOLDS] = "holds",
	[REFUSED_NEW_FILES] = "new_files",
	[REFUSED_NUMBERS] = "numbers",
	[REFUSED_LOOKUPS] = "lookups",
	[REFUSED_MAPPINGS] = "mappings",
	[REFUSED_STOCK] = "stock",
	[REFUSED_OTHER] = "other",
};

static const char *const descriptions[REFUSED_CAUSES] = {
	[REFUSED_FILES] = "files",
	[REFUSED_SPACES] = "address spaces",
	[REFUSED_HOLDS] = "files to be opened",
	[REFUSED_NEW_FILES] = "files that were too many in a second",
	[REFUSED_NUMBERS] = "numbers of files",
	[REFUSED_LOOKUPS] = "look-ups of mappings",
	[REFUSED_MAPPINGS] = "stacks of too many mappings",
	[REFUSED_STOCK] = "files and address spaces for which no memory was ready",
	[REFUSED_OTHER] = "things that only a newer ktally knows",
};

/* "refused_holds:\t12". False: the line is about something else. */
static bool take_line(struct refused *refused, const char *line)
{
	unsigned int cause = 0;
	char name[32];
	uint64_t count;

	if (sscanf(line, PREFIX "%31[^:]:%" SCNu64, name, &count) != 2)
		return false;
	while (cause < REFUSED_OTHER && strcmp(name, refused_names[cause]))
		cause++;
	refused->counts[cause] += count;
	return true;
}

int refused_read(struct refused *refused, int session)
{
	struct buffer text = { 0 };
	bool told = false;
	char path[64];
	int error;

	*refused = (struct refused){ 0 };
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", session);
	error = buffer_read_file(&text, path, BYTES_MOST);
	if (!error) {
		char *rest = text.data, *line;

		while ((line = strsep(&rest, "\n")))
			told |= take_line(refused, line);
	}
	buffer_free(&text);
	return error || told ? error : -EPERM;
}

void refused_subtract(struct refused *refused, const struct refused *before)
{
	for (unsigned int cause = 0; cause < REFUSED_CAUSES; cause++)
		refused->counts[cause] -= before->counts[cause];
}

bool refused_describe(const struct refused *refused, struct buffer *text)
{
	bool any = false;

	for (unsigned int cause = 0; cause < REFUSED_CAUSES; cause++) {
		if (!refused->counts[cause])
			continue;
		buffer_format(text, "%s%" PRIu64 " %s", any ? ", " : "", refused->counts[cause], descriptions[cause]);
		any = true;
	}
	return any;
}
