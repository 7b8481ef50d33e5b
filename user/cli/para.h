/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Paragraphs: messages wrapped at 80 columns and followed by an empty line. */
#ifndef CLI_PARA_H
#define CLI_PARA_H

#include <stdio.h>

#define PARA_COLUMNS 80

void para_print(const char *text, FILE *file);

#endif
