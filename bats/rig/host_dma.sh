#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# converse.sh has $answer and $met.
# shellcheck shell=dash disable=SC2154,SC2034
#
# Runs on a rig host, about a device that is taken from its driver for DMA. Usage: host_dma.sh TEST.

# shellcheck source=/dev/null
. "${0%/*}/converse.sh"

function=/sys/bus/pci/devices/0000:00:04.0
disk=/dev/nvme0n1

driver() {
	basename "$(readlink $function/driver)"
}

# The driver finds the namespaces of a controller after it was bound.
await_disk() {
	tries=0
	until [ -b $disk ]; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || fail "the disk did not come back"
		usleep 100000
	done
}

begin_stream() {
	ok 1 inject.prepare '{"injector":"dma","arguments":{"device":"nvme","target":"mapped","count":"0"}}'
	[ "$(driver)" = vfio-pci ] || fail "$(driver) has the device"
	mark
	ok 1 inject.fire '{}'
	has '"running":true'
	await 1 '"event":"progress"'
}

# The agent is killed in the middle of a stream of DMA; the next one gives the device back, and the disk holds what it held.
killed() {
	await_disk
	dd if=/dev/urandom of=$disk bs=64k count=64 2>/dev/null
	sync
	before=$(md5sum <$disk)
	meet 1
	await 1 '"event":"hello"'
	agent=$(value_of pid)
	begin_stream
	kill -9 "$agent"
	await 1 ' end'
	exec 3>&-
	met=0
	[ "$(driver)" = vfio-pci ] || fail "$(driver) has the device of a killed agent"
	meet 1
	await 1 '"event":"hello"'
	[ "$(driver)" = nvme ] || fail "$(driver) has the device"
	[ "$(cat $function/driver_override)" = "(null)" ] || fail "the override is left"
	await_disk
	[ "$(md5sum <$disk)" = "$before" ] || fail "the disk holds other data"
	begin_stream
	ok 1 inject.stop '{}'
	ok 1 inject.restore '{}'
	[ "$(driver)" = nvme ] || fail "$(driver) has the device"
	await_disk
	[ "$(md5sum <$disk)" = "$before" ] || fail "the disk holds other data after a stop"
}

# What this host works with is not taken away.
used() {
	await_disk
	meet 1
	mke2fs -F $disk >/dev/null 2>&1
	mkdir -p /run/disk-of-nvme
	mount -t ext2 $disk /run/disk-of-nvme
	refused EBUSY 1 inject.prepare '{"injector":"dma","arguments":{"device":"nvme"}}'
	has 'nvme0n1 is mounted on /run/disk-of-nvme'
	umount /run/disk-of-nvme
	mkswap $disk >/dev/null
	swapon $disk
	refused EBUSY 1 inject.prepare '{"injector":"dma","arguments":{"device":"nvme"}}'
	has 'nvme0n1 is swap space'
	swapoff $disk
	[ "$(driver)" = nvme ] || fail "$(driver) has the device"
	ok 1 inject.prepare '{"injector":"dma","arguments":{"device":"nvme"}}'
	ok 1 inject.restore '{}'
}

"$1"
part
echo "PASSED $1"
