#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# brinell compare --a --b: the runs of both sides against an agent that is made up, no root, no rig.
# shellcheck disable=SC2030,SC2031 # `run` sets its variables in the very shell of a test

setup() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	brinell=${BRINELL:-$top/build/asan/brinell}
	export PATH="$BATS_TEST_DIRNAME/fake:$PATH" FAKE_FIRED="$BATS_TEST_TMPDIR/fired" FAKE_BOOT=new
	export XDG_CACHE_HOME="$BATS_TEST_TMPDIR/cache"
	cd "$BATS_TEST_TMPDIR" || return 1
	scenario=$BATS_TEST_TMPDIR/scenario.yaml
	{ sed "s/deadline: 5s/deadline: 60s/" "$BATS_TEST_DIRNAME/fake/scenario.yaml" && echo "metrics: {victim.cost: 5%}"; } >"$scenario"
	# A side that looks here for its emulator finds another agent too.
	mkdir slow
	ln -s /bin/true slow/qemu-system-x86_64
	printf '#!/bin/sh\nFAKE_SLOW=20 exec %s/fake/ssh "$@"\n' "$BATS_TEST_DIRNAME" >slow/ssh
	chmod +x slow/ssh
}

compare() { # BOOTS OPTIONS...
	local boots=$1
	shift
	run "$brinell" compare --out out --boots "$boots" --alpha 0.2 --a bench=ssh:fake --b bench=ssh:fake "$@" "$scenario"
}

@test "a planted slowdown regresses, and a second round confirms it" {
	compare 4 --b "qemu=$PWD/slow"
	[ "$status" -eq 1 ]
	[[ $(grep 'fake/poison victim.cost' <<<"$output") == *"regressed: confirmed by a second round"* ]]
	[ "$(grep -c 'victim.cost' <<<"$output")" -eq 1 ]
	# Two rounds, and one run of each side to see where the time goes.
	[ "$(wc -l <fired)" -eq 18 ]
	[[ $output == *"fake/poison: points of the samples: -30.0 work, +30.0 wait<2>; out/profile/fake-poison.svg"* ]]
	grep -q 'wait&lt;2&gt;: 50.00 % of A, 80.00 % of B' out/profile/fake-poison.svg
	xmllint --noout out/profile/fake-poison.svg
	[ "$(cd out/round-1 && echo ./*-[ab])" = "./01-a ./01-b ./02-a ./02-b ./03-a ./03-b ./04-a ./04-b" ]
	first=$(stat -c %Y%y out/round-1/02-b/journal.jsonl) second=$(stat -c %Y%y out/round-1/02-a/journal.jsonl)
	[[ $first < $second ]] # A B B A
}

@test "what only the first round saw is no regression" {
	# The slow agent is fast from the second round on.
	printf '#!/bin/sh\n[ -e %s/out/round-2 ] || export FAKE_SLOW=20\nexec %s/fake/ssh "$@"\n' "$PWD" "$BATS_TEST_DIRNAME" >slow/ssh
	compare 4 --b "qemu=$PWD/slow"
	[ "$status" -eq 0 ]
	[[ $(grep 'fake/poison victim.cost' <<<"$output") == *"too-noisy: regressed in the first round, not in the second"* ]]
	[[ $output == *"0 regressed"* ]]
}

@test "a comparison that was cut off makes only the runs that are missing" {
	compare 2
	[ "$status" -eq 0 ]
	[ "$(wc -l <fired)" -eq 4 ]
	cp out/round-1/01-a/journal.jsonl before
	rm -r out/round-1/02-b
	run "$brinell" resume out
	[ "$status" -eq 0 ]
	[ "$(wc -l <fired)" -eq 5 ]
	cmp before out/round-1/01-a/journal.jsonl
	[[ $output == *"fake/poison victim.cost"* ]]
}

@test "a run that fails ends the comparison, and says where to look" {
	FAKE=version compare 2
	[ "$status" -eq 4 ]
	[[ $output == *"the run out/round-1/01-a failed, see out/round-1/01-a.log; 'brinell resume out'"* ]]
	run "$brinell" resume out
	[ "$status" -ne 2 ]
}

@test "a side that can not be run is refused before anything is made" {
	compare 2 --b kernel=/no/such/file
	[ "$status" -eq 2 ]
	[[ $output == *"--kernel /no/such/file"*"side B can not be run as it is given; nothing was started"* ]]
	[ ! -e out ]
	compare 2 --b speed=11
	[ "$status" -eq 2 ]
	[[ $output == *"'speed=11' is none of kernel=FILE"* ]]
	compare 2 --b "qemu=$PWD"
	[ "$status" -eq 2 ]
	[[ $output == *"qemu-system-x86_64: No such file"* ]]
	compare 0
	[ "$status" -eq 2 ]
	mkdir out
	compare 2
	[ "$status" -eq 2 ]
	[[ $output == *"'out' is there already"* ]]
	run "$brinell" compare --a bench=ssh:fake
	[ "$status" -eq 2 ]
	[[ $output == *"which scenario?"* ]]
}

@test "a plan that is damaged is refused" {
	compare 1
	[ "$status" -eq 0 ]
	echo '{"comparison": 99}' >out/comparison.json
	run "$brinell" resume out
	[ "$status" -eq 2 ]
	[[ $output == *"out/comparison.json is no plan of a comparison that brinell"* ]]
	echo '{' >out/comparison.json
	run "$brinell" resume out
	[ "$status" -eq 2 ]
}
