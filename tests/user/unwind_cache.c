// SPDX-License-Identifier: GPL-2.0-or-later
/* unwind/cache.h: what is put there comes back, of the right file only; what is broken does not, and room is made. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_frames.h"
#include "unwind/cache.h"

static const uint8_t frames[] = {
	14, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1,
	22, 0, 0, 0, 22, 0, 0, 0, 0x00, 0x31, 0x40, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0x0e, 16,
};

static char directory[] = "/tmp/ktally-test-unwind-XXXXXX";
static struct unwind_cache cache;

/* An ELF file of this build id, open; where it is does not matter. */
static struct elf make_elf(const char *build_id, mode_t mode)
{
	const struct fake_elf fake = { .build_id = build_id, .section = ".eh_frame", .section_data = frames,
				       .section_bytes = sizeof(frames) };
	struct elf_source source = { .fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) };
	struct buffer data = fake_elf(&fake);
	struct elf elf = { 0 };

	source.bytes = data.bytes;
	if (source.fd < 0 || write(source.fd, data.data, data.bytes) != (ssize_t)data.bytes || fchmod(source.fd, mode) ||
	    elf_open(&elf, &source))
		check(false, "a file to try it with");
	buffer_free(&data);
	return elf;
}

static void drop_elf(struct elf *elf)
{
	close(elf->source.fd);
	elf_close(elf);
}

static unsigned int count_files(const char *ending)
{
	DIR *list = opendir(directory);
	unsigned int count = 0;
	struct dirent *entry;

	while ((entry = readdir(list)))
		count += strlen(entry->d_name) > strlen(ending) &&
			 !strcmp(entry->d_name + strlen(entry->d_name) - strlen(ending), ending);
	closedir(list);
	return count;
}

static bool same_tables(const struct unwind_table *a, const struct unwind_table *b)
{
	return a->first_chunk == b->first_chunk && a->chunk_count == b->chunk_count && a->row_count == b->row_count &&
	       a->rule_count == b->rule_count &&
	       !memcmp(a->first_row, b->first_row, (a->chunk_count + 1) * sizeof(*a->first_row)) &&
	       !memcmp(a->rows, b->rows, a->row_count * sizeof(*a->rows)) &&
	       !memcmp(a->rules, b->rules, a->rule_count * sizeof(*a->rules));
}

static void back_and_forth(void)
{
	struct elf elf = make_elf("build id number one!", 0644);
	struct unwind_statistics statistics, again;
	struct unwind_table table, cached;

	check_number(unwind_cache_get(&cache, &elf, false, &cached, &again), -ENOENT, "not there yet");
	check_number(unwind_cache_read(&cache, &elf, NULL, KTALLY_UNWIND_BYTES_MAX, &table, &statistics), 0, "read");
	check_string(rule_text(unwind_table_find(&table, FAKE_TEXT_OFFSET + 0x100)), "rsp+16", "read: right");
	check_number(count_files(".unwind"), 1, "one file in the cache");
	check_number(count_files(".unfinished"), 0, "and nothing else");
	check_number(unwind_cache_get(&cache, &elf, false, &cached, &again), 0, "from the cache");
	check(same_tables(&table, &cached), "from the cache: the same table");
	check(!memcmp(&statistics, &again, sizeof(again)), "from the cache: the same statistics");
	unwind_table_free(&cached);
	/* That it is asked is seen by a file that cannot be read any more. */
	elf.sections[2].bytes = 1;
	check_number(unwind_cache_read(&cache, &elf, NULL, KTALLY_UNWIND_BYTES_MAX, &cached, &again), 0, "read again");
	check(same_tables(&table, &cached), "read again: from the cache");
	unwind_table_free(&cached);
	check_number(unwind_cache_read(&cache, &elf, NULL, 16, &cached, &again), -EFBIG, "more than is wanted");
	unwind_table_free(&table);
	drop_elf(&elf);
}

