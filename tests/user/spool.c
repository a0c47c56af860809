// SPDX-License-Identifier: GPL-2.0-or-later
/* Spools as directories: what is in them after all that can happen to files. What a power failure can do is in spool_power.c. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/message.h"
#include "check.h"
#include "spool/spool.h"

static char above[] = "/dev/shm/ktally-spool-XXXXXX", directory[64];

static void path_of(char path[128], const char *name)
{
	snprintf(path, 128, "%s/%s", directory, name);
}

static void write_file(const char *name, const void *data, size_t bytes)
{
	char path[128];
	FILE *file;

	path_of(path, name);
	file = fopen(path, "w");
	if (!file || fwrite(data, 1, bytes, file) != bytes || fclose(file))
		message_fatal(EXIT_FAILED, "cannot write %s: %m", path);
}

static bool is_there(const char *name)
{
	char path[128];
	struct stat status;

	path_of(path, name);
	return !lstat(path, &status);
}

static int start_anew(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static struct spool_label label_of(uint64_t number, const char *text)
{
	return (struct spool_label){ .number = number, .points = number * 10, .bytes = strlen(text), .compression = 1 };
}

static int put(struct spool *spool, uint64_t number, const char *text)
{
	struct spool_label label = label_of(number, text);

	return spool_put(spool, &label, text);
}

/* Whether the spool, when it is opened, has these batches, "1 2 3", and how many were damaged. */
static bool has(const char *wanted, uint64_t damaged)
{
	struct spool_contents contents;
	struct buffer numbers = { 0 };
	struct spool *spool;
	bool same;

	if (!check_number(spool_open(&spool, directory, &contents), 0, "opened"))
		return false;
	buffer_string(&numbers, "");
	for (size_t i = 0; i < contents.count; i++)
		buffer_format(&numbers, "%s%llu", i ? " " : "", (unsigned long long)contents.labels[i].number);
	same = !strcmp(numbers.data, wanted) && contents.damaged == damaged;
	if (!same)
		printf("# has \"%s\", %llu damaged\n", numbers.data, (unsigned long long)contents.damaged);
	buffer_free(&numbers);
	spool_free_contents(&contents);
	spool_close(spool);
	return same;
}

/* The same without saying so: for thousands. Returns -errno of opening, else how many batches there are. */
static int look(struct spool **spool, struct spool_contents *contents)
{
	int error = spool_open(spool, directory, contents);

	return error ? error : (int)contents->count;
}

static void done(struct spool *spool, struct spool_contents *contents)
{
	spool_free_contents(contents);
	spool_close(spool);
}

/* In a child, as it changes what holds for the process. Returns its exit status. */
static int in_child(int (*body)(void))
{
	int status = -1;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child)
		_exit(body());
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int open_second(void)
{
	struct spool_contents contents;
	struct spool *spool;

	return -spool_open(&spool, directory, &contents);
}

static void ordinary(void)
{
	struct spool_contents contents;
	struct spool_label label;
	struct buffer data = { 0 };
	struct stat status;
	struct spool *spool;

	check_number(spool_open(&spool, directory, &contents), 0, "a directory is made, and the one above it");
	check(!contents.count && contents.next == 1 && !contents.damaged, "with nothing in it");
	stat(directory, &status);
	check_number(status.st_mode & 0777, 0700, "for its owner alone");
	check_number(in_child(open_second), EWOULDBLOCK, "another process cannot open it");
	check(!put(spool, 2, "two") && !put(spool, 1, "one") && !put(spool, 0x100, "more"), "batches are put");
	check(is_there("0000000000000100.batch") && !is_there("0000000000000100.part"), "as files");
	label = label_of(2, "two");
	check(!spool_get(spool, &label, &data) && data.bytes == 3 && !memcmp(data.data, "two", 3), "and read back");
	label.bytes = 4;
	check_number(spool_get(spool, &label, &data), -EBADMSG, "what is not as it was is damaged");
	check_number(data.bytes, 3, "and adds nothing");
	label = label_of(3, "three");
	check_number(spool_get(spool, &label, &data), -ENOENT, "what was never put is not there");
	spool_close(spool);

	check_number(spool_open(&spool, directory, &contents), 0, "opened again after it was closed");
	check(contents.count == 3 && contents.next == 0x101 && !contents.damaged, "it has all");
	check(contents.labels[0].number == 1 && contents.labels[1].number == 2 && contents.labels[2].number == 0x100, "in order");
	check(contents.labels[1].points == 20 && contents.labels[1].bytes == 3 && contents.labels[1].compression == 1, "with their labels");
	check(!spool_remove(spool, 1) && !is_there("0000000000000001.batch"), "one is removed");
	check_number(spool_remove(spool, 1), 0, "removed already is as good");
	check_number(spool_settle(spool), 0, "brought to the disk");
	done(spool, &contents);
	check(has("2 256", 0), "the others are there");
	check_number(in_child(open_second), 0, "now another process can open it");
	buffer_free(&data);
}

