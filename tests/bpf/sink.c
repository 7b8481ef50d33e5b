/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Apart from the headers of the packet tests, which have other names for hooks. */
#include "sink.h"

#include <errno.h>
#include <stdlib.h>

#include "dataplane/internal.h"

static int no_fence(void *arg)
{
	return 0;
}

/* `sink` is first: the operations' argument leads to it. */
struct open_sink {
	struct sink sink;
	struct programs programs;
};

static void free_sink(struct open_sink *open)
{
	sink_done(&open->sink);
	programs_unload(&open->programs);
	free(open);
}

int sink_open(struct bpf_object *maps, bool fenced, struct policy_sink *ret)
{
	struct open_sink *open = calloc(1, sizeof(*open));
	int r;

	if (!open)
		return -ENOMEM;
	r = held_add_maps(&open->programs.maps, maps);
	if (!r)
		r = sink_init(&open->sink, &open->programs);
	if (r < 0) {
		free_sink(open);
		return r;
	}
	*ret = open->sink.ops;
	if (!fenced)
		ret->fence = no_fence;
	return 0;
}

void sink_close(struct policy_sink *sink)
{
	if (sink->arg)
		free_sink(sink->arg);
	sink->arg = NULL;
}
