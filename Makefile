# SPDX-License-Identifier: GPL-2.0-only
#
# make              build/brinell, the static build/brinell-agent and build/brinell-guest, build/brinell-agent-kvm (with
#                   libvirt), and the rig's TCG plugin
# make demo         the main job on the rig            make check       all tests
# make check-fast   style, units, fuzz corpora: no root, no rig, below a minute
# make check-guests guests on emulated hosts (40 min)  make fuzz        a longer fuzz of every parser
# make bench        the figures of docs/benchmarks.md
# make install      DESTDIR= PREFIX=
#
# SANITIZE=1 builds with ASan and UBSan into build/asan; WERROR=1 turns warnings into errors, as CI does.

PREFIX ?= /usr/local
ifeq ($(origin CC),default)
CC := gcc
endif
PKG_CONFIG ?= pkg-config
CLANG ?= clang
CLANG_FORMAT ?= clang-format

ifdef SANITIZE
BUILD := build/asan
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else
BUILD := build
endif

libraries := jansson yaml-0.1 libsystemd
library_dir = $(abspath harness/scenario/library)
CPPFLAGS += -D_GNU_SOURCE -I. $(shell $(PKG_CONFIG) --cflags $(libraries) 2>/dev/null)
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu17 -Wall -Wextra $(if $(WERROR),-Werror) -pthread $(SANITIZERS)
LDLIBS := $(shell $(PKG_CONFIG) --libs $(libraries) 2>/dev/null) -pthread
AGENT_LDLIBS := -static $(shell $(PKG_CONFIG) --static --libs jansson 2>/dev/null) -pthread
KVM_LDLIBS := -Wl,-Bstatic $(shell $(PKG_CONFIG) --libs jansson 2>/dev/null) -Wl,-Bdynamic $(shell $(PKG_CONFIG) --libs libvirt-qemu libvirt 2>/dev/null) -pthread

