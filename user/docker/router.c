/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The methods of the Docker plugin protocol. Those that need neither datastore nor kernel are answered here.
 */
#include "docker/router.h"

#include <errno.h>
#include <string.h>

#include "model/model.h"
#include "util/log.h"

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

static const struct route routes[] = {
	{"Plugin.Activate", BODY_IGNORED, activate},
	{"NetworkDriver.GetCapabilities", BODY_IGNORED, network_capabilities},
	{"NetworkDriver.DiscoverNew", BODY_OPTIONAL, answer_nothing},
	{"NetworkDriver.DiscoverDelete", BODY_OPTIONAL, answer_nothing},
	{"NetworkDriver.AllocateNetwork", BODY_OPTIONAL, allocate_network},
	{"NetworkDriver.FreeNetwork", BODY_OPTIONAL, answer_nothing},
	{"NetworkDriver.CreateNetwork", BODY_REQUIRED, network_create},
	{"NetworkDriver.DeleteNetwork", BODY_REQUIRED, network_delete},
	{"NetworkDriver.CreateEndpoint", BODY_REQUIRED, endpoint_create},
	{"NetworkDriver.EndpointOperInfo", BODY_OPTIONAL, endpoint_info},
	{"NetworkDriver.DeleteEndpoint", BODY_REQUIRED, endpoint_delete},
	{"NetworkDriver.Join", BODY_REQUIRED, endpoint_join},
	{"NetworkDriver.Leave", BODY_REQUIRED, endpoint_leave},
	/* An error here would leave Docker with an endpoint that cannot be removed. */
	{"NetworkDriver.ProgramExternalConnectivity", BODY_OPTIONAL, answer_nothing},
	{"NetworkDriver.RevokeExternalConnectivity", BODY_OPTIONAL, answer_nothing},
	{"IpamDriver.GetCapabilities", BODY_IGNORED, ipam_capabilities},
	{"IpamDriver.GetDefaultAddressSpaces", BODY_IGNORED, address_spaces},
	{"IpamDriver.RequestPool", BODY_REQUIRED, pool_request},
	{"IpamDriver.ReleasePool", BODY_OPTIONAL, answer_nothing}, /* pools are shared and not counted */
	{"IpamDriver.RequestAddress", BODY_REQUIRED, address_request},
	{"IpamDriver.ReleaseAddress", BODY_REQUIRED, address_give_back},
};

const struct route *router_find(const char *path)
{
	if (!path || *path != '/')
		return NULL;
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (!strcmp(path + 1, routes[i].method))
			return &routes[i];
	}
	return NULL;
}

/*
 * When a connection breaks under a request, dockerd repeats it with an empty body, and takes {} for success:
 * that must be an error, except where nothing was asked for. There an error would be worse: dockerd gives up
 * the start of the container, and if its EndpointOperInfo fails as well, keeps the endpoint for ever.
 */
static int read_body(const struct route *route, const struct server_request *request, json_t **ret,
		     struct err *err)
{
	int rc;

	*ret = NULL;
	if (route->body == BODY_IGNORED)
		return 0;
	if (!request->body[strspn(request->body, " \t\r\n")])
		return route->body == BODY_OPTIONAL ? 0 : err_set(err, EBADMSG, RETRIED);
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

static int call_method(struct plugin *plugin, const struct route *route, const struct server_request *request,
		       json_t **ret, struct err *err)
{
	struct call call = {.plugin = plugin, .peer = request->peer};
	json_t *body;
	int rc = read_body(route, request, &body, err);

	if (!rc) {
		call.body = body;
		rc = route->handle(&call, err);
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

int router_serve(void *arg, const struct server_request *request, json_t **ret, struct err *err)
{
	const struct route *route = router_find(request->path);
	struct plugin *plugin = arg;
	int64_t start = task_clock_ms();
	int rc;

	plugin->requests++;
	if (!route) {
		plugin->errors++;
		err_set(err, ENOENT, "there is no method of this name");
		return 404;
	}
	rc = call_method(plugin, route, request, ret, err);
	if (!rc) {
		log_debug("docker", "%s: %lld ms", route->method, (long long)(task_clock_ms() - start));
		return 200;
	}
	plugin->errors++;
	log_limited(LOG_LEVEL_WARN, "docker", route->method, "%s refused: %s", route->method, err->text);
	return rc == -EBADMSG ? 400 : 500;
}
