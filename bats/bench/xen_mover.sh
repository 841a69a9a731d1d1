#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# busybox reads with a deadline, dash does not.
# shellcheck shell=dash disable=SC3045
#
# Runs on a rig host that is the first domain of Xen: `xl migrate` and the agent's mover move two equal guests in turns, each to the same
# host, so that both have the same load of the machine. In every other round the mover is first. Usage: xen_mover.sh ROUNDS. Prints
# "moved XL MOVER" in seconds for each round, and "bench: WORD" on the console when a migration begins or has ended. A round before
# the first one has the programs read from the disk, and is not counted.
set -eu

work=$(mktemp -d)
here=$work/here
number=0
mkfifo "$work/calls" "$work/said"
printf '#!/bin/sh\nshift\nexec "$@"\n' >"$here"
chmod 755 "$here" "${0%/*}/suspend"
printf 'name="g"\ntype="pvh"\nkernel="%s"\nmemory=64\nvcpus=1\n' "$(find / -xdev -name brinell-guest-xen | head -n 1)" >"$work/g.cfg"

fail() { # TEXT
	echo "FAILED: $*"
	exit 1
}

# Only answers and ends of migrations reach the shell, which is slow.
# shellcheck disable=SC2094
brinell-agent <"$work/calls" 2>/dev/null | awk 'index($0, "{\"id\":") == 1 || /"event":"end"/ { print; fflush() }' >"$work/said" &
exec 3>"$work/calls" 9<"$work/said"

mark() { # WORD
	echo "bench: $1" >/dev/console
}

next() {
	read -t 90 -r answer <&9 || fail 'the agent says nothing'
	case $answer in
	*'"error":'*) fail "$answer" ;;
	esac
}

call() { # CALL ARGUMENTS
	number=$((number + 1))
	echo "{\"id\":$number,\"call\":\"$1\",\"args\":$2}" >&3
	next
}

now() {
	read -r seconds _ </proc/uptime
}

# The time that it takes is left in $took.
timed() { # WORD COMMAND
	mark "$1"
	now
	began=$seconds
	"$2"
	now
	mark ended
	took=$(echo "$began $seconds" | awk '{ printf "%.2f", $2 - $1 }')
}

move_by_xl() {
	xl migrate -s "$here" g localhost >"$work/xl" 2>&1 3>&- 9<&- || fail "$(tail -n 3 "$work/xl")"
}

xl_moves() {
	"${0%/*}/suspend" "$(xl domid g)" 3>&- 9<&- &
	suspend=$!
	timed xl move_by_xl
	kill $suspend
	xl_took=$took
}

# Its answer, and its end.
move_by_mover() {
	call guest.migrate '{"name":"one"}'
	next
}

mover_moves() {
	timed mover move_by_mover
	case $answer in
	*'"outcome":"completed"'*) ;;
	*) fail "$answer" ;;
	esac
	mover_took=$took
}

xl create "$work/g.cfg" >/dev/null
call guest.start '{"name":"one","memory_mib":64}'
for round in $(seq 0 "$1"); do
	if [ $((round % 2)) -eq 0 ]; then
		xl_moves
		mover_moves
	else
		mover_moves
		xl_moves
	fi
	[ "$round" -eq 0 ] || echo "moved $xl_took $mover_took"
done
call guest.stop '{"name":"one"}'
xl destroy g
