/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "maps.h"
const volatile struct settings settings;
SEC("tc")
int to_endpoint(struct __sk_buff *skb)
{
	return settings.drop_action ? 0 : 2;
}
char LICENSE[] SEC("license") = "Dual BSD/GPL";
