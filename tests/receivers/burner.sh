# shellcheck shell=bash
# What tests of ktallyd and real servers have in common: a program whose CPU time they must be told, and what runs beside them.
# shellcheck source=tests/programs/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../programs/tap.sh"

unset "${!OTEL_@}"

says() { grep -qE -- "$2" "$work/$1.log"; }
says_not() { ! grep -iE -- "$2" "$work/$1.log"; }

# stop NAME PROCESS: SIGTERM, and all must have been well; what it said is shown if it was not.
stop() {
	local status=0
	kill -TERM "$2"
	wait "$2" || status=$?
	cat "$work/$1.log"
	((status == 0))
}

# A program to be recognised by; what the kernel charged it is what the servers must have been told, in ms.
cp "$(command -v dash)" "$work/burner"
background nice -n 19 "$work/burner" -c 'while :; do :; done'
burner=$last
charged() { awk -v hertz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%d", ($12 + $13) * 1000 / hertz }' "/proc/$burner/stat"; }

# mark WHEN: what it was charged by then: before a daemon is started, when it samples, before it is stopped, when it has ended.
declare -A marks
mark() { marks[$1]=$(charged); }

# as_charged MS: no less than from when it sampled to when it was stopped, no more than while it was there, each by up to a quarter.
as_charged() {
	local least=$((marks[stopped] - marks[samples])) most=$((marks[ended] - marks[started]))
	echo "$1 ms, where the kernel charged $least to $most ms"
	(($1 * 4 > least * 3 && $1 * 4 < most * 5))
}

# answers FILTER CURL-ARGUMENTS...: jq's exit status of the filter on the answer; the answer is shown when the filter says no.
answers() {
	curl -sS --max-time 60 "${@:2}" >"$work/answer" && jq -er "$1" "$work/answer" && return
	cat "$work/answer"
	return 1
}
