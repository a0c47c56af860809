// SPDX-License-Identifier: GPL-2.0-or-later
/* libktally on a device that answers as <linux/ktally.h> says, and on one that is broken. */
#include <fcntl.h>

#include "check.h"
#include "device.h"
#include "lib/libktally.h"

static struct ktally_session *start(void)
{
	struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU };
	struct ktally_session *session = NULL;

	if (ktally_open_fd(&session, open("/dev/null", O_RDWR | O_CLOEXEC)) != -ENOTTY)
		check(false, "a descriptor that is not the device's");
	if (ktally_open_fd(&session, device.fd) || ktally_set_up(session, &setup)) {
		check(false, "a session starts");
		exit(check_end());
	}
	return session;
}

static void files(void)
{
	struct ktally_load_table table = { .file = 9, .row_count = 3 };
	struct ktally_session *session;
	char path[KTALLY_PATH_BYTES_MAX];
	uint32_t status = 77;
	int fd;

	plug_in();
	session = start();
	device.file = "/proc/self/exe";
	fd = ktally_open_file(session, 9, path, sizeof(path), &status);
	check(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC, "a file is opened");
	check_string(path, device.file, "its path");
	check_number(status, 0, "it is there");
	close(fd);
	fd = ktally_open_file(session, 9, NULL, 4096, NULL);
	check(fd >= 0, "without path and status too");
	close(fd);
	check_number(ktally_open_file(session, 9, path, 3, &status), -ENAMETOOLONG, "no room for the path");
	device.file_error = ESTALE;
	errno = 12345;
	check_number(ktally_open_file(session, 9, path, sizeof(path), &status), -ESTALE, "a file that is gone");
	check_number(ktally_load_table(session, &table), 0, "a table is loaded");
	check_number(table.evicted, 2, "and says what had to go for it");
	check(device.table_file == 9 && device.table_rows == 3, "as it was given");
	device.table_error = EEXIST;
	check_number(ktally_load_table(session, &table), -EEXIST, "a table that is there");
	check_number(errno, 12345, "errno is left alone");
	ktally_close(session);
}

static uint64_t read_all(struct ktally_session *session, uint64_t *wrong)
{
	static uint64_t next[CPUS];
	const struct ktally_record *record;
	uint64_t count = 0;

	while ((record = ktally_next(session))) {
		const struct ktally_sample *sample = (const void *)record;

		if (!sample->time)
			next[record->cpu] = 0;
		*wrong += record->cpu >= CPUS || sample->time != next[record->cpu]++;
		count++;
	}
	return count;
}

