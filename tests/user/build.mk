# SPDX-License-Identifier: GPL-2.0-or-later
# The unit tests of user space: make -f tests/user/build.mk check
#
# Each tests/user/NAME.c is a program, linked with everything in user/ but the programs' main(), all built with the
# address and the undefined behaviour sanitizer into $(BUILD)/check. For some of it only:
#
#	make -f tests/user/build.mk check TESTS="map buffer" STAGES="base capture"
#
# What several threads do at once is run under the thread sanitizer by `make -f tests/user/build.mk check-threads`.

override BUILD := $(or $(BUILD),build)/check
SANITIZE ?= -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
.DEFAULT_GOAL := check

include user/build.mk

TESTS ?= $(basename $(notdir $(wildcard tests/user/*.c)))
TEST_PROGRAMS = $(TESTS:%=$(BUILD)/tests/%)
TEST_SECONDS ?= 300

$(BUILD)/tests/%.o: tests/user/%.c | $(PROTO_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

COMMANDS = $(filter-out %/main.c,$(wildcard user/cli/*.c user/daemon/*.c))

$(BUILD)/commands.a: $(COMMANDS:user/%.c=$(BUILD)/%.o)
	rm -f $@ && ar rcs $@ $^

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/commands.a $(BUILD)/stages.a $(BUILD)/libktally.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) $(LINES_LIBS)

# What OTLP profiles are read with, which is not what they are written with.
$(BUILD)/tests/profiles.pb-c.c $(BUILD)/tests/profiles.pb-c.h &: tests/user/profiles.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=tests/user --c_out=$(BUILD)/tests $<

$(BUILD)/tests/profiles.pb-c.o: $(BUILD)/tests/profiles.pb-c.c
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

PROFILE_TESTS = otlp_profiles otlp_owners send_profile
$(PROFILE_TESTS:%=$(BUILD)/tests/%.o): override CPPFLAGS += -I$(BUILD)/tests
$(PROFILE_TESTS:%=$(BUILD)/tests/%.o): | $(BUILD)/tests/profiles.pb-c.h
$(PROFILE_TESTS:%=$(BUILD)/tests/%): $(BUILD)/tests/profiles.pb-c.o

$(BUILD)/tests/draw: LIBS += -lm

# What unwind tables are compared with.
$(BUILD)/tests/unwind: LIBS += -ldw -lelf

tests: $(TEST_PROGRAMS)

# Some at a time, as each is a process of its own. All tests run, whatever the first ones say. A test that printed no plan did not
# come to its end.
check: $(TEST_PROGRAMS)
	@printf '%s\n' $(TESTS) | xargs -P "$$(nproc)" -I {} \
		sh -c 'timeout $(TEST_SECONDS) $(BUILD)/tests/{} >$(BUILD)/tests/{}.tap 2>&1; echo $$? >$(BUILD)/tests/{}.status'
	@failed=; \
	for test in $(TESTS); do \
		echo "# $$test"; \
		cat $(BUILD)/tests/$$test.tap; \
		read -r status <$(BUILD)/tests/$$test.status; \
		grep -q '^1\.\.' $(BUILD)/tests/$$test.tap || status=1; \
		if [ $$status -ne 0 ] && [ $$status -ne 4 ]; then failed="$$failed $$test"; fi; \
	done; \
	if [ -n "$$failed" ]; then echo "# failed:$$failed" >&2; exit 1; fi

# What several threads do at once, under the thread sanitizer, in a directory of its own.
THREADED_TESTS = loader live errand unwind_cache

check-threads:
	+$(MAKE) -f tests/user/build.mk check BUILD=$(BUILD)/threads SANITIZE=-fsanitize=thread TESTS="$(THREADED_TESTS)"

.PHONY: check check-threads tests
