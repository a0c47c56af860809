# SPDX-License-Identifier: GPL-2.0-or-later
# The module's sources where DKMS looks for them. Then, as root: dkms install ktally/VERSION

VERSION := $(shell sed -n 's/^\#define KTALLY_VERSION "\(.*\)"/\1/p' kmod/version.h)
DKMS_DIRECTORY = $(DESTDIR)/usr/src/ktally-$(VERSION)

install-dkms:
	rm -rf '$(DKMS_DIRECTORY)'
	install -d '$(DKMS_DIRECTORY)'
	install -m 0644 Kbuild LICENSE '$(DKMS_DIRECTORY)'
	cd kmod && find . -name '*.[ch]' -exec install -D -m 0644 '{}' '$(abspath $(DKMS_DIRECTORY))/kmod/{}' ';'
	sed 's/@VERSION@/$(VERSION)/' dkms/dkms.conf > '$(DKMS_DIRECTORY)/dkms.conf'

.PHONY: install-dkms
