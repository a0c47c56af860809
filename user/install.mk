# SPDX-License-Identifier: GPL-2.0-or-later
# `make install`: user space where Debian expects it. The module is apart: see dkms/install.mk.
#
# DESTDIR is put before everything. With another PREFIX, pkg-config and ld.so must be told of it, and systemd looks only
# below /usr and /usr/local. Without DESTDIR this host is told of what was installed: its linker, users, udev and systemd.
#
# Directories are made by `install`: whatever umask root has, everybody may enter them.

PREFIX ?= /usr
LIBDIR ?= $(PREFIX)/lib/$(shell $(CC) -print-multiarch)
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
SYSTEMDIR ?= $(PREFIX)/lib
INSTALL ?= install

# $(call here,COMMAND): where what is installed is to run, which is not so with DESTDIR; and where systemd runs, as it does not in a
# chroot: there the next boot does that. In a container systemd may run and udev not. Root by `su` has no sbin in the path.
here = $(if $(DESTDIR),,if [ -d /run/systemd/system ]; then $(1); fi)

put = $(INSTALL) -D -m $(1) '$(2)' '$(DESTDIR)$(3)'

install: install-programs install-library install-system install-manuals install-examples
	$(if $(DESTDIR),,PATH="$$PATH:/usr/sbin:/sbin" ldconfig)
	$(if $(DESTDIR),,if command -v systemd-sysusers; then systemd-sysusers '$(SYSTEMDIR)/sysusers.d/ktally.conf'; fi)
	$(call here,if [ -S /run/udev/control ]; then udevadm control --reload && udevadm trigger --subsystem-match=misc --sysname-match=ktally; fi)
	$(call here,systemctl daemon-reload)

install-programs: $(BUILD)/ktally $(BUILD)/ktallyd
	$(call put,0755,$(BUILD)/ktally,$(BINDIR)/ktally)
	$(call put,0755,$(BUILD)/ktallyd,$(SBINDIR)/ktallyd)

install-library: $(BUILD)/libktally.so $(BUILD)/libktally.a
	$(call put,0644,$(BUILD)/$(LIBRARY_FILE),$(LIBDIR)/$(LIBRARY_FILE))
	ln -sf $(LIBRARY_FILE) '$(DESTDIR)$(LIBDIR)/$(LIBRARY_SONAME)'
	ln -sf $(LIBRARY_SONAME) '$(DESTDIR)$(LIBDIR)/libktally.so'
	$(call put,0644,$(BUILD)/libktally.a,$(LIBDIR)/libktally.a)
	@$(INSTALL) -d '$(DESTDIR)$(LIBDIR)/pkgconfig'
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		-e 's|@VERSION@|$(LIBRARY_VERSION)|' user/lib/libktally.pc.in \
		>'$(DESTDIR)$(LIBDIR)/pkgconfig/libktally.pc'
	chmod 0644 '$(DESTDIR)$(LIBDIR)/pkgconfig/libktally.pc'
	$(call put,0644,user/lib/libktally.h,$(INCLUDEDIR)/libktally.h)
	$(call put,0644,kmod/uapi/linux/ktally.h,$(INCLUDEDIR)/linux/ktally.h)

# The group that the device belongs to comes with the daemon's user.
install-system:
	@$(INSTALL) -d '$(DESTDIR)$(SYSTEMDIR)/systemd/system'
	sed 's|/usr/sbin/ktallyd|$(SBINDIR)/ktallyd|' user/systemd/ktallyd.service \
		>'$(DESTDIR)$(SYSTEMDIR)/systemd/system/ktallyd.service'
	chmod 0644 '$(DESTDIR)$(SYSTEMDIR)/systemd/system/ktallyd.service'
	$(call put,0644,user/systemd/sysusers.conf,$(SYSTEMDIR)/sysusers.d/ktally.conf)
	$(call put,0644,user/systemd/udev.rules,$(SYSTEMDIR)/udev/rules.d/60-ktally.rules)

# A page that documents several functions names all of them: the others become links to it.
install-manuals:
	@set -e; for page in user/man/*.[1-8]; do \
		section=$${page##*.}; name=$$(basename $$page .$$section); \
		directory='$(DESTDIR)$(MANDIR)'/man$$section; \
		$(INSTALL) -D -m 0644 $$page "$$directory/$$name.$$section"; \
		for other in $$(sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([a-z._-]*\).*/\1/p' $$page); do \
			[ $$other = $$name ] || ln -sf $$name.$$section "$$directory/$$other.$$section"; \
		done; \
	done

# What other programs need to work with ktally: templates, configurations.
install-examples:
	@set -e; for example in $$(find user/examples -type f); do \
		mode=0644; [ ! -x $$example ] || mode=0755; \
		$(INSTALL) -D -m $$mode $$example '$(DESTDIR)$(PREFIX)/share/doc/ktally/'$${example#user/}; \
	done

.PHONY: install install-programs install-library install-system install-manuals install-examples
