/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs of the benchmark share. They end with a sentence on stderr and status 1 when something
 * fails. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdint.h>

void bench_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* As bench_fail(), with the text of a positive errno. */
void bench_fail_errno(int error, const char *what) __attribute__((noreturn));

/* Moves this thread into the network namespace that the path names. */
void bench_enter(const char *namespace);
/* Moves the process to one processor, for good. */
void bench_pin(int cpu);

uint64_t bench_cpu_ns(void);   /* used by this thread; software interrupts in its system calls included */
uint64_t bench_clock_ns(void); /* monotonic */
uint64_t bench_interruptions(void); /* how often this thread has waited: others then did part of its work */

#endif
