#!/bin/bash
# What kmod/probes.c finds in headers that are like no release's, and that it is not fooled where it cannot ask. Prints TAP.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
# shellcheck source=tests/programs/tap.sh
. tests/programs/tap.sh
# shellcheck source=tests/headers/imitate.sh
. tests/headers/imitate.sh
trap 'cleanup; forget_imitations' EXIT

compiler=gcc
if command -v gcc-12 >/dev/null; then compiler=gcc-12; fi

# fresh NAME: the module's sources alone, in $module.
fresh() {
	module=$work/$1
	mkdir "$module"
	cp Kbuild "$module/"
	cp -r kmod "$module/"
	rm -f "$module/kmod/probed.h"
}

# compile OBJECT...: these objects of $module with the headers of $tree: the probes, and no more than is asked about.
compile() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -C "$tree" M="$module" CC="$compiler" KCFLAGS='-Werror -Wno-attributes -g0' \
		"${@/#/kmod/}"
}

# has NAME... and lacks NAME...: by the answers of the last build.
has() {
	local name
	for name; do grep -qx "#define KTALLY_HAVE_$name 1" "$module/kmod/probed.h" || return 1; done
}
lacks() {
	local name
	for name; do grep -q "^/\* not KTALLY_HAVE_$name: " "$module/kmod/probed.h" || return 1; done
}

# broken_at PROBE: the build names it, says why, and leaves no answers.
broken_at() {
	local said
	if said=$(compile gate.o 2>&1); then return 1; fi
	grep "probe $1 of the kernel's headers is broken" <<<"$said" && [[ ! -e $module/kmod/probed.h ]]
}

# ------------------------------------------------------------------------------------------------ versions that lie

imitate 6.12 says-5.14
says 5 14 0
ok 'headers of 6.12 that say 5.14: the module builds' scripts/build-module --headers "$tree" "$work/says-5.14"
ok 'headers of 6.12 that say 5.14: it is built for what they have' \
	cmp "$work/says-5.14/kmod/probed.h" "$(scripts/build-module --kernel 6.12)/kmod/probed.h"

imitate 5.10 says-6.12
says 6 12 117
ok 'headers of 5.10 that say 6.12: the module builds' scripts/build-module --headers "$tree" "$work/says-6.12"
ok 'headers of 5.10 that say 6.12: it is built for what they have' \
	cmp "$work/says-6.12/kmod/probed.h" "$(scripts/build-module --kernel 5.10)/kmod/probed.h"

says 5 9 255
fresh too-old
fails 2 'ktally needs Linux 5.10 or newer' 'headers that say 5.9 are refused' compile gate.o

# ------------------------------------------------------------------------------------------------ changes moved about

imitate 6.12 attributes
fresh attributes
ok 'perf_allow_kernel() without attributes' compile gate.o
ok 'perf_allow_kernel() without attributes is seen' has PERF_ALLOW_KERNEL
ok 'a second build asks nothing again' eval "! compile gate.o | grep PROBE"
replace "$common/include/linux/perf_event.h" 'int perf_allow_kernel\(void\)' 'int perf_allow_kernel(struct perf_event_attr *attr)'
ok 'perf_allow_kernel() with attributes, as in 6.12.107, in headers changed under a module' compile gate.o
ok 'perf_allow_kernel() with attributes is seen' has PERF_ALLOW_KERNEL_ATTR
ok 'and not taken for that without' lacks PERF_ALLOW_KERNEL
replace "$common/include/linux/perf_event.h" 'int perf_allow_kernel\([^)]*\)' 'int perf_allow_kernel(int a, int b)'
ok 'perf_allow_kernel() with arguments of which nobody knows: not called' compile gate.o
ok 'perf_allow_kernel() with arguments of which nobody knows is not taken for another' lacks PERF_ALLOW_KERNEL PERF_ALLOW_KERNEL_ATTR

imitate 6.12 unexported
fresh unexported
replace "$tree/Module.symvers" '\n[^\n]*\tperf_allow_kernel\t[^\n]*' ''
ok 'perf_allow_kernel() that is not exported: not called' compile gate.o
ok 'perf_allow_kernel() that is not exported is not there' lacks PERF_ALLOW_KERNEL

