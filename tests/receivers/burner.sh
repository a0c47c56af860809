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

# nearly MS WANTED: within a quarter. Where it began and ended is not known better than to an interval, of which there are many.
nearly() { echo "$1 ms, where the kernel charged $2 ms"; (($1 * 4 > $2 * 3 && $1 * 4 < $2 * 5)); }

# answers FILTER CURL-ARGUMENTS...: jq's exit status of the filter on the answer; the answer is shown when the filter says no.
answers() {
	curl -sS --max-time 60 "${@:2}" >"$work/answer" && jq -er "$1" "$work/answer" && return
	cat "$work/answer"
	return 1
}
