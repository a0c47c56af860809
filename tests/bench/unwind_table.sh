#!/bin/bash
# What it costs to read the unwind tables of files, each in a process of its own: CPU time of user and kernel, peak resident memory
# (VmHWM, the program itself included: 1.5 MiB of it are there when it begins), and what came out.
#
# usage: tests/bench/unwind_table.sh FILE...
set -euo pipefail

cd "$(dirname "$0")/../.."
build=${BUILD:-build}
mkdir -p "$build/bench"
${CC:-gcc} -O2 -g -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -Iuser -Ikmod/uapi -o "$build/bench/unwind_table" tests/bench/unwind_table.c \
	user/unwind/*.c user/symbols/elf.c user/symbols/reads.c user/symbols/window.c user/base/*.c -lz -lzstd

printf '%6s %8s %8s %9s %9s %6s %9s %6s %6s  %s\n' MB 'CPU s' 'peak MiB' functions rows rules bytes lost '% none' file
for file; do
	"$build/bench/unwind_table" "$file"
done
