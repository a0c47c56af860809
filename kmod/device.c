// SPDX-License-Identifier: GPL-2.0
#include "device.h"

#include <linux/bitops.h>
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/cpumask.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "cpus.h"
#include "files.h"
#include "oncpu.h"
#include "openfile.h"
#include "quota.h"
#include "reader.h"
#include "session.h"
#include "setup.h"
#include "space_of.h"
#include "spaces.h"
#include "tables.h"

static int device_open(struct inode *inode, struct file *file)
{
	struct ktally_session *session = ktally_session_create();

	if (IS_ERR(session))
		return PTR_ERR(session);
	file->private_data = session;
	return nonseekable_open(inode, file);
}

static int device_release(struct inode *inode, struct file *file)
{
	ktally_session_destroy(file->private_data);
	return 0;
}

/* ------------------------------------------------------------------------------------------------ ioctls */

/* Structures begin with their size; see "Structures that can grow" in the ABI. */
static int copy_in(void *to, size_t known, size_t least, void __user *from, u32 *size)
{
	if (get_user(*size, (u32 __user *)from))
		return -EFAULT;
	if (*size < least || *size > PAGE_SIZE)
		return -EINVAL;
	return copy_struct_from_user(to, known, from, *size);
}

static int copy_out(void __user *to, const void *from, size_t known, u32 size)
{
	return copy_to_user(to, from, min_t(size_t, known, size)) ? -EFAULT : 0;
}

static int do_info(struct ktally_session *session, void __user *argument)
{
	struct ktally_info info;
	u32 size;
	int err;

	BUILD_BUG_ON(sizeof(info) != KTALLY_INFO_SIZE_V2);
	err = copy_in(&info, sizeof(info), KTALLY_INFO_SIZE_V1, argument, &size);
	if (err)
		return err;
	info = (struct ktally_info) {
		.size		= size,
		.abi_version	= KTALLY_ABI_VERSION,
		.features	= KTALLY_FEATURE_ONCPU | KTALLY_FEATURE_OFFCPU | KTALLY_FEATURE_FILES |
				  KTALLY_FEATURE_TABLES | KTALLY_FEATURE_RIGHTS | KTALLY_FEATURE_CPUS |
				  KTALLY_FEATURE_SPACE_OF |
				  (IS_ENABLED(CONFIG_SCHED_INFO) ? KTALLY_FEATURE_RUN_QUEUE : 0),
		.allowed	= ktally_gate_allowed(&session->gate),
		.clock		= ktally_oncpu_clock(session),
		.cpus		= nr_cpu_ids,
		.rate_min	= KTALLY_RATE_MIN,
		.rate_max	= ktally_setup_rate_max(session),
		.rate_default	= KTALLY_RATE_DEFAULT,
		.depth_max	= KTALLY_DEPTH_MAX,
		.ring_bytes_min	= KTALLY_RING_BYTES_MIN,
		.ring_bytes_max	= ktally_setup_ring_bytes_max(session),
		.rights		= session->gate.rights,
	};
	return copy_out(argument, &info, sizeof(info), size);
}

static int do_setup(struct ktally_session *session, void __user *argument)
{
	struct ktally_setup setup;
	u32 size;
	int err;

	BUILD_BUG_ON(sizeof(setup) != KTALLY_SETUP_SIZE_V3);
	err = copy_in(&setup, sizeof(setup), KTALLY_SETUP_SIZE_V1, argument, &size);
	if (err)
		return err;
	err = ktally_session_set_up(session, &setup);
	if (err)
		return err;
	return copy_out(argument, &setup, sizeof(setup), size);
}

static int do_set_rate(struct ktally_session *session, void __user *argument)
{
	struct ktally_rate rate;
	u32 size;
	int err;

	BUILD_BUG_ON(sizeof(rate) != KTALLY_RATE_SIZE_V1);
	err = copy_in(&rate, sizeof(rate), KTALLY_RATE_SIZE_V1, argument, &size);
	if (err)
		return err;
	return ktally_session_set_rate(session, rate.rate);
}

static int do_flush(struct ktally_session *session, void __user *argument)
{
	struct ktally_flush flush;
	u32 size;
	int err;

	BUILD_BUG_ON(sizeof(flush) != KTALLY_FLUSH_SIZE_V1);
	err = copy_in(&flush, sizeof(flush), KTALLY_FLUSH_SIZE_V1, argument, &size);
	if (err)
		return err;
	return ktally_session_flush(session, flush.flags);
}

