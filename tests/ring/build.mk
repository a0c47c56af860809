# SPDX-License-Identifier: GPL-2.0-or-later
# The tests of the ring in user space: make -f tests/ring/build.mk check-ring
#
#	model		every schedule of kmod/ring.c within bounds (model.c)
#	stress		millions of records at full speed, as the kernel would have it compiled
#	stress-asan	the same under the address and the undefined behaviour sanitizer
#	stress-tsan	the same under the thread sanitizer
#	mutants		whether the above would notice a mistake (mutants.sh)
#
# STRESS_SECONDS is how long the second takes; the sanitized ones take half as long.

ifndef WARNINGS
include user/build.mk
.DEFAULT_GOAL := check-ring
endif

RING_BUILD = $(BUILD)/ring
STRESS_SECONDS ?= 20
RING_SECONDS ?= 600

# Kernel code counts bytes with void pointers.
RING_CC = $(CC) -O2 -g -D_GNU_SOURCE -std=gnu11 $(WARNINGS) -Wno-pointer-arith \
	  -Itests/ring -Itests/user -Ikmod -Ikmod/uapi
RING_MODEL_CC = $(RING_CC) -DRING_MODEL
RING_ASAN_CC = $(RING_CC) -fsanitize=address,undefined -fno-sanitize-recover=all
RING_TSAN_CC = $(RING_CC) -fsanitize=thread

RING_MODEL = model model_reader model_scenarios explore area
RING_STRESS = stress stress_writer stress_reader area
RING_HEADERS = $(wildcard tests/ring/*.h) kmod/ring.h kmod/uapi/linux/ktally.h tests/user/check.h
RING_PROGRAMS = model stress stress-asan stress-tsan
RING_TESTS = $(RING_PROGRAMS) mutants

# ring.o is kept out of the folder of the test's own objects, so that mutants can take its place.
$(RING_BUILD)/model.test: $(RING_MODEL:%=$(RING_BUILD)/model/%.o) $(RING_BUILD)/model.ring.o
	$(RING_MODEL_CC) -o $@ $^

$(RING_BUILD)/model/%.o: tests/ring/%.c $(RING_HEADERS)
	@mkdir -p $(@D)
	$(RING_MODEL_CC) -c -o $@ $<

$(RING_BUILD)/model.ring.o: kmod/ring.c $(RING_HEADERS)
	@mkdir -p $(@D)
	$(RING_MODEL_CC) -c -o $@ $<

# $(1): name of the program, $(2): compiler
define ring-stress
$(RING_BUILD)/$(1).test: $(RING_STRESS:%=$(RING_BUILD)/$(1)/%.o) $(RING_BUILD)/$(1).ring.o
	$(2) -o $$@ $$^ -lpthread

$(RING_BUILD)/$(1)/%.o: tests/ring/%.c $(RING_HEADERS)
	@mkdir -p $$(@D)
	$(2) -c -o $$@ $$<

$(RING_BUILD)/$(1).ring.o: kmod/ring.c $(RING_HEADERS)
	@mkdir -p $$(@D)
	$(2) -c -o $$@ $$<
endef

$(eval $(call ring-stress,stress,$$(RING_CC)))
$(eval $(call ring-stress,stress-asan,$$(RING_ASAN_CC)))
$(eval $(call ring-stress,stress-tsan,$$(RING_TSAN_CC)))

ring-tests: $(RING_PROGRAMS:%=$(RING_BUILD)/%.test)

# All tests run, whatever the first ones say. One that printed no plan did not come to its end.
check-ring: ring-tests
	@export RING_MODEL_CC='$(RING_MODEL_CC)' RING_TSAN_CC='$(RING_TSAN_CC)'; \
	half=$$(awk 'BEGIN { print $(STRESS_SECONDS) / 2 }'); \
	echo "TAP version 13"; echo "1..$(words $(RING_TESTS))"; number=0; failed=0; \
	for test in $(RING_TESTS); do \
		number=$$((number + 1)); log=$(RING_BUILD)/$$test.tap; \
		case $$test in \
		mutants) set -- tests/ring/mutants.sh $(RING_BUILD) ;; \
		stress) set -- $(RING_BUILD)/$$test.test $(STRESS_SECONDS) ;; \
		*) set -- $(RING_BUILD)/$$test.test $$half ;; \
		esac; \
		echo "# selftests: ring: $$test"; \
		timeout $(RING_SECONDS) "$$@" >$$log 2>&1; status=$$?; \
		sed 's/^/# /' $$log; \
		grep -q '^1\.\.' $$log || status=1; \
		case $$status in \
		0) echo "ok $$number selftests: ring: $$test" ;; \
		4) echo "ok $$number selftests: ring: $$test # SKIP" ;; \
		*) echo "not ok $$number selftests: ring: $$test # exit=$$status"; failed=1 ;; \
		esac; \
	done; \
	exit $$failed

.PHONY: check-ring ring-tests
