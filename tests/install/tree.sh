# shellcheck shell=bash
# Trees with a Debian in them: clean ones in the cache, and copies of these that a test may change, in a mount namespace of its own.
. scripts/lib/common.sh
. scripts/lib/archive.sh

# in_own_namespace "$0" "$@": starts the script again where its mounts end with it.
in_own_namespace() {
	if ((EUID)) || ! command -v debootstrap >/dev/null; then
		echo "ok - $1 ${*:2} # SKIP it needs root, and debootstrap"
		exit
	fi
	[[ ${KTALLY_OWN_NAMESPACE-} ]] || KTALLY_OWN_NAMESPACE=yes exec unshare --mount --propagation private bash "$@"
	unset KTALLY_OWN_NAMESPACE
}

# make_tree SUITE DIRECTORY: the least that is a Debian, and the index of what it can install.
make_tree() {
	local suite=$1 tree=$2 work
	work=$(mktemp -d -p "$(dirname "$tree")" .work.XXXXXX) || return
	debootstrap --variant=minbase --include=ca-certificates "$suite" "$work" "$(archive_mirror "$suite")" >"$tree.log" 2>&1 &&
		printf 'deb %s %s main\n' "$(archive_mirror "$suite")" "$suite" "$(archive_mirror "$suite-security")" "$suite-security" \
			>"$work/etc/apt/sources.list" &&
		echo force-unsafe-io >"$work/etc/dpkg/dpkg.cfg.d/unsafe" &&
		mount_tree "$work" && in_tree "$work" apt-get -qq update && umount_tree "$work" && chmod 755 "$work" &&
		mv -T "$work" "$tree"
}

# clean_tree SUITE: prints its directory; made at first use.
clean_tree() {
	local trees
	trees=$(cache_directory)/trees
	mkdir -p "$trees"
	[[ -d $trees/$1 ]] || with_lock "tree-$1" make_tree "$1" "$trees/$1" >&2 || die "cannot make a tree of $1, see $trees/$1.log"
	printf '%s\n' "$trees/$1"
}

# copy_tree TREE DIRECTORY: one to change, at DIRECTORY/root.
copy_tree() {
	[[ $1 ]] && mkdir -p "$2"/{root,upper,work} &&
		mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$2/root"
}

# mount_tree TREE, umount_tree TREE: what programs in it expect of a system.
mount_tree() {
	mkdir -p "$1/proc" "$1/sys" "$1/dev" "$1/run"
	mount -t proc proc "$1/proc" && mount -t sysfs sysfs "$1/sys" && mount --rbind /dev "$1/dev" && mount -t tmpfs tmpfs "$1/run" &&
		mkdir "$1/run/lock" && cp /etc/resolv.conf "$1/etc/resolv.conf"
}

umount_tree() { umount -l "$1/proc" "$1/sys" "$1/dev" "$1/run"; }

# drop_tree TREE: a copy, with all that is mounted in it, also where the copy itself could not be mounted. Nothing may be deleted where
# this fails: the host's /dev is among that.
drop_tree() {
	local mounted
	for mounted in "$1"/{dev,run,sys,proc} "$1"; do
		while mountpoint -q "$mounted"; do umount --recursive --lazy "$mounted" || return; done
	done
}

# in_tree TREE COMMAND...
in_tree() {
	local tree=$1
	shift
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
		/usr/sbin/chroot "$tree" "$@" </dev/null
}

# without_initramfs TREE: kernels are installed without one; it would take the longest time of all, and scripts/vm has its own.
without_initramfs() { install_in "$1" initramfs-tools && ln -sf /bin/true "$1/usr/sbin/update-initramfs"; }

# install_in TREE PACKAGE...
install_in() { in_tree "$1" apt-get install -y -qq --no-install-recommends "${@:2}"; }
