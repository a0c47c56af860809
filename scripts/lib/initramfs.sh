# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# The initramfs of the VM, in two parts that the kernel reads one after the other: what depends on the kernel only
# (kept beside it in the cache), and what is of this run.

# The modules without which the host's files cannot be reached.
readonly INITRAMFS_MODULES='virtio_pci virtio_console 9pnet_virtio 9p overlay'

# initramfs_base ENTRY RELEASE: prints the path of the kernel's part, made at first use.
initramfs_base() {
	local entry=$1 release=$2 image=$1/initramfs.cpio busybox work status
	busybox=$(command -v busybox) || die "busybox is missing (package busybox-static)"
	if [[ ! $image -nt $busybox || ! $image -nt ${BASH_SOURCE[0]} ]]; then
		work=$(mktemp -d) || return
		# One chain: this runs where `set -e` does not hold, and what is left in the cache is taken for whole ever after.
		initramfs_fill "$entry" "$release" "$busybox" "$work" && initramfs_pack "$work" >"$work.cpio" &&
			mv "$work.cpio" "$image.$$" && mv "$image.$$" "$image"
		status=$?
		rm -rf "$work" "$work.cpio"
		if ((status)); then rm -f "$image.$$" && die "cannot make $image"; fi
	fi
	printf '%s\n' "$image"
}

# initramfs_fill ENTRY RELEASE BUSYBOX DIRECTORY
initramfs_fill() (
	set -o pipefail
	entry=$1 release=$2 work=$4
	mkdir "$work/ktally" && cp "$3" "$work/ktally/busybox" || exit
	for module in $INITRAMFS_MODULES; do
		# Lines read `insmod PATH` or `builtin NAME`, dependencies first.
		modprobe -d "$entry" -S "$release" --show-depends "$module" || die "no module $module in $release"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
		module=${file##*/}
		module=${module%%.ko*}.ko
		# Decompressed: busybox and old kernels cannot, and the initramfs is small anyway.
		case $file in
		*.xz) xz -dc "$file" ;;
		*.zst) zstd -qdc "$file" ;;
		*.gz) gzip -dc "$file" ;;
		*) cat "$file" ;;
		esac >"$work/ktally/$module" && printf '%s\n' "$module" || exit
	done >"$work/ktally/modules"
)

# initramfs_pack DIRECTORY: as an archive on standard output.
initramfs_pack() { (set -o pipefail && cd "$1" && find . -print0 | sort -z | cpio --null --create --format=newc --quiet --owner=0:0); }

# initramfs_quote WORD: as a shell, any shell, reads it back unchanged.
initramfs_quote() { printf "'%s'" "${1//\'/\'\\\'\'}"; }
