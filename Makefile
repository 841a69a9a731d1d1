# SPDX-License-Identifier: GPL-2.0-only
#
# make              build/brinell, the static build/brinell-agent and build/brinell-guest, build/brinell-agent-kvm (with
#                   libvirt), build/brinell-agent-xen (if libxen-dev is installed), and the rig's TCG plugin
# make demo         the main job on the rig            make check       all tests
# make check-fast   style, units, fuzz corpora: no root, no rig, below a minute
# make check-guests guests on emulated hosts (40 min)  make fuzz        a longer fuzz of every parser
# make check-xen    all scenarios of Xen (100 min)     make bench       the figures of docs/benchmarks.md
# make coverage     which branches of the statistics their tests reach
# make install      DESTDIR= PREFIX=
#
# SANITIZE=1 builds with ASan and UBSan into build/asan; WERROR=1 turns warnings of gcc 12 into errors, as CI does.

PREFIX ?= /usr/local
# No built-in rules: make would try each of them for each of the files.
MAKEFLAGS += -r
ifeq ($(origin CC),default)
CC := gcc
endif
PKG_CONFIG ?= pkg-config
CLANG ?= clang
CLANG_FORMAT ?= clang-format
# Other versions of the compiler may warn of more.
ifneq ($(shell $(CC) -dumpversion 2>/dev/null),12)
override WERROR :=
endif

ifdef SANITIZE
BUILD := build/asan
# Tests start the program hundreds of times: without relocations, libraries and messages of UBSan it starts in less than half the time. Undefined
# behaviour is a trap, and ASan names its place.
SANITIZERS := -fsanitize=address,undefined -fsanitize-undefined-trap-on-error -fno-omit-frame-pointer -fno-pie
LDFLAGS += -no-pie -static-libasan
# A test is linked in half the time by gold, where there is one.
gold := $(if $(shell command -v ld.gold),-fuse-ld=gold)
LDFLAGS += $(gold)
else
BUILD := build
endif

libraries := jansson yaml-0.1 libsystemd sqlite3 zlib libvirt libvirt-qemu
# Each is asked for once, not for each file that is compiled.
includes := $(shell $(PKG_CONFIG) --cflags $(libraries) 2>/dev/null)
libvirt := $(shell $(PKG_CONFIG) --libs libvirt-qemu libvirt 2>/dev/null)
CPPFLAGS += -D_GNU_SOURCE -I. $(includes)
CFLAGS ?= $(if $(SANITIZE),-O1 -g1,-O2 -g)
CFLAGS += -std=gnu17 -Wall -Wextra -Wno-unused-parameter $(if $(WERROR),-Werror) -pthread $(SANITIZERS)
LDLIBS := $(shell $(PKG_CONFIG) --libs jansson yaml-0.1 libsystemd sqlite3 zlib 2>/dev/null) -pthread -lm

# A room is a folder: its sources are one archive, and it is linked whole, because parts of it register themselves.
# $(whole.ROOM) is the room with all that it may include, $(archives BUILD,ROOMS) the files.
rooms :=
programs :=
define room
$(eval rooms += $(strip $1))
$(eval whole.$(strip $1) := $(sort $(strip $1) $(foreach used,$2,$(or $(whole.$(used)),$(error rooms.mk: $1 uses $(used), which is no room above it)))))
endef
define program
$(eval programs += $(strip $1))
$(eval rooms.$(strip $1) := $(sort $(foreach used,$2,$(whole.$(used)))))
$(eval main.$(strip $1) := harness/programs/$(basename $(strip $3)).o)
endef
include rooms.mk
whole = $(sort $(foreach used,$1,$(whole.$(used))))
archives = $(foreach used,$(call whole,$2),$1/rooms/$(used).a)
linked = -Wl,--whole-archive $(filter %.a,$^) -Wl,--no-whole-archive

# brinell is linked with no hypervisor; it lists them by summary.c of each folder, with the agents that rooms.mk puts it in.
hypervisors := $(foreach room,$(filter harness/hypervisor/%,$(rooms)),$(if $(findstring /,$(room:harness/hypervisor/%=%)),,$(room)))
programs_with = $(strip $(foreach name,$(programs),$(if $(filter $1,$(rooms.$(name))),$(name))))

