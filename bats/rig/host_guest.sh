#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# busybox reads with a deadline, dash does not.
# shellcheck shell=dash disable=SC3045
#
# Runs on a rig host: speaks the protocol with an agent of its own, about guests. Usage: host_guest.sh TEST. Prints the
# whole conversation, and fails with the first answer that is not as it should be.
set -eu

work=$(mktemp -d)
mkfifo "$work/calls" "$work/answers"
brinell-agent <"$work/calls" >"$work/answers" &
agent=$!
exec 3>"$work/calls" 4<"$work/answers"
number=0
answer=

# What the agent says, up to the answer of the call; it is left in $answer.
ask() { # CALL ARGUMENTS
	number=$((number + 1))
	echo "> $1 $2"
	echo "{\"id\":$number,\"call\":\"$1\",\"args\":$2}" >&3
	while read -t 60 -r answer <&4; do
		echo "$answer" | tee -a "$work/said"
		case $answer in
		"{\"id\":$number,"*) return ;;
		'{"event":"protocol"'*) break ;;
		esac
	done
	echo "FAILED: no answer to $1"
	exit 1
}

ok() { # CALL ARGUMENTS
	ask "$1" "$2"
	case $answer in
	*'"ok":'*) ;;
	*)
		echo "FAILED: $1"
		exit 1
		;;
	esac
}

refused() { # ERROR CALL ARGUMENTS
	ask "$2" "$3"
	case $answer in
	*"\"name\":\"$1\""*) ;;
	*)
		echo "FAILED: $2 was not refused with $1"
		exit 1
		;;
	esac
}

# Waits for an event that has all of these texts.
await() { # TEXT...
	while read -t 60 -r answer <&4; do
		echo "$answer" | tee -a "$work/said"
		for text; do
			case $answer in
			*"$text"*) ;;
			*) continue 2 ;;
			esac
		done
		return
	done
	echo "FAILED: no event with $*"
	exit 1
}

value_of() { # KEY: of a number or an address, in the last answer
	echo "$answer" | sed -n "s/.*\"$1\":\"*\([0-9a-fx]*\).*/\\1/p"
}

has() { # TEXT: in the last answer
	case $answer in
	*"$1"*) ;;
	*)
		echo "FAILED: no $1"
		exit 1
		;;
	esac
}

poison() {
	ok guest.start '{"name":"one","kind":"micro"}'
	echo "FIGURE made_ns $(value_of made_ns) hello_ns $(value_of hello_ns)"
	ok guest.call '{"guest":"one","call":"workload.start","args":{"name":"victim","kind":"memory","arguments":{}}}'
	physical=$(value_of physical)
	ok guest.resolve "{\"name\":\"one\",\"gpa\":\"$physical\"}"
	has '"present":true'
	pfn=$(value_of pfn)
	ok inject.prepare "{\"injector\":\"hwpoison\",\"arguments\":{\"method\":\"corrupt-pfn\",\"pfn\":\"$pfn\"}}"
	ok inject.fire '{}'
	has '"error":0'
	ok guest.call '{"guest":"one","call":"workload.touch","args":{"name":"victim"}}'
	await '"guest":"one"' '"said":' '"code_name":"BUS_MCEERR_AR"'
	ok guest.call '{"guest":"one","call":"ping"}'
	ok guest.resolve "{\"name\":\"one\",\"gpa\":\"$physical\"}"
	has '"present":false'
	has '"poisoned":true'
	ok inject.restore '{}'
	ok guest.stop '{"name":"one"}'
	has '"graceful":true'
}

# libvirtd is killed under a guest that runs: calls say so, the guest goes on, and all is well when it is back.
daemon() {
	ok guest.start '{"name":"one"}'
	killall -9 libvirtd
	await '"event":"connection-lost"'
	refused ENOTCONN guest.resolve '{"name":"one","gpa":"0x1000000"}'
	has 'is libvirtd'
	ok guest.call '{"guest":"one","call":"ping"}'
	libvirtd --daemon 3>&- 4<&-
	await '"event":"connected"'
	ok guest.resolve '{"name":"one","gpa":"0x1000000"}'
	# QEMU dies without a word.
	killall -9 qemu-system-x86_64
	await '"guest":"one"' '"event":"crashed"' '"state":"stopped"'
	refused ENOENT guest.resolve '{"name":"one","gpa":"0x1000000"}'
	ok guest.stop '{"name":"one"}'
}

# A guest whose kernel panics is told from one whose QEMU dies.
panic() {
	ok guest.start '{"name":"one"}'
	ok guest.monitor '{"name":"one","command":"query-status"}'
	has '"running"'
	ok guest.monitor '{"name":"one","command":"info status","human":true}'
	has "VM status: running"
	ask guest.call '{"guest":"one","call":"file.put","args":{"path":"/proc/sysrq-trigger","append":true,"data_base64":"Yw=="},"timeout_ms":20000}'
	# It may have been told before the call failed.
	grep -q '"event":"panicked"' "$work/said" || await '"event":"panicked"'
	grep -q '"detail":"crashed"' "$work/said" || await '"detail":"crashed"'
	refused ENOENT guest.resolve '{"name":"one","gpa":"0x1000000"}'
	ok guest.stop '{"name":"one"}'
}

# What can not be: each call says why.
refusals() {
	refused ENOENT guest.start '{"name":"one","kind":"domain","domain":"nobody"}'
	refused EINVAL guest.start '{"name":"../one"}'
	refused EINVAL guest.start '{"name":"one","memory_mib":1}'
	refused ENOENT guest.stop '{"name":"one"}'
	refused EHOSTDOWN guest.start '{"name":"one","arguments":"init=/none rdinit=/none root=/none"}'
	has 'its console ends with'
	cat >"$work/bare.xml" <<END
<domain type='kvm'>
  <name>bare</name>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <cpu mode='host-passthrough'><feature policy='disable' name='tsc-deadline'/></cpu>
  <devices><controller type='usb' model='none'/><memballoon model='none'/></devices>
</domain>
END
	virsh -q create "$work/bare.xml" 3>&- 4<&-
	refused ENODEV guest.start '{"name":"mine","kind":"domain","domain":"bare"}'
	virsh -q domstate bare | grep -x running
	virsh -q destroy bare
}

"$1"
exec 3>&-
# What it says while it ends, and its end.
cat <&4
wait $agent
rm -rf "$work"
echo "PASSED $1"
