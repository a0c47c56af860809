# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# The long suites of the module, for scripts/test: each on kernels, with CPUs and with options of the command line that the ordinary run
# does not have. What each showed, and when, is in doc/proof.md.

# shellcheck disable=SC2034 # scripts/test uses it
readonly PROOF_SUITES='bounds rt kcsan strict fault unpatched many-cpus hostile beside cycles'

# What a kernel can make a difference to.
readonly PROOF_TESTS='ioctl mapping reading stacks hotplug lifecycle waits openwaits gate files remap openfile vdso tables unwound space_of module nmi fuzz'

# on KERNEL [VM-OPTION...] -- TEST...: kernel tests on that kernel.
on() {
	local kernel=$1 options=() module
	shift
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	echo "# on $kernel ${options[*]}"
	module=$(scripts/build-module --kernel "$kernel" --tests) || return
	scripts/vm --kernel "$kernel" --timeout 3600 "${options[@]}" -- tests/kernel/run.sh "$module" "$@"
}

# shellcheck disable=SC2086 # PROOF_TESTS is a list of words
proof_suite() {
	local status=0 cpus kernel
	export KTALLY_TEST_SECONDS=2400
	case $1 in
	# For how long interrupts are off at most, by a clock that counts instructions.
	bounds) for kernel in 5.10 6.1 6.12 newest; do KTALLY_COUNTED=1 on "$kernel" --icount -- filestorm || status=1; done ;;
	rt) on rt -- $PROOF_TESTS || status=1 ;;
	kcsan) on kcsan --append 'loglevel=1' -- $PROOF_TESTS || status=1 ;;
	strict)
		on strict --append 'preempt=full' -- $PROOF_TESTS || status=1
		on strict --append 'preempt=none' -- waits openwaits hotplug lifecycle files fuzz || status=1
		;;
	# The log has a trace of each failure, and the last of them are looked for there.
	fault) on debug --append log_buf_len=16M -- fault || status=1 ;;
	# The tracepoints are patched by the module alone, with several CPUs: see scripts/lib/guest-init.
	unpatched) on debug --thread single -- stacks hotplug lifecycle waits openwaits module || status=1 ;;
	many-cpus)
		for cpus in 1 8 16; do on 6.12 --smp "$cpus" --memory 4096 -- many_cpus lifecycle waits openwaits || status=1; done
		on 6.12 --thread single --smp 64 --memory 6144 -- many_cpus || status=1
		;;
	hostile)
		on 6.12 -- hostile crowds tenants || status=1
		KTALLY_HOSTILE_SECONDS=10 on debug --memory 3072 -- hostile crowds || status=1
		;;
	beside) on 6.12 --memory 3072 -- beside || status=1 ;;
	cycles)
		on 6.12 -- cycles || status=1
		KTALLY_CYCLES=200 on strict -- cycles || status=1
		;;
	esac
	return $status
}
