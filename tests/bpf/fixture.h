/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A host with endpoints for packet tests: interfaces in a network namespace of this process, their map
 *entries, and policies written straight into the policy maps, so that a test needs neither compiler nor
 *daemon.
 *
 *	A (slot 1)  10.65.0.2  fd65::2   in set 1		external  8.8.8.8, in no map
 *	B (slot 2)  10.65.0.3  fd65::3   in set 2		host      172.30.0.2, fd30::2
 *	C (slot 3)  10.65.0.4  fd65::4   state inactive	remote    10.65.9.9, fd65::909, in set 3
 *	pool 10.65.0.0/16 and fd65::/64			gateway   169.254.1.1, fe80::1
 *
 * After fixture_reset() everything may pass: the endpoints have lists that allow all.
 */
#ifndef TESTS_BPF_FIXTURE_H
#define TESTS_BPF_FIXTURE_H

#include "progrun.h"

#define A4	  "10.65.0.2"
#define A6	  "fd65::2"
#define B4	  "10.65.0.3"
#define B6	  "fd65::3"
#define C4	  "10.65.0.4"
#define C6	  "fd65::4"
#define REMOTE4	  "10.65.9.9"
#define REMOTE6	  "fd65::909"
#define UNUSED4	  "10.65.200.1" /* in the pool, no endpoint has it */
#define HOST4	  "172.30.0.2"
#define HOST6	  "fd30::2"
#define EXTERNAL4 "8.8.8.8"
#define EXTERNAL6 "2001:db8::8"
#define GATEWAY4  "169.254.1.1"
#define GATEWAY6  "fe80::1"

enum slot {
	SLOT_NONE,
	SLOT_A,
	SLOT_B,
	SLOT_C,
	SLOT_STRANGER,
	SLOT_COUNT
}; /* STRANGER: interface, no endpoint */
enum test_set { SET_ANY, SET_A, SET_B, SET_REMOTE, SET_NOBODY };

extern const uint8_t A_MAC[6], B_MAC[6], C_MAC[6], HOST_VETH_MAC[6];

struct fixture {
	struct progrun *progrun;
	struct settings settings;
	unsigned int ifindex[SLOT_COUNT], uplink;
	__u32 next_rule, next_step, next_list;
};

/* Interfaces are made once per process, in a network namespace of its own. NULL after printing why. */
struct fixture *fixture_new(const struct settings *settings);
void fixture_free(struct fixture *fixture);

/* No address, policy or flow, only interfaces and endpoints; array maps are as new only in a new fixture. */
void fixture_empty(struct fixture *fixture);
/* Forgets flows, fragments, drops and events. */
void fixture_forget(struct fixture *fixture);
/* Between tests: flows, fragments, events and policies as in a fresh fixture. */
void fixture_reset(struct fixture *fixture);

#define CLASS_ANY ((1 << CLASS_TCP) | (1 << CLASS_UDP) | (1 << CLASS_ICMP) | (1 << CLASS_OTHER))
struct class_rule {
	unsigned int classes; /* 1 << enum rule_class, or CLASS_ANY */
	struct policy_rule rule;
};

/* Writes a list of one step of rules, followed by `end` (0: nothing) and returns its number. */
__u32 fixture_list(struct fixture *fixture, const struct class_rule *rules, unsigned int count,
		   enum step_kind end);
__u32 fixture_list_allow(struct fixture *fixture);
/* Publishes; list 0 denies everything. Generations are left alone. */
void fixture_policy(struct fixture *fixture, enum slot slot, __u32 inbound, __u32 outbound);
/* Policies under which only A may open flows: A's inbound and B's outbound deny. */
void fixture_only_a_opens(struct fixture *fixture);
/* As the engine does after a change: flows of the endpoint are checked again. */
void fixture_bump(struct fixture *fixture, enum slot slot);

/* Puts an IPv4 address with sets and flags into address4. */
void fixture_address4(struct fixture *fixture, const char *text, __u64 sets, const struct address *address);

/* Sends a packet from an endpoint's interface, with its MAC unless the frame has one. */
void fixture_send(struct fixture *fixture, enum slot from, const struct frame *frame, struct run *ret);
/* Runs a packet through an arbitrary hook. */
void fixture_run(struct fixture *fixture, const struct hook *hook, const struct frame *frame,
		 struct run *ret);
/* A packet from the uplink that the host's stack forwards to an endpoint. */
void fixture_deliver(struct fixture *fixture, enum slot to, const struct frame *frame, struct run *ret);

/* The usual packets, for tests that are sequences. */
struct frame frame_tcp(const char *source, uint16_t source_port, const char *destination,
		       uint16_t destination_port, uint8_t flags);
struct frame frame_udp(const char *source, uint16_t source_port, const char *destination,
		       uint16_t destination_port);
struct frame frame_echo(const char *source, const char *destination, bool reply, uint16_t id);

/* True for every action that lets a packet go on. */
bool run_passes(const struct run *run);
const char *run_describe(const struct run *run, char text[128]);
/* Fail with a description when the run went otherwise. */
void assert_passes(const struct run *run);
void assert_drops(const struct run *run, enum drop_reason reason);

#endif
