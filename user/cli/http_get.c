/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One HTTP GET. */
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

/* The body of the answer, if its status is 200. `what` names the request. */
static int fetch(CURL *curl, const char *what, const char *server, struct body *body, struct err *err)
{
	long status = 0;
	CURLcode code;

	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)HTTP_GET_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_append);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	code = curl_easy_perform(curl);
	if (code != CURLE_OK)
		return transfer_failed(code, server, err);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 404)
		return err_set(err, ENOENT, "%s on %s: not found", what, server);
	if (status != 200)
		return err_set(err, EBADMSG, "%s on %s: HTTP status %ld", what, server, status);
	return 0;
}

static int parse_answer(const char *server, const char *path, const struct body *body, json_t **ret,
			struct err *err)
{
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
	r = fetch(curl, path, server, &body, err);
	if (r == 0)
		r = parse_answer(server, path, &body, ret, err);
out:
	free(url);
	free(body.bytes);
	curl_easy_cleanup(curl);
	return r;
}

int http_get_text(const struct config *config, const char *url, char **ret, struct err *err)
{
	CURL *curl = curl_easy_init();
	struct body body = {0};
	int r;

	if (!curl)
		return err_set(err, ENOMEM, "out of memory");
	curl_easy_setopt(curl, CURLOPT_URL, url);
	if (config->ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, config->ca_file);
	if (config->cert_file)
		curl_easy_setopt(curl, CURLOPT_SSLCERT, config->cert_file);
	if (config->key_file)
		curl_easy_setopt(curl, CURLOPT_SSLKEY, config->key_file);
	r = fetch(curl, "GET", url, &body, err);
	if (r == 0 && !body.bytes)
		body.bytes = strdup("");
	curl_easy_cleanup(curl);
	if (r == 0 && !body.bytes)
		r = err_set(err, ENOMEM, "out of memory");
	if (r < 0) {
		free(body.bytes);
		return r;
	}
	*ret = body.bytes;
	return 0;
}

char *http_escape(const char *segment)
{
	char *escaped = curl_easy_escape(NULL, segment, 0);
	char *copy = escaped ? strdup(escaped) : NULL;

	curl_free(escaped);
	return copy;
}
