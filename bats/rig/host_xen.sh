#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# converse.sh sets $answer, and reads $met.
# shellcheck shell=dash disable=SC2154,SC2034
#
# Runs on a rig host that is the first domain of Xen, about its domains. Usage: host_xen.sh TEST [ARGUMENT...].

# shellcheck source=/dev/null
. "${0%/*}/converse.sh"

domains() {
	xl list | sed -n 's/^\(brinell-[^ ]*\) .*/\1/p' | sort | tr '\n' ' '
}

# What is named so as Linux cuts it.
device_models() {
	for entry in /proc/[0-9]*; do
		case $(cat "$entry/comm" 2>/dev/null) in xen-qemu*) echo "${entry#/proc/}" ;; esac
	done
}

# Not the one that serves the port of the host.
own_agent() {
	for entry in /proc/[0-9]*; do
		[ "$(cat "$entry/comm" 2>/dev/null)" = brinell-agent ] && ! grep -q port "$entry/cmdline" && echo "${entry#/proc/}"
	done | sort -n | head -n 1
}

# One is saved, and the other one restored.
helper() { # save|restore
	for entry in /proc/[0-9]*; do
		(tr '\0' ' ' <"$entry/cmdline") 2>/dev/null | grep -q "^[^ ]*libxl-save-helper --$1-domain " && echo "${entry#/proc/}"
	done | head -n 1
}

begin() { # MACHINE|linux [MEMORY-MIB]
	case $1 in
	linux) ok 1 guest.start "{\"name\":\"one\",\"system\":\"linux\",\"memory_mib\":${2:-256}}" ;;
	*) ok 1 guest.start "{\"name\":\"one\",\"machine\":\"$1\",\"memory_mib\":${2:-64}}" ;;
	esac
	ok 1 guest.call '{"guest":"one","call":"workload.start","args":{"name":"victim","kind":"memory","arguments":{"touch":"load"}}}'
	pfn=$(($(value_of pfn)))
}

migrate() { # HOLD [MODE]
	mark
	ok 1 guest.migrate "{\"name\":\"one\",\"page\":$pfn,\"mode\":\"${2:-pre-copy}\",\"hold\":\"$1\"}"
	await 1 '"event":"held"'
	[ "$(domains | wc -w)" -eq 2 ] || fail "there are not two domains: $(domains)"
}

