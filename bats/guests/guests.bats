#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Guests that the agent of a rig host starts, through its own calls: poison reaches one of them, and failures are reported.
# Nested virtualisation under emulation is slow and, on a busy machine, now and then does not come to its end: these run by
# `make check-guests`, apart from the tests that every change has to pass.

setup_file() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export top brinell=$top/build/brinell
	host=$("$brinell" rig up kvm --deadline 15min --artifacts "$BATS_FILE_TMPDIR" 3>&-)
	export host
}

teardown_file() {
	[ -z "$host" ] || "$brinell" rig down "$host"
}

converse() { # TEST
	run timeout 150 "$brinell" rig run "$host" --file "$top/bats/rig/host_guest.sh" \
		--file "$top/bats/rig/converse.sh" --timeout 140s -- \
		busybox sh /root/host_guest.sh "$1"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"PASSED $1"* ]]
}

@test "guests start with a vsock and power themselves off, one after the other" {
	run timeout 200 "$brinell" rig run "$host" --file "$top/bats/rig/guest.sh" --timeout 190s -- sh /root/guest.sh 3
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(grep -c '^guest: up .* with vsock' <<<"$output")" -eq 3 ]
}

@test "poison under a guest's page is a SIGBUS of the process in the guest, and the guest lives" {
	converse poison
	grep -q '"event":"memory-failure","recipient":"guest","action":"inject"' <<<"$output"
	grep '^FIGURE' <<<"$output" >&3
}

@test "libvirtd and QEMU are killed under a guest: calls fail with a reason, and the agent continues" {
	converse daemon
}

@test "a guest that can not be is refused with a reason, and other domains are left alone" {
	converse refusals
}

@test "a domain of the user is used as it is, and left running" {
	converse adopt
}

@test "a guest whose kernel panics is distinguished from one that was switched off" {
	converse panic
}

@test "in a guest each kind of frame is found, and can be used" {
	converse frames
}

@test "stress-ng runs in a guest and is counted there, and the guest's kernel crashes on request" {
	converse stress
}