static void opening(void)
{
	struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU };
	struct ktally_session *session = NULL;
	struct ktally_totals totals;
	__u64 mask[2], mm_id;
	bool is_loaded;
	int fd;

	plug_in();
	check_number(ktally_open_fd(&session, open("/dev/null", O_RDWR)), -ENOTTY, "another device is refused");
	check(!session, "without a session");
	device.abi_version = 2;
	check_number(ktally_open_fd(&session, device.fd), -EPROTO, "so is another ABI version");
	device.abi_version = KTALLY_ABI_VERSION;
	check_number(fcntl(device.fd, F_GETFD), FD_CLOEXEC, "which leaves the descriptor open");
	is_loaded = !access(KTALLY_DEVICE_PATH, F_OK);
	errno = 12345;
	if (!is_loaded)
		check_number(ktally_open(&session), -ENOENT, "no device");
	else
		check_skip("the module is loaded", "no device");
	check_number(ktally_open_fd(&session, device.fd), 0, "the device is taken");
	check_number(device.info_size, KTALLY_INFO_SIZE_V2, "asked for its information as this version knows it");
	check_number(ktally_get_info(session)->rate_max, 10000, "and gave it");
	check_number(ktally_fd(session), device.fd, "its descriptor is handed out");
	check_number(ktally_wait(session, 0), -EINVAL, "waiting before set-up is an error");
	check(!ktally_next(session), "and nothing is there");
	check_number(ktally_set_up(session, &setup), 0, "set-up");
	check_number(device.setup_size, KTALLY_SETUP_SIZE_V1, "with a size filled in");
	check_number(setup.area_bytes, AREA_BYTES, "and the module's answers");
	check_number(device.mappings, 4, "two rings are mapped in two pieces each");
	check_number(ktally_set_up(session, &setup), -EBUSY, "only once");
	check_number(ktally_enable(session), 0, "enable");
	check_number(device.state, KTALLY_STATE_ENABLED, "reaches the module");
	check_number(ktally_disable(session), 0, "disable");
	check_number(device.state, KTALLY_STATE_READY, "reaches the module");
	check_number(ktally_set_rate(session, 499), 0, "a rate");
	check_number(device.rate, 499, "reaches the module");
	check_number(ktally_flush(session, KTALLY_FLUSH_RESEND), 0, "a flush");
	check_number(device.flags, KTALLY_FLUSH_RESEND, "reaches the module with its flags");
	check_number(ktally_get_info(session)->rights, KTALLY_RIGHTS_ALL, "a session has all rights");
	check_number(ktally_restrict(session, KTALLY_RIGHT_FLUSH | KTALLY_RIGHT_TUNE), 0, "some are kept");
	check_number(device.rights, KTALLY_RIGHT_FLUSH | KTALLY_RIGHT_TUNE, "that reaches the module");
	check_number(ktally_restrict(session, KTALLY_RIGHT_FLUSH | KTALLY_RIGHT_SETUP), 0, "fewer are");
	check_number(ktally_get_info(session)->rights, KTALLY_RIGHT_FLUSH, "and its information says what remained");
	device.left_out = 6;
	device.dark = 3;
	check_number(ktally_get_cpus(session, KTALLY_CPUS_LEFT_OUT, mask, 2), 2, "how many CPUs are left out");
	check(mask[0] == 6 && !mask[1], "and which");
	check_number(ktally_get_cpus(session, KTALLY_CPUS_SAMPLED, mask, 1), CPUS - 2, "how many are sampled");
	check_number(ktally_get_cpus(session, KTALLY_CPUS_DARK, NULL, 5), 3, "how many are dark, without which");
	check_number(ktally_space_of(session, 7, &mm_id), 0, "the address space of a process");
	check_number(mm_id, 1007, "is what the module says");
	check_number(ktally_space_of(session, 0, &mm_id), -ESRCH, "where there is none");
	device.flushes_refused = 1;
	check_number(ktally_flush(session, 0), -EAGAIN, "a flush too many");
	producer_of(0)->unsampled = (struct ktally_loss){ 3, 5000 };
	producer_of(1)->unsampled = (struct ktally_loss){ 1, 700 };
	ktally_get_totals(session, &totals);
	check(totals.unsampled.count == 4 && totals.unsampled.weight == 5700, "counters that stood still are added up");
	check_number(errno, 12345, "errno was never touched");
	check_string(ktally_version(), LIBKTALLY_VERSION, "the version is the header's");
	fd = device.fd;
	ktally_close(session);
	check_number(fcntl(fd, F_GETFD), -1, "closing closes the descriptor");
	ktally_close(NULL);

	plug_in();
	setup = (struct ktally_setup) { .size = sizeof(setup) + 8 };
	ktally_open_fd(&session, device.fd);
	ktally_set_up(session, &setup);
	check_number(device.setup_size, sizeof(setup) + 8, "a caller's own size is passed on");
	ktally_close(session);
}

static void bad_answers(void)
{
	static const struct {
		uint32_t cpus;
		uint64_t area_bytes;
	} answers[] = {
		{ 0, AREA_BYTES }, { 65537, AREA_BYTES }, { UINT32_MAX, AREA_BYTES }, { CPUS, 0 },
		{ CPUS, KTALLY_PAGE_BYTES }, { CPUS, AREA_BYTES + 8 }, { CPUS, 1ULL << 62 },
		{ CPUS, -(uint64_t)KTALLY_PAGE_BYTES },
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU };
		struct ktally_session *session;

		plug_in();
		device.cpus = answers[i].cpus;
		device.area_bytes = answers[i].area_bytes;
		ktally_open_fd(&session, device.fd);
		check_number(ktally_set_up(session, &setup), -EPROTO, "an impossible answer to SETUP (%zu)", i);
		check(!ktally_next(session), "leaves nothing to read (%zu)", i);
		ktally_close(session);
	}
}

