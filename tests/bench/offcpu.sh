#!/bin/bash
# What off-CPU profiling costs, in instructions, beside others that look at every switch: make bench-offcpu
#
# usage: scripts/vm --kernel 6.1 --icount --memory 3072 --timeout 3000 -- tests/bench/offcpu.sh MODULE_DIRECTORY
#
# Two loads that do little but switch: `perf bench sched pipe`, two processes that pass a byte to and fro, and `perf bench sched
# messaging`, which is hackbench. Counted is what the whole machine does while one runs, and what is more than without a watcher is
# divided by the operations, and by the switches that the load makes by itself. Neither the loads' beginning and end are in it, for
# an emulated clock leaps where a program waits for a file, nor those of a watcher.
#
# ktally has a reader that drains its rings meanwhile, and may spend what it needs: no time budget makes it thin out.
# shellcheck source=tests/bench/bench.sh
. "$(dirname "$(readlink -f "$0")")/bench.sh"
operations=10000
# shellcheck disable=SC2034 # by name, in run
pipe=(perf bench sched pipe -l "$operations")
# shellcheck disable=SC2034
messaging=(perf bench sched messaging -g 2 -l 50)
compile finer -shared -fPIC

nothing() { "$@"; }
keep() { "$work/hold" --drain --keep "$@"; }
ktally_record() { build/ktally record -a --off-cpu=1ms -F 1 -o "$work/capture" -- "$@"; }
record() { perf record -a -g -e sched:sched_switch -o "$work/perf.data" -- "$@"; }
trace() { perf trace -s -a -o "$work/trace" -- "$@"; }

# run LOAD WATCHER...: leaves what the load took in $took.
run() {
	local -n load=$1
	twice "${@:2}" env LD_PRELOAD="$work/finer" "${load[@]}" >"$work/log" 2>&1 || return
	took=$(sed -nE 's|^ *Total time: ([0-9]+)\.([0-9]{3}) \[sec\]$|\1\2000|p' "$work/log" | tail -n 1)
	[[ $took ]]
}

switches_so_far() { awk '$1 == "ctxt" { print $2 }' /proc/stat; }

# Of each load: what it takes, and the switches that it makes.
declare -A alone switches
measure_alone() {
	local load before
	for load in pipe messaging; do
		run $load nothing
		before=$(switches_so_far)
		run $load nothing
		switches[$load]=$((($(switches_so_far) - before) / 2))
		alone[$load]=$took
	done
}

row() { printf '%-36s %12s %12s %14s %12s\n' "$@"; }
percent() { awk "BEGIN { printf \"%.2f\", 100 * $1 / $2 }"; }
row_why() { printf '%-36s does not run here: %s\n' "$1" "$2"; }
# reason FILE: why a program failed, from what it said.
reason() { grep -m 1 -i error "$1" || tail -n 1 "$1"; }

# measure NAME WATCHER...: a row of the table into $result.
measure() {
	local name=$1 load
	local -A added
	shift
	for load in pipe messaging; do
		run $load "$@" || { result=$(row_why "$name" "$(reason "$work/log")") && return; }
		added[$load]=$((took - alone[$load]))
	done
	result=$(row "$name" "$((added[pipe] / operations))" "$((added[pipe] / switches[pipe]))" \
		"$(percent "${added[messaging]}" "${alone[messaging]}") %" "$((added[messaging] / switches[messaging]))")
}

compare() {
	measure "$@"
	echo "$result"
}

# A watcher that is no parent of what it watches is there when the kernel lists its probe as active.
is_attached() { grep finish_task_switch /sys/kernel/debug/kprobes/list | grep -qv DISABLED; }

# compare_beside NAME COMMAND...: with a watcher that runs by itself until it is interrupted, and then prints.
compare_beside() {
	local name=$1 watcher began=$SECONDS
	shift
	# Not a plain background job: that would ignore the interrupt.
	env --default-signal=INT "$@" >"$work/output" 2>"$work/errors" &
	watcher=$!
	until is_attached; do
		if ! kill -0 $watcher 2>/dev/null || ((SECONDS - began > 600)); then
			row_why "$name" "$(reason "$work/errors")"
			return
		fi
		sleep 0.1
	done
	measure "$name" nothing
	is_attached || result=$(row_why "$name" 'its probe was gone at the end')
	kill -INT $watcher
	wait $watcher || true
	grep -q sched "$work/output" || result=$(row_why "$name" "it saw nothing: $(reason "$work/errors")")
	echo "$result"
}

# bcc and bpftrace compile with the kernel's headers, which Debian has in two parts.
headers=$(readlink -f "/lib/modules/$(uname -r)/build")
ln -sfn "${headers%-*}-common" "/lib/modules/$(uname -r)/source"

measure_alone
row '' 'pipe: per' 'per' 'messaging:' 'per'
row '' 'operation' 'switch' 'of all' 'switch'
row 'nothing (what the load takes)' "$((alone[pipe] / operations))" "$((alone[pipe] / switches[pipe]))" '100 %' \
	"$((alone[messaging] / switches[messaging]))"
insmod "$module/tests/kmod/ktally_empty.ko"
compare 'an empty probe' nothing
rmmod ktally_empty
compare 'ktally, D = 1 ms' keep 1000000
compare 'ktally, D = 0: every wait' keep 0
compare 'ktally record -a --off-cpu=1ms' ktally_record
compare 'perf record -a -g -e sched:sched_switch' record
compare 'perf trace -s -a' trace
compare_beside 'bcc: offcputime -f' offcputime-bpfcc -f
compare_beside 'bpftrace: offcpu.bt' bpftrace tests/bench/offcpu.bt
