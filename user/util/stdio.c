/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Standard streams. */
#include "util/stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void stdio_open(void)
{
	/* The lowest free number is given out, so each takes the place of the one that was found closed. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return;
	}
}

/* Why output could not be written first: the stream remembers only that it could not. */
static int output_error;

void stdio_flush(FILE *file)
{
	if (fflush(file) < 0 && !output_error)
		output_error = errno;
}

int stdio_close(const char *program)
{
	stdio_flush(stdout);

	bool failed = ferror(stdout);

	if (fclose(stdout) < 0 && !output_error)
		output_error = errno;
	if (!failed && !output_error)
		return 0;
	fprintf(stderr, "%s: the output could not be written%s%s.\n", program, output_error ? ": " : "",
		output_error ? strerror(output_error) : "");
	return output_error ? -output_error : -EIO;
}
