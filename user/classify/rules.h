/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the names of kernel functions tell. Two taxonomies stand side by side, frames are looked up in both:
 *
 * The connector's: Elastic's profilingmetrics connector has twelve rules in an order, and the first of them that any
 * frame of the kernel part matches decides kernel_area, kernel_proto and kernel_io. It is kept as it is, for the
 * dashboards that are made for it, but for functions that it has under their old names (pipe_read() is anon_pipe_read()
 * now) or under one of several (udp_recvmsg() but not udpv6_recvmsg()): they are in the rule that means them.
 *
 * Ours: areas that cover the rest of the kernel too. What the kernel was asked for goes before how it does that: an
 * allocation within tcp_sendmsg() is part of sending. Two things are better than in the connector, and may differ from
 * it: the direction is that of the outermost frame which knows one (a packet received over the loopback device within
 * sendto() is part of a write), and nothing is looked for beyond an interrupt (what it interrupted is not its cause).
 */
#ifndef KTALLY_RULES_H
#define KTALLY_RULES_H

#define CONNECTOR_TCP_READ	1
#define CONNECTOR_TCP_WRITE	2
#define CONNECTOR_RULES		12

/* In the order in which they are preferred when several frames of a stack match different ones. */
enum area {
	AREA_TCP,
	AREA_UDP,
	AREA_IPC,
	AREA_CIPHER,			/* crypto: ciphers and digests, whoever wants them */
	AREA_NETFILTER,
	AREA_SOCKET,			/* the rest of the network, when asked for by a process */
	AREA_DISK,
	AREA_SECURITY,
	AREA_PROCESS,
	AREA_FILESYSTEM,
	AREA_IO_URING,
	AREA_POLL,
	AREA_SLEEP,			/* timer: what processes ask for */
	AREA_NETWORK,			/* the rest of the network: packets coming and going by themselves */
	AREA_CRYPTO,			/* crypto: its interface, which checksums of file systems use too */
	AREA_RECLAIM,			/* memory: finding some when there is none left */
	AREA_FAULT,
	AREA_MEMORY,			/* the rest: mapping most of all */
	AREA_SLAB,			/* what the kernel wants for itself */
	AREA_PAGES,
	AREA_PREEMPTION,		/* scheduler: on the way back to user space */
	AREA_SYNCHRONIZATION,
	AREA_TIMER,			/* timer: what the kernel does at a tick */
	AREA_SCHEDULER,
	AREA_RCU,			/* synchronization */
	AREA_VIRTUALIZATION,
	AREA_BPF,
	AREA_SOFTIRQ,
	AREA_IRQ,
	AREA_OTHER,
	AREA_SYSCALL,			/* nothing but the way in and out */
	AREA_COUNT,
};

/* Of areas network, ipc and disk. Where frames of an area disagree, the outermost knows what was asked for. */
enum direction {
	DIRECTION_NONE,
	DIRECTION_READ,
	DIRECTION_WRITE,
	DIRECTION_SYNC,			/* disk: fsync, journal, write-back */
	DIRECTION_COUNT,
};

struct rules {
	unsigned char connector;	/* number of the connector's rule, 0: none */
	unsigned char area;		/* enum area; AREA_OTHER: says nothing */
	unsigned char direction;	/* enum direction */
	unsigned char interrupt;	/* what is further out was merely interrupted */
	unsigned char entry;		/* the way in and out, which all system calls have: only counts as the leaf */
	const char *patterns;		/* see automaton.h */
};

extern const struct rules rules[];
extern const unsigned int rules_count;

/* How an area is called: "kernel/disk/read". Interned. */
const char *area_name(enum area area, enum direction direction);

#endif
