# SPDX-License-Identifier: GPL-2.0-or-later
# How user space is built: every .c file below user/, into build/, as one library of stages and three programs.
#
# A stage is a folder; its objects go into build/stages.a. libktally is apart: it is what others link to.
# A program is a folder too (daemon, cli), linked with the stages.
#
# `make V=1` shows the commands.

override BUILD := $(or $(BUILD),build)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $@;)
CC ?= cc
CFLAGS ?= -O2 -g
WARNINGS = -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wpointer-arith -Wformat=2 -Wvla
# The programs run as root and read what others wrote: position-independent, with all the compiler's guards.
HARDEN ?= -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2)
override CPPFLAGS += -D_GNU_SOURCE -Iuser -Ikmod/uapi -I$(BUILD)
override CFLAGS += -std=gnu11 $(WARNINGS) $(HARDEN) $(SANITIZE)
override LDFLAGS += $(SANITIZE)
LIBS = -pthread -lcurl -lprotobuf-c -luring -lyaml -lz -lzstd -llzma -liberty -lseccomp
# Only what tells source lines: the daemon is not to carry that.
LINES_LIBS = -ldw -lelf

STAGES = base confine config spool loop session capture profile attribute symbols unwind classify tally export control
STAGE_SOURCES = $(wildcard $(STAGES:%=user/%/*.c))
STAGE_OBJECTS = $(STAGE_SOURCES:user/%.c=$(BUILD)/%.o) $(PROTO_OBJECTS)

LIBRARY_SOURCES = $(wildcard user/lib/*.c)
LIBRARY_OBJECTS = $(LIBRARY_SOURCES:user/%.c=$(BUILD)/%.o)

# Wire formats: protobuf-c code generated at build time from user/proto/*.proto.
PROTOS = $(wildcard user/proto/*.proto)
PROTO_OBJECTS = $(PROTOS:user/%.proto=$(BUILD)/%.pb-c.o)
PROTO_HEADERS = $(PROTO_OBJECTS:.o=.h)

user: $(BUILD)/ktallyd $(BUILD)/ktally $(BUILD)/libktally.so $(BUILD)/libktally.a

$(BUILD)/ktallyd: $(patsubst user/%.c,$(BUILD)/%.o,$(wildcard user/daemon/*.c)) $(BUILD)/stages.a $(BUILD)/libktally.a
	$(call say,LD)$(CC) -pie -Wl,-z,relro,-z,now $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/ktally: $(patsubst user/%.c,$(BUILD)/%.o,$(wildcard user/cli/*.c)) $(BUILD)/stages.a $(BUILD)/libktally.a
	$(call say,LD)$(CC) -pie -Wl,-z,relro,-z,now $(LDFLAGS) -o $@ $^ $(LIBS) $(LINES_LIBS)

$(BUILD)/stages.a: $(STAGE_OBJECTS)
	$(call say,AR)rm -f $@ && ar rcs $@ $^

include user/lib/build.mk
include user/classify/build.mk
include user/export/build.mk

$(BUILD)/%.o: user/%.c | $(PROTO_HEADERS)
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/proto/%.pb-c.c $(BUILD)/proto/%.pb-c.h &: user/proto/%.proto
	@mkdir -p $(@D)
	$(call say,PROTO)protoc-c --proto_path=user --c_out=$(BUILD) $<

$(BUILD)/proto/%.o: $(BUILD)/proto/%.c
	$(call say,CC)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(shell find $(BUILD) -type f -name '*.d' 2>/dev/null)

clean-user:
	rm -rf $(BUILD)

.PHONY: user clean-user
.SECONDARY:
