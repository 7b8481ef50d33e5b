/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Pins that somebody removes: what is in force stays, and they come back. */
#include "dataplane_env.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <sys/mount.h>

#include "dataplane/pins.h"

#define NAME "cali0001"

static const enum attach_mode both[] = {ATTACH_CLSACT, ATTACH_TCX};

/* One dataplane with one interface, and what was told about its pins. */
static struct scene {
	struct pins *pins;
	struct dataplane *dp;
	int ifindex;
	__u32 endpoint_map, program; /* ids of what is pinned */
	int losses, restored;
} scene;

static size_t kinds(void)
{
	return env_has_tcx() ? 2 : 1;
}

static void on_restored(void *arg, int count, const struct err *err)
{
	if (count < 0)
		fail_msg("%s", err->text);
	scene.losses++;
	scene.restored += count;
}

static void start(enum attach_mode mode)
{
	struct dataplane_config config = env_config(mode);
	struct err err;

	memset(&scene, 0, sizeof(scene));
	env_ok(pins_open(env_bpffs, &scene.pins, &err), &err);
	env_ok(pins_watch(scene.pins, on_restored, NULL, &err), &err);
	config.pins = scene.pins;
	env_ok(dataplane_open(&config, &scene.dp, &err), &err);
	env_ok(dataplane_activate(scene.dp, &err), &err);
	scene.ifindex = env_veth(NAME);
	env_ok(dataplane_attach(scene.dp, scene.ifindex, NAME, &err), &err);
	scene.endpoint_map = env_map_id("endpoint");
	scene.program = env_program(mode, scene.ifindex, NAME, true);
	assert_int_not_equal(scene.endpoint_map, 0);
	assert_int_not_equal(scene.program, 0);
}

static void end(void)
{
	dataplane_close(scene.dp);
	pins_close(scene.pins);
	env_delete(NAME);
	while (!umount2(env_bpffs, MNT_DETACH))
		;
}

static bool is_told(void *arg)
{
	return scene.losses > 0;
}

static __u32 first_program(enum attach_mode mode)
{
	__u32 ids[ENV_PROGRAMS];

	if (mode == ATTACH_CLSACT)
		return env_program(mode, scene.ifindex, NAME, true);
	env_tcx(scene.ifindex, true, ids);
	return ids[0];
}

static void remove_tree(void)
{
	env_run("rm -r %s/v*", env_bpffs);
}

static void remove_links_directory(void)
{
	env_run("rm -r %s", env_pin("links"));
}

static void remove_programs_directory(void)
{
	env_run("rm -r %s", env_pin("programs"));
}

static void remove_one_map(void)
{
	assert_int_equal(unlink(env_pin("endpoint")), 0);
}

static void remove_one_program(void)
{
	assert_int_equal(unlink(env_pin("programs/to_endpoint")), 0);
}

static void rename_one_map(void)
{
	env_run("mv %s %s/elsewhere", env_pin("endpoint"), env_bpffs);
}

static void pin_another_map(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "foreign", 4, 4, 1, NULL);

	assert_true(fd >= 0);
	assert_int_equal(unlink(env_pin("endpoint")), 0);
	assert_int_equal(bpf_obj_pin(fd, env_pin("endpoint")), 0);
	close(fd);
}

static void rename_directory(void)
{
	env_run("mv %s %s/elsewhere", env_pin(""), env_bpffs);
}

static void unmount(void)
{
	assert_int_equal(umount2(env_bpffs, MNT_DETACH), 0);
}

static void mount_over(void)
{
	assert_int_equal(mount("bpffs", env_bpffs, "bpf", 0, NULL), 0);
}

static void test_lost_pins_come_back_and_nothing_else_changes(void **state)
{
	static void (*const losses[])(void) = {
		remove_tree,	 remove_links_directory, remove_programs_directory,
		remove_one_map,	 rename_one_map,	 remove_one_program,
		pin_another_map, rename_directory,	 mount_over,
		unmount,
	};

	for (size_t i = 0; i < 2 * sizeof(losses) / sizeof(losses[0]); i++) {
		const enum attach_mode mode = both[i % 2];

		if (i % 2 >= kinds())
			continue;
		start(mode);
		losses[i / 2]();
		assert_int_equal(first_program(mode), scene.program);
		assert_true(dataplane_is_attached(scene.dp, scene.ifindex, NAME));
		assert_int_equal(dataplane_lost_links(scene.dp), 0);
		/* An empty directory was all that tcx alone puts there. */
		if (losses[i / 2] == remove_links_directory && mode == ATTACH_CLSACT) {
			end();
			continue;
		}
		env_until(is_told, NULL);
		assert_true(scene.restored > 0);
		assert_int_equal(env_map_id("endpoint"), scene.endpoint_map);
		assert_int_equal(env_program(mode, scene.ifindex, NAME, true), scene.program);
		assert_int_equal(access(env_pin("programs/to_endpoint"), F_OK), 0);
		end();
	}
}

