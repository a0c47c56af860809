#!/bin/bash
# A collector that is away for MINUTES (10) while the host is busy, the daemon being killed with -9 in the middle: what was received and what
# was evicted is what was produced, batch by batch and to the nanosecond.
#
# What is produced is known from --json-lines, which has every data point and no network to go through. A first daemon has room for all;
# it is killed half way, and the next one gets a spool that is half as large again as what it finds, so that it must evict. Fractions of a minute are
# taken too. It takes a quarter of an hour, so scripts/test does not run it:
#
#	scripts/vm --kernel 6.12 --memory 3072 --timeout 3600 -- tests/programs/run.sh MODULE_DIRECTORY tests/programs/outage/trial.sh
#
# shellcheck source=tests/programs/tap.sh
. "$(dirname "$0")/../tap.sh"

here=$(dirname "$0")
half=$(awk -v minutes="${MINUTES:-10}" 'BEGIN { printf "%d", minutes * 30 }')	# seconds
port=14320
unset "${!OTEL_@}"

# More to run than the CPUs can: one program that goes on, two that begin anew all the time, files, pipes and waits.
churn() { while :; do find /usr/share/doc -maxdepth 2 -name "[$1]*" | gzip -c | md5sum; done >/dev/null 2>&1; }
files() { while :; do dd if=/dev/urandom of="$work/file" bs=64k count=16 conv=fsync; rm "$work/file"; done 2>/dev/null; }
load() {
	background nice python3 -c 'import hashlib
while True:
    hashlib.sha256(b"x" * 100000).digest()'
	background nice bash -c "$(declare -f churn); churn a-m"
	background nice bash -c "$(declare -f churn); churn n-z"
	background nice env work="$work" bash -c "$(declare -f files); files"
}

# So that a few of them fill the smallest spool that there can be.
export OTEL_EXPORTER_OTLP_COMPRESSION=none

mkdir "$work/collected.bodies"
collect() {
	background python3 "$here/../collector.py" "$port" "$work/collected"
	collector=$last
	within 600 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
}

# run NUMBER OPTIONS...: a daemon that has said it samples.
run() {
	local number=$1
	shift
	background ktallyd --interval 1 --rate 199 --off-cpu --control none --endpoint "http://127.0.0.1:$port" --spool "$work/spool" \
		--json-lines "$work/lines.$number" --json-lines-bytes 10G --metrics-json "$work/totals.$number" "$@" 2>"$work/log.$number"
	daemon=$last
	within 600 grep -q 'sampling .* CPUs' "$work/log.$number"
}

end() {
	kill -9 "$1"
	wait "$1" 2>/dev/null
	return 0
}
stored() { find "$work/spool/metrics" -name '*.batch' | wc -l; }
used() { du -s --block-size=1 "$work/spool/metrics" | cut -f1; }
received() { (($(grep -c '^metrics' "$work/collected") >= $1)); }
is_empty() { (($(stored) == 0)); }

ok 'there is a collector' collect
load
ok 'a daemon samples a busy host' run 1
ok 'the collector gets its metrics' within 600 received 5
end "$collector"
began=$SECONDS
sleep "$half"
ok 'the daemon is killed with -9' end "$daemon"
found=$(stored) bytes=$(used)
echo "# after $((SECONDS - began)) s without a collector $found batches wait in the spool, $bytes bytes"
ok 'many do' test "$found" -gt 5
room=$((bytes * 3 / 2 > 1 << 20 ? bytes * 3 / 2 : 1 << 20))
ok "another samples, with $room bytes for its spool" run 2 --spool-bytes $room
ok 'which knows what waits' grep -q "$found batches of metrics are in the spool" "$work/log.2"
sleep "$half"
echo "# after $((SECONDS - began)) s $(stored) batches wait, $(used) bytes"
ok 'that the spool is full is told' within 300 grep -q 'the spool is full: the oldest metrics' "$work/log.2"
ok 'the collector is back' collect
ok 'it gets all that waits' within 1800 is_empty
kill -TERM "$daemon"
ok 'the daemon ends well' wait "$daemon"
ok 'what was received and what was evicted is what was produced' \
	python3 "$here/compare.py" "$work/collected.bodies" "$work/totals.2" "$work/log.2" "$work"/lines.[12]
grep '^#' "$work/output"
grep -E 'samples,|dropped|takes metrics|does not take|full' "$work"/log.[12] | sed 's/^.*log/# log/'
ok 'every request was one' bash -c "! grep '^bad' '$work/collected'"
finish