agent_sources := $(wildcard harness/base/*.c harness/witness/*.c inject/*.c workloads/*.c) \
	$(filter-out harness/agent/agent_main.c, $(wildcard harness/agent/*.c)) $(wildcard harness/guest/guest_link*.c)
# The host side of guests through libvirt, which no static program can link.
domain_plain := $(patsubst %, harness/guest/domain_%.c, address console flood huge initramfs last_words modules owner programs stages xml)
domain_sources := $(filter-out $(domain_plain), $(wildcard harness/guest/domain*.c))
domain_objects := $(domain_sources:%.c=$(BUILD)/obj/%.o)
guest_sources := $(wildcard harness/base/*.c harness/guest/program*.c workloads/*.c) $(addprefix harness/agent/, core.c \
	serve_run.c serve_system.c serve_witness.c serve_workload.c) $(addprefix harness/witness/, interrupts.c kmsg.c meminfo.c trace.c) \
	inject/injection.c inject/machine.c inject/sticky.c
library_sources := $(agent_sources) $(filter-out harness/brinell.c harness/agent/% harness/base/% harness/witness/% \
	harness/guest/guest_link% harness/guest/program_main.c $(domain_sources), $(wildcard harness/*.c harness/*/*.c)) $(wildcard reports/*.c)
library_objects := $(library_sources:%.c=$(BUILD)/obj/%.o)
agent_objects := $(agent_sources:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/harness/agent/agent_main.o
kvm_objects := $(agent_objects) $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard harness/guest/domain*.c))
guest_objects := $(guest_sources:%.c=$(BUILD)/obj/%.o)
unit_tests := $(patsubst bats/unit/%.c,$(BUILD)/unit/%,$(wildcard bats/unit/test_*.c))
fuzzers := $(patsubst bats/fuzz/%.c,build/fuzz/%,$(wildcard bats/fuzz/fuzz_*.c))
sources := $(wildcard harness/*.[ch] harness/*/*.[ch] harness/*/*/*.[ch] inject/*.[ch] workloads/*.[ch] \
	reports/*.[ch] bats/unit/*.[ch] bats/fuzz/*.[ch] bats/bench/*.[ch])
scripts := setup .ci/run $(wildcard bats/*.sh bats/*/*.sh bats/lib/*.bash bats/unit/*.bats bats/rig/*.bats bats/guests/*.bats)

.PHONY: all demo check check-fast check-guests bench fuzz fuzzers units install clean setup print-sources print-scripts

all: $(BUILD)/brinell $(if $(SANITIZE),,build/brinell-agent build/brinell-agent-kvm build/brinell-guest build/poison-v1.so build/poison-v2.so)

setup:
	@./setup

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/harness/scenario/%.o: CPPFLAGS += -DSCENARIO_DIR='"$(PREFIX)/share/brinell/scenarios"'
$(BUILD)/obj/harness/rig/%.o: CPPFLAGS += -DRIG_DIR='"$(PREFIX)/lib/brinell"'

$(BUILD)/brinell: $(BUILD)/obj/harness/brinell.o $(library_objects)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

build/brinell-agent: $(agent_objects)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(AGENT_LDLIBS)

build/brinell-agent-kvm: $(kvm_objects)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(KVM_LDLIBS)

build/brinell-guest: $(guest_objects)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(AGENT_LDLIBS)

# The plugin's binary is bound to the API version that the QEMU at hand accepts: 1 for QEMU 7.2, 2 and more for 8.2 on.
build/poison-v%.so: harness/rig/plugin/poison.c harness/rig/poison.h Makefile
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -I. -DPLUGIN_API=$* -std=gnu17 -O2 -g -Wall -Wextra $(if $(WERROR),-Werror) -fPIC -shared -o $@ $<

$(BUILD)/unit/%: bats/unit/%.c $(library_objects) Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(library_objects) -lcmocka $(LDLIBS)

# With the part of the agent that needs libvirt.
$(BUILD)/unit/test_guest_start: bats/unit/test_guest_start.c $(library_objects) $(domain_objects) Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(library_objects) $(domain_objects) -lcmocka $(LDLIBS) \
		$(shell $(PKG_CONFIG) --libs libvirt-qemu libvirt 2>/dev/null)

# With doubles in place of what reaches libvirt and makes files.
service_objects := $(filter-out %/domain_libvirt.o %/domain_micro.o, $(domain_objects))
$(BUILD)/unit/test_guest_service: $(service_objects)
$(BUILD)/unit/test_guest_service: library_objects += $(service_objects)
$(BUILD)/unit/test_guest_service: LDLIBS += $(shell $(PKG_CONFIG) --libs libvirt-qemu libvirt 2>/dev/null)

build/bench/%: bats/bench/%.c $(library_objects) Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(library_objects) $(LDLIBS) -lm

# It runs in guests too, where there is no library.
build/bench/pattern: bats/bench/pattern.c $(filter-out %/program_main.o, $(guest_objects)) Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(filter-out %/program_main.o, $(guest_objects)) $(AGENT_LDLIBS)

build/fuzz/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CLANG) $(CPPFLAGS) -std=gnu17 -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -MMD -MP -c -o $@ $<

build/fuzz/obj/harness/scenario/%.o: CPPFLAGS += -DSCENARIO_DIR='"$(PREFIX)/share/brinell/scenarios"'
build/fuzz/obj/harness/rig/%.o: CPPFLAGS += -DRIG_DIR='"$(PREFIX)/lib/brinell"'

build/fuzz/%: build/fuzz/obj/bats/fuzz/%.o $(library_sources:%.c=build/fuzz/obj/%.o)
	$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS)

.SECONDARY:

units: $(unit_tests)

fuzzers: $(fuzzers)

fuzz: $(fuzzers)
	bats/fuzz.sh $(or $(SECONDS_EACH),60) $(fuzzers)

print-sources:
	@printf "%s\n" $(sources)

print-scripts:
	@printf "%s\n" $(scripts)

demo check check-fast check-guests bench:
	@bats/run.sh $@

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/brinell $(DESTDIR)$(PREFIX)/share/brinell
	install -m 755 build/brinell build/brinell-agent build/brinell-agent-kvm build/brinell-guest $(DESTDIR)$(PREFIX)/bin
	install -m 755 build/brinell-agent build/brinell-agent-kvm build/brinell-guest build/poison-v1.so build/poison-v2.so harness/rig/init harness/rig/start-libvirt \
		$(DESTDIR)$(PREFIX)/lib/brinell
	cp -rT --no-preserve=ownership harness/scenario/library $(DESTDIR)$(PREFIX)/share/brinell/scenarios

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
