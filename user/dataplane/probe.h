/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether the running kernel can do what the dataplane needs, found out by trying. */
#ifndef DATAPLANE_PROBE_H
#define DATAPLANE_PROBE_H

#include <stdbool.h>

enum probe_need {
	PROBE_VITAL,	  /* without it nothing can be enforced */
	PROBE_MASQUERADE, /* without it only pools with nat-outgoing do not work as they should */
};

/*
 * Calls `missing` with one sentence for each thing that does not work. Everything is made in a network
 * namespace of its own and gone afterwards; the calling thread must be the process's only one.
 */
void dataplane_probe(void (*missing)(void *arg, enum probe_need need, const char *text), void *arg);

#endif
