# SPDX-License-Identifier: GPL-2.0-or-later
"""Stops a process again and again, and writes down where gdb says it was: for each stop, when it was seen, and the frames.

Run by gdb: STOPS_PID, STOPS_COUNT and STOPS_OUTPUT in the environment. Frames are [path, offset in the file] or
[null, address], as ktally has them: of callers the byte before the return address. With STOPS_UNWINDER, a program as
tests/unwind/stops.c, that is asked too, and its word written beside gdb's.
"""
import json
import os
import subprocess
import time

import gdb

# One stop for each line that it is told, a while after the process has gone on.
STOPPER = """
import os, random, signal, sys, time
pid = int(sys.argv[1])
for line in sys.stdin:
    state = "t"
    while state == "t":
        time.sleep(random.uniform(0.001, 0.02))
        with open(f"/proc/{pid}/stat") as stat:
            state = stat.read().rpartition(")")[2].split()[0]
    os.kill(pid, signal.SIGSTOP)
"""

pid = int(os.environ["STOPS_PID"])


def mappings():
    """Executable mappings: (start, end, offset, path or None)."""
    found = []
    with open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            fields = line.split(None, 5)
            if "x" not in fields[1]:
                continue
            start, end = (int(part, 16) for part in fields[0].split("-"))
            path = fields[5].strip() if len(fields) > 5 else ""
            found.append((start, end, int(fields[2], 16), path if path.startswith("/") or path == "[vdso]" else None))
    return found


def place(address, maps):
    for start, end, offset, path in maps:
        if start <= address < end and path:
            return [path.removesuffix(" (deleted)"), address - start + offset]
    return [None, address]


def frames(maps):
    found, frame, exact = [], gdb.newest_frame(), True
    while frame is not None and len(found) < 600:
        if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            signal = frame.type() == gdb.SIGTRAMP_FRAME     # no call leads there
            found.append(place(frame.pc() - (0 if exact or signal else 1), maps))
            exact = signal
        last, frame = frame, frame.older()
    reason = last.unwind_stop_reason()
    return found, reason in (gdb.FRAME_UNWIND_NO_REASON, gdb.FRAME_UNWIND_OUTERMOST)


REGISTERS = ["rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp"] + [f"r{i}" for i in range(8, 16)] + ["rip"]
ENDS = ["none", "complete", "truncated", "broken", "hole", "no table", "foreign"]


def ask(unwinder, maps):
    frame = gdb.newest_frame()
    values = [int(frame.read_register(name)) & (1 << 64) - 1 for name in REGISTERS]
    unwinder.stdin.write(" ".join(f"{value:x}" for value in values) + "\n")
    unwinder.stdin.flush()
    end, *found = unwinder.stdout.readline().split()
    return {"end": ENDS[int(end)], "frames": [place(int(address, 16), maps) for address in found]}


for setting in ("pagination off", "confirm off", "debuginfod enabled off", "backtrace past-main on",
                "print inferior-events off"):
    gdb.execute("set " + setting)
gdb.execute(f"attach {pid}", to_string=True)
gdb.execute("handle all nostop noprint pass", to_string=True)
gdb.execute("handle SIGSTOP stop print nopass", to_string=True)
main = next(thread for thread in gdb.selected_inferior().threads() if thread.ptid[1] == pid)
stopper = subprocess.Popen(["python3", "-c", STOPPER, str(pid)], stdin=subprocess.PIPE, text=True)
unwinder = None
if "STOPS_UNWINDER" in os.environ:
    unwinder = subprocess.Popen([os.environ["STOPS_UNWINDER"], str(pid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
stops = []
try:
    while len(stops) < int(os.environ["STOPS_COUNT"]):
        print("stop", file=stopper.stdin, flush=True)
        gdb.execute("continue", to_string=True)
        if not gdb.selected_inferior().pid:
            break
        main.switch()
        seen = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        maps = mappings()
        found, whole = frames(maps)
        stops.append({"time": seen, "frames": found, "whole": whole})
        if unwinder:
            stops[-1]["module"] = ask(unwinder, maps)
finally:
    stopper.kill()
    with open(os.environ["STOPS_OUTPUT"], "w") as output:
        json.dump(stops, output)
if gdb.selected_inferior().pid:
    gdb.execute("detach", to_string=True)
