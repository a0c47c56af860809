#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Break kmod/ring.c in one place at a time and see the checker say so. What it does not notice, it does not check.
#
#	mutants.sh BUILD
#
# BUILD holds the objects of model and stress-tsan, as build.mk makes them; RING_MODEL_CC and RING_TSAN_CC compile for
# them. A mutant is a name, who must kill it and a sed script; one that changes nothing has been outrun by the code
# and fails.

set -u
build=$1
source=kmod/ring.c
count=0 failed=0

verdict() {
	count=$((count + 1))
	[ "$1" = ok ] || failed=$((failed + 1))
	echo "$1 $count $2"
}

# A mutant may leave a variable unused, that is no reason to spare it.
compiles() {
	rm -f "$build/mutant/test"
	case $1 in
	model) $RING_MODEL_CC -w -o "$build/mutant/test" "$build"/model/*.o "$build/mutant/ring.c" ;;
	tsan) $RING_TSAN_CC -w -o "$build/mutant/test" "$build"/stress-tsan/*.o "$build/mutant/ring.c" -lpthread ;;
	esac 2>"$build/mutant/log"
}

# Prints what was wrong. A model that ends by a signal or by the clock has not found anything; one that tells a
# schedule has.
model_kills() {
	timeout 300 "$build/mutant/test" >"$build/mutant/log" 2>&1
	[ $? -eq 1 ] && grep '^# wrong: ' "$build/mutant/log"
}

tsan_kills() {
	TSAN_OPTIONS="exitcode=66 halt_on_error=1" timeout 300 "$build/mutant/test" 10 >"$build/mutant/log" 2>&1
	[ $? -eq 66 ] && sed -n 's/^SUMMARY: /# wrong: /p' "$build/mutant/log" | grep race
}

mutant() {
	local name=$1 killer=$2 script=$3 why

	sed -E "$script" "$source" >"$build/mutant/ring.c" || exit 1
	if cmp -s "$source" "$build/mutant/ring.c"; then
		verdict "not ok" "$name: sed finds nothing to change, bring it in line with $source"
		return
	fi
	if ! compiles "$killer"; then
		sed 's/^/# /' "$build/mutant/log"
		verdict "not ok" "$name: does not compile, bring it in line with $source"
		return
	fi
	if why=$("${killer}_kills"); then
		echo "$why"
		verdict ok "$name: killed"
	else
		sed 's/^/# /' "$build/mutant/log" | tail -20
		verdict "not ok" "$name: survived the $killer"
	fi
}

mkdir -p "$build/mutant"
echo "TAP version 13"

# Publishing.
mutant "end does not look once more" model \
	's/while \(READ_ONCE\(ring->head\) != head\);/while (0);/'
mutant "a nested end publishes" model \
	's/READ_ONCE\(ring->nest\) > 1/READ_ONCE(ring->nest) > 2/'
mutant "a nested end does not lower nest" model \
	'/WRITE_ONCE\(ring->nest, READ_ONCE\(ring->nest\) - 1\);/d'
mutant "the outermost end does not clear nest" model \
	'/WRITE_ONCE\(ring->nest, 0\);/d'
mutant "nest is not raised when end looks once more" model \
	'/WRITE_ONCE\(ring->nest, 1\);/d'
mutant "nest is cleared before the head is published" model \
	'/WRITE_ONCE\(ring->nest, 0\);/d; /smp_store_release\(&ring->published/i WRITE_ONCE(ring->nest, 0);'
mutant "begin does not raise nest" model \
	's/READ_ONCE\(ring->nest\) \+ 1/READ_ONCE(ring->nest)/'
mutant "end publishes a head it read long ago" model \
	'/^void ktally_ring_end/,/^}/ { s/u64 head;/u64 head = READ_ONCE(ring->head);/; /^\t\thead = READ_ONCE/d
	s/while \(READ.*/while (0);/ }'
mutant "producer.head is not released" model \
	's/smp_store_release\(&ring->producer->head, head\)/WRITE_ONCE(ring->producer->head, head)/'
mutant "published is not released" model \
	's/smp_store_release\(&ring->published, head\)/WRITE_ONCE(ring->published, head)/'

# Reserving.
mutant "reserve does not look at published" model \
	's/ \|\| next - READ_ONCE\(ring->published\) > ring->bytes//'
mutant "reserve does not look at the tail" model \
	's/next - tail > ring->bytes \|\| //'
mutant "reserve stores the head instead of exchanging it" model \
	's/while \(cmpxchg_local\(&ring->head, head, next\) != head\);/while (0); WRITE_ONCE(ring->head, next);/'
mutant "reserve does not read the head again" model \
	'/^void \*ktally_ring_reserve/,/^}/ { s/\tdo \{/\thead = READ_ONCE(ring->head); do {/; /^\t\thead = READ_ONCE/d }'
mutant "reserve lets a record end beyond the tail" model \
	's/next - tail > ring->bytes/next - tail > ring->bytes + 8/'
mutant "reserve lets a record end beyond published" model \
	's/next - READ_ONCE\(ring->published\) > ring->bytes/next - READ_ONCE(ring->published) > ring->bytes + 784/'
mutant "reserve leaves the last bytes unused" model \
	's/next - tail > ring->bytes/next - tail >= ring->bytes/'

# Counting.
mutant "counters are stored instead of exchanged" model \
	's/while \(cmpxchg_local\(counter, old, old \+ value\) != old\);/while (0); WRITE_ONCE(*counter, old + value);/'
mutant "lose adds the count before the weight" model \
	'/add\(&ring->lost\[cause\]\.weight, weight\);/d
	/add\(&ring->lost\[cause\]\.count, count\);/a add(\&ring->lost[cause].weight, weight);'
mutant "announce reads the weight before the count" model \
	'/now\.weight = READ_ONCE/d; /now\.count = READ_ONCE/i now.weight = READ_ONCE(ring->lost[cause].weight);'
mutant "announce forgets what was lost meanwhile" model \
	's/\*announced = now;/*announced = ring->lost[cause];/'
mutant "announce counts as told what found no room" model \
	'/\*announced = now;/d; /lost = ktally_ring_reserve/i const struct ktally_loss before = *announced;\
	*announced = now;
	s/- announced->/- before./'
mutant "announce tells all losses each time" model \
	's/now\.count - announced->count/now.count/'
mutant "announce gives up where there is no room" model \
	's/^\t\t\tcontinue;\t.*/return false;/'
mutant "announce does not show losses" model \
	'/^bool ktally_ring_announce/,/^}/ { /show_losses/d }'

# What the model's writer cannot do: write to a place before it has seen the tail that frees it.
mutant "the tail is not acquired" tsan \
	's/tail = smp_load_acquire\(&ring->consumer->tail\);/tail = READ_ONCE(ring->consumer->tail);/'
mutant "neither head is released" tsan \
	's/smp_store_release\(&ring->(published|producer->head), head\)/WRITE_ONCE(ring->\1, head)/'

echo "1..$count"
[ $failed -eq 0 ]
