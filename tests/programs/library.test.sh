#!/bin/bash
# libktally and the two examples on the real device: by mapping, and by read() from another language.
# shellcheck source=tests/programs/tap.sh
. "$(dirname "$0")/tap.sh"

library=${KTALLY_BUILD:-build}
build() { cc -O2 -Wall -Wextra -Iuser/lib -Ikmod/uapi -D_GNU_SOURCE -o "$work/$1" "$2" "${@:3}"; }
ok 'a program builds with the static library' build library tests/programs/library.c "$library/libktally.a"
ok 'the C example builds with the shared one' build consumer user/examples/consumer.c -L"$library" -lktally
ok 'the library on the device: see tests/programs/library.c' "$work/library"

export LD_LIBRARY_PATH=$library
sh -c 'while :; do :; done' &
load=$!
trap 'kill $load; rm -rf "$work"' EXIT

# Exit status 0: every sample the module took was read or told as lost.
ok 'the C example accounts for every sample' "$work/consumer" 2
sed 's/^/# /' "$work/output"

# Where services and containers live: memory that the module takes there is charged to a cgroup.
cgroup=/sys/fs/cgroup/ktally-test
in_cgroup() { sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$cgroup" "$@"; }
if echo +memory >/sys/fs/cgroup/cgroup.subtree_control && mkdir "$cgroup"; then
	ok 'and in a memory cgroup' in_cgroup "$work/consumer" 1
	rmdir "$cgroup"
else
	skip 'and in a memory cgroup' 'there is no memory controller of cgroup v2'
fi 2>/dev/null

ok 'so does the Python example' user/examples/consumer.py 2
cp "$work/output" "$work/said"
sed 's/^/# /' "$work/said"
ok 'which names the process that runs' grep -qF "($load)" "$work/said"
ok 'and that alone, if asked' user/examples/consumer.py 2 "$load"
cp "$work/output" "$work/said"
ok 'it says so' grep -qE ', 1 tasks$' "$work/said"
fails 1 'No such process' 'a process that is not there' user/examples/consumer.py 1 4194303

# Somebody who may open the device, and nothing more.
chmod 666 /dev/ktally
nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups /usr/bin/python3 -c 'import subprocess, sys
load = subprocess.Popen(["sh", "-c", "while :; do :; done"])
status = subprocess.call(sys.argv[1:])
load.kill()
sys.exit(status)' "$@"
}
chmod 755 "$work"	# they may not look into the tree, wherever it lies
cp user/examples/consumer.py "$work"
ok 'the unprivileged sample' nobody "$work/consumer.py" 2
cp "$work/output" "$work/said"
sed 's/^/# /' "$work/said"
own() {
	grep -qE '  sh \([0-9]+\)$' "$work/said" && ! grep -qE "\\($load\\)|  kernel\$" "$work/said"
}
ok 'their own processes only, and no kernel' own
chmod 660 /dev/ktally
finish
