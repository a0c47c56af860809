// SPDX-License-Identifier: GPL-2.0-or-later
/* unwind/cache.h: what is put there comes back, for the same bytes only; what is broken does not, and room is made. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_frames.h"
#include "symbols/reads.h"
#include "unwind/cache.h"

static const uint8_t frames[] = {
	14, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1,
	22, 0, 0, 0, 22, 0, 0, 0, 0x00, 0x31, 0x40, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0x0e, 16,
};

static char directory[] = "/tmp/ktally-test-unwind-XXXXXX";
static struct unwind_cache cache;
static enum unwind_cache_half half;	/* of what is put there */

/* The same but for the last byte: the CFA is 24 above rsp, not 16. */
static uint8_t other_frames[sizeof(frames)];

static struct elf make_elf_of(const char *build_id, mode_t mode, const char *section, const uint8_t *contents)
{
	const struct fake_elf fake = { .build_id = build_id, .section = section, .section_data = contents,
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

/* An ELF file of this build id, open; where it is does not matter. */
static struct elf make_elf(const char *build_id, mode_t mode)
{
	return make_elf_of(build_id, mode, ".eh_frame", frames);
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

	check_number(unwind_cache_get(&cache, &elf, NULL, &cached, &again), -ENOENT, "not there yet");
	check_number(unwind_cache_read(&cache, &elf, NULL, UNWIND_CACHE_HERE, KTALLY_UNWIND_BYTES_MAX, &table, &statistics), 0, "read");
	check_string(rule_text(unwind_table_find(&table, FAKE_TEXT_OFFSET + 0x100)), "rsp+16", "read: right");
	check_number(count_files(".unwind"), 1, "one file in the cache");
	check_number(count_files(".unfinished"), 0, "and nothing else");
	check_number(unwind_cache_get(&cache, &elf, NULL, &cached, &again), 0, "from the cache");
	check(same_tables(&table, &cached), "from the cache: the same table");
	check(!memcmp(&statistics, &again, sizeof(again)), "from the cache: the same statistics");
	unwind_table_free(&cached);
	check_number(unwind_cache_read(&cache, &elf, NULL, UNWIND_CACHE_HERE, KTALLY_UNWIND_BYTES_MAX, &cached, &again), 0, "read again");
	check(same_tables(&table, &cached), "read again: from the cache");
	unwind_table_free(&cached);
	check_number(unwind_cache_read(&cache, &elf, NULL, UNWIND_CACHE_HERE, 16, &cached, &again), -EFBIG, "more than is wanted");
	unwind_table_free(&table);
	drop_elf(&elf);
}

static int get_with(const struct elf *elf, const struct elf *debug)
{
	struct unwind_statistics statistics;
	struct unwind_table table;
	int error = unwind_cache_get(&cache, elf, debug, &table, &statistics);

	if (!error)
		unwind_table_free(&table);
	return error;
}

static int get(const struct elf *elf)
{
	return get_with(elf, NULL);
}

/* Reads it, changes whatever is to be changed while that is done, and puts it there. */
static int put_after(const struct elf *elf, void change(const struct elf *elf))
{
	struct unwind_statistics statistics;
	struct unwind_table table;
	struct elf noted = *elf;
	struct elf_reads reads;
	int error;

	reads_begin(&reads, elf);
	noted.source.reads = &reads;
	error = unwind_read(&table, &noted, NULL, KTALLY_UNWIND_BYTES_MAX, &statistics);
	if (!error) {
		if (change)
			change(elf);
		error = unwind_cache_put(&cache, elf, NULL, half, &reads, &table, &statistics);
		unwind_table_free(&table);
	}
	reads_free(&reads);
	return error;
}

static int put(const struct elf *elf)
{
	return put_after(elf, NULL);
}

/* What a table says there, wherever it comes from. */
static const char *says(const struct elf *elf, const struct elf *debug)
{
	struct unwind_statistics statistics;
	struct unwind_table table;
	const char *text;

	if (unwind_cache_read(&cache, elf, debug, UNWIND_CACHE_HERE, KTALLY_UNWIND_BYTES_MAX, &table, &statistics))
		return "nothing";
	text = rule_text(unwind_table_find(&table, FAKE_TEXT_OFFSET + 0x100));
	unwind_table_free(&table);
	return text;
}

static void become_genuine(const struct elf *elf)
{
	const struct elf_section *section = elf_find_section(elf, ".eh_frame");

	if (pwrite(elf->source.fd, frames, sizeof(frames), (off_t)section->offset) != (ssize_t)sizeof(frames))
		check(false, "the file can be changed");
}

/* A twin has the build id, the size, every header and every owner of the genuine file; only what says how to unwind is another. */
static void twins(void)
{
	static const char id[] = "build id of a twin..";
	struct elf genuine = make_elf(id, 0644), twin = make_elf_of(id, 0644, ".eh_frame", other_frames), changing;

	check(genuine.source.bytes == twin.source.bytes && genuine.section_count == twin.section_count, "two files with the same headers");
	check_string(says(&twin, NULL), "rsp+24", "the twin comes first, and has its own table");
	check_string(says(&genuine, NULL), "rsp+16", "the genuine file has its own");
	check_string(says(&genuine, NULL), "rsp+16", "once more");
	check_string(says(&twin, NULL), "rsp+24", "and so has the twin");
	check_string(says(&genuine, NULL), "rsp+16", "whoever came before");
	drop_elf(&twin);
	changing = make_elf_of(id, 0644, ".eh_frame", other_frames);
	check_number(put_after(&changing, become_genuine), 0, "a file that is changed into the genuine one after it was read");
	check_number(get(&genuine), -ENOENT, "does not leave its table to that");
	check_string(says(&genuine, NULL), "rsp+16", "which has its own");
	drop_elf(&changing);
	drop_elf(&genuine);
}

static void debug_twins(void)
{
	static const char id[] = "build id with debug.";
	struct elf program = make_elf(id, 0644);
	struct elf genuine = make_elf_of(id, 0644, ".debug_frame", frames), same = make_elf_of(id, 0644, ".debug_frame", frames);
	struct elf twin = make_elf_of(id, 0644, ".debug_frame", other_frames);

	check_string(says(&program, &twin), "rsp+16", "a table with a forged debug file");
	check_number(get_with(&program, &twin), 0, "is kept for that");
	check_number(get_with(&program, &genuine), -ENOENT, "and is not the one with the genuine one");
	check_string(says(&program, &genuine), "rsp+16", "which is made");
	check_number(get_with(&program, &same), 0, "and kept for every copy of it");
	check_number(get(&program), -ENOENT, "without one it is another table");
	drop_elf(&twin);
	drop_elf(&same);
	drop_elf(&genuine);
	drop_elf(&program);
}

static void whose(void)
{
	struct elf elf = make_elf("build id number two!", 0644);
	struct unwind_cache none = { .directory = -1 };
	struct unwind_statistics statistics;
	struct unwind_table table;

	check_number(put(&elf), 0, "a file of one's own: cached");
	elf.segments[0].offset += 4096;
	check_number(get(&elf), -ENOENT, "the same build id, but the code elsewhere: another");
	elf.segments[0].offset -= 4096;
	check_number(get_with(&elf, &elf), -ENOENT, "with a debug file: another");
	elf.build_id[0]++;
	check_number(get(&elf), -ENOENT, "another build id: another");
	elf.build_id[0]--;
	elf.entry++;
	check_number(get(&elf), -ENOENT, "another entry: another");
	elf.entry--;
	check_number(get(&elf), 0, "and the right one");
	fchmod(elf.source.fd, 0666);
	check_number(get(&elf), 0, "who may write it does not matter");
	if (geteuid()) {
		check_skip("needs root", "a file of somebody else: not cached");
	} else {
		check_number(fchown(elf.source.fd, 65534, 65534), 0, "a file of somebody else");
		check_number(get(&elf), -ENOENT, "a file of somebody else: not cached");
		check_number(put(&elf), -ENOENT, "a file of somebody else: nor put there");
		check_number(fchown(elf.source.fd, 0, 0), 0, "a file of one's own again");
	}
	elf.build_id_bytes = 0;
	check_number(put(&elf), 0, "no build id: cached as well");
	check_number(get(&elf), 0, "no build id: and found");
	check_number(unwind_cache_read(&none, &elf, NULL, UNWIND_CACHE_HERE, KTALLY_UNWIND_BYTES_MAX, &table, &statistics), 0, "no cache: read");
	unwind_table_free(&table);
	drop_elf(&elf);
}

/* The only file there, as bytes; and with other ones instead. */
static const char *only_file(void)
{
	static char path[512];
	DIR *list = opendir(directory);
	struct dirent *entry;

	path[0] = '\0';
	while ((entry = readdir(list)))
		if (strstr(entry->d_name, ".unwind"))
			snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
	closedir(list);
	return path;
}

static void empty(void)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -f %s/*.unwind*", directory);
	if (system(command))
		check(false, "an empty cache");
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
	struct elf elf = make_elf("build id number 3...", 0644);
	char path[512], elsewhere[300];
	unsigned int believed = 0, left = 0;
	struct buffer good = { 0 };
	struct stat status;

	empty();
	put(&elf);
	strcpy(path, only_file());
	buffer_read_file(&good, path, 1 << 20);
	check(good.bytes > 200, "a file to break");
	for (size_t at = 0; at < good.bytes; at++) {
		good.data[at] ^= 0x11;
		write_file(path, good.data, good.bytes);
		good.data[at] ^= 0x11;
		believed += !get(&elf);
		left += !stat(path, &status);
	}
	check_number(believed, 0, "any byte changed: not believed");
	check_number(left, 0, "any byte changed: removed");
	for (size_t bytes = 0; bytes < good.bytes; bytes++) {
		write_file(path, good.data, bytes);
		believed += !get(&elf);
	}
	check_number(believed, 0, "cut off anywhere: not believed");
	buffer_append(&good, "", 1);
	write_file(path, good.data, good.bytes);
	check_number(get(&elf), -ENOENT, "longer: not believed");
	write_file(path, good.data, good.bytes - 1);
	check_number(get(&elf), 0, "as it was: believed");
	check_number(truncate(path, 1LL << 40), 0, "a huge one");
	check_number(get(&elf), -ENOENT, "huge: not believed");
	write_file(path, good.data, good.bytes - 1);
	chmod(path, 0620);
	check_number(get(&elf), -ENOENT, "one that others may write: not believed");
	write_file(path, good.data, good.bytes - 1);
	if (!geteuid()) {
		check_number(chown(path, 65534, 65534), 0, "one that somebody else put there");
		check_number(get(&elf), -ENOENT, "somebody else's: not believed");
		write_file(path, good.data, good.bytes - 1);
	}

	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", directory);
	check_number(rename(path, elsewhere), 0, "elsewhere");
	check_number(symlink("elsewhere", path), 0, "a symbolic link");
	check_number(get(&elf), -ENOENT, "a symbolic link is not followed");
	unlink(path);
	check_number(mkfifo(path, 0600), 0, "a pipe");
	check_number(get(&elf), -ENOENT, "a pipe does not keep us");
	unlink(path);
	check_number(mkdir(path, 0700), 0, "a directory");
	check_number(get(&elf), -ENOENT, "a directory is none");
	check(put(&elf) < 0, "and is not replaced");
	check_number(count_files(".unfinished"), 0, "nor anything left beside it");
	rmdir(path);
	buffer_free(&good);
	drop_elf(&elf);
}

/* RLIMIT_FSIZE stands for a disk that is full before the file is written. */
static void full(void)
{
	struct elf elf = make_elf("build id on full disk", 0644);
	struct rlimit before, little;

	empty();
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	little = (struct rlimit){ .rlim_cur = 100, .rlim_max = before.rlim_max };
	setrlimit(RLIMIT_FSIZE, &little);
	check_number(put(&elf), -EFBIG, "no room on the disk");
	check_string(says(&elf, NULL), "rsp+16", "the table is made all the same");
	setrlimit(RLIMIT_FSIZE, &before);
	check_number(count_files(".unwind") + count_files(".unfinished"), 0, "nothing is left there");
	check_number(put(&elf), 0, "later there is room");
	drop_elf(&elf);
}

static void gone(void)
{
	char path[] = "/tmp/ktally-test-unwind-gone-XXXXXX";
	struct elf elf = make_elf("build id, directory.", 0644);
	struct unwind_cache before = cache;

	if (!mkdtemp(path))
		check(false, "another directory");
	cache.directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rmdir(path);
	check_number(put(&elf), -ENOENT, "a directory that was removed takes nothing");
	check_string(says(&elf, NULL), "rsp+16", "the table is made all the same");
	close(cache.directory);
	cache = before;
	drop_elf(&elf);
}

#define THREADS	4
#define TURNS	50

/* Two of them as the genuine file, two as its twin: nobody ever has the other's. */
static void *take_turns(void *argument)
{
	const uint8_t *data = argument;
	struct elf elf = make_elf_of("build id of threads.", 0644, ".eh_frame", data);
	const char *wanted = data == frames ? "rsp+16" : "rsp+24";
	uintptr_t wrong = 0;

	for (unsigned int i = 0; i < TURNS; i++) {
		struct unwind_statistics statistics;
		struct unwind_table table;

		if (unwind_cache_read(&cache, &elf, NULL, UNWIND_CACHE_HERE, KTALLY_UNWIND_BYTES_MAX, &table, &statistics)) {
			wrong++;
			continue;
		}
		wrong += unwind_table_find(&table, FAKE_TEXT_OFFSET + 0x100)->cfa_offset != (wanted[4] == '1' ? 16 : 24);
		unwind_table_free(&table);
	}
	drop_elf(&elf);
	return (void *)wrong;
}

static void at_once(void)
{
	pthread_t threads[THREADS];
	void *wrong, *all = NULL;

	for (unsigned int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, take_turns, i % 2 ? other_frames : (uint8_t *)frames);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &wrong);
		all = (void *)((uintptr_t)all + (uintptr_t)wrong);
	}
	check(!all, "four threads at two files, two to a file: each has its own table, always");
	check_number(count_files(".unfinished"), 0, "and nothing unfinished is left");
}