sources := $(foreach place,$(rooms) harness/programs harness/rig/firmware/plugin harness/hypervisor/xen/guest bats/unit bats/unit/fake/xen bats/fuzz bats/bench bats/rig/extending bats/rig/extending/hypervisor,$(wildcard $(place)/*.[ch]))
scripts := setup .ci/run $(wildcard harness/scenario/library/*/make-* harness/programs/make-* harness/rig/image/make-* bats/*.sh bats/*/*.sh bats/*.bash bats/unit/fake/*.bash bats/unit/*.bats bats/rig/*.bats bats/guests/*.bats)
sources += $(wildcard inject/gmem/guest/*.[ch])
unit_tests := $(patsubst bats/unit/%.c,$(BUILD)/unit/%,$(wildcard bats/unit/test_*.c))
fuzzers := $(patsubst bats/fuzz/%.c,build/fuzz/%,$(wildcard bats/fuzz/fuzz_*.c))

# What bats/run.sh does.
driven := demo check check-fast check-guests check-xen bench

.PHONY: all benches coverage $(driven) fuzz fuzzers units install clean setup styles results replays

# Rooms that need the libraries of Xen. The rig builds them with those of its host (make-agent), and links the rest of the agent.
xen_rooms := $(filter %/xen,$(rooms))
programs_here := $(filter-out $(if $(shell $(PKG_CONFIG) --exists xencontrol xenlight 2>/dev/null && echo yes),,brinell-agent-xen),$(programs))

# Of the rig: one for each API version.
plugins := $(patsubst %,build/poison-v%.so,1 2 7)
# What runs on hosts and in guests; a static program can not be sanitized.
remote := $(patsubst %,build/%,$(filter-out brinell,$(programs_here)) brinell-agent-xen.o brinell-guest-xen) $(plugins)
controller := $(BUILD)/brinell $(BUILD)/brinell.1 $(BUILD)/brinell.bash

all: $(if $(SANITIZE),$(BUILD)/brinell,$(controller) $(remote))

setup:
	@./setup

# Which rooms a test links: those whose headers it includes, by itself and through the headers beside it, and those that a
# line "rooms: NAME..." of it names, because it finds something there by its name alone.
build/tests.mk: bats/tests.sh $(wildcard bats/*/*.[ch])
	@mkdir -p $(@D)
	@bats/tests.sh >$@
include build/tests.mk

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

build/fuzz/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CLANG) $(CPPFLAGS) -std=gnu17 -O1 -gline-tables-only -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -MMD -MP -c -o $@ $<

$(foreach build,$(BUILD) build/fuzz,$(build)/obj/harness/scenario/%.o): CPPFLAGS += -DSCENARIO_DIR='"$(PREFIX)/share/brinell/scenarios"'
$(foreach build,$(BUILD) build/fuzz,$(build)/obj/harness/rig/%.o): CPPFLAGS += -DRIG_DIR='"$(PREFIX)/lib/brinell"'

define summarize
$1/obj/$2/summary.o: CPPFLAGS += -DHYPERVISOR_PROGRAMS='"$(or $(call programs_with,$2),$(error rooms.mk: no program links $2))"'
$1/obj/$2/summary.o: rooms.mk
endef
$(foreach build,$(sort $(BUILD) build/fuzz),$(foreach name,$(hypervisors),$(eval $(call summarize,$(build),$(name)))))
$(BUILD)/brinell: $(hypervisors:%=$(BUILD)/obj/%/summary.o)

# It compiles parts of a room that needs the libraries of Xen.
$(patsubst %,$(BUILD)/obj/bats/unit/test_xen_%.o,linux migrate mover open remote witnesses): CPPFLAGS := -Ibats/unit/fake/xen $(CPPFLAGS)

