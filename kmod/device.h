/* SPDX-License-Identifier: GPL-2.0 */
/* /dev/ktally. */
#ifndef KTALLY_DEVICE_H
#define KTALLY_DEVICE_H

int ktally_device_init(void);
void ktally_device_exit(void);

#endif /* KTALLY_DEVICE_H */
