/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* calicoctl ipam: section 7 of the command line specification. */
#include "cli/command.h"

#include <errno.h>

#include "cli/validate.h"
#include "ipam/ipam.h"

static bool open_ipam(struct ctl *ctl, const struct args *args, struct addr *ret_addr, struct ipam *ret)
{
	if (!check_ip(&ctl->out, args_get(args, "<IP>"), ret_addr) || !ctl_open(ctl))
		return false;
	*ret = (struct ipam){.store = ctl->store, .host = ctl->config->hostname};
	return true;
}

static int ipam_release_ip(struct ctl *ctl, const struct args *args)
{
	struct ipam ipam;
	struct addr addr;
	struct err err;
	int r;

	if (!open_ipam(ctl, args, &addr, &ipam))
		return STATUS_FAILED;
	r = ipam_release(&ipam, &addr, &err);
	if (r < 0 && r != -ENOENT)
		return ctl_store_failed(ctl, &err);
	out_say(&ctl->out, "%s", r == 0 ? "Address successfully released" : "Failed to release address");
	return STATUS_DONE;
}

/* What the one who assigned the address said about it; NULL: nothing. */
static json_t *attributes_of(json_t *attribute)
{
	json_t *secondary = json_object_get(attribute, "secondary");

	return json_object_size(secondary) ? secondary : NULL;
}

static int ipam_show_info(struct ctl *ctl, const struct args *args)
{
	struct ipam ipam;
	struct addr addr;
	struct err err;
	json_t *attribute = NULL;
	char text[ADDR_TEXT];
	int r;

	if (!open_ipam(ctl, args, &addr, &ipam))
		return STATUS_FAILED;
	r = ipam_info(&ipam, &addr, &attribute, &err);
	if (r < 0 && r != -ENOENT)
		return ctl_store_failed(ctl, &err);

	json_t *attributes = attributes_of(attribute);

	addr_format(&addr, text);
	if (r == -ENOENT)
		out_say(&ctl->out, "IP %s is not currently assigned", text);
	else if (!attributes)
		out_say(&ctl->out, "No attributes defined for %s", text);
	else
		out_document(&ctl->out, "attributes", attributes,
			     ctl_text(ctl, "%s\n", ctl_keep(ctl, model_json_format(attributes))));
	json_decref(attribute);
	return STATUS_DONE;
}

static const struct form forms[] = {
	{"release <IP>", ipam_release_ip},
	{"info <IP> [-o <FORMAT>]", ipam_show_info},
	{0},
};

static const struct option_spec options[] = {OPTION_OUTPUT, {0}};

const struct command command_ipam = {
	.name = "ipam",
	.summary = "Single addresses of the pools",
	.description = "Show what an address was assigned for, or release it. Releasing does not touch the\n"
		       "endpoint that uses the address.",
	.forms = forms,
	.options = options,
};
