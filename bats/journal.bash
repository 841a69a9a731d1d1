# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests of runs read in the directory of one: $out.
# shellcheck disable=SC2154

# The journal as it grows, until the controller has ended: CONTROLLER
follow() {
	tail --pid="$1" --retry -s 0.1 -n +1 -F "$out/journal.jsonl" 2>/dev/null
}

# Waits until the journal holds a record with these texts, or fails when the controller has ended: CONTROLLER TEXT...
await_text() {
	grep -q -m1 "$(printf '.*%s' "${@:2}")" < <(follow "$1")
}

# The same for a record of the type: TYPE CONTROLLER [TRIAL]
await_record() {
	await_text "$2" "\"type\":\"$1\"" ${3:+"\"trial\":\"$3\""}
}

# The same for the second record of the type: TYPE CONTROLLER
await_second() {
	[ "$(grep -m2 -c "\"type\":\"$1\"" < <(follow "$2"))" -eq 2 ]
}

records() { # TYPE: how many records of it
	grep -c "\"type\":\"$1\"" "$out/journal.jsonl"
}

# The results are read where they are: a run of the sanitized program for each look takes long.
verdict() { # TRIAL
	tr -d ' \n' <"$out/results.json" | grep -oE "\"trial\":\"$1\",\"scenario\".*" | grep -m1 -oE '"verdict":"[a-z]+"' |
		head -n 1 | cut -d'"' -f4
}
