// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/message.h"
#include "confine/capabilities.h"
#include "confine/confine.h"
#include "confine/filter.h"
#include "confine/opener.h"

int confine_begin(uint64_t also)
{
	int error = capabilities_keep(CAPABILITIES_OF_READER | also);

	if (error) {
		message_error("cannot give up capabilities: %s: --no-confine keeps them", strerror(-error));
		return EXIT_PERMISSION;
	}
	if (!filter_exists()) {
		message_warning("this kernel has no filters of system calls (CONFIG_SECCOMP_FILTER): whoever rules this process by a hostile "
				"file may write to every process of the host");
		return EXIT_OK;
	}
	error = opener_start();
	if (error) {
		message_error("cannot start the process that opens files: %s: --no-confine does without", strerror(-error));
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

int confine_end(void)
{
	int error = filter_exists() ? filter_apply(FILTER_READER) : 0;

	if (!error)
		return EXIT_OK;
	message_error("cannot give up system calls: %s: something forbids seccomp filters here: --no-confine does without",
		      strerror(-error));
	return EXIT_FAILED;
}
