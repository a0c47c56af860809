# SPDX-License-Identifier: GPL-2.0-or-later
# The module's sources where DKMS looks for them, and what builds and loads it: for every kernel that is here, `ktally-module build`.

VERSION := $(shell sed -n 's/^\#define KTALLY_VERSION "\(.*\)"/\1/p' kmod/version.h)
DKMS_DIRECTORY = $(DESTDIR)/usr/src/ktally-$(VERSION)
KERNEL_HOOKS = $(DESTDIR)/etc/kernel

# Below /usr in any case, as DKMS and its kind are of the system. A source that could not be copied fails it: find by itself says nothing of
# what a command for each file ended with.
install-dkms:
	rm -rf '$(DKMS_DIRECTORY)'
	install -d '$(DKMS_DIRECTORY)'
	install -m 0644 Kbuild LICENSE '$(DKMS_DIRECTORY)'
	find kmod -type f ! -name '.*' ! -name '*.o' ! -name '*.mod*' ! -path '*/probed.h*' \
		\( -exec install -D -m 0644 '{}' '$(DKMS_DIRECTORY)/{}' ';' -o -exec false '{}' + \)
	sed 's/@VERSION@/$(VERSION)/' dkms/dkms.conf > '$(DKMS_DIRECTORY)/dkms.conf'
	chmod 0644 '$(DKMS_DIRECTORY)/dkms.conf'
	install -D -m 0755 dkms/ktally-module '$(DESTDIR)/usr/sbin/ktally-module'
	sed -i 's/^version=@VERSION@$$/version=$(VERSION)/' '$(DESTDIR)/usr/sbin/ktally-module'
	install -D -m 0755 dkms/kernel-hook '$(KERNEL_HOOKS)/postinst.d/ktally'
	install -D -m 0755 dkms/kernel-hook '$(KERNEL_HOOKS)/header_postinst.d/ktally'
	install -D -m 0644 user/systemd/ktally-module.service '$(DESTDIR)/usr/lib/systemd/system/ktally-module.service'
	$(call here,systemctl daemon-reload)

.PHONY: install-dkms
