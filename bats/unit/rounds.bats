#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# brinell compare --a --b: the runs of both sides against a fake agent, no root, no rig.
# shellcheck disable=SC2030,SC2031,SC2154 # `run` sets its variables in the very shell of a test; fake/rounds sets the others

load fake/rounds

# One whole comparison for all tests: side B is slower by what SLOWER says. A guest of it works, and another one on side B.
setup_file() {
	enter "$BATS_FILE_TMPDIR"
	sed -i 's/^workloads:/guests: {g1: {}, g2: {}}\n&\n  load: {kind: memory, in: g1}\n  more: {kind: memory}/
		s/^steps:/&\n  - balloon: {guest: g2, memory: 128M}\n  - start: load\n  - start: more/' scenario.yaml
	mkdir "it's slow"
	ln -s /bin/true "it's slow/qemu-system-x86_64"
	# A side that looks here for its emulator finds another agent too.
	# shellcheck disable=SC2016 # of the script that is written
	printf '#!/bin/sh\nFAKE_SLOW=${SLOWER:-20} exec %s/fake/ssh "$@"\n' "$BATS_TEST_DIRNAME" >"it's slow/ssh"
	chmod +x "it's slow/ssh"
	compare 4 --b "qemu=$PWD/it's slow" --b set=more.in=g2
	keep_result
}

compare() { # BOOTS OPTIONS...
	local boots=$1
	shift
	run "$brinell" compare --out out --boots "$boots" --alpha 0.2 --a bench=ssh:fake --b bench=ssh:fake "$@" "$scenario"
}

@test "a planted slowdown regresses, and a second round confirms it" {
	cd "$whole"
	[ "$(<status)" -eq 1 ]
	[ "$(jq -r .command out/compared.json)" = "brinell compare --boots 4 --budget 5 --alpha 0.2 --a bench=ssh:fake --b bench=ssh:fake --b 'qemu=$PWD/it'\\''s slow' --b set=more.in=g2 $PWD/scenario.yaml" ]
	grep -q '<code>brinell compare --boots 4 .*</code>' out/report.html
	[[ $(grep 'fake/poison victim.cost' said) == *"regressed: confirmed by a second round"* ]]
	[ "$(grep -c 'victim.cost' said)" -eq 1 ]
	# Two rounds, and one run of each side to see where the time goes.
	[ "$(wc -l <fired)" -eq 18 ]
	grep -qF "fake/poison, host: points of the samples: +30.0 wait<2>, -29.9 work; out/profile/fake-poison.svg" said
	grep -q 'wait&lt;2&gt;: 50.00 % of A, 80.00 % of B' out/profile/fake-poison.svg
	xmllint --noout out/profile/fake-poison.svg
	grep -qF "fake/poison, g1: points of the samples: +30.0 g1wait<2>, -29.9 work; out/profile/fake-poison-g1.svg" said
	grep -q 'g1wait&lt;2&gt;: 50.00 % of A, 80.00 % of B' out/profile/fake-poison-g1.svg
	grep -q 'no profile of fake/poison: side A has no samples of g2' said
	grep -q '<li>wait&lt;2&gt;: +30.0 points of the samples</li>' out/report.html
	[ "$(grep -c '[>]wait&lt;2&gt;: 50.00 % of A' out/report.html)" -eq 1 ]
	[ "$(grep -c 'g1wait&lt;2&gt;: 50.00 % of A' out/report.html)" -eq 1 ]
	[ "$(cd out/round-1 && echo ./*-[ab])" = "./01-a ./01-b ./02-a ./02-b ./03-a ./03-b ./04-a ./04-b" ]
	first=$(stat -c %Y%y out/round-1/02-b/journal.jsonl) second=$(stat -c %Y%y out/round-1/02-a/journal.jsonl)
	[[ $first < $second ]] # A B B A
	grep -q '<span class="v regressed">regressed</span> <span class="soft">confirmed by a second round' out/report.html
}

