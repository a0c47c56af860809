# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Makes the build tools inside a kernel's header packages run on an older Debian.
#
# The packages carry programs that run during a module build (modpost, objtool, fixdep ...), linked against the C
# library of the suite they come from. A chroot of that suite would do, at half a gigabyte and root rights; the newer
# C library alone, used for these few programs and nothing else, is five megabytes.

# Everything those programs link to.
readonly HOST_TOOL_LIBRARIES='libc6 libelf1t64 zlib1g libzstd1 libssl3t64'

# host_libraries: a directory with a newer ld.so and libraries; fetched once.
host_libraries() {
	local directory
	directory=$(cache_directory)/kernels/host-libraries
	[[ -d $directory ]] || with_lock host-libraries make_host_libraries "$directory" || return
	printf '%s\n' "$directory"
}

make_host_libraries() {
	local directory=$1 work status
	if [[ -d $directory ]]; then return; fi
	with_lock apt-newest archive_update newest && mkdir -p "${directory%/*}" &&
		work=$(mktemp -d -p "${directory%/*}" .work.XXXXXX) || return
	# shellcheck disable=SC2086 # a list of words
	archive_unpack newest "$work/root" $HOST_TOOL_LIBRARIES && mkdir "$work/flat" &&
		find "$work/root" \( -name '*.so' -o -name '*.so.*' \) -path '*x86_64-linux-gnu/*' ! -path '*/gconv/*' \
			-exec cp -P -t "$work/flat" {} + &&
		[[ -e $work/flat/ld-linux-x86-64.so.2 ]] && chmod 755 "$work/flat" && mv -T "$work/flat" "$directory"
	status=$?
	rm -rf "$work"
	return $status
}

# adapt_host_tools DIRECTORY FINAL: puts a wrapper before each program under DIRECTORY (to be renamed to FINAL)
# that this machine's C library is too old for.
adapt_host_tools() {
	local directory=$1 final=$2 tool libraries=''
	while IFS= read -r -d '' tool; do
		[[ $(head -c 4 "$tool") == $'\x7fELF' ]] || continue
		[[ $(LC_ALL=C ldd "$tool" 2>&1) == *"version \`GLIBC_"*"' not found"* ]] || continue
		[[ $libraries ]] || libraries=$(host_libraries) || return 1
		mv "$tool" "$tool.bin" || return 1
		printf '#!/bin/sh\nexec %s/ld-linux-x86-64.so.2 --library-path %s %s "$@"\n' \
			"$libraries" "$libraries" "$final${tool#"$directory"}.bin" >"$tool"
		chmod 755 "$tool"
	done < <(find "$directory/root/usr/lib" -path '*/linux-kbuild-*' -type f -perm -u+x -print0)
}
