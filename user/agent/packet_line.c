/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packet events as lines of the log. */
#include "agent/packet_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "reasons.h"
#include "util/addr.h"

const char *drop_reason_text(__u32 reason)
{
	static const char *const texts[DROP_REASON_COUNT] = {[DROP_NONE] = "none",
#define X(name, text) [DROP_REASON_##name] = text,
							     DROP_REASONS(X)
#undef X
	};

	return reason < DROP_REASON_COUNT ? texts[reason] : "unknown reason";
}

struct line {
	char *text;
	size_t used;
};

/* What does not fit is left out. */
__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...)
{
	size_t room = PACKET_LINE - line->used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line->text + line->used, room, format, args);
	va_end(args);
	if (n > 0)
		line->used += (size_t)n < room ? (size_t)n : room - 1;
}

static void add_protocol(struct line *line, __u8 protocol)
{
	static const char *const names[] = {
		[IPPROTO_ICMP] = "icmp",     [IPPROTO_TCP] = "tcp",   [IPPROTO_UDP] = "udp",
		[IPPROTO_ICMPV6] = "icmpv6", [IPPROTO_SCTP] = "sctp", [IPPROTO_UDPLITE] = "udplite",
	};

	if (protocol < sizeof(names) / sizeof(names[0]) && names[protocol])
		add(line, " %s", names[protocol]);
	else
		add(line, " protocol %u", protocol);
}

static bool has_ports(const struct packet_event *event)
{
	switch (event->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case IPPROTO_UDPLITE:
		return true;
	}
	return false;
}

static void add_end(struct line *line, const struct packet_event *event, const __be32 *address, __be16 port)
{
	struct addr addr = {.family = event->family};
	char text[ADDR_TEXT];

	memcpy(addr.bytes, address, addr_bits(&addr) / 8);
	addr_format(&addr, text);
	if (!has_ports(event))
		add(line, " %s", text);
	else
		add(line, event->family == 6 ? " [%s]:%u" : " %s:%u", text, ntohs(port));
}

static void add_packet(struct line *line, const struct packet_event *event)
{
	/* ARP, and what was dropped before its addresses were read. */
	if (event->family != 4 && event->family != 6)
		return;
	add_protocol(line, event->protocol);
	if (event->protocol == (event->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		add(line, " type %u code %u", ntohs(event->source_port), ntohs(event->destination_port));
	add_end(line, event, event->source, event->source_port);
	add(line, " ->");
	add_end(line, event, event->destination, event->destination_port);
}

void packet_line(char line[PACKET_LINE], const struct packet_event *event, const struct packet_names *names)
{
	const struct rule_info *rule = names->rule;
	struct line out = {.text = line};

	add(&out, "%s: %s", names->prefix, names->interface);
	add_packet(&out, event);
	add(&out, " length %u", event->length);
	if (event->reason)
		add(&out, ", %s", drop_reason_text(event->reason));
	if (event->reason && names->accepted)
		add(&out, " (accepted by DropActionOverride)");
	if (rule)
		add(&out, ", %s rule %u of %s: %s", rule->direction, rule->position, rule->object,
		    rule->text);
}
