#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The rig and the runs on it, with real kernels: what only shows on an emulated host.

load ../journal

setup_file() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export top brinell=$top/build/brinell
	cc -O1 -static -o "$BATS_FILE_TMPDIR/stranger" "$BATS_TEST_DIRNAME/stranger.c"
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	out=$BATS_TEST_TMPDIR/run
}

# A scenario that waits for a line that never comes: it is not over before its host or its controller is taken away.
wait_in_vain() {
	sed "s|match: .*|match: no such line, within: 100s}|; /^tags:/a deadline: 120s" \
		"$top/harness/scenario/library/einj/patrol-scrub.yaml" >waits.yaml
}

@test "a command runs on a rig host, and its exit status comes back" {
	run "$brinell" rig run intel -- uname -n
	[ "$status" -eq 0 ]
	[[ $output == *rig-intel* ]]
	run "$brinell" rig run intel -- sh -c 'exit 7'
	[ "$status" -eq 7 ]
}

@test "a program without any part of brinell gets SIGBUS for the line it loads, and for no other" {
	run "$brinell" rig run --file "$BATS_FILE_TMPDIR/stranger" intel -- /root/stranger
	[ "$status" -eq 0 ]
	[[ $output == *"other line: 0"* ]]
	[[ $output == *"SIGBUS code 4"*"lsb 12"* ]]
}

@test "the doctor finds every injector and witness on a rig host" {
	run "$brinell" doctor --bench intel
	[ "$status" -eq 0 ]
	for finding in einj:table einj:memory-uncorrectable-nonfatal mce-inject hwpoison dma:vfio dma:nvme dma:edu kmsg tracefs iommu; do
		grep -qE "^  ok +$finding" <<<"$output"
	done
}

@test "the user's own kernel boots without any module" {
	for kernel in "${XDG_CACHE_HOME:-$HOME/.cache}"/brinell/kernel-*/vmlinuz; do break; done
	cp "$kernel" mine
	modules=$(dirname "$kernel")
	run "$brinell" rig run --kernel "$PWD/mine" --modules "$modules" intel -- uname -s
	[ "$status" -eq 0 ]
	[[ $output == *Linux* ]]
}

