/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The routing daemon's BGP sessions. Answers of BIRD are lines "CCCC-text", with a blank instead of '-' on
 * the last one, or " text" for one more line of the same code (BIRD 2 user's guide, "Remote control").
 */
#include "cli/bird.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/addr.h"

#define ANSWER_TIMEOUT_S 3
#define NAME_MAX_LENGTH	 63

/* The daemon names sessions by who configured them: "Mesh_10_0_0_12". */
static const struct {
	const char *prefix, *type;
} kinds[] = {
	{"Mesh_", "node-to-node mesh"},
	{"Node_", "node specific"},
	{"Global_", "global"},
};

static char *replace_underscores(struct arena *arena, const char *text, char by)
{
	char *copy = arena_copy(arena, text);

	for (char *c = copy; *c; c++)
		if (*c == '_')
			*c = by;
	return copy;
}

static bool parse_name(struct arena *arena, const char *name, struct bird_peer *ret)
{
	struct addr addr;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t length = strlen(kinds[i].prefix);

		if (strncmp(name, kinds[i].prefix, length) != 0)
			continue;
		ret->type = kinds[i].type;
		ret->address = replace_underscores(arena, name + length, '.');
		if (addr_parse(ret->address, &addr) < 0)
			ret->address = replace_underscores(arena, name + length, ':');
		if (addr_parse(ret->address, &addr) < 0)
			return false;
		ret->family = addr.family;
		return true;
	}
	return false;
}

bool bird_parse_protocol(struct arena *arena, const char *line, struct bird_peer *ret)
{
	char name[NAME_MAX_LENGTH + 1], state[16], since[32];
	int rest = -1;

	/* name, protocol, table, state, since; the rest of the line is free text */
	if (sscanf(line, "%63s %*s %*s %15s %31s %n", name, state, since, &rest) != 3 || rest < 0)
		return false;
	*ret = (struct bird_peer){0};
	if (!parse_name(arena, name, ret))
		return false;

	/* BIRD 2 shows fractions of seconds. */
	char *fraction = strchr(since, ':') ? strchr(since, '.') : NULL;

	if (fraction)
		*fraction = '\0';
	ret->state = arena_copy(arena, state);
	ret->since = arena_copy(arena, since);

	char *info = arena_copy(arena, line + rest);

	for (size_t length = strlen(info); length && isspace((unsigned char)info[length - 1]); length--)
		info[length - 1] = '\0';
	ret->info = info;
	return true;
}

/* Code of a line, or that of the line before for a continuation; < 0: not an answer of BIRD. */
static int line_code(const char *line, int previous, const char **ret_text, bool *ret_last)
{
	int code, length = 0;

	*ret_last = false;
	if (line[0] == ' ') {
		*ret_text = line + 1;
		return previous;
	}
	if (sscanf(line, "%4d%n", &code, &length) != 1 || length != 4 || !strchr(" -", line[4]) || !line[4])
		return -1;
	*ret_text = line + 5;
	*ret_last = line[4] == ' ';
	return code;
}

int bird_read_protocols(struct arena *arena, FILE *socket, struct bird_peer **ret)
{
	enum { PROTOCOL_LIST = 1002, FIRST_ERROR = 8000 };
	struct bird_peer **tail = ret, peer;
	char *line = NULL;
	const char *text;
	size_t size = 0;
	bool last = false;
	int code = 0;

	*ret = NULL;
	while (!last && code >= 0 && getline(&line, &size, socket) > 0) {
		code = line_code(line, code, &text, &last);
		if (code != PROTOCOL_LIST || !bird_parse_protocol(arena, text, &peer))
			continue;
		*tail = arena_alloc(arena, sizeof(peer));
		**tail = peer;
		tail = &(*tail)->next;
	}
	free(line);
	return last && code >= 0 && code < FIRST_ERROR ? 0 : -EBADMSG;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	int fd, r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

int bird_peers(struct arena *arena, const char *path, struct bird_peer **ret)
{
	static const char command[] = "show protocols\n";
	int fd = connect_to(path), r = -EBADMSG;
	char *greeting = NULL;
	size_t size = 0;

	if (fd < 0)
		return fd;

	FILE *socket = fdopen(fd, "r+e");

	if (!socket) {
		close(fd);
		return -ENOMEM;
	}
	/* BIRD speaks first: "0001 BIRD 2.0.12 ready." */
	if (getline(&greeting, &size, socket) > 0 && !strncmp(greeting, "0001 ", 5) &&
	    send(fd, command, strlen(command), MSG_NOSIGNAL) == (ssize_t)strlen(command))
		r = bird_read_protocols(arena, socket, ret);
	free(greeting);
	fclose(socket);
	return r;
}
