#!/bin/bash
# Times in a time namespace: the module tells the host's, and who is told others is warned.
# shellcheck source=tests/programs/tap.sh
. "$(dirname "$0")/tap.sh"

if ! unshare --time true 2>/dev/null; then
	skip 'time namespaces' 'this kernel has none'
	finish
fi
background nice -n 19 sh -c 'while :; do :; done'

monotonic() { python3 -c 'import time; print(int(time.clock_gettime(time.CLOCK_MONOTONIC)))'; }
# The time of the first record that has one, in seconds.
first() {
	local time
	time=$(ktally dump -i "$1" | sed -n 's/.*"time":\([0-9]*\).*/\1/p' | head -n 1)
	echo $((time / 1000000000))
}

# record NAME OPTIONS...: of unshare; what it says is in $work/NAME.says.
record() {
	local name=$1
	shift
	unshare "$@" -- ktally record -a -d 2 -o "$work/$name" 2>"$work/$name.says"
}

before=$(monotonic)
ok 'a recording in another time namespace' record there --time --monotonic 1000000 --boottime 1000000
ok 'is warned of it' grep -q 'time namespace' "$work/there.says"
ok 'there the clock is another' test "$(unshare --time --monotonic 1000000 -- python3 -c \
	'import time; print(int(time.clock_gettime(time.CLOCK_MONOTONIC)))')" -gt 1000000
time=$(first "$work/there")
ok "records have the time of the host: $before <= $time" test "$before" -le "$time" -a "$time" -le "$(monotonic)"
ok 'a recording here' record here --mount
ok 'is not warned' bash -c "! grep -q 'time namespace' '$work/here.says'"

finish
