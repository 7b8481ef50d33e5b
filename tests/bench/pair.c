/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sockets of a pair of endpoints, and one unit of each kind of traffic between them. */
#include "bench/pair.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/time.h>

#include "bench/bench.h"

#define UDP_PORT   5000
#define TCP_PORT   5001
#define FRESH_PORT 10000 /* and up, on both ends */
#define CHUNK	   65536
#define WAIT_S	   2

static const struct timeval patience = {.tv_sec = WAIT_S};

static socklen_t make_address(struct sockaddr_storage *ret, const char *text, uint16_t port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		return sizeof(*in);
	}
	if (inet_pton(AF_INET6, text, &in6->sin6_addr) != 1)
		bench_fail("%s is no address", text);
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	return sizeof(*in6);
}

/* A socket of the present namespace, bound to the address. */
static int open_socket(const char *address, uint16_t port, int type)
{
	struct sockaddr_storage name;
	socklen_t length = make_address(&name, address, port);
	int fd = socket(name.ss_family, type | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    bind(fd, (struct sockaddr *)&name, length) < 0)
		bench_fail("cannot open a socket on %s, port %d: %s", address, port, strerror(errno));
	return fd;
}

static void connect_to(int fd, const char *address, uint16_t port)
{
	struct sockaddr_storage name;
	socklen_t length = make_address(&name, address, port);

	if (connect(fd, (struct sockaddr *)&name, length) < 0)
		bench_fail("cannot connect to %s, port %d: %s", address, port, strerror(errno));
}

static void must_move(ssize_t moved, size_t wanted, const char *what)
{
	if (moved < 0)
		bench_fail_errno(errno, what);
	if ((size_t)moved != wanted)
		bench_fail("%s: %zd bytes instead of %zu", what, moved, wanted);
}

static void pass(int from, int to, size_t length)
{
	static char buffer[CHUNK];

	must_move(send(from, buffer, length, 0), length, "sending");
	must_move(recv(to, buffer, length, MSG_WAITALL), length, "receiving");
}

static void udp_unit(struct ends *ends)
{
	pass(ends->udp[0], ends->udp[1], 1);
}

static void round_trip_unit(struct ends *ends)
{
	pass(ends->tcp[0], ends->tcp[1], 1);
	pass(ends->tcp[1], ends->tcp[0], 1);
}

static void chunk_unit(struct ends *ends)
{
	pass(ends->tcp[0], ends->tcp[1], CHUNK);
}

static void connect_unit(struct ends *ends)
{
	int a = socket(ends->b.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), b;

	/* A socket stays in the namespace that it is made in: this thread is in A's. */
	if (a < 0 || connect(a, (struct sockaddr *)&ends->b, ends->b_length) < 0)
		bench_fail_errno(errno, "connecting");
	b = accept4(ends->listener, NULL, NULL, SOCK_CLOEXEC);
	if (b < 0)
		bench_fail_errno(errno, "accepting");
	pass(a, b, 1);
	pass(b, a, 1);
	close(a);
	close(b);
}

static unsigned int fresh_step(unsigned int n, unsigned int *ret_source)
{
	*ret_source = n % FRESH_SOURCES;
	return n / FRESH_SOURCES % FRESH_DESTINATIONS;
}

static socklen_t fresh_name(const struct ends *ends, unsigned int destination, struct sockaddr_storage *ret)
{
	*ret = ends->b;
	if (ret->ss_family == AF_INET)
		((struct sockaddr_in *)ret)->sin_port = htons((uint16_t)(FRESH_PORT + destination));
	else
		((struct sockaddr_in6 *)ret)->sin6_port = htons((uint16_t)(FRESH_PORT + destination));
	return ends->b_length;
}

static void fresh_unit(struct ends *ends)
{
	struct sockaddr_storage name;
	unsigned int source, destination = fresh_step(ends->fresh_next++, &source);
	socklen_t length = fresh_name(ends, destination, &name);
	char byte = 0;

	must_move(sendto(ends->fresh_from[source], &byte, 1, 0, (struct sockaddr *)&name, length), 1,
		  "sending from a new port");
	must_move(recv(ends->fresh_to[destination], &byte, 1, 0), 1, "receiving from a new port");
}

