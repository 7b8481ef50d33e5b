/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Workload and host endpoints: a rewrite is read as the same endpoint. */
#include "fuzz.h"
#include "model/endpoint.h"

static void check_same(const char *text, const struct workload_endpoint *a, const struct workload_endpoint *b)
{
	fuzz_check(a->active == b->active && strcmp(a->name, b->name) == 0 && a->has_mac == b->has_mac, text);
	fuzz_check(memcmp(a->mac, b->mac, sizeof(a->mac)) == 0, text);
	fuzz_check(strings_equal(&a->profiles, &b->profiles) && a->labels.count == b->labels.count, text);
	fuzz_check(addr_compare(&a->gateway4, &b->gateway4) == 0, text);
	fuzz_check(addr_compare(&a->gateway6, &b->gateway6) == 0, text);
	fuzz_check(a->nat_count == b->nat_count && a->net_count == b->net_count, text);
	for (size_t i = 0; i < a->net_count; i++)
		fuzz_check(addr_compare(&a->nets[i], &b->nets[i]) == 0, text);
	for (size_t i = 0; i < a->nat_count; i++)
		fuzz_check(addr_compare(&a->nat[i].external, &b->nat[i].external) == 0, text);
}

static void workload(const char *text)
{
	struct workload_endpoint *endpoint, *again = NULL;
	struct err err = {""};
	char *own;

	if (workload_endpoint_parse(text, NULL, &endpoint, &err) < 0) {
		fuzz_refused(&err);
		return;
	}
	own = workload_endpoint_format(endpoint);
	fuzz_check(own && workload_endpoint_parse(own, NULL, &again, &err) == 0, text);
	check_same(text, endpoint, again);
	workload_endpoint_free(endpoint);
	workload_endpoint_free(again);
	free(own);
}

static void host(const char *text)
{
	struct host_endpoint *endpoint;
	struct err err = {""};

	if (host_endpoint_parse(text, &endpoint, &err) < 0) {
		fuzz_refused(&err);
		return;
	}
	fuzz_check(endpoint->name[0] || endpoint->expected_count > 0, text);
	host_endpoint_free(endpoint);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);

	workload(text);
	host(text);
	free(text);
	return 0;
}
