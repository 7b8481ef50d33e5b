/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Model documents into the engine, the engine into the maps, packets through the program. */
#include "dataplane_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <netinet/in.h>

#include "model/profile.h"
#include "packet.h"

#define KEY "/calico/v1/host/here/workload/libnetwork/libnetwork/endpoint/e1"

static char *quoted(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *quoted(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	assert_true(vasprintf(&text, format, args) >= 0);
	va_end(args);
	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	return text;
}

static void on_problem(void *arg, const char *object, const char *text)
{
}

static void set_endpoint(struct enforced *enforced)
{
	char *text = quoted("{'state': 'active', 'name': 'cali0', 'mac': 'ee:ee:ee:ee:ee:ee',"
			    " 'profile_ids': ['first', 'web'], 'ipv4_nets': ['10.65.0.2/32'],"
			    " 'ipv6_nets': ['fd65::2/128']}");
	struct endpoint entry = {.ifindex = (__u32)enforced->ifindex,
				 .state = ENDPOINT_ACTIVE,
				 .mac = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee},
				 .host_mac = {HOST_MAC},
				 .name = "cali0"};
	struct workload_endpoint *model;
	struct err err;

	env_ok(workload_endpoint_parse(text, NULL, &model, &err), &err);
	assert_int_equal(policy_set_endpoint(enforced->engine, KEY, model, 1), 0);
	entry.generation_slot = policy_generation_slot(enforced->engine, 1);
	env_ok(dataplane_set_endpoint(enforced->dp, 1, &entry, &err), &err);
	workload_endpoint_free(model);
	free(text);
}

void enforced_open(struct enforced *enforced, enum drop_action drop_action)
{
	struct dataplane_config config = env_config(ATTACH_AUTO);
	struct err err;

	config.settings.drop_action = drop_action;
	*enforced = (struct enforced){.ifindex = link_index(env_netlink, "cali0")};
	if (enforced->ifindex <= 0)
		enforced->ifindex = env_veth("cali0");
	env_ok(dataplane_open(&config, &enforced->dp, &err), &err);
	assert_int_equal(policy_engine_new(dataplane_sink(enforced->dp), on_problem, NULL, &enforced->engine),
			 0);
	set_endpoint(enforced);
	assert_int_equal(policy_commit(enforced->engine), 0);
	env_ok(dataplane_activate(enforced->dp, &err), &err);
	enforced->program = bpf_obj_get(env_pin("programs/from_endpoint"));
	assert_true(enforced->program >= 0);
}

void enforced_close(struct enforced *enforced)
{
	close(enforced->program);
	policy_engine_free(enforced->engine);
	dataplane_close(enforced->dp);
}

void enforced_rules(struct enforced *enforced, const char *profile, const char *inbound, const char *outbound)
{
	char *text = quoted("{'inbound_rules': [%s], 'outbound_rules': [%s]}", inbound, outbound);
	struct rules *rules;
	struct err err;

	env_ok(rules_parse(text, &rules, &err), &err);
	assert_int_equal(policy_set_rules(enforced->engine, profile, rules), 0);
	assert_int_equal(policy_commit(enforced->engine), 0);
	free(text);
}

void enforced_policy(struct enforced *enforced, const char *tier, double order, const char *name,
		     const char *document)
{
	char *text = quoted("%s", document);
	struct policy *policy;
	struct err err;

	env_ok(policy_parse(text, &policy, &err), &err);
	assert_int_equal(policy_set_tier(enforced->engine, tier, &order), 0);
	assert_int_equal(policy_set_policy(enforced->engine, tier, name, policy), 0);
	assert_int_equal(policy_commit(enforced->engine), 0);
	free(text);
}

bool enforced_sends(struct enforced *enforced, uint16_t port)
{
	static const uint8_t mac[] = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee};
	const struct frame frame = {.source_mac = mac,
				    .source = "10.65.0.2",
				    .destination = "8.8.8.8",
				    .protocol = IPPROTO_TCP,
				    .source_port = 40000,
				    .destination_port = port};
	struct __sk_buff context = {.ingress_ifindex = (__u32)enforced->ifindex,
				    .ifindex = (__u32)enforced->ifindex};
	struct packet packet;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &context, .ctx_size_in = sizeof(context));

	packet_build(&frame, &packet);
	opts.data_in = packet.data;
	opts.data_size_in = (__u32)packet.length;
	assert_int_equal(bpf_prog_test_run_opts(enforced->program, &opts), 0);
	return opts.retval == 0;
}
