#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Guests that the agent of a rig host starts, through its own calls: poison reaches one of them, and what breaks is told.

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
	run timeout 150 "$brinell" rig run "$host" --file "$BATS_TEST_DIRNAME/host_guest.sh" --timeout 140s -- \
		busybox sh /root/host_guest.sh "$1"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"PASSED $1"* ]]
}

@test "poison under a guest's page is a SIGBUS of the process in the guest, and the guest lives" {
	converse poison
	grep -q '"event":"memory-failure","recipient":"guest","action":"inject"' <<<"$output"
	grep '^FIGURE' <<<"$output" >&3
}

@test "libvirtd and QEMU are killed under a guest: calls say so, and the agent goes on" {
	converse daemon
}

@test "a guest that can not be is refused with a reason, and other domains are left alone" {
	converse refusals
}

@test "a guest whose kernel panics is told from one that was switched off" {
	converse panic
}
