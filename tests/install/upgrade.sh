#!/bin/bash
# An upgrade of the kernel ends well whatever becomes of the module: by apt, dkms and the kernels of a Debian release, in a tree of it.
#
# usage: tests/install/upgrade.sh bullseye|bookworm|trixie
#
# A module of one short file stands for ktally, so that a build takes seconds; everything around it is what is installed. That ktally
# itself is built by DKMS is seen in host.sh.
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
# shellcheck source=tests/install/tree.sh
. tests/install/tree.sh
in_own_namespace "$0" "$@"
# shellcheck source=tests/programs/tap.sh
. tests/programs/tap.sh
suite=${1:?usage: tests/install/upgrade.sh SUITE}
tree=$work/root

clean=$(clean_tree "$suite") || exit
trap 'drop_tree "$tree" && cleanup' EXIT
copy_tree "$clean" "$work" && mount_tree "$tree" || exit

# The two highest of the release, the older first.
mapfile -t releases < <(in_tree "$tree" apt-cache pkgnames linux-headers- |
	sed -nE 's/^linux-headers-([0-9]+\.[0-9]+\.[0-9].*[^t]-amd64)$/\1/p' | grep -vE -- '-(cloud|rt)-amd64$' |
	if [[ $suite == bullseye ]]; then grep '^5\.10'; else cat; fi | sort -V | tail -n 2)
old=${releases[0]} new=${releases[1]}

# put_sources VERSION RELEASE...: `make install-dkms`, of a module that does not build for these releases.
put_sources() {
	local version=$1 sources=$tree/usr/src/ktally-$1
	shift
	make --no-print-directory install-dkms DESTDIR="$tree" VERSION="$version" || return
	rm -r "$sources/kmod"
	cat >"$sources/Kbuild" <<-KBUILD
		obj-m := ktally.o
		ccflags-\$(if \$(filter $*,\$(KERNELRELEASE)),y) += -DUNKNOWN
	KBUILD
	cat >"$sources/ktally.c" <<-SOURCE
		#include <linux/module.h>
		#ifdef UNKNOWN
		#error this kernel is unknown
		#endif
		MODULE_LICENSE("GPL");
		MODULE_DESCRIPTION("stands for ktally");
		MODULE_VERSION("$version");
	SOURCE
}

module_of() { in_tree "$tree" modinfo -k "$1" -n ktally; }
has_module() { module_of "$1"; }
lacks_module() { ! module_of "$1"; }
verdict() { tail -n 1 "$tree/var/log/ktally/module-$1.log"; }
said() { verdict "$1" | grep -q "$2"; }

# upgrade RELEASE: as apt does it; nothing may be left half-done.
upgrade() {
	install_in "$tree" "linux-image-$1" "linux-headers-$1" &&
		[[ -z $(in_tree "$tree" dpkg --audit) ]]
}
# again RELEASE: the packages are configured once more.
again() {
	in_tree "$tree" sh -c "find /lib/modules -path '*/$1/*' -name 'ktally.ko*' -delete; depmod $1; rm -f /var/log/ktally/*" &&
		in_tree "$tree" apt-get install -y -qq --reinstall "linux-image-$1" "linux-headers-$1" &&
		[[ -z $(in_tree "$tree" dpkg --audit) ]]
}
build() { in_tree "$tree" ktally-module build "$@"; }

prepare() { install_in "$tree" dkms && without_initramfs "$tree"; }
ok "$suite: dkms is there" prepare
echo "# $(in_tree "$tree" dkms --version), $old, $new"
ok 'ktally is there' put_sources 1.0
ok "$old is installed" upgrade "$old"
ok 'its module is built' has_module "$old"
ok 'and its log says so' said "$old" ': installed$'

ok "a release of ktally that builds for neither kernel" put_sources 2.0 "$old" "$new"
ok "$new is installed, though the module does not build for it" upgrade "$new"
ok 'it has none' lacks_module "$new"
ok 'the log says that the build failed' said "$new" ': the build failed$'
ok 'and has what the compiler said' grep -q 'this kernel is unknown' "$tree/var/log/ktally/module-$new.log"
ok "$old has its module still" has_module "$old"
fails 1 "module-${new//[.+]/.}.log" 'building by hand fails, and names the log' build
ok "where the new release does not build $old keeps the old one" has_module "$old"
ok "ktally's hook ends with 0 by itself, too" in_tree "$tree" /etc/kernel/postinst.d/ktally "$new" "/boot/vmlinuz-$new"

ok 'one that builds for the newer only' put_sources 3.0 "$old"
fails 1 "${old//[.+]/.}: no module" 'of two kernels the older one fails' build
ok 'and the newer is built all the same' has_module "$new"

break_compiler() {
	# shellcheck disable=SC2016 # for the shell in there
	in_tree "$tree" sh -c 'for file in /usr/bin/*gcc*; do ! "$file" --version 2>&1 | grep -q "^gcc\|-gcc" || ln -sf false "$file"; done' &&
		! in_tree "$tree" gcc --version
}
ok 'a compiler that only fails' break_compiler
ok "with a broken compiler $new is installed" again "$new"
ok 'the log says so' said "$new" ': the build failed$'

sed -i 's/^BUILD_EXCLUSIVE_KERNEL=.*/BUILD_EXCLUSIVE_KERNEL="^4\\."/' "$tree/usr/src/ktally-3.0/dkms.conf"
ok "above the bound $new is installed" again "$new"
ok 'the log says so' said "$new" 'is not made for this kernel'

ok 'without headers the kernel stays installed' in_tree "$tree" apt-get purge -y -qq "linux-headers-$new"
ok 'and is installed again' in_tree "$tree" apt-get install -y -qq --reinstall "linux-image-$new"
ok 'the log says which package is missing' said "$new" "apt-get install linux-headers-$new"

rm "$tree/usr/sbin/dkms"
ok 'without dkms, too' in_tree "$tree" apt-get install -y -qq --reinstall "linux-image-$new"
ok 'the log says so' said "$new" 'apt-get install dkms'
rm "$tree/usr/sbin/ktally-module"
ok 'and when ktally is gone but for its hooks' in_tree "$tree" apt-get install -y -qq --reinstall "linux-image-$new"
ok 'kernels can be removed' in_tree "$tree" apt-get purge -y -qq "linux-image-$new" "linux-image-$old"
finish
