#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Whether sampling by a hardware counter is right: for a person with a machine that has one, for neither the machines that this is
# developed on nor emulated ones do.
#
# usage: tests/bench/hardware.sh [MODULE_DIRECTORY], as root, after `make module` and `make -f tests/kernel/build.mk`
#
# The module must not be loaded. It is taken from MODULE_DIRECTORY, or from what is installed. A minute later this must have printed, with
# other figures, in which the two are no more than 2 % apart, and `reference cycles` may be `cycles`:
#
#	counters: 12345678 cycles in a program that does nothing
#	... by reference cycles: 9.998 s used, 10.003 s seen (+0.05 %), 9964 samples, 10012 NMIs
#	... info.clock is reference cycles
#	# PASSED: 2 / 2 tests passed.
#	without the counter (pmu=N): by timer, as must be
#	hardware: all is right
#
# Exit status: 0, 1 when something is not right, 4 when there is no counter, and nothing was tried.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
program=${BUILD:-build}/tests/kernel/hardware

fail() {
	echo "hardware: $*" >&2
	exit 1
}

load() {
	if [[ $directory ]]; then insmod "$directory/ktally.ko" "$@"; else modprobe ktally "$@"; fi
}

directory=${1-}
((EUID == 0)) || fail 'must be root, to load the module'
command -v perf >/dev/null || fail 'perf is missing (package linux-perf), which tells whether there is a counter'
[[ -x $program ]] || fail "there is no $program: make -f tests/kernel/build.mk"
[[ ! -d /sys/module/ktally ]] || fail 'the module is loaded: rmmod ktally, for it is to be loaded in two ways'

cycles=$(perf stat -x, -e cycles true 2>&1 | sed -n 's/^\([0-9]\{1,\}\),.*cycles.*/\1/p')
if [[ ! $cycles ]]; then
	echo 'ok 1 - # SKIP there is no hardware counter here (perf stat -e cycles counts nothing): a virtual machine, or one without a PMU'
	exit 4
fi
echo "counters: $cycles cycles in a program that does nothing"
trap 'rmmod ktally 2>/dev/null' EXIT
load || fail 'the module cannot be loaded'
"$program" || fail 'sampling by the counter is not right'
rmmod ktally || fail 'the module cannot be unloaded'

load pmu=N || fail 'the module cannot be loaded with pmu=N'
if "$program" >/tmp/ktally-hardware.$$ 2>&1 || ! grep -q 'by timer' /tmp/ktally-hardware.$$; then
	cat /tmp/ktally-hardware.$$
	fail 'with pmu=N the counter is used nevertheless'
fi
rm -f /tmp/ktally-hardware.$$
echo 'without the counter (pmu=N): by timer, as must be'
echo 'hardware: all is right'
