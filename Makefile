# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Build, test and install. `make V=1` shows the commands; every target is described by `make help`.

# Of the product; the data model it speaks is that of Calico v0.20.
VERSION := 1.0.0
COMMIT := $(shell git describe --always --abbrev=12 --exclude='*' --dirty=+ 2>/dev/null || echo unknown)
BUILD := build
# One spelling of each file's name, or the dependencies that builds wrote down do not match: within the tree relative.
override BUILD := $(patsubst $(CURDIR)/%,%,$(abspath $(BUILD)))
PREFIX ?= /usr
SYSCONFDIR ?= /etc
UNITDIR ?= /lib/systemd/system

CC := gcc
CLANG := clang
BPFTOOL := bpftool
LIBS := libbpf libcurl jansson libevent libnl-route-3.0 sqlite3 libnftables

CPPFLAGS += -Iinclude -iquote user -I$(BUILD) -D_GNU_SOURCE $(shell pkg-config --cflags $(LIBS))
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu17 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unused-parameter
CFLAGS += $(if $(CI)$(WERROR),-Werror)
LDLIBS := $(shell pkg-config --libs $(LIBS)) -lm
# A program needs only the libraries it uses: tests run in a virtual machine with nothing else.
LDFLAGS += -Wl,--as-needed
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -std=gnu17 -Wall -Wextra -Wno-unused-parameter $(if $(CI)$(WERROR),-Werror)
BPF_CFLAGS += -Iinclude -Ibpf -Ivmlinux -D__TARGET_ARCH_x86

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' "$(1)" "$(2)")

BPF_SOURCES := $(wildcard bpf/*.bpf.c)
BPF_OBJECTS := $(BPF_SOURCES:bpf/%.bpf.c=$(BUILD)/bpf/%.bpf.o)
SKELETONS := $(BPF_SOURCES:bpf/%.bpf.c=$(BUILD)/skel/%.skel.h)
LIB_SOURCES := $(wildcard user/*/*.c)
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o)
PROGRAMS := $(BUILD)/calico-node $(BUILD)/calicoctl
MANUALS := $(wildcard docs/*.8)
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*_test.c))
UNIT_TEST_LIB := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%.o,$(filter-out %_test.c,$(wildcard tests/unit/*.c)))
BPF_TESTS := $(patsubst tests/bpf/%.c,$(BUILD)/tests/bpf/%,$(wildcard tests/bpf/*_test.c))
BPF_TEST_OBJECTS := $(patsubst tests/bpf/%.c,$(BUILD)/tests/bpf/%.o,$(wildcard tests/bpf/*.c))
BPF_TEST_LIB := $(filter-out %_test.o,$(BPF_TEST_OBJECTS))
FUZZ_TESTS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/fuzz/%.o)
FUZZ_SECONDS ?= 20
SANITIZED := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
SANITIZED_SYSTEM := daemon or plugin_protocol or bad_input
POLICY_PROOFS := $(BUILD)/tests/bpf/differential_test $(BUILD)/tests/bpf/differential_sequence_test \
	$(BUILD)/tests/bpf/differential_uplink_test

BENCH_SKELETONS := $(patsubst tests/bench/%.bpf.c,$(BUILD)/tests/bench/%.skel.h,$(wildcard tests/bench/*.bpf.c))
BENCH_OBJECTS := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%.o,$(filter-out %.bpf.c,$(wildcard tests/bench/*.c)))
BENCH_PROGRAMS := $(patsubst %.o,%,$(filter %_bench.o,$(BENCH_OBJECTS)))

SCRIPTS := .ci/run $(shell grep -lsE '^\#!/bin/(ba)?sh' tools/*)
PYTHON_FILES := $(shell grep -lsE '^\#!/usr/bin/python3' tools/*) $(wildcard tests/*/*.py)
LINTS := lint-format lint-includes lint-circles lint-pages lint-cppcheck lint-tidy lint-scripts
C_FILES := $(wildcard bpf/*.[ch] include/*.h user/*.c user/*/*.[ch] tests/*/*.[ch])
USER_SOURCES := $(wildcard user/*.c user/*/*.c)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help sizes check check-unit check-fuzz check-bpf check-system check-kernel check-sanitized check-long demo bench bench-programs \
	lint $(LINTS) compile_commands.json format fuzz fuzz-programs fuzz-policy mutate install uninstall clean tests

all: $(PROGRAMS) ## build calico-node and calicoctl

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# BPF programs: source -> object -> skeleton (struct NAME_bpf), three visible steps.
$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF,$<)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/skel/%.skel.h: $(BUILD)/bpf/%.bpf.o
	@mkdir -p $(@D)
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

# User space: everything beneath user/*/ goes into one archive, so a test links just what it uses.
$(BUILD)/user/%.o: user/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(filter $(BUILD)/user/dataplane/%,$(LIB_OBJECTS)): | $(SKELETONS)

