// SPDX-License-Identifier: GPL-2.0
/*
 * A user without rights whose every sample meets files that are new: many files whose sizes change all the time, and a chain of frames
 * that leads through all of them. What it can take of what all share is bounded, others have their files named meanwhile, and it is
 * said what was refused.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "device.h"
#include "harness.h"
#include "mapped.h"
#include "table.h"
#include "workload.h"

#define DIRECTORY "/tmp/ktally-filestorm"

/* Two users, and a third. */
#define STORMER 65534
#define OTHER 65533

#define LIMITS "/sys/module/ktally/parameters/limits"

/* What one may make known at once, and in a second: see the ABI. */
#define NEW_BURST 1024
#define NEW_A_SECOND 64

/* Instructions that one piece of the module's work takes at most. */
#define INTERRUPTS_OFF_MOST 200000

static struct session session;

/* The files of a storm's first frames. */
#define FIRST 8
static uint32_t first_files[FIRST];

/* How many numbers files were given since any session is open. */
#define NUMBERS_GIVEN "/sys/module/ktally/parameters/numbers_given"

/* A number that was told last, and the file that spin_here() was last seen in. */
static uint32_t last_told, spin_file;
static uint64_t in_spin;
static uint64_t spin_begin, spin_end;

static void note(struct session *from, const struct ktally_record *record)
{
	const struct ktally_sample *sample = (const void *)record;
	const struct ktally_file *file = (const void *)record;
	const struct ktally_stack *stack;
	uint32_t leaf;

	if (record->type == KTALLY_RECORD_FILE)
		last_told = file->file;
	if (record->type != KTALLY_RECORD_SAMPLE)
		return;
	stack = session_stack(from, sample->stack_id);
	for (unsigned int i = 0; i < FIRST && stack->user_frames > KTALLY_UNWIND_MAPPINGS; i++)
		if (frame_is_file(stack->frames[i]))
			first_files[i] = frame_file(stack->frames[i]);
	leaf = leaf_file(stack, spin_begin, spin_end);
	if (!leaf)
		return;
	spin_file = leaf;
	in_spin++;
}

static void watch(struct __test_metadata *_metadata)
{
	struct ktally_setup setup = files_setup(NULL, 0);

	setup.depth = KTALLY_DEPTH_MAX;
	setup.ring_bytes = 4 << 20;
	spin_begin = offset_of(spin_here);
	spin_end = offset_of(spin_here_end);
	last_told = spin_file = 0;
	in_spin = 0;
	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = note;
	ASSERT_EQ(0, device_enable(session.fd));
}

static void unwatch(struct __test_metadata *_metadata)
{
	EXPECT_EQ(0, session_finish(&session));
	EXPECT_STREQ("", session.error);
	session_close(&session);
}

/* ------------------------------------------------------------------------------------------------ the storm */

#define FILES 450

/*
 * As deep as a stack can be: most of it by turns in those two of a few files that the walk finds last; they stay what they are, so
 * that there can be unwind tables for them; and then each frame in another, in every round in others, so that no mapping of them is remembered.
 */
#define FRAMES KTALLY_DEPTH_MAX
#define FEW 8
#define FRAMES_IN_FEW (FRAMES - KTALLY_UNWIND_MAPPINGS)

struct storm {
	int files[FILES];
	unsigned char *pages[FILES];
	uint64_t frames[FRAMES][2];	/* as frame pointers link them */
};

static unsigned int file_of_frame(unsigned int frame, unsigned int round)
{
	if (frame < FEW)
		return frame;
	return frame < FRAMES_IN_FEW ? FEW - 1 - frame % 2 : FEW + (frame - FRAMES_IN_FEW + round * KTALLY_UNWIND_MAPPINGS) % (FILES - FEW);
}

static void link_frames(struct storm *storm, unsigned int round)
{
	for (unsigned int i = 0; i < FRAMES; i++) {
		storm->frames[i][0] = i + 1 < FRAMES ? (uint64_t)storm->frames[i + 1] : 0;
		storm->frames[i][1] = (uint64_t)storm->pages[file_of_frame(i + 1, round)] + 2;
	}
}

static void spin_in_frames(struct storm *storm)
{
	uint64_t rounds = 300000;

	__asm__ volatile("push %%rbp\n\tmov %1, %%rbp\n\tcall *%2\n\tpop %%rbp"
			 : "+D"(rounds) : "r"(storm->frames), "r"(storm->pages[0]) : "memory", "cc");
}

