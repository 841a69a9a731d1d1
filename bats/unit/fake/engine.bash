# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests of the engine against a fake agent have in common.
# shellcheck disable=SC2030,SC2031 # `run` sets its variables in the very shell of a test

load ../journal

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

fired() { wc -l <"$FAKE_FIRED"; }
