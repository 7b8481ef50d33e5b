/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Namespaces, veth pairs and other people's programs for the tests of user/dataplane. */
#include "dataplane_env.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <event2/event.h>
#include <linux/bpf.h>
#include <linux/pkt_sched.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/classifier.h>
#include <netlink/route/qdisc.h>
#include <sys/mount.h>

#include "util/task.h"

#define TCX_INGRESS    46
#define TCX_EGRESS     47
#define OUR_HANDLE     0xca11c0
#define FOREIGN_HANDLE 7
#define LEAVE_MS       10000

struct netlink *env_netlink;
char env_bpffs[64];

static char directory[40];
static int home_net = -1, home_mnt = -1;
static struct event_base *base;
static int foreign_fd = -1, foreign_links[2 * ENV_PROGRAMS], foreign_link_count;

int env_enter(void **state)
{
	struct err err;

	home_net = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	home_mnt = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	snprintf(directory, sizeof(directory), "/tmp/dataplane-XXXXXX");
	if (home_net < 0 || home_mnt < 0 || !mkdtemp(directory))
		return -1;
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	snprintf(env_bpffs, sizeof(env_bpffs), "%s/calico", directory);
	base = event_base_new();
	task_init(base);
	return netlink_open(&env_netlink, &err);
}

/*
 * A thread that was joined shares our directories a moment longer: the kernel tells of its end first. A
 * process that shares them cannot go to another mount namespace.
 */
static int return_home(void)
{
	int64_t end = task_clock_ms() + LEAVE_MS;

	while (setns(home_mnt, CLONE_NEWNS)) {
		if (errno != EINVAL || task_clock_ms() > end)
			return -1;
		sched_yield();
	}
	return setns(home_net, CLONE_NEWNET);
}

int env_leave(void **state)
{
	netlink_close(env_netlink);
	while (foreign_link_count)
		close(foreign_links[--foreign_link_count]);
	if (foreign_fd >= 0)
		close(foreign_fd);
	foreign_fd = -1;
	event_base_free(base);
	if (return_home())
		return -1;
	close(home_net);
	close(home_mnt);
	/* Mount points are left behind as empty directories. */
	rmdir(env_bpffs);
	return rmdir(directory);
}

void env_ok(int rc, const struct err *err)
{
	if (rc)
		fail_msg("%d: %s", rc, err->text);
}

bool env_has_tcx(void)
{
	LIBBPF_OPTS(bpf_prog_query_opts, opts);

	/* Of an interface that does not exist: kernels without tcx do not get as far as looking for it. */
	return bpf_prog_query_opts(INT32_MAX, (enum bpf_attach_type)TCX_INGRESS, &opts) == -ENODEV;
}

void env_need_tcx(void)
{
	if (env_has_tcx())
		return;
	print_message("this kernel has no tcx links\n");
	skip();
}

void env_need_command(const char *name)
{
	const char *path = getenv("PATH");
	char file[256];

	while (path && *path) {
		size_t length = strcspn(path, ":");

		snprintf(file, sizeof(file), "%.*s/%s", (int)length, path, name);
		if (!access(file, X_OK))
			return;
		path += length + (path[length] == ':');
	}
	print_message("there is no command %s\n", name);
	skip();
}

int env_veth(const char *name)
{
	char peer[IFNAMSIZ];
	const struct veth_spec spec = {
		.host_name = name,
		.peer_name = peer,
		.host_mac = {HOST_MAC},
		.peer_mac = {2, 0, 0, 0, 0, 1},
	};
	struct err err;
	int ifindex;

	snprintf(peer, sizeof(peer), "p-%.12s", name);
	env_ok(link_make_veth(env_netlink, &spec, &ifindex, &err), &err);
	return ifindex;
}

void env_delete(const char *name)
{
	struct err err;

	env_ok(link_delete(env_netlink, link_index(env_netlink, name), &err), &err);
}

