// SPDX-License-Identifier: GPL-2.0
/*
 * User stacks that are no stacks: a process may put anything where its frame pointer is, and gets what can be said of it. And
 * kernel stacks: of a system call, complete, with the number of the call.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "device.h"
#include "harness.h"
#include "mapped.h"
#include "workload.h"

static struct session session;

/* Keeps a CPU busy for ever with this frame pointer; what runs is at spin_at. */
extern const char spin_at[], spin_end[];
void spin_with_frame_pointer(uint64_t pointer);
__asm__(".pushsection .text\n"
	".globl spin_with_frame_pointer\n"
	"spin_with_frame_pointer:\n"
	"	mov %rdi, %rbp\n"
	"spin_at:\n"
	"	jmp spin_at\n"
	"spin_end:\n"
	".popsection\n");

/**
 * struct chain - frames to be found at the frame pointer
 * @name: for messages
 * @pointer: where the frame pointer points; 0: to @links, on the stack
 * @links: next frame pointer (relative to @links if below 4096) and return address
 * @frames: how many frames the walk must find, the leaf included
 * @end: how it must end
 */
struct chain {
	const char *name;
	uint64_t pointer;
	uint64_t links[8];
	unsigned int frames;
	uint8_t end;
};

#define NONE UINT64_MAX		/* no frame pointer at all */
#define KERNEL 0xffffffff81000000

static const struct chain chains[] = {
	{ "none", NONE, {}, 1, KTALLY_END_NO_TABLE },
	{ "below the stack", 0x1000, {}, 1, KTALLY_END_NO_TABLE },
	{ "in the kernel", KERNEL, {}, 1, KTALLY_END_NO_TABLE },
	{ "at the end of all addresses", UINT64_MAX - 7, {}, 1, KTALLY_END_NO_TABLE },
	{ "at the end of the user's addresses", 0x7fffffffeff8, {}, 1, KTALLY_END_NO_TABLE },
	{ "not canonical", 1ULL << 62, {}, 1, KTALLY_END_NO_TABLE },
	{ "a zero link", 0, { 0, 0x401000 }, 2, KTALLY_END_COMPLETE },
	{ "a zero return address", 0, { 16, 0 }, 1, KTALLY_END_COMPLETE },
	{ "two links", 0, { 16, 0x401000, 0, 0x402000 }, 3, KTALLY_END_COMPLETE },
	{ "a circle", 0, { 16, 0x401000, 0x1, 0x402000 }, 3, KTALLY_END_NO_TABLE },
	{ "to itself", 0, { 2, 0x401000 }, 2, KTALLY_END_NO_TABLE },
	{ "misaligned", 0, { 17, 0x401000 }, 2, KTALLY_END_NO_TABLE },
	{ "returning to the kernel", 0, { 16, KERNEL, 0, 0x402000 }, 1, KTALLY_END_NO_TABLE },
	{ "returning to nowhere", 0, { 16, 0x401000, 0, 1ULL << 60 }, 2, KTALLY_END_NO_TABLE },
	{ "linked to the kernel", 0, { KERNEL, 0x401000 }, 2, KTALLY_END_NO_TABLE },
};

/* Links lie above everything of the stack that comes after, as real ones do. */
static int run_chain(void *argument)
{
	const struct chain *chain = argument;
	volatile uint64_t links[ARRAY_SIZE(chain->links)];
	uint64_t base = (uint64_t)links;
	size_t i;

	pin_to_cpu(0, 1);
	for (i = 0; i < ARRAY_SIZE(chain->links); i++)
		links[i] = chain->links[i];
	for (i = 0; i < ARRAY_SIZE(chain->links); i += 2) {
		switch (chain->links[i]) {
		case 0:
		case KERNEL:
			break;
		case 1:
			links[i] = base;
			break;
		case 2:
			links[i] = base + 8 * i;
			break;
		default:
			links[i] = base + chain->links[i];
		}
	}
	spin_with_frame_pointer(chain->pointer == NONE ? 0 : chain->pointer ?: base);
	return 0;
}

static unsigned int as_expected, in_loop;
static const struct chain *expected;

static void check_chain(struct session *from, const struct ktally_record *record)
{
	const struct ktally_sample *sample = (const void *)record;
	const struct ktally_stack *stack;
	uint64_t leaf;

	if (record->type != KTALLY_RECORD_SAMPLE)
		return;
	stack = session_stack(from, sample->stack_id);
	leaf = stack->user_frames ? stack->frames[stack->kernel_frames] & KTALLY_FRAME_VALUE_MASK : 0;
	if (leaf < (uint64_t)spin_at || leaf >= (uint64_t)spin_end)
		return;
	in_loop++;
	as_expected += stack->user_frames == expected->frames && stack->user_end == expected->end;
	if (stack->user_frames == expected->frames && expected->frames > 1 &&
	    stack->frames[stack->kernel_frames + 1] != (KTALLY_FRAME_USER << KTALLY_FRAME_TYPE_SHIFT | 0x400fff))
		session_fail(from, "frame 1 is %jx", (uintmax_t)stack->frames[stack->kernel_frames + 1]);
}

