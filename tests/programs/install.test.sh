#!/bin/bash
# Installed as a package would: user space by make install, the module by Debian's dkms for the running kernel.
# shellcheck source=tests/programs/tap.sh
. "$(dirname "$0")/tap.sh"

ok 'make install-dkms' make --no-print-directory install-dkms
ok 'make install' make --no-print-directory install
ldconfig
ok 'the installed ktally runs' /usr/bin/ktally --version
ok 'pkg-config knows libktally' pkg-config --exists libktally

consumer() {
	# shellcheck disable=SC2046 # several words are meant
	cc -o "$work/consumer" user/examples/consumer.c $(pkg-config --cflags --libs libktally)
}
ok 'a tool builds against the installed library' consumer

version=$(sed -n 's/^#define KTALLY_VERSION "\(.*\)"/\1/p' kmod/version.h)
release=$(uname -r)
if ! command -v dkms >/dev/null || [[ ! -d /lib/modules/$release/build ]]; then
	skip 'dkms builds and installs the module' "dkms or the headers of $release are not here"
elif ! dkms build ktally/"$version" -k "$release" >"$work/dkms" 2>&1 && grep -qE 'GLIBC_|gcc-[0-9]+: (not found|command)|not found' /var/lib/dkms/ktally/"$version"/build/make.log; then
	skip 'dkms builds and installs the module' "this machine's compiler does not fit the headers of $release"
else
	ok 'dkms builds the module' test -e /var/lib/dkms/ktally/"$version"
	ok 'dkms installs the module' dkms install ktally/"$version" -k "$release"
	ok 'modinfo finds it' modinfo -F abi_version ktally
	rmmod ktally
	ok 'modprobe loads it' modprobe ktally
	rmmod ktally
	ok 'dkms removes it' dkms remove ktally/"$version" -k "$release"
	insmod "$KTALLY_MODULE/ktally.ko"
fi
finish
