#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# busybox reads with a deadline, dash does not.
# shellcheck shell=dash disable=SC3045
#
# Runs on host 1 of a pair: speaks the protocol with an agent of its own, and with one on host 2 that it reaches over the
# network of the pair (bats/guests/guests.bats starts it there). Usage: host_migrate.sh TEST. Prints the whole
# conversation, each line with the number of the host, and fails with the first answer that is not as it should be.
set -eu

port=7007
work=$(mktemp -d)
mkfifo "$work/calls1" "$work/calls2" "$work/said"
exec 9<>"$work/said"

# What both say, in one stream.
follow() { # HOST
	while read -r line; do
		echo "$1 $line"
	done >"$work/said"
}
brinell-agent <"$work/calls1" 2>&1 9<&- | follow 1 9<&- &
exec 3>"$work/calls1"
nc host-2 $port <"$work/calls2" 3>&- 9<&- | follow 2 3>&- 9<&- &
exec 4>"$work/calls2"
number=0
answer=

# The next line, at most $1 seconds later. What comes all the time is kept for await(), and not shown.
next() { # SECONDS
	read -t "$1" -r answer <&9 || return 1
	echo "$answer" >>"$work/log"
	case $answer in
	*'"what":"gap"'* | *'"what":"clock"'* | *'"what":"heartbeat"'* | *'"event":"progress"'* | *'"metrics"'*) ;;
	*) echo "$answer" | cut -c1-1500 ;;
	esac
}

fail() { # TEXT
	echo "FAILED: $*"
	exit 1
}

# Makes a call, and waits for its answer; it is left in $answer.
ask() { # HOST CALL ARGUMENTS
	number=$((number + 1))
	echo "> $1 $2 $3"
	if [ "$1" = 1 ]; then
		echo "{\"id\":$number,\"call\":\"$2\",\"args\":$3}" >&3
	else
		echo "{\"id\":$number,\"call\":\"$2\",\"args\":$3}" >&4
	fi
	while next 90; do
		case $answer in
		"$1 {\"id\":$number,"*) return ;;
		"$1 {\"event\":\"protocol\""*) break ;;
		esac
	done
	fail "no answer to $2"
}

ok() { # HOST CALL ARGUMENTS
	ask "$@"
	case $answer in
	*'"ok":'*) ;;
	*) fail "$2" ;;
	esac
}

refused() { # ERROR HOST CALL ARGUMENTS
	error=$1
	shift
	ask "$@"
	case $answer in
	*"\"name\":\"$error\""*) ;;
	*) fail "$2 was not refused with $error" ;;
	esac
}

# From here on, what await() finds has happened.
mark() {
	: >"$work/log"
}

matches() { # LINE TEXT...
	matched=$1
	shift
	for text; do
		case $matched in
		*"$text"*) ;;
		*) return 1 ;;
		esac
	done
}

# Waits for an event of a host that has all of these texts, unless it came since mark(); it is left in $answer.
await() { # HOST TEXT...
	awaited=$1
	shift
	while read -r answer; do
		case $answer in
		"$awaited "*) matches "$answer" "$@" && return ;;
		esac
	done <"$work/log"
	while next 90; do
		case $answer in
		"$awaited "*) matches "$answer" "$@" && return ;;
		esac
	done
	fail "no event of host $awaited with $*"
}

value_of() { # KEY: of a text or a number, in the last answer
	echo "$answer" | sed -n "s/.*\"$1\":\"*\([0-9a-zA-Z_.-]*\).*/\\1/p"
}

has() { # TEXT: in the last answer
	matches "$answer" "$1" || fail "no $1"
}

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

"$1"
exec 3>&- 4>&-
# What they say while they end.
while next 5; do
	:
done
rm -rf "$work"
echo "PASSED $1"