struct dataplane_config env_config(enum attach_mode mode)
{
	return (struct dataplane_config){
		.bpffs = env_bpffs,
		.interface_prefix = "cali",
		.attach = mode,
		.flow_capacity = 1024,
		.endpoint_capacity = 64,
		.address_capacity = 1024,
		.rule_capacity = 1024,
	};
}

struct dataplane *env_open(enum attach_mode mode)
{
	const struct dataplane_config config = env_config(mode);
	struct dataplane *dp;
	struct err err;

	env_ok(dataplane_open(&config, &dp, &err), &err);
	return dp;
}

void env_tcx(int ifindex, bool ingress, __u32 ids[ENV_PROGRAMS])
{
	LIBBPF_OPTS(bpf_prog_query_opts, opts, .prog_ids = ids, .prog_cnt = ENV_PROGRAMS - 1);

	memset(ids, 0, ENV_PROGRAMS * sizeof(*ids));
	if (!env_has_tcx())
		return;
	/* Without any program there is nothing to ask: -ENOENT. */
	if (bpf_prog_query_opts(ifindex, (enum bpf_attach_type)(ingress ? TCX_INGRESS : TCX_EGRESS), &opts))
		assert_int_equal(errno, ENOENT);
}

int env_filters(int ifindex, bool ingress)
{
	const uint32_t parent = TC_H_MAKE(TC_H_CLSACT, ingress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
	struct nl_sock *sock = nl_socket_alloc();
	struct nl_cache *cache;
	struct rtnl_qdisc *qdisc;
	struct nl_object *obj;
	int count = -1;

	assert_int_equal(nl_connect(sock, NETLINK_ROUTE), 0);
	assert_int_equal(rtnl_qdisc_alloc_cache(sock, &cache), 0);
	qdisc = rtnl_qdisc_get_by_parent(cache, ifindex, TC_H_CLSACT);
	nl_cache_free(cache);
	if (qdisc) {
		rtnl_qdisc_put(qdisc);
		assert_int_equal(rtnl_cls_alloc_cache(sock, ifindex, parent, &cache), 0);
		count = 0;
		/* The priority itself is listed too, without handle. */
		for (obj = nl_cache_get_first(cache); obj; obj = nl_cache_get_next(obj))
			count += rtnl_tc_get_handle((struct rtnl_tc *)obj) != 0;
		nl_cache_free(cache);
	}
	nl_socket_free(sock);
	return count;
}

__u32 env_program(enum attach_mode mode, int ifindex, const char *name, bool ingress)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		    .attach_point = ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = OUR_HANDLE, .priority = 1);
	struct bpf_link_info info = {0};
	__u32 size = sizeof(info);
	char pin[40];
	int fd;

	if (mode == ATTACH_CLSACT)
		return bpf_tc_query(&hook, &opts) ? 0 : opts.prog_id;
	snprintf(pin, sizeof(pin), "links/%s_%s", name, ingress ? "in" : "out");
	fd = bpf_obj_get(env_pin(pin));
	if (fd < 0)
		return 0;
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	close(fd);
	return info.prog_id;
}

static int foreign_program(void)
{
	/* r0 = -1 (TC_ACT_UNSPEC, the same as TCX_NEXT); exit */
	static const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1},
		{.code = BPF_JMP | BPF_EXIT},
	};

	if (foreign_fd < 0)
		foreign_fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "foreign", "GPL", code, 2, NULL);
	assert_true(foreign_fd >= 0);
	return foreign_fd;
}

__u32 env_foreign_id(void)
{
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(foreign_program(), &info, &size), 0);
	return info.id;
}

void env_detach_clsact(int ifindex, bool ingress)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		    .attach_point = ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = OUR_HANDLE, .priority = 1);

	assert_int_equal(bpf_tc_detach(&hook, &opts), 0);
}

void env_delete_clsact(int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	assert_int_equal(bpf_tc_hook_destroy(&hook), 0);
}