static int get(const struct elf *elf, bool with_debug)
{
	struct unwind_statistics statistics;
	struct unwind_table table;
	int error = unwind_cache_get(&cache, elf, with_debug, &table, &statistics);

	if (!error)
		unwind_table_free(&table);
	return error;
}

static int put(const struct elf *elf)
{
	struct unwind_statistics statistics;
	struct unwind_table table;
	int error = unwind_read(&table, elf, NULL, KTALLY_UNWIND_BYTES_MAX, &statistics);

	if (!error) {
		error = unwind_cache_put(&cache, elf, false, &table, &statistics);
		unwind_table_free(&table);
	}
	return error;
}

static void whose(void)
{
	struct elf elf = make_elf("build id number two!", 0644);
	struct unwind_cache none = { .directory = -1 };
	struct unwind_statistics statistics;
	struct unwind_table table;

	check_number(put(&elf), 0, "a file of one's own: cached");
	elf.segments[0].offset += 4096;
	check_number(get(&elf, false), -ENOENT, "the same build id, but the code elsewhere: another");
	elf.segments[0].offset -= 4096;
	check_number(get(&elf, false), -ENOENT, "what was wrong for one is gone");
	check_number(put(&elf), 0, "a file of one's own: cached again");
	check_number(get(&elf, true), -ENOENT, "with a debug file: another");
	check_number(put(&elf), 0, "a file of one's own: cached once more");
	elf.build_id[0]++;
	check_number(get(&elf, false), -ENOENT, "another build id: another");
	elf.build_id[0]--;
	check_number(get(&elf, false), 0, "and the right one");
	fchmod(elf.source.fd, 0664);
	check_number(get(&elf, false), -ENOENT, "a file that the group may write: not believed");
	check_number(put(&elf), -ENOENT, "a file that the group may write: not cached");
	fchmod(elf.source.fd, 0646);
	check_number(get(&elf, false), -ENOENT, "a file that anybody may write: not believed");
	fchmod(elf.source.fd, 0644);
	if (geteuid()) {
		check_skip("needs root", "a file of somebody else: not believed");
	} else {
		check_number(fchown(elf.source.fd, 65534, 65534), 0, "a file of somebody else");
		check_number(get(&elf, false), -ENOENT, "a file of somebody else: not believed");
		check_number(fchown(elf.source.fd, 0, 0), 0, "a file of one's own again");
	}
	elf.build_id_bytes = 4;
	check_number(put(&elf), -ENOENT, "a short build id: not cached");
	elf.build_id_bytes = 0;
	check_number(put(&elf), -ENOENT, "no build id: not cached");
	check_number(unwind_cache_read(&none, &elf, NULL, KTALLY_UNWIND_BYTES_MAX, &table, &statistics), 0, "no cache: read");
	unwind_table_free(&table);
	drop_elf(&elf);
}

/* The only file there, as bytes; and with other ones instead. */
static char *only_file(const char *elf_id)
{
	static char path[256];
	size_t at = (size_t)sprintf(path, "%s/", directory);

	for (size_t i = 0; i < 20; i++)
		at += (size_t)sprintf(path + at, "%02x", (unsigned char)elf_id[i]);
	strcpy(path + at, ".unwind");
	return path;
}

static void write_file(const char *path, const char *data, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes)
		check(false, "%s can be written", path);
	close(fd);
}

