# SPDX-License-Identifier: GPL-2.0-or-later
# User space, installation and the short names of everything else. The kernel module's makefile is Kbuild.

include user/build.mk
include user/install.mk
include dkms/install.mk

KERNEL_HEADERS ?= /lib/modules/$(shell uname -r)/build

all: user module

module:
	$(MAKE) -C $(KERNEL_HEADERS) M=$(CURDIR) modules

# What off-CPU profiling costs beside perf, bcc and bpftrace, in instructions: some ten minutes in a virtual machine.
bench-offcpu: user
	scripts/install-packages test peers
	scripts/vm --kernel 6.1 --icount --memory 3072 --timeout 3000 -- \
		tests/bench/offcpu.sh "$$(scripts/build-module --kernel 6.1 --tests)"

# What samples cost the daemon, in instructions and time, on this machine: some two minutes.
bench-daemon: user
	scripts/install-packages test
	tests/bench/daemon.sh

# How many bytes ktally sends of a minute of a workload, beside perf's files of the same minute: some ten minutes in a virtual machine.
bench-bytes: user
	scripts/install-packages test
	scripts/vm --kernel 6.12 --memory 3072 --timeout 3000 -- tests/bench/minute.sh "$$(scripts/build-module --kernel 6.12)"
	tests/bench/bytes.sh

# What a sample of a program without frame pointers costs beside perf: some five minutes there.
bench-unwind: user
	scripts/install-packages test
	scripts/vm --kernel 6.1 --icount --memory 3072 --timeout 3000 -- tests/bench/unwind.sh "$$(scripts/build-module --kernel 6.1)"

.PHONY: all module bench-daemon bench-bytes bench-offcpu bench-unwind
.DEFAULT_GOAL := all
