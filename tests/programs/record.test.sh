#!/bin/bash
# ktally record and ktally top: whom they sample, how they end, what they leave.
# shellcheck source=tests/programs/tap.sh
. "$(dirname "$0")/tap.sh"

# burner NAME: a program of that name that uses what is left of a CPU; $last.
burner() {
	cp "$(command -v dash)" "$work/$1"
	nice -n 19 "$work/$1" -c 'while :; do :; done' &
	last=$!
	started+=("$last")
}
burner bystander
burner chosen
chosen=$last

# capture OPTIONS...: ktally record into $work/capture, with a rate that sees something soon.
capture() { ktally record -F 499 -o "$work/capture" "$@" 2>&1 | tee "$work/says"; return "${PIPESTATUS[0]}"; }
report() { ktally report -i "$work/capture" >"$work/report"; }
has() {
	[[ $work/report -nt $work/capture ]] || report
	grep -q -- "$1" "$work/report"
}
lacks() { ! has "$1"; }
says() { grep -qE -- "$1" "$work/says"; }
# recording: waits until a ktally record samples, then for as long as it takes to see something.
recording() {
	local tries=600
	until grep -qs '^state:.*enabled' /proc/[0-9]*/fdinfo/* || ((--tries == 0)); do sleep 0.1; done
	sleep 2
}

# ---- command lines

fails 2 'usage: ktally' 'without a command it says what there are' ktally
fails 2 'no command "recrod"' 'so it does of one that is not there' ktally recrod
ok 'it tells its version' ktally --version
for command in record top; do
	ok "$command --help" ktally $command --help
	fails 2 "ktally $command: .*--frobnicate" "$command: an option that is not there is told, and by whom" ktally $command --frobnicate
	fails 2 'contradicts -p' "$command: -a contradicts -p" ktally $command -a -p 1
	fails 2 'not a process id' "$command: a name is no process id" ktally $command -p init
	fails 2 'no process' "$command: a process that is not there is told" ktally $command -p 4194303
	fails 2 'cgroup' "$command: so is a directory that is no cgroup" ktally $command -G /
done

# ---- whom

ok 'record -d takes the whole host' capture -d 2
ok 'it says what it took' says 'capture: [1-9][0-9]* samples, [0-9.]+ s of CPU time in [0-9.]+ s, nothing lost'
ok 'one process is in it' has bystander
ok 'and the other' has chosen
ok 'record -p takes the one' capture -d 2 -p $chosen
ok 'the chosen one is in it' has chosen
ok 'the other is not' lacks bystander

group=/sys/fs/cgroup/ktally-test
if mkdir $group 2>/dev/null; then
	echo $chosen >$group/cgroup.procs
	ok 'record -G takes a cgroup' capture -d 2 -G $group
	ok 'the chosen one is in it' has chosen
	ok 'the other is not' lacks bystander
	echo $chosen >/sys/fs/cgroup/cgroup.procs
	rmdir $group
else
	skip 'record -G takes a cgroup' 'there is no cgroup v2 here'
fi

cp "$(command -v dash)" "$work/grandchild"
# shellcheck disable=SC2016 # the inner shell's
cat >"$work/parent" <<'END'
i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done
"$0" -c 'i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done' & wait
exit 7
END
fails 7 'samples' 'record COMMAND ends as the command does' capture -- sh "$work/parent" "$work/grandchild"
sh -c "exit 0"
fails 143 'samples' 'also when a signal ended it' capture -- sh -c 'kill -TERM $$'
cat >"$work/family" <<END
"$work/grandchild" -c 'i=0; while [ \$i -lt 60000 ]; do i=\$((i + 1)); done; exit 0' & wait
END
ok 'it takes the children of the command' capture -- sh "$work/family"
ok 'they are in it' has grandchild
ok 'others are not' lacks bystander
ok 'a command with -a only says how long' capture -a -- sleep 2
ok 'others are in it' has bystander

# A program that is sampled while its exec waits for the disk has no environment yet, and has to be asked again.
cat >"$work/services" <<'END'
for i in $(seq 20); do
	echo 3 >/proc/sys/vm/drop_caches
	OTEL_SERVICE_NAME=service-$i /usr/bin/python3 -c 'sum(range(3000000))' &
	if [ $((i % 4)) = 0 ]; then wait; fi
done
END
services() { ktally report -i "$work/capture" -f metrics -o "$work/metrics" && grep -oE 'service-[0-9]+' "$work/metrics" | sort -u | wc -l; }
ok 'services that say so by their environment' capture -- sh "$work/services"
ok 'are all known' test "$(services)" = 20

# ---- the end

kept=$work/kept
fails 127 'cannot run .*: No such file' 'a command that is not there' ktally record -o "$kept" -- "$work/nothing"
ok 'leaves no capture' test ! -e "$kept"
fails 127 'cannot run .*: Permission' 'nor one that is no program' ktally record -o "$kept" -- "$work"
(recording; kill $chosen) &
ok 'record -p ends with the process' capture -p $chosen
ok 'which is in it' has chosen

ktally record -o "$work/capture" 2>"$work/says" &
record=$!
recording
kill -INT $record
ok 'SIGINT ends it well' wait $record
ok 'and keeps everything' has bystander

ktally record -o "$work/capture" 2>"$work/says" &
record=$!
recording
kill -KILL $record
wait $record 2>/dev/null
ok 'killed with -9, what it took can be read' has bystander

# interrupted STATUS SIGNAL SCRIPT: it ends with that status when only ktally gets the signal.
interrupted() {
	local status=0 record
	# A script's background jobs ignore SIGINT, and hand that down.
	env --default-signal=INT ktally record -o "$work/capture" -- sh -c "$3" 2>"$work/says" &
	record=$!
	recording
	kill "-$2" "$record"
	wait "$record" || status=$?
	((status == $1))
}
ok 'SIGINT is passed on to the command' interrupted 130 INT 'exec sleep 1000'
ok 'which may do as it likes' interrupted 5 TERM 'trap "exit 5" TERM; while :; do sleep 0.1; done'
ok 'the capture is whole' report
began=$SECONDS
ok 'a command that goes on is ended after -d' capture -d 1 -- sleep 1000
ok 'soon' test $((SECONDS - began)) -lt 60
stdout() { ktally record -d 1 -o - | ktally report -i - >"$work/report" && grep -q bystander "$work/report"; }
ok 'record -o - | report -i -' stdout
closed() { ktally record -d 2 -F 999 -o - | head -c 1000 >/dev/null; return "${PIPESTATUS[0]}"; }
fails 1 'standard output failed: Broken pipe' 'a reader that goes away is told' closed
full() { ktally record -d 1 -o /dev/full; }
fails 1 'No space left' 'so is a full disk' full

# ---- who may

nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
cp "$(command -v ktally)" "$work/ktally"
chmod 755 "$work" "$work/ktally"
fails 77 'not allowed to open' 'who has no rights to the device is told' nobody "$work/ktally" top
mode=$(stat -c %a /dev/ktally)
chmod 666 /dev/ktally
mkdir -m 777 "$work/nobody"
fails 77 'CAP_PERFMON' 'who has rights to the device only may not sample others' nobody "$work/ktally" record -a -o "$work/nobody/x"
# Without /proc/kallsyms there are warnings; the command's own status is what counts.
# shellcheck disable=SC2016 # the inner shell's
ok 'but his own command' nobody "$work/ktally" record -F 499 -o "$work/nobody/own" -- sh -c 'i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done'
cp "$work/output" "$work/said"
ok 'with a warning' grep -q 'only your own processes' "$work/said"
mv "$work/nobody/own" "$work/capture"
ok 'his capture has himself' has 'sh '
ok 'and nobody else' lacks bystander
chmod "$mode" /dev/ktally

# ---- top

top_text() { ktally top -n 2 >"$work/says"; }
# Files are new to top at its first refresh, and are waited for.
no_more_than_there_are() {
	grep 'CPUs busy' "$work/says"
	awk -v cpus="$(nproc)" '/CPUs busy/ { lines++; wrong += $5 > 1.2 * cpus } END { exit lines != 2 || wrong }' "$work/says"
}
ok 'top prints text where there is no terminal' top_text
ok 'as many CPUs are busy as there are, at most' no_more_than_there_are
ok 'with three tables' test "$(grep -cE '%CPU +TOTAL s +(PROCESS|AREA|FUNCTION)' "$work/says")" = 6
ok 'in which the busy are' says '[1-9][0-9.]* +[0-9.]+ +bystander'
top() { python3 tests/programs/terminal.py "$1" ktally top >"$work/screen"; }
shows() { grep -qE -- "$1" "$work/screen"; }
ok 'top on a terminal ends by q' top '5 q'
ok 'it took the screen' shows $'\033\\[\\?1049h'
ok 'and gave it back' shows $'\033\\[\\?1049l'
ok 'it shows the busy' shows bystander
ok 'keys choose what it shows' top '4 f 2 s 2 a 2 p 2 space 2 q'
ok 'the sorting too' shows 'sort: by total'
ok 'it follows the size of the terminal' top '4 200x60 2 20x5 2 q'
ok 'SIGTERM ends it, and the terminal is as it was' top '4 TERM'
ok 'so does SIGINT' top '4 INT'

finish
