#!/bin/bash
# What each capability buys ktallyd: each row of the table in ktallyd(8), by a daemon that has it and one that does not, as a user who has
# nothing else. And that a daemon of root keeps no other.
# shellcheck source=tests/programs/tap.sh
. "$(dirname "$0")/tap.sh"

program=$(command -v ktallyd)
cp "$program" "$work/ktallyd"
chmod 755 "$work" "$work/ktallyd"
mode=$(stat -c %a /dev/ktally)
chmod 666 /dev/ktally
former=$(</proc/sys/kernel/kptr_restrict)
echo 1 >/proc/sys/kernel/kptr_restrict

# Each spins in a function of its own; two of three files are not there for everybody.
functions='spin_(plain|hidden|deleted)'		# the kernel has others, _raw_spin_lock() among them
for victim in plain hidden deleted; do
	cat >"$work/$victim.c" <<END
#include <unistd.h>
static volatile unsigned long count;
__attribute__((noinline)) void spin_$victim(void) { for (int i = 0; i < 200000; i++) count += i; }
int main(void) { for (;;) { spin_$victim(); getppid(); } }
END
	gcc -O1 -o "$work/$victim" "$work/$victim.c" || exit 1
done
chmod 700 "$work/hidden"
for victim in plain hidden deleted; do
	OTEL_SERVICE_NAME=service-of-$victim background nice -n 19 "$work/$victim"
done
sleep 1
rm "$work/deleted"

# has CAPABILITY,...: makes $as what a command is run by as nobody with these.
has() {
	local names
	names=$(sed -E 's/[a-z_]+/cap_&/g' <<<"$1")
	as=(capsh --keep=1 ${names:+--inh="$names"} --gid=65534 --groups=65534 --uid=65534 ${names:+--addamb="$names"} -- -c 'exec "$@"' capsh)
}

# profile NAME CAPABILITIES: what a daemon with these names is in $work/NAME: folded stacks, and its metrics.
profile() {
	has "$2"
	mkdir -m 777 "$work/$1"
	"${as[@]}" "$work/ktallyd" --control none --interval 1 --rate 199 --out "$work/$1/out" 2>"$work/$1/says" &
	daemon=$!
	started+=("$daemon")
	within 60 grep -q 'sampling .* CPUs' "$work/$1/says" || return 1
	sleep 8
	kill -TERM "$daemon"
	wait "$daemon"
	cat "$work/$1/says"
	cat "$work/$1/out/oncpu.folded"
}

names() { grep -qE -- "$2" "$work/$1/out/oncpu.folded"; }
names_not() { test -s "$work/$1/out/oncpu.folded" && ! grep -E -- "$2" "$work/$1/out/oncpu.folded"; }
says() { grep -qE -- "$2" "$work/$1/says"; }
knows_service() { grep -q "service-of-$2" "$work/$1/out/metrics.json"; }
knows_not() { ! knows_service "$@"; }

has ''
fails 77 'CAP_PERFMON' 'without CAP_PERFMON it does not start' "${as[@]}" "$work/ktallyd" --control none

ok 'with CAP_PERFMON alone it runs' profile perfmon perfmon
ok 'counts other users programs' names perfmon '^plain;'
for lacking in SYSLOG SYS_PTRACE DAC_READ_SEARCH CHECKPOINT_RESTORE; do
	ok "and says what it lacks without CAP_$lacking" says perfmon "without CAP_$lacking"
done
ok 'once' test "$(grep -c 'without CAP_SYSLOG' "$work/perfmon/says")" = 1
ok 'the kernel has no names' names_not perfmon 'sys_getppid.*_\[k\]'
ok 'nor have their functions' names_not perfmon "$functions"
ok 'nor are their services known' knows_not perfmon plain

ok 'with CAP_SYSLOG too' profile syslog perfmon,syslog
ok 'the kernel has names' names syslog 'sys_getppid.*_\[k\]'
ok 'functions have none' names_not syslog "$functions"

ok 'with CAP_SYS_PTRACE too' profile ptrace perfmon,sys_ptrace
ok 'functions have names' names ptrace 'spin_plain'
ok 'stacks are whole' names ptrace '^plain;_start;.*main;spin_plain'
ok 'services are not known by an environment that only its user may read' knows_not ptrace plain
ok 'files that may not be read have none' names_not ptrace 'spin_hidden'
ok 'deleted files have them, by the module' names ptrace 'spin_deleted'
ok 'and the kernel has none' names_not ptrace 'sys_getppid.*_\[k\]'

ok 'with CAP_DAC_READ_SEARCH too' profile dac perfmon,sys_ptrace,dac_read_search
ok 'files that may not be read have names' names dac 'spin_hidden'
ok 'services are known' knows_service dac plain

ok 'with all five' profile all perfmon,syslog,sys_ptrace,dac_read_search,checkpoint_restore
ok 'nothing is lacking' bash -c "! grep -q 'without CAP_' '$work/all/says'"
ok 'everything has names' names all 'spin_hidden'

# ---- what a daemon of root keeps

field() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
background ktallyd --control none --json-lines "$work/lines" 2>"$work/says"
daemon=$last
ok 'one of root starts' within 60 grep -q 'sampling .* CPUs' "$work/says"
for task in /proc/"$daemon"/task/*; do
	task=${task#/proc/}
	ok "$task keeps five capabilities" test "$(field "$task" CapEff)$(field "$task" CapPrm)" = 00000144000800040000014400080004
	ok "$task gets no others by exec" test "$(field "$task" CapBnd)" = 0000014400080004
	ok "$task is confined" test "$(field "$task" Seccomp)$(field "$task" NoNewPrivs)" = 21
done
opener=$(pgrep -P "$daemon")
ok 'its opener keeps one' test "$(field "$opener" CapEff)" = 0000004000000000
ok 'and is confined' test "$(field "$opener" Seccomp)$(field "$opener" NoNewPrivs)" = 21
kill -TERM "$daemon"
wait "$daemon"
ok 'and goes with it' bash -c "! kill -0 $opener"

echo "$former" >/proc/sys/kernel/kptr_restrict
chmod "$mode" /dev/ktally
finish
