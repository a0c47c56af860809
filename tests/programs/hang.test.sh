#!/bin/bash
# A program that hangs, and how ktallyd shows it while it does: in the metrics of each export, with its stack in the profile.
# shellcheck source=tests/programs/tap.sh
. "$(dirname "$0")/tap.sh"

unset "${!OTEL_@}"
cleanup() {
	for process in "${daemon:-}" "${writer:-}" "${reader:-}" "${watcher:-}"; do
		[[ $process ]] && kill -9 "$process"
	done 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT

within() {
	local tries=$(($1 * 10))
	shift
	until "$@" >/dev/null 2>&1; do
		((tries--)) || return 1
		sleep 0.1
	done
}

# Looks at every file of metrics that the daemon writes: what they say of the waits of ktally-hung, and when.
cat >"$work/watch.py" <<'END'
import json, os, sys, time

def waited(path):
    with open(path) as file:
        text = json.load(file)
    end, causes = 0, {}
    for resource in text["resourceMetrics"]:
        name = [a["value"]["stringValue"] for a in resource["resource"]["attributes"] if a["key"] == "process.executable.name"]
        for metric in resource["scopeMetrics"][0]["metrics"]:
            for point in metric["sum"]["dataPoints"]:
                end = max(end, int(point["timeUnixNano"]))
                if metric["name"] == "ktally.offcpu.time" and name == ["ktally-hung"]:
                    cause = {a["key"]: a["value"]["stringValue"] for a in point["attributes"]}["ktally.cause"]
                    causes[cause] = causes.get(cause, 0) + point["asDouble"]
    return end, causes

path, seen = sys.argv[1], None
started = os.stat(path).st_mtime_ns
print("start", flush=True)
while True:
    now = os.stat(path).st_mtime_ns
    if now == seen or now == started:
        time.sleep(0.02)
        continue
    seen = now
    end, causes = waited(path)
    print(end, causes.get("io/pipe", 0), flush=True)
END

ktallyd --rate 99 --off-cpu --interval 1 --budget-ppm 100000 --metrics-json "$work/metrics" --out "$work/out" 2>"$work/says" &
daemon=$!
ok 'ktallyd samples, and follows waits' within 60 grep -q 'sampling .* CPUs' "$work/says"
ok 'its metrics are there' within 60 test -s "$work/metrics"

cp /bin/cat "$work/ktally-hung"
mkfifo "$work/pipe"
sleep 1000 >"$work/pipe" &
writer=$!
python3 "$work/watch.py" "$work/metrics" >"$work/watched" &
watcher=$!
within 60 grep -q start "$work/watched"
began=$(date +%s%N)
"$work/ktally-hung" "$work/pipe" &
reader=$!
waits_in_read() { [[ $(<"/proc/$reader/syscall") == "0 "* ]]; }
ok 'a program reads from a pipe' within 60 waits_in_read
hung_since=$(date +%s%N)
since() { awk -v since="$hung_since" '$1 > since' "$work/watched"; }
have_passed() { (($(since | wc -l) >= $1)); }
within 120 have_passed 6
kill $watcher

# Of the exports that ended since, the first may have been under way; the second has it at the latest, which is within two flushes.
seen_soon() {
	cat "$work/watched"
	since | head -n 2 | awk '$2 > 0 { found = 1 } END { exit !found }'
}
ok 'a read from a pipe that never answers is in the metrics within two exports' seen_soon
grows() {
	cat "$work/watched"
	awk '$2 > 0 { if (!time) { time = $1; value = $2 } last_time = $1; last_value = $2 }
	     END { passed = (last_time - time) / 1e9; waited = last_value - value
		   print passed, waited; exit !(passed > 2 && waited > 0.8 * passed && waited < 1.2 * passed) }' "$work/watched"
}
ok 'and goes on to grow with the time' grows

kill -HUP $daemon
ok 'its profile is written while it hangs' within 60 test -s "$work/out/offcpu.folded"
has_stack() { grep '^ktally-hung;' "$work/out/offcpu.folded" | tee /dev/stderr | grep -E ';([^;]*)read([^;]*);.*(pipe_read|fifo_pipe_read)_\[k\]'; }
ok 'with its stack, of the program and the kernel' has_stack

# What was counted while it hung is not counted again at its end.
kill $writer
wait $reader
hung=$(($(date +%s%N) - began))
kill -TERM $daemon
wait $daemon
status=$?
daemon=''
ok 'ktallyd ends well' test "$status" = 0
hung_once() {
	local counted
	counted=$(awk '/^ktally-hung;/ && /pipe_read/ { sum += $NF } END { printf "%.0f", sum }' "$work/out/offcpu.folded")
	echo "$counted ns of $hung"
	((counted > hung * 8 / 10 && counted < hung * 11 / 10))
}
ok 'and in the end the wait counts once' hung_once
finish