@test "a stored comparison is shown with its verdicts, and reported as it was" {
	cp -rp "$whole/out" moved
	# What it was made with may be gone.
	jq '.b = ["qemu=/no/such"]' moved/comparison.json >plan && mv plan moved/comparison.json
	run "$brinell" show moved
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == "moved: brinell compare --boots 4 "* ]]
	[[ ${lines[1]} == "A: bench=ssh:fake (4 runs, "* && ${lines[2]} == "B: bench=ssh:fake qemu="* ]]
	[[ $(grep 'fake/poison victim.cost' <<<"$output") == *"regressed: confirmed by a second round"* ]]
	[[ $output == *"1 regressed, 0 improved, "*" moved/profile/fake-poison.svg"*"'brinell show moved/round-1/01-a' shows a run."* ]]
	run "$brinell" show moved --json
	[ "$(jq -r '.metrics[] | select(.metric == "victim.cost").verdict' <<<"$output")" = regressed ]
	"$brinell" report moved --format html --output page
	cmp page "$whole/out/report.html"
	[ "$("$brinell" report moved --format json | jq -c '.counts, [.profiles[].picture]')" = "$(jq -c '.counts, [.profiles[].picture | "moved" + .[3:]]' "$whole/out/compared.json")" ]
	run "$brinell" report moved --format csv
	[ "$status" -eq 2 ]
	[[ $output == *"'moved' is a comparison, which has the formats "*json*"; each of its runs has all, such as moved/round-1/01-a"* ]]
	# What a CI system reads of it.
	"$brinell" report moved --format junit --output junit.xml
	xmllint --noout --schema "$BATS_TEST_DIRNAME/junit-10.xsd" junit.xml
	[[ $(<junit.xml) == *'failures="1" errors="0"'*'classname="fake.poison" name="fake/poison victim.cost"'*'<failure message="regressed: confirmed by a second round; A '*', change +'* ]]
	[[ $(<junit.xml) == *'name="fake/poison failures"'*'<skipped message="too-noisy: '* ]]
	run "$brinell" report moved --format github
	[[ $output == *"::error title=fake/poison victim.cost::"* ]]
	"$brinell" report moved --format kcidb --output of.json
	[ "$(jq -r '.builds[0].id' of.json)" = "brinell:$(jq -r .run "$whole/out/round-1/01-a/results.json")_$(jq -r .run "$whole/out/round-1/01-b/results.json")" ]
	[ "$(jq -c '.tests[] | select(.path == "brinell.fake.poison.victim_cost") | [.status, .misc.code, .environment.misc.start]' of.json)" = '["FAIL","regressed",null]' ]
	[[ $(jq -r '.tests[0].environment.misc.command' of.json) == "brinell compare --boots 4 "* ]]
	[ "$(jq '.tests | (map(.id) | unique | length) == length' of.json)" = true ]
	# A line for each boot of each side.
	"$brinell" report moved --format gobench --output of.txt
	[ "$(grep -nE '^side: [ab]$' of.txt | cut -d: -f2- | tr '\n' ' ')" = "side: a side: b " ]
	for side in a b; do
		[ "$(sed -n "/^side: $side/,/^side: [^$side]/s|^BenchmarkFake/poison/victim.cost 1 \([0-9.]*\) .*|\1|p" of.txt)" = \
			"$(jq -r --arg side $side '.metrics[] | select(.metric == "victim.cost")[$side].values[] | sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2] + .[length / 2 - 1]) / 2 end' moved/compared.json | awk '{printf "%.12g\n", $1}')" ]
	done
	for command in "show moved 1" "judge moved" "shrink moved 1"; do
		# shellcheck disable=SC2086 # words
		run "$brinell" $command
		[ "$status" -eq 2 ]
		[[ $output == *"'moved' is a comparison or a calibration: give one of its runs, such as moved/round-1/01-a"* ]]
	done
}

