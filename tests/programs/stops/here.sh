#!/bin/bash
# The same as trial.sh, but with no module and no virtual machine: the stacks are taken by kmod/unwind_user.c in user space
# (tests/unwind/stops.c), so that hundreds of stops of each program take seconds. What the module adds, mappings and files, is not
# tried here.
#
# usage: PROGRAMS="xz sqlite3" STOPS=500 tests/programs/stops/here.sh UNWINDER
#
# shellcheck source=tests/programs/tap.sh
. "$(dirname "$0")/../tap.sh"

unwinder=${1:?usage: tests/programs/stops/here.sh UNWINDER}
here=$(dirname "$0")
# shellcheck source=tests/programs/stops/programs.sh
. "$here/programs.sh"

compare() {
	"start_$1" || return
	sleep "${WARM_UP:-0.5}"	# it is where it computes
	rm -f "$work/stops"
	STOPS_PID=$pid STOPS_COUNT=${STOPS:-40} STOPS_OUTPUT=$work/stops STOPS_UNWINDER=$unwinder \
		timeout 900 gdb -nx -batch -x "$here/gdb.py" >/dev/null || return
	"$here/compare.py" "$work/stops"
}

each_program compare
finish
