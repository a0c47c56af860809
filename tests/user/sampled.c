// SPDX-License-Identifier: GPL-2.0-or-later
/* symbols/symbols.h: files that frames name by number, from the device and from captures; on this host and on another. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/message.h"
#include "capture/capture.h"
#include "check.h"
#include "fake_elf.h"
#include "fake_records.h"
#include "symbols/errand.h"
#include "symbols/file.h"
#include "symbols/symbols.h"

#define NUMBER	7
#define ID	"0123456789abcdefghij"

static const struct fake_symbol functions[] = {
	{ "first", 0x10, 0x20, STB_GLOBAL, STT_FUNC, false },
	{ "__restore_rt", 0x80, 0x10, STB_LOCAL, STT_FUNC, false },
	{ "last", 0x90, 0x10, STB_GLOBAL, STT_FUNC, false },
	{ NULL, 0, 0, 0, 0, false },
};

static const struct fake_symbol others[] = {
	{ "of_another_file", 0, 0x1000, STB_GLOBAL, STT_FUNC, false }, { NULL, 0, 0, 0, 0, false },
};

static char path[64];

static void put(const struct fake_elf *elf)
{
	struct buffer data = fake_elf(elf);
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	check(fd >= 0 && write(fd, data.data, data.bytes) == (ssize_t)data.bytes, "a file");
	close(fd);
	buffer_free(&data);
}

/* What the device says of the file that is there now. */
static struct symbols_file file_of(void)
{
	struct symbols_file file = { .identity.file = NUMBER, .path = path, .fd = -1 };
	struct stat status;

	if (!stat(path, &status)) {
		file.identity.inode = status.st_ino;
		file.identity.bytes = (uint64_t)status.st_size;
		file.identity.modified = status.st_mtim.tv_sec * 1000000000LL + status.st_mtim.tv_nsec;
	}
	return file;
}

static struct frame name(struct symbols *symbols, uint64_t offset)
{
	struct frame frame = { .file = NUMBER, .address = FAKE_TEXT_OFFSET + offset };

	symbols_name(symbols, 0, false, &frame);
	return frame;
}

static struct symbols *with(const struct symbols_file *file)
{
	struct symbols *symbols = symbols_create(0);

	symbols_set_file(symbols, file);
	return symbols;
}

static void by_path(void)
{
	const struct fake_elf elf = { .symbols = functions };
	struct symbols_file file;
	struct symbols *symbols;
	struct frame frame;

	put(&elf);
	file = file_of();
	symbols = with(&file);
	frame = name(symbols, 0x12);
	check_string(frame.function, "first", "a function of a file that has a number");
	check_number(frame.function_offset, 2, "two bytes into it");
	check_number(frame.object_address, FAKE_TEXT_ADDRESS + 0x12, "at its address as linked");
	check_string(frame.object, path, "its path");
	check_string(frame.build_id, NULL, "it has no build id");
	check_number(frame.kind, FRAME_NATIVE, "which is native");
	check_string(name(symbols, 0x7f).function, "__restore_rt", "no call leads to where handlers return to");
	check_string(name(symbols, 0x8f).function, "__restore_rt", "whose last byte is still its own");
	check_string(name(symbols, 0x60).function, NULL, "what is nobody's has no name");
	check_number(name(symbols, 0x60).object_address, FAKE_TEXT_ADDRESS + 0x60, "but an address");
	symbols_destroy(symbols);

	symbols = with(&file);
	put(&(struct fake_elf){ .symbols = others });
	frame = name(symbols, 0x12);
	check_string(frame.function, NULL, "another file at the same path gives no names");
	check_string(frame.object, path, "but the path is known");
	check_number(frame.object_address, FAKE_TEXT_OFFSET + 0x12, "and the offset");
	symbols_destroy(symbols);
}

