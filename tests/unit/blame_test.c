/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whose fault a refusal of the kernel's is, and what is said about it. */
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>

#include "dataplane/blame.h"
#include "rows.h"

#define CAP(name) (UINT64_C(1) << CAP_##name)
#define ALL	  UINT64_MAX

static void refusals(void **state)
{
	static const struct {
		struct blame blame;
		int error;
		const char *part; /* NULL: nothing about it */
	} rows[] = {
		{{.capabilities = ALL & ~CAP(NET_ADMIN)}, EPERM, "lacks CAP_NET_ADMIN;"},
		{{.capabilities = ALL & ~CAP(BPF) & ~CAP(SYS_ADMIN)}, EPERM, "lacks CAP_BPF;"},
		{{.capabilities = ALL & ~CAP(PERFMON) & ~CAP(SYS_ADMIN)}, EPERM, "lacks CAP_PERFMON;"},
		/* The verifier says that pointers must not be compared, which only CAP_PERFMON allows. */
		{{.capabilities = ALL & ~CAP(PERFMON) & ~CAP(SYS_ADMIN)}, EACCES, "lacks CAP_PERFMON;"},
		{{.capabilities = 0}, EPERM, "lacks CAP_NET_ADMIN and CAP_BPF and CAP_PERFMON;"},
		{{.capabilities = CAP(NET_ADMIN) | CAP(SYS_ADMIN), .locked_memory = UINT64_MAX},
		 EPERM,
		 "security module"},
		{{.capabilities = ALL, .locked_memory = 65536, .charges_limit = true}, EPERM, "only 64 KiB"},
		{{.capabilities = ALL, .locked_memory = 65536}, EPERM, "security module"},
		{{.capabilities = ALL, .locked_memory = UINT64_MAX, .charges_limit = true},
		 EPERM,
		 "security module"},
		{{.capabilities = ALL, .lockdown = true}, EPERM, "locked down"},
		{{.capabilities = ALL, .descriptors = 64}, EMFILE, "its limit is 64; raise LimitNOFILE="},
		{{.capabilities = ALL}, ENFILE, "fs.file-max"},
		{{.capabilities = ALL}, ENOMEM, "lacks memory"},
		{{.capabilities = ALL}, EACCES, NULL},
		{{.capabilities = ALL}, EINVAL, NULL},
	};
	char text[BLAME_TEXT];

	for (size_t i = 0; i < ROWS(rows); i++) {
		bool explained = blame_explain(&rows[i].blame, -rows[i].error, text, sizeof(text));

		assert_int_equal(explained, rows[i].part != NULL);
		if (explained && !strstr(text, rows[i].part))
			fail_msg("row %zu: %s", i, text);
	}
}

static void missing_capabilities(void **state)
{
	struct blame blame = {.capabilities = CAP(NET_ADMIN) | CAP(BPF) | CAP(PERFMON)};
	struct err err;

	assert_int_equal(blame_capabilities(&blame, &err), 0);
	blame.capabilities = CAP(NET_ADMIN) | CAP(SYS_ADMIN); /* as before Linux 5.8 */
	assert_int_equal(blame_capabilities(&blame, &err), 0);
	blame.capabilities = CAP(SYS_ADMIN);
	assert_int_equal(blame_capabilities(&blame, &err), -EPERM);
	assert_non_null(strstr(err.text, "CAP_NET_ADMIN"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals),
		cmocka_unit_test(missing_capabilities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
