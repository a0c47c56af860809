#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A consumer of ktally's device in another language, written from <linux/ktally.h> alone: open, ioctl, read.

usage: consumer.py [SECONDS [PID...]]

Samples for some seconds (5), all processes that the device lets us see or those given and their children. Prints the
leaf addresses and the processes that took the most CPU time, and what the device counted. Exits with 1 if a sample is
unaccounted for.
"""
import array
import collections
import fcntl
import os
import signal
import struct
import sys

# Directions, as <linux/ioctl.h> has them: 1 is write, 2 is read. Type 0xf7, size 0: structures tell their own size.
INFO, SETUP, ENABLE, DISABLE, SET_RATE, FLUSH = (
    direction << 30 | 0xF7 << 8 | number for number, direction in enumerate((3, 3, 0, 0, 1, 1)))

INFO_LAYOUT = struct.Struct("=IIQQIIIIIIII")
SETUP_LAYOUT = struct.Struct("=10IQQIIQII")
FLUSH_LAYOUT = struct.Struct("=II")
RECORD = struct.Struct("=HHHH")           # type, flags, size, cpu
TASK = struct.Struct("=8xQQQQQIIII16s")   # time, task_id, mm_id, cgroup_id, start_time, pid, tid, parent, flags, comm
STACK = struct.Struct("=8xQQHHBBH")       # stack_id, mm_id, kernel_frames, user_frames, kernel_end, user_end, reserved
SAMPLE = struct.Struct("=8xQQQQIi")       # time, stack_id, task_id, weight, tid, syscall
LOST = struct.Struct("=8xQIIQQ")          # time, cause, reserved, count, weight

ABI_VERSION = 1
ALLOWED_ALL_PROCESSES, ALLOWED_KERNEL_FRAMES = 1, 2
SOURCE_ONCPU = 1
CAPTURE_KERNEL, CAPTURE_USER = 1, 2
FILTER_CHILDREN = 1
RECORD_TASK, RECORD_STACK, RECORD_SAMPLE, RECORD_LOST = 1, 3, 4, 5
LOST_NOTICE = 2
FRAME_KERNEL, FRAME_USER = 1, 2
RECORD_BYTES_MAX = 8192


def leaf_of(frames):
    """Where a stack's innermost frame is: (in the kernel?, address)."""
    if not frames:
        return None
    kind, value = frames[0] >> 60, frames[0] & (1 << 60) - 1
    if kind == FRAME_KERNEL:
        return True, value | 0xF << 60
    return False, value


class Tally:
    """Adds up what the records say."""

    def __init__(self):
        self.tasks, self.stacks = {}, {}
        self.by_leaf, self.by_process = collections.Counter(), collections.Counter()
        self.samples = self.weight = self.lost = self.lost_weight = 0

    def take(self, data):
        position = 0
        while position < len(data):
            kind, _, size, _ = RECORD.unpack_from(data, position)
            if kind == RECORD_TASK:
                fields = TASK.unpack_from(data, position)
                self.tasks[fields[1]] = fields[5], fields[9].split(b"\0")[0].decode(errors="replace")
            elif kind == RECORD_STACK:
                stack_id, _, kernel, user, *_ = STACK.unpack_from(data, position)
                frames = struct.unpack_from(f"={kernel + user}Q", data, position + STACK.size)
                self.stacks[stack_id] = leaf_of(frames)
            elif kind == RECORD_SAMPLE:
                self.take_sample(*SAMPLE.unpack_from(data, position))
            elif kind == RECORD_LOST:
                _, cause, _, count, weight = LOST.unpack_from(data, position)
                if cause != LOST_NOTICE:
                    self.lost += count
                    self.lost_weight += weight
            position += size

    def take_sample(self, _time, stack_id, task_id, weight, _tid, _syscall):
        process, leaf = self.tasks[task_id], self.stacks[stack_id]
        self.samples += 1
        self.weight += weight
        self.by_process[process] += weight
        if leaf:
            in_kernel, address = leaf
            self.by_leaf[None if in_kernel else process, address] += weight

    def report(self):
        print("     seconds  address             process")
        for (process, address), weight in self.by_leaf.most_common(10):
            where = f"{process[1]} ({process[0]})" if process else "kernel"
            print(f"{weight / 1e9:12.3f}  {address:#018x}  {where}")
        print("\n     seconds  process")
        for (pid, name), weight in self.by_process.most_common(10):
            print(f"{weight / 1e9:12.3f}  {name} ({pid})")
        print(f"\n{self.samples} samples, {self.weight / 1e9:.3f} s; {len(self.stacks)} stacks,"
              f" {len(self.tasks)} tasks")
        print(f"{self.lost} samples lost, {self.lost_weight / 1e9:.3f} s")


def get_info(fd):
    info = bytearray(INFO_LAYOUT.size)
    struct.pack_into("=I", info, 0, len(info))
    fcntl.ioctl(fd, INFO, info)
    _, version, _, allowed, *_ = INFO_LAYOUT.unpack(info)
    if version != ABI_VERSION:
        sys.exit(f"the module speaks version {version} of the interface, this program {ABI_VERSION}")
    return allowed


def set_up(fd, allowed, pids):
    capture = CAPTURE_USER | (CAPTURE_KERNEL if allowed & ALLOWED_KERNEL_FRAMES else 0)
    numbers = array.array("i", pids)
    address = numbers.buffer_info()[0] if pids else 0
    # sources, capture, rate, depth, ring_bytes, watermark_bytes, latency_ms, budget_ppm, filter, then the filters
    setup = bytearray(SETUP_LAYOUT.pack(SETUP_LAYOUT.size, SOURCE_ONCPU, capture, 99, 0, 0, 0, 0, 0,
                                        FILTER_CHILDREN if pids else 0, address, 0, len(pids), 0, 0, 0, 0))
    fcntl.ioctl(fd, SETUP, setup)


def read_all(fd, tally):
    """Until there is nothing more, which on an enabled session is never."""
    while data := os.read(fd, 64 * RECORD_BYTES_MAX):
        tally.take(data)


def samples_taken(fd):
    """The device's own count. Who maps the rings has it in their producer pages; /proc has it for everybody."""
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("samples:"))


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    pids = [int(argument) for argument in sys.argv[2:]]
    try:
        fd = os.open("/dev/ktally", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        sys.exit(f"cannot open /dev/ktally: {error.strerror}: is the module loaded, and may you? `ktally check` says")
    tally = Tally()

    set_up(fd, get_info(fd), pids)
    # A read() that waits is interrupted by the alarm and goes on to return what is left: the session is disabled then.
    signal.signal(signal.SIGALRM, lambda *_: fcntl.ioctl(fd, DISABLE))
    signal.alarm(seconds)
    fcntl.ioctl(fd, ENABLE)
    read_all(fd, tally)

    # Rings that were full had no room for word of the last losses. Now they have.
    fcntl.ioctl(fd, FLUSH, FLUSH_LAYOUT.pack(FLUSH_LAYOUT.size, 0))
    read_all(fd, tally)
    taken = samples_taken(fd)
    os.close(fd)

    tally.report()
    print(f"{tally.samples + tally.lost} read and lost, {taken} taken")
    sys.exit(tally.samples + tally.lost != taken)


if __name__ == "__main__":
    main()
