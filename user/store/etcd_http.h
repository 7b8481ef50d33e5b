/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* HTTP requests to etcd. Private to this module. */
#ifndef STORE_ETCD_HTTP_H
#define STORE_ETCD_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"
#include "util/task.h"
#include "util/transfers.h"

struct etcd_http;

struct etcd_tls {
	char *ca_file, *cert_file, *key_file; /* NULL: none */
};

struct etcd_request {
	struct transfer transfer; /* first member */
	const char *method;
	const char *url;
	const char *form; /* body, or NULL */
	int connect_ms, total_ms;
	int stalled_s;	   /* an answer that stands still so long has failed; 0: it may */
	bool once;	   /* must not reach the server twice: its own first change would refuse it */
	struct wait *wake; /* woken when the head of the answer is there, and at the end */

	bool answered; /* the head is there: status, index, cluster */
	bool finished;
	bool sent;  /* at the end: the server may have seen it */
	int result; /* at the end: 0, or -errno with `why`; any HTTP status is an answer */
	char why[CURL_ERROR_SIZE];
	long status;
	uint64_t index;	  /* X-Etcd-Index */
	char cluster[64]; /* X-Etcd-Cluster-Id; empty: none */
	char *body;
	size_t size, capacity;
};

/* tls is borrowed. */
int etcd_http_new(const struct etcd_tls *tls, struct etcd_http **ret, struct err *err);
/* When no request is left. */
void etcd_http_free(struct etcd_http *http);

/* libcurl keeps a request's time itself; a wait that is longer by so much has missed its end. */
#define ETCD_LATE_MS 5000

/* 0 or -ENOMEM. Must be ended with etcd_http_end() in every case, at any time. */
int etcd_http_start(struct etcd_http *http, struct etcd_request *request);
/* Until a request that wakes `done` is finished; it has a result then in every case. */
void etcd_http_wait(struct etcd_request *request, struct wait *done);
void etcd_http_end(struct etcd_http *http, struct etcd_request *request);

#endif
