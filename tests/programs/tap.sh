# shellcheck shell=bash
# TAP for shell tests. A test is a command; what it printed is shown when it fails.

tap_failed=0
work=$(mktemp -d /tmp/ktally-test.XXXXXX) || exit
started=()
cleanup() {
	((${#started[@]})) && kill -9 "${started[@]}" 2>/dev/null
	# Nothing of what a test may have left mounted there.
	rm -rf --one-file-system "$work"
}
trap cleanup EXIT

# background COMMAND...: ended with the test; $last.
background() {
	"$@" &
	last=$!
	started+=("$last")
}

# within SECONDS COMMAND...: until it succeeds.
within() {
	local tries=$(($1 * 5))
	shift
	until "$@" >/dev/null 2>&1; do
		((tries--)) || return 1
		sleep 0.2
	done
}

# ok NAME COMMAND...: the command must succeed.
ok() {
	local name=$1
	shift
	if "$@" >"$work/output" 2>&1; then
		echo "ok - $name"
	else
		echo "not ok - $name (status $?)"
		tail -n 40 "$work/output" | sed 's/^/# /'
		tap_failed=1
	fi
}

# fails STATUS PATTERN NAME COMMAND...: the command must end with that status and say something like that.
fails() {
	local expected=$1 pattern=$2 name=$3 status=0
	shift 3
	"$@" >"$work/output" 2>&1 || status=$?
	if ((status == expected)) && grep -qiE -- "$pattern" "$work/output"; then
		echo "ok - $name"
	else
		echo "not ok - $name (status $status, expected $expected and a message like '$pattern')"
		tail -n 40 "$work/output" | sed 's/^/# /'
		tap_failed=1
	fi
}

skip() { echo "ok - $1 # SKIP $2"; }

finish() { exit "$tap_failed"; }
