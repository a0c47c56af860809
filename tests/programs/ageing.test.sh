#!/bin/bash
# One unprivileged program that has names without end, beside others: the others keep theirs, no sample is lost for it, and the
# daemon keeps within its memory.
# shellcheck source=tests/programs/tap.sh
. "$(dirname "$0")/tap.sh"

seconds=${SECONDS_OF_FLOOD:-25}
port=19465

build() { cc -O1 -g -fno-omit-frame-pointer -Wall -Wextra -Werror -D_GNU_SOURCE -pthread -o "$work/$1" tests/programs/flood.c; }
for program in early flood late; do
	ok "$program builds" build $program
done
chmod 755 "$work"
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }

page() { curl -sf --max-time 60 "http://127.0.0.1:$port/metrics"; }
# value PATTERN: the sum of the samples whose lines match.
value() { awk -v pattern="$1" '$0 ~ pattern { sum += $NF } END { printf "%.0f\n", sum }' "$work/page"; }
number() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$daemon/status"; }

says=$work/says
background ktallyd --no-config --rate 97 --budget-ppm 300000 --interval 5s --control none --prometheus $port --out "$work/out" 2>"$says"
daemon=$last
ok 'the daemon samples' within 60 grep -q 'sampling .* CPUs' "$says"
"$work/early" work 8

# Twice, and then until something was refused: how many samples a flood gets of a slow emulator nobody knows.
refused() {
	page >"$work/page" && (($(value '^ktally_names_refused_total') + $(value '^ktally_stacks_unnamed_total') > 0))
}
for ((round = 1; round <= 8; round++)); do
	nobody "$work/flood" frames "$seconds" 60000 230 &
	first=$!
	nobody "$work/flood" frames "$seconds" 20000 900 &
	wait $first $!
	((round >= 2)) && refused && break
done
ok 'the flood was refused names, which are counted' refused
"$work/late" work 12
nobody "$work/flood" names 10
sleep 6
# ktallyd(8), MEMORY: 20 MiB, 32 for symbols and maps, and what one user alone gets of 16 for names and 64 for frames; and 4 more.
most=$(((20 + 32 + 16 / 2 + 64 / 2 + 4) * 1024))
echo "# $(number VmHWM) kB at most, $(number VmRSS) kB now"
ok "it took at most $((most / 1024)) MiB" test "$(number VmHWM)" -lt "$most"
kill -TERM "$daemon"
wait "$daemon"
sed 's/^/# /' "$says"
ok 'and told of, with whose they were, if that could be known' grep -qE 'warning: counted without names: .*(of user 65534|gone before)' "$says"
ok 'and at the end' grep -qE '(refused|left without names)' <(tail -n 1 "$says")

# lost_share: of a thousand samples, from "lost 12 of 4512 samples".
lost_share() {
	local lost
	lost=$(sed -nE 's/.*lost ([0-9]+) of ([0-9]+) samples.*/\1 \2/p' "$says" | tail -n 1)
	awk -v lost="${lost:-0 1}" 'BEGIN { split(lost, n, " "); exit !(n[1] * 1000 < n[2]) }'
}
ok 'less than one sample in a thousand was lost' lost_share

# named PROGRAM: three quarters of its time, at least, are in the function that it spends it in.
named() {
	awk -v program="$1" -F ' ' '
		$0 ~ "^" program ";" { all += $NF; if ($0 ~ /;compute(;| )/) named += $NF }
		END { printf "%s: %.2f of %.2f s named\n", program, named / 1e9, all / 1e9; exit !(all > 3e9 && named > 0.75 * all) }
	' "$work/out/oncpu.folded"
}
ok 'what ran before has its names' named early
ok 'and so has what came after' named late
sed 's/^/# /' "$work/output"
finish
