#!/bin/bash
# The right names while processes come and go: of those that are gone before anybody looks, that run a file nobody else sees, or
# one that is deleted; after dlclose() and exec(); and of code that a just-in-time compiler makes.
# shellcheck source=tests/programs/tap.sh
. "$(dirname "$0")/../tap.sh"

cleanup() {
	[[ ${daemon:-} ]] && kill -9 "$daemon" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
unset "${!OTEL_@}"

# The same code under two names, without build ids that would tell that it is the same.
renamed() { objcopy --redefine-sym "$3=$4" "$work/$1" "$work/$2"; }
program() { cc -O2 -D_GNU_SOURCE -DFUNCTION="$2" -Wl,--build-id=none -o "$work/$1" tests/programs/trials/names.c "${@:3}"; }
library() {
	cat >"$work/library.c" <<-END
		#include "$PWD/tests/programs/trials/spin.h"
		static void __attribute__((noinline)) in_first_library(void) { spin(30); }
		void in_library(void) { in_first_library(); __asm__ volatile(""); }
	END
	cc -O2 -shared -fPIC -Wl,--build-id=none -o "$work/libfirst.so" "$work/library.c"
}
build() {
	# Static: what they do is their own code, and little else.
	program short-lived in_short_life -static && cp "$work/short-lived" "$work/short-hidden" && cp "$work/short-lived" "$work/short-deleted" &&
		cp "$work/short-lived" "$work/short-served" &&
		program before before_exec -DTURNS && renamed before after before_exec after_exec &&
		library && renamed libfirst.so libother.so in_first_library in_other_library
}
ok 'the programs build' build

# ---- what runs

# lives SECONDS COMMAND...: one after the other; how many in $work/lives-NAME.
lives() {
	local seconds=$1 end=$((SECONDS + $1)) number=0
	shift
	while ((SECONDS < end)); do
		"$@"
		((++number))
	done
	echo "# ${1##*/}: $((number / seconds)) processes a second"
}
deleted() {
	cp "$work/short-deleted" "$work/short-gone"
	"$work/short-gone" unlink spin 4
}
cat >"$work/hidden.sh" <<'END'
mount -t tmpfs none "$1" && cp "$2" "$1" && end=$(($(date +%s) + 6)) && while [ "$(date +%s)" -lt $end ]; do
	for i in 1 2 3 4 5; do "$1/short-hidden" spin 2; done
done
END
cat >"$work/jit.js" <<'END'
function busyInScript(n) { let s = 0; for (let i = 0; i < n; i++) s = (s * 31 + i) | 0; return s }
while (process.cpuUsage().user < 4e6) busyInScript(1e6)
END

start() {
	ktallyd --interval 1 --rate 997 --budget-ppm 500000 --out "$work/out" 2>"$work/says" &
	daemon=$!
	local tries=300
	until grep -q 'sampling .* CPUs' "$work/says"; do
		((tries--)) || return 1
		sleep 0.2
	done
}
stop() { kill -TERM "$daemon" && wait "$daemon" && daemon='' && cat "$work/says"; }

mkdir "$work/secret"
ok 'the daemon samples' start
ok 'short lives' lives 6 "$work/short-lived" spin 1
grep '^#' "$work/output"
ok 'of a file that only they see' unshare -m sh "$work/hidden.sh" "$work/secret" "$work/short-hidden"
ok 'of one that is deleted' lives 6 deleted
grep '^#' "$work/output"
ok 'of a server whose file was deleted' "$work/short-served" unlink forks 6 2
grep '^#' "$work/output"
ok 'another program in the same process' "$work/before" spin 1000 exec "$work/after" spin 1000
ok 'fork and no exec' "$work/after" fork 1000 spin 1000
ok 'two libraries by turns, at one address' "$work/before" turns 1500 "$work/libfirst.so" "$work/libother.so"
if command -v node >/dev/null; then
	# It writes a log to where it is.
	ok 'a just-in-time compiler' env -C "$work" node --perf-basic-prof jit.js
else
	skip 'a just-in-time compiler' 'node is not installed'
fi
ok 'the daemon ends well' stop
sed 's/^/# /' "$work/says" | tail -n 2

# ---- what it was called

folded=$work/out/oncpu.folded
# seconds PATTERN: CPU time of the stacks that match.
seconds() { awk -v pattern="$1" '{ weight = $NF; $NF = "" } $0 ~ pattern { sum += weight } END { printf "%.3f", sum / 1e9 }' "$folded"; }
# share PROGRAM LEAST: so much of its time is in functions that have names.
named() {
	awk -v program="$1" -v least="$2" '
		index($0, program ";") == 1 {
			weight = $NF; $NF = ""; sub(/ $/, "")
			frame = $0; sub(/.*;/, "", frame)
			all += weight
			if (frame ~ /^\[/) { unnamed += weight; print weight, $0 }
		}
		END {
			printf "# %s: %.2f s, %.2f %% of it in functions that have names\n", program, all / 1e9, all ? 100 - 100 * unnamed / all : 0
			exit !(all && unnamed <= all * (100 - least) / 100)
		}' "$folded"
}
between() { local got; got=$(seconds "$1") && echo "$1: $got s" && awk -v got="$got" -v least="$2" -v most="$3" 'BEGIN { exit !(got >= least && got <= most) }'; }

for name in short-lived short-hidden short-served short-gone; do
	ok "$name: at least 95 % of its time has names" named "$name" 95
	grep '^#' "$work/output"
done
ok 'it is in its function' between '^short-lived;.*;in_short_life' 0.005 100
ok 'so is what nobody else sees' between '^short-hidden;.*;in_short_life' 0.005 100
ok 'and what a server forked' between '^short-served;.*;in_child' 0.005 100
ok 'and what is deleted' between '^short-gone;.*;in_short_life' 0.005 100
ok 'before exec()' between '^before;.*;before_exec' 0.7 1.3
ok 'and after it, at the same addresses' between '^after;.*;after_exec' 1.4 2.6
ok 'what was forked' between '^after;.*;main;in_child' 0.7 1.3
ok 'the first library' between ';call_first;in_library;in_first_library' 1.05 1.95
ok 'the second, where the first was' between ';call_second;in_library;in_other_library' 1.05 1.95
ok 'and never one for the other' between ';call_first;in_library;in_other_library|;call_second;in_library;in_first_library' 0 0
if command -v node >/dev/null; then
	ok 'and what the compiler made' between '^node;.*busyInScript' 1.5 4.5
fi
finish
