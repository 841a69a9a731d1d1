#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# A device that is taken for DMA, by the calls of an agent: it comes back with its data, and one in use is not taken.

setup_file() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export top brinell=$top/build/brinell
	host=$("$brinell" rig up intel --deadline 10min --artifacts "$BATS_FILE_TMPDIR" 3>&-)
	export host
}

teardown_file() {
	[ -z "$host" ] || "$brinell" rig down "$host"
}

converse() { # TEST
	run timeout 100 "$brinell" rig run "$host" --file "$top/bats/rig/host_dma.sh" \
		--file "$top/bats/rig/converse.sh" --timeout 90s -- busybox sh /root/host_dma.sh "$1"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"PASSED $1"* ]]
}

@test "a device goes back to its driver after kill -9 of the agent, with the data of its disk" {
	converse killed
}

@test "a device with a mounted file system or swap space is refused, and named" {
	converse used
}