# Identity of the judge: a report takes a recorded verdict only from the same judge.
judge_sources := $(sort $(wildcard harness/judge/*.[ch] harness/judge/*/*.[ch] harness/evidence/*.[ch] harness/journal/*.[ch]))
judge_identity := $(shell cat $(judge_sources) | cksum | tr ' ' -)
$(foreach build,$(BUILD) build/fuzz,$(build)/obj/harness/judge/run.o): CPPFLAGS += -DJUDGE_IDENTITY='"$(judge_identity)"'
$(foreach build,$(BUILD) build/fuzz,$(build)/obj/harness/judge/run.o): $(judge_sources)

# Styles and scripts of a room are embedded as they are, between the symbols _binary_PATH_start and _binary_PATH_end.
define embed
$1/obj/%.$2.o: %.$2 Makefile
	@mkdir -p $$(@D)
	ld -r -b binary -z noexecstack -o $$@ $$<
endef
$(foreach build,$(sort $(BUILD) build/fuzz),$(foreach kind,css js,$(eval $(call embed,$(build),$(kind)))))

# The payload of a room's virtual machines: freestanding code, embedded as _binary_payload_bin.
payload_flags := -D_GNU_SOURCE -I. -std=gnu17 -O2 -Wall -Wextra -ffreestanding -fno-pic -mno-red-zone -mgeneral-regs-only \
	-fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -nostdlib -static -no-pie \
	-Wl,-Ttext=0x8000,--build-id=none,-e_start
define payload
$1/obj/%.elf: %.c Makefile
	@mkdir -p $$(@D)
	$$(CC) $$(payload_flags) $$(if $$(WERROR),-Werror) -MMD -MP -o $$@ $$<

$1/obj/%.bin.o: $1/obj/%.elf
	objcopy -O binary $$< $$(@D)/payload.bin
	cd $$(@D) && ld -r -b binary -z noexecstack -o $$(@F) payload.bin
endef
$(foreach build,$(sort $(BUILD) build/fuzz),$(eval $(call payload,$(build))))

define archive
$1/rooms/$2.a: $$(patsubst %.c,$1/obj/%.o,$$(wildcard $2/*.c)) $$(patsubst %.c,$1/obj/%.bin.o,$$(wildcard $2/guest/payload.c)) $$(patsubst %,$1/obj/%.o,$$(wildcard $2/*.css $2/*.js)) Makefile
	@mkdir -p $$(@D)
	@rm -f $$@
	@ar rcsT $$@ $$(filter %.o,$$^)
endef
$(foreach build,$(sort $(BUILD) build/fuzz),$(foreach name,$(rooms),$(eval $(call archive,$(build),$(name)))))

$(BUILD)/brinell: LINK := $(LDLIBS)
build/brinell-agent build/brinell-guest: LINK := -static $(shell $(PKG_CONFIG) --static --libs jansson 2>/dev/null) -pthread
# libvirt can not be linked statically; what can be, is, so that the program runs on hosts that have libvirt alone.
build/brinell-agent-kvm: LINK := -Wl,-Bstatic $(shell $(PKG_CONFIG) --libs jansson 2>/dev/null) -Wl,-Bdynamic $(libvirt) -pthread
build/brinell-agent-xen: LINK := -Wl,-Bstatic $(shell $(PKG_CONFIG) --libs jansson 2>/dev/null) -Wl,-Bdynamic -lxenlight -lxenctrl -lxenguest -lxenstore -lxentoollog -lxenforeignmemory -lxendevicemodel -pthread

ifndef SANITIZE
build/brinell-agent-xen.o: $(BUILD)/obj/$(main.brinell-agent-xen) $(foreach used,$(filter-out $(xen_rooms),$(rooms.brinell-agent-xen)),$(BUILD)/rooms/$(used).a)
	ld -r -o $@ $(filter %.o,$^) --whole-archive $(filter %.a,$^)
endif

define link_program
$(BUILD)/$1: $(BUILD)/obj/$(main.$1) $(foreach used,$(rooms.$1),$(BUILD)/rooms/$(used).a)
	$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(linked) $$(LINK)
endef
$(foreach name,$(programs),$(eval $(call link_program,$(name))))

# A guest of Xen that is a program alone: no library, no kernel. Its file is one of 32 bits, in which it begins: the device model of an HVM
# guest takes no other.
build/brinell-guest-xen: $(addprefix harness/hypervisor/xen/guest/,guest.c work.c console.c platform.c head.S guest.h guest.ld) Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O2 -g -Wall -Wextra $(if $(WERROR),-Werror) -ffreestanding -fno-pic -fno-stack-protector -fcf-protection=none -mno-red-zone -mgeneral-regs-only \
		-static -no-pie -nostdlib -Wl,-T,$(filter %.ld,$^) -Wl,--build-id=none -Wl,--no-warn-rwx-segments -Wl,--oformat=elf32-i386 -o $@ $(filter %.c %.S,$^)

# The manual page and the completion are made of the help.
$(BUILD)/brinell.1: harness/programs/make-man $(BUILD)/brinell
	@$^ >$@

$(BUILD)/brinell.bash: harness/programs/make-completion $(BUILD)/brinell
	@$^ >$@

# The plugin's binary is bound to the API version that the QEMU at hand accepts: 1 for QEMU 7.2, 2 and more for 8.2 on, 7 for 11.1 on.
build/poison-v%.so: harness/rig/firmware/plugin/poison.c harness/rig/firmware/poison.h Makefile
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -I. -DPLUGIN_API=$* -std=gnu17 -O2 -g -Wall -Wextra -Wno-unused-parameter $(if $(WERROR),-Werror) -fPIC -shared -o $@ $<

define link_test
$(BUILD)/unit/$1: $(BUILD)/obj/bats/unit/$1.o $(call archives,$(BUILD),$(rooms.bats/unit/$1))
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) $$(LDFLAGS) $(wraps.bats/unit/$1:%=-Wl,--wrap=%) -o $$@ $$(filter %.o,$$^) $$(linked) -lcmocka $(LDLIBS) $(if $(filter harness/hypervisor/libvirt,$(call whole,$(rooms.bats/unit/$1))),$(libvirt))
endef
$(foreach test,$(notdir $(unit_tests)),$(eval $(call link_test,$(test))))

define link_bench
build/bench/$1: $(BUILD)/obj/bats/bench/$1.o $(call archives,$(BUILD),$(rooms.bats/bench/$1))
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(linked) $$(or $$(LINK),$(LDLIBS)) -lm
endef
$(foreach name,$(patsubst bats/bench/%.c,%,$(wildcard bats/bench/*.c)),$(eval $(call link_bench,$(name))))
# They run in guests and on emulated hosts, where there is no library.
build/bench/pattern build/bench/gmem: LINK := -static $(shell $(PKG_CONFIG) --static --libs jansson 2>/dev/null) -pthread
build/bench/suspend: LINK := -ldl
# The sanitized build only compiles them, so that every check notices what they no longer fit.
benches: $(patsubst bats/bench/%.c,$(if $(SANITIZE),$(BUILD)/obj/bats/bench/%.o,build/bench/%),$(wildcard bats/bench/*.c))

define link_fuzzer
build/fuzz/$1: build/fuzz/obj/bats/fuzz/$1.o $(call archives,build/fuzz,$(rooms.bats/fuzz/$1))
	$$(CLANG) -fsanitize=fuzzer,address,undefined -o $$@ $$(filter %.o,$$^) $$(linked) $(LDLIBS)
endef
$(foreach name,$(notdir $(fuzzers)),$(eval $(call link_fuzzer,$(name))))

# Replays a corpus in the sanitized build of the tests, which has what the target needs: a fuzzer takes a build by clang.
define link_replay
$(BUILD)/replay/$1: $(BUILD)/obj/bats/fuzz/$1.o $(BUILD)/obj/bats/fuzz/replay.o $(call archives,$(BUILD),$(rooms.bats/fuzz/$1) harness/lib)
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(linked) $(LDLIBS)
endef
replayers := $(fuzzers:build/fuzz/%=$(BUILD)/replay/%)
$(foreach name,$(notdir $(replayers)),$(eval $(call link_replay,$(name))))

# The results of tests; whatever a test may read that is no program counts among its inputs. The longest begin first.
test_data := $(shell find bats/unit harness/scenario/library docs -type f ! -name '*.[ch]' 2>/dev/null) bats/journal.bash bats/result.sh
longest := test_engine_hosts engine.bats nightly.bats cli.bats resume.bats rounds.bats
named := $(notdir $(unit_tests)) $(notdir $(wildcard bats/unit/*.bats))
results := $(patsubst %,$(BUILD)/results/%.tap,$(longest) $(filter-out $(longest),$(named)))
bats_results := $(filter %.bats.tap,$(results))
replays := $(replayers:$(BUILD)/replay/%=$(BUILD)/results/%.tap)
image_scripts := $(filter-out %.c %.h,$(wildcard harness/rig/image/*))

$(BUILD)/results/test_%.tap: $(BUILD)/unit/test_% $(test_data) $(image_scripts)
	@bats/result.sh $@ test_$* env CMOCKA_MESSAGE_OUTPUT=TAP $<

# make comes back to a test whose program was not linked yet after it began all others: none begins before the longest one.
$(filter-out %/$(firstword $(longest)).tap,$(results)): | $(BUILD)/unit/$(firstword $(longest))

# Most of the longest tests need this program alone: the others are linked while those run.
$(if $(filter results,$(MAKECMDGOALS)),$(eval $(filter-out $(longest:%=$(BUILD)/unit/%),$(unit_tests)) $(replayers): | $(BUILD)/brinell))

$(filter-out %/image.bats.tap %/matrix.bats.tap,$(bats_results)): $(BUILD)/brinell
$(filter-out %/image.bats.tap,$(bats_results)): $(test_data)
$(BUILD)/results/image.bats.tap: $(image_scripts) bats/result.sh

# These look into the real ones, which another make builds.
$(BUILD)/results/test_guest_program.tap $(BUILD)/results/install.bats.tap: $(remote)
ifdef SANITIZE
compiled := $(filter-out build/brinell-guest-xen %.so,$(remote))
$(compiled) &: $(wildcard $(patsubst %,%/*.[ch],$(sort $(foreach name,$(filter-out brinell,$(programs)),$(rooms.$(name)))))) harness/programs/brinell-agent.c harness/programs/brinell-guest.c Makefile
	@$(MAKE) -s SANITIZE= $(compiled) && touch $(compiled)
endif

$(BUILD)/results/%.bats.tap: bats/unit/%.bats
	@bats/result.sh $@ $*.bats bats --tap $<

$(BUILD)/results/fuzz_%.tap: $(BUILD)/replay/fuzz_% bats/result.sh $(wildcard bats/fuzz/corpus/*/*)
	@bats/result.sh --plain $@ "fuzz_$* replays its corpus" $< bats/fuzz/corpus/$*

# Style: of C sources and scripts only those are looked at that have changed since all were fine.
styles := $(patsubst %,build/style/%.tap,format shell rooms documents licence)

build/style/format.tap: .clang-format $(sources)
	@CLANG_FORMAT=$(CLANG_FORMAT) bats/style.sh format $@ $(if $(filter-out %.c %.h,$?),$(sources),$?)

# The file, not the target of that name.
script_files := $(filter-out setup,$(scripts)) $(CURDIR)/setup
build/style/shell.tap: $(script_files)
	@bats/style.sh shell $@ $(if $(filter bats/style.sh bats/result.sh,$?),$(scripts),$?)

build/style/rooms.tap: rooms.mk $(sources)
	@bats/style.sh rooms $@

# A file that goes changes its directory.
documents := README.md $(wildcard docs/*.md docs/*/*.md)
build/style/documents.tap: $(documents) bats/documents.sh docs $(filter-out ./,$(sort $(dir $(sources) $(scripts)))) $(wildcard harness/scenario/library/*/ harness/scenario/library/*/*/)
	@bats/style.sh documents $@ $(documents)

build/style/licence.tap: $(sources) $(script_files)
	@bats/style.sh licence $@ $(sources) $(scripts)

$(styles): bats/style.sh bats/result.sh

styles: $(styles)
results: $(results)
replays: $(replays)
# Their files, for bats/run.sh.
$(if $(and $(SANITIZE),$(wildcard build)),$(file >build/results.list,$(styles) $(results) $(replays)))

.SECONDARY:

units: $(unit_tests)

fuzzers: $(fuzzers)

fuzz: $(fuzzers)
	bats/fuzz.sh $(or $(SECONDS_EACH),60) $(fuzzers)

coverage:
	@bats/coverage.sh harness/stats test_stats

$(driven):
	@bats/run.sh $@

install: $(controller) $(remote)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/brinell $(DESTDIR)$(PREFIX)/share/brinell
	install -m 755 $(BUILD)/brinell $(filter-out build/brinell,$(programs_here:%=build/%)) $(DESTDIR)$(PREFIX)/bin
	install -m 755 build/brinell-agent build/brinell-agent-kvm build/brinell-guest build/brinell-guest-xen $(plugins) $(addprefix harness/rig/image/,init start-libvirt start-xen make-agent make-archive make-common make-kernel make-kvm make-system) \
		$(DESTDIR)$(PREFIX)/lib/brinell
	install -m 644 build/brinell-agent-xen.o $(DESTDIR)$(PREFIX)/lib/brinell
	cp --parents --no-preserve=ownership $(wildcard $(xen_rooms:%=%/*.c) harness/*/*.h harness/*/*/*.h harness/*/*/*/*.h inject/*.h) $(DESTDIR)$(PREFIX)/lib/brinell
	install -D -m 644 $(BUILD)/brinell.1 $(DESTDIR)$(PREFIX)/share/man/man1/brinell.1
	install -D -m 644 $(BUILD)/brinell.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/brinell
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	for unit in brinell-nightly.service brinell-nightly-continue.service; do \
		sed 's|@PREFIX@|$(PREFIX)|' harness/nightly/systemd/$$unit >$(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit || exit; done
	install -m 644 harness/nightly/systemd/brinell-nightly.timer $(DESTDIR)$(PREFIX)/lib/systemd/system
	cp -rT --no-preserve=ownership harness/scenario/library $(DESTDIR)$(PREFIX)/share/brinell/scenarios

clean:
	rm -rf build

ifneq ($(filter-out $(driven),$(or $(MAKECMDGOALS),all)),)
-include $(shell find $(BUILD)/obj build/fuzz/obj -name '*.d' 2>/dev/null)
endif
