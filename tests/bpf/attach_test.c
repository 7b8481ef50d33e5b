/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Programs on interfaces: both kinds of attachment, beside other people's, and after other people. */
#include "dataplane_env.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#define NAME "cali0123456789a"

static const enum attach_mode both[] = {ATTACH_CLSACT, ATTACH_TCX};

/* Of `both`, how many this kernel has. */
static size_t kinds(void)
{
	return env_has_tcx() ? 2 : 1;
}

static struct dataplane *open_active(enum attach_mode mode)
{
	struct dataplane *dp = env_open(mode);
	struct err err;

	env_ok(dataplane_activate(dp, &err), &err);
	return dp;
}

static void attach(struct dataplane *dp, int ifindex, const char *name)
{
	struct err err;

	assert_false(dataplane_is_attached(dp, ifindex, name));
	env_ok(dataplane_attach(dp, ifindex, name, &err), &err);
	assert_true(dataplane_is_attached(dp, ifindex, name));
}

/* The programs that pins say are ours run first on the hooks. */
static void assert_first(enum attach_mode mode, int ifindex, const char *name)
{
	__u32 ids[ENV_PROGRAMS];

	assert_int_not_equal(env_program(mode, ifindex, name, true), 0);
	assert_int_not_equal(env_program(mode, ifindex, name, false), 0);
	assert_int_not_equal(env_program(mode, ifindex, name, true), env_program(mode, ifindex, name, false));
	if (mode == ATTACH_CLSACT)
		return;
	env_tcx(ifindex, true, ids);
	assert_int_equal(ids[0], env_program(mode, ifindex, name, true));
	env_tcx(ifindex, false, ids);
	assert_int_equal(ids[0], env_program(mode, ifindex, name, false));
}

static void assert_bare(int ifindex)
{
	__u32 ids[ENV_PROGRAMS];

	env_tcx(ifindex, true, ids);
	assert_int_equal(ids[0], 0);
	env_tcx(ifindex, false, ids);
	assert_int_equal(ids[0], 0);
	assert_int_equal(env_filters(ifindex, true), -1);
}

static void test_attach_and_detach_leave_nothing_behind(void **state)
{
	for (size_t i = 0; i < kinds(); i++) {
		struct dataplane *dp = open_active(both[i]);
		int ifindex = env_veth(NAME);
		struct err err;

		assert_string_equal(dataplane_attach_mode(dp), both[i] == ATTACH_TCX ? "tcx" : "clsact");
		attach(dp, ifindex, NAME);
		assert_first(both[i], ifindex, NAME);
		env_ok(dataplane_attach(dp, ifindex, NAME, &err), &err);
		assert_first(both[i], ifindex, NAME);
		env_ok(dataplane_detach(dp, ifindex, NAME, &err), &err);
		assert_false(dataplane_is_attached(dp, ifindex, NAME));
		assert_bare(ifindex);
		env_ok(dataplane_detach(dp, ifindex, NAME, &err), &err);
		env_delete(NAME);
		dataplane_close(dp);
	}
}

static void test_attach_survives_close(void **state)
{
	for (size_t i = 0; i < kinds(); i++) {
		struct dataplane *dp = open_active(both[i]);
		int ifindex = env_veth(NAME);

		attach(dp, ifindex, NAME);
		dataplane_close(dp);
		assert_first(both[i], ifindex, NAME);
		env_delete(NAME);
	}
}

static void test_uplink_has_programs_of_its_own(void **state)
{
	for (size_t i = 0; i < kinds(); i++) {
		struct dataplane *dp = open_active(both[i]);
		int ifindex = env_veth("eth7"), other = env_veth(NAME);
		const struct addr none = {0};
		struct err err;

		attach(dp, other, NAME);
		assert_false(dataplane_is_uplink(dp, other, NAME));
		env_ok(dataplane_attach_uplink(dp, ifindex, "eth7", &none, &err), &err);
		assert_true(dataplane_is_uplink(dp, ifindex, "eth7"));
		assert_false(dataplane_is_attached(dp, ifindex, "eth7"));
		assert_first(both[i], ifindex, "eth7");
		assert_int_not_equal(env_program(both[i], ifindex, "eth7", true),
				     env_program(both[i], other, NAME, true));
		dataplane_close(dp);

		/* The next run takes it over, or takes the programs off. */
		dp = open_active(both[i]);
		assert_false(dataplane_is_uplink(dp, ifindex, "eth7"));
		assert_first(both[i], ifindex, "eth7");
		env_ok(dataplane_attach_uplink(dp, ifindex, "eth7", &none, &err), &err);
		assert_true(dataplane_is_uplink(dp, ifindex, "eth7"));
		env_ok(dataplane_detach_uplink(dp, ifindex, "eth7", &err), &err);
		assert_bare(ifindex);
		env_delete("eth7");
		env_delete(NAME);
		dataplane_close(dp);
	}
}

