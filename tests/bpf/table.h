/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests that are rows: one packet from an endpoint of a fresh fixture, and what becomes of it. */
#ifndef TESTS_BPF_TABLE_H
#define TESTS_BPF_TABLE_H

#include "fixture.h"

struct row {
	const char *name;
	enum slot from; /* 0: A */
	struct frame frame;
	enum drop_reason reason; /* DROP_NONE: it passes */
};

/*
 * Runs every row as a test of its own; prepare (may be NULL) changes the fresh fixture before each.
 * Returns the number of failures, for main().
 */
int table_run(const char *group, const struct row *rows, size_t count,
	      void (*prepare)(struct fixture *fixture));

/* For tests that are sequences: sends from the endpoint that has the frame's source address (else from A). */
struct run table_send(struct frame frame);
void expect_pass(struct frame frame);
void expect_drop(struct frame frame, enum drop_reason reason);

/* Settings of the fixtures to come; the defaults at first. */
struct settings *table_settings(void);
/* Fixture of the running table or group, for tests that are no rows. */
struct fixture *table_fixture(void);
/* cmocka fixtures that make it: one for the group, reset before each test. */
int table_setup(void **state);
int table_reset(void **state);
int table_teardown(void **state);
/* Fills flow4 or flow6 with flows that no record knows: none of them gives way. */
void table_fill(const char *map);
/* In a setup of a group: lets the host forward, and send what is for these addresses out by the uplink. 0 or
 * -errno. */
int table_route_outside(const char *const *addresses, size_t count);

#endif
