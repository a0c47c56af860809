#!/bin/bash
# What doc/install.md says is done in a clean tree of a Debian release, and then that tree is booted: see service.sh.
#
# usage: tests/install/host.sh bookworm|trixie
#
# Packages, programs and module are made in the tree before it is booted, where compiling is not emulated.
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
# shellcheck source=tests/install/tree.sh
. tests/install/tree.sh
in_own_namespace "$0" "$@"
# shellcheck source=tests/install/steps.sh
. tests/install/steps.sh
# shellcheck source=tests/programs/tap.sh
. tests/programs/tap.sh
suite=${1:?usage: tests/install/host.sh SUITE}

# A host: it boots.
make_host() {
	local clean
	clean=$(clean_tree "$suite") && copy_tree "$clean" "$work/host" && mount_tree "$work/host/root" &&
		without_initramfs "$work/host/root" &&
		install_in "$work/host/root" linux-image-amd64 systemd-sysv udev dbus kmod procps &&
		umount_tree "$work/host/root"
}

tree=$work/host/root
source=$tree/root/ktally
trap 'drop_tree "$tree" && cleanup' EXIT
ok "$suite: a host" make_host
((tap_failed == 0)) || finish
mount_tree "$tree" || exit
mkdir "$source" || exit
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$source" 2>/dev/null

release=$(cd "$tree/usr/lib/modules" && echo *)
main=$tree/usr/src/ktally-$(sed -n 's/^#define KTALLY_VERSION "\(.*\)"/\1/p' kmod/version.h)/kmod/main.c
break_module() { cp -p "$main" "$work/main.c" && echo '#error no such kernel' >>"$main"; }
mend_module() { cp -p "$work/main.c" "$main"; }
reinstall_headers() {
	in_tree "$tree" apt-get install -y -qq --reinstall "linux-headers-$release" && [[ -z $(in_tree "$tree" dpkg --audit) ]]
}
in_source() { in_tree "$tree" sh -exc "cd /root/ktally; $1"; }
before=$(in_tree "$tree" dpkg-query -f . -W | wc -c)
ok 'its packages are installed' in_source "$(steps Packages)"
echo "# $(($(in_tree "$tree" dpkg-query -f . -W | wc -c) - before)) packages"
ok 'the programs are built' in_source "$(steps Build)"
ok 'all is installed' in_source "$(steps Install | sed 's/ --now//')"
break_module
ok 'where the module does not build apt ends well' reinstall_headers
ok 'the log says so' grep -qx 'ktally-module: the build failed' "$tree/var/log/ktally/module-$release.log"
ok 'the module that was there stays' in_tree "$tree" modinfo -k "$release" ktally
mend_module
# What a running system is told of it is seen there.
ok 'an upgrade of ktally builds the module anew' in_source "$(steps 'When ktally is upgraded' | grep -vE '^(systemctl|modprobe) ')"
ok 'which the log says' grep -qx 'ktally-module: installed' "$tree/var/log/ktally/module-$release.log"
umount_tree "$tree"
scripts/vm --tree "$tree" --memory 3072 --timeout 1800 -- tests/install/service.sh || tap_failed=1

# Here there is no module to unload.
nothing_is_left() {
	local left
	left=$(find "$tree" -xdev -path "$source" -prune -o -name '*ktally*' -print)
	[[ ! $left ]] || { echo "$left" && false; }
}
mount_tree "$tree"
ok 'it is removed' in_source "$(steps Remove | sed 's/ --now//; /^modprobe /d')"
ok 'and has left nothing' nothing_is_left
finish