@test "a host that dies ends its trial, and the next one runs on a fresh boot" {
	run "$brinell" run --out "$out" einj/fatal einj/processor-correctable
	[ "$status" -eq 0 ]
	[ "$(verdict 0001)" = pass ]
	[ "$(verdict 0002)" = pass ]
	grep -qE '"config":"crc32c [0-9a-f]{8}"' "$out/results.json"
	grep -q '"event":"host-died"' "$out/journal.jsonl"
	grep -q 'Kernel panic' "$out"/artifacts/*
	[ "$(grep -o '"boot_id":"[^"]*"' "$out/journal.jsonl" | sort -u | wc -l)" -ge 2 ]
}

@test "an expectation that is wrong fails, whatever the fault does" {
	run "$brinell" run --out "$out" --set expect.lsb=21 einj/single
	[ "$status" -eq 1 ]
	[ "$(verdict 0001)" = fail ]
}

@test "kill -9 of the controller leaves nothing running, and resume finishes the run" {
	wait_in_vain
	"$brinell" run --out "$out" einj/single ./waits.yaml einj/processor-correctable 3>&- >/dev/null 2>&1 &
	controller=$!
	await_record intent $controller 0002
	supervisors=$(pgrep -P $controller)
	kill -9 $controller
	wait $controller || true
	for supervisor in $supervisors; do
		timeout 10 tail --pid="$supervisor" -f /dev/null
	done
	run "$brinell" resume "$out"
	[ "$status" -eq 3 ]
	for trial in 0001 0002 0003; do
		[ "$(grep -c "\"type\":\"verdict\",\"trial\":\"$trial\"" "$out/journal.jsonl")" -eq 1 ]
		[ "$(grep -c "\"type\":\"intent\",\"trial\":\"$trial\"" "$out/journal.jsonl")" -eq 1 ]
	done
	[ "$(verdict 0001)" = pass ]
	[ "$(verdict 0002)" = inconclusive ]
	[ "$(verdict 0003)" = pass ]
}

@test "a rig host that is taken away is no host that died: the trial is repeated once, and nothing is concluded if it happens again" {
	wait_in_vain
	"$brinell" run --out "$out" ./waits.yaml 3>&- >/dev/null 2>&1 &
	controller=$!
	await_record outcome $controller
	kill -9 "$(pgrep -P $controller)"
	await_second outcome $controller
	kill -9 "$(pgrep -P $controller)"
	code=0
	wait $controller || code=$?
	cat "$out/ktap.txt"
	echo "exit code $code"
	[ "$code" -eq 3 ]
	grep -q '"event":"host-taken"' "$out/journal.jsonl"
	[ "$(grep -c '"event":"host-died"' "$out/journal.jsonl")" -eq 0 ]
	[ "$(verdict 0001)" = inconclusive ]
}

@test "Ctrl-C stops the emulated host, and resume finishes the run" {
	wait_in_vain
	"$brinell" run --out "$out" ./waits.yaml einj/single 3>&- >/dev/null 2>&1 &
	controller=$!
	await_record intent $controller
	supervisors=$(pgrep -P $controller)
	kill -INT $controller
	code=0
	wait $controller || code=$?
	[ "$code" -eq 3 ]
	for supervisor in $supervisors; do
		[ ! -e "/proc/$supervisor" ]
	done
	run "$brinell" resume "$out"
	[ "$(verdict 0002)" = pass ]
}

@test "a command reaches an agent that still ends what the one before it left" {
	host=$("$brinell" rig up intel --deadline 5min --artifacts "$PWD/host" 3>&-)
	# Once it waits for the file system it can not be killed, and the agent waits for its end in vain.
	# shellcheck disable=SC2016
	"$brinell" rig run "$host" -- sh -c 'fsfreeze --freeze /var/tmp
		(until grep -q "State:.D" /proc/$$/status; do usleep 10000; done; echo it waits >/dev/console) &
		exec touch /var/tmp/frozen' 3>&- >/dev/null 2>&1 &
	first=$!
	grep -q -m1 'it waits' < <(tail --pid=$first -s 0.1 -n +1 -F "$PWD/host/console.log")
	kill -9 $first
	wait $first || true
	run timeout 60 "$brinell" rig run "$host" -- fsfreeze --unfreeze /var/tmp
	echo "$output"
	"$brinell" rig down "$host"
	[ "$status" -eq 0 ]
}

@test "two runs at the same time each have their own host" {
	"$brinell" run --out "$out-a" einj/single 3>&- >/dev/null 2>&1 &
	other=$!
	run "$brinell" run --out "$out" einj/single
	[ "$status" -eq 0 ]
	wait $other
	[ "$(cat "$out"/journal.jsonl "$out-a"/journal.jsonl | grep -o '"boot_id":"[^"]*"' | sort -u | wc -l)" -eq 2 ]
}

@test "many faults in one boot leak nothing in the agent, and every verdict is the same" {
	run "$brinell" run --out "$out" --trials 80 einj/single
	[ "$status" -eq 0 ]
	[ "$(grep -o '"boot_id":"[^"]*"' "$out/journal.jsonl" | sort -u | wc -l)" -eq 1 ]
	fds=$(grep '"type":"usage"' "$out/journal.jsonl" | grep -o '"fds":[0-9]*' | sort -u | wc -l)
	[ "$fds" -eq 1 ]
	# The heap of the agent settles in the first half of the trials.
	first=$(grep '"type":"usage"' "$out/journal.jsonl" | sed -n 40p | grep -o '"resident_kb":[0-9]*' | cut -d: -f2)
	last=$(grep '"type":"usage"' "$out/journal.jsonl" | tail -n 1 | grep -o '"resident_kb":[0-9]*' | cut -d: -f2)
	[ "$last" -le $((first + 64)) ]
}

@test "a damaged image in the cache is noticed and made again" {
	mkdir cache
	cp -a "${XDG_CACHE_HOME:-$HOME/.cache}/brinell" cache
	export XDG_CACHE_HOME=$PWD/cache
	for image in cache/brinell/image-intel-*/initramfs; do
		printf 'damage' | dd of="$image" bs=1 seek=100000 conv=notrunc status=none
	done
	run "$brinell" rig run intel -- true
	[ "$status" -eq 0 ]
	[[ $output == *"the cached image "*" is damaged "*"; building it again"* ]]
	run "$brinell" rig run intel -- true
	[ "$status" -eq 0 ]
	[[ $output != *damaged* ]]
}

@test "without QEMU the message names the missing package" {
	mkdir bin
	for tool in bash cat; do ln -s "$(command -v $tool)" bin/; done
	PATH=$PWD/bin run "$brinell" run --out "$out" einj/single
	[ "$status" -eq 4 ]
	[[ $output == *qemu* ]]
}

@test "without space in the cache the message has the size that is needed, and nothing is left half built" {
	[ "$(id -u)" -eq 0 ] || skip "mounting a small file system needs root"
	mkdir small
	mount -t tmpfs -o size=64m none small
	XDG_CACHE_HOME=$PWD/small run "$brinell" rig build intel
	left=$(find small -name 'kernel-*' -o -name 'image-*' | wc -l)
	umount small
	[ "$status" -eq 4 ]
	[[ $output == *"MiB free"* ]]
	[ "$left" -eq 0 ]
}
