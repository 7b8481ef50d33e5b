/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What all requests to etcd share: the address that they go to, and what an answer or none means. */
#include "store/store_etcd.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *endpoint(const struct etcd_store *store)
{
	return store->endpoints[store->current];
}

void etcd_rotate(struct etcd_store *store)
{
	store->current = (store->current + 1) % store->endpoint_count;
}

/* Percent-encoding of all but RFC 3986's unreserved characters and the separator. */
static void encode_key(char *to, const char *key)
{
	for (; *key; key++) {
		unsigned char c = (unsigned char)*key;

		if (isalnum(c) || strchr("-_.~/", c))
			*to++ = *key;
		else
			to += sprintf(to, "%%%02X", c);
	}
	*to = '\0';
}

char *etcd_url(const struct etcd_store *store, const char *key, const char *query)
{
	char *encoded = malloc(strlen(key) * 3 + 1);
	char *url = NULL;

	if (!encoded)
		return NULL;
	encode_key(encoded, key);
	if (asprintf(&url, "%s/v2/keys%s?%s", endpoint(store), encoded, query) < 0)
		url = NULL;
	free(encoded);
	return url;
}

int etcd_failed(const struct etcd_store *store, int code, const char *operation, const char *key,
		const char *detail, struct err *err)
{
	return err_set(err, code, "%s %.150s: etcd at %s: %s", operation, key, endpoint(store), detail);
}

int etcd_refused(const struct etcd_store *store, int r, const char *operation, const char *key,
		 const char *message, struct err *err)
{
	switch (r) {
	case -ENOENT:
		return err_set(err, ENOENT, "there is no key %s in etcd at %s", key, endpoint(store));
	case -EEXIST:
		return err_set(err, EEXIST, "the key %s is in etcd at %s already", key, endpoint(store));
	case -EISDIR:
		return err_set(err, EISDIR, "%s is a directory in etcd at %s", key, endpoint(store));
	case -ENOTDIR:
		return err_set(err, ENOTDIR, "a part of %s is a value, not a directory, in etcd at %s", key,
			       endpoint(store));
	default:
		return etcd_failed(store, -r, operation, key, message ? message : strerror(-r), err);
	}
}

/* A server whose 404 is not an error object of the API does not know the API. */
static int not_an_answer(const struct etcd_store *store, const struct etcd_request *request,
			 const char *operation, const char *key, const struct err *cause, struct err *err)
{
	char detail[200];

	if (request->status == 404)
		return etcd_failed(store, EBADMSG, operation, key,
				   "it does not serve the v2 API; etcd 3.4 needs --enable-v2", err);
	snprintf(detail, sizeof(detail), "HTTP status %ld, %.120s", request->status, cause->text);
	return etcd_failed(store, request->status >= 500 ? ENOTCONN : EBADMSG, operation, key, detail, err);
}

int etcd_read_answer(const struct etcd_store *store, const struct etcd_request *request,
		     const char *operation, const char *key, json_t **ret, struct err *err)
{
	const char *message;
	struct err cause;
	json_t *answer;
	int r;

	if (etcd_json_load(request->body, request->size, &answer, &cause) < 0)
		return not_an_answer(store, request, operation, key, &cause, err);
	if (request->status == 200 || request->status == 201) {
		*ret = answer;
		return 0;
	}
	r = etcd_json_error(answer, &message);
	if (r == 0)
		err_set(&cause, EBADMSG, "no error number");
	r = r == 0 ? not_an_answer(store, request, operation, key, &cause, err)
		   : etcd_refused(store, etcd_json_errno(r), operation, key, message, err);
	json_decref(answer);
	return r;
}
