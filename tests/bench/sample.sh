#!/bin/bash
# What one on-CPU sample costs, in instructions, beside perf.
#
# usage: scripts/vm --kernel 6.1 --icount --memory 3072 -- tests/bench/sample.sh MODULE_DIRECTORY
#
# A program computes under 35 user frames; the added time of the whole machine, divided by the samples taken, is the cost of a
# sample: interrupt, capture, ring, and the reader that drains and writes it to a file.
# shellcheck source=tests/bench/bench.sh
. "$(dirname "$(readlink -f "$0")")/bench.sh"
rate=997
compile deep -O1 -fno-omit-frame-pointer

base() { "$work/deep" >"$work/time"; }
hold_ktally() {
	"$work/hold" "$@" --rate "$rate" "$work/deep" >"$work/time" 2>"$work/held"
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
ktally_samples() { build/ktally dump -i "$work/capture.ktally" | grep -c '"SAMPLE"\|"sample"'; }
perf_samples() { perf report --stats -i "$work/perf.data" 2>/dev/null | awk '/SAMPLE events/ { print $3; exit }'; }

row() { printf '%-28s %14s %8s %10s %10s\n' "$@"; }

# measure NAME SAMPLES-COMMAND FILE COMMAND...
measure() {
	local name=$1 count=$2 file=$3 added samples
	shift 3
	twice "$@"
	samples=$($count)
	added=$(($(<"$work/time") - reference))
	row "$name" "$added" "$samples" "$((added / samples))" "$(($(stat -c %s "$file") / samples))"
}

twice base
reference=$(<"$work/time")
row '' 'added' 'samples' 'per sample' 'bytes'
measure 'ktally, the module alone' held_samples "$work/records" hold_ktally
measure '... with frames in files' held_samples "$work/records" hold_ktally --files
measure 'ktally record -a' ktally_samples "$work/capture.ktally" with_ktally
measure 'perf record -a -g' perf_samples "$work/perf.data" with_perf -g
measure 'perf record -a' perf_samples "$work/perf.data" with_perf
