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

int sink_open(struct bpf_object *maps, bool fenced, struct policy_sink *ret)
{
	const struct programs programs = {.maps = maps};
	struct sink *sink = calloc(1, sizeof(*sink));
	int r;

	if (!sink)
		return -ENOMEM;
	r = sink_init(sink, &programs);
	if (r < 0) {
		sink_done(sink);
		free(sink);
		return r;
	}
	*ret = sink->ops;
	if (!fenced)
		ret->fence = no_fence;
	return 0;
}

void sink_close(struct policy_sink *sink)
{
	if (!sink->arg)
		return;
	sink_done(sink->arg);
	free(sink->arg);
	sink->arg = NULL;
}
