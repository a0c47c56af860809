/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telling the service manager, by the protocol of sd_notify(3): datagrams of lines to $NOTIFY_SOCKET. It is so small that a
 * library for it would be a dependency without a use. Without a service manager all of it does nothing.
 */
#ifndef KTALLY_NOTIFY_H
#define KTALLY_NOTIFY_H

#include <stdint.h>

/* "READY=1", "STATUS=...", "WATCHDOG=1", "STOPPING=1"; more than one with newlines between. */
__attribute__((format(printf, 1, 2))) void notify(const char *format, ...);

/* How often WATCHDOG=1 should be sent, in ms: half of what the manager waits for. 0: not at all. */
uint64_t notify_watchdog_interval(void);

#endif
