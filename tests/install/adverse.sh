#!/bin/bash
# What scripts and makefiles do where a host is not as they would have it: no home, no archive, a full disk, a directory in which nothing
# can be made, a strict umask, a Ctrl-C. Nothing may be written elsewhere, and nothing that went wrong may end well.
# shellcheck disable=SC2030,SC2031 # one test has a $work of its own, and a shell
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
# shellcheck source=tests/install/tree.sh
. tests/install/tree.sh
in_own_namespace "$0" "$@"
# shellcheck source=tests/programs/tap.sh
. tests/programs/tap.sh

# stand_in NAME TEXT: a program that is found before all others of that name.
mkdir "$work/bin"
stand_in() { printf '#!/bin/sh\n%s\n' "$2" >"$work/bin/$1" && chmod 755 "$work/bin/$1"; }
with_stand_ins() { env PATH="$work/bin:$PATH" "$@"; }

# The cache.
fails 1 'where is the cache' 'without a home no script begins' env -u HOME -u XDG_CACHE_HOME -u KTALLY_CACHE bash -c '. scripts/lib/common.sh'
ok 'nor needs one where it is told' env -u HOME -u XDG_CACHE_HOME KTALLY_CACHE=/nowhere bash -c '. scripts/lib/common.sh'

# A path without sbin, and apt in another language.
ok 'what is in sbin is found' env PATH=/usr/bin:/bin bash -c '. scripts/lib/common.sh && command -v depmod && command -v modprobe'
# shellcheck disable=SC2016 # for the shell in there
stand_in apt-cache 'case $LC_ALL in C) echo "  Depends: linux-kbuild-6.1" ;; *) echo "  Hängt ab von: linux-kbuild-6.1" ;; esac'
depends() (
	# shellcheck disable=SC2030
	export LC_ALL=de_DE.UTF-8 PATH=$work/bin:$PATH
	[[ $(archive_depends every linux-headers-6.1) == linux-kbuild-6.1 ]]
)
ok 'what a package depends on is known in every language' depends
rm "$work/bin/apt-cache"

# A receiver, where the directory for it cannot be made.
# shellcheck disable=SC2016 # for the shell in there
stand_in go 'case $1 in env) echo go99 ;; list) echo v1 ;; *) echo "went on: $*" ;; esac'
unwritable() {
	mkdir "$work/cache" && : >"$work/cache/receivers" &&
		! KTALLY_CACHE=$work/cache with_stand_ins scripts/receivers path collector 2>&1 | tee "$work/said" && ! grep 'went on' "$work/said"
}
set -o pipefail
ok 'a receiver is not built where there is no place for it' unwritable

# The archive.
stand_in apt-get 'exit 100'
fails 1 'cannot fetch the package index' 'without the archive there is no matrix' \
	env KTALLY_CACHE="$work/matrix" KTALLY_MIRROR=http://debian.invalid KTALLY_SECURITY_MIRROR=http://debian.invalid PATH="$work/bin:$PATH" \
	scripts/matrix build ends

# A kernel whose download fails: an older one is for what the archive does not have, and for nothing else.
# shellcheck disable=SC2016 # for the shell in there
fetched_after() {
	APT_SAYS=$1 KTALLY_CACHE=$work/kernels with_stand_ins bash -c '
		set -- list
		. "$0" >/dev/null || exit
		set +e
		archive_update() { :; }
		releases() { printf "%s\n" 6.1.0-9-amd64 6.1.0-8-amd64; }
		packages() { echo "linux-image-$2"; }
		archive_version() { echo 1; }
		mkdir -p "$kernels" "$(archive_root bookworm)"
		fetch_from_archive 6.1' scripts/kernels >"$work/said" 2>&1
}
# shellcheck disable=SC2016 # for the shell in there
stand_in apt-get 'echo "E: Failed to fetch http://debian.invalid/p.deb  $APT_SAYS" >&2; exit 100'
fetched_after '404  Not Found [IP: 192.0.2.1 80]'
ok 'the release before is taken for one that the archive has not' grep 'fetching 6.1.0-8' "$work/said"
fetched_after 'Hash Sum mismatch'
# shellcheck disable=SC2016 # for the shell in there
ok 'and not for one that cannot be downloaded' sh -c 'grep "Hash Sum" "$1" && ! grep "fetching 6.1.0-8" "$1"' sh "$work/said"
rm "$work/bin/apt-get"

# Sources that could not be copied.
stand_in rsync 'exit 11'
stand_in make 'exit 0'
fails 1 'cannot copy the sources' 'a module is not built of the sources of before' \
	env KTALLY_CACHE="$work/modules" PATH="$work/bin:$PATH" scripts/build-module --headers / "$work/module"
rm "$work/bin/make"

