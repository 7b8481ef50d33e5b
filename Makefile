# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Build, test and install. `make V=1` shows the commands; every target is described by `make help`.

VERSION := 0.20.0
BUILD := build
PREFIX ?= /usr
SYSCONFDIR ?= /etc
UNITDIR ?= /lib/systemd/system

CC := gcc
CLANG := clang
BPFTOOL := bpftool
LIBS := libbpf libcurl jansson libevent libnl-route-3.0 sqlite3 libnftables

CPPFLAGS += -Iinclude -Iuser -I$(BUILD) -D_GNU_SOURCE -DVERSION='"$(VERSION)"' $(shell pkg-config --cflags $(LIBS))
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu17 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unused-parameter
CFLAGS += $(if $(CI)$(WERROR),-Werror)
LDLIBS := $(shell pkg-config --libs $(LIBS)) -lm
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
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*_test.c))
BPF_TESTS := $(patsubst tests/bpf/%.c,$(BUILD)/tests/bpf/%,$(wildcard tests/bpf/*_test.c))
BPF_TEST_LIB := $(patsubst tests/bpf/%.c,$(BUILD)/tests/bpf/%.o,$(filter-out %_test.c,$(wildcard tests/bpf/*.c)))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help check check-unit check-bpf check-system check-kernel demo lint format fuzz bench install uninstall clean tests

all: $(PROGRAMS) ## build calico-node and calicoctl

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# BPF programs: source -> object -> skeleton, three visible steps.
$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF,$<)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/skel/%.skel.h: $(BUILD)/bpf/%.bpf.o
	@mkdir -p $(@D)
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $* > $@

# User space: everything beneath user/*/ goes into one archive, so a test links just what it uses.
$(BUILD)/user/%.o: user/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/user/dataplane/%.o: | $(SKELETONS)

$(BUILD)/libcalico.a: $(LIB_OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(PROGRAMS): $(BUILD)/%: $(BUILD)/user/%.o $(BUILD)/libcalico.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Tests
$(BUILD)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/tests/bpf/%.o: | $(SKELETONS)

$(UNIT_TESTS): $(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libcalico.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(BPF_TESTS): $(BUILD)/tests/bpf/%: $(BUILD)/tests/bpf/%.o $(BPF_TEST_LIB) $(BUILD)/libcalico.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

tests: $(UNIT_TESTS) $(BPF_TESTS)

clean: ## remove what was built
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
