#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The nmi test needs a module of its own: see tests/kmod/ktally_nmi.c.
set -uo pipefail

module=$KTALLY_MODULES/tests/kmod/ktally_nmi.ko
if [[ ! -e $module ]]; then
	echo "SKIP: no $module: build the module by scripts/build-module --tests"
	exit 4
fi
insmod "$module" || exit 1
"$KTALLY_PROGRAMS/nmi"
status=$?
rmmod ktally_nmi || status=1
exit "$status"
