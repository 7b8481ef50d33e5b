/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl profile <PROFILE> rule ...: sections 4.4 to 4.6 of the command line specification. */
#include "cli/cmd_rule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/match.h"
#include "cli/profile_names.h"
#include "cli/validate.h"
#include "store/keys.h"

/* The stored rules of a profile; absent: none. Free with rules_free(). */
static int read_rules(struct ctl *ctl, const struct profile_ref *ref, const char *text, struct rules **ret)
{
	static const char none[] = "{\"inbound_rules\": [], \"outbound_rules\": []}";
	struct err err;

	if (rules_parse(text ? text : none, ret, &err) < 0)
		return ctl_failed(ctl, "Rules of profile %s are not valid: %s.", ref->given, err.text);
	if ((*ret)->id)
		return STATUS_DONE;
	(*ret)->id = arena_check(strdup(ref->id));
	return STATUS_DONE;
}

static void replace_text(char **text, const char *value)
{
	char *copy = arena_check(strdup(value));

	free(*text);
	*text = copy;
}

/* For translating tags: which profile, and which tags to accept that are no network's name. */
struct translation {
	struct ctl *ctl;
	struct profile_ref *ref;
	bool accept_all;
	const struct strings *accepted;
};

static int tag_to_name(void *arg, char **tag)
{
	const struct translation *t = arg;

	replace_text(tag, profile_ref_tag_name(t->ctl, t->ref, *tag));
	return STATUS_DONE;
}

static int tag_to_id(void *arg, char **tag)
{
	const struct translation *t = arg;
	const char *id = profile_ref_tag_id(t->ctl, t->ref, *tag);

	if (!id && (t->accept_all || (t->accepted && strings_has(t->accepted, *tag))))
		return STATUS_DONE;
	if (!id)
		return profile_ref_tag_unknown(t->ctl, *tag);
	replace_text(tag, id);
	return STATUS_DONE;
}

/* Opens the profile of the command line and reads its rules as they are shown. */
static int open_rules(struct ctl *ctl, const struct args *args, struct profile_ref *ref, struct rules **ret)
{
	const char *given = args_get(args, "<PROFILE>"), *text;
	struct translation t = {.ctl = ctl, .ref = ref};
	char key[KEY_MAX];
	int status;

	if (!check_profile_name(&ctl->out, given) || !ctl_open(ctl))
		return STATUS_FAILED;
	status = profile_ref_find(ctl, given, ref);
	if (status != STATUS_DONE)
		return status;
	if (!ctl_read(ctl, key_profile_part(key, ref->id, "rules"), &text))
		return STATUS_FAILED;
	status = read_rules(ctl, ref, text, ret);
	if (status != STATUS_DONE)
		return status;
	rules_visit_tags(*ret, tag_to_name, &t);
	if (ref->is_network)
		replace_text(&(*ret)->id, ref->given);
	return STATUS_DONE;
}

static void print_list(const struct rules_list *list, const char *heading, FILE *file)
{
	fprintf(file, "%s rules:\n", heading);
	for (size_t i = 0; i < list->count; i++) {
		char *text = arena_check(rule_format_text(&list->items[i]));

		fprintf(file, " %3zu %s\n", i + 1, text);
		free(text);
	}
}

static void show_rules(struct ctl *ctl, const struct rules *rules, const char *text)
{
	const char *line = ctl_keep(ctl, rules_format(rules));
	json_t *json = arena_check(json_loads(line, 0, NULL));

	out_document(&ctl->out, "rules", json, text);
	json_decref(json);
}

int cmd_rule_show(struct ctl *ctl, const struct args *args)
{
	struct profile_ref ref;
	struct rules *rules;
	char *text = NULL;
	size_t size = 0;
	int status = open_rules(ctl, args, &ref, &rules);

	if (status != STATUS_DONE)
		return status;

	FILE *memory = arena_check(open_memstream(&text, &size));

	print_list(&rules->inbound, "Inbound", memory);
	print_list(&rules->outbound, "Outbound", memory);
	fclose(memory);
	show_rules(ctl, rules, arena_check(text));
	free(text);
	rules_free(rules);
	return STATUS_DONE;
}