/* Again and again: the watch must be on the directories as they are now. */
static void test_pins_come_back_each_time(void **state)
{
	start(both[kinds() - 1]);
	for (int i = 0; i < 4; i++) {
		scene.losses = 0;
		if (i % 2)
			remove_one_map();
		else
			remove_tree();
		env_until(is_told, NULL);
		assert_int_equal(env_map_id("endpoint"), scene.endpoint_map);
	}
	end();
}

static bool is_absent(void *arg)
{
	return access(arg, F_OK) != 0;
}

static void test_what_we_remove_ourselves_stays_away(void **state)
{
	char *pin;
	struct err err;

	env_need_tcx();
	start(ATTACH_TCX);
	pin = strdup(env_pin("links/" NAME "_in"));
	env_ok(dataplane_detach(scene.dp, scene.ifindex, NAME, &err), &err);
	/* What is told next is this loss alone. */
	remove_one_map();
	env_until(is_told, NULL);
	assert_int_equal(scene.restored, 1);
	assert_true(is_absent(pin));
	free(pin);
	end();
}

/* What the daemon before has pinned is held before anything of it has been taken over. */
static void test_pins_of_the_run_before_are_kept(void **state)
{
	struct err err;

	env_need_tcx();
	start(ATTACH_TCX);
	dataplane_close(scene.dp);
	pins_close(scene.pins);
	env_ok(pins_open(env_bpffs, &scene.pins, &err), &err);
	env_ok(pins_watch(scene.pins, on_restored, NULL, &err), &err);
	remove_tree();
	assert_int_equal(first_program(ATTACH_TCX), scene.program);
	env_until(is_told, NULL);
	assert_int_equal(env_program(ATTACH_TCX, scene.ifindex, NAME, true), scene.program);
	assert_int_equal(env_map_id("endpoint"), scene.endpoint_map);
	scene.dp = NULL;
	end();
}

static void test_link_that_is_detached_or_changed_is_lost(void **state)
{
	struct err err;
	int fd, other;

	env_need_tcx();
	start(ATTACH_TCX);
	fd = bpf_obj_get(env_pin("links/" NAME "_in"));
	assert_true(fd >= 0);
	assert_int_equal(bpf_link_detach(fd), 0);
	close(fd);
	assert_int_equal(dataplane_lost_links(scene.dp), 1);
	env_ok(dataplane_attach(scene.dp, scene.ifindex, NAME, &err), &err);
	assert_int_equal(dataplane_lost_links(scene.dp), 0);

	other = env_veth("eth7");
	env_attach_foreign(ATTACH_TCX, other);
	fd = bpf_obj_get(env_pin("links/" NAME "_out"));
	assert_int_equal(bpf_link_update(fd, bpf_prog_get_fd_by_id(env_foreign_id()), NULL), 0);
	close(fd);
	assert_int_equal(dataplane_lost_links(scene.dp), 1);
	assert_false(dataplane_is_attached(scene.dp, scene.ifindex, NAME));
	env_ok(dataplane_attach(scene.dp, scene.ifindex, NAME, &err), &err);
	assert_int_equal(dataplane_lost_links(scene.dp), 0);
	env_delete("eth7");
	end();
}

static void test_link_of_a_deleted_interface_is_forgotten(void **state)
{
	env_need_tcx();
	start(ATTACH_TCX);
	env_delete(NAME);
	assert_int_equal(dataplane_lost_links(scene.dp), 2);
	dataplane_forget_links(scene.dp);
	assert_int_equal(dataplane_lost_links(scene.dp), 0);
	assert_true(is_absent((void *)env_pin("links/" NAME "_in")));
	scene.ifindex = env_veth(NAME);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, env_enter, env_leave)
		TEST(test_lost_pins_come_back_and_nothing_else_changes),
		TEST(test_pins_come_back_each_time),
		TEST(test_what_we_remove_ourselves_stays_away),
		TEST(test_pins_of_the_run_before_are_kept),
		TEST(test_link_that_is_detached_or_changed_is_lost),
		TEST(test_link_of_a_deleted_interface_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
