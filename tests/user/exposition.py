# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads Prometheus's text format as strictly as it is specified, and prints each sample as "NAME{LABEL=VALUE,...} NUMBER".

Usage: exposition.py text|openmetrics < PAGE. Fails, and says at which line, for anything that a strict reader would refuse.
"""
import re
import sys

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
openmetrics = sys.argv[1] == "openmetrics"
page = sys.stdin.buffer.read().decode("utf-8", "strict")
number = 0


def check(condition, why):
    if not condition:
        sys.exit(f"line {number}: {why}: {lines[number - 1]}")


def labels_of(text):
    labels = {}
    while text:
        match = LABEL.match(text)
        check(match and match[1] not in labels and not match[1].startswith("_"), "labels")
        check(match[3] or match.end() == len(text), "a comma at the end")
        labels[match[1]] = match[2]
        text = text[match.end():]
    return labels


lines = page.split("\n")
check(lines.pop() == "" and "\r" not in page, "ends with a line feed, and has no carriage returns")
if openmetrics:
    check(lines.pop() == "# EOF", "ends with # EOF")
seen, families, family, kind, told = set(), set(), None, None, []
for number, line in enumerate(lines, 1):
    if line.startswith("#"):
        _, word, name, *text = line.split(" ", 3)
        check(word in ("TYPE", "HELP") or (openmetrics and word == "UNIT"), "a comment that is none")
        if word == "TYPE":
            check(name not in families, "a family in two places")
            families.add(name)
            family, kind, told = name, text[0], []
            check(kind in ("counter", "gauge") or (openmetrics and kind == "info"), "type")
        check(name == family and word not in told and told == [t for t in ("TYPE", "UNIT") if t in told], "order of comments")
        told.append(word)
        if word == "UNIT":
            check(name.endswith("_" + text[0]), "the unit ends the name")
        continue
    match = SAMPLE.fullmatch(line)
    check(match, "a sample")
    suffix = ""
    if openmetrics:
        suffix = {"counter": "_total", "info": "_info"}.get(kind, "")
    check(match[1] == family + suffix and "HELP" in told, "a sample of the family before it")
    check(kind != "counter" or match[1].endswith("_total"), "a counter's name")
    labels = labels_of(match[2] or "")
    value = float(match[3])
    check(kind != "counter" or value >= 0, "a counter's value")
    key = (match[1], tuple(sorted(labels.items())))
    check(key not in seen, "a series twice")
    seen.add(key)
    print(match[1] + "{" + ",".join(f"{k}={v}" for k, v in labels.items()) + "} " + match[3])
