#!/bin/bash
# Builds the module for configurations that no kernel of Debian's has, imitated from headers of 6.12: what another configuration
# makes of the kernel's headers and of the compiler's options. What only a kernel so configured exports is added to what this one
# does. Whether the module runs there, the kernels that scripts/vm boots tell. Prints TAP.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
# shellcheck source=tests/programs/tap.sh
. tests/programs/tap.sh
# shellcheck source=tests/headers/imitate.sh
. tests/headers/imitate.sh
trap 'cleanup; forget_imitations' EXIT

builds() { scripts/build-module --headers "$tree" --compiler "$1" "$work/$2" && [[ -s $work/$2/ktally.ko ]]; }

# calls SYMBOL CONFIGURATION: the module that was built so does refer to it, so the configuration had an effect.
calls() { nm "$work/$2/ktally.ko" | grep -q " $1"; }

# The code differs from that of the same compiler without: the members lie elsewhere.
randstruct_moves() { ! cmp -s "$work/randstruct/kmod/identity.o" "$work/cfi/kmod/identity.o" && grep -q randomize "$work/randstruct/kmod/.identity.o.cmd"; }

imitate 6.12 kcsan
configure CONFIG_KCSAN=y CONFIG_CONSTRUCTORS=y
mapfile -t symbols < <(printf '%s\n' __tsan_{init,func_entry,func_exit,atomic_signal_fence,atomic_thread_fence} \
	__tsan_{,unaligned_}{read,write,volatile_read,volatile_write,read_write}{1,2,4,8,16} __tsan_{read,write}_range \
	__kcsan_{check_access,mb,wmb,rmb,release} kcsan_{disable,enable}_current kcsan_nestable_atomic_{begin,end} \
	kcsan_{atomic_next,set_access_mask})
exports "${symbols[@]}"
ok 'KCSAN, by gcc' builds gcc kcsan
ok 'KCSAN looks at the module' calls __tsan_read8 kcsan

imitate 6.12 usercopy
configure CONFIG_HARDENED_USERCOPY=n CONFIG_FORTIFY_SOURCE=n
ok 'no hardened usercopy, no fortified strings' builds gcc usercopy

imitate 6.12 figures
configure CONFIG_SCHED_INFO=n CONFIG_SCHEDSTATS=n CONFIG_TASK_DELAY_ACCT=n
ok 'no figures of the scheduler' builds gcc figures
ok 'figures of the scheduler are not taken to be there' grep 'not KTALLY_HAVE_SCHED_INFO' "$work/figures/kmod/probed.h"

imitate 6.12 clang
ok 'clang' builds clang clang

newer=$(compgen -c clang- | grep -xE 'clang-[0-9]+' | sort -V | tail -n 1)
if ((${newer#clang-} >= 16)); then
	imitate 6.12 cfi
	configure CONFIG_CFI_CLANG=y
	ok "CFI, by $newer" builds "$newer" cfi
	ok 'CFI marks functions with their types' calls __cfi_ cfi

	imitate 6.12 randstruct
	configure CONFIG_RANDSTRUCT=y CONFIG_RANDSTRUCT_FULL=y CONFIG_RANDSTRUCT_NONE=n
	printf '%064d' 7 >"$tree/scripts/basic/randstruct.seed"
	ok "RANDSTRUCT, by $newer" builds "$newer" randstruct
	ok 'RANDSTRUCT moves what a task_struct holds' randstruct_moves
else
	skip 'CFI and RANDSTRUCT' 'there is no clang of 16 or newer'
fi

finish