int cmd_rule_json(struct ctl *ctl, const struct args *args)
{
	struct profile_ref ref;
	struct rules *rules;
	int status = open_rules(ctl, args, &ref, &rules);

	if (status != STATUS_DONE)
		return status;
	show_rules(ctl, rules, ctl_text(ctl, "%s\n\n", ctl_keep(ctl, rules_format_pretty(rules))));
	rules_free(rules);
	return STATUS_DONE;
}

/* One rule to add or remove, or a position. */
struct rule_change {
	struct profile_ref ref;
	bool add, inbound, has_position, has_rule;
	long position; /* from 1, as given */
	struct rule rule;
};

static void change_done(struct rule_change *change)
{
	if (change->has_rule)
		rule_done(&change->rule);
}

static int add_rule(struct ctl *ctl, struct rule_change *change, struct rules_list *list)
{
	long count = (long)list->count, position = change->has_position ? change->position : count + 1;

	for (size_t i = 0; i < list->count; i++) {
		if (!rule_equal(&list->items[i], &change->rule))
			continue;
		out_say(&ctl->out, "Rule already present, skipping.");
		return -EEXIST;
	}
	if (position < 1 || position > count + 1) {
		out_say(&ctl->out, "Position %ld is out-of-range.", position);
		position = position < 1 ? 1 : count + 1;
	}
	if (rules_list_insert(list, (size_t)position - 1, &change->rule) < 0)
		arena_check(NULL);
	change->has_rule = false;
	return 0;
}

static int remove_at(struct ctl *ctl, long position, struct rules_list *list)
{
	if (position < 1 || position > (long)list->count) {
		out_say(&ctl->out, "Rule position out-of-range.");
		return -EEXIST;
	}
	rules_list_remove(list, (size_t)position - 1);
	return 0;
}

static int remove_equal(struct ctl *ctl, const struct rule *rule, struct rules_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (!rule_equal(&list->items[i], rule))
			continue;
		rules_list_remove(list, i);
		return 0;
	}
	out_say(&ctl->out, "Rule not found.");
	return -ENOENT;
}

static int change_rules(struct ctl *ctl, void *arg, const char *old, const char **ret_new)
{
	struct rule_change *change = arg;
	struct rules *rules;
	int status = read_rules(ctl, &change->ref, old, &rules), r;

	if (status != STATUS_DONE)
		return status;

	struct rules_list *list = change->inbound ? &rules->inbound : &rules->outbound;

	if (change->add)
		r = add_rule(ctl, change, list);
	else if (change->has_position)
		r = remove_at(ctl, change->position, list);
	else
		r = remove_equal(ctl, &change->rule, list);
	if (r == 0)
		*ret_new = ctl_keep(ctl, rules_format(rules));
	rules_free(rules);
	return r == -ENOENT ? STATUS_FAILED : STATUS_DONE;
}

/* The change that the words describe, checked; before any access to the datastore. */
static int parse_change(struct ctl *ctl, const struct args *args, struct rule_change *change)
{
	static const char *const actions[] = {"allow", "deny", NULL};
	const char *action = args_choice(args, actions), *position = args_get(args, "--at");
	struct match match;
	struct err err;
	bool ok;

	if (!match_parse(args, &match))
		return STATUS_USAGE;
	change->inbound = args_has(args, "inbound");
	change->has_position = position != NULL;
	ok = check_profile_name(&ctl->out, args_get(args, "<PROFILE>"));
	ok &= match_check(&match, &ctl->out);
	ok &= !position || integer_parse(position, &change->position);
	if (!ok)
		return STATUS_FAILED;
	if (action && match_to_rule(&match, action, &change->rule, &err) < 0)
		return ctl_failed(ctl, "Invalid rule: %s.", err.text);
	change->has_rule = action != NULL;
	return STATUS_DONE;
}

static int run_change(struct ctl *ctl, const struct args *args, bool add)
{
	struct rule_change change = {.add = add};
	/* What names a network that is gone can still be removed. */
	struct translation t = {.ctl = ctl, .ref = &change.ref, .accept_all = !add};
	char key[KEY_MAX];
	int status = parse_change(ctl, args, &change);

	if (status != STATUS_DONE)
		return status;
	status = ctl_open(ctl) ? profile_ref_find(ctl, args_get(args, "<PROFILE>"), &change.ref)
			       : STATUS_FAILED;
	if (status == STATUS_DONE && change.has_rule)
		status = rule_visit_tags(&change.rule, tag_to_id, &t);
	if (status == STATUS_DONE)
		status =
			ctl_change(ctl, key_profile_part(key, change.ref.id, "rules"), change_rules, &change);
	change_done(&change);
	return status;
}

