/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Settings: defaults, precedence of environment over file, choice of datastore, and what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "config/config.h"

static char directory[] = "/tmp/calico-config-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* Every test starts without any setting but an empty file; cmocka's own stays. */
static int setup(void **state)
{
	const char *output = getenv("CMOCKA_MESSAGE_OUTPUT");

	clearenv();
	if (output)
		setenv("CMOCKA_MESSAGE_OUTPUT", output, 1);
	write_file("calico.cfg", "");
	setenv("CALICO_CONFIG", path_of("calico.cfg"), 1);
	return 0;
}

static struct config *load(void)
{
	struct config *config = NULL;
	struct err err = {0};

	if (config_load(&config, &err) < 0)
		fail_msg("refused: %s", err.text);
	return config;
}

static void assert_refused(const char *part, const char *other)
{
	struct config *config = NULL;
	struct err err = {0};

	assert_int_equal(config_load(&config, &err), -EINVAL);
	if (!strstr(err.text, part) || !strstr(err.text, other))
		fail_msg("'%s' lacks '%s' or '%s'", err.text, part, other);
}

static void test_defaults(void **state)
{
	struct config *config = load();
	char kernel[256];

	gethostname(kernel, sizeof(kernel));
	assert_string_equal(config->sqlite_path, "/var/lib/calico/calico.db");
	assert_null(config->endpoints);
	assert_string_equal(config->hostname, kernel);
	assert_string_equal(config->docker_host, "/var/run/docker.sock");
	assert_string_equal(config->plugin_socket, "/run/docker/plugins/calico.sock");
	assert_string_equal(config->run_dir, "/run/calico");
	assert_string_equal(config->state_dir, "/var/lib/calico");
	assert_string_equal(config->bpffs, "/sys/fs/bpf/calico");
	assert_null(config->ip);
	assert_null(config->as);
	assert_true(config->networking);
	assert_true(config->create_profiles);
	assert_false(config->no_default_pools);
	assert_false(config->require_calico_ipam);
	assert_false(config->debug);
	assert_int_equal(config->scope, SCOPE_AUTO);
	assert_string_equal(config->interface_prefix, "cali");
	assert_int_equal(config->veth_mtu, 0);
	config_free(config);
}

static void test_file_then_environment(void **state)
{
	struct config *config;

	write_file("calico.cfg", "# comment\n"
				 "\n"
				 "  HOSTNAME = from-file \r\n"
				 "IP=10.0.0.1\n"
				 "IP=10.0.0.2\n"
				 "AS=\"64512\"\n"
				 "CALICO_RUN_DIR='/run/x'\n"
				 "CALICO_STATE_DIR=/var/lib/x\n"
				 "CALICO_BPFFS=\n"
				 "CALICO_NETWORKING=false\n"
				 "CALICO_LIBNETWORK_SCOPE=global\n"
				 "UNKNOWN=whatever");
	setenv("HOSTNAME", "from-environment", 1);
	setenv("CALICO_LIBNETWORK_SCOPE", "local", 1);
	setenv("CALICO_RUN_DIR", "", 1); /* empty: as if unset, so the file counts */
	setenv("NO_DEFAULT_POOLS", "TRUE", 1);
	setenv("CALICO_DEBUG", "no", 1);
	config = load();
	assert_string_equal(config->hostname, "from-environment");
	assert_string_equal(config->ip, "10.0.0.2");
	assert_string_equal(config->as, "64512");
	assert_string_equal(config->run_dir, "/run/x");
	assert_string_equal(config->sqlite_path, "/var/lib/x/calico.db");
	assert_string_equal(config->bpffs, "/sys/fs/bpf/calico");
	assert_false(config->networking);
	assert_true(config->no_default_pools);
	assert_true(config->debug);
	assert_int_equal(config->scope, SCOPE_LOCAL);
	config_free(config);
}

static void test_missing_file_matters_when_it_was_named(void **state)
{
	struct config *config = NULL;
	struct err err = {0};

	setenv("CALICO_CONFIG", path_of("absent.cfg"), 1);
	assert_int_equal(config_load(&config, &err), -ENOENT);
	assert_non_null(strstr(err.text, "absent.cfg"));
}

