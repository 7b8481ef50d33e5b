/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Why the kernel refused: what this process lacks is not the kernel's fault, and has another remedy. */
#ifndef DATAPLANE_BLAME_H
#define DATAPLANE_BLAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

#define BLAME_TEXT 320

struct blame {
	uint64_t capabilities;	/* effective */
	uint64_t descriptors;	/* limit of them */
	uint64_t locked_memory; /* limit of it; UINT64_MAX: none */
	bool charges_limit;	/* maps count against locked_memory: Linux before 5.11 */
	bool lockdown;		/* the kernel is locked down against root */
};

/* What holds for this process and kernel. */
void blame_read(struct blame *ret);
/*
 * What -rc means and what to do, as the end of a sentence: a limit, a capability, memory. False: none of
 * these, so it is the kernel or the program. Pure.
 */
bool blame_explain(const struct blame *blame, int rc, char *text, size_t size);
/* -EPERM with the missing ones unless the process has all capabilities that programs need. */
int blame_capabilities(const struct blame *blame, struct err *err);

#endif
