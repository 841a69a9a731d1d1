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
	grep -q 'the host goes on from a snapshot' "$BATS_TEST_TMPDIR/2/console.log"
	for state in "${XDG_CACHE_HOME:-$HOME/.cache}"/brinell/snapshot-xen-*/state; do
		truncate -s -4096 "$state"
	done
	run "$brinell" rig run xen --artifacts "$BATS_TEST_TMPDIR/3" -- xl info
	[ "$status" -eq 0 ]
	[[ $output == *"virt_caps"*"hvm hap"* ]]
	[ "$(grep -c 'goes on from a snapshot' "$BATS_TEST_TMPDIR/3/console.log")" -eq 0 ]
}

@test "the doctor tells which machine checks Xen acts on" {
	run "$brinell" doctor --bench xen
	[ "$status" -eq 0 ]
	for finding in xen-mca xen-mca:srao xen-mca:set-broken xen-mca:machine-check hypervisor-log page-type page-mapping; do
		grep -qE "^  ok +$finding$" <<<"$output"
	done
	for finding in xen-mca:lmce qemu-mce kill:qemu; do
		grep -qE "^  missing +$finding$" <<<"$output"
	done
}

@test "nothing is left of domains whose agent was killed in the middle of a migration" {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	for moment in sent last checkpoint; do
		run timeout 200 "$brinell" rig run xen --file "$top/bats/rig/host_xen.sh" --file "$top/bats/rig/converse.sh" --timeout 190s -- \
			busybox sh /root/host_xen.sh "$moment"
		echo "$output"
		[ "$status" -eq 0 ]
		[[ $output == *"left: "*"brinell-one"* ]]
		[[ $output == *"PASSED $moment"* ]]
	done
}

@test "kill -9 of the controller in the middle of a migration: resume finishes the trial" {
	"$brinell" run --out "$BATS_TEST_TMPDIR/run" xen/srao-last-never >/dev/null 2>&1 3>&- &
	controller=$!
	until grep -qs '"event":"held"' "$BATS_TEST_TMPDIR/run/journal.jsonl"; do
		kill -0 $controller
		sleep 0.2
	done
	kill -9 $controller
	wait $controller || true
	run "$brinell" resume "$BATS_TEST_TMPDIR/run"
	echo "$output"
	[ "$status" -eq 0 ]
	grep -q '^ok 1 xen/srao-last-never' "$BATS_TEST_TMPDIR/run/ktap.txt"
}
