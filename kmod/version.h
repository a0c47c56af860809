/* SPDX-License-Identifier: GPL-2.0 */
/* The version of everything in this tree; read by the makefiles as well. */
#define KTALLY_VERSION "0.1.0"
