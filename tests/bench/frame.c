/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Builds frames. */
#include "bench/frame.h"

#include <string.h>

#include <arpa/inet.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#include "bench/bench.h"

#define HOPS 64

void frame_address_parse(struct frame_address *ret, const char *text)
{
	memset(ret, 0, sizeof(*ret));
	ret->family = strchr(text, ':') ? 6 : 4;
	if (inet_pton(ret->family == 6 ? AF_INET6 : AF_INET, text, ret->bytes) != 1)
		bench_fail("%s is no address", text);
}

static void put_ipv4(struct iphdr *ip, const struct frame_spec *spec, uint16_t length)
{
	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = htons(length);
	ip->id = htons(1);
	ip->frag_off = htons(spec->fragment);
	ip->ttl = HOPS;
	ip->protocol = spec->protocol;
	memcpy(&ip->saddr, spec->source.bytes, sizeof(ip->saddr));
	memcpy(&ip->daddr, spec->destination.bytes, sizeof(ip->daddr));
}

static void put_ipv6(struct ip6_hdr *ip, const struct frame_spec *spec, uint16_t length)
{
	ip->ip6_vfc = 6 << 4;
	ip->ip6_plen = htons((uint16_t)(length - sizeof(*ip)));
	ip->ip6_nxt = spec->protocol;
	ip->ip6_hlim = HOPS;
	memcpy(&ip->ip6_src, spec->source.bytes, sizeof(ip->ip6_src));
	memcpy(&ip->ip6_dst, spec->destination.bytes, sizeof(ip->ip6_dst));
}

static void put_l4(uint8_t *l4, const struct frame_spec *spec, uint16_t length)
{
	const uint16_t ports[2] = {htons(spec->source_port), htons(spec->destination_port)};
	struct udphdr *udp = (struct udphdr *)l4;

	memcpy(l4, ports, sizeof(ports));
	if (spec->protocol == IPPROTO_UDP) {
		udp->len = htons(length);
		return;
	}
	l4[12] = sizeof(struct tcphdr) / 4 << 4;
	l4[13] = spec->tcp_flags;
}

void frame_make(struct frame *ret, const struct frame_spec *spec)
{
	static const uint8_t host[] = {0xee, 0xee, 0xee, 0xee, 0xee, 0xfe},
			     container[] = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee};
	struct ether_header *ethernet = (struct ether_header *)ret->bytes;
	uint16_t header = spec->source.family == 6 ? sizeof(struct ip6_hdr) : sizeof(struct iphdr);
	uint16_t length = ROTATE_LENGTH - sizeof(*ethernet);

	memset(ret, 0, sizeof(*ret));
	memcpy(ethernet->ether_dhost, host, sizeof(host));
	memcpy(ethernet->ether_shost, container, sizeof(container));
	ethernet->ether_type = htons(spec->source.family == 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP);
	if (spec->source.family == 6)
		put_ipv6((struct ip6_hdr *)(ethernet + 1), spec, length);
	else
		put_ipv4((struct iphdr *)(ethernet + 1), spec, length);
	ret->port_offset = (uint32_t)sizeof(*ethernet) + header;
	put_l4(ret->bytes + ret->port_offset, spec, (uint16_t)(length - header));
}
