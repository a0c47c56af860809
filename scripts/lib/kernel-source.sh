# shellcheck shell=bash
build_debug_kernel() { die "todo"; }
fetch_selftests() { die "todo"; }