/* A capture on another host: inode and times differ, the build id does not. */
static void by_build_id(void)
{
	struct symbols_file file = { .identity.file = NUMBER, .path = path, .build_id = ID, .build_id_bytes = 20, .fd = -1 };
	struct symbols_diagnosis diagnosis;
	struct symbols *symbols;
	struct frame frame;

	put(&(struct fake_elf){ .symbols = functions, .build_id = ID });
	symbols = with(&file);
	check_string(name(symbols, 0x12).function, "first", "the same build id is the same program");
	check_string(name(symbols, 0x12).build_id, "303132333435363738396162636465666768696a", "and frames tell it");
	symbols_destroy(symbols);
	put(&(struct fake_elf){ .symbols = others, .build_id = "0123456789abcdefghiX" });
	symbols = with(&file);
	frame = name(symbols, 0x12);
	check_string(frame.function, NULL, "another one is another");
	check_string(frame.build_id, "303132333435363738396162636465666768696a", "frames tell that of the file that ran");
	symbols_diagnose(symbols, 0, &frame, &diagnosis);
	check_number(diagnosis.lack, SYMBOLS_LACK_FILE, "what it lacks is the file");
	check_number(diagnosis.error, -ESTALE, "as another has its path");
	symbols_destroy(symbols);
	put(&(struct fake_elf){ .symbols = others });
	symbols = with(&file);
	check_string(name(symbols, 0x12).function, NULL, "and so is one without");
	symbols_destroy(symbols);
}

/* Deleted, but it was read before, or the capture has a copy. */
static void without_path(void)
{
	const struct fake_elf elf = { .symbols = functions };
	struct symbols_file file;
	struct buffer data = fake_elf(&elf);
	struct symbols *symbols;
	struct elf_source source = { .fd = -1 };

	put(&elf);
	file = file_of();
	file.path = "/nonexistent";
	source.memory = data.data;
	source.bytes = data.bytes;
	file.deleted = true;
	check_number(file_read(&file.names, &source, NULL, -1, 1 << 20), 0, "it is read elsewhere");
	symbols = with(&file);
	check_string(name(symbols, 0x12).function, "first", "then it needs not be opened");
	symbols_destroy(symbols);

	file.names = NULL;
	file.fd = memfd_create("copy", MFD_CLOEXEC);
	check(write(file.fd, data.data, data.bytes) == (ssize_t)data.bytes, "a copy");
	symbols = with(&file);
	check_string(name(symbols, 0x12).function, "first", "is as good");
	symbols_destroy(symbols);
	check(fcntl(file.fd, F_GETFD) < 0, "and closed in the end");

	file.fd = -1;
	file.error = -EPERM;
	symbols = with(&file);
	check_string(name(symbols, 0x12).function, NULL, "without all of them there is no name");
	symbols_destroy(symbols);
	buffer_free(&data);
}

/* One that takes all the room there is. */
static void set_large(struct symbols *symbols, uint32_t number)
{
	struct symbols_file large = { .identity.file = number, .path = "", .fd = -1, .names = memory_zeroed(1, sizeof(*large.names)) };

	large.names->bytes = 1 << 30;
	symbols_set_file(symbols, &large);
}

/* Somebody else reads symbols that had to make room for those of another file of the same user. */
static void read_elsewhere(void)
{
	const struct fake_elf elf = { .symbols = functions };
	struct elf_source source = { .fd = -1 };
	struct frame other = { .file = NUMBER + 1, .address = FAKE_TEXT_OFFSET };
	struct symbols_file file;
	struct buffer data = fake_elf(&elf);
	struct symbols *symbols;

	put(&elf);
	file = file_of();
	source.memory = data.data;
	source.bytes = data.bytes;
	check_number(file_read(&file.names, &source, NULL, -1, 1 << 20), 0, "it was read");
	symbols = with(&file);
	symbols_leave_reading(symbols, &(struct errands){ .give = NULL });
	check(!symbols_were_dropped(symbols, NUMBER), "its symbols are there");
	check_string(name(symbols, 0x12).function, "first", "and used");
	set_large(symbols, NUMBER + 1);
	check(!symbols_were_dropped(symbols, NUMBER), "one file drops none of others");
	symbols_name(symbols, 0, false, &other);
	set_large(symbols, NUMBER + 2);
	check(symbols_were_dropped(symbols, NUMBER) && !symbols_were_dropped(symbols, NUMBER + 2), "but with two of one user his make room");
	check_string(name(symbols, 0x12).function, NULL, "it is not read here, though it could be");
	check_number(file_read(&file.names, &source, NULL, -1, 1 << 20), 0, "but elsewhere");
	symbols_set_names(symbols, NUMBER, file.names);
	check_string(name(symbols, 0x12).function, "first", "then there are names again");
	symbols_set_file(symbols, &(struct symbols_file){ .identity.file = NUMBER + 1, .path = "", .fd = -1,
							  .names = memory_zeroed(1, sizeof(struct file)) });
	check(!symbols_were_dropped(symbols, NUMBER), "as long as there is room");
	symbols_destroy(symbols);
	buffer_free(&data);
}

