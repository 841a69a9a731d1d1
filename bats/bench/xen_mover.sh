#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# busybox reads with a deadline, dash does not.
# shellcheck shell=dash disable=SC3045
#
# Runs on a rig host that is the first domain of Xen: `xl migrate` and the agent's mover move two equal guests in turns, each to the same
# host, so that both have the same load of the machine. Usage: xen_mover.sh ROUNDS. Prints "moved XL MOVER" in seconds for each round, and
# "bench: WORD" on the console when a migration begins or has ended.
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

xl create "$work/g.cfg" >/dev/null
call guest.start '{"name":"one","memory_mib":64}'
for round in $(seq "$1"); do
	"${0%/*}/suspend" "$(xl domid g)" 3>&- 9<&- &
	suspend=$!
	mark xl
	read -r xl_began _ </proc/uptime
	xl migrate -s "$here" g localhost >"$work/xl" 2>&1 3>&- 9<&- || fail "round $round: $(tail -n 3 "$work/xl")"
	read -r xl_ended _ </proc/uptime
	mark ended
	kill $suspend
	mark mover
	read -r began _ </proc/uptime
	# Its answer, and its end.
	call guest.migrate '{"name":"one"}'
	next
	read -r ended _ </proc/uptime
	mark ended
	case $answer in
	*'"outcome":"completed"'*) ;;
	*) fail "round $round: $answer" ;;
	esac
	echo "moved $xl_began $xl_ended $began $ended" | awk '{ printf "%s %.2f %.2f\n", $1, $3 - $2, $5 - $4 }'
done
call guest.stop '{"name":"one"}'
xl destroy g
