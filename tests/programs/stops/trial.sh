#!/bin/bash
# User stacks of programs as Debian packages them, without frame pointers: at least 99 of 100 are whole, and the module's frames
# are gdb's, of the same process at the same stop.
#
# A process that gdb has stopped waits, and that wait has a stack. STOPS says how many stops of each program are compared (40),
# PROGRAMS which programs; what is not installed is skipped. It takes minutes for each program, so scripts/test does not run it:
#
#	scripts/vm --kernel 6.12 --memory 3072 --timeout 3600 -- tests/programs/run.sh MODULE_DIRECTORY tests/programs/stops/trial.sh
#
# shellcheck source=tests/programs/tap.sh
. "$(dirname "$0")/../tap.sh"

stops=${STOPS:-40}
here=$(dirname "$0")
# shellcheck source=tests/programs/stops/programs.sh
. "$here/programs.sh"

compare() {
	local name=$1 recorder
	"start_$name" || return
	ktally record -p "$pid" -F 199 --depth 512 --budget-ppm 500000 --off-cpu=0 -o "$work/capture" &
	recorder=$!
	sleep "${WARM_UP:-8}"	# its files are opened, their tables loaded
	rm -f "$work/stops"
	STOPS_PID=$pid STOPS_COUNT=$stops STOPS_OUTPUT=$work/stops timeout 900 gdb -nx -batch -x "$here/gdb.py" >/dev/null || return
	kill -INT "$recorder"
	wait "$recorder"
	ktally dump -i "$work/capture" >"$work/dump" || return
	"$here/compare.py" "$work/stops" "$pid" "$work/dump"
}

each_program compare
finish