/* dec %rdi; jnz; ret: with the frame pointer that its caller has. */
static const char code_of_storm[] = "\x48\xff\xcf\x75\xfb\xc3";

/* It has to be on the stack, for frames are. */
static __attribute__((noipa)) int make_storm(struct storm *storm)
{
	uint64_t bytes = 4096;
	unsigned int i, round;

	for (i = 0; i < FILES; i++) {
		storm->files[i] = memfd_create("storm", MFD_CLOEXEC);
		if (storm->files[i] < 0 || ftruncate(storm->files[i], 4096) ||
		    pwrite(storm->files[i], code_of_storm, sizeof(code_of_storm), 0) < 0)
			return 1;
		storm->pages[i] = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, storm->files[i], 0);
		if (storm->pages[i] == MAP_FAILED)
			return 2;
	}
	for (round = 0;; round++) {
		link_frames(storm, round);
		for (i = FEW, bytes++; i < FILES; i++)
			if (ftruncate(storm->files[i], (off_t)bytes))
				return 3;
		spin_in_frames(storm);
	}
}

/* The code as its frame pointers have it, said by the rule that takes the walk longest: all registers are saved. */
static int load_table(uint32_t file)
{
	unsigned int i;

	table_begin(file);
	table.rules[1] = (struct ktally_unwind_rule) { KTALLY_UNWIND_REGISTER, 6, .saved = (1 << KTALLY_UNWIND_SAVED) - 1, .cfa_offset = 16 };
	for (i = 0; i < KTALLY_UNWIND_SAVED; i++)
		table.rules[1].saved_at[i] = i == KTALLY_UNWIND_RBP ? -2 : -1;
	table.request.rule_count = 2;
	table.rows[table.request.row_count++] = (struct ktally_unwind_row) { 0, 1 };
	table.first_rows[0] = 0;
	table.first_rows[1] = 1;
	table.request.chunk_count = 1;
	return table_load(session.fd);
}

static bool are_first_files_known(void)
{
	for (unsigned int i = 0; i < FIRST; i++)
		if (!first_files[i])
			return false;
	return true;
}

static int run_storm_of(uid_t user)
{
	struct storm storm;

	if (setresgid(user, user, user) || setresuid(user, user, user))
		return 4;
	return make_storm(&storm);
}

static int run_storm(void *argument)
{
	(void)argument;
	return run_storm_of(STORMER);
}

#define USERS 8

/* Root of a container without a user namespace of its own, who is whoever he likes to be. */
static int run_storms_in_container(void *argument)
{
	(void)argument;
	if (unshare(CLONE_NEWPID))
		return 5;
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (uid_t user = STORMER - 1 - USERS; user < STORMER - 1; user++)
			if (!fork())
				_exit(run_storm_of(user));
		pause();
	}
	for (;;)
		pause();
}

static int execute_as_other(void *argument)
{
	if (setresgid(OTHER, OTHER, OTHER) || setresuid(OTHER, OTHER, OTHER))
		return 4;
	execute_spinner(argument, "0");
	return 1;
}

/* ------------------------------------------------------------------------------------------------ a program beside it */

struct gaps {
	double worst;
	uint64_t above[2];	/* 1 ms, 10 ms */
	bool stop;
};

/* How late who may run before all others wakes up. */
static int measure_gaps(void *argument)
{
	volatile struct gaps *gaps = argument;
	struct sched_param first = { .sched_priority = 50 };

	sched_setscheduler(0, SCHED_FIFO, &first);
	while (!gaps->stop) {
		uint64_t began = now_ns();
		double late;

		sleep_seconds(0.0005);
		late = (double)(now_ns() - began) / 1e9 - 0.0005;
		if (late > gaps->worst)
			gaps->worst = late;
		gaps->above[0] += late > 0.001;
		gaps->above[1] += late > 0.01;
	}
	return 0;
}

static void log_gaps(struct __test_metadata *_metadata, const char *when, const struct gaps *gaps)
{
	TH_LOG("%s: who may run first was kept from it for %.1f ms at most, %ju times for more than 1 ms, %ju for more than 10", when,
	       gaps->worst * 1e3, (uintmax_t)gaps->above[0], (uintmax_t)gaps->above[1]);
}

