#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# Runs on host 1 of a pair, about guests that move to host 2, where an agent listens (bats/guests/pair.bats starts it).
# Usage: host_migrate.sh TEST.

# shellcheck source=/dev/null
. "${0%/*}/converse.sh"
meet 1
meet 2

uri=qemu+tcp://host-2/system
address=tcp://10.0.0.2

# A guest that beats and works on host 1, and that host 2 awaits.
begin() { # SIZE OF THE WORKLOAD
	ok 1 guest.start '{"name":"g1"}'
	uuid=$(value_of uuid)
	boot=$(value_of boot_id)
	echo "FIGURE start hello_ns $(value_of hello_ns)"
	ok 1 guest.call '{"guest":"g1","call":"heartbeat.start","args":{}}'
	ok 1 guest.call "{\"guest\":\"g1\",\"call\":\"workload.start\",\"args\":{\"name\":\"load\",\"kind\":\"pattern\",\"arguments\":{\"size\":\"$1\",\"rate\":500,\"verify-rate\":2000}}}"
	ok 2 guest.receive "{\"name\":\"g1\",\"uuid\":\"$uuid\"}"
	mark
}

migrate() { # FURTHER ARGUMENTS
	ok 1 guest.migrate "{\"name\":\"g1\",\"uri\":\"$uri\",\"address\":\"$address\"$1}"
}

# It is on host 2 now, and the same.
arrived() {
	await 1 '"event":"end"' '"outcome":"completed"'
	echo "FIGURE downtime_ns $(value_of downtime_ns) iterations $(value_of iteration) elapsed_ns $(value_of elapsed_ns)"
	await 2 '"what":"hello"' "\"boot_id\":\"$boot\""
	await 2 '"what":"heartbeat"'
	ok 2 guest.status '{"name":"g1"}'
	has '"state":"running"'
	has '"connected":true'
	ok 1 guest.status '{"name":"g1"}'
	has '"state":"gone"'
	has '"detail":"migrated"'
	refused ENOENT 1 guest.resolve '{"name":"g1","gpa":"0x1000000"}'
	ok 2 guest.resolve '{"name":"g1","gpa":"0x1000000"}'
	ok 1 guest.stop '{"name":"g1"}'
	ok 2 guest.call '{"guest":"g1","call":"workload.stop","args":{"name":"load"}}'
	ok 2 guest.stop '{"name":"g1"}'
	has '"graceful":true'
}

# It stayed on host 1, and can be sent again.
stayed() { # OUTCOME
	await 1 '"event":"end"' "\"outcome\":\"$1\""
	ok 1 guest.status '{"name":"g1"}'
	has '"state":"running"'
	ok 1 guest.call '{"guest":"g1","call":"ping"}'
}

finish() {
	ok 1 guest.stop '{"name":"g1"}'
	ok 2 guest.stop '{"name":"g1"}'
}

plain() {
	begin 64M
	migrate ''
	has '"state":"begun"'
	arrived
}

parallel() {
	begin 64M
	migrate ',"multifd":2,"auto_converge":true'
	arrived
}

postcopy() {
	begin 64M
	migrate ',"mode":"post-copy","bandwidth":4194304'
	ok 1 guest.migration '{"name":"g1","action":"post-copy"}'
	await 1 '"stage":"post-copy"'
	arrived
}

# Held by the least bandwidth, and let go.
limit() {
	begin 64M
	migrate ',"bandwidth":1'
	await 1 '"event":"progress"' '"iteration":1'
	ok 1 guest.migration '{"name":"g1","action":"limit","bandwidth":0,"downtime_ms":2000}'
	arrived
}

# Cancelled, and then sent once more.
cancel() {
	begin 64M
	migrate ',"bandwidth":1'
	await 1 '"event":"progress"' '"iteration":1'
	ok 1 guest.migration '{"name":"g1","action":"cancel"}'
	stayed cancelled
	refused ESRCH 1 guest.migration '{"name":"g1","action":"cancel"}'
	mark
	migrate ''
	arrived
}

# Refused without a listener at the target; failed when QEMU of the target is killed; then repeated.
failures() {
	begin 8M
	uri=qemu+tcp://host-2:1/system
	migrate ''
	has '"state":"ended","outcome":"refused"'
	has 'Connection refused'
	stayed refused
	mark
	uri=qemu+tcp://host-2/system
	migrate ',"bandwidth":1'
	has '"state":"begun"'
	ok 2 run '{"argv":["killall","-9","qemu-system-x86_64"],"timeout_ms":20000}'
	stayed failed
	mark
	migrate ''
	arrived
}

# QEMU has refused since 9.0 to send a guest that has lost a page.
poisoned() {
	begin 8M
	ok 1 guest.call '{"guest":"g1","call":"workload.start","args":{"name":"victim","kind":"pattern","arguments":{"size":"16M","rate":0,"verify":"on-demand"}}}'
	ok 1 guest.resolve "{\"name\":\"g1\",\"gpa\":\"$(value_of physical)\"}"
	ok 1 inject.prepare "{\"injector\":\"hwpoison\",\"arguments\":{\"method\":\"corrupt-pfn\",\"pfn\":\"$(value_of pfn)\"}}"
	ok 1 inject.fire '{}'
	ok 1 inject.restore '{}'
	await 1 '"event":"memory-failure"' '"action":"inject"'
	migrate ''
	has '"state":"ended","outcome":"refused"'
	has 'hardware poisoned memory'
	stayed refused
	finish
}

"$1"
part
echo "PASSED $1"
