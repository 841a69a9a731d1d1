#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# What becomes of the domains of Xen when a program of brinell is killed in the middle of a migration. Run by `make check-xen`.

setup_file() {
	export brinell=$BATS_TEST_DIRNAME/../../build/brinell
}

@test "nothing is left of domains whose agent was killed in the middle of a migration" {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	for case in "sent pvh" "last pvh" "checkpoint pvh" "arrived hvm"; do
		read -r moment machine <<<"$case"
		run timeout 200 "$brinell" rig run xen --file "$top/bats/rig/host_xen.sh" --file "$top/bats/rig/converse.sh" --timeout 190s -- \
			busybox sh /root/host_xen.sh "$moment" "$machine"
		echo "$output"
		[ "$status" -eq 0 ]
		[[ $output == *"left: "*"brinell-one"* ]]
		[[ $output == *"PASSED $moment"* ]]
	done
}

@test "kill -9 of the controller in the middle of a migration: resume closes the trial, and fires nothing twice" {
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
	# Inconclusive when the fault had been fired: what the trial still had to do is lost.
	[ "$status" -eq 0 ] || [ "$status" -eq 3 ]
	[ "$(grep -c '"type":"intent"' "$BATS_TEST_TMPDIR/run/journal.jsonl")" -eq 1 ]
	[ "$(grep -cE '^(not )?ok 1 xen/srao-last-never' "$BATS_TEST_TMPDIR/run/ktap.txt")" -eq 1 ]
	grep -q '"complete": *true' "$BATS_TEST_TMPDIR/run/results.json"
}