# The guest goes on at the source with its data, nothing is left at the target, and it can be sent again.
stayed() { # TEXT: of the reason
	await 1 '"event":"end"' '"outcome":"failed"'
	echo "REASON $(echo "$answer" | sed -n 's/.*"reason":"\([^"]*\)".*/\1/p')"
	has "$1"
	[ "$(domains)" = 'brinell-one ' ] || fail "the domains are: $(domains)"
	ok 1 guest.status '{"name":"one"}'
	has '"state":"running"'
	mark
	ok 1 guest.call '{"guest":"one","call":"workload.touch","args":{"name":"victim"}}'
	await 1 '"event":"touched"' '"value_ok":true'
}

# Until no one reads from it any more.
await_end() {
	while [ "$answer" != "1 end" ]; do
		next 60 || fail "the agent does not end"
	done
	# The next agent must not inherit the end of the pipe that it reads from.
	exec 3>&-
	met=0
}

nothing_left() {
	[ "$(domains)" = '' ] || fail "domains are left: $(domains)"
	[ "$(device_models)" = '' ] || fail "device models are left: $(device_models)"
}

# An agent is killed, and the next one removes what it has left.
agent() { # MOMENT MACHINE
	begin "$2"
	migrate "$1" "$([ "$1" = checkpoint ] && echo checkpoint || echo pre-copy)"
	kill -9 "$(own_agent)"
	await_end
	while pidof libxl-save-helper >/dev/null; do
		next 1 || :
	done
	echo "left: $(domains)"
	meet 1
	ok 1 guest.start '{"name":"two"}'
	[ "$(domains)" = 'brinell-two ' ] || fail "domains are left: $(domains)"
	[ "$(device_models)" = '' ] || fail "device models are left: $(device_models)"
	ok 1 guest.stop '{"name":"two"}'
	nothing_left
}

# The controller is gone: its agent removes all by itself.
controller() { # MOMENT MACHINE
	begin "$2"
	migrate "$1"
	exec 3>&-
	await_end
	nothing_left
}

# Each end of a migration dies; the last one is whole.
ends() { # MACHINE
	begin "$1"
	for case in "sent save" "last restore"; do
		migrate "${case% *}"
		kill -9 "$(helper "${case#* }")"
		ok 1 guest.migration '{"name":"one","action":"release"}'
		stayed "${case#* } the domain"
	done
	migrate sent
	ok 1 guest.migration '{"name":"one","action":"release"}'
	await 1 '"event":"end"' '"outcome":"completed"'
	ok 1 guest.call '{"guest":"one","call":"ping"}'
	ok 1 guest.stop '{"name":"one"}'
	nothing_left
}

# It suspends itself. After that, when the target is complete, it goes on at the source, and later at the target.
linux() {
	begin linux
	ok 1 guest.migrate '{"name":"one","hold":"last"}'
	has '"outcome":"refused"'
	has 'suspends itself'
	migrate sent
	kill -9 "$(helper restore)"
	ok 1 guest.migration '{"name":"one","action":"release"}'
	stayed 'restore the domain'
	migrate arrived
	ok 1 guest.migration '{"name":"one","action":"cancel"}'
	await 1 '"event":"end"' '"outcome":"cancelled"'
	[ "$(domains)" = 'brinell-one ' ] || fail "the domains are: $(domains)"
	mark
	ok 1 guest.call '{"guest":"one","call":"workload.touch","args":{"name":"victim","by":"store"}}'
	await 1 '"event":"touched"'
	migrate sent
	ok 1 guest.migration '{"name":"one","action":"release"}'
	await 1 '"event":"end"' '"outcome":"completed"'
	await 1 '"what":"hello"' '"rebooted":false'
	mark
	ok 1 guest.call '{"guest":"one","call":"workload.touch","args":{"name":"victim"}}'
	await 1 '"event":"touched"' '"value_ok":true'
	ok 1 guest.stop '{"name":"one"}'
	nothing_left
}

# libxl asks it for its state when the guest stands still, and once more before the guest goes on. The guest does not, and the reason says so.
model() {
	begin hvm
	migrate sent
	[ "$(device_models | wc -l)" -eq 1 ] || fail "device models: $(device_models)"
	kill -9 "$(device_models)"
	ok 1 guest.migration '{"name":"one","action":"release"}'
	await 1 '"event":"end"' '"outcome":"failed"'
	has 'save the domain'
	has 'the guest stays suspended'
	[ "$(domains)" = 'brinell-one ' ] || fail "the domains are: $(domains)"
	ok 1 guest.stop '{"name":"one"}'
	nothing_left
}

# The host has not the memory for a second one.
memory() {
	begin pvh 700
	mark
	ok 1 guest.migrate "{\"name\":\"one\",\"page\":$pfn}"
	stayed 'restore the domain'
	ok 1 guest.stop '{"name":"one"}'
	mark
	refused EIO 1 guest.start '{"name":"two","memory_mib":4096}'
	nothing_left
}

not_hit() { # ERROR GUEST GPA TEXT
	refused "$1" 1 inject.prepare "{\"injector\":\"xen-mca\",\"arguments\":{\"kind\":\"srao\",\"guest\":\"$2\",\"gpa\":\"$3\"}}"
	has "$4"
}

by_hand() { # NAME TYPE KERNEL
	printf 'name="brinell-%s"\ntype="%s"\nkernel="%s"\nmemory=32\nvcpus=1\non_poweroff="preserve"\n' "$1" "$2" "$3" >"$work/$1.cfg"
	xl create -p "$work/$1.cfg" >/dev/null 3>&- 9<&-
	domain=$(xl domid "brinell-$1")
}

# Domains and pages that can take no fault, and migrations that are impossible: each call fails with its reason, before any hypercall.
refusals() {
	hand=${0%/*}/xen_hand
	chmod 755 "$hand"
	begin pvh
	domain=$(xl domid brinell-one)
	not_hit ESRCH nobody 0x1000 'has no domain brinell-nobody'
	not_hit ERANGE one 0x100000000000 'its last one is'
	not_hit EFAULT one 0x10000000 'is a hole'
	"$hand" balloon "$domain" 0x3000
	not_hit EFAULT one 0x3000000 'is a hole'
	by_hand pv pv "${0%/*}/xen_pv"
	not_hit EOPNOTSUPP pv 0x1000 'is PV'
	xl destroy "$domain"
	by_hand ended pvh "$(find / -xdev -name brinell-guest-xen | head -n 1)"
	xl unpause "$domain"
	"$hand" end "$domain"
	not_hit ESHUTDOWN ended 0x1000 'has shut down'
	xl destroy "$domain"
	refused ENOENT 1 guest.start '{"name":"other","kind":"domain","domain":"nobody"}'
	refused EOPNOTSUPP 1 guest.start '{"name":"other","machine":"pv"}'
	refused EINVAL 1 guest.start '{"name":"other","system":"none"}'
	refused EOPNOTSUPP 1 guest.start '{"name":"other","system":"linux","machine":"hvm"}'
	refused ENOENT 1 guest.migrate '{"name":"nobody"}'
	refused ESRCH 1 guest.migration '{"name":"one","action":"release"}'
	for request in '"hold":"sent"' '"hold":"elsewhere"' '"uri":"qemu+tcp://host-2/system"'; do
		ok 1 guest.migrate "{\"name\":\"one\",$request}"
		has '"outcome":"refused"'
		has 'guest.migrate: '
	done
	ok 1 guest.call '{"guest":"one","call":"ping"}'
	ok 1 guest.stop '{"name":"one"}'
	nothing_left
}

meet 1
"$@"
part
echo "PASSED $*"