static void broken(void)
{
	static const char id[] = "build id number 3...";
	struct elf elf = make_elf(id, 0644);
	const char *path = only_file(id);
	unsigned int believed = 0, left = 0;
	struct unwind_statistics statistics;
	struct unwind_table table;
	char elsewhere[300];
	struct buffer good = { 0 };
	struct stat status;

	check_number(unwind_read(&table, &elf, NULL, KTALLY_UNWIND_BYTES_MAX, &statistics), 0, "a table to break");
	table.rows[0].offset = 1;
	check_number(unwind_cache_put(&cache, &elf, false, &table, &statistics), 0, "an invalid table with a right checksum");
	check_number(get(&elf, false), -ENOENT, "an invalid table with a right checksum: not believed");
	unwind_table_free(&table);
	put(&elf);
	buffer_read_file(&good, path, 1 << 20);
	check(good.bytes > 200, "a file to break");
	for (size_t at = 0; at < good.bytes; at++) {
		good.data[at] ^= 0x11;
		write_file(path, good.data, good.bytes);
		good.data[at] ^= 0x11;
		believed += !get(&elf, false);
		left += !stat(path, &status);
	}
	check_number(believed, 0, "any byte changed: not believed");
	check_number(left, 0, "any byte changed: removed");
	for (size_t bytes = 0; bytes < good.bytes; bytes++) {
		write_file(path, good.data, bytes);
		believed += !get(&elf, false);
	}
	check_number(believed, 0, "cut off anywhere: not believed");
	buffer_append(&good, "", 1);
	write_file(path, good.data, good.bytes);
	check_number(get(&elf, false), -ENOENT, "longer: not believed");
	write_file(path, good.data, good.bytes - 1);
	check_number(get(&elf, false), 0, "as it was: believed");

	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", directory);
	check_number(rename(path, elsewhere), 0, "elsewhere");
	check_number(symlink("elsewhere", path), 0, "a symbolic link");
	check_number(get(&elf, false), -ENOENT, "a symbolic link is not followed");
	unlink(path);
	check_number(mkfifo(path, 0600), 0, "a pipe");
	check_number(get(&elf, false), -ENOENT, "a pipe does not keep us");
	unlink(path);
	buffer_free(&good);
	drop_elf(&elf);
}

static void room(void)
{
	char id[21], other[300];
	uint64_t bytes = 0, most = cache.most_bytes;
	struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct elf elf;
	struct stat status;

	snprintf(other, sizeof(other), "rm -f %s/*.unwind", directory);
	if (system(other))
		check(false, "an empty cache");
	snprintf(other, sizeof(other), "%s/somebody-elses", directory);
	write_file(other, "x", 1);
	snprintf(other, sizeof(other), "%s/00.unwind.1.unfinished", directory);
	write_file(other, "x", 1);
	utimensat(AT_FDCWD, other, times, 0);
	for (unsigned int i = 0; i < 5; i++) {
		sprintf(id, "room for build id %02u", i);
		elf = make_elf(id, 0644);
		put(&elf);
		stat(only_file(id), &status);
		bytes = (uint64_t)status.st_size;
		times[0].tv_sec = times[1].tv_sec = 100000 + i;
		utimensat(AT_FDCWD, only_file(id), times, 0);
		if (i == 4) {
			sprintf(id, "room for build id %02u", 1);
			elf.build_id[19] = '1';
			check_number(get(&elf, false), 0, "one of five is used again");
		}
		drop_elf(&elf);
	}
	cache.most_bytes = 3 * bytes;
	elf = make_elf("room for the sixth..", 0644);
	check_number(put(&elf), 0, "a sixth, with room for three");
	drop_elf(&elf);
	for (unsigned int i = 0; i < 5; i++) {
		sprintf(id, "room for build id %02u", i);
		check_number(!stat(only_file(id), &status), i == 1 || i == 4, "the oldest go: number %u", i);
	}
	check(!stat(only_file("room for the sixth.."), &status), "the oldest go: not the sixth");
	check(stat(other, &status) && errno == ENOENT, "what somebody did not finish goes");
	snprintf(other, sizeof(other), "%s/somebody-elses", directory);
	check(!stat(other, &status), "other files stay");
	cache.most_bytes = 16;
	elf = make_elf("larger than it all..", 0644);
	check_number(put(&elf), -EFBIG, "one that is larger than all that may be");
	drop_elf(&elf);
	cache.most_bytes = most;
}

int main(void)
{
	char command[300];

	if (!mkdtemp(directory)) {
		check(false, "a directory");
		return check_end();
	}
	cache = (struct unwind_cache){ .directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .most_bytes = 1 << 20 };
	back_and_forth();
	whose();
	broken();
	room();
	close(cache.directory);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) ? 1 : check_end();
}
