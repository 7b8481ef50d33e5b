/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The etcd backend's parts: operations in store_etcd.c, watches in etcd_feed.c, answers in etcd_answer.c. */
#ifndef STORE_STORE_ETCD_H
#define STORE_STORE_ETCD_H

#include "store/backend.h"
#include "store/etcd_http.h"
#include "store/etcd_json.h"

struct etcd_store {
	struct store base;
	struct etcd_http *http;
	struct etcd_tls tls;
	char **endpoints;
	size_t endpoint_count;
	size_t current; /* the endpoint that answered last, or the next to try */
};

/* The URL of a key at the present endpoint; query without '?'. malloc'd. */
char *etcd_url(const struct etcd_store *store, const char *key, const char *query);
void etcd_rotate(struct etcd_store *store);

/*
 * Reads a finished answer: 0 and a new reference, or -errno (that of an error object too) with the sentence
 * for people. operation and key are for that sentence.
 */
int etcd_read_answer(const struct etcd_store *store, const struct etcd_request *request,
		     const char *operation, const char *key, json_t **ret, struct err *err);
/* The sentence for any other failure. Returns -code. */
int etcd_failed(const struct etcd_store *store, int code, const char *operation, const char *key,
		const char *detail, struct err *err);
/* The sentence for what the server itself refused; message: its own words, or NULL. Returns r. */
int etcd_refused(const struct etcd_store *store, int r, const char *operation, const char *key,
		 const char *message, struct err *err);

int etcd_snapshot(struct store *store, struct store_feed *feed, struct store_list *ret, struct err *err);
int etcd_poll(struct store *store, struct store_feed *feed, struct err *err);

#endif
