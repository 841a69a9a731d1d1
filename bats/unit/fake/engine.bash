# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests of the engine against a made-up agent have in common.
# shellcheck disable=SC2030,SC2031 # `run` sets its variables in the very shell of a test

setup() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	brinell=${BRINELL:-$top/build/asan/brinell}
	export PATH="$BATS_TEST_DIRNAME/fake:$PATH" FAKE_FIRED="$BATS_TEST_TMPDIR/fired"
	export XDG_CACHE_HOME="$BATS_TEST_TMPDIR/cache"
	scenario=$BATS_TEST_DIRNAME/fake/scenario.yaml
	out=$BATS_TEST_TMPDIR/run
	touch "$FAKE_FIRED"
}

run_it() { # FAULT [OPTIONS...]
	local fault=$1
	shift
	FAKE=$fault run "$brinell" run --bench ssh:fake --out "$out" "$@" "$scenario"
}

records() { # TYPE: how many records of it
	grep -c "\"type\":\"$1\"" "$out/journal.jsonl"
}

# The results are read where they are: a run of the sanitized program for each look takes long.
verdict() { # TRIAL
	tr -d ' \n' <"$out/results.json" | grep -oE "\"trial\":\"$1\",\"scenario\".*" | grep -m1 -oE '"verdict":"[a-z]+"' |
		head -n 1 | cut -d'"' -f4
}

fired() { wc -l <"$FAKE_FIRED"; }

# Waits until the journal of the run holds a record of the type: TYPE CONTROLLER
await_record() {
	grep -q -m1 "\"type\":\"$1\"" < <(tail --pid="$2" --retry -s 0.1 -n +1 -F "$out/journal.jsonl" 2>/dev/null)
}
