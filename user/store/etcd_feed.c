/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Watches of etcd: a recursive read, then one long poll after the other. The API remembers 1000 events of the
 * whole store, and a poll answers with the first one after an index.
 */
#include "store/store_etcd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS  2000
#define HEAD_MS	    4000 /* etcd sends the head of a poll's answer at once */
#define SNAPSHOT_MS 120000
#define STALLED_S   10 /* more than a cluster without a majority takes to say so */

/* Waits until the request is finished or, if only_head, answered. */
static int await(struct store_feed *feed, struct etcd_request *request, bool only_head, int timeout_ms)
{
	while (!request->finished && !(only_head && request->answered)) {
		if (feed->interrupted)
			return -ECANCELED;
		feed->wake = (struct wait){0};
		if (wait_for(&feed->wake, timeout_ms) < 0)
			return -ETIMEDOUT;
	}
	return 0;
}

/* Is this the store that the snapshot is of? A member that lags behind is not, for this purpose, either. */
static int check_store(const struct etcd_store *store, const struct store_feed *feed,
		       const struct etcd_request *request, struct err *err)
{
	char detail[200];

	if (!*request->cluster)
		return etcd_failed(store, EBADMSG, "watch", feed->directory,
				   "its answer has no X-Etcd-Cluster-Id", err);
	if (strcmp(request->cluster, feed->identity) != 0) {
		snprintf(detail, sizeof(detail), "it is another cluster now, %s instead of %s",
			 request->cluster, feed->identity);
		return etcd_failed(store, EREMCHG, "watch", feed->directory, detail, err);
	}
	if (request->status == 200 && request->index < feed->after) {
		snprintf(detail, sizeof(detail), "it went back from index %llu to %llu",
			 (unsigned long long)feed->after, (unsigned long long)request->index);
		return etcd_failed(store, EREMCHG, "watch", feed->directory, detail, err);
	}
	return 0;
}

static int read_snapshot(const struct etcd_store *store, struct store_feed *feed,
			 const struct etcd_request *request, struct store_list *ret, struct err *err)
{
	json_t *answer;
	int r = etcd_read_answer(store, request, "watch", feed->directory, &answer, err);

	if (r < 0 && r != -ENOENT)
		return r;
	if (!*request->cluster || request->index == 0) {
		if (r == 0)
			json_decref(answer);
		return etcd_failed(store, EBADMSG, "watch", feed->directory,
				   "its answer has no X-Etcd-Index or X-Etcd-Cluster-Id", err);
	}
	if (r == 0) {
		r = etcd_json_list(answer, true, ret);
		json_decref(answer);
		if (r < 0)
			return etcd_failed(store, -r, "watch", feed->directory,
					   "the answer has not the expected members", err);
	}
	snprintf(feed->identity, sizeof(feed->identity), "%s", request->cluster);
	feed->after = request->index;
	return 0;
}

int etcd_snapshot(struct store *base, struct store_feed *feed, struct store_list *ret, struct err *err)
{
	struct etcd_store *store = (struct etcd_store *)base;
	char *url = etcd_url(store, feed->directory, "quorum=true&recursive=true");
	struct etcd_request request = {
		.method = "GET",
		.url = url,
		.connect_ms = CONNECT_MS,
		.total_ms = SNAPSHOT_MS,
		.stalled_s = STALLED_S,
		.wake = &feed->wake,
	};
	int r = url ? etcd_http_start(store->http, &request) : -ENOMEM;

	if (r < 0)
		err_set(err, ENOMEM, "out of memory accessing etcd");
	else
		r = await(feed, &request, false, SNAPSHOT_MS + ETCD_LATE_MS);
	if (r == -ETIMEDOUT)
		etcd_failed(store, ETIMEDOUT, "watch", feed->directory, "its answer was missed", err);
	if (r == 0 && request.result < 0)
		r = etcd_failed(store, -request.result, "watch", feed->directory, request.why, err);
	else if (r == 0)
		r = read_snapshot(store, feed, &request, ret, err);
	if (r < 0 && r != -ECANCELED)
		etcd_rotate(store);
	etcd_http_end(store->http, &request);
	free(url);
	return r;
}

/*
 * The end of a poll. Without an event until the time was over nothing matching happened up to the index in
 * the head of the answer, so the next poll may start there: a quiet directory in a busy store does not fall
 * behind.
 */
static int read_poll(const struct etcd_store *store, struct store_feed *feed,
		     const struct etcd_request *request, struct err *err)
{
	uint64_t revision;
	json_t *answer;
	int r;

	if (request->result == -ETIMEDOUT && request->answered && request->status == 200) {
		if (request->index > feed->after)
			feed->after = request->index;
		return 0;
	}
	if (request->result < 0)
		return etcd_failed(store, -request->result, "watch", feed->directory, request->why, err);
	/* A server that ends, or a balancer that is tired of waiting. */
	if (request->size == 0 && request->status == 200)
		return etcd_failed(store, ENOTCONN, "watch", feed->directory, "it ended the answer", err);
	r = etcd_read_answer(store, request, "watch", feed->directory, &answer, err);
	if (r < 0)
		return r;
	r = etcd_json_change(answer, feed, &revision);
	json_decref(answer);
	if (r < 0)
		return etcd_failed(store, -r, "watch", feed->directory,
				   "the event has not the expected members", err);
	feed->after = revision;
	return 0;
}

static bool is_new_connection(const struct etcd_request *request)
{
	long count = 0;

	return curl_easy_getinfo(request->transfer.easy, CURLINFO_NUM_CONNECTS, &count) != CURLE_OK || count;
}

static int follow(const struct etcd_store *store, struct store_feed *feed, struct etcd_request *request,
		  struct err *err)
{
	int r = await(feed, request, true, HEAD_MS);

	if (r == -ETIMEDOUT)
		return etcd_failed(store, ETIMEDOUT, "watch", feed->directory, "no answer", err);
	if (r == 0 && request->answered) {
		r = check_store(store, feed, request, err);
		/* Its own word is not enough: servers that were set up alike have equal cluster ids. */
		if (r == 0 && feed->same && is_new_connection(request))
			r = feed->same(feed, err);
		feed->answered = r == 0;
	}
	if (r == 0)
		r = await(feed, request, false, request->total_ms + ETCD_LATE_MS);
	if (r == -ETIMEDOUT)
		return etcd_failed(store, ETIMEDOUT, "watch", feed->directory, "its answer was missed", err);
	return r < 0 ? r : read_poll(store, feed, request, err);
}

int etcd_poll(struct store *base, struct store_feed *feed, struct err *err)
{
	struct etcd_store *store = (struct etcd_store *)base;
	struct etcd_request request = {
		.method = "GET",
		.connect_ms = CONNECT_MS,
		.total_ms = feed->poll_ms,
		.wake = &feed->wake,
	};
	char query[96], *url;
	int r;

	snprintf(query, sizeof(query), "wait=true&recursive=true&waitIndex=%llu",
		 (unsigned long long)feed->after + 1);
	url = etcd_url(store, feed->directory, query);
	request.url = url;
	r = url ? etcd_http_start(store->http, &request) : -ENOMEM;
	if (r < 0)
		err_set(err, ENOMEM, "out of memory accessing etcd");
	else
		r = follow(store, feed, &request, err);
	if (r == -ENOTCONN || r == -ETIMEDOUT)
		etcd_rotate(store);
	etcd_http_end(store->http, &request);
	free(url);
	return r;
}
