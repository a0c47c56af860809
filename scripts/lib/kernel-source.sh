# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Everything here is called where `set -e` does not hold (its failure is handled), so every step says what if not.
#
# What is made from Debian's kernel source: the debug kernel, and the headers of the kernel's own test harness, which
# no binary package carries.

readonly SOURCE_ARCHIVE=bookworm SOURCE_PACKAGE=linux-source-6.1

# source_tarball: prints the path of the source's tar.xz; fetched once per version.
source_tarball() {
	local version directory work
	with_lock "apt-$SOURCE_ARCHIVE" archive_update "$SOURCE_ARCHIVE"
	version=$(archive_version "$SOURCE_ARCHIVE" "$SOURCE_PACKAGE")
	directory=$kernels/source-$version
	if [[ ! -d $directory ]]; then
		say "fetching $SOURCE_PACKAGE $version"
		work=$(mktemp -d -p "$kernels" .work.XXXXXX) || return
		archive_unpack "$SOURCE_ARCHIVE" "$work/root" "$SOURCE_PACKAGE" && mkdir "$work/source" &&
			mv "$work/root/usr/src/$SOURCE_PACKAGE.tar.xz" "$work/source/" && chmod 755 "$work/source" &&
			mv -T "$work/source" "$directory"
		rm -rf "$work"
		[[ -d $directory ]] || return 1
		point_at source "$directory"
	fi
	printf '%s/%s.tar.xz\n' "$directory" "$SOURCE_PACKAGE"
}

fetch_selftests() {
	local tarball entry work
	tarball=$(with_lock kernel-source source_tarball) || return 1
	entry=$kernels/selftests-$(basename "$(dirname "$tarball")")
	if [[ ! -d $entry ]]; then
		work=$(mktemp -d -p "$kernels" .work.XXXXXX) || return
		tar -xf "$tarball" -C "$work" --strip-components=4 --wildcards \
			"$SOURCE_PACKAGE/tools/testing/selftests/kselftest*" \
			"$SOURCE_PACKAGE/tools/testing/selftests/lib.mk" && chmod 755 "$work" && mv -T "$work" "$entry"
		rm -rf "$work"
		[[ -d $entry ]] || return 1
	fi
	point_at selftests "$entry"
}

fetch_checkpatch() {
	local tarball entry work
	tarball=$(with_lock kernel-source source_tarball) || return 1
	entry=$kernels/checkpatch-$(basename "$(dirname "$tarball")")
	if [[ ! -d $entry ]]; then
		work=$(mktemp -d -p "$kernels" .work.XXXXXX) || return
		tar -xf "$tarball" -C "$work" --strip-components=2 "$SOURCE_PACKAGE/scripts/checkpatch.pl" \
			"$SOURCE_PACKAGE/scripts/spelling.txt" "$SOURCE_PACKAGE/scripts/const_structs.checkpatch" && chmod 755 "$work" && mv -T "$work" "$entry"
		rm -rf "$work"
		[[ -d $entry ]] || return 1
	fi
	point_at checkpatch "$entry"
}

# made_config NAME: the options of a kernel that is made here: those of the debug kernel, and what the kernel's own file has instead.
made_config() {
	local base=$here/debug-kernel.config own=$here/$1-kernel.config
	if [[ $1 == debug ]]; then own=/dev/null; fi
	awk -F= '/^#/ { next }
		FILENAME == ARGV[1] { if (NF) { instead[$1]; own[++owns] = $0 } next }
		!($1 in instead)
		END { for (i = 1; i <= owns; i++) print own[i] }' "$own" "$base"
}

# config_stamp NAME: names a recipe: the options without their comments, and the commands.
config_stamp() {
	{
		made_config "$1"
		declare -f make_debug_kernel strip_tree
	} | sha256sum | cut -c 1-12
}

made_kernel_is_current() { [[ $(readlink "$kernels/$1") == *-"$(config_stamp "$1")" ]]; }

# check_config WANTED GOT: kconfig drops an option without a word when something it depends on is off, and a debug
# kernel that quietly lost KASAN is worse than none.
check_config() {
	local line lost=()
	while IFS= read -r line; do
		case $line in
		CONFIG_*=n)
			if grep -qE "^${line%=n}=[ym]" "$2"; then lost+=("$line"); fi
			;;
		CONFIG_*)
			if ! grep -qFx -- "$line" "$2"; then lost+=("$line"); fi
			;;
		esac
	done <"$1"
	((${#lost[@]} == 0)) || die "options that did not hold: ${lost[*]}"
}

# build_made_kernel NAME: four minutes on two free cores.
build_made_kernel() {
	local name=$1 tarball entry work log tree release
	tarball=$(with_lock kernel-source source_tarball) || return 1
	entry=$(basename "$(dirname "$tarball")")
	entry=$kernels/$name-${entry#source-}-$(config_stamp "$name")
	if [[ ! -d $entry ]]; then
		say "building the $name kernel; this takes some minutes"
		work=$(mktemp -d -p "$kernels" .work.XXXXXX) || return
		tree=$work/headers
		log=$work/log
		# What is left of a build that failed takes gigabytes.
		if ! { mkdir "$tree" && tar -xf "$tarball" -C "$tree" --strip-components=1 && made_config "$name" >"$work/config"; }; then
			rm -rf "$work"
			return 1
		fi
		if ! make_debug_kernel "$work/config" "$tree" "$work" >"$log" 2>&1; then
			tail -n 40 "$log" >&2
			rm -rf "$work"
			return 1
		fi
		release=$(<"$work/release")
		strip_tree "$tree" && ln -sfn "$entry/headers" "$work/lib/modules/$release/build" &&
			rm -f "$work/lib/modules/$release/source" && chmod 755 "$work" && mv -T "$work" "$entry"
		rm -rf "$work"
		[[ -d $entry ]] || return 1
	fi
	point_at "$name" "$entry"
}

make_debug_kernel() (
	config=$1 tree=$2 work=$3
	cd "$tree" || exit
	# Kbuild looks at these, and a caller's make has its own.
	unset MAKEFLAGS MFLAGS MAKELEVEL KBUILD_OUTPUT
	export KBUILD_BUILD_USER=ktally KBUILD_BUILD_HOST=ktally
	# The compiler is the one of the stock 6.1: what differs should be the checks.
	compiler=gcc
	if command -v gcc-12 >/dev/null; then compiler=gcc-12; fi
	make tinyconfig &&
		sed '/^#/d' "$config" >>.config &&
		make CC="$compiler" olddefconfig &&
		check_config "$config" .config &&
		make -j"$(nproc)" CC="$compiler" bzImage modules &&
		make CC="$compiler" INSTALL_MOD_PATH="$work" modules_install &&
		cp arch/x86/boot/bzImage "$work/vmlinuz" &&
		make -s kernelrelease >"$work/release"
)

# strip_tree TREE: leaves what a module's build reads, a twentieth of the whole.
strip_tree() {
	local tree=$1
	find "$tree" \( -name '*.o' -o -name '*.a' -o -name '.*.cmd' -o -name '*.ko' -o -name 'vmlinux*' \) \
		! -path '*/scripts/*' ! -path '*/tools/objtool/*' -type f -delete
	find "$tree" -mindepth 1 -maxdepth 1 -type d \
		! -name arch ! -name include ! -name scripts ! -name tools -exec rm -rf {} +
	find "$tree/arch" -mindepth 1 -maxdepth 1 -type d ! -name x86 -exec rm -rf {} +
	find "$tree/tools" -mindepth 1 -maxdepth 1 -type d ! -name objtool ! -name include -exec rm -rf {} +
}