int cmd_rule_add(struct ctl *ctl, const struct args *args)
{
	return run_change(ctl, args, true);
}

int cmd_rule_remove(struct ctl *ctl, const struct args *args)
{
	return run_change(ctl, args, false);
}

/* All of standard input, kept until the end of the run; NULL: told why not. */
static const char *read_input(struct ctl *ctl)
{
	size_t size = 0, length = 0, got;
	char *text = NULL;

	do {
		size = size ? 2 * size : 65536;
		text = arena_check(realloc(text, size));
		got = fread(text + length, 1, size - 1 - length, stdin);
		length += got;
	} while (length == size - 1 && length <= MODEL_MAX_BYTES);
	text[length] = '\0';
	if (!ferror(stdin) && length <= MODEL_MAX_BYTES && strlen(text) == length)
		return ctl_keep(ctl, text);
	free(text);
	ctl_failed(ctl, "Rules JSON cannot be read: not a text of at most %d bytes.", MODEL_MAX_BYTES);
	return NULL;
}

/* NULL: told why not. Free with rules_free(). */
static struct rules *parse_rules(struct ctl *ctl, const char *text)
{
	struct rules *rules;
	struct err err;

	if (rules_parse(text, &rules, &err) < 0) {
		ctl_failed(ctl, "Rules JSON is not valid: %s.", err.text);
		return NULL;
	}
	if (rules->id)
		return rules;
	rules_free(rules);
	ctl_failed(ctl, "Rules JSON is not valid: id is missing.");
	return NULL;
}

static int collect_tag(void *arg, char **tag)
{
	return strings_add(arg, *tag);
}

/* Rules to store, as they were given: with names of networks. */
struct update {
	struct profile_ref ref;
	struct rules *rules;
};

/* Also accepts tags that are stored now, so that what `rule json` prints can always be given back. */
static int replace_rules(struct ctl *ctl, void *arg, const char *old, const char **ret_new)
{
	struct update *update = arg;
	struct strings stored_tags = {0};
	struct translation t = {.ctl = ctl, .ref = &update->ref, .accepted = &stored_tags};
	struct rules *stored = NULL;
	int status;

	/* Stored rules that are not valid any more must not be in the way of replacing them. */
	if (old && rules_parse(old, &stored, NULL) == 0 &&
	    rules_visit_tags(stored, collect_tag, &stored_tags) < 0)
		arena_check(NULL);
	status = rules_visit_tags(update->rules, tag_to_id, &t);
	if (status == STATUS_DONE) {
		replace_text(&update->rules->id, update->ref.id);
		*ret_new = ctl_keep(ctl, rules_format(update->rules));
	}
	rules_free(stored);
	strings_done(&stored_tags);
	return status;
}

static int run_update(struct ctl *ctl, struct update *update)
{
	const char *given = update->ref.given;
	char key[KEY_MAX];
	int status;

	if (strcmp(update->rules->id, given) != 0) {
		out_say(&ctl->out, "Rules JSON \"id\"=%s doesn't match profile name %s.", update->rules->id,
			given);
		return STATUS_FAILED;
	}
	status = ctl_change(ctl, key_profile_part(key, update->ref.id, "rules"), replace_rules, update);
	if (status == STATUS_DONE)
		out_say(&ctl->out, "Successfully updated rules on profile %s", given);
	return status;
}

int cmd_rule_update(struct ctl *ctl, const struct args *args)
{
	const char *given = args_get(args, "<PROFILE>"), *text;
	struct update update = {0};
	int status;

	if (!check_profile_name(&ctl->out, given) || !ctl_open(ctl))
		return STATUS_FAILED;
	status = profile_ref_find(ctl, given, &update.ref);
	if (status != STATUS_DONE)
		return status;
	text = read_input(ctl);
	update.rules = text ? parse_rules(ctl, text) : NULL;
	status = update.rules ? run_update(ctl, &update) : STATUS_FAILED;
	rules_free(update.rules);
	return status;
}
