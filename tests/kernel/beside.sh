#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Others on the same host at the same time, on the same timers and the same tracepoints: perf's samples and events, a tracing instance, an
# eBPF sampler. Each must keep working, and come to the same sums as the kernel itself, and as ktally (beside.c).
set -uo pipefail

work=$(mktemp -d /tmp/beside.XXXXXX)
instance=/sys/kernel/tracing/instances/ktally-beside
number=90 status=0
declare -A pids

result() {
	number=$((number + 1))
	echo "$1 $number - $2"
	if [[ $1 != ok ]]; then status=1; fi
}

# close_to NAME VALUE WANTED PERCENT EXTRA
close_to() {
	echo "# $1: ${2:-none}, expected $3"
	if ((${2:-0} * 100 >= $3 * (100 - $4) - 100 * $5 && ${2:-0} * 100 <= $3 * (100 + $4) + 100 * $5)); then
		result ok "$1 is right"
	else
		result 'not ok' "$1 is right"
	fi
}

# begin NAME COMMAND...: beside what follows.
begin() {
	local name=$1
	shift
	"$@" >"$work/$name.out" 2>"$work/$name.err" &
	pids[$name]=$!
}

# finish: whoever has ended by itself was disturbed.
finish() {
	local name
	for name in "${!pids[@]}"; do
		if kill -INT "${pids[$name]}" 2>/dev/null; then
			result ok "$name works to the end"
		else
			sed 's/^/# /' "$work/$name.err"
			result 'not ok' "$name works to the end"
		fi
	done
	wait "${pids[@]}" 2>/dev/null
}

# begin_perf NAME OPTIONS...: has begun to record when this returns, which takes it long where every instruction is emulated.
begin_perf() {
	local name=$1 answer
	shift
	mkfifo "$work/$name.control" "$work/$name.answer"
	begin "$name" perf record -q -a -D -1 --control "fifo:$work/$name.control,$work/$name.answer" -o "$work/$name" "$@" sleep 1000
	echo enable | timeout 120 tee "$work/$name.control" >/dev/null
	read -r -t 120 answer <>"$work/$name.answer"
	[[ $answer == *ack* ]] || result 'not ok' "$name begins"
}

rate=199
begin_perf perf-samples -F $rate -e cpu-clock -g
begin_perf perf-switches -e sched:sched_switch
if ! { mkdir "$instance" && echo 16384 >$instance/buffer_size_kb &&
	echo 'prev_comm == "watched"' >$instance/events/sched/sched_switch/filter &&
	echo 1 >$instance/events/sched/sched_switch/enable; }; then
	result 'not ok' 'a tracing instance can be made'
fi
if [[ -e /sys/kernel/btf/vmlinux ]] && command -v bpftrace >/dev/null; then
	# The first tracepoint is the last to be attached. The name is not taken from the tracepoint's arguments, for which bpftrace would
	# want the kernel's headers.
	begin bpftrace bpftrace -B none -e "tracepoint:sched:sched_process_fork { printf(\"attached\\n\"); }
		profile:hz:$rate /comm == \"watched\"/ { @samples = count(); @stacks[kstack, ustack] = count(); }
		tracepoint:sched:sched_switch /comm == \"watched\"/ { @switches = count(); }
		END { print(@samples); print(@switches); clear(@stacks); }"
	for ((i = 0; i < 600; i++)); do
		if grep -q attached "$work/bpftrace.out" || ! kill -0 "${pids[bpftrace]}" 2>/dev/null; then break; fi
		sleep 0.2
	done
fi

: >"$work/did"
KTALLY_BESIDE=$work/did "$KTALLY_PROGRAMS/beside" || status=1
read -r samples switches <"$work/did" || exit 1
echo 0 >$instance/events/sched/sched_switch/enable
finish

# Whoever counts samples comes to as many as ktally at the same rate: fewer than the time would have, where timers come late.
close_to 'samples of perf' "$(perf script -i "$work/perf-samples" -F comm 2>/dev/null | grep -c watched)" "$samples" 10 20
perf script -i "$work/perf-switches" -F event,trace >"$work/switches" 2>/dev/null
close_to 'switches by perf' "$(grep -c 'prev_comm=watched' "$work/switches")" "$switches" 1 10
close_to 'switches by ftrace' "$(grep -c 'prev_comm=watched' $instance/trace)" "$switches" 0 10
rmdir "$instance"
if [[ ${pids[bpftrace]-} ]]; then
	close_to 'samples of eBPF' "$(sed -n 's/^@samples: //p' "$work/bpftrace.out" | head -n 1)" "$samples" 10 20
	close_to 'switches by eBPF' "$(sed -n 's/^@switches: //p' "$work/bpftrace.out" | head -n 1)" "$switches" 0 10
else
	result ok 'switches by eBPF # SKIP there is no bpftrace, or the kernel has no eBPF (scripts/install-packages peers)'
fi
exit $status