static void room(void)
{
	char id[21], other[600], paths[5][600];
	uint64_t bytes = 0, most = cache.most_bytes;
	struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	unsigned int listed = 0;
	struct elf elf;
	struct stat status;

	empty();
	snprintf(other, sizeof(other), "%s/somebody-elses", directory);
	write_file(other, "x", 1);
	for (unsigned int i = 0; i < 5; i++) {
		sprintf(id, "room for build id %02u", i);
		elf = make_elf(id, 0644);
		put(&elf);
		strcpy(paths[i], only_file());
		stat(paths[i], &status);
		bytes = (uint64_t)status.st_size;
		times[0].tv_sec = times[1].tv_sec = 100000 + i;
		utimensat(AT_FDCWD, paths[i], times, 0);
		snprintf(other, sizeof(other), "%s/hidden%u", directory, i);
		rename(paths[i], other);
		drop_elf(&elf);
	}
	for (unsigned int i = 0; i < 5; i++) {
		snprintf(other, sizeof(other), "%s/hidden%u", directory, i);
		listed += !rename(other, paths[i]);
	}
	check_number(listed, 5, "five files");
	elf = make_elf("room for build id 01", 0644);
	check_number(get(&elf), 0, "one of five is used again");
	drop_elf(&elf);
	snprintf(other, sizeof(other), "%s/00.unwind.1.unfinished", directory);
	write_file(other, "x", 1);
	times[0].tv_sec = times[1].tv_sec = 1000;
	utimensat(AT_FDCWD, other, times, 0);
	cache.most_bytes = 7 * bytes / 2;
	elf = make_elf("room for the sixth..", 0644);
	check_number(put(&elf), 0, "a sixth, with room for three");
	for (unsigned int i = 0; i < 5; i++)
		check_number(!stat(paths[i], &status), i == 1 || i == 4, "the oldest go: number %u", i);
	check_number(get(&elf), 0, "the oldest go: not the sixth");
	drop_elf(&elf);
	check(stat(other, &status) && errno == ENOENT, "what somebody did not finish goes");
	snprintf(other, sizeof(other), "%s/somebody-elses", directory);
	check(!stat(other, &status), "other files stay");
	cache.most_bytes = 16;
	elf = make_elf("larger than it all..", 0644);
	check_number(put(&elf), -EFBIG, "one that is larger than all that may be");
	drop_elf(&elf);
	cache.most_bytes = most;
}

