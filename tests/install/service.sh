#!/bin/bash
# The service under systemd, with the module and without, in a virtual machine with a Debian of its own: started by host.sh, which has
# installed it there as doc/install.md says.
# shellcheck source=tests/programs/tap.sh
. "$(dirname "$0")/../programs/tap.sh"
# shellcheck source=tests/install/steps.sh
. "$(dirname "$0")/steps.sh"
release=$(uname -r)
log=/var/log/ktally/module-$release.log

property() { systemctl show --value -p "$2" "$1"; }
is() { [[ $(property "$1" "$2") == "$3" ]] || { property "$1" "$2" && false; }; }
is_active() { systemctl is-active --quiet ktallyd; }
said() { journalctl -b -u ktallyd -o cat | grep -qF "$1"; }

# Not by depmod, which reads every module of the kernel: minutes, in an emulated machine.
index=/lib/modules/$release/modules.dep
hide_module() {
	module=$(modinfo -n ktally) && modprobe -r ktally && mv "$module" /root/ && sed -i.whole '/ktally\.ko/d' "$index" &&
		# Nothing that could build it again.
		mv /usr/sbin/dkms /usr/sbin/dkms.away
}
show_module() { mv "/root/${module##*/}" "$module" && mv "$index.whole" "$index" && mv /usr/sbin/dkms.away /usr/sbin/dkms; }

# As this host was booted: enabled, with the module.
ok 'the module was loaded at boot' test -d /sys/module/ktally
ok 'by the service for it' is ktally-module Result success
ok 'ktallyd runs' within 60 is_active
ok 'by a user of its own' test "$(ps -o user= -p "$(property ktallyd MainPID)")" = ktally
ok 'the device belongs to its group' test "$(stat -c '%G %a' /dev/ktally)" = 'ktally 660'
ok 'nothing failed on this host' test -z "$(systemctl --failed --no-legend)"
ok 'ktally check has no complaint' ktally check
background setpriv --reuid nobody bash -c 'while :; do : >/dev/null; done'
ok 'a profile can be taken of it' ktally profile --for 3s -o "$work/profile.folded"
{ kill -9 "$last" && wait "$last"; } 2>/dev/null
ok 'which has processes of other users, whole' grep -q '^bash;.*execute_command' "$work/profile.folded"
ok 'and functions of the kernel by name' grep -q '^bash;.*do_syscall_64' "$work/profile.folded"
fails 1 'in use' 'while it runs the module stays' rmmod ktally

# Switched off, and on again.
switch_off() {
	echo Y >/sys/module/ktally/parameters/disabled
	systemctl restart ktallyd
	within 20 is ktallyd ExecMainStatus 75
}
ok 'where the module is switched off it ends with 75' switch_off
ok 'which systemd calls TEMPFAIL' within 20 said 'status=75/TEMPFAIL'
echo N >/sys/module/ktally/parameters/disabled
ok 'and it comes back by itself' within 60 is_active

# Options that it does not know.
echo 'KTALLYD_OPTIONS=--no-such-option' >/etc/default/ktallyd
systemctl restart ktallyd 2>/dev/null
ok 'options that it does not know are no reason to try again' within 20 is ktallyd ActiveState failed
ok 'systemd calls that INVALIDARGUMENT' within 20 said 'status=2/INVALIDARGUMENT'
rm /etc/default/ktallyd

# Without the module.
systemctl stop ktallyd
ok 'the module can be unloaded' hide_module
fails 1 'ktallyd' 'without the module it does not start' systemctl start ktallyd
ok 'that ends with 69' is ktallyd ExecMainStatus 69
ok 'which systemd calls UNAVAILABLE' within 20 said 'status=69/UNAVAILABLE'
ok 'the cause is in the journal' within 20 said 'the kernel module is not loaded'
sleep 15
ok 'it is not tried again and again' is ktallyd NRestarts 0
ok 'and is seen to have failed' is ktallyd ActiveState failed
ok 'the service of the module is no failure' is ktally-module Result success
fails 69 'dkms is not installed: apt-get install dkms' 'ktally check says why' ktally check
ok 'as the log does' grep -qx 'ktally-module: dkms is not installed: apt-get install dkms' "$log"

# It arrives.
ok 'the module is back' show_module
ok 'it is loaded' modprobe ktally
ok 'and ktallyd starts by itself' within 60 is_active

# Installed once more, while the host runs.
install_again() {
	systemctl stop ktallyd && userdel ktally && sed -i 's/^Description=.*/Description=of old/' "$(property ktallyd FragmentPath)" &&
		systemctl daemon-reload && make -C /root/ktally install
}
ok 'make install on a running host' install_again
ok 'makes the user' id ktally
ok 'and systemd has read the unit' is ktallyd Description 'ktally continuous profiler'
ok 'which starts' systemctl start ktallyd

# What an upgrade ends with: a parameter that was changed is as it is at first.
parameter=/sys/module/ktally/parameters/memory_limit_mb
echo 100 >$parameter
ok 'the steps of an upgrade load the module anew' bash -exc "$(steps 'When ktally is upgraded' | grep -E '^(systemctl|modprobe) ')"
ok 'as it is at first' test "$(cat $parameter)" = 256
ok 'and ktallyd runs' within 60 is_active
finish