static void test_directory_is_no_file(void **state)
{
	struct config *config = NULL;
	struct err err = {0};

	setenv("CALICO_CONFIG", "/", 1);
	assert_int_equal(config_load(&config, &err), -EIO);
	assert_non_null(strstr(err.text, "/: Is a directory"));
}

static void test_malformed_line_is_named(void **state)
{
	write_file("calico.cfg", "IP=10.0.0.1\nnonsense\n");
	assert_refused("line 2 of ", "calico.cfg");
	write_file("calico.cfg", "=x\n");
	assert_refused("line 1 of ", "calico.cfg");
}

static void test_docker_host_forms(void **state)
{
	static const char *const forms[][2] = {
		{"unix://var/run/docker.sock", "/var/run/docker.sock"},
		{"unix:///run/other.sock", "/run/other.sock"},
		{"tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375"},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct config *config;

		setenv("DOCKER_HOST", forms[i][0], 1);
		config = load();
		assert_string_equal(config->docker_host, forms[i][1]);
		config_free(config);
	}
}

static void test_options_replace_members(void **state)
{
	struct config *config = load();

	assert_int_equal(config_set(&config->ip, "192.0.2.1"), 0);
	assert_int_equal(config_set(&config->ip, "192.0.2.2"), 0);
	assert_string_equal(config->ip, "192.0.2.2");
	assert_int_equal(config_set_state_dir(config, "/srv/a"), 0);
	assert_string_equal(config->state_dir, "/srv/a");
	assert_string_equal(config->sqlite_path, "/srv/a/calico.db");
	config_free(config);

	setenv("CALICO_DATASTORE", "sqlite:/srv/named.db", 1);
	config = load();
	assert_int_equal(config_set_state_dir(config, "/srv/a"), 0);
	assert_string_equal(config->sqlite_path, "/srv/named.db");
	config_free(config);
}

