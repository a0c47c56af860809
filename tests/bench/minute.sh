#!/bin/bash
# Records one minute of scripts/workload by everything that bytes.sh compares, all at once, so that all saw the same.
#
# usage: scripts/vm --kernel 6.12 --memory 3072 -- tests/bench/minute.sh MODULE_DIRECTORY
#
# Leaves in build/bench/minute/: captures of `ktally record`, files of perf, and of each in NAME.log what it said. The workload begins
# before and goes on for longer than any records, and writes its files into memory.
# shellcheck source=tests/bench/bench.sh
. "$(dirname "$(readlink -f "$0")")/bench.sh"
minute=build/bench/minute
rates=(19 99)
recorders=()
rm -rf "$minute"
mkdir -p "$minute"

# start_perf NAME OPTIONS...: it takes its time to begin, so it waits for being told to. cpu-clock, as there is no counter here.
start_perf() {
	mkfifo "$work/$1.fifo"
	perf record -N -a -e cpu-clock --delay=-1 --control="fifo:$work/$1.fifo" "${@:2}" -o "$work/$1.data" >"$minute/$1.log" 2>&1 &
	recorders+=($!)
}

tell_perf() {
	local fifo
	for fifo in "$work"/*.fifo; do echo "$1" >"$fifo"; done
}

for rate in "${rates[@]}"; do
	start_perf "perf-$rate" -g -F "$rate"
	start_perf "dwarf-$rate" --call-graph dwarf -F "$rate"
done
for log in "$minute"/*.log; do
	until grep -q 'Events disabled' "$log"; do sleep 1; done
done
scripts/workload 90 "$work" &
workload=$!
sleep 5
# By its budget for real machines the module would thin: what is emulated takes ten times as long.
for rate in "${rates[@]}"; do
	build/ktally record -a -F "$rate" --budget-ppm 500000 -d 60 -o "$minute/ktally-$rate.ktally" >"$minute/ktally-$rate.log" 2>&1 &
	recorders+=($!)
done
tell_perf enable
sleep 60
tell_perf disable
tell_perf stop
wait "${recorders[@]}"
wait "$workload" || true
cp "$work"/*.data "$minute"
