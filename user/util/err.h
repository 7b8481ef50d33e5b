/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One sentence about a failure, handed up to whoever can tell a person: what failed, on which object, what
 * to do next. Functions that can fail return 0 (or a count) or -errno; those with a `struct err *` fill it
 * exactly when they return < 0. The pointer may be NULL.
 *
 * Codes used throughout: -ENOENT absent, -EEXIST present, -EINVAL caller's argument, -EBADMSG malformed
 * data, -EAGAIN not ready yet, -ESTALE lost a compare-and-swap, -ETIMEDOUT deadline passed, -ENOTCONN
 * datastore unreachable, -ENOSPC nothing left to give.
 */
#ifndef UTIL_ERR_H
#define UTIL_ERR_H

struct err {
	char text[512]; /* one line, no trailing full stop or newline */
};

/* Sets the text. */
void err_write(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* int err_set(err, code, format, ...): sets the text and is -code (code > 0), which static analysis sees,
 * too. */
#define err_set(err, code, ...)                                                                              \
	({                                                                                                   \
		const int err_code_ = (code);                                                                \
		err_write(err, __VA_ARGS__);                                                                 \
		-err_code_;                                                                                  \
	})

/* Puts "prefix: " before the present text; returns code unchanged so that it can end a function. */
int err_prefix(struct err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
