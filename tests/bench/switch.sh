#!/bin/bash
# What watching the scheduler costs at each switch, in instructions, beside perf.
#
# usage: scripts/vm --kernel 6.1 --icount --memory 3072 -- tests/bench/switch.sh MODULE_DIRECTORY
#
# Two processes pass a byte to and fro on one CPU. The added time of the whole machine, divided by the switches, is the cost of one.
# A module built with --tests also has an empty probe to compare with.
# shellcheck source=tests/bench/bench.sh
. "$(dirname "$(readlink -f "$0")")/bench.sh"
rounds=10000
compile ping

base() { "$work/ping" $rounds >"$work/time"; }
with_empty_probe() {
	insmod "$module/tests/kmod/ktally_empty.ko"
	base
	rmmod ktally_empty
}
keep() { "$work/hold" "$@" "$work/ping" $rounds >"$work/time" 2>"$work/held"; }
with_perf() { perf record -a -e sched:sched_switch "$@" -o "$work/perf.data" -- "$work/ping" $rounds >"$work/time" 2>"$work/log"; }

row() { printf '%-40s %14s %12s\n' "$@"; }

# measure NAME COMMAND...
measure() {
	local name=$1 added
	shift
	twice "$@"
	added=$(($(<"$work/time") - reference))
	row "$name" "$added" "$((added / (2 * rounds)))"
}

twice base
reference=$(<"$work/time")
row '' 'added' 'per switch'
row 'the switch itself' '' "$((reference / (2 * rounds)))"
if [[ -e $module/tests/kmod/ktally_empty.ko ]]; then measure 'an empty probe' with_empty_probe; fi
measure 'ktally, every wait is too short' keep --keep 10000000000 --min 10000000000
measure 'ktally, no wait is kept' keep --keep 10000000000
measure 'ktally, D = 1 ms' keep --keep 1000000
measure 'ktally, every wait is kept' keep --keep 0
measure 'perf record -a -e sched:sched_switch' with_perf
measure 'perf record -a -g -e sched:sched_switch' with_perf -g