void env_attach_foreign(enum attach_mode mode, int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int prog_fd = foreign_program();

	if (mode == ATTACH_CLSACT)
		bpf_tc_hook_create(&hook);
	for (int i = 0; i < 2; i++) {
		LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FOREIGN_HANDLE, .priority = 1, .prog_fd = prog_fd);
		int fd;

		hook.attach_point = i ? BPF_TC_INGRESS : BPF_TC_EGRESS;
		if (mode == ATTACH_CLSACT) {
			assert_int_equal(bpf_tc_attach(&hook, &opts), 0);
			continue;
		}
		fd = bpf_link_create(prog_fd, ifindex, (enum bpf_attach_type)(i ? TCX_INGRESS : TCX_EGRESS),
				     NULL);
		assert_true(fd >= 0);
		foreign_links[foreign_link_count++] = fd;
	}
}

/* Where `settings` lies within the value of a map whose type is a section of variables; -1: not in there. */
static int settings_offset(const struct bpf_map_info *map)
{
	struct btf *btf = map->btf_id ? btf__load_from_kernel_by_id(map->btf_id) : NULL;
	const struct btf_type *section = btf ? btf__type_by_id(btf, map->btf_value_type_id) : NULL;
	int offset = -1;

	for (__u16 i = 0; section && btf_is_datasec(section) && i < btf_vlen(section); i++) {
		const struct btf_var_secinfo *entry = &btf_var_secinfos(section)[i];
		const struct btf_type *variable = btf__type_by_id(btf, entry->type);

		if (!strcmp(btf__name_by_offset(btf, variable->name_off), "settings"))
			offset = (int)entry->offset;
	}
	btf__free(btf);
	return offset;
}

struct settings env_settings(__u32 prog_id)
{
	__u32 maps[64], key = 0, size = sizeof(struct bpf_prog_info);
	struct bpf_prog_info info = {.nr_map_ids = 64, .map_ids = (__u64)(uintptr_t)maps};
	int prog_fd = bpf_prog_get_fd_by_id(prog_id);
	struct settings settings;
	bool found = false;

	assert_true(prog_fd >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(prog_fd, &info, &size), 0);
	for (__u32 i = 0; i < info.nr_map_ids; i++) {
		int fd = bpf_map_get_fd_by_id(maps[i]), offset;
		struct bpf_map_info map = {0};
		char *value;

		size = sizeof(map);
		assert_int_equal(bpf_obj_get_info_by_fd(fd, &map, &size), 0);
		offset = settings_offset(&map);
		if (offset >= 0) {
			value = malloc(map.value_size);
			assert_int_equal(bpf_map_lookup_elem(fd, &key, value), 0);
			memcpy(&settings, value + offset, sizeof(settings));
			free(value);
			found = true;
		}
		close(fd);
	}
	close(prog_fd);
	assert_true(found);
	return settings;
}

const char *env_pin(const char *name)
{
	static char path[192];

	snprintf(path, sizeof(path), "%s/v%d/%s", env_bpffs, ABI_VERSION, name);
	return path;
}

__u32 env_map_id(const char *pin)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	int fd = bpf_obj_get(env_pin(pin));

	if (fd < 0)
		return 0;
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	close(fd);
	return info.id;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
}

void env_until(bool (*holds)(void *arg), void *arg)
{
	const struct timeval every = {.tv_usec = 20000};
	struct event *tick = event_new(base, -1, EV_PERSIST, on_tick, NULL);
	int ticks = 0;

	event_add(tick, &every);
	while (!holds(arg)) {
		if (++ticks > 250)
			fail_msg("waited for five seconds in vain");
		event_base_loop(base, EVLOOP_ONCE);
	}
	event_free(tick);
}

const char *env_run(const char *format, ...)
{
	static char output[16384];
	char command[512];
	va_list args;
	size_t length;
	FILE *pipe;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	length = fread(output, 1, sizeof(output) - 1, pipe);
	output[length] = '\0';
	if (pclose(pipe))
		fail_msg("%s: %s", command, output);
	return output;
}