/* Answers, so that no system runs into its limit of flows that nobody answers. */
static void fresh_answer(struct ends *ends, unsigned int units)
{
	struct sockaddr_storage a = ends->b;
	socklen_t length = sizeof(a);
	char byte = 0;

	for (unsigned int n = ends->fresh_next - units; n != ends->fresh_next; n++) {
		unsigned int source, destination = fresh_step(n, &source);

		length = sizeof(a);
		if (getsockname(ends->fresh_from[source], (struct sockaddr *)&a, &length) < 0)
			bench_fail_errno(errno, "getsockname");
		must_move(sendto(ends->fresh_to[destination], &byte, 1, 0, (struct sockaddr *)&a, length), 1,
			  "answering");
		must_move(recv(ends->fresh_from[source], &byte, 1, 0), 1, "receiving an answer");
	}
}

const struct pair_test pair_tests[] = {
	{"udp", 400, udp_unit, NULL},
	{"rr", 200, round_trip_unit, NULL},
	{"64k", 120, chunk_unit, NULL},
	{"connect", 60, connect_unit, NULL},
	{"fresh", 200, fresh_unit, fresh_answer},
	{NULL, 0, NULL, NULL},
};

static void open_b(struct ends *ends, const char *address)
{
	ends->udp[1] = open_socket(address, UDP_PORT, SOCK_DGRAM);
	ends->listener = open_socket(address, TCP_PORT, SOCK_STREAM);
	if (listen(ends->listener, 64) < 0)
		bench_fail_errno(errno, "listen");
	for (unsigned int i = 0; i < FRESH_DESTINATIONS; i++)
		ends->fresh_to[i] = open_socket(address, (uint16_t)(FRESH_PORT + i), SOCK_DGRAM);
	ends->b_length = make_address(&ends->b, address, TCP_PORT);
}

/* For connection tracking the flow is established from here on. On the way the source may be translated. */
static void answer_once(struct ends *ends)
{
	struct sockaddr_storage source;
	socklen_t length = sizeof(source);
	char byte = 0;

	must_move(send(ends->udp[0], &byte, 1, 0), 1, "sending");
	must_move(recvfrom(ends->udp[1], &byte, 1, 0, (struct sockaddr *)&source, &length), 1, "receiving");
	if (connect(ends->udp[1], (struct sockaddr *)&source, length) < 0)
		bench_fail_errno(errno, "connecting back");
	pass(ends->udp[1], ends->udp[0], 1);
}

static void open_a(struct ends *ends, const char *address, const char *peer)
{
	int one = 1;

	ends->udp[0] = open_socket(address, UDP_PORT, SOCK_DGRAM);
	ends->tcp[0] = open_socket(address, 0, SOCK_STREAM);
	for (unsigned int i = 0; i < FRESH_SOURCES; i++)
		ends->fresh_from[i] = open_socket(address, (uint16_t)(FRESH_PORT + i), SOCK_DGRAM);
	connect_to(ends->udp[0], peer, UDP_PORT);
	connect_to(ends->tcp[0], peer, TCP_PORT);
	ends->tcp[1] = accept4(ends->listener, NULL, NULL, SOCK_CLOEXEC);
	if (ends->tcp[1] < 0)
		bench_fail_errno(errno, "accept");
	for (int i = 0; i < 2; i++)
		setsockopt(ends->tcp[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(ends->tcp[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	answer_once(ends);
}

void pair_open(struct pair *pair, const char *name, const char *namespaces[2],
	       const char *const addresses[FAMILIES][2])
{
	snprintf(pair->name, sizeof(pair->name), "%s", name);
	for (int family = 0; family < FAMILIES; family++) {
		struct ends *ends = calloc(1, sizeof(*ends));

		if (!ends)
			bench_fail_errno(ENOMEM, name);
		bench_enter(namespaces[1]);
		open_b(ends, addresses[family][1]);
		bench_enter(namespaces[0]);
		open_a(ends, addresses[family][0], addresses[family][1]);
		pair->ends[family] = ends;
	}
}
