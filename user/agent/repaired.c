/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Repairs: what somebody else undid is right again. */
#include <stdarg.h>
#include <stdio.h>

#include "agent/state.h"
#include "util/log.h"

void repaired_tell(struct agent *agent, unsigned int *count, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	++*count;
	log_warn("agent", "%s", text);
}