TEST(whatever_the_frame_pointer_is)
{
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_ONCPU,
		.capture = KTALLY_CAPTURE_USER | KTALLY_CAPTURE_KERNEL,
		.rate = 997,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
		.pid_count = 1,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(chains); i++) {
		pid_t child = start_child(run_chain, (void *)(uintptr_t)&chains[i]);

		expected = &chains[i];
		as_expected = in_loop = 0;
		sleep_seconds(0.05);
		setup.pids = (uintptr_t)&child;
		ASSERT_EQ(0, session_open(&session, &setup, true));
		session.on_record = check_chain;
		ASSERT_EQ(0, device_enable(session.fd));
		/* However slow the machine is. */
		for (unsigned int tries = 0; in_loop <= 10 && tries < 100; tries++)
			ASSERT_EQ(0, session_run(&session, 0.1));
		ASSERT_EQ(0, device_disable(session.fd));
		ASSERT_EQ(0, session_settle(&session));
		EXPECT_STREQ("", session.error);
		EXPECT_GT(in_loop, 10);
		EXPECT_EQ(in_loop, as_expected) {
			TH_LOG("the chain is %s", chains[i].name);
		}
		session_close(&session);
		stop_child(child);
	}
}

static unsigned int truncated, complete, others;

static void count_ends(struct session *from, const struct ktally_record *record)
{
	const struct ktally_stack *stack = (const void *)record;

	(void)from;
	if (record->type != KTALLY_RECORD_STACK)
		return;
	truncated += stack->user_end == KTALLY_END_TRUNCATED;
	complete += stack->user_end == KTALLY_END_COMPLETE;
	others += stack->user_end > KTALLY_END_TRUNCATED;
}

/* The maze is up to 300 frames deep. At most `depth` frames are told, and that there are more; which is no refusal. */
TEST(depth)
{
	static const uint32_t depths[] = { 1, 2, 100, KTALLY_DEPTH_MAX };
	pid_t child = start_maze();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(depths); i++) {
		unsigned int enough = depths[i] > 2 ? 10 : 1;	/* stacks that differ */
		struct ktally_setup setup = {
			.sources = KTALLY_SOURCE_ONCPU,
			.capture = KTALLY_CAPTURE_USER,
			.rate = 997,
			.depth = depths[i],
			.budget_ppm = KTALLY_BUDGET_PPM_MAX,
			.pids = (uintptr_t)&child,
			.pid_count = 1,
		};
		long refused;

		truncated = complete = others = 0;
		ASSERT_EQ(0, session_open(&session, &setup, true));
		refused = session_figure(&session, "refused_mappings");
		session.on_record = count_ends;
		ASSERT_EQ(0, device_enable(session.fd));
		for (unsigned int tries = 0; (depths[i] < 300 ? truncated : complete) <= enough && tries < 50; tries++)
			ASSERT_EQ(0, session_run(&session, 0.2));
		ASSERT_EQ(0, device_disable(session.fd));
		ASSERT_EQ(0, session_settle(&session));
		EXPECT_STREQ("", session.error);
		TH_LOG("depth %u: %u stacks truncated, %u complete, %u others", depths[i], truncated, complete, others);
		if (depths[i] < 300) {
			EXPECT_GT(truncated, enough);
		} else {
			EXPECT_EQ(0, truncated);
		}
		EXPECT_EQ(refused, session_figure(&session, "refused_mappings"));
		session_close(&session);
	}
	stop_child(child);
}

static int read_zeros(void *argument)
{
	size_t bytes = 1 << 20;
	char *buffer = malloc(bytes);
	int fd = open("/dev/zero", O_RDONLY);

	(void)argument;
	for (;;)
		if (syscall(SYS_read, fd, buffer, bytes) < 0)
			return 1;
}

static unsigned int in_read, whole, kernel_samples;

static void check_syscall(struct session *from, const struct ktally_record *record)
{
	const struct ktally_sample *sample = (const void *)record;
	const struct ktally_stack *stack;

	if (record->type != KTALLY_RECORD_SAMPLE || !(record->flags & KTALLY_SAMPLE_KERNEL))
		return;
	stack = session_stack(from, sample->stack_id);
	kernel_samples++;
	in_read += sample->syscall == SYS_read;
	whole += stack->kernel_end == KTALLY_END_COMPLETE && stack->kernel_frames >= 3 && stack->user_frames >= 1;
}

TEST(system_calls)
{
	pid_t child = start_child(read_zeros, NULL);
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_ONCPU,
		.capture = KTALLY_CAPTURE_USER | KTALLY_CAPTURE_KERNEL,
		.rate = 997,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
		.pids = (uintptr_t)&child,
		.pid_count = 1,
	};

	ASSERT_EQ(0, session_open(&session, &setup, true));
	session.on_record = check_syscall;
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, session_run(&session, 1.5));
	ASSERT_EQ(0, device_disable(session.fd));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_STREQ("", session.error);
	TH_LOG("%u samples in the kernel, %u in read(), %u with a whole stack", kernel_samples, in_read, whole);
	EXPECT_GT(kernel_samples, 100);
	EXPECT_GT(in_read * 100, kernel_samples * 95);
	EXPECT_GT(whole * 100, kernel_samples * 95);
	session_close(&session);
	stop_child(child);
}

TEST_HARNESS_MAIN
