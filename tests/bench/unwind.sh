#!/bin/bash
# What one on-CPU sample of a program without frame pointers costs, in instructions and bytes, beside perf.
#
# usage: scripts/vm --kernel 6.1 --icount --memory 3072 -- tests/bench/unwind.sh MODULE_DIRECTORY
#
# As sample.sh, but that the program keeps no frame pointers, as Debian builds its own. perf -g follows them nevertheless, and so has
# other frames than the program's; perf --call-graph dwarf copies the stack into its file, to be unwound later, for more instructions
# that are not counted here. "whole" is the share of samples whose user stack is whole, and has all of the program's 35 frames.
# shellcheck source=tests/bench/bench.sh
. "$(dirname "$(readlink -f "$0")")/bench.sh"
rate=997
compile deep -fomit-frame-pointer

base() { "$work/deep" >"$work/time"; }
# Another session loads the tables, as the daemon does; it takes one sample a second.
hold_ktally() {
	local tables
	build/ktally record -a -F 1 -o "$work/tables.ktally" 2>"$work/log" &
	tables=$!
	"$work/deep" >"$work/time"
	"$work/hold" --files --rate "$rate" "$work/deep" >"$work/time" 2>"$work/held"
	kill -INT $tables
	wait $tables
	read -r held_samples held_bytes <"$work/held"
	truncate -s "$held_bytes" "$work/records"
}
held_samples() { echo "$held_samples"; }
with_ktally() {
	build/ktally record -a -F "$rate" --budget-ppm 500000 -o "$work/capture.ktally" -- "$work/deep" >"$work/time" 2>"$work/log"
}
with_perf() {
	perf record -a -e cpu-clock -c $((1000000000 / rate)) "$@" -o "$work/perf.data" -- "$work/deep" >"$work/time" 2>"$work/log"
}
ktally_samples() { build/ktally dump -i "$work/capture.ktally" >"$work/dump" && grep -c '"type":"sample"' "$work/dump"; }
perf_samples() { perf report --stats -i "$work/perf.data" 2>/dev/null | awk '/SAMPLE events/ { print $3; exit }'; }

# Of the program's samples, in percent.
ktally_whole() {
	python3 - "$work/dump" <<'END'
import json, sys
whole, stacks, tasks = [0, 0], {}, set()
for record in map(json.loads, open(sys.argv[1])):
    if record["type"] == "stack":
        stacks[record["stack_id"]] = record["user_end"] == "complete" and record["user_frames"] >= 35
    elif record["type"] == "task" and record["comm"] == "deep":
        tasks.add(record["task_id"])
    elif record["type"] == "sample" and record["task_id"] in tasks:
        whole[stacks[record["stack_id"]]] += 1
print(f"{100 * whole[1] / sum(whole):.1f} %")
END
}
nothing() { echo '-'; }

row() { printf '%-36s %14s %8s %10s %8s %8s\n' "$@"; }

# measure NAME SAMPLES-COMMAND WHOLE-COMMAND FILE COMMAND...
measure() {
	local name=$1 count=$2 whole=$3 file=$4 added samples
	shift 4
	twice "$@"
	samples=$($count)
	added=$(($(<"$work/time") - reference))
	row "$name" "$added" "$samples" "$((added / samples))" "$(($(stat -c %s "$file") / samples))" "$($whole)"
}

twice base
reference=$(<"$work/time")
row '' 'added' 'samples' 'per sample' 'bytes' 'whole'
measure 'ktally, the module alone' held_samples nothing "$work/records" hold_ktally
measure 'ktally record -a' ktally_samples ktally_whole "$work/capture.ktally" with_ktally
measure 'perf record -a -g' perf_samples nothing "$work/perf.data" with_perf -g
measure 'perf record -a --call-graph dwarf,65528' perf_samples nothing "$work/perf.data" with_perf --call-graph dwarf,65528
