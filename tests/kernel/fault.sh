#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The fault test, and whether the failures were everywhere in the module that they can be: see fault_sites.py.
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")

if [[ ! -w /proc/self/fail-nth ]]; then
	echo 'ok 1 - # SKIP this kernel does not make allocations fail (CONFIG_FAULT_INJECTION)'
	exit 4
fi
readonly tracing=/sys/kernel/tracing
work=$(mktemp -d /tmp/fault.XXXXXX)

# Traces, because what asks not to be told of its failure is missing in the log; the log, because what a module did before it was
# unloaded cannot be named afterwards in a trace.
dmesg -n 1
echo 16384 >$tracing/buffer_size_kb
echo 1 >$tracing/options/sym-offset
# As many as return at a time, or some are missed.
# shellcheck disable=SC2016 # that is how the kernel has it
echo 'r256:fault should_fail_ex failed=$retval:u8' >$tracing/kprobe_events || exit 1
echo 'failed == 1' >$tracing/events/kprobes/fault/filter
echo 'stacktrace if failed == 1' >$tracing/events/kprobes/fault/trigger
echo 1 >$tracing/events/kprobes/fault/enable

KTALLY_FAULT_TRACE=$work/trace "$KTALLY_PROGRAMS/fault"
status=$?
echo 0 >$tracing/events/kprobes/fault/enable
echo "# of should_fail_ex(): $(awk '$1 == "fault" { print $2 " returns seen, " $3 " missed" }' $tracing/kprobe_profile)"
echo '!stacktrace' >$tracing/events/kprobes/fault/trigger
echo >$tracing/kprobe_events

dmesg >"$work/log"
"$here/fault_sites.py" "$KTALLY_MODULES/ktally.ko" "$work/trace" "$work/log" || status=1
exit "$status"
