/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Agent parameters: who wins, what is refused, what needs programs to be loaded anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/felix.h"

struct fixture {
	struct felix_value *values;
	struct felix felix;
	int reports;
	char text[512]; /* of the last one */
};

static void count_report(void *arg, const char *name, const char *text)
{
	struct fixture *f = arg;

	assert_non_null(strstr(text, name));
	snprintf(f->text, sizeof(f->text), "%s", text);
	f->reports++;
}

static void resolve(struct fixture *f)
{
	f->reports = 0;
	felix_resolve(f->values, &f->felix, count_report, f);
}

static int set_up(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	felix_values_free(f->values);
	free(f);
	return 0;
}

static void test_defaults_are_those_of_the_container_deployment(void **state)
{
	struct fixture *f = *state;

	resolve(f);
	assert_string_equal(f->felix.interface_prefix, "cali");
	assert_int_equal(f->felix.host_action, HOST_RETURN);
	assert_int_equal(f->felix.drop_action, DROP_DROP);
	assert_false(f->felix.keep_established);
	assert_int_equal(f->reports, 0);
}

static void test_uplinks_are_names_or_found(void **state)
{
	static const char *const wrong[] = {"eth0,", "eth0,,eth1", "eth 0", "a/b", "a-name-of-16-chars"};
	struct fixture *f = *state;

	resolve(f);
	assert_string_equal(f->felix.uplinks, "");
	felix_set(&f->values, "Uplinks", true, "eth0,bond1.7");
	resolve(f);
	assert_string_equal(f->felix.uplinks, "eth0,bond1.7");
	assert_int_equal(f->reports, 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		felix_set(&f->values, "Uplinks", true, wrong[i]);
		resolve(f);
		assert_string_equal(f->felix.uplinks, "");
		assert_int_equal(f->reports, 1);
	}
}

static void assert_ports(const struct failsafe_ports *ports, const char *expected)
{
	char text[512] = "";
	size_t length = 0;

	for (size_t i = 0; i < ports->count; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%u", i ? "," : "",
					   ports->port[i]);
	assert_string_equal(text, expected);
}

static void test_failsafe_ports(void **state)
{
	static const char *const good[][2] = {
		{"22", "22"}, {"1, 0x10 ,020,65535", "1,16,16,65535"}, {"", ""}, {" , ,", ""}, {"22,", "22"},
	};
	static const char *const wrong[] = {"0",   "65536", "-1",   "+1",  "22 23",
					    "ssh", "22;23", "none", "1.5", "99999999999999999999"};
	static const char name[] = "FailsafeInboundHostPorts";
	struct fixture *f = *state;
	char many[6 * (FAILSAFE_PORTS + 1)] = "";

	resolve(f);
	assert_ports(&f->felix.failsafe_inbound, "22");
	assert_ports(&f->felix.failsafe_outbound, "2379,2380,4001,7001");
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		felix_set(&f->values, name, false, good[i][0]);
		resolve(f);
		assert_ports(&f->felix.failsafe_inbound, good[i][1]);
		assert_int_equal(f->reports, 0);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		felix_set(&f->values, name, true, wrong[i]);
		resolve(f);
		assert_ports(&f->felix.failsafe_inbound, "22");
		assert_int_equal(f->reports, 1);
	}
	for (int i = 0; i < FAILSAFE_PORTS; i++)
		strcat(many, i ? ",443" : "443");
	felix_set(&f->values, name, true, many);
	resolve(f);
	assert_int_equal(f->felix.failsafe_inbound.count, FAILSAFE_PORTS);
	strcat(many, ",443");
	felix_set(&f->values, name, true, many);
	resolve(f);
	assert_ports(&f->felix.failsafe_inbound, "22");
	assert_int_equal(f->reports, 1);
}

static void test_screening_is_automatic_and_unlimited_unless_set(void **state)
{
	struct fixture *f = *state;
	struct felix before;

	resolve(f);
	assert_int_equal(f->felix.uplink_xdp, UPLINK_XDP_AUTO);
	assert_int_equal(f->felix.source_limit, 0);
	before = f->felix;
	felix_set(&f->values, "UplinkXDP", false, "off");
	resolve(f);
	assert_int_equal(f->felix.uplink_xdp, UPLINK_XDP_OFF);
	assert_false(felix_needs_reload(&before, &f->felix));
	felix_set(&f->values, "NewFlowsPerSource", false, "100");
	resolve(f);
	assert_int_equal(f->felix.source_limit, 100);
	assert_true(felix_needs_reload(&before, &f->felix));
	felix_set(&f->values, "UplinkXDP", true, "yes");
	felix_set(&f->values, "NewFlowsPerSource", true, "0");
	resolve(f);
	assert_int_equal(f->reports, 2);
	assert_int_equal(f->felix.uplink_xdp, UPLINK_XDP_AUTO);
	assert_int_equal(f->felix.source_limit, 0);
}

static void assert_nat(struct fixture *f, unsigned int first, unsigned int last, int reports)
{
	resolve(f);
	assert_int_equal(f->felix.nat_first, first);
	assert_int_equal(f->felix.nat_last, last);
	assert_int_equal(f->reports, reports);
}

