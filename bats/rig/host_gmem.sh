#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# converse.sh has $answer and $met.
# shellcheck shell=dash disable=SC2154,SC2034
#
# Runs on a rig host whose VMs can have private memory. Kills parts of a storm with a device that does DMA, each at a random
# moment, and looks for what is left. With "crash", the payload of the storm ends in a triple fault. Usage: host_gmem.sh KILLS|crash.

# shellcheck source=/dev/null
. "${0%/*}/converse.sh"

function=/sys/bus/pci/devices/0000:00:04.0
storm='{"injector":"gmem-storm","arguments":{"workload":"flip","users":["mapping","process","readv","splice","direct","dma","uring","vcpu"],
"refuser":"uring","refuse":"20","memory":"1M","range":"32K","converters":"2","vcpus":"4","touchers":"1","faults":["slot","reopen","log",
"kill-vcpu","memory-limit"],"meanwhile":"yes","fault-every":"4","duration":"5min"}}'
storm=$(echo "$storm" | tr -d '\n')

driver() {
	basename "$(readlink $function/driver)"
}

# A number below $1.
random() {
	echo $(($(busybox od -An -N4 -tu4 /dev/urandom) % $1))
}

children() { # PID
	for task in "/proc/$1"/task/*; do
		tr " " "\n" <"$task/children"
	done 2>/dev/null
}

# All that descend from a process.
descendants() { # PID
	for child in $(children "$1"); do
		echo "$child"
		descendants "$child"
	done
}

await_true() { # TEXT COMMAND...
	text=$1
	shift
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || fail "$text"
		busybox usleep 100000
	done
}

ended() { # PID...
	for process; do
		# One that has not been waited for has ended, too.
		case $(cut -d' ' -f3 "/proc/$process/stat" 2>/dev/null) in
		'' | Z) ;;
		*) return 1 ;;
		esac
	done
}

no_vms() {
	for vm in /sys/kernel/debug/kvm/*-*; do
		[ ! -e "$vm" ] || return 1
	done
}

# Pages that are pinned now.
pins() {
	echo 1 >/proc/sys/vm/stat_refresh
	busybox awk '/^nr_foll_pin_acquired /{a=$2} /^nr_foll_pin_released /{r=$2} END{print a-r}' /proc/vmstat
}

no_pins() {
	[ "$(pins)" = "$pinned" ]
}

no_group() {
	[ ! -e /sys/fs/cgroup/brinell-gmem ]
}

returned() {
	[ "$(driver)" = nvme ] && [ "$(cat $function/driver_override)" = "(null)" ]
}

# No process has the device, or memory that it reaches.
no_device() {
	for place in /proc/[0-9]*/fd/*; do
		case $(readlink "$place") in
		/dev/vfio/* | *vfio-device* | *kvm-vm* | *kvm-vcpu* | *guest-memfd*) return 1 ;;
		esac
	done
}

nothing_left() { # PID...
	await_true "a process is left: $*" ended "$@"
	await_true "a VM is left" no_vms
	await_true "a descriptor of the device or of a VM is left" no_device
	await_true "$(pins) pages are pinned, $pinned were before" no_pins
}

# A storm begins; what of it is killed lives when it is chosen.
begin() {
	meet 1
	await 1 '"event":"hello"'
	agent=$(value_of pid)
	ok 1 inject.prepare "$storm"
	ok 1 inject.fire '{}'
	has '"running":true'
	watcher=$(children "$agent")
	engine=$(children "$watcher")
	[ "$engine" ] || fail "no storm runs"
	busybox usleep "$(random 1500000)"
	all=$(descendants "$agent")
}

leave() {
	part_of_one
	returned || fail "$(driver) has the device"
	await_true "the memory cgroup is left" no_group
}

part_of_one() {
	exec 3>&-
	answer=
	until [ "$answer" = "1 end" ]; do
		next 90 || fail "the agent does not end"
	done
	met=0
}

# The agent reports the end of the storm, and frees everything on request.
kill_part() { # PID
	begin
	mark
	eval "kill -9 \$$1"
	await 1 '"event":"end"' '"injector":"gmem-storm"'
	ok 1 inject.restore '{}'
	# shellcheck disable=SC2086
	nothing_left $all
	leave
}

kill_engine() {
	kill_part engine
}

kill_watcher() {
	kill_part watcher
}

# The next agent gives the device back.
kill_agent() {
	begin
	kill -9 "$agent"
	# shellcheck disable=SC2086
	nothing_left "$agent" $all
	part_of_one
	recover
}

# The same at any moment of the beginning.
kill_early() {
	meet 1
	await 1 '"event":"hello"'
	agent=$(value_of pid)
	echo "{\"id\":1001,\"call\":\"inject.prepare\",\"args\":$storm}" >&3
	echo '{"id":1002,"call":"inject.fire","args":{}}' >&3
	busybox usleep "$(random 3000000)"
	all=$(descendants "$agent")
	kill -9 "$agent"
	# shellcheck disable=SC2086
	nothing_left "$agent" $all
	part_of_one
	recover
}

recover() {
	mark
	meet 1
	await 1 '"event":"hello"'
	leave
}

# The storm reports it as a failure of its own, not of the kernel, and goes on.
crash() {
	meet 1
	await 1 '"event":"hello"'
	ok 1 inject.prepare '{"injector":"gmem-storm","arguments":{"workload":"flip","memory":"1M","operations":"3","plant":"crash"}}'
	mark
	ok 1 inject.fire '{}'
	await 1 '"event":"broken"' 'ended in a triple fault, RIP 0x' 'page tables and code are intact'
	await 1 '"event":"end"' '"operations":3'
	ok 1 inject.restore '{}'
	part_of_one
}

if [ "$1" = crash ]; then
	(crash) >"$work/trial" 2>&1 || {
		tail -n 40 "$work/trial"
		exit 1
	}
	echo "PASSED crash"
	exit
fi
pinned=$(pins)
returned || fail "$(driver) has the device at the beginning"
kills=0
while [ $kills -lt "$1" ]; do
	case $((kills % 4)) in
	0) what=engine ;;
	1) what=watcher ;;
	2) what=agent ;;
	3) what=early ;;
	esac
	kills=$((kills + 1))
	mark
	(kill_"$what") >"$work/trial" 2>&1 || {
		tail -n 40 "$work/trial"
		exit 1
	}
	# The console keeps it when the host dies.
	echo "kill $kills ($what): nothing is left" | busybox tee /dev/console
done
echo "PASSED $1"
