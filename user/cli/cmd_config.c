/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl config: section 13 of the command line specification. */
#include "cli/command.h"

#include <string.h>

#include "cli/validate.h"
#include "store/keys.h"

/* The one setting of each component that is known by name; any other needs --force. */
struct component {
	const char *stored_as; /* of "loglevel" */
	const char *const *values;
};

static const char *const felix_levels[] = {"none", "debug", "info", "warning", "error", "critical", NULL};
static const char *const bgp_levels[] = {"none", "debug", "info", NULL};
static const struct component felix = {"LogSeverityScreen", felix_levels};
static const struct component bgp = {"loglevel", bgp_levels};

static bool is_one_of(const char *text, const char *const *values)
{
	for (; *values; values++)
		if (!strcmp(text, *values))
			return true;
	return false;
}

static bool allowed_by_force(struct ctl *ctl, const struct args *args)
{
	if (args_has(args, "--force")) {
		out_para(&ctl->out, "The --force option is set.");
		return true;
	}
	out_para(&ctl->out, "Use the --force option to do it nevertheless.");
	return false;
}

/* What to append to the component's path; NULL: refused, and told why. */
static const char *setting_name(struct ctl *ctl, const struct args *args, const struct component *component)
{
	const char *name = args_get(args, "<NAME>"), *value = args_get(args, "<VALUE>");

	if (!check_name(&ctl->out, "setting", name))
		return NULL;
	if (strcmp(name, "loglevel") != 0) {
		out_para(&ctl->out, "'%s' is not recognized as a valid option.", name);
		return allowed_by_force(ctl, args) ? name : NULL;
	}
	if (value && !is_one_of(value, component->values)) {
		out_para(&ctl->out, "'%s' is not recognized as a valid value for '%s'.", value, name);
		if (!allowed_by_force(ctl, args))
			return NULL;
	}
	return component->stored_as;
}

static int remove_setting(struct ctl *ctl, const char *key)
{
	bool was;

	if (!ctl_delete(ctl, key, &was))
		return STATUS_FAILED;
	out_say(&ctl->out, "%s", was ? "Value removed" : "No value configured");
	return STATUS_DONE;
}

static int show_setting(struct ctl *ctl, const char *key)
{
	const char *text;

	if (!ctl_read(ctl, key, &text))
		return STATUS_FAILED;
	if (text)
		out_value(&ctl->out, "value", text);
	else
		out_say(&ctl->out, "No value configured");
	return STATUS_DONE;
}

static int run(struct ctl *ctl, const struct args *args, const char *key)
{
	const char *value = args_get(args, "<VALUE>");

	if (!ctl_open(ctl))
		return STATUS_FAILED;
	if (args_has(args, "--remove"))
		return remove_setting(ctl, key);
	if (value)
		return ctl_write(ctl, key, value) ? STATUS_DONE : STATUS_FAILED;
	return show_setting(ctl, key);
}

static int config_felix(struct ctl *ctl, const struct args *args)
{
	const char *name = setting_name(ctl, args, &felix);
	char key[KEY_MAX];

	return name ? run(ctl, args, key_config(key, name)) : STATUS_FAILED;
}

static int config_bgp(struct ctl *ctl, const struct args *args)
{
	const char *name = setting_name(ctl, args, &bgp);
	char key[KEY_MAX];

	return name ? run(ctl, args, key_bgp_global(key, name)) : STATUS_FAILED;
}

static int config_node_bgp(struct ctl *ctl, const struct args *args)
{
	const char *name = setting_name(ctl, args, &bgp);
	char key[KEY_MAX];

	return name ? run(ctl, args, key_bgp_host(key, ctl->config->hostname, name)) : STATUS_FAILED;
}

static const struct form forms[] = {
	{"felix <NAME> [<VALUE>] [--force] [-o <FORMAT>]", config_felix},
	{"felix <NAME> --remove [--force]", config_felix},
	{"bgp <NAME> [<VALUE>] [--force] [-o <FORMAT>]", config_bgp},
	{"bgp <NAME> --remove [--force]", config_bgp},
	{"node bgp <NAME> [<VALUE>] [--force] [-o <FORMAT>]", config_node_bgp},
	{"node bgp <NAME> --remove [--force]", config_node_bgp},
	{0},
};

static const struct option_spec options[] = {
	{"--remove", "Remove the stored value."},
	{"--force", "Accept names and values that this command does not know."},
	OPTION_OUTPUT,
	{0},
};

const struct command command_config = {
	.name = "config",
	.summary = "Settings of the components",
	.description =
		"Show, set or remove a setting of the daemons (felix), of routing on all nodes (bgp), or of\n"
		"routing on this node (node bgp). 'loglevel' is known for each. Other names need --force.",
	.forms = forms,
	.options = options,
};
