/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Turns rows into cmocka tests. */
#include "netlink/netlink.h"
#include "table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <cmocka.h>

static struct fixture *current;
static void (*current_prepare)(struct fixture *fixture);

struct settings *table_settings(void)
{
	static struct settings settings;
	static bool ready;
	if (!ready)
		progrun_default_settings(&settings);
	ready = true;
	return &settings;
}

struct fixture *table_fixture(void)
{
	return current;
}

int table_setup(void **state)
{
	current = fixture_new(table_settings());
	return current ? 0 : -1;
}

int table_reset(void **state)
{
	fixture_reset(current);
	return 0;
}

int table_teardown(void **state)
{
	fixture_free(current);
	current = NULL;
	return 0;
}

struct run table_send(struct frame frame)
{
	bool is_b = strcmp(frame.source, B4) == 0 || strcmp(frame.source, B6) == 0;
	struct run run;
	fixture_send(current, is_b ? SLOT_B : SLOT_A, &frame, &run);
	return run;
}

void expect_pass(struct frame frame)
{
	struct run run = table_send(frame);
	assert_passes(&run);
}

void expect_drop(struct frame frame, enum drop_reason reason)
{
	struct run run = table_send(frame);
	assert_drops(&run, reason);
}

void table_fill(const char *map)
{
	int fd = progrun_map(current->progrun, map), r = 0;
	struct flow flow = {0};
	union {
		struct flow4_key v4;
		struct flow6_key v6;
	} key = {0};

	for (__u32 i = 1; r == 0; i++) {
		memcpy(&key, &i, sizeof(i));
		r = bpf_map_update_elem(fd, &key, &flow, BPF_NOEXIST);
	}
}

int table_route_outside(const char *const *addresses, size_t count)
{
	struct netlink *nl = NULL;
	struct addr addr;
	struct err err;
	int r = sysctl_write("ipv4/ip_forward", "1", &err);
	if (r == 0)
		r = sysctl_write("ipv6/conf/all/forwarding", "1", &err);
	if (r == 0)
		r = netlink_open(&nl, &err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		addr_parse(addresses[i], &addr);
		r = route_add_host(nl, (int)current->uplink, &addr, &err);
	}
	netlink_close(nl);
	return r;
}

static void run_row(void **state)
{
	const struct row *row = *state;
	struct run run;
	fixture_reset(current);
	if (current_prepare)
		current_prepare(current);
	fixture_send(current, row->from ?: SLOT_A, &row->frame, &run);
	if (row->reason)
		assert_drops(&run, row->reason);
	else
		assert_passes(&run);
}

int table_run(const char *group, const struct row *rows, size_t count,
	      void (*prepare)(struct fixture *fixture))
{
	struct CMUnitTest *tests = calloc(count, sizeof(*tests));
	if (!tests)
		return -1;
	for (size_t i = 0; i < count; i++) {
		tests[i].name = rows[i].name;
		tests[i].test_func = run_row;
		tests[i].initial_state = (void *)&rows[i];
	}
	current_prepare = prepare;
	int failed = _cmocka_run_group_tests(group, tests, count, table_setup, table_teardown);
	free(tests);
	return failed;
}
