# SPDX-License-Identifier: GPL-2.0-or-later
"""What a profile of waits says of executables and causes, against what the program causes measured of its own.

usage: causes.py METRICS TRUTH PERCENT

TAP lines. Exit status 1: one of them is further off than PERCENT, twice that for the run queue.
"""
import json
import sys
from collections import Counter, defaultdict



def value(attributes, key):
    """Of an attribute, a string; None if it is not there."""
    for attribute in attributes:
        if attribute["key"] == key:
            return attribute["value"].get("stringValue")
    return None


def documents(path):
    """The file is one JSON document or several in a row."""
    decoder, text = json.JSONDecoder(), open(path, encoding="utf-8").read().lstrip()
    while text:
        document, end = decoder.raw_decode(text)
        yield document
        text = text[end:].lstrip()


def seconds_by_cause(path):
    """Of ktally.offcpu.time, by name of the executable."""
    executables = defaultdict(Counter)
    for document in documents(path):
        for resource in document["resourceMetrics"]:
            causes = executables[value(resource["resource"]["attributes"], "process.executable.name")]
            for metric in (metric for scope in resource["scopeMetrics"] for metric in scope["metrics"]):
                if metric["name"] != "ktally.offcpu.time":
                    continue
                for point in metric["sum"]["dataPoints"]:
                    seconds = float(point.get("asDouble", point.get("asInt", 0)))
                    causes[value(point["attributes"], "ktally.cause")] += seconds
    return executables


def main(metrics, truth, percent):
    profiled, failed = seconds_by_cause(metrics), False
    for line in open(truth, encoding="utf-8"):
        name, rest = line.split(maxsplit=1)
        cause, nanoseconds = rest.rsplit(maxsplit=1)
        wanted, seen = int(nanoseconds) / 1e9, profiled[name][cause]
        # Where threads begin and end, the time on the run queue is not in the program's own account.
        tolerance = float(percent) / 100 * (2 if cause == "run queue" else 1)
        good = abs(seen - wanted) <= wanted * tolerance
        failed |= not good
        print(f"{'ok' if good else 'not ok'} - {name} waits for {cause} as long as it says")
        print(f"# measured {wanted:.3f} s; profiled " +
              ", ".join(f"{seconds:.3f} s of {each}" for each, seconds in profiled[name].most_common()))
    return failed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