/* Which datastore each setting leads to: an endpoint, or the path of the embedded one. */
static void test_choice_of_datastore(void **state)
{
	static const struct {
		const char *datastore, *endpoints, *authority, *scheme;
		size_t count;
		const char *first;
	} rows[] = {
		{"", "", "", "", 0, "/var/lib/calico/calico.db"},
		{"", "", "", "http", 0, "/var/lib/calico/calico.db"},
		{"sqlite:/x/y.db", "http://10.0.0.1:2379", "", "", 0, "/x/y.db"},
		{"etcd", "", "", "", 1, "http://127.0.0.1:2379"},
		{"", "", "10.0.0.1:4001", "", 1, "http://10.0.0.1:4001"},
		{"", "", "etcd-1.example.com:2379", "http", 1, "http://etcd-1.example.com:2379"},
		{"", "http://10.0.0.2:2379", "10.0.0.1:4001", "nonsense", 1, "http://10.0.0.2:2379"},
		{"etcd", " http://a:1 ,\thttp://b:2,http://c:65535 ", "", "", 3, "http://a:1"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config *config;

		setenv("CALICO_DATASTORE", rows[i].datastore, 1);
		setenv("ETCD_ENDPOINTS", rows[i].endpoints, 1);
		setenv("ETCD_AUTHORITY", rows[i].authority, 1);
		setenv("ETCD_SCHEME", rows[i].scheme, 1);
		setenv("ETCD_CA_CERT_FILE", "", 1);
		config = load();
		assert_int_equal(config->endpoint_count, rows[i].count);
		assert_string_equal(rows[i].count ? config->endpoints[0] : config->sqlite_path,
				    rows[i].first);
		assert_true(!config->sqlite_path == !!config->endpoints);
		if (rows[i].count) {
			assert_null(config->endpoints[rows[i].count]);
			assert_null(strchr(config->endpoints[rows[i].count - 1], ' '));
		}
		config_free(config);
	}
}

static void test_tls(void **state)
{
	char cert[256], key[256], ca[256];
	struct config *config;

	write_file("cert", "c");
	write_file("key", "k");
	write_file("ca", "a");
	strcpy(cert, path_of("cert"));
	strcpy(key, path_of("key"));
	strcpy(ca, path_of("ca"));

	setenv("ETCD_ENDPOINTS", "https://etcd.example.com:2379", 1);
	assert_refused("ETCD_CA_CERT_FILE", "https://etcd.example.com:2379");
	setenv("ETCD_CA_CERT_FILE", path_of("absent"), 1);
	assert_refused("ETCD_CA_CERT_FILE", path_of("absent"));
	setenv("ETCD_CA_CERT_FILE", directory, 1);
	assert_refused("ETCD_CA_CERT_FILE", directory);
	setenv("ETCD_CA_CERT_FILE", ca, 1);
	setenv("ETCD_CERT_FILE", cert, 1);
	assert_refused("ETCD_CERT_FILE", cert);
	setenv("ETCD_KEY_FILE", path_of("absent"), 1);
	assert_refused("ETCD_KEY_FILE", path_of("absent"));
	setenv("ETCD_KEY_FILE", key, 1);
	config = load();
	assert_string_equal(config->ca_file, ca);
	assert_string_equal(config->cert_file, cert);
	assert_string_equal(config->key_file, key);
	config_free(config);
	unsetenv("ETCD_CERT_FILE");
	assert_refused("ETCD_KEY_FILE", key);
}

static void test_refused(void **state)
{
	static const char *const rows[][2] = {
		{"CALICO_DATASTORE", "mysql"},
		{"CALICO_DATASTORE", "sqlite:relative.db"},
		{"CALICO_DATASTORE", "sqlite:"},
		{"ETCD_SCHEME", "ftp"},
		{"ETCD_AUTHORITY", "10.0.0.1"},
		{"ETCD_AUTHORITY", "10.0.0.1:"},
		{"ETCD_AUTHORITY", ":2379"},
		{"ETCD_AUTHORITY", "10.0.0.1:0"},
		{"ETCD_AUTHORITY", "10.0.0.1:65536"},
		{"ETCD_AUTHORITY", "10.0.0.1:23x"},
		{"ETCD_AUTHORITY", "10.0.0.1:2379:1"},
		{"ETCD_AUTHORITY", "-a:2379"},
		{"ETCD_AUTHORITY", "a..b:2379"},
		{"ETCD_AUTHORITY", "a_b:2379"},
		{"ETCD_AUTHORITY", "http://a:2379"},
		{"ETCD_ENDPOINTS", "a:2379"},
		{"ETCD_ENDPOINTS", "http://a:2379,"},
		{"ETCD_ENDPOINTS", "http://a:2379 http://b:2379"},
		{"ETCD_ENDPOINTS", "http://a:2379,https://b:2379"},
		{"ETCD_ENDPOINTS", "http://[::1]:2379"},
		{"HOSTNAME", "a/b"},
		{"HOSTNAME", "."},
		{"HOSTNAME", ".."},
		{"CALICO_RUN_DIR", "run"},
		{"CALICO_BPFFS", "./bpf"},
		{"CALICO_NETWORKING", "maybe"},
		{"CALICO_LIBNETWORK_SCOPE", "swarm"},
		{"CALICO_LIBNETWORK_IFPREFIX", "a/b"},
		{"CALICO_LIBNETWORK_IFPREFIX", "thirteenchars"},
		{"CALICO_LIBNETWORK_VETH_MTU", "-1"},
		{"CALICO_LIBNETWORK_VETH_MTU", "67"},
		{"CALICO_LIBNETWORK_VETH_MTU", "65536"},
		{"CALICO_LIBNETWORK_VETH_MTU", "1500x"},
		{"IP", "10.0.0.1/24"},
		{"IP", "fd00::1"},
		{"IP6", "10.0.0.1"},
		{"AS", "4294967296"},
		{"AS", "1.65536"},
		{"AS", "as"},
		{"DOCKER_HOST", "http://127.0.0.1:2375"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setenv(rows[i][0], rows[i][1], 1);
		assert_refused(rows[i][0], strncmp(rows[i][1], "sqlite:", 7) ? rows[i][1] : rows[i][1] + 7);
		unsetenv(rows[i][0]);
	}
	setenv("ETCD_ENDPOINTS", "http://a:2379,https://b:2379", 1);
	assert_refused("Inconsistent protocols", "https://b:2379");
}

/* Lines that a shell, systemd or an editor of another system may leave, and what they all mean. */
static void test_lines_that_are_understood(void **state)
{
	static const char *const lines[] = {
		"ETCD_ENDPOINTS=http://10.0.0.9:2379",
		"export ETCD_ENDPOINTS=http://10.0.0.9:2379",
		"  export\tETCD_ENDPOINTS='http://10.0.0.9:2379'",
		"\xef\xbb\xbf"
		"ETCD_ENDPOINTS=http://10.0.0.9:2379\r\n",
		"\xef\xbb\xbf# head\r\nexport ETCD_ENDPOINTS=\"http://10.0.0.9:2379\"\r\n",
		"ETCD_ENDPOINTS=http://10.0.0.9:2379 # the first rack",
		"ETCD_ENDPOINTS=\"http://10.0.0.9:2379\"  # the first rack",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct config *config;

		write_file("calico.cfg", lines[i]);
		config = load();
		assert_int_equal(config->endpoint_count, 1);
		assert_string_equal(config->endpoints[0], "http://10.0.0.9:2379");
		assert_null(config->warnings);
		config_free(config);
	}
	write_file("calico.cfg", "");
	setenv("ETCD_ENDPOINTS", " \"http://10.0.0.9:2379\"\r\n", 1);
	struct config *config = load();

	assert_string_equal(config->endpoints[0], "http://10.0.0.9:2379");
	config_free(config);
}

/* None of these may lead to the embedded store. */
static void test_lines_that_are_refused(void **state)
{
	static const char *const rows[][2] = {
		{"ETCD_ENDPOINTS: http://10.0.0.9:2379", "NAME=value"},
		{"setenv ETCD_ENDPOINTS=http://10.0.0.9:2379", "NAME=value"},
		{"export ETCD_ENDPOINTS", "NAME=value"},
		{"\xc2\xa0"
		 "ETCD_ENDPOINTS=http://10.0.0.9:2379",
		 "NAME=value"},
		{"ETCD_ENDPOINTS=\"http://10.0.0.9:2379", "quotes"},
		{"ETCD_ENDPOINTS='http://10.0.0.9:2379' x", "quotes"},
		{"ETCD_ENDPOINT=http://10.0.0.9:2379", "did you mean ETCD_ENDPOINTS"},
		{"ETCD_ENPOINTS=http://10.0.0.9:2379", "did you mean ETCD_ENDPOINTS"},
		{"ETCDENDPOINTS=http://10.0.0.9:2379", "did you mean ETCD_ENDPOINTS"},
		{"etcd_endpoints=http://10.0.0.9:2379", "did you mean ETCD_ENDPOINTS"},
		{"ETCD_AUTORITY=10.0.0.9:2379", "did you mean ETCD_AUTHORITY"},
		{"CALICO_DATSTORE=etcd", "did you mean CALICO_DATASTORE"},
		{"CALICO_DATASTROE=etcd", "did you mean CALICO_DATASTORE"},
		{"NO_DEFAULT_POOL=true", "did you mean NO_DEFAULT_POOLS"},
		{"hostname=a", "did you mean HOSTNAME"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[200];

		snprintf(text, sizeof(text), "# first\n%s\n", rows[i][0]);
		write_file("calico.cfg", text);
		assert_refused("line 2 of ", rows[i][1]);
	}
}

static void test_names_in_the_environment(void **state)
{
	static const char *const wrong[] = {"ETCD_ENDPOINT", "etcd_endpoints", "CALICO_DATSTORE",
					    "ETCD_AUTORITY"};
	struct config *config;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		setenv(wrong[i], "http://10.0.0.9:2379", 1);
		assert_refused(wrong[i], "embedded datastore");
		setenv("ETCD_ENDPOINTS", "http://10.0.0.1:2379", 1);
		config = load();
		assert_non_null(strstr(config->warnings[0], wrong[i]));
		assert_null(config->warnings[1]);
		config_free(config);
		unsetenv("ETCD_ENDPOINTS");
		unsetenv(wrong[i]);
	}
	setenv("ETCD_DATA_DIR", "/var/lib/etcd", 1); /* etcd's own */
	setenv("UNKNOWN", "x", 1);
	config = load();
	assert_null(config->warnings);
	config_free(config);
	setenv("ETCD_PASSWORD", "secret", 1);
	config = load();
	assert_non_null(strstr(config->warnings[0], "ETCD_PASSWORD"));
	assert_null(strstr(config->warnings[0], "secret"));
	config_free(config);
}

static void test_settings_without_effect_are_told(void **state)
{
	struct config *config;

	write_file("calico.cfg", "UNKNOWN=x\nETCD_SCHEME=http\nFELIX_DROPACTIONOVERRIDE=ACCEPT\n");
	config = load();
	assert_non_null(strstr(config->warnings[0], "line 1 of "));
	assert_non_null(strstr(config->warnings[1], "ETCD_SCHEME is set"));
	assert_null(config->warnings[2]);
	assert_string_equal(getenv("FELIX_DROPACTIONOVERRIDE"), "ACCEPT");
	config_free(config);
}

static void test_passwords_are_not_shown(void **state)
{
	static const char *const rows[][2] = {
		{"ETCD_ENDPOINTS", "http://admin:s3cret@10.0.0.1:2379"},
		{"ETCD_ENDPOINTS",
		 "http://10.0.0.1:2379,https://admin:s3cret@10.0.0.2:2379,http://10.0.0.3:1"},
		{"ETCD_ENDPOINTS", "http://admin:s3cret/with@signs,in@10.0.0.1:2379"},
		{"ETCD_AUTHORITY", "admin:s3cret@10.0.0.1:2379"},
		{"CALICO_DATASTORE", "etcd://admin:s3cret@10.0.0.1:2379"},
		{"DOCKER_HOST", "ssh://admin:s3cret@10.0.0.1"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config *config = NULL;
		struct err err = {0};

		setenv(rows[i][0], rows[i][1], 1);
		assert_int_equal(config_load(&config, &err), -EINVAL);
		assert_non_null(strstr(err.text, rows[i][0]));
		assert_non_null(strstr(err.text, "10.0.0."));
		assert_null(strstr(err.text, "s3cret"));
		assert_null(strstr(err.text, "with@"));
		unsetenv(rows[i][0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_defaults, setup),
		cmocka_unit_test_setup(test_file_then_environment, setup),
		cmocka_unit_test_setup(test_missing_file_matters_when_it_was_named, setup),
		cmocka_unit_test_setup(test_directory_is_no_file, setup),
		cmocka_unit_test_setup(test_malformed_line_is_named, setup),
		cmocka_unit_test_setup(test_docker_host_forms, setup),
		cmocka_unit_test_setup(test_options_replace_members, setup),
		cmocka_unit_test_setup(test_choice_of_datastore, setup),
		cmocka_unit_test_setup(test_tls, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_lines_that_are_understood, setup),
		cmocka_unit_test_setup(test_lines_that_are_refused, setup),
		cmocka_unit_test_setup(test_names_in_the_environment, setup),
		cmocka_unit_test_setup(test_settings_without_effect_are_told, setup),
		cmocka_unit_test_setup(test_passwords_are_not_shown, setup),
	};
	static const char *const files[] = {"calico.cfg", "cert", "key", "ca"};
	int r;

	if (!mkdtemp(directory))
		return 1;
	r = cmocka_run_group_tests_name("config", tests, NULL, NULL);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(path_of(files[i]));
	rmdir(directory);
	return r;
}
