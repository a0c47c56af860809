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
	scripts/install-packages --peers
	scripts/vm --kernel 6.1 --icount --memory 3072 --timeout 3000 -- \
		tests/bench/offcpu.sh "$$(scripts/build-module --kernel 6.1 --tests)"

.PHONY: all module bench-offcpu
.DEFAULT_GOAL := all