imitate 6.12 tracepoints
fresh tracepoints
replace "$common/include/trace/events/sched.h" \
	'DEFINE_EVENT\(sched_process_template, sched_process_exit,\s*TP_PROTO\(struct task_struct \*p\),\s*TP_ARGS\(p\)\)' \
	'DECLARE_TRACE(sched_process_exit, TP_PROTO(struct task_struct *p, bool group_dead), TP_ARGS(p, group_dead))'
ok 'sched_process_exit with two arguments in 6.12' compile lifecycle.o
ok 'sched_process_exit with two arguments is seen' has EXIT_GROUP_DEAD
replace "$common/include/trace/events/sched.h" 'struct task_struct \*next,\s*unsigned int prev_state\)' 'struct task_struct *next)'
replace "$common/include/trace/events/sched.h" 'TP_ARGS\(preempt, prev, next, prev_state\)' 'TP_ARGS(preempt, prev, next)'
sed -i 's/prev_state, prev)/0, prev)/' "$common/include/trace/events/sched.h"
ok 'sched_switch without a state in 6.12' compile offcpu.o
ok 'sched_switch without a state is seen' lacks SWITCH_STATE

# Probes are attached by name, through a void pointer: what nobody knows must break the build, or it breaks the host.
replace "$common/include/trace/events/sched.h" 'TP_PROTO\(bool preempt,(\s*)struct' 'TP_PROTO(bool preempt, unsigned int state,\1struct'
replace "$common/include/trace/events/sched.h" 'TP_ARGS\(preempt, prev, next\)' 'TP_ARGS(preempt, state, prev, next)'
fails 2 'offcpu.c.*error' 'sched_switch with a state in another place ends the build' compile offcpu.o

# ------------------------------------------------------------------------------------------------ what cannot be asked

imitate 6.12 broken
compiler=$work/cc
real=$(command -v gcc-12 || command -v gcc)

# cc_that CONDITION ACTION: a compiler that does that where its arguments look so.
cc_that() {
	printf '#!/bin/sh\ncase "$*" in %s) %s ;; esac\nexec %s "$@"\n' "$1" "$2" "$real" >"$work/cc"
	chmod +x "$work/cc"
}

fresh killed
cc_that '*PROBE_VM_FLAGS_MOD*-c*' 'kill -9 $$'
ok 'a compiler that is killed at a probe ends the build' broken_at VM_FLAGS_MOD
cc_that '*PROBE_*' 'echo "cc: internal compiler error" >&2; exit 4'
ok 'a compiler that fails at every probe ends the build' broken_at CONTROL_HOLDS
cc_that '*PROBE_*' 'echo "cc: error: unrecognized command-line option" >&2; exit 1'
ok 'a compiler that does not know an option ends the build' broken_at CONTROL_HOLDS
cc_that '*PROBE_CONTROL_IS_REFUSED*-c*' "shift \$((\$# - 1)); for last; do :; done; echo 'int x;' | $real -xc -c -o /dev/null -; exit 0"
ok 'a compiler that takes anything ends the build' broken_at CONTROL_IS_REFUSED

compiler=$real
fresh header
echo '#error "half of a header"' | append "$common/include/linux/fs.h"
ok 'a header that is broken ends the build' broken_at '[A-Z_]*'
imitate 6.12 no-symvers
fresh no-symvers
rm "$tree/Module.symvers"
ok 'a kernel that does not say what it exports ends the build' broken_at CONTROL_HOLDS

# ------------------------------------------------------------------------------------------------ symbols

# A copy of the whole project, for build-module builds its own sources.
made_up() {
	local copy=$work/made-up-$1
	mkdir -p "$copy/scripts"
	cp -r Kbuild kmod "$copy/"
	cp -r scripts/. "$copy/scripts/"
	printf 'int ktally_made_up(void);\nint ktally_calls_it(void);\nint ktally_calls_it(void)\n{\n\treturn ktally_made_up();\n}\n' \
		>>"$copy/kmod/main.c"
	"$copy/scripts/build-module" --kernel "$1" "$copy/out"
}
fails 1 'ktally_made_up.*undefined' 'a symbol that 5.10 does not export ends the build' made_up 5.10
fails 1 'ktally_made_up.*undefined' 'a symbol that newest does not export ends the build' made_up newest

finish
