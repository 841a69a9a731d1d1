# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests of comparisons and calibrations that make their runs have in common.
# shellcheck disable=SC2034,SC2154 # they use what is set here, and `run` sets variables

# Runs against the fake agent in a directory of its own, and a scenario that measures.
enter() { # DIRECTORY
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	brinell=${BRINELL:-$top/build/asan/brinell}
	cd "$1" || return 1
	export PATH="$BATS_TEST_DIRNAME/fake:$PATH" FAKE_FIRED="$PWD/fired" FAKE_BOOT=new XDG_CACHE_HOME="$PWD/cache"
	scenario=$PWD/scenario.yaml
	{ sed "s/deadline: 5s/deadline: 60s/" "$BATS_TEST_DIRNAME/fake/scenario.yaml" && echo "metrics: {victim.cost: 5%}"; } >"$scenario"
}

setup() {
	enter "$BATS_TEST_TMPDIR"
	whole=$BATS_FILE_TMPDIR
}

# Of the runs that setup_file makes for all tests.
keep_result() {
	echo "$output" >said
	echo "$status" >status
}
