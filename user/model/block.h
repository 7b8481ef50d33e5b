/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* IPAM v2 values: allocation block, handle, configuration. Wire format of libcalico; pure. */
#ifndef MODEL_BLOCK_H
#define MODEL_BLOCK_H

#include "model/model.h"

#define BLOCK_SIZE  64
#define BLOCK_BITS4 26
#define BLOCK_BITS6 122

struct block {
	struct cidr cidr;
	char *affinity; /* host name; NULL: none */
	bool strict_affinity;
	int allocations[BLOCK_SIZE];	 /* index into attributes; -1: free */
	uint8_t unallocated[BLOCK_SIZE]; /* free ordinals in order of use */
	size_t unallocated_count;
	json_t *attributes; /* array of {"handle_id":..,"secondary":..}, each in use */
	json_t *raw;	    /* the document's other members, kept by block_format(); may be NULL */
};

/*
 * Checks all invariants that other clients assert (IPAM specification, "Block JSON"); repairs none but a
 * missing "unallocated", which is rebuilt in ascending order.
 */
int block_parse(const char *text, struct block **ret, struct err *err);
void block_free(struct block *block);
/* An empty block of that network; host NULL: no affinity. NULL: no memory. */
struct block *block_new(const struct cidr *cidr, const char *host, bool strict);
char *block_format(const struct block *block);
/* The block that the address belongs to. */
struct cidr block_cidr_of(const struct addr *addr);

/* Which addresses may be assigned; those that may not stay where they are in the queue. */
struct block_filter {
	bool (*may)(void *arg, const struct addr *addr);
	void *arg;
};
/*
 * Takes up to `wanted` addresses from the front of the queue; returns how many. filter NULL: any address.
 * attribute: {"handle_id", "secondary"}, borrowed, matched by equality of these two with present ones.
 */
size_t block_assign_any(struct block *block, size_t wanted, const struct block_filter *filter,
			json_t *attribute, struct addr *ret);
/* 0, -EEXIST (assigned already), -ERANGE (not in this block), -ENOMEM. */
int block_assign(struct block *block, const struct addr *addr, json_t *attribute);
/*
 * 0, -ENOENT (was free), -ERANGE, -ENOMEM. The ordinal goes to the end of the queue; unused attributes
 * vanish, indices are renumbered. *ret_handle: malloc'd or NULL; ret_handle may be NULL.
 */
int block_release(struct block *block, const struct addr *addr, char **ret_handle);
/* Borrowed; NULL when the address is free. */
json_t *block_attribute(const struct block *block, const struct addr *addr);
size_t block_used(const struct block *block);
bool block_empty(const struct block *block);

struct ipam_config {
	bool strict_affinity, auto_allocate_blocks;
};
int ipam_config_parse(const char *text, struct ipam_config *ret, struct err *err);

/*
 * Handle: {"id": .., "block": {"cidr": count}}. count_change may be negative; a count of 0 removes the entry.
 * 0, -EBADMSG, -ENOMEM; 1 when the handle had less than what is taken away: others have miscounted, the entry
 * is removed and the caller may say so.
 */
int handle_change(const char *id, const char *text_or_null, const struct cidr *block, int count_change,
		  char **ret_text /* NULL: delete */, struct err *err);

#endif
