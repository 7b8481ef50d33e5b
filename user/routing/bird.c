/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The routing daemon's BGP sessions. Answers of BIRD are lines "CCCC-text", with a blank instead of '-' on
 * the last one, or " text" for one more line of the same code (BIRD 2 user's guide, "Remote control").
 */
#include "routing/bird.h"

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

/* The name after its prefix as an address, with `by` for each '_'. */
static bool parse_address(const char *text, char by, struct bird_peer *ret)
{
	struct addr addr;

	if (strlen(text) >= sizeof(ret->address))
		return false;
	for (size_t i = 0; i <= strlen(text); i++)
		ret->address[i] = text[i] == '_' ? by : text[i];
	if (addr_parse(ret->address, &addr) < 0)
		return false;
	ret->family = addr.family;
	return true;
}

static bool parse_name(const char *name, struct bird_peer *ret)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t length = strlen(kinds[i].prefix);

		if (strncmp(name, kinds[i].prefix, length) != 0)
			continue;
		ret->type = kinds[i].type;
		return parse_address(name + length, '.', ret) || parse_address(name + length, ':', ret);
	}
	return false;
}

bool bird_parse_protocol(const char *line, struct bird_peer *ret)
{
	char name[NAME_MAX_LENGTH + 1], *fraction;
	int rest = -1;

	*ret = (struct bird_peer){};
	/* name, protocol, table, state, since; the rest of the line is free text */
	if (sscanf(line, "%63s %*s %*s %15s %31s %n", name, ret->state, ret->since, &rest) != 3 || rest < 0)
		return false;
	if (!parse_name(name, ret))
		return false;
	/* BIRD 2 shows fractions of seconds. */
	fraction = strchr(ret->since, ':') ? strchr(ret->since, '.') : NULL;
	if (fraction)
		*fraction = '\0';
	snprintf(ret->info, sizeof(ret->info), "%s", line + rest);
	for (size_t length = strlen(ret->info); length && isspace((unsigned char)ret->info[length - 1]);
	     length--)
		ret->info[length - 1] = '\0';
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

int bird_read_protocols(FILE *socket, struct bird_peer **ret, size_t *ret_count)
{
	enum { PROTOCOL_LIST = 1002, FIRST_ERROR = 8000 };
	struct bird_peer *peers = NULL, *more, peer;
	size_t size = 0, count = 0;
	char *line = NULL;
	const char *text;
	bool last = false;
	int code = 0, r = 0;

	while (r == 0 && !last && code >= 0 && getline(&line, &size, socket) > 0) {
		code = line_code(line, code, &text, &last);
		if (code != PROTOCOL_LIST || !bird_parse_protocol(text, &peer))
			continue;
		more = reallocarray(peers, count + 1, sizeof(*peers));
		if (more) {
			peers = more;
			peers[count++] = peer;
		} else {
			r = -ENOMEM;
		}
	}
	free(line);
	if (r == 0 && (!last || code < 0 || code >= FIRST_ERROR))
		r = -EBADMSG;
	if (r < 0) {
		free(peers);
		return r;
	}
	*ret = peers;
	*ret_count = count;
	return 0;
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

int bird_peers(const char *path, struct bird_peer **ret, size_t *ret_count)
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
		r = bird_read_protocols(socket, ret, ret_count);
	free(greeting);
	fclose(socket);
	return r;
}
