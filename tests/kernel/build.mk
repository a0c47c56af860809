# SPDX-License-Identifier: GPL-2.0
# The programs of the kernel module's tests: make -f tests/kernel/build.mk
#
# They are built on the host and run in a VM by tests/kernel/run.sh. The harness is the kernel's own, from Debian's source.

override BUILD := $(or $(BUILD),build)
CC ?= cc
CFLAGS ?= -O2 -g
SELFTESTS ?= $(shell scripts/kernels path selftests)
WARNINGS = -Wall -Wextra -Werror -Wno-missing-field-initializers -Wstrict-prototypes -Wshadow -Wpointer-arith -Wformat=2 -Wvla
override CPPFLAGS += -D_GNU_SOURCE -Ikmod/uapi -isystem $(SELFTESTS)
# No -Wmissing-prototypes: the harness's fixtures have none.
# The tests are sampled themselves: their frames are linked by frame pointers.
override CFLAGS += -std=gnu11 $(WARNINGS) -fno-omit-frame-pointer -fno-optimize-sibling-calls

KERNEL_TESTS = ioctl mapping reading stacks shares rate lost hotplug lifecycle deaths waits kept openwaits endurance threads gate borrowed rights quota charged cpus files remap openfile held filestorm vdso tables unwound space_of module nmi fuzz lockdown
KERNEL_COMMON = device ids record workload mix account mapped table nobody loaded
# What run.sh runs only when named.
KERNEL_TESTS += fault hostile crowds tenants many_cpus cycles beside hardware
KERNEL_PROGRAMS = $(KERNEL_TESTS:%=$(BUILD)/tests/kernel/%)

kernel-tests: $(KERNEL_PROGRAMS)

$(BUILD)/tests/kernel/%.o: tests/kernel/%.c tests/kernel/build.mk
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/kernel/fuzz: $(BUILD)/tests/kernel/fuzz_calls.o

$(BUILD)/tests/kernel/fault: $(BUILD)/tests/kernel/failures.o
$(BUILD)/tests/kernel/hostile: LDLIBS += -luring
$(BUILD)/tests/kernel/hostile $(BUILD)/tests/kernel/crowds: $(BUILD)/tests/kernel/bystander.o

$(KERNEL_PROGRAMS): %: %.o $(KERNEL_COMMON:%=$(BUILD)/tests/kernel/%.o)
	$(CC) -o $@ $^ -lm -lpthread $(LDLIBS)

-include $(wildcard $(BUILD)/tests/kernel/*.d)

.PHONY: kernel-tests
.SECONDARY:
