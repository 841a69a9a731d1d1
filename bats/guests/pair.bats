#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Guests that move between the two hosts of a pair while they work, through the calls of an agent on each. Part of
# `make check-guests`.

setup_file() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export top brinell=$top/build/brinell
	hosts=$("$brinell" rig up kvm-pair --deadline 20min --artifacts "$BATS_FILE_TMPDIR" 3>&-)
	first=${hosts%%$'\n'*}
	second=${hosts##*$'\n'}
	export first second
	"$brinell" rig run "$second" -- \
		sh -c 'setsid busybox nc -ll -p 7007 -e brinell-agent </dev/null >/dev/null 2>&1 &'
}

teardown_file() {
	[ -z "$first" ] || "$brinell" rig down "$first"
	[ -z "$second" ] || "$brinell" rig down "$second"
}

move() { # TEST
	run timeout 200 "$brinell" rig run "$first" --file "$top/bats/rig/host_migrate.sh" \
		--file "$top/bats/rig/converse.sh" --timeout 190s -- busybox sh /root/host_migrate.sh "$1"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"PASSED $1"* ]]
	grep '^FIGURE' <<<"$output" >&3
}

@test "a guest moves while it works, and sends a hello to its new host" {
	move plain
}

@test "a guest moves through several channels" {
	move parallel
}

@test "a guest runs at its new host before its memory is there" {
	move postcopy
}

@test "a migration is held by its bandwidth, and let go" {
	move limit
}

@test "a migration is cancelled, and made once more" {
	move cancel
}

@test "a migration to a missing host is refused, and one whose target dies has failed" {
	move failures
}

@test "a guest with a poisoned page is not sent" {
	move poisoned
}
