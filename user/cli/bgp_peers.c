/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* BGP peers of all nodes, or of one. */
#include "cli/bgp_peers.h"

#include <stdlib.h>
#include <string.h>

#include "cli/validate.h"
#include "store/keys.h"

#define DEFAULT_AS "64511"

static const char *directory_name(uint8_t family)
{
	return family == 6 ? "peer_v6" : "peer_v4";
}

static const char *peers_key(char key[KEY_MAX], const char *host, const char *name)
{
	return host ? key_bgp_host(key, host, name) : key_bgp_global(key, name);
}

static const char *peer_key(struct ctl *ctl, char key[KEY_MAX], const char *host, const struct addr *ip)
{
	char text[ADDR_TEXT];

	return peers_key(key, host,
			 ctl_text(ctl, "%s/%s", directory_name(ip->family), addr_format(ip, text)));
}

int bgp_peer_add(struct ctl *ctl, const struct args *args, const struct peer_scope *scope)
{
	struct addr ip;
	uint32_t as;
	char key[KEY_MAX], text[ADDR_TEXT];
	bool ip_ok = check_ip(&ctl->out, args_get(args, "<PEER_IP>"), &ip);
	bool as_ok = check_as(&ctl->out, args_get(args, "<AS_NUM>"), &as);

	if (!ip_ok || !as_ok || !ctl_open(ctl))
		return STATUS_FAILED;

	const char *value = ctl_text(ctl, "{\"ip\": \"%s\", \"as_num\": \"%u\"}", addr_format(&ip, text), as);

	return ctl_write(ctl, peer_key(ctl, key, scope->host, &ip), value) ? STATUS_DONE : STATUS_FAILED;
}

int bgp_peer_remove(struct ctl *ctl, const struct args *args, const struct peer_scope *scope)
{
	struct addr ip;
	char key[KEY_MAX], text[ADDR_TEXT];
	bool was;

	if (!check_ip(&ctl->out, args_get(args, "<PEER_IP>"), &ip) || !ctl_open(ctl) ||
	    !ctl_delete(ctl, peer_key(ctl, key, scope->host, &ip), &was))
		return STATUS_FAILED;
	if (was)
		out_say(&ctl->out, "%s", scope->removed);
	else
		out_say(&ctl->out, "%s%s", addr_format(&ip, text), scope->unknown);
	return was ? STATUS_DONE : STATUS_FAILED;
}

static int compare_peers(const void *a, const void *b)
{
	const struct bgp_peer *x = a, *y = b;
	struct addr i, j;

	if (addr_parse(x->ip, &i) < 0 || addr_parse(y->ip, &j) < 0)
		return strcmp(x->ip, y->ip);
	return addr_compare(&i, &j);
}

/* {"ip": "192.0.2.1", "as_num": "64512"}; a number is tolerated. */
static bool parse_peer(struct ctl *ctl, const char *text, struct bgp_peer *ret)
{
	json_t *json;

	if (!text || model_json_parse(text, &json, NULL) < 0)
		return false;

	const char *ip = json_string_value(json_object_get(json, "ip"));
	json_t *as = json_object_get(json, "as_num");

	if (ip)
		ret->ip = ctl_text(ctl, "%s", ip);
	if (json_is_integer(as))
		ret->as = ctl_text(ctl, "%" JSON_INTEGER_FORMAT, json_integer_value(as));
	else
		ret->as = json_is_string(as) ? ctl_text(ctl, "%s", json_string_value(as)) : NULL;
	json_decref(json);
	return ip != NULL;
}

bool bgp_peers_load(struct ctl *ctl, const char *host, uint8_t family, struct bgp_peer **ret,
		    size_t *ret_count)
{
	char key[KEY_MAX];
	struct store_list list;

	*ret_count = 0;
	if (!ctl_list(ctl, peers_key(key, host, directory_name(family)), &list))
		return false;
	*ret = arena_alloc(&ctl->out.arena, (list.count + 1) * sizeof(**ret));
	for (size_t i = 0; i < list.count; i++)
		*ret_count += parse_peer(ctl, list.nodes[i].value, &(*ret)[*ret_count]);
	qsort(*ret, *ret_count, sizeof(**ret), compare_peers);
	store_list_done(&list);
	return true;
}

static int show_family(struct ctl *ctl, uint8_t family, const void *arg)
{
	const struct peer_scope *scope = arg;
	bool v6 = family == 6;
	const struct column columns[] = {
		{scope->headings[v6], "ip", COLUMN_ADDRESS},
		{"AS Num", "as_num", COLUMN_TEXT},
	};
	struct bgp_peer *peers;
	struct table table;
	size_t count;

	if (!bgp_peers_load(ctl, scope->host, family, &peers, &count))
		return STATUS_FAILED;
	table_init(&table, columns, 2);
	table.left = true;
	for (size_t i = 0; i < count; i++)
		table_add(&table, peers[i].ip, peers[i].as);
	if (count || ctl->out.root)
		out_table(&ctl->out, v6 ? "ipv6" : "ipv4", &table);
	else
		out_prose(&ctl->out, "%s\n\n", scope->none[v6]);
	table_done(&table);
	return STATUS_DONE;
}

int bgp_peer_show(struct ctl *ctl, const struct args *args, const struct peer_scope *scope)
{
	return command_each_family(ctl, args, show_family, scope);
}

bool bgp_default_as(struct ctl *ctl, const char **ret)
{
	char key[KEY_MAX];

	if (!ctl_read(ctl, key_bgp_global(key, "as_num"), ret))
		return false;
	if (!*ret)
		*ret = DEFAULT_AS;
	return true;
}
