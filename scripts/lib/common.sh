# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What every script here shares: how to complain, and where the cache is.
#
# The cache lives outside the tree because it is large (gigabytes of kernels), shared by every clone on a machine,
# and can be made again from nothing at any time. Nothing in it is precious and nothing may depend on its being
# there; `rm -rf` of it is always safe between runs.

# Where depmod and modprobe are, which is not in the path of everybody.
PATH+=:/usr/local/sbin:/usr/sbin:/sbin

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
	say "$@"
	exit 1
}

# Asked once, here: what is made of an empty answer begins at /.
[[ ${KTALLY_CACHE:-${XDG_CACHE_HOME:-${HOME-}}} ]] || die "where is the cache to be? Neither KTALLY_CACHE, XDG_CACHE_HOME nor HOME is set"

cache_directory() { printf '%s\n' "${KTALLY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ktally}"; }

# with_lock NAME COMMAND...: one at a time on this machine. The lock is a file of its own, never the thing it guards,
# so that the thing can be replaced by rename. A waiter says what it waits for: a debug kernel takes minutes.
# The function it calls must not itself start anything that outlives it, or that would inherit the lock.
with_lock() {
	local name=$1 lock status=0
	shift
	mkdir -p "$(cache_directory)/locks" && exec {lock}>"$(cache_directory)/locks/$name" || return
	if ! flock --nonblock "$lock"; then
		say "waiting for another run to finish with '$name'"
		flock "$lock" || return
	fi
	"$@" || status=$?
	exec {lock}>&-
	return "$status"
}
