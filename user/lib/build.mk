# SPDX-License-Identifier: GPL-2.0-or-later
# libktally, static and shared. Its version is that of libktally.h; the number in the soname changes when something that
# was public goes away or means something else, new functions get a new node in libktally.map.

LIBRARY_VERSION := $(shell sed -n 's/^.define LIBKTALLY_VERSION[[:space:]]*"\(.*\)"/\1/p' user/lib/libktally.h)
ifneq ($(LIBRARY_VERSION),$(shell sed -n 's/^.define KTALLY_VERSION "\(.*\)"/\1/p' kmod/version.h))
$(error user/lib/libktally.h and kmod/version.h give different versions)
endif
LIBRARY_SONAME = libktally.so.0
LIBRARY_FILE = libktally.so.$(LIBRARY_VERSION)

# One set of objects for both: position-independent code costs nothing on x86-64.
$(LIBRARY_OBJECTS): override CFLAGS += -fPIC -fvisibility=hidden

$(BUILD)/libktally.a: $(LIBRARY_OBJECTS)
	$(call say,AR)rm -f $@ && ar rcs $@ $^

$(BUILD)/$(LIBRARY_FILE): $(LIBRARY_OBJECTS) user/lib/libktally.map
	$(call say,LD)$(CC) $(LDFLAGS) -shared -Wl,-soname,$(LIBRARY_SONAME) \
		-Wl,--version-script=user/lib/libktally.map \
		-Wl,-z,relro,-z,now $(if $(SANITIZE),,-Wl,-z,defs) -o $@ $(LIBRARY_OBJECTS)

$(BUILD)/$(LIBRARY_SONAME): $(BUILD)/$(LIBRARY_FILE)
	@ln -sf $(LIBRARY_FILE) $@

$(BUILD)/libktally.so: $(BUILD)/$(LIBRARY_SONAME)
	@ln -sf $(LIBRARY_SONAME) $@