static int do_set_keep(struct ktally_session *session, void __user *argument)
{
	struct ktally_keep keep;
	u32 size;
	int err;

	BUILD_BUG_ON(sizeof(keep) != KTALLY_KEEP_SIZE_V1);
	err = copy_in(&keep, sizeof(keep), KTALLY_KEEP_SIZE_V1, argument, &size);
	if (err)
		return err;
	return ktally_session_set_keep(session, &keep);
}

static int do_restrict(struct ktally_session *session, void __user *argument)
{
	struct ktally_restrict request;
	u32 size;
	int err;

	BUILD_BUG_ON(sizeof(request) != KTALLY_RESTRICT_SIZE_V1);
	err = copy_in(&request, sizeof(request), KTALLY_RESTRICT_SIZE_V1, argument, &size);
	if (err)
		return err;
	if (request.reserved || request.rights & ~KTALLY_RIGHTS_ALL)
		return -EINVAL;
	ktally_gate_restrict(&session->gate, request.rights);
	request.rights = session->gate.rights;
	return copy_out(argument, &request, sizeof(request), size);
}

static bool is_among(const struct ktally_session *session, u32 which, unsigned int number)
{
	switch (which) {
	case KTALLY_CPUS_SAMPLED:
		return cpumask_test_cpu(number, session->sampled);
	case KTALLY_CPUS_LEFT_OUT:
		return !cpumask_test_cpu(number, session->sampled);
	default:
		return ktally_cpus_is_dark(session, number);
	}
}

static int do_get_cpus(const struct ktally_session *session, void __user *argument)
{
	struct ktally_cpus request;
	u64 __user *words;
	unsigned int number;
	u32 size, i;
	int err;

	BUILD_BUG_ON(sizeof(request) != KTALLY_CPUS_SIZE_V1);
	err = copy_in(&request, sizeof(request), KTALLY_CPUS_SIZE_V1, argument, &size);
	if (err)
		return err;
	if (!session->state || request.which > KTALLY_CPUS_DARK || request.count ||
	    request.words > KTALLY_CPU_WORDS_MAX || (request.words && request.words * 64 < nr_cpu_ids))
		return -EINVAL;
	words = u64_to_user_ptr(request.mask);
	for (i = 0; i < max_t(u32, request.words, DIV_ROUND_UP(nr_cpu_ids, 64)); i++) {
		u64 word = 0;

		for (number = i * 64; number < min(nr_cpu_ids, i * 64 + 64); number++)
			if (cpu_possible(number) && is_among(session, request.which, number))
				word |= 1ULL << number % 64;
		request.count += hweight64(word);
		if (i < request.words && put_user(word, &words[i]))
			return -EFAULT;
	}
	return copy_out(argument, &request, sizeof(request), size);
}

static int do_space_of(const struct ktally_session *session, void __user *argument)
{
	struct ktally_space_of request;
	u32 size;
	int err;

	BUILD_BUG_ON(sizeof(request) != KTALLY_SPACE_OF_SIZE_V1);
	err = copy_in(&request, sizeof(request), KTALLY_SPACE_OF_SIZE_V1, argument, &size);
	if (err)
		return err;
	/* It looks beyond what was sampled. */
	err = session->gate.privileged ? ktally_gate_check_host(&session->gate, KTALLY_RIGHT_SPACE_OF) :
					 ktally_gate_check(&session->gate, KTALLY_RIGHT_SPACE_OF);
	if (err)
		return err;
	if (!session->state || request.mm_id)
		return -EINVAL;
	err = ktally_space_of(session, request.pid, &request.mm_id);
	if (err)
		return err;
	return copy_out(argument, &request, sizeof(request), size);
}

/* Takes as long as its memory takes to come, so the session is not locked; nor is it changed. */
static int do_load_table(const struct ktally_session *session, void __user *argument)
{
	struct ktally_load_table request;
	u32 size;
	int err;

	BUILD_BUG_ON(sizeof(request) != KTALLY_LOAD_TABLE_SIZE_V1);
	err = copy_in(&request, sizeof(request), KTALLY_LOAD_TABLE_SIZE_V1, argument, &size);
	if (err)
		return err;
	err = ktally_tables_load(&session->gate, &request);
	if (err)
		return err;
	return copy_out(argument, &request, sizeof(request), size);
}

/* Opening can take as long as a remote file system takes to answer, so the session is not locked; nor is it touched. */
static int do_open_file(const struct ktally_session *session, void __user *argument)
{
	struct ktally_open_file request;
	struct ktally_opened opened;
	u32 size;
	int err;

	BUILD_BUG_ON(sizeof(request) != KTALLY_OPEN_FILE_SIZE_V1);
	err = copy_in(&request, sizeof(request), KTALLY_OPEN_FILE_SIZE_V1, argument, &size);
	if (err)
		return err;
	err = ktally_file_open(&session->gate, &request, &opened);
	if (err)
		return err;
	err = copy_out(argument, &request, sizeof(request), size);
	if (err)
		ktally_file_give_up(&opened);
	else
		ktally_file_give(&opened);
	return err;
}

/* The session's end disables it, too, and asks nobody. */
static int do_disable(struct ktally_session *session)
{
	int err = ktally_gate_check(&session->gate, KTALLY_RIGHT_ENABLE);

	if (err)
		return err;
	if (!session->state)
		return -EINVAL;
	ktally_session_disable(session);
	return 0;
}

static long locked_ioctl(struct ktally_session *session, unsigned int command, void __user *argument)
{
	lockdep_assert_held(&session->lock);

	switch (command) {
	case KTALLY_IOC_INFO:
		return do_info(session, argument);
	case KTALLY_IOC_SETUP:
		return do_setup(session, argument);
	case KTALLY_IOC_ENABLE:
		return argument ? -EINVAL : ktally_session_enable(session);
	case KTALLY_IOC_DISABLE:
		return argument ? -EINVAL : do_disable(session);
	case KTALLY_IOC_SET_RATE:
		return do_set_rate(session, argument);
	case KTALLY_IOC_FLUSH:
		return do_flush(session, argument);
	case KTALLY_IOC_SET_KEEP:
		return do_set_keep(session, argument);
	case KTALLY_IOC_RESTRICT:
		return do_restrict(session, argument);
	case KTALLY_IOC_GET_CPUS:
		return do_get_cpus(session, argument);
	case KTALLY_IOC_SPACE_OF:
		return do_space_of(session, argument);
	default:
		return -ENOTTY;
	}
}

static long device_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct ktally_session *session = file->private_data;
	long result;

	if (command == KTALLY_IOC_LOAD_TABLE)
		return do_load_table(session, (void __user *)argument);
	if (command == KTALLY_IOC_OPEN_FILE)
		return do_open_file(session, (void __user *)argument);
	result = mutex_lock_interruptible(&session->lock);
	if (result)
		return result;
	result = locked_ioctl(session, command, (void __user *)argument);
	mutex_unlock(&session->lock);
	return result;
}

/*
 * ------------------------------------------------------------------------------------------------
 * /proc/PID/fdinfo/FD
 */

static const char *state_name(u32 state)
{
	switch (state) {
	case KTALLY_STATE_READY:
		return "ready";
	case KTALLY_STATE_ENABLED:
		return "enabled";
	case KTALLY_STATE_STOPPED:
		return "stopped";
	default:
		return "new";
	}
}

static const char *const right_names[] = { "setup", "enable", "tune", "flush", "open_file", "load_table", "space_of" };

static void show_rights(struct seq_file *seq, u64 rights)
{
	unsigned int i;

	BUILD_BUG_ON(KTALLY_RIGHTS_ALL != (1ULL << ARRAY_SIZE(right_names)) - 1);
	seq_puts(seq, "rights:\t");
	for (i = 0; i < ARRAY_SIZE(right_names); i++)
		if (rights & 1ULL << i)
			seq_printf(seq, "%s ", right_names[i]);
	seq_putc(seq, '\n');
}

/* Of the whole host, and so for those only who may see it all. */
static void show_host(struct seq_file *seq)
{
	struct ktally_tables_usage tables = ktally_tables_used();
	unsigned int cause;

	seq_printf(seq, "tables:\t%u\n", tables.count);
	seq_printf(seq, "tables_bytes:\t%llu\n", tables.bytes);
	seq_printf(seq, "module_bytes:\t%llu\n", ktally_memory_used());
	seq_printf(seq, "spaces:\t%u\n", ktally_spaces_count());
	seq_printf(seq, "files_known:\t%u\n", ktally_files_known());
	seq_printf(seq, "files_held:\t%u\n", ktally_files_held());
	for (cause = 0; cause < KTALLY_REFUSALS; cause++)
		seq_printf(seq, "refused_%s:\t%llu\n", ktally_quota_name(cause), ktally_quota_refused(cause));
}

