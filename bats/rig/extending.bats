#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# docs/extending.md is true: one file each adds an injector, a workload, a witness that proves, a report and a step, and one
# folder a hypervisor; they are built, listed, and seen in a verdict.

setup_file() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	copy=$BATS_FILE_TMPDIR/copy
	export top copy
	# With what is built already, and with its times: only what is added is compiled.
	mkdir "$copy"
	cp -a "$top"/{Makefile,rooms.mk,bats,docs,harness,inject,workloads,reports,build} "$copy"
	cp "$copy/bats/rig/extending/injector.c" "$copy/inject/added.c"
	cp "$copy/bats/rig/extending/workload.c" "$copy/workloads/added.c"
	cp "$copy/bats/rig/extending/witness.c" "$copy/harness/witness/added.c"
	cp "$copy/bats/rig/extending/report.c" "$copy/reports/added.c"
	cp "$copy/bats/rig/extending/step.c" "$copy/harness/trial/added.c"
	# A hypervisor is a folder, its line in rooms.mk, and an agent that links it.
	cp -r "$copy/bats/rig/extending/hypervisor" "$copy/harness/hypervisor/added"
	sed -i -e "/call room, harness.hypervisor,/a \$(call room, harness/hypervisor/added, harness/hypervisor harness/guestd)" \
		-e "s,program\, brinell-agent\, harness/link\,,program\, brinell-agent\, harness/hypervisor/added\,," "$copy/rooms.mk"
	make -s -C "$copy" WERROR=1 all
}

@test "what one file adds is listed" {
	"$copy/bats/rooms.sh"
	for kind in injector workload report step; do
		run "$copy/build/brinell" list "${kind}s"
		[[ $output == *"added-$kind"*"$kind in one file"* ]]
	done
	run "$copy/build/brinell" list witnesses
	[[ $output == *"added-witness"* ]]
	run "$copy/build/brinell" list hypervisors
	[[ $output == *"added-hypervisor  a hypervisor in one folder (in brinell-agent)"* ]]
}

@test "what one file adds is seen in a verdict" {
	run "$copy/build/brinell" run --bench intel --out "$BATS_TEST_TMPDIR/run" "$copy/bats/rig/extending/scenario.yaml"
	[ "$status" -eq 0 ]
	run "$copy/build/brinell" report "$BATS_TEST_TMPDIR/run" --format added-report
	[ "$output" = "added/scenario: pass" ]
	run "$copy/build/brinell" show "$BATS_TEST_TMPDIR/run" 0001
	[[ $output == *"the page is poisoned"* ]]
	[[ $output == *"the added workload was touched"* ]]
	[[ $output == *"delivered ("*"added-witness"*")"* ]]
}

@test "a guest of an added hypervisor is seen in a verdict" {
	run "$copy/build/brinell" run --bench intel --out "$BATS_TEST_TMPDIR/run" "$copy/bats/rig/extending/guest.yaml"
	[ "$status" -eq 0 ]
	run "$copy/build/brinell" show "$BATS_TEST_TMPDIR/run" 0001
	[[ $output == *"g1: crashed stopped failed"* ]]
	[[ $output == *"delivered ("*"hypervisor"*")"* ]]
}
