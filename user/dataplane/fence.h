/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Waits for the programs that are running. */
#ifndef DATAPLANE_FENCE_H
#define DATAPLANE_FENCE_H

struct fence;

int fence_new(struct fence **ret); /* 0 or -errno */
void fence_free(struct fence *fence);
/*
 * Returns when every run of a program that began before the call has ended. 0 or -errno. The calling thread
 * goes round all processors; it ends with the affinity that it had.
 */
int fence_wait(struct fence *fence);

#endif
