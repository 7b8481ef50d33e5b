/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For libFuzzer targets of parsers: input is a text; what is accepted must be written in a form that is
 * accepted again and written the same.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A crash that the fuzzer keeps the input of. */
static inline void fuzz_check(int holds, const char *text)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold for: %s\n", text);
	abort();
}

/* Refusals say why. */
static inline void fuzz_refused(const struct err *err)
{
	fuzz_check(err->text[0] != '\0', "a refusal without a text");
}

/* Caller frees. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	fuzz_check(text != NULL, "memory");
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

#endif
