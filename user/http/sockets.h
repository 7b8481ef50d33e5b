/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sockets that the daemon serves, and what each of them allows. */
#ifndef HTTP_SOCKETS_H
#define HTTP_SOCKETS_H

#include "http/server.h"

/* <run-dir>/calico-node.sock, for calicoctl; routes: agent/control.c. */
extern const struct server_options control_socket;
/* calico.sock and calico-ipam.sock, for dockerd; routes: docker/router.c. */
extern const struct server_options plugin_socket;

#endif
