#!/bin/bash
# A file system whose server does not answer any more, while a program runs from it, and another one has its perf map there: what others run
# from is read all the same, the daemon answers, says which files hang, and ends when it is told to.
# shellcheck source=tests/programs/tap.sh
. "$(dirname "$0")/tap.sh"

port=19466
says=$work/says

build() { cc -O1 -g -Wall -Wextra -Werror -D_GNU_SOURCE -pthread -o "$work/$1" "tests/programs/$2.c"; }
ok 'the file system builds' build hungfs hungfs
ok 'a program builds' build compute flood
modprobe fuse 2>/dev/null
if [[ ! -e /dev/fuse ]]; then
	skip 'a file system that hangs' 'this kernel has no FUSE'
	finish
fi

mkdir "$work/mount"
background "$work/hungfs" "$work/mount" "$work/compute" program
server=$last
ok 'a program can be run from it' within 20 test -x "$work/mount/program"
page() { curl -sf --max-time 2 "http://127.0.0.1:$port/metrics" >"$work/page"; }
value() { awk -v name="$1" '$1 == name { print $NF; found = 1 } END { exit !found }' "$work/page"; }
start_daemon() {
	background ktallyd --no-config --rate 97 --budget-ppm 300000 --interval 5s --control none --prometheus "$port" --out "$work/out" 2>"$says"
	daemon=$last
	within 60 grep -q 'sampling .* CPUs' "$says"
}

# time_of_table PROGRAM: runs it, and how many ms it takes until there is a table for its file, in $took.
more_tables() { page && (($(value ktally_tables_loaded_total) > before)); }
time_of_table() {
	local began
	cp "$work/compute" "$work/$1"
	# What this script runs itself has been read by then.
	for ((i = 0; i < 8; i++)); do page && value ktally_tables_loaded_total >/dev/null; sleep 1; done
	before=$(value ktally_tables_loaded_total)
	background "$work/$1" work 15
	began=${EPOCHREALTIME/./}
	within 20 more_tables || return
	took=$(((${EPOCHREALTIME/./} - began) / 1000))
}
ok 'the daemon samples' start_daemon
ok 'the file of a program is read' time_of_table early
usual=$took
kill -TERM "$daemon"
wait "$daemon"

background "$work/mount/program" work 90
sleep 3
kill -USR1 "$server"
ok 'the daemon starts when a file system hangs' start_daemon
ok 'the file of another program is read' time_of_table late
late=$last
echo "# after $usual and $took ms"
ok 'two seconds later at most' test $((took - usual)) -lt 2000

hung() { page && (($(value ktally_files_hung_total) >= 1)); }
ok 'what hangs is counted' within 30 hung
ok 'and said' grep -qi 'not answer' "$says"
wait "$late"

kill -TERM "$server"

# Another user's process, whose /tmp is its own, as a container's is, and hangs as well; it runs in code that only the map there tells of.
chmod 755 "$work"
contained() {
	cd "$work" || exit 1
	setpriv --reuid 65534 --regid 65534 --clear-groups ./compute frames 90 1 20 &
	map=/tmp/perf-$!.map
	within 10 grep -q leaf "$map"
	cp -p "$map" map
	./hungfs /tmp map "$(basename "$map")" &
	echo $! >inner
	within 10 cmp map "$map"
	touch ready
	wait
}
export -f contained within
export work
background unshare -m --propagation private bash -c contained
ok 'a process has its perf map there' within 30 test -e "$work/ready"
# Seconds in which the page did not come in time; the process goes on all the while.
answers() { local missed=0; for ((i = 0; i < 15; i++)); do page || ((++missed)); sleep 1; done; ((missed <= 1)); }
ok 'the page comes before that' within 20 page
before=$(value ktally_files_hung_total)
kill -USR1 "$(<"$work/inner")"
ok 'the page comes whatever a perf map does' answers
more_hung() { page && (($(value ktally_files_hung_total) > before)); }
ok 'which is counted' within 30 more_hung
ok 'and said' grep -q 'tells of its code' "$says"

# What is in the kernel's hands until the server answers keeps the process, though it has come to its end (ktallyd(8), BUGS).
ended() { [[ ! -e /proc/$daemon/status ]] || grep -q '^State:.*Z' "/proc/$daemon/status"; }
gone() { ! kill -0 "$daemon"; }
refused() { ! curl -sf --max-time 2 "http://127.0.0.1:$port/metrics"; }
kill -TERM "$daemon"
ok 'the daemon ends' within 20 ended
ok 'its port is closed' refused
named() { awk '/^late;/ { all += $NF; if (/;compute(;| )/) named += $NF } END { exit !(all > 3e9 && named > 0.75 * all) }' "$work/out/oncpu.folded"; }
ok 'with the names of the other program' named
kill -TERM "$(<"$work/inner")"
ok 'nothing is left of it once the file systems are gone' within 20 gone
sed 's/^/# /' "$says"
finish
