// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel that is locked down for confidentiality does not tell its addresses, not even to root. Lockdown cannot be lowered and
 * keeps modules from being loaded: this must be the last test.
 */
#include "device.h"
#include "harness.h"
#include "workload.h"

#define LOCKDOWN "/sys/kernel/security/lockdown"

TEST(no_kernel_frames_under_lockdown)
{
	struct ktally_setup setup = {
		.sources = KTALLY_SOURCE_ONCPU,
		.capture = KTALLY_CAPTURE_KERNEL | KTALLY_CAPTURE_USER,
		.rate = 997,
		.budget_ppm = KTALLY_BUDGET_PPM_MAX,
	};
	static struct session session, users;
	pid_t spinner = start_spinner(-1);
	struct ktally_info info;
	int fd;

	if (access(LOCKDOWN, W_OK))
		SKIP(return, "this kernel cannot be locked down");
	ASSERT_EQ(0, session_open(&session, &setup, true));
	ASSERT_EQ(0, write_file(LOCKDOWN, "integrity"));
	ASSERT_EQ(0, device_enable(session.fd));
	ASSERT_EQ(0, device_info(session.fd, &info));
	EXPECT_EQ(KTALLY_ALLOWED_ALL_PROCESSES | KTALLY_ALLOWED_KERNEL_FRAMES, info.allowed);

	ASSERT_EQ(0, write_file(LOCKDOWN, "confidentiality"));
	ASSERT_EQ(0, device_info(session.fd, &info));
	EXPECT_EQ(KTALLY_ALLOWED_ALL_PROCESSES, info.allowed);
	EXPECT_EQ(0, device_disable(session.fd));
	EXPECT_EQ(-EPERM, device_enable(session.fd));
	fd = device_open();
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EPERM, device_setup(fd, &setup));
	ASSERT_EQ(0, session_settle(&session));
	EXPECT_TRUE(session_is_exact(&session));
	session_close(&session);

	/* Users' frames are no secret of the kernel's. */
	setup.capture = KTALLY_CAPTURE_USER;
	ASSERT_EQ(0, session_adopt(&users, fd, &setup, true));
	ASSERT_EQ(0, device_enable(users.fd));
	ASSERT_EQ(0, session_run(&users, 0.5));
	EXPECT_GT(session_total(&users).samples, 10);
	EXPECT_STREQ("", users.error);
	session_close(&users);
	stop_child(spinner);
}

TEST_HARNESS_MAIN
