/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Time from a change of a profile in the datastore to the first packet of an established flow that obeys it.
 * The datastore is that of the environment, the profile "bench".
 *
 * usage: propagation_bench CPU NAMESPACE-A NAMESPACE-B ADDRESS-A ADDRESS-B CHANGES
 * Prints lines "deny|allow NANOSECONDS-FROM-WRITE NANOSECONDS-FROM-COMMIT".
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "bench/bench.h"
#include "config/config.h"
#include "store/keys.h"
#include "store/store.h"
#include "util/task.h"

#define PORT	    6000
#define MISSES	    8 /* in a row, before a packet counts as dropped and not as late */
#define PATIENCE_NS 5000000000
#define PAUSE_MS    20

static const char *const rules[] = {
	"{\"id\": \"bench\", \"inbound_rules\": [], \"outbound_rules\": [{\"action\": \"allow\"}]}",
	"{\"id\": \"bench\", \"inbound_rules\": [{\"action\": \"allow\"}], \"outbound_rules\": [{\"action\": \"allow\"}]}",
};

static int open_udp(const char *namespace, const char *address)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int fd;

	bench_enter(namespace);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || inet_pton(AF_INET, address, &name.sin_addr) != 1 ||
	    bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0)
		bench_fail_errno(errno, address);
	return fd;
}

static void connect_udp(int fd, const char *address)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(PORT)};

	if (inet_pton(AF_INET, address, &name.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&name, sizeof(name)) < 0)
		bench_fail_errno(errno, address);
}

static bool arrives(int from, int to)
{
	char byte = 0;

	if (send(from, &byte, 1, 0) < 0)
		bench_fail_errno(errno, "send");
	return recv(to, &byte, 1, 0) == 1;
}

/* When the first packet found what is wanted. */
static uint64_t wait_until(int from, int to, bool wanted)
{
	uint64_t begin = bench_clock_ns(), first = 0;
	unsigned int seen = 0;

	for (uint64_t now = begin; now - begin < PATIENCE_NS; now = bench_clock_ns()) {
		if (arrives(from, to) != wanted) {
			seen = 0;
			continue;
		}
		if (!seen++)
			first = bench_clock_ns();
		if (wanted || seen == MISSES)
			return first;
	}
	bench_fail("nothing follows from a change within %d s", (int)(PATIENCE_NS / 1000000000));
}

static struct store *open_store(void)
{
	struct event_base *base = event_base_new();
	struct config *config;
	struct store *store;
	struct err err;

	if (!base)
		bench_fail_errno(ENOMEM, "event loop");
	task_init(base);
	if (config_load(&config, &err) < 0 || store_open(config, &store, &err) < 0)
		bench_fail("%s", err.text);
	return store;
}

static void change(struct store *store, const int udp[2], bool allow, bool print)
{
	uint64_t write, commit, obeyed;
	char key[KEY_MAX];
	struct err err;

	write = bench_clock_ns();
	if (store_set(store, key_profile_part(key, "bench", "rules"), rules[allow], NULL, &err) < 0)
		bench_fail("%s", err.text);
	commit = bench_clock_ns();
	obeyed = wait_until(udp[0], udp[1], allow);
	if (print)
		printf("%s %llu %llu\n", allow ? "allow" : "deny", (unsigned long long)(obeyed - write),
		       (unsigned long long)(obeyed - commit));
	task_sleep(PAUSE_MS);
}

int main(int argc, char **argv)
{
	struct store *store;
	int udp[2];

	if (argc != 7)
		bench_fail(
			"usage: propagation_bench CPU NAMESPACE-A NAMESPACE-B ADDRESS-A ADDRESS-B CHANGES");
	store = open_store();
	bench_pin(atoi(argv[1]));
	udp[0] = open_udp(argv[2], argv[4]);
	udp[1] = open_udp(argv[3], argv[5]);
	connect_udp(udp[0], argv[5]);
	connect_udp(udp[1], argv[4]);
	change(store, udp, true, false);
	for (int i = 0; i < atoi(argv[6]); i++)
		change(store, udp, i & 1, true);
	store_close(store);
	return 0;
}
