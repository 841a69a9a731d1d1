#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Domains of Xen when a part of what moves them dies, when the host has too little memory, or when no fault can be injected into them. Run by
# `make check-xen`.

setup_file() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export top brinell=$top/build/brinell
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

# A run whose trial stands still in the middle of a migration; its controller is left in $controller.
begin_trial() { # BENCH SCENARIO
	out=$BATS_TEST_TMPDIR/$2
	"$brinell" run --out "$out" --bench "$1" "xen/$2" >/dev/null 2>&1 3>&- &
	controller=$!
	until grep -qs '"event":"held"' "$out/journal.jsonl"; do
		kill -0 $controller
		sleep 0.2
	done
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

@test "kill -9 of the controller in the middle of a migration: resume closes the trial, and fires nothing twice" {
	for scenario in srao-last-never hvm-srao-last-never; do
		begin_trial xen $scenario
		kill -9 $controller
		wait $controller || true
		run "$brinell" resume "$out"
		echo "$output"
		# Inconclusive when the fault had been fired: what the trial still had to do is lost.
		[ "$status" -eq 0 ] || [ "$status" -eq 3 ]
		[ "$(grep -c '"type":"intent"' "$out/journal.jsonl")" -eq 1 ]
		[ "$(grep -cE "^(not )?ok 1 xen/$scenario" "$out/ktap.txt")" -eq 1 ]
		grep -q '"complete": *true' "$out/results.json"
	done
}

# An emulator that was killed is no host that died: neither its kernel nor Xen logs an end.
emulator_dies() { # BENCH
	begin_trial "$1" srao-last-never
	kill -9 "$(pgrep -P "$(pgrep -P $controller)")"
	code=0
	wait $controller || code=$?
	cat "$out/ktap.txt"
	grep -q '"event":"host-taken"' "$out/journal.jsonl"
	[ "$(grep -c '"event":"host-died"' "$out/journal.jsonl")" -eq 0 ]
	[ "$code" -eq 3 ] || [ "$code" -eq 4 ]
	grep -q '"complete": *true' "$out/results.json"
}

@test "QEMU is killed in the middle of a trial: the bench has failed, and nothing is concluded" {
	emulator_dies xen
}

@test "Bochs is killed in the middle of a trial: the bench has failed, and nothing is concluded" {
	emulator_dies xen-ept
}