/* What the header says of the format: a reader of another version, or a person, goes by it. */
static void format(void)
{
	static const unsigned char expected[] = {
		'k', 't', 's', 'p', 'o', 'o', 'l', 0, 1, 0, 0, 0, 1, 0, 0, 0, 0x34, 0x12, 0, 0, 0, 0, 0, 0,
		8, 0xb6, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0x26, 0x39, 0xf4, 0xcb,
	};
	struct spool_contents contents;
	struct buffer file = { 0 };
	struct spool *spool;
	char path[128];

	start_anew();
	look(&spool, &contents);
	put(spool, 0x1234, "123456789");	/* whose CRC-32 is 0xcbf43926, as the whole world has it */
	done(spool, &contents);
	path_of(path, "0000000000001234.batch");
	buffer_read_file(&file, path, 1 << 20);
	check_number(file.bytes, SPOOL_HEAD_BYTES + 9, "a head and the data");
	check(!memcmp(file.data, expected, sizeof(expected)), "the head is as it is documented");
	check(!memcmp(file.data + SPOOL_HEAD_BYTES, "123456789", 9), "and the data as it was");
	buffer_free(&file);
}

/* Everything that a file with one byte changed, or cut anywhere, can be taken for. */
static void damaged(void)
{
	static const char text[] = "the quick brown fox jumps over the lazy dog";
	unsigned int wrong = 0, found_at_once = 0, found_later = 0, parts = 0;
	struct spool_contents contents;
	struct buffer whole = { 0 };
	struct spool *spool;
	char path[128];

	start_anew();
	look(&spool, &contents);
	put(spool, 5, text);
	put(spool, 6, "another");
	done(spool, &contents);
	path_of(path, "0000000000000005.batch");
	buffer_read_file(&whole, path, 1 << 20);

	for (size_t bytes = 0; bytes <= whole.bytes + 1; bytes++) {
		char longer[256] = { 0 };
		bool is_whole = bytes == whole.bytes;

		memcpy(longer, whole.data, whole.bytes);
		write_file("0000000000000005.batch", longer, bytes);
		wrong += look(&spool, &contents) != 1 + is_whole || contents.damaged != !is_whole || contents.next != 7;
		wrong += contents.labels[contents.count - 1].number != 6;
		wrong += is_there("0000000000000005.batch") != is_whole;
		done(spool, &contents);
		unlink(path);
		write_file("0000000000000005.part", longer, bytes);
		wrong += look(&spool, &contents) != 1 + is_whole || contents.damaged || is_there("0000000000000005.part");
		parts += contents.count == 2 && is_there("0000000000000005.batch");
		done(spool, &contents);
	}
	check_number(wrong, 0, "a file cut anywhere is damaged, and gone; its neighbour is there");
	check_number(parts, 1, "one that lacks nothing but its name gets it");

	for (size_t place = 0; place < whole.bytes; place++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			struct spool_label label = label_of(5, text);
			struct buffer data = { 0 };

			whole.data[place] ^= (char)(1 << bit);
			write_file("0000000000000005.batch", whole.data, whole.bytes);
			whole.data[place] ^= (char)(1 << bit);
			look(&spool, &contents);
			if (contents.damaged)
				found_at_once++;
			else
				found_later += spool_get(spool, &label, &data) == -EBADMSG && !data.bytes;
			done(spool, &contents);
			buffer_free(&data);
		}
	}
	check_number(found_at_once, SPOOL_HEAD_BYTES * 8, "each bit of the head, when the spool is opened");
	check_number(found_later, strlen(text) * 8, "each bit of the data, when it is read: never is it taken for what it is not");
	buffer_free(&whole);
}

