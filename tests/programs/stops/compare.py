#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares what gdb said of a process's stops with what the module's waits say of the same.

usage: compare.py STOPS.json [PID DUMP.jsonl]

Without a dump the stops themselves tell what the module's unwinder said.

Prints a line: stops that both tell of, equal ones, whole ones by gdb and by the module. Then what differs, shortly.
Exit status 0: at least 99 of 100 of the stacks are whole, of these and of what was sampled while it ran, and all whole ones are equal;
and there is more than one, for a process that is always in the same place does not run.
"""
import bisect
import json
import sys


# Until then its files are opened and their tables loaded, ns.
WARM_UP = 2_000_000_000


def load(path, pid):
    files, stacks, tids, waits, samples = {}, {}, {}, [], []
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
            elif kind == "sample" and tids.get(record["task_id"]) == pid:
                samples.append((record["time"], record["stack_id"]))
    return files, stacks, sorted(waits), samples


def share_of_whole(samples, stacks):
    """Of the user stacks of all samples, in percent."""
    begin = min(time for time, _ in samples) + WARM_UP if samples else 0
    ends = [stacks[stack]["user_end"] for time, stack in samples if time >= begin and stacks[stack]["user_end"] != "none"]
    whole = 100 * ends.count("complete") / len(ends) if ends else 0
    broken = {end: ends.count(end) for end in sorted(set(ends)) if end != "complete"}
    print(f"# {len(ends)} samples, {whole:.2f} % whole {broken or ''}")
    return whole


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


def find_wait(stop, starts, waits, stacks, files):
    """How the module's stack ends, and its frames; (None, None): it does not know of the stop."""
    at = bisect.bisect_right(starts, stop["time"]) - 1
    if at < 0 or waits[at][1] < stop["time"] or waits[at][2] not in stacks:
        return None, None
    stack = stacks[waits[at][2]]
    return stack["user_end"], user_frames(stack, files)


def main():
    with open(sys.argv[1]) as stops_file:
        stops = json.load(stops_file)
    if len(sys.argv) > 2:
        files, stacks, waits, samples = load(sys.argv[3], int(sys.argv[2]))
        starts = [wait[0] for wait in waits]
        enough_whole = share_of_whole(samples, stacks) >= 99
    else:
        enough_whole = True
    compared = equal = whole = whole_by_gdb = wrong = shown = 0
    ends, distinct = {}, set()
    for stop in stops:
        if len(sys.argv) > 2:
            end, found = find_wait(stop, starts, waits, stacks, files)
        else:
            end, found = stop["module"]["end"], stop["module"]["frames"]
        if end is None:
            continue
        same = found == stop["frames"]
        complete = end == "complete"
        compared += 1
        distinct.add(str(stop["frames"]))
        equal += same
        whole += complete
        whole_by_gdb += stop["whole"]
        wrong += complete and not same
        if not complete:
            ends[end] = ends.get(end, 0) + 1
        if not same and shown < 5:
            shown += 1
            print(f"# differs (module: {end}, gdb: {'whole' if stop['whole'] else 'not whole'})")
            show("gdb   ", stop["frames"])
            show("module", found)
    print(f"# {len(stops)} stops, {compared} told by both ({len(distinct)} distinct), {equal} equal, {whole} whole "
          f"({whole_by_gdb} by gdb) {ends or ''}")
    enough = compared and compared >= len(stops) * 9 // 10 and len(distinct) > 1
    sys.exit(0 if enough and enough_whole and whole * 100 >= compared * 99 and not wrong else 1)


main()
