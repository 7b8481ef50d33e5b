/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a name in a path of the datastore may be. */
#include "util/segment.h"

#include <string.h>

const char *segment_fault_of(const char *segment, size_t length)
{
	if (length == 0)
		return "must not be empty";
	if (length > SEGMENT_MAX)
		return "must have at most 255 bytes";
	if (segment[0] == '.' && (length == 1 || (length == 2 && segment[1] == '.')))
		return "must not be '.' or '..', which lead elsewhere in the datastore";
	for (size_t i = 0; i < length; i++) {
		if (segment[i] == '/')
			return "must have no '/'";
		if ((unsigned char)segment[i] < 0x20 || segment[i] == 0x7f)
			return "must have no control characters";
	}
	return NULL;
}

const char *segment_fault(const char *segment)
{
	return segment_fault_of(segment, strnlen(segment, SEGMENT_MAX + 1));
}

bool segment_valid(const char *segment)
{
	return !segment_fault(segment);
}
