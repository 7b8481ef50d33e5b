/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A fresh network and mount namespace for each test, with veth pairs and what others may have attached. */
#ifndef DATAPLANE_ENV_H
#define DATAPLANE_ENV_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/types.h>

#include "dataplane/dataplane.h"
#include "netlink/netlink.h"

/* Setup and teardown of a cmocka test. The tests run as root. */
int env_enter(void **state);
int env_leave(void **state);

extern struct netlink *env_netlink;
/* Beneath a temporary directory; nothing is mounted there yet. */
extern char env_bpffs[];

bool env_has_tcx(void);
/* Skip the test, saying why. */
void env_need_tcx(void);
void env_need_command(const char *name);

/* Makes name and its peer "p-" name; returns the index of name. */
int env_veth(const char *name);
void env_delete(const char *name);
/* Small maps. */
struct dataplane_config env_config(enum attach_mode mode);
struct dataplane *env_open(enum attach_mode mode);
/* Fails the test with the text of err. */
void env_ok(int rc, const struct err *err);

/* Programs on a tcx hook, first to last; 0-terminated. */
#define ENV_PROGRAMS 8
void env_tcx(int ifindex, bool ingress, __u32 ids[ENV_PROGRAMS]);
/* Number of filters on a clsact hook; -1 when the interface has no clsact qdisc. */
int env_filters(int ifindex, bool ingress);
/* The program that our pin or filter names; 0: none. */
__u32 env_program(enum attach_mode mode, int ifindex, const char *name, bool ingress);
/* Somebody else's program, which passes every packet on to the next; on both hooks of the interface. */
void env_attach_foreign(enum attach_mode mode, int ifindex);
__u32 env_foreign_id(void);
/* As somebody else would: our filter, or the whole qdisc. */
void env_detach_clsact(int ifindex, bool ingress);
void env_delete_clsact(int ifindex);
/* What the program of that id has in its rodata. */
struct settings env_settings(__u32 prog_id);

/* Path beneath v1 of the bpffs. */
const char *env_pin(const char *name);
__u32 env_map_id(const char *pin);

/* Runs the event loop until the condition holds; fails after five seconds. */
void env_until(bool (*holds)(void *arg), void *arg);
/* Runs a shell command; its output, until the next call. Fails the test when the command does. */
const char *env_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
