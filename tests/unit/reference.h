/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What policy must conclude, written as slowly and plainly as the specification says it: every verdict walks
 * all documents again. It shares nothing with the engine but the model's parsers.
 */
#ifndef TESTS_UNIT_REFERENCE_H
#define TESTS_UNIT_REFERENCE_H

#include "model/endpoint.h"
#include "model/pool.h"
#include "model/profile.h"
#include "reasons.h"
#include "unit/mapeval.h"

enum kind {
	RULES,	 /* name: profile */
	TAGS,	 /* name: profile */
	LABELS,	 /* name: profile */
	TIER,	 /* name: tier */
	POLICY,	 /* name: "tier/policy" */
	POOL,	 /* name: as in keys, "10.65.0.0-16" */
	BLOCK,	 /* of addresses, that IPAM gave to this host; name as that of a pool, any text */
	BLOCKED, /* network on the block list; the same */
	ADDRESS, /* name: an address of this host; any text */
	NODE,	 /* name: an address that is registered for a host; any text */
	WORKLOAD,
	HOST_ENDPOINT,
	KINDS,
};

struct document {
	enum kind kind;
	char *name, *text;
	__u32 slot;	/* WORKLOAD */
	__u64 sequence; /* larger: set later */
	union {
		struct rules *rules;
		struct strings tags;
		struct labels labels;
		double order;
		struct policy *policy;
		struct pool *pool;
		struct addr addr;
		struct cidr cidr;
		struct workload_endpoint *workload;
		struct host_endpoint *host_endpoint;
	};
};

struct world {
	struct document *documents[512];
	size_t count;
	__u64 sequence;
};

/* A document from its text. NULL: not valid. */
struct document *document_parse(enum kind kind, const char *name, const char *text);
void document_free(struct document *document);

/* text NULL removes. false: the text is not valid, and nothing was changed. */
bool world_set(struct world *world, enum kind kind, const char *name, const char *text, __u32 slot);
struct document *world_find(const struct world *world, enum kind kind, const char *name);
/* The endpoint in a slot, or NULL. */
struct document *world_slot(const struct world *world, __u32 slot);
void world_done(struct world *world);

/* A rule that matched. */
struct reference_hit {
	const struct document *document; /* RULES or POLICY */
	const struct rule *rule;
	size_t position; /* in its list, from 1 */
	bool inbound;
	bool decided; /* allowed or denied the packet */
	bool logged;
};

#define REFERENCE_HITS 256

struct reference {
	bool allowed;
	enum drop_reason reason; /* DROP_NONE when allowed */
	int logs;
	struct reference_hit hits[REFERENCE_HITS]; /* in order */
	size_t hit_count;
};
struct reference reference_judge(const struct world *world, __u32 slot, bool inbound,
				 const struct probe *probe);
/*
 * The type of the ICMP question that a packet asks or answers; 0: neither. *ret_asks: it asks. Only the other
 * end's answer belongs to the flow of a question: the same question from there is one of its own.
 */
__u8 reference_question(const struct probe *probe, bool *ret_asks);
/* The type of the answer to that question. */
__u8 reference_answer(int family, __u8 question);
/* Is the address in a network on the block list? */
bool reference_blocked(const struct world *world, const struct addr *addr);
/* enum address_flags, and the slot of the endpoint that owns the address. */
__u16 reference_flags(const struct world *world, const struct addr *addr, __u32 *ret_slot);

#endif
