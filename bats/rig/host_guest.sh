#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# converse.sh sets $work.
# shellcheck shell=dash disable=SC2154
#
# Runs on a rig host, about the guests of one host. Usage: host_guest.sh TEST.

# shellcheck source=/dev/null
. "${0%/*}/converse.sh"
meet 1

poison() {
	ok 1 guest.start '{"name":"one","kind":"micro"}'
	echo "FIGURE made_ns $(value_of made_ns) hello_ns $(value_of hello_ns)"
	ok 1 guest.call '{"guest":"one","call":"workload.start","args":{"name":"victim","kind":"memory","arguments":{}}}'
	physical=$(value_of physical)
	ok 1 guest.resolve "{\"name\":\"one\",\"gpa\":\"$physical\"}"
	has '"present":true'
	pfn=$(value_of pfn)
	ok 1 inject.prepare "{\"injector\":\"hwpoison\",\"arguments\":{\"method\":\"corrupt-pfn\",\"pfn\":\"$pfn\"}}"
	ok 1 inject.fire '{}'
	has '"error":0'
	ok 1 guest.call '{"guest":"one","call":"workload.touch","args":{"name":"victim"}}'
	await 1 '"guest":"one"' '"said":' '"code_name":"BUS_MCEERR_AR"'
	ok 1 guest.call '{"guest":"one","call":"ping"}'
	ok 1 guest.resolve "{\"name\":\"one\",\"gpa\":\"$physical\"}"
	has '"present":false'
	has '"poisoned":true'
	ok 1 inject.restore '{}'
	ok 1 guest.stop '{"name":"one"}'
	has '"graceful":true'
}

# libvirtd is killed while a guest runs: calls fail with this reason, the guest continues, and calls succeed when libvirtd runs again.
daemon() {
	ok 1 guest.start '{"name":"one"}'
	mark
	killall -9 libvirtd
	await 1 '"event":"connection-lost"'
	refused ENOTCONN 1 guest.resolve '{"name":"one","gpa":"0x1000000"}'
	has 'is libvirtd'
	ok 1 guest.call '{"guest":"one","call":"ping"}'
	libvirtd --daemon 3>&- 9<&-
	await 1 '"event":"connected"'
	ok 1 guest.resolve '{"name":"one","gpa":"0x1000000"}'
	# QEMU is killed.
	killall -9 qemu-system-x86_64
	await 1 '"guest":"one"' '"event":"crashed"' '"state":"stopped"'
	refused ENOENT 1 guest.resolve '{"name":"one","gpa":"0x1000000"}'
	ok 1 guest.stop '{"name":"one"}'
}

# The panic of a guest's kernel and the death of its QEMU are distinct.
panic() {
	ok 1 guest.start '{"name":"one"}'
	ok 1 guest.monitor '{"name":"one","command":"query-status"}'
	has '"running"'
	ok 1 guest.monitor '{"name":"one","command":"info status","human":true}'
	has "VM status: running"
	ask 1 guest.call '{"guest":"one","call":"file.put","args":{"path":"/proc/sysrq-trigger","append":true,"data_base64":"Yw=="},"timeout_ms":20000}'
	await 1 '"event":"panicked"'
	await 1 '"detail":"crashed"'
	refused ENOENT 1 guest.resolve '{"name":"one","gpa":"0x1000000"}'
	ok 1 guest.stop '{"name":"one"}'
}

in_guest() { # CALL ARGUMENTS
	ok 1 guest.call "{\"guest\":\"one\",\"call\":\"$1\",\"args\":$2,\"timeout_ms\":60000}"
}

workload() { # NAME KIND ARGUMENTS
	in_guest workload.start "{\"name\":\"$1\",\"kind\":\"$2\",\"arguments\":$3}"
}

# The end of the touch is left in $answer.
touch_workload() { # NAME
	mark
	in_guest workload.touch "{\"name\":\"$1\"}"
	await 1 '"said":' "\"workload\":\"$1\"" '"event":"checked"'
}

touched_well() { # NAME TEXT
	touch_workload "$1"
	await 1 "\"workload\":\"$1\"" '"event":"touched"' '"value_ok":true' "$2"
}

# In a guest each kind of frame is there, and what consumes it is well.
frames() {
	ok 1 guest.start '{"name":"one"}'
	for which in kernel-text page-table page-cache slab free; do
		workload "$which" frame "{\"which\":\"$which\",\"deadline\":\"100s\"}"
		physical=$(value_of physical)
		ok 1 guest.resolve "{\"name\":\"one\",\"gpa\":\"$physical\"}"
		# No free frame is in use yet, by the records of the host.
		case $which in
		free) touched_well free 'the frame was handed out' ;;
		*)
			has '"present":true'
			touched_well "$which" ' '
			;;
		esac
		in_guest workload.stop "{\"name\":\"$which\"}"
	done
	workload file memory '{"page":"file-clean","touch":"copyout"}'
	touched_well file intact
	ok 1 guest.balloon '{"name":"one","memory_mib":192,"timeout_ms":60000}'
	workload ballooned frame '{"which":"balloon"}'
	touched_well ballooned 'the balloon still holds the frame'
	ok 1 guest.stop '{"name":"one"}'
}