static void strangers(void)
{
	struct spool_contents contents;
	struct buffer file = { 0 };
	struct spool *spool;
	char path[128], link_path[128];

	start_anew();
	look(&spool, &contents);
	put(spool, 7, "seven");
	done(spool, &contents);
	path_of(path, "0000000000000007.batch");
	buffer_read_file(&file, path, 1 << 20);
	write_file("README", "x", 1);
	write_file("0000000000000009.batch.bak", "x", 1);
	write_file("000000000000000A.batch", "x", 1);
	write_file("0x00000000000007.batch", "x", 1);
	check(has("7", 0), "files of other names are no batches");
	check(is_there("README") && is_there("0000000000000009.batch.bak") && is_there("000000000000000A.batch"), "and are left alone");
	write_file("0000000000000008.batch", file.data, file.bytes);
	check(has("7", 1), "a batch under another's number is damaged");
	write_file("ffffffffffffffff.batch", file.data, file.bytes);
	check(has("7", 0) && is_there("ffffffffffffffff.batch"), "a number after which none fits is none");
	write_file("7fffffffffffffff.batch", "x", 1);
	check_number(look(&spool, &contents), 1, "the last number that there can be");
	check(contents.damaged == 1 && contents.next == 8, "is damage: the next batch has one that can be read back");
	done(spool, &contents);
	path_of(link_path, "0000000000000003.batch");
	if (symlink(path, link_path))
		check(false, "a link can be made");
	path_of(path, "0000000000000002.batch");
	mkfifo(path, 0600);
	path_of(path, "0000000000000001.batch");
	mkdir(path, 0700);
	check(has("7", 3), "links, pipes and directories are not followed, waited for or read");
	check(is_there("0000000000000007.batch"), "nor what they point to removed");
	rmdir(path);
	buffer_free(&file);
	chmod(directory, 0720);
	check_number(look(&spool, &contents), -EPERM, "a directory that others can write to is not used");
	chmod(directory, 0700);
	snprintf(link_path, sizeof(link_path), "%s/link", above);
	check(!symlink(directory, link_path), "a link leads to it");
	check_number(spool_open(&spool, link_path, &contents), -ENOTDIR, "which is not followed");
	unlink(link_path);
	if (!geteuid() && !chown(directory, 1234, 1234))
		check_number(look(&spool, &contents), -EPERM, "nor one of somebody else's");
	if (!geteuid() && chown(directory, 0, 0))
		check(false, "it is root's again");
	write_file("0000000000000007.part", "torn", 4);
	check(has("7", 0) && !is_there("0000000000000007.part"), "a torn copy beside the batch goes");
}

/* 77: cannot be tried; else the number of what failed. */
static int with_file_limit(void)
{
	struct rlimit limit = { 100, 100 };
	struct spool_contents contents;
	struct spool *spool;

	signal(SIGXFSZ, SIG_IGN);
	if (look(&spool, &contents) < 0)
		return 1;
	if (put(spool, 1, "small"))
		return 2;
	setrlimit(RLIMIT_FSIZE, &limit);
	if (put(spool, 2, "this is too long for the limit of one hundred bytes that was just set: the head has forty-eight") != -EFBIG)
		return 3;
	if (is_there("0000000000000002.part") || is_there("0000000000000002.batch"))
		return 4;
	if (put(spool, 3, "small too"))
		return 5;
	return 0;
}

static int on_small_disk(void)
{
	static char big[64 << 10];
	struct spool_label label = { .number = 1, .bytes = sizeof(big) - 8192 }, second = { .number = 2, .bytes = 16384 };
	struct spool_contents contents;
	struct spool *spool;
	struct buffer data = { 0 };

	if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return 77;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("none", above, "tmpfs", 0, "size=64k"))
		return 77;
	if (look(&spool, &contents) < 0)
		return 1;
	if (spool_put(spool, &label, big))
		return 2;
	if (spool_put(spool, &second, big) != -ENOSPC)
		return 3;
	if (is_there("0000000000000002.part") || is_there("0000000000000002.batch"))
		return 4;
	if (spool_get(spool, &label, &data) || data.bytes != label.bytes)
		return 5;
	if (spool_remove(spool, 1) || spool_put(spool, &second, big))
		return 6;
	if (mount(NULL, above, NULL, MS_REMOUNT | MS_RDONLY, NULL) && errno != EBUSY)
		return 7;
	spool_close(spool);
	if (mount(NULL, above, NULL, MS_REMOUNT | MS_RDONLY, NULL))
		return 77;
	if (spool_open(&spool, directory, &contents) != -EROFS)
		return 8;
	return 0;
}

static void bad_disks(void)
{
	struct spool_contents contents;
	struct spool *spool;
	int result;

	start_anew();
	check_number(in_child(with_file_limit), 0, "a file that cannot be written whole is not there, and those after it can");
	check(has("1 3", 0), "nothing else happened");
	start_anew();
	result = in_child(on_small_disk);
	if (result == 77)
		check_skip("file systems cannot be mounted here", "disks that are full or read-only");
	else
		check_number(result, 0, "disks that are full or read-only");
	check_number(spool_open(&spool, "/proc/no/such", &contents), -ENOENT, "a directory that cannot be made");
	check_number(spool_open(&spool, "/dev/null/spool", &contents), -ENOTDIR, "nor this one");
}

int main(void)
{
	char command[128];

	if (!mkdtemp(above))
		return 1;
	snprintf(directory, sizeof(directory), "%s/a/b", above);
	ordinary();
	format();
	damaged();
	strangers();
	bad_disks();
	snprintf(command, sizeof(command), "rm -rf %s", above);
	return system(command) ? 1 : check_end();
}
