#!/bin/bash
# ktally profile: whole profiles by a daemon that goes on counting beside them.
# shellcheck source=tests/programs/tap.sh
. "$(dirname "$0")/tap.sh"

unset "${!OTEL_@}"

# burner NAME: a program of that name that uses what is left of a CPU; $last.
burner() {
	cp "$(command -v dash)" "$work/$1"
	background nice -n 19 "$work/$1" -c 'while :; do :; done'
}
burner bystander
burner chosen
chosen=$last

socket=$work/run/control
profile() { ktally profile --control "$socket" --hz 499 "$@" 2>&1 | tee "$work/says"; return "${PIPESTATUS[0]}"; }
says() { grep -qE -- "$1" "$work/says"; }
logs() { grep -qE -- "$1" "$work/log"; }
has() { grep -q -- "$1" "$work/$2"; }
lacks() { ! has "$@"; }
fails 69 'no ktallyd answers' 'without a daemon it says so' profile -o "$work/x.folded"

background ktallyd --interval 1 --control "$socket" --json-lines "$work/lines" 2>"$work/log"
daemon=$last
ok 'the daemon samples' within 60 logs 'sampling .* CPUs'

ok 'a profile of the host' profile --for 2s -o "$work/host.folded" -o "$work/host.pb.gz" -o "$work/host.otlp"
ok 'it says what it took' says '[1-9][0-9]* samples, [0-9.]+ s of CPU time in [0-9.]+ s, nothing lost'
ok 'one process is in it' has '^bystander;' host.folded
ok 'and the other' has '^chosen;' host.folded
ok 'pprof is gzipped' gzip -t "$work/host.pb.gz"
ok 'OTLP profiles are there' test -s "$work/host.otlp"
ok 'the files are for who asked' test "$(stat -c %a "$work/host.folded")" = 600
ok 'the daemon tells who asked for what' logs 'user 0 \(process [0-9]+\) asked for a profile of every process at 499 Hz for 2 s'

ok 'a profile of one program' profile --for 2s --process chosen -o "$work/one.folded"
ok 'has it' has '^chosen;' one.folded
ok 'and nothing else' lacks '^bystander;' one.folded
ok 'a profile of one process' profile --for 2s -p "$chosen" -o "$work/pid.folded"
ok 'has it' has '^chosen;' pid.folded
ok 'and nothing else' lacks '^bystander;' pid.folded
ok 'a profile of waits' profile --for 2s --off-cpu -s off-cpu -o "$work/waits.folded"
ok 'has those of the daemon' has '^ktallyd;' waits.folded
fails 2 'nowhere to send' 'nothing can be sent to nowhere' profile --for 1s

background ktally profile --control "$socket" --for 600s -o "$work/long.folded"
long=$last
ok 'a long one begins' within 20 logs 'for 600 s'
fails 75 'another profile is being taken' 'a second one meanwhile is refused' profile --for 1s -o "$work/x.folded"
sleep 8	# the process that takes it has to read the kernel's names first
kill -TERM "$long"
ok 'SIGTERM ends it early and well' wait "$long"
ok 'with what was taken' has '^chosen;' long.folded

lines=$(wc -l <"$work/lines")
ok 'the daemon has counted all the while' test "$lines" -gt 100
ok 'lines are JSON' jq -e '.metric and .resource' "$work/lines"
kill -TERM "$daemon"
ok 'it ends well' wait "$daemon"
ok 'with nothing lost' logs 'nothing lost'
ok 'no session is left open' within 10 bash -c '! grep -qs ^state: /proc/[0-9]*/fdinfo/*'
finish
