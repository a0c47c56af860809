# shellcheck shell=bash
# Header trees like those of kernels that no archive has: copies of a kernel's of scripts/kernels, with something changed in them.

# imitate KERNEL NAME: copies the headers and sets $tree to the copy. Files are shared until they are replaced: change them by
# sed -i, which does that, and never in place.
imitate() {
	local entry headers
	entry=$(scripts/kernels path "$1" entry) && headers=$(scripts/kernels path "$1" headers) || exit
	copies=${copies:-$(mktemp -d -p "$(dirname "$entry")" .imitated.XXXXXX)} || return
	mkdir -p "$copies/$2"
	cp -al "$entry/root" "$copies/$2/root" || exit
	find "$copies/$2/root/usr/src" -maxdepth 2 -name Makefile -type f -exec sed -i "s|$entry/|$copies/$2/|g" {} +
	tree=$copies/$2/${headers#"$entry/"}
	# shellcheck disable=SC2034 # for the scripts that include this
	common=$(dirname "$tree")/$(basename "$tree" -amd64)-common
}

forget_imitations() { if [[ ${copies:-} ]]; then rm -rf "$copies"; fi; }

# says MAJOR MINOR PATCH: $tree claims to be that release.
says() {
	local file=$tree/include/generated/uapi/linux/version.h
	rm "$file"
	cat >"$file" <<-HEADER
		#define LINUX_VERSION_CODE $((($1 << 16) + ($2 << 8) + $3))
		#define KERNEL_VERSION(a,b,c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))
		#define LINUX_VERSION_MAJOR $1
		#define LINUX_VERSION_PATCHLEVEL $2
		#define LINUX_VERSION_SUBLEVEL $3
	HEADER
}

# replace FILE OLD NEW: by sed's rules, over lines; fails if it changes nothing, for then the imitation is none.
replace() {
	local before
	before=$(sha256sum <"$1")
	sed -Ezi "s|$2|$3|" "$1"
	if [[ $(sha256sum <"$1") == "$before" ]]; then
		echo "not ok - $1 has no '$2' to replace"
		exit 1
	fi
}

# configure OPTION=VALUE...: what kbuild and what the compiler reads of the configuration; n takes an option away.
configure() {
	local option value
	for option; do
		value=${option#*=}
		option=${option%%=*}
		sed -i "/^$option=/d" "$tree/include/config/auto.conf"
		sed -i "/^#define $option /d" "$tree/include/generated/autoconf.h"
		[[ $value != n ]] || continue
		echo "$option=$value" | append "$tree/include/config/auto.conf"
		echo "#define $option ${value/#y/1}" | append "$tree/include/generated/autoconf.h"
	done
}

# append FILE: what it reads, without changing the file that others share.
append() {
	cp "$1" "$1.new" && cat >>"$1.new" && mv "$1.new" "$1"
}

# exports SYMBOL...
exports() { printf '0x00000000\t%s\tvmlinux\tEXPORT_SYMBOL_GPL\t\n' "$@" | append "$tree/Module.symvers"; }