/* How many of ten are there: of the host's files, or of others. */
static unsigned int there(char kind)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < 10; i++) {
		struct elf elf;
		char id[21];

		sprintf(id, "half of build id %c%02u", kind, i);
		elf = make_elf(id, 0644);
		count += !get(&elf);
		drop_elf(&elf);
	}
	return count;
}

static void put_some(char kind, unsigned int from, unsigned int count)
{
	for (unsigned int i = from; i < from + count; i++) {
		struct elf elf;
		char id[21];

		sprintf(id, "half of build id %c%02u", kind, i % 100);
		elf = make_elf(id, 0644);
		put(&elf);
		drop_elf(&elf);
	}
}

/* Files that are not the host's come and go, as many as their owner likes: a few of the host's, of before, stay. */
static void halves(void)
{
	uint64_t most = cache.most_bytes, bytes;
	char late[300];
	struct stat status;

	empty();
	put_some('h', 0, 1);
	stat(only_file(), &status);
	bytes = (uint64_t)status.st_size;
	cache.most_bytes = 20 * bytes;
	put_some('h', 1, 5);
	half = UNWIND_CACHE_ELSEWHERE;
	put_some('c', 0, 90);
	check(count_files(".unwind") <= 20, "no more than there may be: %u", count_files(".unwind"));
	check_number(there('h'), 6, "those of the host stay, whatever comes of others");
	check_number(count_files(".elsewhere.unwind") > 10, 1, "which have the room that is left");
	put_some('c', 0, 1);
	check_number(there('c'), 1, "and are found there");
	half = UNWIND_CACHE_HERE;
	put_some('i', 0, 90);
	check(count_files(".elsewhere.unwind") >= 8, "nor do the host's take more than is left by a half: %u", count_files(".elsewhere.unwind"));

	snprintf(late, sizeof(late), "%s/late.unwind", directory);
	empty();
	put_some('h', 0, 1);
	cache.listed = 0;
	put_some('h', 1, 1);
	write_file(late, "", 0);
	check(truncate(late, (off_t)(30 * bytes)) == 0, "another process puts some there");
	put_some('h', 2, 1);
	check(!stat(late, &status), "which is not looked for each time");
	cache.listed = 0;
	put_some('h', 3, 1);
	check(stat(late, &status), "but later");
	empty();
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
	memcpy(other_frames, frames, sizeof(frames));
	other_frames[sizeof(frames) - 1] = 24;
	back_and_forth();
	twins();
	debug_twins();
	whose();
	broken();
	full();
	gone();
	at_once();
	room();
	halves();
	close(cache.directory);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) ? 1 : check_end();
}
