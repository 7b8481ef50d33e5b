/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Profiles of Docker networks: stored under network ids, shown and edited under network names. Section 4.3 of
 * the command line specification.
 */
#ifndef CLI_PROFILE_NAMES_H
#define CLI_PROFILE_NAMES_H

#include "cli/ctl.h"
#include "model/rules.h"

struct profile_ref {
	const char *given; /* as the user names it */
	const char *id;	   /* in the datastore */
	bool is_network;   /* `given` is a network's name: tags are translated too */
	struct known_network *known;
};

bool profile_ref_exists(struct ctl *ctl, const char *id, bool *ret);
/* Finds a profile by id, then by network name. Otherwise tells what is wrong and returns STATUS_FAILED. */
int profile_ref_find(struct ctl *ctl, const char *given, struct profile_ref *ret);

/* Tag as shown: an unknown id stays as it is. */
const char *profile_ref_tag_name(struct ctl *ctl, struct profile_ref *ref, const char *tag);
/* Tag as stored; NULL: there is no such network. */
const char *profile_ref_tag_id(struct ctl *ctl, struct profile_ref *ref, const char *tag);
/* Tells that a tag's network does not exist. Returns STATUS_FAILED. */
int profile_ref_tag_unknown(struct ctl *ctl, const char *tag);

/* Calls back for each tag in a rule or in all rules; the tag may be replaced. Ends at the first non-zero. */
typedef int (*tag_visitor)(void *arg, char **tag);
int rule_visit_tags(struct rule *rule, tag_visitor visit, void *arg);
int rules_visit_tags(struct rules *rules, tag_visitor visit, void *arg);

#endif