static void show_session(struct seq_file *seq, const struct ktally_session *session)
{
	u64 samples = 0, stacks = 0, throttles = 0, unread = 0, waits = 0, longest = 0;
	struct ktally_loss lost[KTALLY_LOST_CAUSES] = {}, unsampled = {};
	unsigned int i, cause;
	u32 thin = 1;

	for (i = 0; i < nr_cpu_ids; i++) {
		const struct ktally_cpu *cpu = ktally_session_cpu(session, i);
		const struct ktally_ring_producer *producer;

		if (!cpu)
			continue;
		producer = cpu->ring.producer;
		samples += READ_ONCE(producer->samples);
		stacks += READ_ONCE(producer->stacks);
		throttles += READ_ONCE(producer->throttles);
		waits += READ_ONCE(producer->waits);
		thin = max(thin, READ_ONCE(producer->thin));
		longest = max3(longest, READ_ONCE(cpu->budget.longest), READ_ONCE(cpu->offcpu.budget.longest));
		unread += ktally_ring_unread(&cpu->ring);
		unsampled.count += READ_ONCE(producer->unsampled.count);
		unsampled.weight += READ_ONCE(producer->unsampled.weight);
		for (cause = 0; cause < KTALLY_LOST_CAUSES; cause++)
			lost[cause].count += READ_ONCE(cpu->ring.lost[cause].count);
	}
	seq_printf(seq, "rate:\t%u\n", READ_ONCE(session->rate));
	seq_printf(seq, "rings:\t%d\n", atomic_read(&session->rings));
	seq_printf(seq, "cpus_sampled:\t%*pbl\n", cpumask_pr_args(session->sampled));
	seq_printf(seq, "cpus_dark:\t%u\n", ktally_cpus_count_dark(session));
	seq_printf(seq, "ring_bytes:\t%u\n", session->setup.ring_bytes);
	seq_printf(seq, "unread_bytes:\t%llu\n", unread);
	seq_printf(seq, "samples:\t%llu\n", samples);
	seq_printf(seq, "stacks:\t%llu\n", stacks);
	seq_printf(seq, "lost_full:\t%llu\n", lost[KTALLY_LOST_FULL].count);
	seq_printf(seq, "lost_busy:\t%llu\n", lost[KTALLY_LOST_BUSY].count);
	seq_printf(seq, "lost_notice:\t%llu\n", lost[KTALLY_LOST_NOTICE].count);
	seq_printf(seq, "lost_threads:\t%llu\n", lost[KTALLY_LOST_THREADS].count);
	seq_printf(seq, "unsampled:\t%llu\n", unsampled.count);
	seq_printf(seq, "unsampled_ns:\t%llu\n", unsampled.weight);
	seq_printf(seq, "waits:\t%llu\n", waits);
	seq_printf(seq, "keep_ns:\t%llu\n", READ_ONCE(session->offcpu.keep_ns));
	seq_printf(seq, "throttles:\t%llu\n", throttles);
	seq_printf(seq, "thin:\t%u\n", thin);
	seq_printf(seq, "longest_ns:\t%llu\n", longest);
}

static void device_show_fdinfo(struct seq_file *seq, struct file *file)
{
	const struct ktally_session *session = file->private_data;
	u32 state = ktally_session_state(session);

	seq_printf(seq, "state:\t%s\n", state_name(state));
	seq_printf(seq, "privileged:\t%d\n", session->gate.privileged);
	show_rights(seq, READ_ONCE(session->gate.rights));
	if (state)
		show_session(seq, session);
	if (perfmon_capable())
		show_host(seq);
}

/* ------------------------------------------------------------------------------------------------ registration */

static const struct file_operations device_operations = {
	.owner		= THIS_MODULE,
	.open		= device_open,
	.release	= device_release,
	.read		= ktally_read,
	.poll		= ktally_poll,
	.mmap		= ktally_mmap,
	.unlocked_ioctl	= device_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.show_fdinfo	= device_show_fdinfo,
};

static struct miscdevice device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "ktally",
	.mode	= 0660,
	.fops	= &device_operations,
};

int ktally_device_init(void)
{
	return misc_register(&device);
}

void ktally_device_exit(void)
{
	misc_deregister(&device);
}
