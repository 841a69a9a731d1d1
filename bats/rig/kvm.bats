#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# A rig host that runs KVM guests: libvirt on it takes calls. Its guests are in bats/guests.

setup_file() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export top brinell=$top/build/brinell
	host=$("$brinell" rig up kvm --deadline 10min --artifacts "$BATS_FILE_TMPDIR" 3>&-)
	export host
}

teardown_file() {
	[ -z "$host" ] || "$brinell" rig down "$host"
}

@test "libvirt takes calls as soon as the host is up" {
	run "$brinell" rig run "$host" -- virsh -q version
	[ "$status" -eq 0 ]
	[[ $output == *"Running hypervisor: QEMU"* ]]
	grep -q 'brinell: libvirt is ready' "$BATS_FILE_TMPDIR/console.log"
}

@test "the host has what guests, injectors and workloads need" {
	# shellcheck disable=SC2016
	run "$brinell" rig run "$host" -- sh -ec '
		for file in /dev/kvm /dev/vhost-vsock /dev/net/tun /boot/vmlinuz /sys/firmware/acpi/tables/EINJ; do
			[ -e $file ] || echo "$file is missing"
		done
		grep -q "^[YN1]" /sys/module/kvm_amd/parameters/npt
		stress-ng --cpu 1 --cpu-ops 1 --quiet
		ip -brief link show lo
		modprobe --version
		grep -x "$(hostname)" /etc/brinell/expendable'
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output != *missing* ]]
}

@test "a host of a pair can not be started without saying which of the two" {
	run "$brinell" rig run kvm-pair -- true
	[ "$status" -eq 2 ]
	[[ $output == *"2 hosts"* ]]
}

# Without the plugin of the emulator the host dies of a breakpoint that is no longer there, once in some 450 turns.
@test "a host lives on while its kernel patches what all processors execute" {
	cc -D_GNU_SOURCE -O1 -static -pthread -o "$BATS_TEST_TMPDIR/patcher" "$BATS_TEST_DIRNAME/patcher.c"
	run timeout 150 "$brinell" rig run --file "$BATS_TEST_TMPDIR/patcher" --timeout 120s "$host" -- /root/patcher 800
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"patched 1600 times"* ]]
}
