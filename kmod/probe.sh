#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Compiles each probe of probes.c and writes the answers as a header for compat.h. Kbuild calls it before anything else is built.
#
# usage: probe.sh PROBES.c ANSWERS.h DEPFILE MODULE.SYMVERS NM COMPILER FLAGS...
#
# A probe holds if it compiles and all that it refers to is exported to modules. It does not hold if the compiler says so of the
# probe's own lines. Anything else (no compiler, flags that it does not know, a header that is broken, no memory) is no answer: the
# build ends here and names the probe, for a "no" in its place would build a module for another kernel.
set -u
export LC_ALL=C

probes=$1 answers=$2 depfile=$3 symvers=$4 nm=$5
shift 5

work=$(mktemp -d "$answers.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

broken() {
	echo "ktally: probe $1 of the kernel's headers is broken: $2" >&2
	echo "ktally: this is no answer to what the kernel has. The compiler: ${compiler}" >&2
	[ ! -s "$work/$1.log" ] || sed -n '1,20s/^/    /p' "$work/$1.log" >&2
	exit 1
}

# The module's flags, but that only errors are errors: whether a warning is one is not what is asked.
ask() {
	"$@" -Wno-error -Wno-missing-prototypes -Wno-missing-declarations -Werror=implicit-function-declaration \
		-fdiagnostics-color=never
}

compile() {
	name=$1
	shift
	ask "$@" "-DPROBE_$name" -c -o "$work/$name.o" "$probes" 2>"$work/$name.log"
	echo $? >"$work/$name.status"
}

# judge NAME: `reason` says why it does not hold, or is empty.
judge() {
	reason=''
	if [ "$(cat "$work/$1.status")" -eq 0 ]; then
		"$nm" -u "$work/$1.o" >"$work/$1.symbols" 2>"$work/$1.log" || broken "$1" "$nm cannot read the object"
		unexported=$(awk 'NR == FNR { exported[$2]; next } $1 == "U" && !($2 in exported) { print $2 }' \
			"$symvers" "$work/$1.symbols") || broken "$1" "cannot read $symvers"
		[ -z "$unexported" ] || reason="not exported: $(echo "$unexported" | tr '\n' ' ' | sed 's/ $//')"
	else
		reason=$(sed -n "s|^$probes:[0-9:]* \(fatal \)\{0,1\}error: ||p" "$work/$1.log" | sed 's|\*/|* /|g;q')
		[ "$reason" ] || broken "$1" 'the compiler fails, and not because of what is asked'
	fi
}

compiler=$1
names=$(sed -n 's/^#ifdef PROBE_//p' "$probes")
# Without it nothing can be said of what is exported, nor would the module find the symbols that it needs.
[ -s "$symvers" ] || broken CONTROL_HOLDS "$symvers is missing or empty"

# A few at a time: seconds in all, and no flood of compilers on a machine that has other things to do.
running=0
for name in $names; do
	compile "$name" "$@" &
	running=$((running + 1))
	[ $((running % 4)) -ne 0 ] || wait
done
wait

judge CONTROL_HOLDS
[ -z "$reason" ] || broken CONTROL_HOLDS "it must hold on every kernel ($reason)"
judge CONTROL_IS_REFUSED
[ "$reason" ] || broken CONTROL_IS_REFUSED 'the compiler takes what is wrong'
judge CONTROL_IS_NOT_EXPORTED
[ "$reason" = 'not exported: ktally_exported_by_no_kernel' ] ||
	broken CONTROL_IS_NOT_EXPORTED "what no kernel exports must be missed, and nothing else ($reason)"

{
	echo '/* What this kernel has, written by probe.sh: see probes.c. */'
	for name in $names; do
		case $name in
		CONTROL_*) continue ;;
		esac
		judge "$name"
		if [ -z "$reason" ]; then
			echo "#define KTALLY_HAVE_$name 1"
		else
			echo "/* not KTALLY_HAVE_$name: $reason */"
		fi
	done
} >"$work/answers" || exit 1

# For kbuild, every header that was looked at: a change of any asks again. One that is not there yet comes with a change of others.
defines=''
for name in $names; do defines="$defines -DPROBE_$name"; done
# shellcheck disable=SC2086 # a list of words
ask "$@" $defines -M -MG "$probes" >"$work/headers" 2>"$work/DEPENDENCIES.log" || broken DEPENDENCIES 'the compiler does not list headers'
{
	printf '%s:' "$answers"
	sed 's/^[^:]*://;s/\\$//' "$work/headers" | tr -s ' ' '\n' | sort -u | while read -r header; do
		[ ! -f "$header" ] || printf ' %s' "$header"
	done
	printf ' %s\n' "$symvers"
} >"$depfile" || exit 1
mv "$work/answers" "$answers"
