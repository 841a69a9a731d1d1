#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# converse.sh sets $answer, and reads $met.
# shellcheck shell=dash disable=SC2154,SC2034
#
# Runs on a rig host that is the first domain of Xen: an agent is killed in the middle of a migration. Usage: host_xen.sh MOMENT MACHINE, where
# the migration stands still, and the kind of the guest's machine.

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

meet 1
ok 1 guest.start "{\"name\":\"one\",\"machine\":\"$2\"}"
ok 1 guest.call '{"guest":"one","call":"workload.start","args":{"name":"victim","kind":"memory","arguments":{}}}'
pfn=$(($(value_of pfn)))
ok 1 guest.migrate "{\"name\":\"one\",\"page\":$pfn,\"mode\":\"$([ "$1" = checkpoint ] && echo checkpoint || echo pre-copy)\",\"hold\":\"$1\"}"
await 1 '"event":"held"'
[ "$(domains | wc -w)" -eq 2 ] || fail "there are not two domains: $(domains)"
kill -9 "$(own_agent)"
while [ "$answer" != "1 end" ]; do
	next 30 || fail "the agent does not end"
done
# The next agent must not inherit the end of the pipe that it reads from.
exec 3>&-
met=0
while pidof libxl-save-helper >/dev/null; do
	next 1 || :
done
echo "left: $(domains)"
meet 1
ok 1 guest.start '{"name":"two"}'
[ "$(domains)" = 'brinell-two ' ] || fail "domains are left: $(domains)"
[ "$(device_models)" = '' ] || fail "device models are left: $(device_models)"
ok 1 guest.stop '{"name":"two"}'
[ "$(domains)" = '' ] || fail "domains are left: $(domains)"
part
echo "PASSED $1"
