# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Debian's archive, read through a private apt root.
#
# apt itself does what is easy to get wrong: find the current version, check the signature of the index and the hash
# of every package, retry, use the proxy that the machine has set up. It is given its own directories, so that the
# machine's package state is never touched and root is not needed. Which mirror: the one the machine already uses.
#
# An archive is a named set of suites. They are kept apart because the same kernel version is built in several suites
# with different compilers, and which build is wanted is the point of asking.

# Index files older than this many minutes are fetched again.
readonly ARCHIVE_FRESH_MINUTES=720

# archive_mirror SUITE: the base address from which this machine takes the given suite of its own release.
# KTALLY_MIRROR and KTALLY_SECURITY_MIRROR override it, for machines whose apt knows no Debian mirror.
archive_mirror() {
	local suite=$1 wanted=main uri release
	case $suite in
	*-security)
		wanted=security
		if [[ -n ${KTALLY_SECURITY_MIRROR:-} ]]; then
			printf '%s\n' "$KTALLY_SECURITY_MIRROR"
			return
		fi
		;;
	*)
		if [[ -n ${KTALLY_MIRROR:-} ]]; then
			printf '%s\n' "$KTALLY_MIRROR"
			return
		fi
		;;
	esac
	# shellcheck disable=SC2016 # apt expands these, not the shell
	while IFS='|' read -r uri release; do
		case $release in
		*-security | */updates) [[ $wanted == security ]] || continue ;;
		*-updates | *-backports*) continue ;;
		*) [[ $wanted == main ]] || continue ;;
		esac
		# Other vendors' repositories are in the same list; a Debian mirror is one that carries Debian's own name.
		if [[ $uri == *debian* ]]; then
			printf '%s\n' "$uri"
			return
		fi
	done < <(apt-get indextargets --format '$(REPO_URI)|$(RELEASE)' 'Created-By: Packages')
	die "apt on this machine knows no Debian mirror for $suite; set KTALLY_MIRROR and KTALLY_SECURITY_MIRROR"
}

archive_suites() {
	case $1 in
	bullseye) printf '%s\n' bullseye-security ;;
	bookworm) printf '%s\n' bookworm bookworm-security ;;
	# Whichever of the two has the higher version at the moment.
	newest) printf '%s\n' trixie-backports sid ;;
	# All that has kernels of 5.10 or newer.
	every)
		printf '%s\n' {bullseye,bookworm,trixie,forky}{,-updates,-security} {bookworm,trixie}-backports sid experimental
		;;
	*) die "no archive '$1'" ;;
	esac
}

archive_root() { printf '%s/apt/%s\n' "$(cache_directory)" "$1"; }

# archive_apt ARCHIVE PROGRAM ARGS...: apt-get or apt-cache on the private root.
archive_apt() {
	local root
	root=$(archive_root "$1")
	shift
	local program=$1
	shift
	# -c is read last: there the hooks that machines hang on `apt-get update` can be cleared. What is said is read here, in English.
	LC_ALL=C "$program" -c "$root/apt.conf" "$@"
}

# archive_update ARCHIVE: makes the private root and brings its index up to date. With an index already there, a
# mirror that cannot be reached is only a warning: work goes on with what is known.
archive_update() {
	local archive=$1 root suite mirror
	root=$(archive_root "$archive")
	if [[ -n $(find "$root/updated" -mmin "-$ARCHIVE_FRESH_MINUTES" 2>/dev/null) ]]; then
		return
	fi
	# Renamed into place: another run may be reading them.
	mkdir -p "$root/state/lists/partial" "$root/cache/archives/partial" "$root/etc/preferences.d" && : >"$root/status" &&
		cat >"$root/apt.conf.new" <<-CONF && mv "$root/apt.conf.new" "$root/apt.conf" || die "cannot write to $root"
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		#clear Acquire::IndexTargets::deb::DEP-11;
		#clear Acquire::IndexTargets::deb::DEP-11-icons;
		APT::Architecture "amd64";
		APT::Architectures { "amd64"; };
		APT::Sandbox::User "";
		Acquire::Languages "none";
		Acquire::Retries "3";
		Dir::State "$root/state";
		Dir::State::status "$root/status";
		Dir::Cache "$root/cache";
		Dir::Cache::pkgcache "pkgcache.bin";
		Dir::Cache::srcpkgcache "srcpkgcache.bin";
		Dir::Etc::sourcelist "$root/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferencesparts "$root/etc/preferences.d";
		Dir::Etc::preferences "/dev/null";
	CONF
	for suite in $(archive_suites "$archive"); do
		mirror=$(archive_mirror "$suite") || exit
		printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$mirror" "$suite" || exit
	done >"$root/sources.list.new"
	mv "$root/sources.list.new" "$root/sources.list" || exit
	if archive_apt "$archive" apt-get --quiet=2 --error-on=any update >&2; then
		touch "$root/updated"
	elif [[ -e $root/updated ]]; then
		say "cannot refresh the index of $archive; going on with the old one"
	else
		die "cannot fetch the package index of $archive"
	fi
}

# archive_packages ARCHIVE PREFIX: names of the packages that start so.
archive_packages() { archive_apt "$1" apt-cache pkgnames "$2"; }

# archive_has ARCHIVE PACKAGE
archive_has() { archive_apt "$1" apt-cache --quiet=2 show "$2" >/dev/null 2>&1; }

# archive_offers ARCHIVE PACKAGE...: lines of package, version and suite, of all suites that have it, the newest version first.
archive_offers() { archive_apt "$1" apt-cache madison "${@:2}" | awk '{ sub("/.*", "", $6); print $1, $3, $6 }'; }

# archive_version ARCHIVE PACKAGE: the version that it would install, fit to be part of a file name.
archive_version() {
	archive_apt "$1" apt-cache --no-all-versions show "$2" | sed -n 's/^Version: //p' | head -n 1 | tr '~:' '__'
}

# archive_depends ARCHIVE PACKAGE: the packages it names in Depends, first alternatives and all.
archive_depends() {
	archive_apt "$1" apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks \
		--no-replaces --no-enhances "$2" | sed -n 's/^[ |]*\(Pre\)\?Depends: \([^<>: ]*\).*/\2/p'
}

# archive_lacks FILE: whether all that failed, by what apt said, failed because the archive has it no more.
archive_lacks() {
	grep -q '^E: ' "$1" && ! grep '^E: ' "$1" | grep -Eqv '404 +Not Found|File not found|Unable to locate package|find a source to download'
}

# archive_unpack ARCHIVE DIRECTORY PACKAGE...: downloads, checks and unpacks into a directory. 2: the archive does not have them.
archive_unpack() {
	local archive=$1 directory=$2 downloads package status=0
	shift 2
	downloads=$(mktemp -d -p "$(archive_root "$archive")") || return 1
	if ! (cd "$downloads" && archive_apt "$archive" apt-get --quiet=2 download "$@" >&2 2>said); then
		cat "$downloads/said" >&2
		if archive_lacks "$downloads/said"; then status=2; else status=1; fi
		rm -rf "$downloads"
		return $status
	fi
	for package in "$downloads"/*.deb; do
		# Not `dpkg -x`: that replaces a symlink to a directory (lib -> usr/lib) by a directory.
		mkdir -p "$directory" && dpkg-deb --fsys-tarfile "$package" |
			tar -x --keep-directory-symlink --no-same-owner -C "$directory" || status=1
	done
	rm -rf "$downloads"
	return $status
}
