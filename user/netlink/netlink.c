/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The request socket and what all request files share. */
#include "netlink/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#ifndef NETLINK_GET_STRICT_CHK
#define NETLINK_GET_STRICT_CHK 12
#endif

int netlink_error(int code)
{
	/* libnl folds errno into its own, smaller set of codes; the folded ones return as the first named. */
	static const int to_errno[] = {
		[NLE_INTR] = EINTR,	      [NLE_BAD_SOCK] = EBADF,
		[NLE_AGAIN] = EAGAIN,	      [NLE_NOMEM] = ENOMEM,
		[NLE_EXIST] = EEXIST,	      [NLE_INVAL] = EINVAL,
		[NLE_RANGE] = ERANGE,	      [NLE_MSGSIZE] = EMSGSIZE,
		[NLE_OPNOTSUPP] = EOPNOTSUPP, [NLE_AF_NOSUPPORT] = EAFNOSUPPORT,
		[NLE_OBJ_NOTFOUND] = ENOENT,  [NLE_NOADDR] = EADDRNOTAVAIL,
		[NLE_BUSY] = EBUSY,	      [NLE_PERM] = EPERM,
		[NLE_NOACCESS] = EACCES,      [NLE_NODEV] = ENODEV,
		[NLE_DUMP_INTR] = EINTR,
	};
	int nle = abs(code);

	if (nle == 0)
		return 0;
	if (nle < (int)(sizeof(to_errno) / sizeof(to_errno[0])) && to_errno[nle])
		return -to_errno[nle];
	return -EIO;
}

/* The kernel answers at once, or when others leave the lock of the network configuration. */
#define ANSWER_S 10

int netlink_open(struct netlink **ret, struct err *err)
{
	static const struct timeval limit = {ANSWER_S, 0};
	struct netlink *nl = calloc(1, sizeof(*nl));
	int rc;

	if (!nl)
		return err_set(err, ENOMEM, "out of memory while opening a netlink socket");
	nl->sock = nl_socket_alloc();
	if (!nl->sock) {
		free(nl);
		return err_set(err, ENOMEM, "out of memory while opening a netlink socket");
	}
	rc = netlink_error(nl_connect(nl->sock, NETLINK_ROUTE));
	if (rc) {
		netlink_close(nl);
		return err_set(err, -rc, "cannot open a netlink socket: %s", strerror(-rc));
	}
	/* An answer that does not come must be an error: everything waits here with us. */
	setsockopt(nl_socket_get_fd(nl->sock), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	*ret = nl;
	return 0;
}

void netlink_close(struct netlink *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->sock);
	free(nl);
}

struct nl_addr *netlink_addr_new(const struct addr *addr, uint8_t length)
{
	struct nl_addr *nl;

	if (addr->family == 6)
		nl = nl_addr_build(AF_INET6, addr->bytes, 16);
	else
		nl = nl_addr_build(AF_INET, addr->bytes, 4);
	if (nl)
		nl_addr_set_prefixlen(nl, length);
	return nl;
}

struct nl_addr *netlink_mac_new(const uint8_t mac[6])
{
	return nl_addr_build(AF_LLC, mac, 6);
}

void netlink_addr_read(const struct nl_addr *nl, struct addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (!nl)
		return;
	if (nl_addr_get_family(nl) == AF_INET && nl_addr_get_len(nl) == 4)
		ret->family = 4;
	else if (nl_addr_get_family(nl) == AF_INET6 && nl_addr_get_len(nl) == 16)
		ret->family = 6;
	else
		return;
	memcpy(ret->bytes, nl_addr_get_binary_addr(nl), nl_addr_get_len(nl));
}

struct dump {
	int (*fn)(struct nlmsghdr *hdr, void *arg);
	void *arg;
	int rc;
};

static int dump_message(struct nl_msg *msg, void *arg)
{
	struct dump *dump = arg;

	if (!dump->rc)
		dump->rc = dump->fn(nlmsg_hdr(msg), dump->arg);
	/* The rest of the dump is read in any case: it must not be taken for the answer to the next request.
	 */
	return NL_OK;
}

/*
 * The kernel then filters dumps by the attributes of the request (since 4.20; older ones ignore them). Not
 * for libnl's own requests, whose headers are too short for it.
 */
static void set_strict(struct netlink *nl, int on)
{
	setsockopt(nl_socket_get_fd(nl->sock), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
}

static int request(struct netlink *nl, struct nl_msg *msg, bool acknowledged,
		   int (*fn)(struct nlmsghdr *hdr, void *arg), void *arg)
{
	struct dump dump = {.fn = fn, .arg = arg};
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int rc;

	if (!cb) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, dump_message, &dump);
	set_strict(nl, 1);
	rc = nl_send_auto(nl->sock, msg);
	nlmsg_free(msg);
	if (rc >= 0)
		rc = nl_recvmsgs(nl->sock, cb);
	/* An error takes the place of both. */
	if (rc >= 0 && acknowledged)
		rc = nl_wait_for_ack(nl->sock);
	set_strict(nl, 0);
	nl_cb_put(cb);
	if (rc < 0)
		return netlink_error(rc);
	return dump.rc < 0 ? dump.rc : 0;
}

int netlink_dump(struct netlink *nl, struct nl_msg *msg, int (*fn)(struct nlmsghdr *hdr, void *arg),
		 void *arg)
{
	return request(nl, msg, false, fn, arg);
}

int netlink_ask(struct netlink *nl, struct nl_msg *msg, int (*fn)(struct nlmsghdr *hdr, void *arg), void *arg)
{
	return request(nl, msg, true, fn, arg);
}
