#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs the kernel module's tests, inside a VM, as root:
#
#	scripts/vm --kernel K -- tests/kernel/run.sh MODULE_DIRECTORY [TEST...]
#
# MODULE_DIRECTORY has a ktally.ko for the running kernel. The tests' programs come from `make -f tests/kernel/build.mk`
# with the same BUILD. Prints TAP; exit status 0 if nothing failed. A test is ended after KTALLY_TEST_SECONDS (700).
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")

TESTS=(ioctl mapping reading stacks shares rate lost hotplug lifecycle deaths waits kept openwaits endurance threads gate borrowed rights quota charged cpus files remap openfile held filestorm vdso tables unwound space_of module nmi fuzz lockdown)

if (($# < 1)) || [[ ! -e $1/ktally.ko ]]; then
	echo "usage: $0 MODULE_DIRECTORY [TEST...]: there must be a ktally.ko in MODULE_DIRECTORY" >&2
	exit 2
fi
modules=$(readlink -f "$1")
shift
if (($#)); then TESTS=("$@"); fi
programs=$(readlink -f "${BUILD:-build}/tests/kernel")

# Modules come once from a slow file system, without what only a debugger reads.
mkdir -p /tmp/modules
(cd "$modules" && find . -name '*.ko' -exec cp --parents -t /tmp/modules {} +)
find /tmp/modules -name '*.ko' -exec strip --strip-debug {} +
export KTALLY_MODULES=/tmp/modules KTALLY_PROGRAMS=$programs

# One sum over all tests: the lines of each get its name, and one more says whether it left the kernel as it found it.
number=0
report() {
	number=$((number + 1))
	echo "$1 $number - $2"
}

flatten() {
	local test=$1 line
	while IFS= read -r line; do
		case $line in
		'ok '*'# SKIP'*) report ok "$test: # SKIP ${line#*# SKIP}" ;;
		'ok '* | 'not ok '*) report "${line%%ok *}ok" "$test: $(sed -E 's/^(not )?ok [0-9]+ (- )?(global\.)?//' <<<"$line")" ;;
		*) echo "# $line" ;;
		esac
	done
}

failed=()
echo "TAP version 13"
for test in "${TESTS[@]}"; do
	started=$SECONDS
	program=$programs/$test
	if [[ -e $here/$test.sh ]]; then program=$here/$test.sh; fi
	# Every test begins with a module that was just loaded, and ends with one that can be unloaded.
	if ! insmod /tmp/modules/ktally.ko; then
		report 'not ok' "$test: the module can be loaded"
		failed+=("$test")
		continue
	fi
	timeout "${KTALLY_TEST_SECONDS:-700}" "$program" >/tmp/output 2>&1
	status=$?
	flatten "$test" </tmp/output
	result=ok
	if [[ -d /sys/module/ktally ]] && ! rmmod ktally; then result='not ok'; fi
	if ((status != 0 && status != 4)); then result='not ok'; fi
	report "$result" "$test: ends well (status $status, $((SECONDS - started)) s)"
	if [[ $result != ok ]]; then failed+=("$test"); fi
done
echo "1..$number"
echo "# $(uname -r): ${#TESTS[@]} tests, ${#failed[@]} failed${failed[*]:+: ${failed[*]}}; $SECONDS s"
exit $((${#failed[@]} > 0))
