#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# Runs on a rig host: the storm and the kernel's own test of conversions in turn, both counted by the same trace event.
# usage: peer.sh OPERATIONS ROUNDS
tracing=/sys/kernel/tracing
mount -t tracefs tracefs $tracing 2>/dev/null
/root/gmem "$1" "$2" || exit

# Conversions a second, from the first event to the last one.
rate() { # NAME COMMAND...
	name=$1
	shift
	echo >$tracing/trace
	echo 1 >$tracing/events/kvm/kvm_vm_set_mem_attributes/enable
	"$@" >/tmp/peer.out 2>&1 || { cat /tmp/peer.out; exit 1; }
	echo 0 >$tracing/events/kvm/kvm_vm_set_mem_attributes/enable
	awk -v name="$name" '/kvm_vm_set_mem_attributes:/ {
		for (i = 1; i <= NF; i++) if ($i ~ /^[0-9]+\.[0-9]+:$/) time = $i + 0
		if (!count++) first = time
	} END { printf "%s: %.1f conversions a second (%d of them, by the trace event)\n", name, (count - 1) / (time - first), count }' $tracing/trace
}

for _ in 1 2 3; do
	rate "private_mem_conversions_test" /root/private_mem_conversions_test
	rate "storm, every page checked" /root/gmem checked "$1"
done
