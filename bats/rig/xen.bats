#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Hosts of the profile xen: their snapshot, and Xen below them.

setup_file() {
	export brinell=$BATS_TEST_DIRNAME/../../build/brinell
}

@test "hosts go on from one snapshot, each with a boot_id of its own, and a damaged one is replaced" {
	for number in 1 2; do
		"$brinell" rig run xen --artifacts "$BATS_TEST_TMPDIR/$number" -- cat /proc/sys/kernel/random/boot_id >"$BATS_TEST_TMPDIR/boot-$number"
		grep -qE '^[0-9a-f]{8}-' "$BATS_TEST_TMPDIR/boot-$number"
	done
	[ "$(cat "$BATS_TEST_TMPDIR/boot-1")" != "$(cat "$BATS_TEST_TMPDIR/boot-2")" ]
	grep -q 'the host resumes from a snapshot' "$BATS_TEST_TMPDIR/2/console.log"
	for state in "${XDG_CACHE_HOME:-$HOME/.cache}"/brinell/snapshot-xen-*/state; do
		truncate -s -4096 "$state"
	done
	run "$brinell" rig run xen --artifacts "$BATS_TEST_TMPDIR/3" -- xl info
	[ "$status" -eq 0 ]
	[[ $output == *"virt_caps"*"hvm hap"* ]]
	[ "$(grep -c 'resumes from a snapshot' "$BATS_TEST_TMPDIR/3/console.log")" -eq 0 ]
	"$brinell" rig run xen --artifacts "$BATS_TEST_TMPDIR/4" -- true
	grep -q 'the host resumes from a snapshot' "$BATS_TEST_TMPDIR/4/console.log"
}

@test "the doctor names the machine checks that Xen acts on" {
	run "$brinell" doctor --bench xen
	[ "$status" -eq 0 ]
	for finding in xen-mca xen-mca:srao xen-mca:set-broken xen-mca:machine-check xen-mca:offline xen-mca:offline-free guest:hvm guest:linux hypervisor-log page-type page-mapping frame-state; do
		grep -qE "^  ok +$finding$" <<<"$output"
	done
	for finding in xen-mca:lmce qemu-mce kill:qemu; do
		grep -qE "^  missing +$finding$" <<<"$output"
	done
}