# A program of the host runs in a guest and is counted and sampled there; then the guest's kernel falls.
stress() {
	ok 1 guest.start '{"name":"one","programs":["stress-ng"]}'
	workload load stress-ng '{"stressor":"cpu","options":["--cpu-method","crc16"],"deadline":"100s"}'
	mark
	workload counts perf-stat '{"of":"load"}'
	has '"cycles"'
	await 1 '"workload":"counts"' '"event":"metrics"' 'perf_context_switches'
	workload samples perf-record '{}'
	touch_workload load
	has '"status":0'
	has '"stress_ng_cpu_bogo_ops"'
	touch_workload counts
	has '"perf_task_clock"'
	mark
	in_guest workload.touch '{"name":"samples"}'
	# The names of programs and of the kernel of the guest.
	await 1 '"workload":"samples"' '"event":"stacks"' '"stress-ng-cpu' 'do_syscall_64'
	await 1 '"workload":"samples"' '"event":"checked"' '"lost":0'
	workload fall panic '{}'
	mark
	in_guest workload.touch '{"name":"fall"}'
	await 1 '"guest":"one"' '"event":"panicked"'
	ok 1 guest.stop '{"name":"one"}'
}

# A domain of the user, with brinell-guest in it: it is used as it is, and left as it is.
adopt() {
	ok 1 guest.start '{"name":"one"}'
	cp /run/brinell/guests/one/initramfs "$work/initramfs"
	virsh -q dumpxml brinell-one | sed "s,<name>.*,<name>mine</name>,; /<uuid>/d; /<description>/d;
		s,<initrd>.*,<initrd>$work/initramfs</initrd>,; s,<serial type='pipe'>,<serial type='null'>,;
		/<source path='\/run\/brinell/d; /<alias /d; /<console type/,/<\/console>/d" >"$work/mine.xml"
	ok 1 guest.stop '{"name":"one"}'
	virsh -q create "$work/mine.xml" 3>&- 9<&-
	ok 1 guest.start '{"name":"mine","kind":"domain","domain":"mine"}'
	has '"kind":"domain"'
	ok 1 guest.call '{"guest":"mine","call":"workload.start","args":{"name":"victim","kind":"memory","arguments":{}}}'
	ok 1 guest.resolve "{\"name\":\"mine\",\"gpa\":\"$(value_of physical)\"}"
	has '"present":true'
	ok 1 guest.stop '{"name":"mine"}'
	has '"stopped":false'
	virsh -q domstate mine | grep -x running
	virsh -q destroy mine
}

# Impossible calls: each fails with its reason.
refusals() {
	refused ENOENT 1 guest.start '{"name":"one","kind":"domain","domain":"nobody"}'
	refused EINVAL 1 guest.start '{"name":"../one"}'
	refused EINVAL 1 guest.start '{"name":"one","memory_mib":1}'
	refused ENOENT 1 guest.stop '{"name":"one"}'
	refused EHOSTDOWN 1 guest.start '{"name":"one","arguments":"init=/none rdinit=/none root=/none"}'
	has 'its console ends with'
	cat >/run/bare.xml <<END
<domain type='kvm'>
  <name>bare</name>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <cpu mode='host-passthrough'><feature policy='disable' name='tsc-deadline'/></cpu>
  <devices><controller type='usb' model='none'/><memballoon model='none'/></devices>
</domain>
END
	virsh -q define /run/bare.xml 3>&- 9<&-
	refused EHOSTDOWN 1 guest.start '{"name":"mine","kind":"domain","domain":"bare"}'
	has "does not run"
	virsh -q start bare 3>&- 9<&-
	refused ENODEV 1 guest.start '{"name":"mine","kind":"domain","domain":"bare"}'
	virsh -q domstate bare | grep -x running
	virsh -q destroy bare
	virsh -q undefine bare
	# Another domain has the CID that libvirt would choose first.
	sed "s,<devices>,&<vsock><cid auto='no' address='3'/></vsock>," /run/bare.xml >/run/taken.xml
	virsh -q create /run/taken.xml 3>&- 9<&-
	ok 1 guest.start '{"name":"one"}'
	[ "$(value_of cid)" -gt 3 ]
	ok 1 guest.stop '{"name":"one"}'
	virsh -q domstate bare | grep -x running
	virsh -q destroy bare
}

"$1"
part
echo "PASSED $1"