/* From one role to the other without a moment in between, in any order. */
static void test_host_endpoint_on_an_uplink_and_elsewhere(void **state)
{
	for (size_t i = 0; i < kinds(); i++) {
		struct dataplane *dp = open_active(both[i]);
		int uplink = env_veth("eth7"), other = env_veth("eth8");
		struct host_interface seven = {.endpoint4 = 1, .endpoint6 = 1, .name = "eth7"},
				      eight = {.endpoint4 = 2, .name = "eth8"};
		struct err err;
		__u32 plain;

		env_ok(dataplane_attach_uplink(dp, uplink, "eth7", &(const struct addr){0}, &err), &err);
		plain = env_program(both[i], uplink, "eth7", true);
		env_ok(dataplane_attach_host(dp, uplink, &seven, &err), &err);
		env_ok(dataplane_attach_host(dp, other, &eight, &err), &err);
		assert_true(dataplane_is_host(dp, uplink, "eth7"));
		assert_true(dataplane_is_uplink(dp, uplink, "eth7"));
		assert_true(env_settings(env_program(both[i], uplink, "eth7", true)).host_endpoints);
		assert_false(env_settings(plain).host_endpoints);
		assert_int_equal(env_program(both[i], uplink, "eth7", true),
				 env_program(both[i], other, "eth8", true));
		env_ok(dataplane_attach_uplink(dp, uplink, "eth7", &(const struct addr){0}, &err), &err);
		assert_true(dataplane_is_host(dp, uplink, "eth7"));

		env_ok(dataplane_detach_host(dp, uplink, "eth7", &err), &err);
		assert_false(dataplane_is_host(dp, uplink, "eth7"));
		assert_int_equal(env_program(both[i], uplink, "eth7", true), plain);
		env_ok(dataplane_attach_host(dp, uplink, &seven, &err), &err);
		env_ok(dataplane_detach_uplink(dp, uplink, "eth7", &err), &err);
		assert_true(dataplane_is_host(dp, uplink, "eth7"));
		env_ok(dataplane_detach_host(dp, uplink, "eth7", &err), &err);
		assert_bare(uplink);
		env_ok(dataplane_detach_host(dp, other, "eth8", &err), &err);
		assert_bare(other);
		env_delete("eth7");
		env_delete("eth8");
		dataplane_close(dp);
	}
}

static void test_attach_to_missing_interface_fails(void **state)
{
	for (size_t i = 0; i < kinds(); i++) {
		struct dataplane *dp = open_active(both[i]);
		struct err err = {""};

		assert_int_equal(dataplane_attach(dp, 4711, NAME, &err), -ENODEV);
		assert_non_null(strstr(err.text, NAME));
		assert_false(dataplane_is_attached(dp, 4711, NAME));
		env_ok(dataplane_detach(dp, 4711, NAME, &err), &err);
		dataplane_close(dp);
	}
}

/* The deletion of an interface is noticed after the next one of its name has its programs. */
static void test_late_detach_leaves_the_successor_alone(void **state)
{
	for (size_t i = 0; i < kinds(); i++) {
		struct dataplane *dp = open_active(both[i]);
		int before = env_veth(NAME), ifindex;
		struct err err;

		attach(dp, before, NAME);
		env_delete(NAME);
		ifindex = env_veth(NAME);
		attach(dp, ifindex, NAME);
		env_ok(dataplane_detach(dp, before, NAME, &err), &err);
		assert_first(both[i], ifindex, NAME);
		assert_true(dataplane_is_attached(dp, ifindex, NAME));
		env_delete(NAME);
		dataplane_close(dp);
	}
}

static void test_foreign_programs_stay_behind_ours(void **state)
{
	for (size_t i = 0; i < kinds(); i++) {
		struct dataplane *dp = open_active(both[i]);
		int ifindex = env_veth(NAME);
		struct err err;
		__u32 ids[ENV_PROGRAMS];

		env_attach_foreign(both[i], ifindex);
		attach(dp, ifindex, NAME);
		assert_first(both[i], ifindex, NAME);
		env_ok(dataplane_detach(dp, ifindex, NAME, &err), &err);
		if (both[i] == ATTACH_TCX) {
			env_tcx(ifindex, true, ids);
			assert_int_equal(ids[0], env_foreign_id());
			env_tcx(ifindex, false, ids);
			assert_int_equal(ids[0], env_foreign_id());
		} else {
			assert_int_equal(env_filters(ifindex, true), 1);
			assert_int_equal(env_filters(ifindex, false), 1);
		}
		env_delete(NAME);
		dataplane_close(dp);
	}
}

static void test_program_detached_by_someone_else_is_noticed_and_put_back(void **state)
{
	for (size_t i = 0; i < kinds(); i++) {
		struct dataplane *dp = open_active(both[i]);
		int ifindex = env_veth(NAME), fd;

		attach(dp, ifindex, NAME);
		if (both[i] == ATTACH_TCX) {
			fd = bpf_obj_get(env_pin("links/" NAME "_out"));
			assert_true(fd >= 0);
			assert_int_equal(bpf_link_detach(fd), 0);
			close(fd);
		} else {
			env_detach_clsact(ifindex, false);
		}
		attach(dp, ifindex, NAME);
		assert_first(both[i], ifindex, NAME);
		if (both[i] == ATTACH_CLSACT) {
			env_delete_clsact(ifindex);
			attach(dp, ifindex, NAME);
		}
		env_delete(NAME);
		dataplane_close(dp);
	}
}

