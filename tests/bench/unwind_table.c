// SPDX-License-Identifier: GPL-2.0-or-later
/* What reading the unwind table of one file costs: see unwind_table.sh. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unwind/unwind.h"

/* The most memory that was ever resident, in KiB. Files are read, not mapped, so none of it is somebody's page cache. */
static unsigned long peak(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	unsigned long kilobytes = 0;
	char line[256];

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "VmHWM: %lu", &kilobytes) == 1)
			break;
	if (status)
		fclose(status);
	return kilobytes;
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	struct elf_source source;
	struct unwind_statistics statistics;
	struct unwind_table table;
	uint64_t functions = 0;
	struct stat status;
	double before, after;
	struct elf elf;
	int error;

	if (argc != 2) {
		fprintf(stderr, "usage: unwind_table FILE\n");
		return 2;
	}
	source = (struct elf_source){ .fd = open(argv[1], O_RDONLY | O_CLOEXEC) };
	if (source.fd < 0 || fstat(source.fd, &status)) {
		perror(argv[1]);
		return 1;
	}
	source.bytes = (uint64_t)status.st_size;
	before = cpu_seconds();
	error = elf_open(&elf, &source);
	if (!error)
		error = unwind_read(&table, &elf, NULL, KTALLY_UNWIND_BYTES_MAX, &statistics);
	after = cpu_seconds();
	if (error) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-error));
		return 1;
	}
	for (unsigned int i = 0; i < UNWIND_SOURCES; i++)
		functions += statistics.functions[i];
	printf("%6.0f %8.3f %8.1f %9lu %9lu %6lu %9lu %6lu %6.1f  %s\n", (double)source.bytes / 1e6, after - before,
	       (double)peak() / 1024, (unsigned long)functions, (unsigned long)statistics.rows,
	       (unsigned long)statistics.rules, (unsigned long)statistics.bytes,
	       (unsigned long)(statistics.lost_cfa + statistics.lost_return_address + statistics.lost_saved +
			       statistics.lost_rules + statistics.malformed),
	       100 * (double)statistics.uncovered_bytes / (double)statistics.code_bytes, argv[1]);
	unwind_table_free(&table);
	elf_close(&elf);
	close(source.fd);
	return 0;
}
