#!/bin/bash
# What watching the scheduler costs at each switch, in instructions, beside perf: inside a virtual machine whose clock counts
# instructions.
#
# usage: scripts/vm --kernel 6.1 --icount -- tests/bench/switch.sh MODULE_DIRECTORY
#
# Two processes pass a byte to and fro on one CPU. The added time of the whole machine, divided by the switches, is the cost of one.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
module=${1:?usage: tests/bench/switch.sh MODULE_DIRECTORY}
rounds=10000
work=$(mktemp -d)
trap 'rm -rf "$work"; rmmod ktally 2>/dev/null || true' EXIT

cc -O2 -o "$work/ping" tests/bench/ping.c
cc -O2 -Ikmod/uapi -Iuser/lib -o "$work/hold" tests/bench/hold.c build/libktally.a
echo -1 >/proc/sys/kernel/perf_event_paranoid
insmod "$module/ktally.ko"

base() { "$work/ping" $rounds >"$work/time"; }
keep() { "$work/hold" --keep "$1" "$work/ping" $rounds >"$work/time" 2>"$work/held"; }
with_perf() { perf record -a -e sched:sched_switch "$@" -o "$work/perf.data" -- "$work/ping" $rounds >"$work/time" 2>"$work/log"; }

row() { printf '%-40s %14s %12s\n' "$@"; }

# measure NAME COMMAND...: twice, the first to warm up.
measure() {
	local name=$1 added
	shift
	"$@"
	"$@"
	added=$(($(cat "$work/time") - reference))
	row "$name" "$added" "$((added / (2 * rounds)))"
}

base
base
reference=$(cat "$work/time")
row '' 'added' 'per switch'
row 'the switch itself' '' "$((reference / (2 * rounds)))"
measure 'ktally, no wait is kept' keep 10000000000
measure 'ktally, D = 1 ms' keep 1000000
measure 'ktally, every wait is kept' keep 0
measure 'perf record -a -e sched:sched_switch' with_perf
measure 'perf record -a -g -e sched:sched_switch' with_perf -g
