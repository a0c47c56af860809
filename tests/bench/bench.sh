# shellcheck shell=bash
# What the benchmarks here have in common; they source it. Each runs inside a virtual machine whose clock counts instructions, so that
# the nanoseconds that a program takes are the instructions that the whole machine executed meanwhile:
#
#	scripts/vm --kernel 6.1 --icount --memory 3072 -- tests/bench/NAME.sh MODULE_DIRECTORY
#
# Sets $module, the directory of ktally.ko, which is loaded, and $work, for files, which goes at the end.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
module=${1:?usage: $0 MODULE_DIRECTORY}
work=$(mktemp -d)
trap 'rm -rf "$work"; rmmod ktally 2>/dev/null || true' EXIT

# compile NAME [COMPILER-OPTIONS]: a program of this directory, to $work/NAME.
compile() { cc -O2 -Ikmod/uapi -Iuser/lib "${@:2}" -o "$work/$1" "tests/bench/$1.c" build/libktally.a; }

# twice COMMAND...: the first time all is read for the first time and takes longer. What counts is the second.
twice() {
	"$@"
	"$@"
}

compile hold
echo -1 >/proc/sys/kernel/perf_event_paranoid
insmod "$module/ktally.ko"