static void test_nat_has_ports_when_programs_translate(void **state)
{
	static const char *const wrong[] = {"61000",	   "61000-",	  "61000-61001x", "700-61000",
					    "61000-60999", "61000-65536", "-61000"};
	struct fixture *f = *state;

	assert_nat(f, 0, 0, 0);
	felix_set(&f->values, "NatPorts", false, "20000-29999");
	assert_nat(f, 0, 0, 0);
	felix_set(&f->values, "NatOutgoing", false, "bpf");
	assert_nat(f, 20000, 29999, 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		felix_set(&f->values, "NatPorts", false, wrong[i]);
		assert_nat(f, 61000, 65535, 1);
	}
	felix_set(&f->values, "NatOutgoing", false, "kernel");
	felix_set(&f->values, "NatPorts", false, NULL);
	assert_nat(f, 0, 0, 0);
	felix_set(&f->values, "NatOutgoing", false, "BPF");
	assert_nat(f, 0, 0, 1);
}

static void test_environment_beats_host_beats_global(void **state)
{
	static const char *const name = "DefaultEndpointToHostAction";
	struct fixture *f = *state;

	felix_set(&f->values, name, false, "ACCEPT");
	resolve(f);
	assert_int_equal(f->felix.host_action, HOST_ACCEPT);
	felix_set(&f->values, name, true, "DROP");
	resolve(f);
	assert_int_equal(f->felix.host_action, HOST_DROP);
	setenv("FELIX_DEFAULTENDPOINTTOHOSTACTION", "RETURN", 1);
	resolve(f);
	unsetenv("FELIX_DEFAULTENDPOINTTOHOSTACTION");
	assert_int_equal(f->felix.host_action, HOST_RETURN);
	felix_set(&f->values, name, true, NULL);
	resolve(f);
	assert_int_equal(f->felix.host_action, HOST_ACCEPT);
}

static void test_misspelt_names_are_told_with_the_right_one(void **state)
{
	static const struct {
		const char *wrong, *right;
	} rows[] = {
		{"DropActionOveride", "did you mean DropActionOverride?"},
		{"dropactionoverride", "did you mean DropActionOverride?"},
		{"MaxRule", "did you mean MaxRules?"},
		{"UplinksXDP", "did you mean UplinkXDP?"},
		{"FELIX_DROPACTIONOVERIDE", "did you mean FELIX_DROPACTIONOVERRIDE?"},
		{"FELIX_DropActionOverride", "did you mean FELIX_DROPACTIONOVERRIDE?"},
	};
	static const char *const no_misspellings[] = {"LogSeverityFile", "LogSeveritySys", "IpInIpTunnelAddr",
						      "marker",		 "IpInIpMtu",	   "Anything"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *name = rows[i].wrong;
		bool variable = !strncmp(name, "FELIX_", 6);

		if (variable)
			setenv(name, "ACCEPT", 1);
		else
			felix_set(&f->values, name, i % 2, "ACCEPT");
		resolve(f);
		assert_int_equal(f->reports, 1);
		assert_non_null(strstr(f->text, rows[i].right));
		assert_int_equal(f->felix.drop_action, DROP_DROP);
		unsetenv(name);
		felix_set(&f->values, name, i % 2, NULL);
	}
	for (size_t i = 0; i < sizeof(no_misspellings) / sizeof(no_misspellings[0]); i++)
		felix_set(&f->values, no_misspellings[i], true, "ACCEPT");
	setenv("FELIX_LOGSEVERITYSYS", "none", 1);
	setenv("FELIX_MAXRULES", "70000", 1);
	resolve(f);
	unsetenv("FELIX_LOGSEVERITYSYS");
	unsetenv("FELIX_MAXRULES");
	assert_int_equal(f->reports, 0);
	assert_int_equal(f->felix.max_rules, 70000);
}

static void test_a_value_nobody_can_use_is_reported_and_hides_lower_ones(void **state)
{
	struct fixture *f = *state;

	felix_set(&f->values, "DropActionOverride", false, "ACCEPT");
	felix_set(&f->values, "DropActionOverride", true, "accept");
	felix_set(&f->values, "MaxRules", true, "many");
	felix_set(&f->values, "InterfacePrefix", true, "much-too-long-prefix");
	resolve(f);
	assert_int_equal(f->felix.drop_action, DROP_DROP);
	assert_int_equal(f->felix.max_rules, 0);
	assert_string_equal(f->felix.interface_prefix, "cali");
	assert_int_equal(f->reports, 3);
}

static void test_only_what_programs_depend_on_needs_a_reload(void **state)
{
	struct fixture *f = *state;
	struct felix before;

	resolve(f);
	before = f->felix;
	felix_set(&f->values, "LogSeverityScreen", false, "DEBUG");
	felix_set(&f->values, "DataplaneRefreshSecs", false, "7");
	resolve(f);
	assert_int_equal(f->felix.refresh_interval_s, 7);
	assert_false(felix_needs_reload(&before, &f->felix));
	felix_set(&f->values, "FlowTableSize", false, "0x1000");
	resolve(f);
	assert_int_equal(f->felix.flow_table_size, 4096);
	assert_true(felix_needs_reload(&before, &f->felix));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_defaults_are_those_of_the_container_deployment, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_nat_has_ports_when_programs_translate, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_environment_beats_host_beats_global, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_uplinks_are_names_or_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_screening_is_automatic_and_unlimited_unless_set, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_failsafe_ports, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_misspelt_names_are_told_with_the_right_one, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_value_nobody_can_use_is_reported_and_hides_lower_ones,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_only_what_programs_depend_on_needs_a_reload, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
