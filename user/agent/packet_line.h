/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A packet event in words. Pure. */
#ifndef AGENT_PACKET_LINE_H
#define AGENT_PACKET_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "abi.h"

#define PACKET_LINE 768

/* What an event's numbers mean. */
struct packet_names {
	const char *prefix;	      /* of the LOG rule, or "calico-drop" */
	const char *interface;	      /* of the endpoint whose policy or address it was about */
	const struct rule_info *rule; /* NULL: none, or not known any more */
	bool accepted;		      /* DropActionOverride has let it pass */
};

/*
 * "audit: cali0 tcp 10.65.0.2:40000 -> 10.65.0.3:80 length 74, outbound rule 1 of profile web: log tcp"; for
 * a drop its reason stands before the rule.
 */
void packet_line(char line[PACKET_LINE], const struct packet_event *event, const struct packet_names *names);

/* "source address is not the endpoint's" */
const char *drop_reason_text(__u32 reason);

#endif