# A full disk, while the initramfs is made.
mkdir "$work/entry" "$work/full"
mount -t tmpfs -o size=64k full "$work/full"
full_initramfs() (
	set +o pipefail
	# shellcheck source=scripts/lib/initramfs.sh
	. scripts/lib/initramfs.sh
	modprobe() { :; }
	TMPDIR=$work/full initramfs_base "$work/entry" 6.1
)
fails 1 'cannot make' 'an initramfs that does not fit is not made' full_initramfs
ok 'nor kept' test ! -e "$work/entry/initramfs.cpio"
umount "$work/full"

# A tree that could not be made: what is mounted in it all the same is this system's, here a stand-in for its /dev.
lost_tree() (
	mount -t tmpfs stand-in /dev && [[ ! $(ls -A /dev) ]] && : >/dev/kept || exit
	trap 'umount --lazy /dev' EXIT
	local work=$work/tree
	mkdir -p "$work/root/dev" && mount --rbind /dev "$work/root/dev" || exit
	drop_tree "$work/root" && cleanup && [[ -e /dev/kept && ! -e $work ]]
)
ok 'what is mounted in a tree that is none survives it' lost_tree

# BUILD in the environment, and nothing in it: objects would be files of the root directory.
# shellcheck disable=SC2016 # for the shell in there
for makefile in Makefile tests/user/build.mk tests/kernel/build.mk; do
	ok "nothing is built in / by $makefile" env BUILD= sh -c \
		'text=$(make -nB SELFTESTS=/ TESTS=map -f "$1" $2 2>/dev/null); echo "$text" | grep -q "build/" && ! echo "$text" | grep -E "(-o|rcs) /"' \
		sh "$makefile" "$([[ $makefile == Makefile ]] && echo user || echo)"
done

# make install.
installed() (
	umask 077
	make --no-print-directory install-system install-manuals install-examples install-dkms DESTDIR="$work/a tree" || exit
	[[ -e "$work/a tree/usr/share/man/man1/ktally.1" && ! $(find "$work/a tree" ! -type l ! -perm -044 -print -o -type d ! -perm -055 -print) ]]
)
ok 'what is installed is for everybody, whatever the umask, and below any directory' installed
# shellcheck disable=SC2016 # for the shell in there
stand_in install 'case $* in *kmod/main.c*) exit 1 ;; *) exec /usr/bin/install "$@" ;; esac'
fails 2 'Error 1' 'sources for DKMS that could not be copied' with_stand_ins make --no-print-directory install-dkms DESTDIR="$work/destination"

# ktally-module.
sed -e "s|/var/log/ktally|$work/logs|; s|/lib/modules|$work/lib|g; s|^PATH=|&$work/bin:|" dkms/ktally-module >"$work/ktally-module"
mkdir -p "$work"/lib/{1,2}/{kernel,build/include} "$work/logs/module-2.log.new"
stand_in dkms "case \$1 in install) touch $work/is-there ;; esac"
# shellcheck disable=SC2016 # for the shell in there
stand_in modinfo '[ "$2" = 1 ] && [ -e '"$work/is-there"' ] && echo @VERSION@'
fails 1 '2: no module: cannot write' 'a kernel whose log cannot be written has not got its module' sh "$work/ktally-module" build 1 2
stand_in modprobe 'echo tried'
rm -r "$work/logs/.lock" && mkdir "$work/logs/.lock"
ok 'without a log the module is loaded' sh "$work/ktally-module" load

# The workload, where cgroups are of version 1.
no_groups() (
	mount -t tmpfs version1 /sys/fs/cgroup || exit
	trap 'umount /sys/fs/cgroup' EXIT
	scripts/workload 1 "$work" && [[ ! $(ls -A /sys/fs/cgroup) ]]
)
ok 'what is no hierarchy of cgroups is left alone' no_groups

# scripts/run, twice at once; and where the module is.
mkdir -p out
fails 1 'another run' 'one run at a time writes to out/' flock out/.lock scripts/run 1
mkdir -p "$work/run"/{build,scripts,out}
stand_in insmod :
stand_in rmmod "[ ! -e $work/run/in-use ] && touch $work/run/unloaded"
cat >"$work/run/build/ktallyd" <<DAEMON
#!/bin/bash
trap 'sleep 0.5; rm $work/run/in-use; exit 0' TERM
touch $work/run/in-use
while :; do sleep 0.1; done
DAEMON
printf '#!/bin/bash\necho $$ >%s/run/workload\nexec sleep 60\n' "$work" >"$work/run/scripts/workload"
chmod 755 "$work"/run/*/*
interrupted() (
	profile=$PWD/scripts/profile-workload
	cd "$work/run" || exit
	set -m
	with_stand_ins bash "$profile" . 60 &
	within 20 test -s workload && kill -INT -- -$!
	wait
	[[ -e unloaded ]] && ! kill -0 "$(<workload)"
)
ok 'a Ctrl-C unloads the module, and ends the workload' interrupted
finish