@test "a comparison without a result is shown with what is missing" {
	cp -rp "$whole/out" .
	rm -r out/round-1/02-b out/compared.json
	run "$brinell" show out
	[ "$status" -eq 0 ]
	[ "$output" = "'out' has no result yet, 7 of the 8 runs of its first round are complete; 'brinell resume out' finishes it" ]
	[ "$("$brinell" show out --json | jq '.complete, .boots')" = $'false\n4' ]
	run "$brinell" report out --format html --output page
	[ "$status" -eq 2 ]
	[[ $output == *"7 of the 8 runs"* ]] && [ ! -e page ]
	echo '{"metrics": [1' >out/compared.json
	run "$brinell" show out
	[ "$status" -eq 2 ]
	[[ $output == *"out/compared.json, line 2: "*"; 'brinell resume out' makes it again"* ]]
	echo '{"metrics": 1}' >out/compared.json
	run "$brinell" show out
	[ "$status" -eq 2 ]
	[[ $output == *"out/compared.json: there is no array 'metrics'"* ]]
}

@test "what only the first round saw is no regression" {
	cp -rp "$whole/out" .
	rm -r out/round-2 out/profile out/compared.json out/report.html
	SLOWER=0 run "$brinell" resume out
	[ "$status" -eq 0 ]
	[ "$(wc -l <fired)" -eq 8 ]
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
	[[ $output != *"2 of 4 runs done"* && $output == *"3 of 4 runs done, about "* ]]
	cmp before out/round-1/01-a/journal.jsonl
	# Killed before the first record: nothing was started, and the run begins anew.
	rm out/round-1/02-b/*.* && head -c 40 before >out/round-1/02-b/journal.jsonl
	run "$brinell" resume out
	[ "$status" -eq 0 ]
	[ "$(wc -l <fired)" -eq 6 ]
	[[ $output == *"fake/poison victim.cost"* ]]
}

# The agent of the run of a number, counted from 0, stops and says so in the FIFO reached.
stop_at() { # NUMBER
	touch fired
	mkfifo reached
	mkdir stop
	# shellcheck disable=SC2016 # of the script that is written
	printf '#!/bin/sh\ncd %s\n[ -p reached ] && [ "$(wc -l <fired)" -eq %s ] && { echo >reached; exec cat >/dev/null; }\nexec %s/fake/ssh "$@"\n' "$PWD" "$1" "$BATS_TEST_DIRNAME" >stop/ssh
	chmod +x stop/ssh
	export PATH="$PWD/stop:$PATH"
}

@test "kill -9 in the middle of a comparison loses no run that had ended" {
	stop_at 3
	"$brinell" compare --out out --boots 2 --a bench=ssh:fake --b bench=ssh:fake "$scenario" 3>&- &
	read -r _ <reached
	kill -9 $!
	wait $! 2>/dev/null || true
	rm reached
	cp out/round-1/01-a/journal.jsonl before
	run "$brinell" resume out
	[ "$status" -eq 0 ]
	[ "$(wc -l <fired)" -eq 4 ]
	cmp before out/round-1/01-a/journal.jsonl
	[[ $(grep 'fake/poison victim.cost' <<<"$output") == *" (2) "*" (2) "* ]]
}

@test "a run that fails ends the comparison, and its log is named" {
	FAKE=version compare 2
	[ "$status" -eq 4 ]
	[[ $output == *"the run out/round-1/01-a failed, see out/round-1/01-a.log; 'brinell resume out'"* ]]
	run "$brinell" resume out
	[ "$status" -ne 2 ]
}

@test "a side that can not be run is refused before anything is made" {
	compare 2 --b kernel=/no/such/file
	[ "$status" -eq 2 ]
	[[ $output == *"--kernel /no/such/file"*"side B can not be run; nothing was started"* ]]
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
	[[ $output == *"'out' exists already"* ]]
	run "$brinell" compare --a bench=ssh:fake
	[ "$status" -eq 2 ]
	[[ $output == *"which scenario?"* ]]
}

@test "a dry run checks both sides, and makes nothing" {
	compare 2 --dry-run
	[ "$status" -eq 0 ]
	[[ $output == *"2 runs of each side, A B B A; each boots its hosts. 4 trials: "* ]]
	compare 2 --dry-run --b speed=11
	[ "$status" -eq 2 ]
	run "$brinell" calibrate --out out --with bench=ssh:fake --dry-run "$scenario"
	[ "$status" -eq 0 ]
	[[ $output == *"14 runs of each side"* ]]
	[ ! -e out ] && [ ! -e fired ]
}

@test "a metric that a trial did not measure is named" {
	sed -i 's/victim.cost/victim.csot/' "$scenario"
	run "$brinell" run --bench ssh:fake --out out "$scenario"
	[ "$status" -eq 0 ]
	[[ $output == *"warning: fake/poison: the metric 'victim.csot' was not measured; there is: "*"victim.cost"* ]]
	FAKE=unproven run "$brinell" run --bench ssh:fake --out failed "$scenario"
	[[ $output != *"was not measured"* ]]
}

@test "sides with an unexpected difference are not compared" {
	mkdir other
	ln -s /bin/true other/qemu-system-x86_64
	printf '#!/bin/sh\nFAKE_CMDLINE=other exec %s/fake/ssh "$@"\n' "$BATS_TEST_DIRNAME" >other/ssh
	chmod +x other/ssh
	compare 1 --b "qemu=$PWD/other"
	[ "$status" -eq 3 ]
	[[ $output == *"command-line differs: A has quiet, B has other; --across"* ]]
	rm -r out
	compare 1 --b "qemu=$PWD/other" --across command-line
	[ "$status" -eq 0 ]
	rm -r out
	compare 1 --b "qemu=$PWD/other" --b argument=other
	[ "$status" -eq 0 ]
	[[ $output == *"command-line differs: A has quiet, B has other"* && $output != *"--across"* ]]
}

@test "a plan that is damaged is refused" {
	compare 1
	[ "$status" -eq 0 ]
	echo '{"comparison": 99}' >out/comparison.json
	run "$brinell" resume out
	[ "$status" -eq 2 ]
	[[ $output == *"out/comparison.json has a format that brinell"* ]]
	echo '{' >out/comparison.json
	run "$brinell" resume out
	[ "$status" -eq 2 ]
}

@test "a dirty host is not measured, and the journal records a clean one" {
	run "$brinell" run --bench ssh:fake --out clean "$scenario"
	[ "$status" -eq 0 ]
	grep -q '"text":"HardwareCorrupted 0 kB".*"event":"clean-bill"' clean/journal.jsonl
	[[ $("$brinell" show clean 1) == *"HardwareCorrupted 0 kB"* ]]
	FAKE=dirty run "$brinell" run --bench ssh:fake --out dirty --fail-on-skip "$scenario"
	[ "$status" -eq 1 ]
	[[ $output == *"SKIP h0 is not fit to measure: HardwareCorrupted is 4 kB; boot it anew"* ]]
	grep -q '"clean":false' dirty/journal.jsonl
	# The duration of a skipped trial is not used.
	rm "$XDG_CACHE_HOME/brinell/durations.json"
	FAKE=dirty "$brinell" run --bench ssh:fake --out skipped "$scenario"
	run "$brinell" run --bench ssh:fake --out again "$scenario"
	[[ $output == *"1 trials: how long they take is not known"* ]]
	[ "$(wc -l <fired)" -eq 2 ]
	sed -i '/^metrics:/d' "$scenario"
	FAKE=dirty run "$brinell" run --bench ssh:fake "$scenario"
	[ "$status" -eq 0 ]
}

