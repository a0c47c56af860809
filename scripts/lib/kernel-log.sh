# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Judges the guest's kernel log: a kernel that complains makes a run a failure, whatever the command said.

# What a kernel prints when something is wrong with it, as extended regular expressions.
readonly -a KERNEL_LOG_BAD=(
	'BUG:' 'WARNING:' 'Oops' 'KASAN' 'UBSAN' 'KCSAN' 'KFENCE' 'DEBUG_LOCKS_WARN_ON'
	'possible recursive locking' 'possible circular locking' 'possible irq lock inversion'
	'inconsistent lock state' 'suspicious RCU usage' 'bad unlock balance' 'held lock freed'
	'INFO: rcu' 'INFO: task .* blocked' 'INFO: trying to register non-static key'
	'soft lockup' '[Hh]ard LOCKUP' 'unchecked MSR' 'scheduling while atomic' 'sleeping function called'
	'general protection' 'stack-out-of-bounds' 'refcount_t' 'list_(add|del) corruption' 'Kernel panic'
	'unable to handle' 'Voluntary context switch within RCU'
)

# Lines that match the above and mean nothing, each with the reason; keep it short, for every one of them hides something.
readonly -a KERNEL_LOG_INNOCENT=(
	# The clock for interrupts is read while it is being set, by a latch that is made for that.
	'KCSAN: data-race in ktime_get_(mono|boot)_fast_ns\+'
)

# kernel_log_text: turns records of /dev/kmsg into the form in which people know them.
kernel_log_text() {
	awk '/^ /{next}
		{ split($0, f, ","); i = index($0, ";")
		  printf "[%5d.%06d] %s\n", int(f[3] / 1000000), f[3] % 1000000, substr($0, i + 1) }'
}

# kernel_log_without_foreign_races: leaves out what the kcsan kernel reports of itself, races in which no part is the module's: 6.1 has many.
# What an interrupt came in between, below its entry in the stack, has no part in it.
kernel_log_without_foreign_races() {
	awk '/====================/ && !within { within = 1; held = $0 "\n"; race = own = 0; next }
		within {
			held = held $0 "\n"
			if (/BUG: KCSAN/) race = 1
			if (/(read|write) to|race at/) below = 0
			if (/\[ktally\]/ && !below) own = 1
			if (/ asm_(sysvec|exc|common_interrupt)/) below = 1
			if (!/====================/) next
			if (race && !own) foreign++; else printf "%s", held
			within = 0
			next
		}
		{ print }
		END { if (within) printf "%s", held; if (foreign) printf "%d reports of races of the kernel itself are left out\n", foreign }'
}

# kernel_log_is_clean FILE: prints what is wrong, each place with its surroundings.
kernel_log_is_clean() {
	local bad innocent numbers
	bad=$(IFS='|' && printf '%s' "${KERNEL_LOG_BAD[*]}")
	# An empty list matches nothing: no line begins after its end.
	innocent=$(IFS='|' && printf '%s' "${KERNEL_LOG_INNOCENT[*]:-\$.}")
	numbers=$(grep -nE -- "$bad" "$1" | grep -vE -- "^[0-9]+:.*($innocent)" | cut -d: -f1 | head -n 20) || true
	[[ $numbers ]] || return 0
	awk -v numbers="$numbers" '
		BEGIN { n = split(numbers, at, "\n") }
		{ for (i = 1; i <= n; i++)
			if (NR >= at[i] - 3 && NR <= at[i] + 30) {
				if (last && NR > last + 1) print "--"
				print; last = NR; break
			} }' "$1"
	return 1
}