# Written anew only when it changes, and with it the one file that tells.
$(shell mkdir -p $(BUILD) && { echo '$(VERSION) $(COMMIT)' | cmp -s - $(BUILD)/version || echo '$(VERSION) $(COMMIT)' >$(BUILD)/version; })
$(BUILD)/user/util/version.o $(BUILD)/fuzz/user/util/version.o: $(BUILD)/version
$(BUILD)/user/util/version.o $(BUILD)/fuzz/user/util/version.o $(BUILD)/lint/user/util/version.tidy: CPPFLAGS += -DVERSION='"$(VERSION)"' -DCOMMIT='"$(COMMIT)"'

$(BUILD)/libcalico.a: $(LIB_OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar qcs $@ $^

$(PROGRAMS): $(BUILD)/%: $(BUILD)/user/%.o $(BUILD)/libcalico.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Tests
$(BUILD)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -c $< -o $@

$(BPF_TEST_OBJECTS): | $(SKELETONS)

# What the tests of a folder share is an archive too; BPF tests may use what unit tests do.
$(BUILD)/tests/unit/lib.a: $(UNIT_TEST_LIB)
$(BUILD)/tests/bpf/lib.a: $(BPF_TEST_LIB)
$(BUILD)/tests/unit/lib.a $(BUILD)/tests/bpf/lib.a:
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar qcs $@ $^

$(UNIT_TESTS): $(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/tests/unit/lib.a $(BUILD)/libcalico.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(BPF_TESTS): $(BUILD)/tests/bpf/%: $(BUILD)/tests/bpf/%.o $(BUILD)/tests/bpf/lib.a $(BUILD)/tests/unit/lib.a $(BUILD)/libcalico.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

tests: $(UNIT_TESTS) $(BPF_TESTS)

check: ## install what is missing, build, run every test (as root)
	@BUILD=$(BUILD) tools/check

# One test of a suite: `make check-unit T=addr`, `check-bpf T=nat`, `check-system T='story or churn'` (a pytest expression).
only = $(if $(T),$(BUILD)/tests/$(1)/$(T)_test,$(2))

check-unit: $(call only,unit,$(UNIT_TESTS)) ## unit tests only, or the one of T=NAME
	@BUILD=$(BUILD) T='$(T)' tools/run-tests unit

check-fuzz: fuzz-programs ## fuzz targets for a moment, the same inputs each time
	@BUILD=$(BUILD) tools/run-tests fuzz

check-bpf: $(call only,bpf,$(BPF_TESTS)) ## BPF programs against packets, or the one test of T=NAME (as root)
	@BUILD=$(BUILD) T='$(T)' tools/run-tests bpf

check-system: $(PROGRAMS) ## real Docker, etcd and namespaces, or those of T=EXPRESSION (as root)
	@BUILD=$(BUILD) T='$(T)' tools/run-tests system

check-kernel: $(BPF_TESTS) ## BPF tests on Debian's own kernel in a virtual machine
	@BUILD=$(BUILD) tools/run-tests kernel

# Built apart; a leak or an error of a sanitizer ends the program with a status, which fails its test.
check-sanitized: ## unit tests, BPF loader and a part of the system tests with address and undefined sanitizers (as root)
	$(Q)CFLAGS='$(SANITIZED)' LDFLAGS='$(SANITIZED)' $(MAKE) --no-print-directory BUILD=$(BUILD)/sanitized all tests
	@BUILD=$(BUILD)/sanitized tools/run-tests unit
	@BUILD=$(BUILD)/sanitized T='dataplane*' tools/run-tests bpf
	@BUILD=$(BUILD)/sanitized T='$(or $(T),$(SANITIZED_SYSTEM))' tools/run-tests system

check-long: check check-sanitized ## every test, then what takes hours: sanitizers, mutations, soak, millions of packets (as root)
	@BUILD=$(BUILD) tools/mutate
	@BUILD=$(BUILD) KILLS=1000 LIVES=1000 CLIENTS=10000 T=soak tools/run-tests system
	$(Q)$(MAKE) --no-print-directory fuzz-policy SECONDS=$(or $(SECONDS),3600)

# The benchmark's own programs: what is measured are calico-node and the programs that it loads.
$(BUILD)/tests/bench/%.bpf.o: tests/bench/%.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF,$<)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/tests/bench/%.skel.h: $(BUILD)/tests/bench/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

$(BENCH_OBJECTS): | $(BENCH_SKELETONS) $(SKELETONS)

$(BENCH_PROGRAMS): %: %.o $(filter-out %_bench.o,$(BENCH_OBJECTS)) $(BUILD)/libcalico.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

bench-programs: $(PROGRAMS) $(BENCH_PROGRAMS)

sizes: $(BUILD)/tests/bpf/sizes_test ## record the sizes of the BPF programs on this kernel (as root)
	@$< bpf/sizes

bench: ## measure against bare routing, iptables and nftables; table, JSON and plots (as root)
	@BUILD=$(BUILD) tests/bench/run

demo: ## the main job from end to end, shown step by step (as root)
	@BUILD=$(BUILD) tools/demo

# Fuzzing: the library again with sanitizers (by clang, whose own warnings are no errors), and one libFuzzer program per tests/fuzz/*_fuzz.c, each with its
# corpus in tests/fuzz/NAME/ if there is one.
$(BUILD)/fuzz/user/%.o: user/%.c
	@mkdir -p $(@D)
	$(call say,FUZZCC,$<)
	$(Q)$(CLANG) $(CPPFLAGS) $(CFLAGS) -Wno-error -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c $< -o $@

$(filter $(BUILD)/fuzz/user/dataplane/%,$(FUZZ_OBJECTS)): | $(SKELETONS)

$(BUILD)/fuzz/libcalico.a: $(FUZZ_OBJECTS)
	$(Q)rm -f $@ && ar qcs $@ $^

$(FUZZ_TESTS): $(BUILD)/fuzz/%: tests/fuzz/%.c $(BUILD)/fuzz/libcalico.a
	$(call say,LINK,$@)
	$(Q)$(CLANG) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -Wno-error -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS)

