#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Whether every call in a module that can fail for want of memory did fail in a run.

usage: fault_sites.py MODULE.ko TRACE LOG: traces of should_fail_ex() and the kernel's log of the run. Prints a TAP line.

A call is known by its return address. One that ends its function is a jump, and leaves none: those are not counted.
"""
import collections
import re
import subprocess
import sys

# What takes memory, or something that takes memory.
CALLEES = re.compile(
    r"_*k[mvz]*alloc\w*|kmem_cache_alloc\w*|_*k?vz?[mc]alloc\w*|_*vmalloc\w*|_*alloc_pages\w*|bitmap_zalloc\w*|alloc_workqueue\w*|"
    r"perf_event_create_kernel_counter|tracepoint_probe_register\w*|misc_register|dentry_open|get_unused_fd_flags"
)
# The module's names for its first function.
SAME = {"ktally_init": "init_module"}


def sites(module):
    """Of each such call: (function, offset of its return address) and the callee."""
    text = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", module], check=True, capture_output=True, text=True).stdout
    found, begin, name, call, pending = {}, 0, "", False, None
    for line in text.splitlines():
        if function := re.fullmatch(r"([0-9a-f]+) <(.*)>:", line):
            begin, name, pending = int(function[1], 16), function[2], None
        elif relocation := re.match(r"\t+[0-9a-f]+: R_X86_64_\w+\t([\w.]+)", line):
            if call and CALLEES.fullmatch(relocation[1]):
                pending = relocation[1]
        elif instruction := re.match(r" *([0-9a-f]+):\t(\w+)", line):
            if pending:
                found[(SAME.get(name, name), int(instruction[1], 16) - begin)] = pending
            pending, call = None, instruction[2] in ("call", "callq")
    return found


def reached(lines, begins, frame):
    """How often the innermost frame of the module in a trace was which."""
    times, wanted = collections.Counter(), False
    for line in lines:
        if begins.search(line):
            wanted = True
        elif wanted and (place := frame.search(line)):
            times[(SAME.get(place[1], place[1]), int(place[2], 16))] += 1
            wanted = False
    return times


def main():
    module, trace, log = sys.argv[1:]
    calls = sites(module)
    with open(trace, encoding="utf-8", errors="replace") as lines:
        failed = reached(lines, re.compile("<stack trace>"), re.compile(r"=> ([\w.]+)\+(0x[0-9a-f]+)/\S+ \[ktally\]"))
    with open(log, encoding="utf-8", errors="replace") as lines:
        failed += reached(lines, re.compile("FAULT_INJECTION"), re.compile(r"\]  ([\w.]+)\+(0x[0-9a-f]+)/\S+ \[ktally\]"))
    missed = [call for call in calls if not failed[call]]
    for (name, offset), callee in sorted(calls.items()):
        print(f"# {failed[name, offset]:6} times {callee} in {name}+{offset:#x}")
    print(f"# {len(calls)} calls in the module can fail, {len(calls) - len(missed)} of them were made to")
    good = calls and not missed
    print(f"{'ok' if good else 'not ok'} 99 - every call that can fail has failed")
    return not good


if __name__ == "__main__":
    sys.exit(main())
