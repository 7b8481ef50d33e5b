/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The way out: writes to the sink, and what is remembered when they fail or memory ends. */
#include <errno.h>

#include "policy/engine.h"

void engine_error(struct policy_engine *engine, int code)
{
	if (!engine->error)
		engine->error = code;
}

int engine_take(struct policy_engine *engine, enum policy_map map, struct space *space, __u32 count,
		__u32 *ret_first)
{
	int r = space_take(space, count, ret_first);

	if (r == -ENOSPC)
		engine->lacking |= 1U << map;
	return r;
}

int engine_result(struct policy_engine *engine, int r)
{
	if (r != -ENOMEM || engine->broken)
		return r;
	engine->broken = true;
	engine->problem(engine->problem_arg, "engine",
			"out of memory, so every endpoint is denied; free memory and restart calico-node");
	return r;
}

int sink_write(struct policy_engine *engine, enum policy_map map, const void *key, const void *value)
{
	int r = engine->sink.write(engine->sink.arg, map, key, value);

	engine->writes++;
	if (r == 0)
		return 0;
	if (r == -E2BIG)
		engine->lacking |= 1U << map;
	engine_error(engine, r);
	return -ENOSPC;
}

int sink_erase(struct policy_engine *engine, enum policy_map map, const void *key)
{
	int r = engine->sink.erase(engine->sink.arg, map, key);

	engine->writes++;
	if (r == 0 || r == -ENOENT)
		return 0;
	engine_error(engine, r);
	return -ENOSPC;
}
