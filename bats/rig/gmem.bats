#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# A storm whose parts are killed, by the calls of an agent. GMEM_KILLS is how many are.

setup_file() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export top brinell=$top/build/brinell
	# The device changes hands at each kill, at which QEMU aborts at times with two processors (docs/rig.md, Limits).
	host=$("$brinell" rig up gmem --processors 1 --deadline 20min --artifacts "$BATS_FILE_TMPDIR" 3>&-)
	export host
}

teardown_file() {
	[ -z "$host" ] || "$brinell" rig down "$host"
}

@test "a payload that ends in a triple fault is reported with its registers, and the storm goes on" {
	run timeout 90 "$brinell" rig run "$host" --file "$top/bats/rig/host_gmem.sh" --file "$top/bats/rig/converse.sh" \
		--timeout 80s -- busybox sh /root/host_gmem.sh crash
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"PASSED crash"* ]]
}

@test "kill -9 of the engine, its watcher or the agent at any moment leaves nothing bound, mapped, pinned or running" {
	kills=${GMEM_KILLS:-12}
	run timeout $((60 + kills * 20)) "$brinell" rig run "$host" --file "$top/bats/rig/host_gmem.sh" \
		--file "$top/bats/rig/converse.sh" --timeout $((50 + kills * 20))s -- busybox sh /root/host_gmem.sh "$kills"
	echo "$output"
	# A host that died has its reason there.
	[ "$status" -eq 0 ] || tail -n 60 "$BATS_FILE_TMPDIR/console.log"
	[ "$status" -eq 0 ]
	[[ $output == *"PASSED $kills"* ]]
}
