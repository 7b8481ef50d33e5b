/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One HTTP GET to a service of this host. */
#include "cli/http_get.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/model.h"

struct body {
	char *bytes;
	size_t length;
};

static size_t body_append(char *data, size_t size, size_t count, void *arg)
{
	struct body *body = arg;
	size_t length = size * count;

	if (length > MODEL_MAX_BYTES - body->length)
		return 0;

	char *bytes = realloc(body->bytes, body->length + length + 1);

	if (!bytes)
		return 0;
	memcpy(bytes + body->length, data, length);
	body->bytes = bytes;
	body->length += length;
	bytes[body->length] = '\0';
	return length;
}

/* A unix socket has no host name; anything will do in the URL. */
static int make_url(const char *server, const char *path, char **ret)
{
	const char *tcp = "tcp://";
	bool is_tcp = !strncmp(server, tcp, strlen(tcp));

	return asprintf(ret, "http://%s%s", is_tcp ? server + strlen(tcp) : "localhost", path) < 0 ? -ENOMEM
												   : 0;
}

static int transfer_failed(CURLcode code, const char *server, struct err *err)
{
	if (code == CURLE_OUT_OF_MEMORY)
		return err_set(err, ENOMEM, "out of memory");
	if (server[0] == '/' && access(server, F_OK) == 0 && access(server, W_OK) < 0)
		return err_set(err, EACCES, "%s is not accessible for this user", server);
	return err_set(err, ECONNREFUSED, "no answer on %s: %s", server, curl_easy_strerror(code));
}

static int parse_answer(CURL *curl, const char *server, const char *path, const struct body *body,
			json_t **ret, struct err *err)
{
	long status = 0;

	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 404)
		return err_set(err, ENOENT, "%s on %s: not found", path, server);
	if (status != 200)
		return err_set(err, EBADMSG, "%s on %s: HTTP status %ld", path, server, status);

	int r = model_json_parse(body->bytes ? body->bytes : "", ret, err);

	if (r == 0 && !json_is_object(*ret)) {
		json_decref(*ret);
		r = err_set(err, EBADMSG, "not a JSON object");
	}
	return r < 0 ? err_prefix(err, r, "%s on %s", path, server) : 0;
}

int http_get(const char *server, const char *path, json_t **ret, struct err *err)
{
	struct body body = {0};
	char *url = NULL;
	CURL *curl = curl_easy_init();
	int r = curl ? make_url(server, path, &url) : -ENOMEM;

	if (r < 0) {
		err_set(err, ENOMEM, "out of memory");
		goto out;
	}
	curl_easy_setopt(curl, CURLOPT_URL, url);
	if (server[0] == '/')
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, server);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)HTTP_GET_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_append);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);

	CURLcode code = curl_easy_perform(curl);

	r = code == CURLE_OK ? parse_answer(curl, server, path, &body, ret, err)
			     : transfer_failed(code, server, err);
out:
	free(url);
	free(body.bytes);
	curl_easy_cleanup(curl);
	return r;
}

char *http_escape(const char *segment)
{
	char *escaped = curl_easy_escape(NULL, segment, 0);
	char *copy = escaped ? strdup(escaped) : NULL;

	curl_free(escaped);
	return copy;
}
