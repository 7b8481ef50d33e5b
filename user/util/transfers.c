/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The glue between curl_multi_socket_action() and libevent. */
#include "util/transfers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/task.h"

struct transfers {
	CURLM *multi;
	struct event *timer;
};

static void act(struct transfers *transfers, curl_socket_t fd, int mask)
{
	CURLMsg *message;
	int count;

	curl_multi_socket_action(transfers->multi, fd, mask, &count);
	while ((message = curl_multi_info_read(transfers->multi, &count))) {
		struct transfer *transfer;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		transfer->finished(transfer, message->data.result);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* A socket of libcurl's that is watched. */
struct watched {
	struct transfers *transfers;
	curl_socket_t fd;
	int own_fd; /* the same socket: libcurl closes its number when it likes, and this one is ours */
	struct event *event;
};

static void on_socket(evutil_socket_t own_fd, short what, void *arg)
{
	struct watched *watched = arg;

	act(watched->transfers, watched->fd,
	    (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void watched_free(struct watched *watched)
{
	if (!watched)
		return;
	if (watched->event)
		event_free(watched->event);
	if (watched->own_fd >= 0)
		close(watched->own_fd);
	free(watched);
}

/* NULL: no memory, or no descriptor. */
static struct watched *watched_new(struct transfers *transfers, curl_socket_t fd, short events)
{
	struct watched *watched = calloc(1, sizeof(*watched));

	if (!watched)
		return NULL;
	watched->transfers = transfers;
	watched->fd = fd;
	watched->own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (watched->own_fd >= 0)
		watched->event = event_new(task_base(), watched->own_fd, events, on_socket, watched);
	if (!watched->event || event_add(watched->event, NULL) < 0) {
		watched_free(watched);
		return NULL;
	}
	return watched;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *before)
{
	struct transfers *transfers = arg;
	struct watched *watched;
	short events = EV_PERSIST;

	watched_free(before);
	curl_multi_assign(transfers->multi, fd, NULL);
	if (what == CURL_POLL_REMOVE)
		return 0;
	if (what & CURL_POLL_IN)
		events |= EV_READ;
	if (what & CURL_POLL_OUT)
		events |= EV_WRITE;
	watched = watched_new(transfers, fd, events);
	if (!watched || curl_multi_assign(transfers->multi, fd, watched) != CURLM_OK) {
		watched_free(watched);
		return -1;
	}
	return 0;
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
	struct transfers *transfers = arg;
	struct timeval timeout = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	return ms < 0 ? evtimer_del(transfers->timer) : evtimer_add(transfers->timer, &timeout);
}

int transfers_new(struct transfers **ret)
{
	struct transfers *transfers = calloc(1, sizeof(*transfers));

	if (!transfers || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		goto out_of_memory;
	transfers->multi = curl_multi_init();
	transfers->timer = evtimer_new(task_base(), on_timer, transfers);
	if (!transfers->multi || !transfers->timer)
		goto out_of_memory;
	curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETDATA, transfers);
	curl_multi_setopt(transfers->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(transfers->multi, CURLMOPT_TIMERDATA, transfers);
	*ret = transfers;
	return 0;

out_of_memory:
	transfers_free(transfers);
	return -ENOMEM;
}

void transfers_free(struct transfers *transfers)
{
	if (!transfers)
		return;
	/* Closing idle connections calls set_socket(). */
	curl_multi_cleanup(transfers->multi);
	if (transfers->timer)
		event_free(transfers->timer);
	free(transfers);
}

int transfers_start(struct transfers *transfers, struct transfer *transfer)
{
	curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
	return curl_multi_add_handle(transfers->multi, transfer->easy) == CURLM_OK ? 0 : -ENOMEM;
}

void transfers_end(struct transfers *transfers, struct transfer *transfer)
{
	if (!transfer->easy)
		return;
	curl_multi_remove_handle(transfers->multi, transfer->easy);
	curl_easy_cleanup(transfer->easy);
	transfer->easy = NULL;
}
