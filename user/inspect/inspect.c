/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Pins of the policy maps opened for reading, and the endpoints in them. */
#include "inspect/maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "dataplane/bpffs.h"

static const char *const map_names[INSPECT_MAPS] = {
	[INSPECT_ENDPOINT] = "endpoint",
	[INSPECT_HOST_INTERFACE] = "host_interface",
	[INSPECT_ADDRESS4] = "address4",
	[INSPECT_ADDRESS6] = "address6",
	[INSPECT_ENDPOINT_POLICY] = "endpoint_policy",
	[INSPECT_LIST] = "list",
	[INSPECT_STEP] = "step",
	[INSPECT_RULE] = "rule",
	[INSPECT_RULE_INFO] = "rule_info",
	[INSPECT_RULE_HITS] = "rule_hits",
};

/* The sizes that we read with must be those of the map: pins may be of another version's daemon. */
static const struct {
	__u32 key, value;
} map_sizes[INSPECT_MAPS] = {
	[INSPECT_ENDPOINT] = {4, sizeof(struct endpoint)},
	[INSPECT_HOST_INTERFACE] = {4, sizeof(struct host_interface)},
	[INSPECT_ADDRESS4] = {sizeof(struct address4_key), sizeof(struct address)},
	[INSPECT_ADDRESS6] = {sizeof(struct address6_key), sizeof(struct address)},
	[INSPECT_ENDPOINT_POLICY] = {4, sizeof(struct endpoint_policy)},
	[INSPECT_LIST] = {4, sizeof(struct policy_list)},
	[INSPECT_STEP] = {4, sizeof(struct policy_step)},
	[INSPECT_RULE] = {4, sizeof(struct policy_rule)},
	[INSPECT_RULE_INFO] = {4, sizeof(struct rule_info)},
	[INSPECT_RULE_HITS] = {4, sizeof(struct traffic)},
};

static int open_map(struct inspect *inspect, enum inspect_map map, const char *path, struct err *err)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = BPF_F_RDONLY);
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);

	inspect->map[map] = bpf_obj_get_opts(path, &opts);
	if (inspect->map[map] < 0 && errno == ENOENT)
		return err_set(err, ENOENT, "no policy is loaded (there is no %s); start calico-node", path);
	if (inspect->map[map] < 0 || bpf_obj_get_info_by_fd(inspect->map[map], &info, &size))
		return err_set(err, errno, "cannot open %s: %s", path, strerror(errno));
	if (info.key_size != map_sizes[map].key || info.value_size != map_sizes[map].value)
		return err_set(err, EPROTO, "%s has another layout: calico-node is of another version", path);
	inspect->entries[map] = info.max_entries;
	return 0;
}

int inspect_open(const char *bpffs, struct inspect **ret, struct err *err)
{
	struct inspect *inspect = calloc(1, sizeof(*inspect));
	char path[PIN_PATH];
	int rc = 0;

	if (!inspect)
		return err_set(err, ENOMEM, "out of memory while opening the policy maps");
	for (int map = 0; map < INSPECT_MAPS; map++)
		inspect->map[map] = -1;
	inspect->cpus = libbpf_num_possible_cpus();
	if (inspect->cpus < 0)
		rc = err_set(err, -inspect->cpus, "cannot tell how many CPUs there are");
	for (int map = 0; !rc && map < INSPECT_MAPS; map++) {
		rc = pin_path(path, bpffs, "", map_names[map]);
		if (rc)
			rc = err_set(err, -rc, "the path %s is too long for pins", bpffs);
		else
			rc = open_map(inspect, (enum inspect_map)map, path, err);
	}
	if (rc) {
		inspect_close(inspect);
		return rc;
	}
	*ret = inspect;
	return 0;
}

void inspect_close(struct inspect *inspect)
{
	if (!inspect)
		return;
	for (int map = 0; map < INSPECT_MAPS; map++) {
		if (inspect->map[map] >= 0)
			close(inspect->map[map]);
	}
	free(inspect);
}

int inspect_endpoint(const struct inspect *inspect, __u32 slot, struct endpoint *ret)
{
	if (bpf_map_lookup_elem(inspect->map[INSPECT_ENDPOINT], &slot, ret))
		return -errno;
	return ret->state == ENDPOINT_NONE ? -ENOENT : 0;
}

/* Slot of the host endpoint of an interface of the host. */
static int find_host_interface(const struct inspect *inspect, const char *name)
{
	int map = inspect->map[INSPECT_HOST_INTERFACE];
	struct host_interface entry;
	__u32 key, *previous = NULL;

	while (!bpf_map_get_next_key(map, previous, &key)) {
		previous = &key;
		if (!bpf_map_lookup_elem(map, &key, &entry) && !strncmp(entry.name, name, sizeof(entry.name)))
			return (int)(entry.endpoint4 ? entry.endpoint4 : entry.endpoint6);
	}
	return -ENOENT;
}

int inspect_find_interface(const struct inspect *inspect, const char *name)
{
	struct endpoint endpoint;

	for (__u32 slot = 1; slot < inspect->entries[INSPECT_ENDPOINT]; slot++) {
		int rc = inspect_endpoint(inspect, slot, &endpoint);

		if (!rc && !strncmp(endpoint.name, name, sizeof(endpoint.name)))
			return (int)slot;
		if (rc && rc != -ENOENT)
			return rc;
	}
	return find_host_interface(inspect, name);
}

int inspect_find_address(const struct inspect *inspect, const struct addr *addr)
{
	int map = inspect->map[addr->family == 6 ? INSPECT_ADDRESS6 : INSPECT_ADDRESS4];
	struct address found;

	if (bpf_map_lookup_elem(map, addr->bytes, &found))
		return -errno;
	return found.flags & ADDRESS_LOCAL ? found.endpoint : -ENOENT;
}
