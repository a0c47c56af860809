/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OTLP profiles as the rules of the data model have them, and as text. */
#ifndef KTALLY_PROFILE_TEXT_H
#define KTALLY_PROFILE_TEXT_H

#include <unistd.h>

#include "check.h"
#include "fake.h"
#include "profile_rules.h"

static inline void validate(const void *data, size_t bytes, struct rules *rules, const char *name)
{
	struct buffer findings = { 0 };

	check_number(rules_check(rules, data, bytes, &findings), 0, "%s breaks no rule", name);
	if (findings.bytes)
		printf("# %s\n", findings.data);
	buffer_free(&findings);
}

/* As protoc reads it, which writes unknown fields as numbers. */
static inline char *decoded(const char *data, size_t bytes)
{
	char path[] = "/tmp/ktally-test-profiles-XXXXXX", command[512];
	int fd = mkstemp(path), status;
	char *text;

	if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes)
		message_fatal(EXIT_FAILED, "cannot write %s: %m", path);
	close(fd);
	snprintf(command, sizeof(command), "protoc --proto_path=tests/user --decode=profiles.ExportProfilesServiceRequest "
		 "tests/user/profiles.proto <%s", path);
	text = fake_output(command, &status);
	unlink(path);
	check_number(status, 0, "protoc decodes it");
	return text;
}

#endif
