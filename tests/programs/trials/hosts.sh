#!/bin/bash
# Many programs at once: 500 processes of 100 files. What the daemon takes, and the module, with all unwind tables loaded.
# shellcheck source=tests/programs/tap.sh
. "$(dirname "$0")/../tap.sh"

files=100 processes=500
cleanup() {
	exec 3>&-
	[[ ${daemon:-} ]] && kill -9 "$daemon" 2>/dev/null
	wait
	rm -rf "$work"
}
trap cleanup EXIT
unset "${!OTEL_@}"

# Each has a build id of its own, so that neither tables nor symbols of one are those of another.
cat >"$work/copies.py" <<'END'
import sys
source, directory, count = sys.argv[1:]
data = open(source, "rb").read()
at = data.index(b"\4\0\0\0\x14\0\0\0\3\0\0\0GNU\0") + 16
for i in range(int(count)):
    with open(f"{directory}/program-{i}", "wb") as copy:
        copy.write(data[:at] + i.to_bytes(20, "big") + data[at + 20:])
END
copies() { python3 "$work/copies.py" "$(command -v bash)" "$work" "$files" && chmod 755 "$work"/program-*; }
ok "$files programs" copies

ktallyd --interval 1 --rate 997 --metrics-json "$work/metrics.json" 2>"$work/says" &
daemon=$!
ok 'the daemon samples' within 60 grep -q 'sampling .* CPUs' "$work/says"

# figure NAME: of the session, as the module has it.
figure() { grep -hs "^$1:" /proc/"$daemon"/fdinfo/* | cut -f 2 | head -n 1; }
resident() { awk -v name="$1:" '$1 == name { print $2 }' "/proc/$daemon/status"; }

# They compute for a while, and then wait until the pipe is closed.
mkfifo "$work/pipe"
start() {
	exec 3<>"$work/pipe"
	local i
	for ((i = 0; i < processes; i++)); do
		# shellcheck disable=SC2016 # the inner shell's
		"$work/program-$((i % files))" -c 'i=0; while ((i++ < 2000)); do :; done; read -r -u 3' 3<"$work/pipe" &
	done
}
start
loaded() { (($(figure tables) >= files)); }
ok 'the tables of all of them are loaded' within 120 loaded
ok "$processes processes are there" test "$(pgrep -c -f "^$work/program-")" = $processes
sleep 3
limit=$(($(</sys/module/ktally/parameters/tables_limit_mb) << 20))
echo "# $(figure tables) tables of $(figure tables_bytes) bytes, module $(figure module_bytes) bytes, $(figure files_known) files," \
	"$(figure spaces) address spaces; ktallyd $(resident VmRSS) kB resident, $(resident VmHWM) at most"
ok 'the module keeps to its limit' test "$(figure tables_bytes)" -lt $limit
ok 'the daemon is below 64 MB' test "$(resident VmHWM)" -lt 64000
kill -TERM "$daemon"
ok 'it ends well' wait "$daemon"
daemon=
sed 's/^/# /' "$work/says" | tail -n 2
finish
