#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares what gdb said of a process's stops with what the module's waits say of the same.

usage: compare.py PID STOPS.json DUMP.jsonl

Prints a line: stops that both tell of, equal ones, whole ones by gdb and by the module. Then what differs, shortly.
Exit status 0: at least 99 of 100 of the stacks are whole, and all whole ones are equal.
"""
import bisect
import json
import sys


def load(path, pid):
    files, stacks, tids, waits = {}, {}, {}, []
    with open(path) as lines:
        for line in lines:
            record = json.loads(line)
            kind = record["type"]
            if kind == "opened":
                files[record["file"]] = record["path"]
            elif kind == "stack":
                stacks[record["stack_id"]] = record
            elif kind == "task":
                tids[record["task_id"]] = record["tid"]
            elif kind == "offcpu" and record["state"] == "stopped" and tids.get(record["task_id"]) == pid:
                waits.append((record["start"], record["time"], record["stack_id"]))
    return files, stacks, sorted(waits)


def user_frames(stack, files):
    found = []
    for frame in stack["frames"][stack["kernel_frames"]:]:
        parts = frame.split()
        if parts[0] == "file":
            found.append([files.get(int(parts[1]), "?"), int(parts[2], 16)])
        else:
            found.append([None, int(parts[1], 16)])
    return found


def show(name, frames):
    print(f"#   {name}: " + " <- ".join(f"{(path or '').rpartition('/')[2]}+{at:x}" for path, at in frames[:40]))


def main():
    pid = int(sys.argv[1])
    with open(sys.argv[2]) as stops_file:
        stops = json.load(stops_file)
    files, stacks, waits = load(sys.argv[3], pid)
    starts = [wait[0] for wait in waits]
    compared = equal = whole = whole_by_gdb = wrong = shown = 0
    ends = {}
    for stop in stops:
        at = bisect.bisect_right(starts, stop["time"]) - 1
        if at < 0 or waits[at][1] < stop["time"] or waits[at][2] not in stacks:
            continue
        stack = stacks[waits[at][2]]
        found = user_frames(stack, files)
        same = found == stop["frames"]
        compared += 1
        equal += same
        complete = stack["user_end"] == "complete"
        whole += complete
        whole_by_gdb += stop["whole"]
        wrong += complete and not same
        if not complete:
            ends[stack["user_end"]] = ends.get(stack["user_end"], 0) + 1
        if not same and shown < 5:
            shown += 1
            print(f"# differs (module: {stack['user_end']}, gdb: {'whole' if stop['whole'] else 'not whole'})")
            show("gdb   ", stop["frames"])
            show("module", found)
    print(f"# {len(stops)} stops, {compared} told by both, {equal} equal, {whole} whole ({whole_by_gdb} by gdb) {ends or ''}")
    sys.exit(0 if compared >= len(stops) * 9 // 10 and compared and whole * 100 >= compared * 99 and not wrong else 1)


main()
