#!/bin/bash
# Builds the module by Debian's dkms for one of the kernels of scripts/kernels, where compiling takes seconds and not minutes as in
# an emulated machine, and packs it as one does for a fleet: install.test.sh unpacks and installs it where that kernel runs.
#
# usage: tests/programs/dkms-archive.sh KERNEL ARCHIVE
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
kernel=$1
archive=$(readlink -m "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

version=$(sed -n 's/^#define KTALLY_VERSION "\(.*\)"/\1/p' kmod/version.h)
release=$(<"$(scripts/kernels path "$kernel" entry)/release")
trees=(--dkmstree "$work/tree" --sourcetree "$work/usr/src" --installtree "$work/modules")
mkdir "$work/tree"
make --no-print-directory install-dkms DESTDIR="$work"
dkms build ktally/"$version" -k "$release" -a x86_64 --kernelsourcedir "$(scripts/kernels path "$kernel" headers)" "${trees[@]}" || {
	cat "$work/tree/ktally/$version/build/make.log"
	exit 1
}
dkms mktarball ktally/"$version" -k "$release" -a x86_64 "${trees[@]}" --archive ktally.tar.gz
mkdir -p "$(dirname "$archive")"
cp "$work/tree/ktally/$version/tarball/ktally.tar.gz" "$archive"
