#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether all that was produced has arrived, but for what the daemon says it gave up.

usage: compare.py BODIES TOTALS LOG LINES...

BODIES is a directory of requests as they arrived, LINES what each run of ktallyd wrote to --json-lines, TOTALS and LOG the last run's
--metrics-json and messages. A batch is the data points of one request; two are equal if every point is, to the nanosecond.
"""
import collections
import glob
import json
import re
import struct
import sys
import time

POINTS_OF_A_REQUEST = 5000      # export/metrics.h: a request is full with the resource that reaches it


def fields(data):
    """Those of a protobuf message: number, and integer or bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 1:
            value, at = int.from_bytes(data[at:at + 8], "little"), at + 8
        elif kind == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            raise ValueError(f"wire type {kind}")
        yield tag >> 3, value


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def attribute(data):
    found = dict(fields(data))
    return found[1].decode(), dict(fields(found[2]))[1].decode()


def nanoseconds(seconds):
    return round(seconds * 1e9)


def time_text(realtime):
    """As lines have it, which is cut to milliseconds."""
    seconds, rest = divmod(realtime, 10 ** 9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%03d" % (rest // 10 ** 6) + "Z"


def read_request(data):
    points = set()
    for _, resource_metrics in fields(data):
        parts = list(fields(resource_metrics))
        resource = frozenset(attribute(value) for number, part in parts if number == 1 for _, value in fields(part))
        for metric in (value for number, part in parts if number == 2 for inner, value in fields(part) if inner == 2):
            metric = dict(fields(metric))
            for number, point in fields(metric[7]):
                if number != 1:
                    continue
                found, attributes = {}, []
                for key, value in fields(point):
                    if key == 7:
                        attributes.append(attribute(value))
                    else:
                        found[key] = value
                value = nanoseconds(struct.unpack("<d", struct.pack("<Q", found[4]))[0]) if 4 in found else \
                    struct.unpack("<q", struct.pack("<Q", found[6]))[0]
                points.add((resource, metric[1].decode(), frozenset(attributes), time_text(found[2]), time_text(found[3]), value))
    return frozenset(points)


def read_lines(path):
    """The batches of a run, in order: of a window's resources as many as fill a request."""
    window = resource = None
    batch = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            line = json.loads(line)
            end, whose = line["@timestamp"], frozenset(line["resource"].items())
            if batch and (end != window or (whose != resource and len(batch) >= POINTS_OF_A_REQUEST)):
                yield frozenset(batch)
                batch = []
            window, resource = end, whose
            value = nanoseconds(line["value"]) if line["unit"] == "s" else line["value"]
            batch.append((whose, line["metric"], frozenset(line["attributes"].items()), line["start"], end, value))
    if batch:
        yield frozenset(batch)


def sum_of(batches, metric):
    return sum(point[5] for batch in batches for point in batch if point[1] == metric)


def total_of(totals, metric, cause):
    result = 0
    for resource in totals["resourceMetrics"]:
        for found in resource["scopeMetrics"][0]["metrics"]:
            for point in found["sum"]["dataPoints"] if found["name"] == metric else []:
                if any(a["value"]["stringValue"] == cause for a in point["attributes"]):
                    result += int(point["asInt"])
    return result


def points_of(batches):
    return sum(len(batch) for batch in batches)


def tell(name, batches):
    print(f"# {name:10}{len(batches):6} batches {points_of(batches):8} points {sum_of(batches, 'ktally.cpu.time'):16} ns of CPU time "
          f"{sum_of(batches, 'ktally.offcpu.time'):18} ns waited")


def tell_places(number, run, batches):
    """What was given up is in one piece, the oldest of what waited; what was not yet in the spool at a kill is not."""
    missing_here = [place for place, batch in enumerate(run, 1) if batch in batches]
    pieces = []
    for place in missing_here:
        if pieces and pieces[-1][1] == place - 1:
            pieces[-1][1] = place
        else:
            pieces.append([place, place])
    places = ", ".join(f"{first} to {last}" for first, last in pieces) or "none"
    print(f"# run {number}: {len(run)} batches, of which {places} did not arrive")


failed = False


def check(condition, what):
    global failed
    if not condition:
        failed = True
        print(f"# WRONG: {what}")


bodies, totals_path, log_path, *lines_paths = sys.argv[1:]
runs = [list(read_lines(path)) for path in lines_paths]
produced = [batch for run in runs for batch in run]
arrived = collections.Counter()
for path in sorted(glob.glob(bodies + "/*")):
    with open(path, "rb") as body:
        arrived[read_request(body.read())] += 1
received = [batch for batch in produced if batch in arrived]
missing = [batch for batch in produced if batch not in arrived]
with open(totals_path, encoding="utf-8") as totals_file:
    totals = json.load(totals_file)
causes = "spool_full", "memory_full"
given_up = sum(total_of(totals, "ktally.export.batches.lost", cause) for cause in causes)
points_given_up = sum(total_of(totals, "ktally.export.points.lost", cause) for cause in causes)
with open(log_path, encoding="utf-8") as log:
    told = re.search(r"(\d+) samples, .* s of CPU time.*, (nothing lost|lost \d+ of \d+ samples)", log.read())

tell("produced", produced)
tell("received", received)
tell("missing", missing)
for number, run in enumerate(runs, 1):
    tell_places(number, run, set(missing))
print(f"# the daemon says that it gave up {given_up} batches with {points_given_up} points")
print(f"# {sum(arrived.values()) - len(arrived)} batches came twice")
check(len(set(produced)) == len(produced), "two batches are equal")
check(not set(arrived) - set(produced), "something arrived that was never produced")
check(len(missing) == given_up, "batches that did not arrive are not those that were given up")
check(points_of(missing) == points_given_up, "nor are their points")
check(sum(sum_of(part, "ktally.cpu.time") for part in (received, missing)) == sum_of(produced, "ktally.cpu.time"), "time is missing")
for number, run in enumerate(runs, 1):
    check(sum_of(run, "ktally.cpu.time") == sum_of(run, "ktally.samples.time"), f"run {number}: time of owners is not that of samples")
check(told and int(told[1]) == sum_of(runs[-1], "ktally.samples.read"), "the last run read other samples than it produced")
sys.exit(failed)
