/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Expiry of flows inside the kernel: no copies to user space, and no race with packets that refresh a flow.
 */
#include "maps.h"

const volatile struct settings settings;

SEC("syscall")
int sweep_flows(struct sweep *sweep)
{
	sweep->live = settings.hz;
	return 0;
}

SEC("syscall")
int purge_flows(struct sweep *sweep)
{
	sweep->deleted = settings.hz;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
