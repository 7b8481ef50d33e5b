/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The methods of the Docker plugin protocol. Those that need neither datastore nor kernel are answered here.
 */
#include "docker/router.h"

#include <errno.h>
#include <string.h>

#include "model/model.h"
#include "util/log.h"

enum method_body {
	BODY_IGNORED,  /* dockerd sends none */
	BODY_OPTIONAL, /* nothing is done with it that matters: an empty one must not fail, see read_body() */
	BODY_REQUIRED, /* an empty one is an error, see read_body() */
};

struct method {
	enum method_body body;
	int (*handle)(struct call *call, struct err *err);
};

#define RETRIED "empty request body (retry after a broken connection)"

static int answer_nothing(struct call *call, struct err *err)
{
	return 0;
}

static int answer(struct call *call, json_t *answer, struct err *err)
{
	call->answer = answer;
	return answer ? 0 : err_set(err, ENOMEM, "out of memory");
}

/* Sent once in the life of a dockerd, whatever happens to this process. */
static int activate(struct call *call, struct err *err)
{
	engine_refresh(call->plugin->engine);
	collector_run_soon(call->plugin->collector);
	return answer(call, json_pack("{s:[s, s]}", "Implements", "NetworkDriver", "IpamDriver"), err);
}

static int network_capabilities(struct call *call, struct err *err)
{
	const char *scope = scope_is_global(call->plugin, call->peer) ? "global" : "local";

	return answer(call, json_pack("{s:s}", "Scope", scope), err);
}

static int ipam_capabilities(struct call *call, struct err *err)
{
	return answer(call, json_pack("{s:b, s:b}", "RequiresMACAddress", 0, "RequiresRequestReplay", 0),
		      err);
}

static int address_spaces(struct call *call, struct err *err)
{
	return answer(call,
		      json_pack("{s:s, s:s}", "LocalDefaultAddressSpace", LOCAL_SPACE,
				"GlobalDefaultAddressSpace", GLOBAL_SPACE),
		      err);
}

/* Any error here makes `docker run` fail, and there is nothing that could be wrong. */
static int endpoint_info(struct call *call, struct err *err)
{
	return answer(call, json_pack("{s:{}}", "Value"), err);
}

static int allocate_network(struct call *call, struct err *err)
{
	return answer(call, json_pack("{s:n}", "Options"), err);
}

/*
 * When a connection breaks under a request, dockerd repeats it with an empty body, and takes {} for success:
 * that must be an error, except where nothing was asked for. There an error would be worse: dockerd gives up
 * the start of the container, and if its EndpointOperInfo fails as well, keeps the endpoint for ever.
 */
static int read_body(const struct method *method, const struct http_request *request, json_t **ret,
		     struct err *err)
{
	int rc;

	*ret = NULL;
	if (method->body == BODY_IGNORED)
		return 0;
	if (!request->body[strspn(request->body, " \t\r\n")])
		return method->body == BODY_OPTIONAL ? 0 : err_set(err, EBADMSG, RETRIED);
	rc = model_json_parse(request->body, ret, err);
	if (rc < 0)
		return err_prefix(err, -EBADMSG, "the request is not JSON");
	if (!json_is_object(*ret)) {
		json_decref(*ret);
		*ret = NULL;
		return err_set(err, EBADMSG, "the request is not a JSON object");
	}
	return 0;
}

static int call_method(struct plugin *plugin, const struct method *method, const struct http_request *request,
		       json_t **ret, struct err *err)
{
	struct call call = {.plugin = plugin, .peer = request->peer};
	json_t *body;
	int rc = read_body(method, request, &body, err);

	if (!rc) {
		call.body = body;
		rc = method->handle(&call, err);
		json_decref(body);
	}
	if (!rc && !call.answer && !(call.answer = json_object()))
		rc = err_set(err, ENOMEM, "out of memory");
	if (rc < 0) {
		json_decref(call.answer);
		call.answer = NULL;
	}
	*ret = call.answer;
	return rc;
}

static int serve_method(void *arg, const struct http_request *request, json_t **ret, struct err *err)
{
	const char *name = request->route->path + 1;
	struct plugin *plugin = arg;
	int64_t start = task_clock_ms();
	int rc;

	plugin->requests++;
	rc = call_method(plugin, request->route->detail, request, ret, err);
	if (!rc) {
		log_debug("docker", "%s: %lld ms", name, (long long)(task_clock_ms() - start));
		return 200;
	}
	plugin->errors++;
	log_limited(LOG_LEVEL_WARN, "docker", name, "%s refused: %s", name, err->text);
	return rc == -EBADMSG ? 400 : 500;
}

static int serve_unknown(void *arg, const struct http_request *request, json_t **ret, struct err *err)
{
	struct plugin *plugin = arg;

	plugin->requests++;
	plugin->errors++;
	err_set(err, ENOENT, "there is no method of this name");
	return 404;
}

#define METHOD(body, handle)                                                                                 \
	serve_method, &(const struct method)                                                                 \
	{                                                                                                    \
		body, handle                                                                                 \
	}

const struct route router_methods[] = {
	{"/Plugin.Activate", METHOD(BODY_IGNORED, activate)},
	{"/NetworkDriver.GetCapabilities", METHOD(BODY_IGNORED, network_capabilities)},
	{"/NetworkDriver.DiscoverNew", METHOD(BODY_OPTIONAL, answer_nothing)},
	{"/NetworkDriver.DiscoverDelete", METHOD(BODY_OPTIONAL, answer_nothing)},
	{"/NetworkDriver.AllocateNetwork", METHOD(BODY_OPTIONAL, allocate_network)},
	{"/NetworkDriver.FreeNetwork", METHOD(BODY_OPTIONAL, answer_nothing)},
	{"/NetworkDriver.CreateNetwork", METHOD(BODY_REQUIRED, network_create)},
	{"/NetworkDriver.DeleteNetwork", METHOD(BODY_REQUIRED, network_delete)},
	{"/NetworkDriver.CreateEndpoint", METHOD(BODY_REQUIRED, endpoint_create)},
	{"/NetworkDriver.EndpointOperInfo", METHOD(BODY_OPTIONAL, endpoint_info)},
	{"/NetworkDriver.DeleteEndpoint", METHOD(BODY_REQUIRED, endpoint_delete)},
	{"/NetworkDriver.Join", METHOD(BODY_REQUIRED, endpoint_join)},
	{"/NetworkDriver.Leave", METHOD(BODY_REQUIRED, endpoint_leave)},
	/* An error here would leave Docker with an endpoint that cannot be removed. */
	{"/NetworkDriver.ProgramExternalConnectivity", METHOD(BODY_OPTIONAL, answer_nothing)},
	{"/NetworkDriver.RevokeExternalConnectivity", METHOD(BODY_OPTIONAL, answer_nothing)},
	{"/IpamDriver.GetCapabilities", METHOD(BODY_IGNORED, ipam_capabilities)},
	{"/IpamDriver.GetDefaultAddressSpaces", METHOD(BODY_IGNORED, address_spaces)},
	{"/IpamDriver.RequestPool", METHOD(BODY_REQUIRED, pool_request)},
	/* Pools are shared and not counted. */
	{"/IpamDriver.ReleasePool", METHOD(BODY_OPTIONAL, answer_nothing)},
	{"/IpamDriver.RequestAddress", METHOD(BODY_REQUIRED, address_request)},
	{"/IpamDriver.ReleaseAddress", METHOD(BODY_REQUIRED, address_give_back)},
	{.serve = serve_unknown},
};
