# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# The headers of any kernel that Debian's archive names, without the kernel: what a build of the module needs.

# headers_offered: lines of release (as of uname -r), version of the package and suite, the oldest release first.
headers_offered() {
	local -a names
	mapfile -t names < <(archive_packages every linux-headers- |
		grep -E '^linux-headers-[0-9]+\.[0-9]+\.[0-9].*-amd64$' | sort -V)
	# Of a release that is in several suites, the version that apt would take.
	((${#names[@]})) || die "the archive's indexes name no headers"
	archive_offers every "${names[@]}" | sed 's/^linux-headers-//' | awk '!seen[$1]++' | sort -V
}

# headers_packages RELEASE: the package and those it needs, which the years divided differently.
headers_packages() {
	local queue=("linux-headers-$1") seen=' ' package
	while ((${#queue[@]})); do
		package=${queue[0]}
		queue=("${queue[@]:1}")
		if [[ $seen == *" $package "* ]]; then continue; fi
		seen+="$package "
		printf '%s\n' "$package"
		mapfile -t -O "${#queue[@]}" queue < <(archive_depends every "$package" | grep -E '^linux-(headers|kbuild)-[0-9]')
	done
}

# headers_fetch RELEASE DIRECTORY: makes DIRECTORY, whole or not at all; the tree to build with is DIRECTORY/headers.
headers_fetch() {
	local release=$1 directory=$2 work
	local -a packages
	mapfile -t packages < <(headers_packages "$release")
	mkdir -p "${directory%/*}"
	work=$(mktemp -d -p "${directory%/*}" .work.XXXXXX) || return
	if archive_unpack every "$work/root" "${packages[@]}" && headers_settle "$work" "$directory" "$release" &&
		adapt_host_tools "$work" "$directory" && chmod 755 "$work" && mv -T "$work" "$directory"; then
		return
	fi
	rm -rf "$work"
	return 1
}

# headers_settle DIRECTORY FINAL RELEASE: makes unpacked header packages work where they will be, which is FINAL.
headers_settle() {
	local directory=$1 final=$2 release=$3
	[[ -d $directory/root/usr/src/linux-headers-$release ]] &&
		ln -s "root/usr/src/linux-headers-$release" "$directory/headers" &&
		# The trees find each other by absolute path.
		find "$directory/root/usr/src" -maxdepth 2 -name Makefile -type f \
			-exec sed -i "s|/usr/src/|$final/root/usr/src/|g" {} +
}
