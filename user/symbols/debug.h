/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The symbol tables of stripped files: separate debug files, and the compressed one that Fedora and its kin put into
 * the file.
 */
#ifndef KTALLY_DEBUG_H
#define KTALLY_DEBUG_H

#include "symbols/elf.h"

/*
 * Opens the debug file that belongs to the ELF file at a path below a root (-1: there is none): by build id, then by .gnu_debuglink, then
 * in the cache of debuginfod's clients. It belongs to it if the build ids are equal, or, where there are none, the checksum in the link.
 * 0 with *debug and its descriptor debug->source.fd open, or -ENOENT.
 *
 * Both can be forged, so it counts who may put a file there. The root is our own: what a container has in its /usr/lib/debug would
 * give names to a library that others run from the same layer of an image, or have been given as a volume.
 */
int debug_open(const struct elf *elf, const char *path, int root, struct elf *debug);

/*
 * The same from a server, if that is to be done at once (download.h): after all that is here has failed, as others are told of it and
 * it may take minutes. 0 or -ENOENT.
 */
int debug_download(const struct elf *elf, struct elf *debug);

/*
 * The ELF file in .gnu_debugdata. 0 with *debug, whose debug->source.memory is to be freed; -ENOENT; -EBADMSG: broken, or
 * it unpacks to more than 32 MiB, or needs more than 20 MiB for that.
 */
int debug_unpack(const struct elf *elf, struct elf *debug);

#endif
