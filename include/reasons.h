/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Why a packet was dropped. One list: the enum, whose names dumps show, and the texts of `calicoctl status`
 * and of the log come from it. The numbers are an interface (counters survive restarts): append only, never
 * renumber. Some are kept though no program gives them.
 */
#ifndef REASONS_H
#define REASONS_H

/*	   name			text */
#define DROP_REASONS(X)                                                                                      \
	X(SHORT, "packet ends inside a header")                                                              \
	X(ETHERTYPE, "not IPv4, IPv6 or ARP")                                                                \
	X(VLAN, "VLAN tagged frame")                                                                         \
	X(MALFORMED, "header fields contradict each other")                                                  \
	X(IP_OPTIONS, "IP options or too many extension headers")                                            \
	X(SPOOFED_IP, "source address is not the endpoint's")                                                \
	X(SPOOFED_MAC, "source MAC is not the endpoint's")                                                   \
	X(SPOOFED_ARP, "ARP or neighbour message for a foreign address")                                     \
	X(UNKNOWN_INTERFACE, "interface has no endpoint")                                                    \
	X(ENDPOINT_INACTIVE, "endpoint is inactive or not ready")                                            \
	X(POLICY_OUTBOUND, "no outbound rule of the sender allows it")                                       \
	X(POLICY_INBOUND, "no inbound rule of the receiver allows it")                                       \
	X(RULE_OUTBOUND, "denied by an outbound rule of the sender")                                         \
	X(RULE_INBOUND, "denied by an inbound rule of the receiver")                                         \
	X(TIER_END, "a tier applied and none of its rules decided")                                          \
	X(NO_PROFILE, "a profile of the endpoint is missing or invalid")                                     \
	X(POLICY_FAILED, "the endpoint's policy could not be installed")                                     \
	X(REVOKED, "policy changed and no longer allows this flow")                                          \
	X(HOST_ACTION, "DefaultEndpointToHostAction is DROP")                                                \
	X(FLOW_INVALID, "does not belong to any flow and cannot open one")                                   \
	X(FLOW_TABLE_FULL, "flow table is full")                                                             \
	X(FLOW_LIMIT, "endpoint has too many half-open flows")                                               \
	X(ICMP_UNRELATED, "ICMP error about no known flow")                                                  \
	X(FRAGMENT_ORPHAN, "fragment without its first fragment")                                            \
	X(FRAGMENT_TINY, "fragment too small or overlapping the header")                                     \
	X(TUNNEL, "encapsulated packet from an endpoint")                                                    \
	X(BROADCAST, "broadcast or multicast is not forwarded")                                              \
	X(MARTIAN, "address that must not appear here")                                                      \
	X(ROUTER_ADVERTISEMENT, "router advertisement from an endpoint")                                     \
	X(NO_DESTINATION, "address in a pool that no endpoint has")                                          \
	X(TTL, "time to live exceeded")                                                                      \
	X(TAIL_CALL, "program missing in the call table")                                                    \
	X(UNAPPROVED, "packet of an endpoint that no policy approved")                                       \
	X(BLOCKED, "source is on the block list")                                                            \
	X(FLOOD, "too many new flows from one source")                                                       \
	X(INTERNAL, "a map that must exist does not")                                                        \
	X(NAT_LOST, "the address or port that it was translated to is gone")

enum drop_reason {
	DROP_NONE = 0,
#define X(name, text) DROP_REASON_##name,
	DROP_REASONS(X)
#undef X
		DROP_REASON_COUNT
};

#endif
