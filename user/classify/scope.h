/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the name of a function says it is from. */
#ifndef KTALLY_SCOPE_H
#define KTALLY_SCOPE_H

#define SCOPE_BYTES	512	/* longer ones are cut */

/* Empty: it says none. */
struct scope {
	char package[SCOPE_BYTES];	/* "std", "com.foo", "net/http" */
	char class[SCOPE_BYTES];	/* "std::vector" of std::vector<int>::push_back, "com.foo.Bar", "Server" of (*Server).Serve */
};

/* type: as profile.frame.type has it, which tells the language; NULL: not known. */
void scope_of(struct scope *scope, const char *function, const char *type);

#endif
