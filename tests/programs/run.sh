#!/bin/bash
# Tests of the programs on the module, inside the virtual machine (or on a host that takes the module): each *.test.sh here is a
# script that prints TAP lines by the functions of tap.sh.
#
# usage: tests/programs/run.sh MODULE_DIRECTORY [TEST...]
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
module=${1:?usage: tests/programs/run.sh MODULE_DIRECTORY [TEST...]}
shift
export PATH=$PWD/build:$PATH
KTALLY_MODULE=$module
export KTALLY_MODULE

(($#)) || set -- tests/programs/*.test.sh
status=0
insmod "$module/ktally.ko" || exit 1
for test; do
	began=$SECONDS
	bash "$test" || status=1
	echo "# $test: $((SECONDS - began)) s"
done
rmmod ktally || status=1
exit $status
