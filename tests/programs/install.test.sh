#!/bin/bash
# Installed as a package would: user space by make install, the module by Debian's dkms for the running kernel. Make runs before,
# where it takes seconds and not minutes as in an emulated machine, into build/test/root.
# shellcheck source=tests/programs/tap.sh
. "$(dirname "$0")/tap.sh"

ok 'what make installed is put in its place' cp -a build/test/root/. /
ldconfig
ok 'the installed ktally runs' /usr/bin/ktally --version
ok 'pkg-config knows libktally' pkg-config --exists libktally

consumer() {
	# shellcheck disable=SC2046 # several words are meant
	cc -o "$work/consumer" user/examples/consumer.c $(pkg-config --cflags --libs libktally)
}
ok 'a tool builds against the installed library' consumer

# Built by dkms beforehand, see dkms-archive.sh. Of the kernel's own modules none is needed here, and depmod would read them all.
version=$(sed -n 's/^#define KTALLY_VERSION "\(.*\)"/\1/p' kmod/version.h)
release=$(uname -r)
archive=build/test/dkms-$release.tar.gz
if ! command -v dkms >/dev/null || [[ ! -e $archive ]]; then
	skip 'dkms installs the module' "there is no dkms, or no $archive: tests/programs/dkms-archive.sh makes it"
else
	mount -t tmpfs none "/lib/modules/$release/kernel"
	ok 'dkms takes the archive' dkms ldtarball --archive="$archive"
	ok 'dkms installs the module' dkms install ktally/"$version" -k "$release"
	ok 'modinfo finds it' modinfo -F abi_version ktally
	rmmod ktally
	ok 'modprobe loads it' modprobe ktally
	rmmod ktally
	ok 'dkms removes it' dkms remove ktally/"$version" -k "$release"
	fails 1 'not found' 'and then it is gone' modprobe ktally
	umount "/lib/modules/$release/kernel"
	insmod "$KTALLY_MODULE/ktally.ko"
fi
finish