fuzz-programs: $(FUZZ_TESTS)

fuzz: fuzz-programs ## each fuzz target for FUZZ_SECONDS
	$(Q)for target in $(FUZZ_TESTS); do \
		mkdir -p $$target.corpus && \
		$$target -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
			-artifact_prefix=$$target. $$target.corpus $$(ls -d tests/fuzz/$$(basename $$target) 2>/dev/null) || exit 1; \
	done

# The same programs that `make check` runs for a moment; the last of them has three parts.
fuzz-policy: $(POLICY_PROOFS) ## random policies and packets for SECONDS (3600), from SEED (as root)
	$(Q)for proof in $(POLICY_PROOFS); do SECONDS=$$(($(or $(SECONDS),3600) / 5)) $$proof || exit 1; done

mutate: ## break the policy code in many places, one at a time, and see a test fail for each (as root)
	@BUILD=$(BUILD) tools/mutate

# Checks of one file leave a stamp, so that only what changed is looked at again.
TIDY := $(USER_SOURCES:%.c=$(BUILD)/lint/%.tidy)

lint: ## formatting, include directions, circles of files, static analysis, scripts
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) --output-sync=target $(LINTS)

lint-format: ## clang-format finds nothing to change
	$(Q)clang-format --dry-run -Werror $(C_FILES)

lint-includes: ## modules include each other in the allowed direction only
	$(Q)tools/check-includes

lint-circles: ## no files of a folder call or include each other in a circle
	$(Q)tools/check-circles

lint-pages: ## files and functions that the pages in docs/ name exist
	$(Q)tools/check-pages

lint-cppcheck: $(SKELETONS) ## static analysis by cppcheck
	@mkdir -p $(BUILD)/lint/cppcheck
	$(Q)cppcheck --quiet --library=tools/cppcheck.cfg --std=c11 --enable=warning,portability --inline-suppr \
		--error-exitcode=1 --suppress=missingIncludeSystem --suppress=nullPointerArithmetic \
		--suppress=selfAssignment --suppress=autoVariables --cppcheck-build-dir=$(BUILD)/lint/cppcheck \
		-Iinclude -Iuser $(USER_SOURCES)

lint-tidy: $(TIDY) ## static analysis by clang-tidy

# The object is newer than every header it was made from.
$(TIDY): $(BUILD)/lint/%.tidy: $(BUILD)/%.o .clang-tidy
	@mkdir -p $(@D)
	$(call say,TIDY,$*.c)
	$(Q)clang-tidy --quiet --warnings-as-errors='*' $*.c -- $(CPPFLAGS) -std=gnu17 >$@.log 2>&1 || { cat $@.log; exit 1; }
	$(Q)touch $@

lint-scripts: ## shellcheck of shell scripts, pyflakes of Python
	$(Q)shellcheck -x $(SCRIPTS)
	$(Q)pyflakes3 $(PYTHON_FILES)

compile_commands.json: Makefile ## for editors and language servers
	$(Q)$(MAKE) --no-print-directory --always-make --dry-run V=1 all tests | tools/compile-commands > $@

format: ## rewrite the sources in house style
	clang-format -i $(C_FILES)

install: $(PROGRAMS) ## install to $(DESTDIR)$(PREFIX), with the systemd unit and the manual pages
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(PROGRAMS)
	install -D -m 644 -t $(DESTDIR)$(UNITDIR) docs/calico-node.service
	sed -i 's|@bindir@|$(PREFIX)/bin|' $(DESTDIR)$(UNITDIR)/calico-node.service
	install -D -m 644 -t $(DESTDIR)$(SYSCONFDIR)/NetworkManager/conf.d docs/calico.conf
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 $(MANUALS)

uninstall: ## remove what install put there; settings and the datastore stay
	rm -f $(PROGRAMS:$(BUILD)/%=$(DESTDIR)$(PREFIX)/bin/%) $(DESTDIR)$(UNITDIR)/calico-node.service
	rm -f $(DESTDIR)$(SYSCONFDIR)/NetworkManager/conf.d/calico.conf
	rm -f $(MANUALS:docs/%=$(DESTDIR)$(PREFIX)/share/man/man8/%)

clean: ## remove what was built
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
