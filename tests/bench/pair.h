/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Two endpoints in namespaces of their own, and both ends' sockets in this process: what one of them sends,
 * the other receives by the time the system call returns, so the whole way is charged to this thread.
 */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include <stdint.h>
#include <sys/socket.h>

/* Each source port meets each destination port once, so that so many packets are each of a new flow. */
#define FRESH_SOURCES	   128
#define FRESH_DESTINATIONS 256

enum { IPV4, IPV6, FAMILIES };

struct ends {
	int udp[2], tcp[2]; /* of A, of B; connected with each other */
	int listener;	    /* of B */
	int fresh_from[FRESH_SOURCES], fresh_to[FRESH_DESTINATIONS];
	unsigned int fresh_next;
	struct sockaddr_storage b; /* where the listener is */
	socklen_t b_length;
};

struct pair {
	char name[32];
	struct ends *ends[FAMILIES];
};

struct pair_test {
	const char *name;
	unsigned int units; /* of one batch */
	void (*unit)(struct ends *ends);
	/* What a batch leaves to be done outside its time; may be NULL. */
	void (*after)(struct ends *ends, unsigned int units);
};

extern const struct pair_test pair_tests[]; /* ends with a NULL name */

/* Opens all sockets; fails (see bench.h) when packets of one kind do not get through. */
void pair_open(struct pair *pair, const char *name, const char *namespaces[2],
	       const char *const addresses[FAMILIES][2]);

#endif
