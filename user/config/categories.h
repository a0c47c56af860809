/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Categories in the configuration file:
 *
 *	category-sets: all			# ready-made ones: all (the default), none, or a list of gc, locking ...
 *	categories:
 *	  - name: tls				# attribute ktally.category
 *	    label: TLS and certificates		# for people; the name when not given
 *	    mode: both				# self, inclusive or both (the default)
 *	    match:				# one of these is enough
 *	      - file: [libssl, libgnutls]
 *	      - function: "*handshake*"
 *	        package: "crypto/tls"
 *	        at: anywhere			# or leaf
 *	        called-by: { function: "serve*" }	# a frame further out
 *	        calls: { file: libcrypto }	# a frame further in
 *	        syscall: [read, write]
 *
 * What they mean is in classify/categories.h, the ready-made ones in classify/category_sets.c. One of the file replaces a
 * ready-made one of the same name, and all of the file go before these.
 */
#ifndef KTALLY_CONFIG_CATEGORIES_H
#define KTALLY_CONFIG_CATEGORIES_H

#include "classify/categories.h"
#include "config/document.h"

/* Adds those of the file. 0, or -EINVAL after a message that names file and line. */
int config_add_categories(const struct document *document, struct categories *categories);

/* What the file says of ready-made sets, interned; NULL: nothing. ktallyd has that as an option. */
const char *config_category_sets(const struct document *document);

/*
 * All categories there are, compiled: of the file (NULL: there is none), and the ready-made sets (see category_sets_choose()).
 * NULL after a message. To be destroyed.
 */
struct categories *config_categories(const struct document *document, const char *sets);

#endif
