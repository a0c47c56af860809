# SPDX-License-Identifier: GPL-2.0-or-later
# libktally, static and shared.

$(BUILD)/libktally.a: $(LIBRARY_OBJECTS)
	rm -f $@ && ar rcs $@ $^
