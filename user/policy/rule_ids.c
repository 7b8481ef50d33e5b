/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rule ids: numbers under which drops and flows name their rule. */
#include "policy/engine.h"

int rule_id_get(struct policy_engine *engine, const struct rule_info *info, __u32 *ret)
{
	__u32 id;
	int r = engine_take(engine, MAP_RULE_INFO, &engine->rule_ids, 1, &id);

	if (r < 0)
		return r;
	r = sink_write(engine, MAP_RULE_INFO, &id, info);
	if (r < 0) {
		space_give(&engine->rule_ids, id, 1);
		return r;
	}
	engine->rule_refs[id] = 1;
	*ret = id;
	return 0;
}

void rule_id_unref(struct policy_engine *engine, __u32 id)
{
	if (--engine->rule_refs[id] > 0)
		return;
	sink_erase(engine, MAP_RULE_INFO, &id);
	space_give(&engine->rule_ids, id, 1);
}
