# SPDX-License-Identifier: GPL-2.0-or-later
# User space, installation and the short names of everything else. The kernel module's makefile is Kbuild.

include user/build.mk
include user/install.mk
include dkms/install.mk

KERNEL_HEADERS ?= /lib/modules/$(shell uname -r)/build

all: user module

module:
	$(MAKE) -C $(KERNEL_HEADERS) M=$(CURDIR) modules

.PHONY: all module
.DEFAULT_GOAL := all
