# SPDX-License-Identifier: GPL-2.0-only
# busybox reads with a deadline, dash does not.
# shellcheck shell=dash disable=SC3045
#
# For scripts that run on a rig host: speaks the protocol with an agent of its own there, and with one on the other host of
# a pair, which listens on a port of their network. The whole conversation is printed, each line with the number of the
# host, and the first answer that is not as it should be ends the script.
set -eu

port=7007
work=$(mktemp -d)
mkfifo "$work/calls1" "$work/calls2" "$work/said"
exec 9<>"$work/said"
met=0
number=0
answer=

# The output of both, in one stream.
follow() { # HOST
	while read -r line; do
		echo "$1 $line"
	done >"$work/said"
	echo "$1 end" >"$work/said"
}

# Opens a connection to the agent of a host: 1 is this one, 2 the other one of a pair.
meet() { # HOST
	met=$((met + 1))
	if [ "$1" = 1 ]; then
		brinell-agent <"$work/calls1" 2>&1 9<&- | follow 1 9<&- &
		exec 3>"$work/calls1"
	else
		nc host-2 $port <"$work/calls2" 3>&- 9<&- | follow 2 3>&- 9<&- &
		exec 4>"$work/calls2"
	fi
}

# Closes the connections, and shows the output of the agents until they exit.
part() {
	exec 3>&- 4>&-
	while [ $met -gt 0 ]; do
		next 30 || fail "an agent does not end"
		case $answer in
		[12]" end") met=$((met - 1)) ;;
		esac
	done
	rm -rf "$work"
}

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
		"$1 {\"event\":\"protocol\""* | "$1 end") break ;;
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
