/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* libcurl's transfers in the event loop: libcurl names its sockets and its timer, libevent watches them. */
#ifndef UTIL_TRANSFERS_H
#define UTIL_TRANSFERS_H

#include <curl/curl.h>

struct transfers;

int transfers_new(struct transfers **ret); /* 0 or -ENOMEM */
/* When none is left; closes the connections that were kept. */
void transfers_free(struct transfers *transfers);

struct transfer {
	CURL *easy;
	/* From the event loop, at the end; must not end the transfer. */
	void (*finished)(struct transfer *transfer, CURLcode code);
};

/* A handle whose CURLOPT_PRIVATE is taken. `transfer` stays where it is until transfers_end(). 0 or -ENOMEM.
 */
int transfers_start(struct transfers *transfers, struct transfer *transfer);
/* At any time, started or not; frees the handle. */
void transfers_end(struct transfers *transfers, struct transfer *transfer);

#endif
