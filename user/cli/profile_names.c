/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Profiles of Docker networks: from ids to names and back. */
#include "cli/profile_names.h"

#include <string.h>

#include "cli/command.h"
#include "cli/docker_api.h"
#include "store/keys.h"

/* Answers of the engine in this run: a profile may name the same tag in each of its rules. */
struct known_network {
	struct known_network *next;
	const char *name, *id; /* one of them NULL: the other is no network's */
};

bool profile_ref_exists(struct ctl *ctl, const char *id, bool *ret)
{
	char key[KEY_MAX];
	struct store_list list;

	if (!ctl_list(ctl, key_profile(key, id), &list))
		return false;
	*ret = list.count > 0;
	store_list_done(&list);
	return true;
}

int profile_ref_find(struct ctl *ctl, const char *given, struct profile_ref *ret)
{
	struct docker_network network;
	bool exists;

	*ret = (struct profile_ref){.given = given, .id = given};
	if (!profile_ref_exists(ctl, given, &exists))
		return STATUS_FAILED;
	if (exists)
		return STATUS_DONE;
	if (docker_network_by_name(ctl, given, &network)) {
		if (!profile_ref_exists(ctl, network.id, &exists))
			return STATUS_FAILED;
		ret->id = network.id;
		ret->is_network = true;
	}
	if (exists)
		return STATUS_DONE;
	out_say(&ctl->out, "Profile %s not found.", given);
	return STATUS_FAILED;
}

static const struct known_network *remember(struct ctl *ctl, struct profile_ref *ref, const char *name,
					    const char *id)
{
	struct known_network *known = arena_alloc(&ctl->out.arena, sizeof(*known));

	known->name = name ? ctl_text(ctl, "%s", name) : NULL;
	known->id = id ? ctl_text(ctl, "%s", id) : NULL;
	known->next = ref->known;
	ref->known = known;
	return known;
}

const char *profile_ref_tag_name(struct ctl *ctl, struct profile_ref *ref, const char *tag)
{
	const struct known_network *known = ref->known;
	struct docker_network network;

	if (!ref->is_network)
		return tag;
	while (known && (!known->id || strcmp(known->id, tag) != 0))
		known = known->next;
	if (!known)
		known = remember(ctl, ref, docker_network_by_id(ctl, tag, &network) ? network.name : NULL,
				 tag);
	return known->name ? known->name : tag;
}

const char *profile_ref_tag_id(struct ctl *ctl, struct profile_ref *ref, const char *tag)
{
	const struct known_network *known = ref->known;
	struct docker_network network;

	if (!ref->is_network)
		return tag;
	while (known && (!known->name || strcmp(known->name, tag) != 0))
		known = known->next;
	if (!known)
		known = remember(ctl, ref, tag,
				 docker_network_by_name(ctl, tag, &network) ? network.id : NULL);
	return known->id;
}

int profile_ref_tag_unknown(struct ctl *ctl, const char *tag)
{
	out_para(&ctl->out,
		 "Docker network (%s) does not exist.  Create the network first, then use it as a tag.", tag);
	return STATUS_FAILED;
}

int rule_visit_tags(struct rule *rule, tag_visitor visit, void *arg)
{
	char **tags[] = {&rule->match.src.tag, &rule->match.dst.tag, &rule->not_match.src.tag,
			 &rule->not_match.dst.tag};
	int r = 0;

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]) && r == 0; i++)
		if (*tags[i])
			r = visit(arg, tags[i]);
	return r;
}

int rules_visit_tags(struct rules *rules, tag_visitor visit, void *arg)
{
	struct rules_list *lists[] = {&rules->inbound, &rules->outbound};
	int r = 0;

	for (size_t d = 0; d < 2; d++)
		for (size_t i = 0; i < lists[d]->count && r == 0; i++)
			r = rule_visit_tags(&lists[d]->items[i], visit, arg);
	return r;
}