static unsigned int seen;

static void see(void *context, const struct symbols_file *file)
{
	check(context == &seen, "the context");
	seen = seen * 100 + file->identity.file;
}

static void forgotten(void)
{
	struct symbols_file file = { .identity.file = 21, .path = "", .fd = -1 };
	struct symbols *symbols = with(&file);

	symbols_forget_files(symbols);
	check(symbols_find_file(symbols, 21), "a file that is new stays");
	check(!symbols_find_file(symbols, 22), "one that nobody told of is not there");
	symbols_each_file(symbols, see, &seen);
	check_number(seen, 21, "all files are told");
	symbols_forget_files(symbols);
	check(symbols_find_file(symbols, 21), "so does one that was looked for since");
	symbols_forget_files(symbols);
	symbols_forget_files(symbols);
	check(!symbols_find_file(symbols, 21), "others are forgotten");
	symbols_destroy(symbols);
}

/* From the records of a capture to names. */
static void recorded(void)
{
	const struct fake_elf elf = { .symbols = functions };
	const struct profile_options options = { .cells = true };
	struct profile *profile = profile_create(&options);
	struct ktally_task task = task_record(1, 5, 100, 100, "gone");
	struct ktally_file announced = { .header.type = KTALLY_RECORD_FILE, .header.size = sizeof(announced), .file = NUMBER };
	struct buffer data = fake_elf(&elf);
	struct capture_item item = {
		.type = CAPTURE_FILE, .path = "/gone", .data = data.data, .bytes = data.bytes,
		.file = { .identity = announced, .status = KTALLY_FILE_DELETED, .content_bytes = data.bytes },
	};
	uint64_t frames[] = {
		KTALLY_FRAME_FILE << KTALLY_FRAME_TYPE_SHIFT | (uint64_t)NUMBER << KTALLY_FRAME_FILE_SHIFT |
			(FAKE_TEXT_OFFSET + 0x12),
		KTALLY_FRAME_FILE << KTALLY_FRAME_TYPE_SHIFT | (uint64_t)(NUMBER + 1) << KTALLY_FRAME_FILE_SHIFT | 0x34,
	};
	struct profile_sample sample;

	profile_feed_item(profile, &item);
	profile_feed(profile, (const void *)&announced, NULL);
	announced.file++;
	profile_feed(profile, (const void *)&announced, NULL);
	feed_task(profile, &task);
	feed_stack(profile, 11, 0, NULL, 0, frames, 2);
	check(feed_sample(profile, 11, 1, 7 * SECOND, 1000, 0, &sample), "a sample");
	check_string(sample.stack->frames[0].function, "first", "named by the copy in the capture");
	check_string(sample.stack->frames[0].object, "/gone", "the file's path");
	check_string(sample.stack->frames[1].function, NULL, "a file that could not be opened gives no names");
	check_number(sample.stack->frames[1].address, 0x34, "but the offset stays");
	profile_destroy(profile);
	buffer_free(&data);
}

int main(void)
{
	snprintf(path, sizeof(path), "/tmp/ktally-sampled.%d", (int)getpid());
	by_path();
	by_build_id();
	without_path();
	read_elsewhere();
	forgotten();
	recorded();
	unlink(path);
	return check_end();
}