static void test_interface_made_anew_is_not_attached(void **state)
{
	for (size_t i = 0; i < kinds(); i++) {
		struct dataplane *dp = open_active(both[i]);

		attach(dp, env_veth(NAME), NAME);
		env_delete(NAME);
		attach(dp, env_veth(NAME), NAME);
		env_delete(NAME);
		dataplane_close(dp);
	}
}

static void test_auto_prefers_tcx(void **state)
{
	struct dataplane *dp = open_active(ATTACH_AUTO);

	assert_string_equal(dataplane_attach_mode(dp), env_has_tcx() ? "tcx" : "clsact");
	dataplane_close(dp);
}

static void test_tcx_that_the_kernel_does_not_have_is_refused(void **state)
{
	const struct dataplane_config config = env_config(ATTACH_TCX);
	struct dataplane *dp;
	struct err err = {""};

	if (env_has_tcx())
		skip();
	assert_int_equal(dataplane_open(&config, &dp, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "clsact"));
}

static void test_pins_of_an_interface_made_anew_are_replaced(void **state)
{
	struct dataplane *dp;
	int first = env_veth(NAME), second;

	env_need_tcx();
	dp = open_active(ATTACH_TCX);
	attach(dp, first, NAME);
	env_delete(NAME);
	assert_int_equal(access(env_pin("links/" NAME "_in"), F_OK), 0);
	second = env_veth(NAME);
	assert_int_not_equal(first, second);
	attach(dp, second, NAME);
	assert_first(ATTACH_TCX, second, NAME);
	dataplane_close(dp);
}

static void test_interface_name_with_dots(void **state)
{
	struct dataplane *dp;
	int ifindex = env_veth("cali.1.2");

	env_need_tcx();
	dp = open_active(ATTACH_TCX);
	attach(dp, ifindex, "cali.1.2");
	assert_first(ATTACH_TCX, ifindex, "cali:1:2");
	dataplane_close(dp);
}

static void test_programs_stay_in_force_when_bpffs_is_unmounted(void **state)
{
	__u32 before[ENV_PROGRAMS], after[ENV_PROGRAMS];
	int ifindex = env_veth(NAME);
	struct dataplane *dp;

	env_need_tcx();
	dp = open_active(ATTACH_TCX);
	attach(dp, ifindex, NAME);
	env_tcx(ifindex, true, before);
	assert_int_equal(umount(env_bpffs), -1);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(umount2(env_bpffs, MNT_DETACH), 0);
	env_tcx(ifindex, true, after);
	assert_int_equal(after[0], before[0]);

	/* The next thing that is pinned brings the others back; see pins_test.c for those who wait. */
	attach(dp, env_veth("cali0002"), "cali0002");
	assert_first(ATTACH_TCX, ifindex, NAME);
	assert_int_not_equal(env_map_id("endpoint"), 0);
	dataplane_close(dp);
	assert_first(ATTACH_TCX, ifindex, NAME);
}

static void test_bpffs_is_mounted_at_its_usual_place(void **state)
{
	struct dataplane_config config = env_config(ATTACH_AUTO);
	struct dataplane *dp;
	struct statfs fs;
	struct err err;

	umount2("/sys/fs/bpf", MNT_DETACH);
	config.bpffs = "/sys/fs/bpf/dataplane-test";
	env_ok(dataplane_open(&config, &dp, &err), &err);
	env_ok(dataplane_activate(dp, &err), &err);
	assert_int_equal(access("/sys/fs/bpf/dataplane-test/v1/rule", F_OK), 0);
	dataplane_close(dp);
	env_ok(dataplane_teardown(config.bpffs, "cali", &err), &err);
	assert_int_equal(access(config.bpffs, F_OK), -1);
	assert_int_equal(statfs("/sys/fs/bpf", &fs), 0);
	assert_int_equal(fs.f_type, BPF_FS_MAGIC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, env_enter, env_leave)
		TEST(test_attach_and_detach_leave_nothing_behind),
		TEST(test_late_detach_leaves_the_successor_alone),
		TEST(test_attach_survives_close),
		TEST(test_uplink_has_programs_of_its_own),
		TEST(test_host_endpoint_on_an_uplink_and_elsewhere),
		TEST(test_attach_to_missing_interface_fails),
		TEST(test_foreign_programs_stay_behind_ours),
		TEST(test_program_detached_by_someone_else_is_noticed_and_put_back),
		TEST(test_interface_made_anew_is_not_attached),
		TEST(test_auto_prefers_tcx),
		TEST(test_tcx_that_the_kernel_does_not_have_is_refused),
		TEST(test_pins_of_an_interface_made_anew_are_replaced),
		TEST(test_interface_name_with_dots),
		TEST(test_programs_stay_in_force_when_bpffs_is_unmounted),
		TEST(test_bpffs_is_mounted_at_its_usual_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