static void reading(void)
{
	struct ktally_session *session;
	struct ktally_totals totals;
	uint64_t wrong = 0, count = 0, written = 0;

	plug_in();
	session = start();
	check_number(ktally_wait(session, 77), 0, "nothing to read");
	check_number(device.timeout, 77, "after the time asked for");
	write_records(0, 100);
	write_records(1, 50);
	check_number(ktally_wait(session, -1), 1, "something to read");
	check_number(read_all(session, &wrong), 150, "records of both rings");
	check(tail_of(0) == device.head[0] && tail_of(1) == device.head[1], "whose room is given back at its end");
	check_number(ktally_wait(session, 0), 0, "nothing more");

	for (unsigned int round = 0; round < 300; round++) {
		for (unsigned int cpu = 0; cpu < 2; cpu++) {
			while (device.written[cpu] % (61 + cpu) != 60 &&
			       write_record(cpu, (uint16_t)(48 + device.written[cpu] % 90 * 8)))
				written++;
			written += write_record(cpu, 48);
		}
		count += read_all(session, &wrong);
	}
	check_number(count, written, "everything that was written, many times around");
	check_number(wrong, 0, "in each ring's order");
	check(device.head[0] > 10 * RING_BYTES, "(%u times)", (unsigned int)(device.head[0] / RING_BYTES));

	producer_of(0)->lost[KTALLY_LOST_FULL] = (struct ktally_loss) { 3, 30 };
	producer_of(1)->lost[KTALLY_LOST_FULL] = (struct ktally_loss) { 4, 40 };
	producer_of(1)->lost[KTALLY_LOST_NOTICE] = (struct ktally_loss) { 1, 0 };
	producer_of(0)->thin = 4;
	producer_of(0)->stacks = producer_of(1)->stacks = 7;
	producer_of(1)->throttles = 2;
	producer_of(0)->rate = producer_of(1)->rate = 19;
	ktally_get_totals(session, &totals);
	check_number(totals.samples, 150 + written, "totals: samples");
	check(totals.lost[KTALLY_LOST_FULL].count == 7 && totals.lost[KTALLY_LOST_FULL].weight == 70, "totals: losses");
	check_number(totals.lost[KTALLY_LOST_NOTICE].count, 1, "totals: losses by cause");
	check(totals.stacks == 14 && totals.throttles == 2 && totals.rings == 2, "totals: stacks, throttles, rings");
	check(totals.thin == 4 && totals.rate == 19 && totals.state == KTALLY_STATE_READY, "totals: thin, rate, state");
	ktally_close(session);
}

/* Two full rings: turns of bounded size, and a pass that ends though records keep coming. */
static void fairness(void)
{
	const struct ktally_record *record;
	struct ktally_session *session;
	unsigned int turns = 0, last = CPUS;
	uint64_t longest = 0, turn = 0, before[2], count = 0, expected;

	plug_in();
	session = start();
	while (write_record(0, 1024) && write_record(1, 1024))
		;
	before[0] = device.written[0];
	before[1] = device.written[1];
	expected = before[0] + before[1];
	while ((record = ktally_next(session))) {
		if (record->cpu != last) {
			turns++;
			turn = 0;
			last = record->cpu;
		}
		turn += record->size;
		longest = longest < turn ? turn : longest;
		count++;
		write_record(record->cpu, 1024);	/* as soon as there is room */
	}
	check(turns >= 6 && longest <= 65536 + 1024, "rings have turns (%u, %llu bytes at most)", turns,
	      (unsigned long long)longest);
	check_number(count, expected, "a pass ends with what was there when it began");
	check(device.written[0] > before[0], "though more came meanwhile");
	check(ktally_next(session), "and the next pass has that");
	ktally_close(session);
}

static void holding(void)
{
	const struct ktally_record *record;
	struct ktally_session *session;
	uint64_t tail;

	plug_in();
	session = start();
	write_records(1, 10);
	record = ktally_next(session);
	check(record && record->cpu == 1, "a record");
	check_number(ktally_wait(session, 0), 1, "waiting with a record in hand");
	check_number(tail_of(1), 0, "leaves it its room");
	record = ktally_next(session);
	ktally_wait(session, 0);
	tail = tail_of(1);
	check_number(tail, sizeof(struct ktally_sample), "and gives back that of the one before");
	ktally_close(session);
}

