#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Domains of Xen when a part of what moves them dies, when the host has too little memory, or when no fault can be injected into them. Run by
# `make check-xen`.

load ../journal

setup_file() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export top brinell=$top/build/brinell library=$top/harness/scenario/library
	cc -O1 -o "$BATS_FILE_TMPDIR/xen_hand" "$top/bats/rig/xen_hand.c" -ldl
	cc -nostdlib -static -no-pie -Wl,-Ttext=0x100000 -Wl,--build-id=none -o "$BATS_FILE_TMPDIR/xen_pv" "$top/bats/rig/xen_pv.S"
}

on_host() { # TEST [ARGUMENT...]
	run timeout 400 "$brinell" rig run xen --file "$top/bats/rig/host_xen.sh" --file "$top/bats/rig/converse.sh" \
		--file "$BATS_FILE_TMPDIR/xen_hand" --file "$BATS_FILE_TMPDIR/xen_pv" --timeout 390s -- \
		busybox sh /root/host_xen.sh "$@"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"PASSED $*"* ]]
}

# A run whose trial waits for a line that never comes, before or after its fault in the middle of a migration; its controller is
# left in $controller. What is resumed waits once more, and goes on.
begin_trial() { # BENCH SCENARIO BEFORE|AFTER
	out=$BATS_TEST_TMPDIR/$2-$3
	local wait='  - wait: {for: hypervisor-log, match: no such line, within: 30s}'
	case $3 in
	before) sed "/^  - inject:/i\\$wait" "$library/xen/$2.yaml" ;;
	after) sed "/^  - inject:/a\\$wait" "$library/xen/$2.yaml" ;;
	esac >"$BATS_TEST_TMPDIR/trial.yaml"
	"$brinell" run --out "$out" --bench "$1" "$BATS_TEST_TMPDIR/trial.yaml" >/dev/null 2>&1 3>&- &
	controller=$!
	case $3 in
	before) await_text $controller '"event":"held"' ;;
	after) await_record outcome $controller ;;
	esac
}

@test "nothing is left of domains whose agent was killed in the middle of a migration" {
	for case in "sent pvh" "last pvh" "checkpoint pvh" "arrived hvm"; do
		read -r moment machine <<<"$case"
		on_host agent "$moment" "$machine"
		[[ $output == *"left: "*"brinell-one"* ]]
	done
}

@test "nothing is left of domains whose controller has gone in the middle of a migration" {
	on_host controller last pvh
	on_host controller sent hvm
}

@test "the sender or the receiver of a PVH guest dies: the guest goes on at the source, and can be sent again" {
	on_host ends pvh
}

@test "the sender or the receiver of an HVM guest dies: the guest goes on at the source, and can be sent again" {
	on_host ends hvm
}

@test "a Linux guest suspends itself: it goes on at the source after a failure, and at the target with its data" {
	on_host linux
}

@test "the device model of an HVM guest dies in the middle of its migration: it fails, and nothing is left behind the guest" {
	on_host model
}

@test "without memory for a second domain the guest goes on at the source, and none is left half restored" {
	on_host memory
}

@test "faults of domains and pages that can take none are refused, and so are impossible migrations" {
	on_host refusals
}

@test "kill -9 of the controller in the middle of a migration: resume fires the fault once, and concludes nothing about a trial cut off after it" {
	for case in "srao-last-never before 0 pass" "srao-last-never after 3 inconclusive" "hvm-srao-last-never after 3 inconclusive"; do
		read -r scenario moment code conclusion <<<"$case"
		begin_trial xen "$scenario" "$moment"
		kill -9 $controller
		wait $controller || true
		run "$brinell" resume "$out"
		echo "$output"
		[ "$status" -eq "$code" ]
		[ "$(verdict 0001)" = "$conclusion" ]
		[ "$(records intent)" -eq 1 ]
		[ "$(grep -cE "^(not )?ok 1 xen/$scenario" "$out/ktap.txt")" -eq 1 ]
		grep -q '"complete": *true' "$out/results.json"
	done
}

# An emulator that was killed is no host that died: neither its kernel nor Xen logs an end. The trial is repeated once.
emulator_dies() { # BENCH
	begin_trial "$1" srao-last-never after
	kill -9 "$(pgrep -P "$(pgrep -P $controller)")"
	await_second outcome $controller
	kill -9 "$(pgrep -P "$(pgrep -P $controller)")"
	code=0
	wait $controller || code=$?
	cat "$out/ktap.txt"
	grep -q '"event":"host-taken"' "$out/journal.jsonl"
	[ "$(grep -c '"event":"host-died"' "$out/journal.jsonl")" -eq 0 ]
	[ "$code" -eq 3 ]
	[ "$(verdict 0001)" = inconclusive ]
	grep -q '"complete": *true' "$out/results.json"
}

@test "QEMU is killed in the middle of a trial, and again when it is repeated: nothing is concluded" {
	emulator_dies xen
}

@test "Bochs is killed in the middle of a trial, and again when it is repeated: nothing is concluded" {
	emulator_dies xen-ept
}
