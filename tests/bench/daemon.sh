#!/bin/bash
# What a sample costs the daemon, from its ring to the tallies, by the number of rules for categories: make bench-daemon
#
# usage: tests/bench/daemon.sh [RULES...]		0 500 2000 when not said
#
# With 1 000 000 samples of 20 000 distinct stacks of 28 frames, drained from two rings in memory by the daemon's own code. Instructions
# are counted by callgrind, and so do not depend on the machine or what else it does. The rate of samples is of this machine: a round
# drains all samples and is timed in CPU time; of 25 the best, which is the least disturbed, and the median. MiB is VmHWM.
#
# A new stack is its record, its names, its class, its categories and its first sample. For 500 rules the functions follow that the
# instructions of known stacks went to.
set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/../.."
build=${BUILD:-build}
mkdir -p "$build/bench"
rm -f "$build"/bench/callgrind.*
make --no-print-directory BUILD="$build" "$build/stages.a" "$build/libktally.a" >&2
${CC:-gcc} -O2 -g -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -Iuser -Ikmod/uapi -I"$build" -Itests/user -o "$build/bench/daemon" \
	tests/bench/daemon.c "$build/stages.a" "$build/libktally.a" -lcurl -lprotobuf-c -luring -lyaml -lz -lzstd -llzma -liberty -lseccomp

stacks=20000
samples=1000000
counted=200000
rounds=25

# count FUNCTION RULES: the instructions of all calls of it, with what it calls. Into a file that is left for callgrind_annotate.
count() {
	valgrind --tool=callgrind --toggle-collect="$1" --callgrind-out-file="$build/bench/callgrind.$1.$2" \
		"$build/bench/daemon" "$2" "$counted" 1 2>&1 >/dev/null | awk '/Collected/ { print $4 }'
}

row() { printf '%6s %14s %14s | %12s %12s %12s %8s %6s\n' "$@"; }

(($#)) || set -- 0 500 2000
row '' instructions instructions microseconds 'million/s' 'million/s' tally ''
row rules 'a new stack' 'a known one' 'a new stack' 'known, best' 'known, median' rows MiB
for rules; do
	read -r new best median rows memory <<<"$("$build/bench/daemon" "$rules" "$samples" "$rounds")"
	row "$rules" "$(($(count drain_new "$rules") / stacks))" "$(($(count drain_known "$rules") / counted))" "$new" "$best" "$median" \
		"$rows" "$memory"
done
if [[ -f $build/bench/callgrind.drain_known.500 ]]; then
	printf '\nWhere the instructions of known stacks go, 500 rules:\n'
	callgrind_annotate "$build/bench/callgrind.drain_known.500" |
		sed -n '/file:function/,/^-- Auto/s/^ *\([0-9,]* *([0-9. ]*%)\) *\(user[^ ]*\) .*/\1  \2/p' | head -n 14
fi
