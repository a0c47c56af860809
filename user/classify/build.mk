# SPDX-License-Identifier: GPL-2.0-or-later
# Names of system calls by number, from the kernel's own headers: one designated initializer for each.

$(BUILD)/classify/syscalls.o: $(BUILD)/classify/syscalls_64.h $(BUILD)/classify/syscalls_32.h

$(BUILD)/classify/syscalls_%.h: user/classify/build.mk
	@mkdir -p $(@D)
	$(call say,AWK)echo '#include <asm/unistd_$*.h>' | $(CC) -E -dM -x c - | \
		awk '$$2 ~ /^__NR_/ && $$3 ~ /^[0-9]+$$/ { printf "[%d] = \"%s\",\n", $$3, substr($$2, 6) }' >$@.new && \
		test -s $@.new && mv $@.new $@