static void batches(void)
{
	const struct ktally_record *records[4];
	struct ktally_session *session;
	uint64_t next = 0, wrong = 0;
	unsigned int count;

	plug_in();
	session = start();
	write_records(0, 6);
	write_records(1, 1);
	for (unsigned int i = 0; i < 3; i++) {
		static const unsigned int counts[] = { 4, 2, 1 };

		count = ktally_next_batch(session, records, 4);
		check_number(count, counts[i], "a batch is of one ring");
		for (unsigned int j = 0; j < count; j++)
			wrong += records[j]->cpu != (i == 2) || ((const struct ktally_sample *)records[j])->time != (i == 2 ? 0 : next++);
		ktally_wait(session, 0);
		check_number(tail_of(0), (i ? i == 1 ? 4 : 6 : 0) * sizeof(struct ktally_sample), "all of it has its room until the next");
	}
	check_number(wrong, 0, "in order");
	check(!ktally_next_batch(session, records, 4) && !ktally_wait(session, 0), "then there is nothing");
	write_records(0, 3);
	((struct ktally_record *)(device.areas[0] + 2 * KTALLY_PAGE_BYTES + 8 * sizeof(struct ktally_sample)))->size = 12;
	check_number(ktally_next_batch(session, records, 4), 2, "what stands before a broken record is handed out");
	check(!ktally_next_batch(session, records, 4) && ktally_wait(session, 0) == -EPROTO, "then that is told");
	ktally_close(session);
}

static void new_cpus(void)
{
	struct ktally_session *session;
	struct ktally_totals totals;
	uint64_t wrong = 0;

	plug_in();
	session = start();
	write_records(0, 3);
	check_number(read_all(session, &wrong), 3, "two rings at first");
	add_ring(5);
	write_records(5, 4);
	check_number(ktally_wait(session, 0), 1, "a CPU comes online");
	check_number(read_all(session, &wrong), 4, "its ring is read");
	check_number(device.mappings, 6, "having been mapped, it alone");
	ktally_get_totals(session, &totals);
	check(totals.rings == 3 && totals.samples == 7, "totals have it");
	add_ring(2);
	add_ring(7);
	write_records(2, 5);
	write_records(7, 6);
	write_records(0, 1);
	check_number(read_all(session, &wrong), 12, "two more");
	check_number(wrong, 0, "in order");
	add_ring(3);
	device.mmap_error = ENOMEM;
	check_number(read_all(session, &wrong), 0, "a ring that cannot be mapped");
	check_number(ktally_wait(session, 0), -ENOMEM, "is told by the next wait");
	check_number(ktally_wait(session, 0), -ENOMEM, "and by all that follow");
	ktally_close(session);
}

static void endings(void)
{
	struct ktally_setup setup = { .sources = KTALLY_SOURCE_ONCPU };
	struct ktally_session *session;
	uint64_t wrong = 0;

	plug_in();
	session = start();
	device.poll_error = EINTR;
	check_number(ktally_wait(session, 0), -EINTR, "a signal");
	device.poll_error = 0;
	write_records(0, 3);
	device.events = POLLHUP;
	check_number(ktally_wait(session, 0), 1, "the module stopped: what is left first");
	check_number(read_all(session, &wrong), 3, "is read");
	check_number(ktally_wait(session, 0), -ENODEV, "then it is told");
	check_number(ktally_wait(session, 0), -ENODEV, "again and again");
	device.events = POLLERR;
	check_number(ktally_wait(session, 0), -EIO, "an error of the device");
	ktally_close(session);

	plug_in();
	session = start();
	write_records(0, 2);
	((struct ktally_record *)(device.areas[0] + 2 * KTALLY_PAGE_BYTES + sizeof(struct ktally_sample)))->size = 12;
	write_records(1, 2);
	read_all(session, &wrong);
	check(!ktally_next(session), "a broken record ends the reading");
	check_number(ktally_wait(session, 0), -EPROTO, "and is told by the next wait");
	check(!ktally_next(session), "and nothing more comes");
	ktally_close(session);

	plug_in();
	session = start();
	write_records(1, 2);
	producer_of(0)->head = RING_BYTES + 8;
	check(!ktally_next(session), "a ring that claims more than it has room for");
	check_number(ktally_wait(session, 0), -EPROTO, "is told by the next wait");
	ktally_close(session);

	plug_in();
	producer_of(1)->magic = 0;
	check_number(ktally_open_fd(&session, device.fd), 0, "a ring that is none");
	check_number(ktally_set_up(session, &setup), -EPROTO, "is told by set-up");
	ktally_close(session);
}

int main(void)
{
	opening();
	files();
	bad_answers();
	reading();
	fairness();
	holding();
	batches();
	new_cpus();
	endings();
	return check_end();
}