static struct gaps *shared_gaps(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* ------------------------------------------------------------------------------------------------ tests */

static bool is_file_at(uint32_t number, const char *path)
{
	const struct ktally_file *file = number ? session_file(&session, number) : NULL;
	struct stat status;

	return file && !stat(path, &status) && file->inode == status.st_ino && file->device_minor == minor(status.st_dev);
}

TEST(a_storm_takes_its_share_and_no_more)
{
	struct gaps *gaps = shared_gaps(), idle;
	uint64_t began, samples;
	pid_t storm, beside;
	long before, given;
	double seconds;

	ASSERT_NE(MAP_FAILED, (void *)gaps);
	watch(_metadata);
	beside = start_child(measure_gaps, gaps);
	ASSERT_EQ(0, session_run(&session, 2));
	idle = *gaps;
	*gaps = (struct gaps) {};
	log_gaps(_metadata, "without the storm", &idle);

	before = read_number(NUMBERS_GIVEN);
	samples = session_total(&session).samples;
	began = now_ns();
	storm = start_child(run_storm, NULL);
	for (unsigned int tries = 0; !are_first_files_known() && tries < 200; tries++)
		ASSERT_EQ(0, session_run(&session, 0.1));
	EXPECT_TRUE(are_first_files_known());
	for (unsigned int i = 0; i < FIRST && first_files[i]; i++)
		EXPECT_EQ(0, load_table(first_files[i]));
	ASSERT_EQ(0, session_run(&session, 10));
	seconds = (double)(now_ns() - began) / 1e9;
	log_gaps(_metadata, "in the storm", gaps);
	stop_child(storm);
	stop_child(beside);
	given = read_number(NUMBERS_GIVEN) - before;
	TH_LOG("%ju samples and %ld numbers in %.1f s; %ld new files, %ld look-ups, %ld files, %ld holds refused; %ld known, %ld held",
	       (uintmax_t)(session_total(&session).samples - samples), given, seconds,
	       session_figure(&session, "refused_new_files"), session_figure(&session, "refused_lookups"),
	       session_figure(&session, "refused_files"), session_figure(&session, "refused_holds"),
	       session_figure(&session, "files_known"), session_figure(&session, "files_held"));
	/* Others have new files, too, but not many. */
	EXPECT_GT(NEW_BURST + NEW_A_SECOND * (seconds + 1) + 50, given);
	EXPECT_LT(0, given);
	EXPECT_LT(0, session_figure(&session, "refused_new_files"));
	EXPECT_LT(0, session_figure(&session, "refused_lookups"));
	EXPECT_LT(0, session_figure(&session, "refused_mappings"));
	/* Where a clock counts instructions this is how many there are at most, see scripts/vm --icount. Elsewhere it says little. */
	TH_LOG("interrupts were off for %ld ns at most", session_figure(&session, "longest_ns"));
	if (number_from("KTALLY_COUNTED", 0))
		EXPECT_GE(INTERRUPTS_OFF_MOST, session_figure(&session, "longest_ns"));
	unwatch(_metadata);
}

/* Who closes and begins again is not new: what he has had counts for as long as there are numbers, which any descriptor sees to. */
TEST(a_share_is_had_once)
{
	int beside = device_open();
	uint64_t began;
	double seconds;
	long before;
	pid_t storm;

	ASSERT_LE(0, beside);
	before = read_number(NUMBERS_GIVEN);
	began = now_ns();
	storm = start_child(run_storm, NULL);
	for (unsigned int round = 0; round < 3; round++) {
		long refused;

		watch(_metadata);
		refused = session_figure(&session, "refused_new_files");
		for (unsigned int tries = 0; session_figure(&session, "refused_new_files") <= refused && tries < 300; tries++)
			ASSERT_EQ(0, session_run(&session, 0.1));
		EXPECT_LT(refused, session_figure(&session, "refused_new_files"));
		unwatch(_metadata);
	}
	stop_child(storm);
	seconds = (double)(now_ns() - began) / 1e9;
	EXPECT_GT(NEW_BURST + NEW_A_SECOND * (seconds + 1) + 50, read_number(NUMBERS_GIVEN) - before);
	close(beside);
}

TEST(another_user_beside_the_storm)
{
	static char path[KTALLY_PATH_BYTES_MAX];
	char program[] = DIRECTORY "/program";
	pid_t storm, other;
	uint32_t status;
	long refused;
	int fd;

	mount_memory(DIRECTORY);
	ASSERT_EQ(0, copy_file("/proc/self/exe", program, 0755));
	watch(_metadata);
	refused = session_figure(&session, "refused_new_files");
	storm = start_child(run_storm, NULL);
	for (unsigned int tries = 0; session_figure(&session, "refused_new_files") <= refused && tries < 300; tries++)
		ASSERT_EQ(0, session_run(&session, 0.1));
	refused = session_figure(&session, "refused_new_files");
	ASSERT_LT(0, refused);

	other = start_child(execute_as_other, program);
	ASSERT_EQ(0, session_run_until(&session, &in_spin, 10));
	fd = device_open_file(session.fd, spin_file, path, &status);
	EXPECT_LE(0, fd);
	EXPECT_STREQ(program, path);
	close(fd);
	ASSERT_EQ(0, session_run(&session, 1));
	EXPECT_LT(refused, session_figure(&session, "refused_new_files"));
	stop_child(other);
	stop_child(storm);
	unwatch(_metadata);
	EXPECT_LE(0, unmount(DIRECTORY, 2));
}

#define CROWD 100

/* More processes than this user can have remembered. */
static int run_crowd(void *argument)
{
	unsigned int i;

	(void)argument;
	if (setresgid(STORMER, STORMER, STORMER) || setresuid(STORMER, STORMER, STORMER))
		return 4;
	for (i = 1; i < CROWD; i++)
		if (!fork())
			break;
	for (;;) {
		spin_here(300000);
		sleep_seconds(0.05);
	}
}

/*
 * Of a share that is small one user gets half, however it tries, which the test's module has a parameter for; and another gets what it
 * needs: its own program, which nobody runs else, is named and can be opened.
 */
static void share(struct __test_metadata *_metadata, const char *limits, int (*taker)(void *argument), const char *used,
		  const char *refused, long limit, long most)
{
	static char path[KTALLY_PATH_BYTES_MAX];
	char program[] = DIRECTORY "/program";
	pid_t first, other;
	uint32_t status;
	long before;
	int fd;

	mount_memory(DIRECTORY);
	ASSERT_EQ(0, copy_file("/proc/self/exe", program, 0755));
	ASSERT_EQ(0, write_file(LIMITS, limits));
	watch(_metadata);
	before = session_figure(&session, refused);
	first = start_child(taker, NULL);
	for (unsigned int tries = 0; session_figure(&session, refused) <= before && tries < 600; tries++)
		ASSERT_EQ(0, session_run(&session, 0.1));
	EXPECT_LT(before, session_figure(&session, refused));

	other = start_child(execute_as_other, program);
	spin_file = 0;
	for (unsigned int tries = 0; !is_file_at(spin_file, program) && tries < 300; tries++)
		ASSERT_EQ(0, session_run(&session, 0.1));
	EXPECT_TRUE(is_file_at(spin_file, program));
	fd = device_open_file(session.fd, spin_file, path, &status);
	EXPECT_LE(0, fd);
	close(fd);
	TH_LOG("%ld %s of %ld, %ld refused", session_figure(&session, used), used, limit, session_figure(&session, refused) - before);
	EXPECT_GT(most, session_figure(&session, used));
	stop_child(other);
	stop_child(first);
	ASSERT_EQ(0, write_file(LIMITS, "65536,8192,4096"));
	unwatch(_metadata);
	EXPECT_LE(0, unmount(DIRECTORY, 2));
}

TEST(half_of_the_files)
{
	share(_metadata, "400,8192,4096", run_storm, "files_known", "refused_files", 400, 400);
}

/* As one user, not as eight: those would leave a ninth. */
TEST(half_of_the_files_for_a_container)
{
	share(_metadata, "400,8192,4096", run_storms_in_container, "files_known", "refused_files", 400, 280);
}

TEST(half_of_the_spaces)
{
	share(_metadata, "65536,100,4096", run_crowd, "spaces", "refused_spaces", 100, 100);
}

TEST(half_of_the_holds)
{
	share(_metadata, "65536,8192,100", run_storm, "files_held", "refused_holds", 100, 100);
}

/* As nobody's session is left that was told a number, they begin again; and not before. */
TEST(numbers_begin_again)
{
	pid_t child = start_spinner(-1);
	long given;
	int beside;

	watch(_metadata);
	while (!last_told)
		ASSERT_EQ(0, session_run(&session, 0.1));
	beside = device_open();
	ASSERT_LE(0, beside);
	unwatch(_metadata);
	given = read_number(NUMBERS_GIVEN);
	EXPECT_LT(0, given);

	watch(_metadata);
	while (!last_told)
		ASSERT_EQ(0, session_run(&session, 0.1));
	EXPECT_LT(given, read_number(NUMBERS_GIVEN));
	close(beside);
	unwatch(_metadata);

	EXPECT_EQ(0, read_number(NUMBERS_GIVEN));
	stop_child(child);
}

TEST_HARNESS_MAIN
