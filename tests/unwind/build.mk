# SPDX-License-Identifier: GPL-2.0-or-later
# The tests of the user unwinder in user space: make -f tests/unwind/build.mk check-unwind
#
#	validate	what kmod/table.c accepts and refuses
#	find		the search for a rule
#	walk, changes	kmod/unwind_user.c on stacks made by hand
#	random		both on random tables and stacks, for UNWIND_SECONDS
#	compare		stacks of a real program, against elfutils
#	stops		(check-stops) stacks of three programs of Debian's where they happen to be, with the daemon's tables, against gdb
#
# All under the address and the undefined behaviour sanitizer. tests/fuzz/unwind_user.c is the second last one as a fuzzer.

ifndef WARNINGS
include user/build.mk
.DEFAULT_GOAL := check-unwind
endif

UNWIND_BUILD = $(BUILD)/unwind_user
UNWIND_SECONDS ?= 5
UNWIND_CC = $(CC) -O2 -g -D_GNU_SOURCE -std=gnu11 $(WARNINGS) -Itests/unwind -Itests/user -Ikmod -Ikmod/uapi \
	    -fsanitize=address,undefined -fno-sanitize-recover=all

UNWIND_TESTS = validate find walk changes random compare
UNWIND_MODULE = table unwind_user kernel
UNWIND_HEADERS = $(wildcard tests/unwind/*.h) kmod/table.h kmod/unwind_user.h kmod/stretch.h kmod/uapi/linux/ktally.h \
		 tests/user/check.h

$(UNWIND_BUILD)/validate.test: $(UNWIND_BUILD)/table.o
$(UNWIND_BUILD)/walk.test $(UNWIND_BUILD)/changes.test $(UNWIND_BUILD)/find.test: $(patsubst %,$(UNWIND_BUILD)/%.o,$(UNWIND_MODULE) scene maker)
$(UNWIND_BUILD)/random.test: $(patsubst %,$(UNWIND_BUILD)/%.o,$(UNWIND_MODULE) hostile)
$(UNWIND_BUILD)/compare.test: $(patsubst %,$(UNWIND_BUILD)/%.o,$(UNWIND_MODULE) convert maker)
$(UNWIND_BUILD)/compare.test: UNWIND_LIBS = -ldw -lelf

$(UNWIND_BUILD)/%.test: $(UNWIND_BUILD)/%.o
	$(UNWIND_CC) -o $@ $^ $(UNWIND_LIBS)

$(UNWIND_BUILD)/%.o: tests/unwind/%.c $(UNWIND_HEADERS)
	@mkdir -p $(@D)
	$(UNWIND_CC) -c -o $@ $<

$(UNWIND_BUILD)/%.o: kmod/%.c $(UNWIND_HEADERS)
	@mkdir -p $(@D)
	$(UNWIND_CC) -c -o $@ $<

# As distributions build, and so that the procedure linkage table binds when it is called.
$(UNWIND_BUILD)/subject: tests/unwind/subject.c
	@mkdir -p $(@D)
	$(CC) -O2 -g -D_GNU_SOURCE -std=gnu11 $(WARNINGS) -fomit-frame-pointer -fplt -Wl,-z,lazy -o $@ $< -lpthread

STOPS_SOURCES = $(wildcard user/unwind/*.c user/base/*.c) user/symbols/elf.c user/symbols/reads.c user/symbols/window.c

$(UNWIND_BUILD)/stops: $(patsubst %,$(UNWIND_BUILD)/%.o,stops $(UNWIND_MODULE)) $(STOPS_SOURCES)
	$(UNWIND_CC) -Iuser -o $@ $^ -lz -lzstd

$(UNWIND_BUILD)/stops.o: UNWIND_CC += -Iuser

unwind-tests: $(UNWIND_TESTS:%=$(UNWIND_BUILD)/%.test) $(UNWIND_BUILD)/subject

# All tests run, whatever the first ones say. One that printed no plan did not come to its end.
check-unwind: unwind-tests
	@echo "TAP version 13"; echo "1..$(words $(UNWIND_TESTS))"; number=0; failed=0; \
	for test in $(UNWIND_TESTS); do \
		number=$$((number + 1)); log=$(UNWIND_BUILD)/$$test.tap; \
		case $$test in \
		random) argument=$(UNWIND_SECONDS) ;; \
		compare) argument=$(UNWIND_BUILD)/subject ;; \
		*) argument= ;; \
		esac; \
		echo "# selftests: unwind: $$test"; \
		timeout 300 $(UNWIND_BUILD)/$$test.test $$argument >$$log 2>&1; status=$$?; \
		sed 's/^/# /' $$log; \
		grep -q '^1\.\.' $$log || status=1; \
		case $$status in \
		0) echo "ok $$number selftests: unwind: $$test" ;; \
		4) echo "ok $$number selftests: unwind: $$test # SKIP" ;; \
		*) echo "not ok $$number selftests: unwind: $$test # exit=$$status"; failed=1 ;; \
		esac; \
	done; \
	exit $$failed

# More of them: PROGRAMS="git cc1 postgres" STOPS=500 make -f tests/unwind/build.mk check-stops
check-stops: export PROGRAMS ?= openssl xz sqlite3
check-stops: export STOPS ?= 20
check-stops: $(UNWIND_BUILD)/stops
	@tests/programs/stops/here.sh $(UNWIND_BUILD)/stops

.PHONY: check-stops check-unwind unwind-tests
.SECONDARY:
