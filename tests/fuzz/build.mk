# SPDX-License-Identifier: GPL-2.0-or-later
# Fuzzers of what parses other people's bytes: make -f tests/fuzz/build.mk check-fuzz [FUZZ_SECONDS=20] [FUZZ_SEED=1] [FUZZERS="elf"]
#
# Each tests/fuzz/NAME.c is a libFuzzer target, built by clang with the sanitizers. tests/fuzz/seed/seed.c writes inputs to begin with into
# $(BUILD)/fuzz/corpus/NAME, where what is found stays for the next run; an input that fails is left in $(BUILD)/fuzz. The same seed
# makes the same inputs, so that a run in CI says something about the change it is run for; FUZZ_SEED=0 looks for new ones.

override BUILD := $(or $(BUILD),build)/fuzz
override CC := clang
SANITIZE ?= -fsanitize=address,undefined -fno-sanitize-recover=all
.DEFAULT_GOAL := check-fuzz

include user/build.mk

override CFLAGS += -fsanitize=fuzzer-no-link

FUZZERS ?= $(basename $(notdir $(wildcard tests/fuzz/*.c)))
FUZZ_SECONDS ?= 20
FUZZ_SEED ?= 1
FUZZ_SOURCES = $(wildcard user/attribute/*.c user/base/*.c user/classify/*.c user/config/*.c user/confine/*.c user/spool/*.c user/symbols/*.c \
	user/unwind/*.c) user/daemon/http_request.c user/export/elasticsearch_answer.c user/export/sender_answer.c
FUZZ_OBJECTS = $(FUZZ_SOURCES:user/%.c=$(BUILD)/%.o)
FUZZ_LIBS = -lcurl -lyaml -lz -lzstd -llzma -liberty -lseccomp $(LINES_LIBS)

$(BUILD)/fuzzers/%.o: tests/fuzz/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Itests/user -MMD -MP -c -o $@ $<

# What of the kernel module compiles in user space, as tests/unwind has it.
FUZZ_UNWIND_OBJECTS = $(addprefix $(BUILD)/module/,kernel.o hostile.o table.o unwind_user.o)
$(BUILD)/fuzzers/unwind_user.o $(FUZZ_UNWIND_OBJECTS): override CPPFLAGS += -Itests/unwind -Ikmod
$(BUILD)/fuzzers/unwind_user: $(FUZZ_UNWIND_OBJECTS)

# A request names formats, and those are most of the program.
$(BUILD)/fuzzers/request: $(BUILD)/stages.a $(BUILD)/libktally.a
$(BUILD)/fuzzers/request: FUZZ_LIBS += $(LIBS)

$(BUILD)/module/%.o: tests/unwind/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/module/%.o: kmod/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/fuzzers/%: $(BUILD)/fuzzers/%.o $(FUZZ_OBJECTS)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(FUZZ_LIBS)

$(BUILD)/seed: tests/fuzz/seed/seed.c $(FUZZ_OBJECTS)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -Itests/user -o $@ $^ $(FUZZ_LIBS)

fuzzers: $(FUZZERS:%=$(BUILD)/fuzzers/%) $(BUILD)/seed

# Some at a time, as each is a process of its own.
check-fuzz: fuzzers
	@$(BUILD)/seed $(BUILD)/corpus
	@mkdir -p $(FUZZERS:%=$(BUILD)/corpus/%)
	@printf '%s\n' $(FUZZERS) | xargs -P "$$(nproc)" -I {} \
		sh -c '$(BUILD)/fuzzers/{} -seed=$(FUZZ_SEED) -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
			-artifact_prefix=$(BUILD)/{}- $(BUILD)/corpus/{} >$(BUILD)/{}.log 2>&1; echo $$? >$(BUILD)/{}.status'
	@number=0; failed=; echo "TAP version 13"; \
	for fuzzer in $(FUZZERS); do \
		number=$$((number + 1)); \
		if [ "$$(cat $(BUILD)/$$fuzzer.status)" = 0 ]; then \
			echo "ok $$number fuzz $$fuzzer: $$(grep -o 'Done [0-9]* runs' $(BUILD)/$$fuzzer.log)"; \
		else \
			failed=1; tail -40 $(BUILD)/$$fuzzer.log | sed 's/^/# /'; echo "not ok $$number fuzz $$fuzzer"; \
		fi; \
	done; \
	echo "1..$$number"; test -z "$$failed"

.PHONY: fuzzers check-fuzz
