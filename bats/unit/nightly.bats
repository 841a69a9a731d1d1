#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# brinell nightly against a fake agent, no root, no rig.
# shellcheck disable=SC2030,SC2031 # `run` sets its variables in the very shell of a test

setup() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	brinell=${BRINELL:-$top/build/asan/brinell}
	export PATH="$BATS_TEST_DIRNAME/fake:$PATH" FAKE_FIRED="$BATS_TEST_TMPDIR/fired" FAKE_BOOT=new
	export XDG_CACHE_HOME="$BATS_TEST_TMPDIR/cache"
	cd "$BATS_TEST_TMPDIR" || return 1
	cp "$BATS_TEST_DIRNAME/fake/scenario.yaml" scenario.yaml
	touch fired
	printf 'out nights\nkeep 2\nbudget 6h\n\n# each night\nrun --bench ssh:fake scenario.yaml\n' >night
}

nightly() { run "$brinell" nightly night; }

# The directories of the nights that there are; each name is a second, so that the clock decides how many may follow.
nights() { (cd nights && echo 2*); }

# A run of this second would be one of the next night.
next_second() { sleep "$(printf '0.%09d' $((1000000000 - 10#$(date +%N))))"; }

# A night that began earlier: HOURS
age() {
	local name
	name=$(nights)
	mv "nights/$name" "nights/$(date -u -d "-$1 hours" +%Y%m%dT%H%M%SZ)"
	next_second
}

@test "a night runs its steps, and summarizes their results" {
	printf 'compare --boots 1 --a bench=ssh:fake --b bench=ssh:fake scenario.yaml\n' >>night
	nightly
	[ "$status" -eq 0 ]
	[[ $output == *"new: 0"*"gone: 0"*"run --bench ssh:fake scenario.yaml: ok: 1 pass"* ]]
	[[ $output == *"scenario.yaml: too noisy, more boots are needed: "*"too-noisy"*"still there: 0"* ]]
	[ "$(wc -l <fired)" -eq 3 ]
	[ -s "nights/$(nights)/summary.txt" ]
	[ -s "nights/$(nights)/01-run/journal.jsonl" ]
	[ -s "nights/$(nights)/02-compare/comparison.json" ]
	[ "$("$brinell" history --index nights/history.db list | wc -l)" -eq 1 ]
	night=nights/$(nights)
	run "$brinell" show "$night"
	[ "$status" -eq 0 ]
	[ "$output" = "$(cat "$night/summary.txt" && printf '%s: exit code 0\n' "$night/01-run" "$night/02-compare")" ]
	[ "$("$brinell" show "$night" --json | jq -c '[.complete, .steps[].code]')" = "[true,0,0]" ]
	for command in "show $night 1" "report $night --format html" "judge $night"; do
		# shellcheck disable=SC2086 # words
		run "$brinell" $command
		[ "$status" -eq 2 ]
		[[ $output == *"'$night' is a night: give one of its steps, which 'brinell show $night' lists"* ]]
	done
	run "$brinell" resume "$night"
	[ "$status" -eq 2 ]
	[[ $output == *"is a night: 'brinell nightly FILE' continues it"* ]]
	rm "$night/summary.txt" "$night/02-compare.code"
	run "$brinell" show "$night"
	[ "$status" -eq 0 ]
	[ "$output" = "$night was interrupted: 'brinell nightly FILE' continues it
$night/01-run: exit code 0
$night/02-compare: not run: compare --boots 1 --a bench=ssh:fake --b bench=ssh:fake scenario.yaml" ]
}

@test "a failure is new in its night, still there in the next, and gone when it is mended" {
	nightly
	age 3
	FAKE=stranger nightly # inconclusive: no failure, but no good night
	[ "$status" -eq 1 ]
	[[ $output == *"brinell: 0 new, 0 still there, 0 gone; 0 of 1 steps succeeded: nights/"* ]]
	[[ $output == *"new: 0"*": inconclusive: 1 inconclusive"*"fake/poison: inconclusive: the evidence is about another page"*"brinell show nights/"*"/01-run 0001"* ]]
	rm -r nights
	sed -i 's/process: contained/process: killed/; /signal:/d; /code:/d' scenario.yaml
	nightly
	[ "$status" -eq 1 ]
	[[ $output == *"new: 1"*"fake/poison on ssh:fake failed in 1 of 1 trials"*": failed: 1 fail"*"still there: 0"* ]]
	age 2
	nightly
	[[ $output == *"new: 0"*"still there: 1"*"fake/poison on ssh:fake failed"* ]]
	rm -r nights/*T*
	next_second
	cp "$BATS_TEST_DIRNAME/fake/scenario.yaml" scenario.yaml
	nightly
	[ "$status" -eq 0 ]
	[[ $output == *"new: 0"*"gone: 1"*"still there: 0"* ]]
}

@test "a long summary is cut to 40 lines, and what is new is not cut off" {
	sed -i 's/process: contained/process: killed/; /signal:/d; /code:/d; s/^settle: .*/settle: 10ms/' scenario.yaml
	for _ in 1 2 3 4 5 6 7 8 9; do echo 'run --bench ssh:fake scenario.yaml'; done >>night
	nightly
	[ "$(wc -l <"nights/$(nights)/summary.txt")" -eq 40 ]
	[[ $output == *"new: 1"*"fake/poison on ssh:fake failed in 10 of 10 trials"*"gone: 0"*"... and "*" lines more: nights/"*" has the reports" ]]
	age 2
	nightly
	[[ $output == *"new: 0"*"gone: 0"* ]]
}

@test "a night that was cut off goes on where it was, and repeats nothing" {
	printf 'run --bench ssh:fake --trials 2 scenario.yaml\n' >>night
	nightly
	[ "$(wc -l <fired)" -eq 3 ]
	first=$(nights)
	rm "nights/$first/summary.txt" "nights/$first/02-run.code"
	rm -r "nights/$first/02-run"
	nightly
	[ "$status" -eq 0 ]
	[ "$(nights)" = "$first" ]
	[[ $output == *"continuing the interrupted night"* ]]
	[ "$(wc -l <fired)" -eq 5 ]
	# Killed in the middle of the step: its journal is there, its code is not.
	rm "nights/$first/summary.txt" "nights/$first/02-run.code"
	sed -i '/"type":"end"/d' "nights/$first/02-run/journal.jsonl"
	nightly
	[ "$status" -eq 0 ]
	[ "$(wc -l <fired)" -eq 5 ]
}

@test "a call that only continues begins no night" {
	run "$brinell" nightly --continue night
	[ "$status" -eq 0 ]
	[[ $output == *"no night in nights was interrupted"* ]]
	[ ! -e nights ] && [ ! -s fired ]
	nightly
	first=$(nights)
	run "$brinell" nightly --continue night
	[[ $output == *"no night in nights was interrupted"* ]]
	rm -r "nights/$first/summary.txt" "nights/$first/01-run.code" "nights/$first/01-run"
	run "$brinell" nightly --continue night
	[ "$status" -eq 0 ]
	[ "$(nights)" = "$first" ]
	[ -s "nights/$first/summary.txt" ]
	[ "$(wc -l <fired)" -eq 2 ]
}

@test "kill -9 in the middle of a night loses no step that had ended" {
	printf 'compare --boots 2 --a bench=ssh:fake --b bench=ssh:fake scenario.yaml\n' >>night
	mkdir stop
	mkfifo reached
	# The agent of the second run of the comparison.
	# shellcheck disable=SC2016 # of the script that is written
	printf '#!/bin/sh\ncd %s\n[ -p reached ] && [ "$(wc -l <fired)" -eq 2 ] && { echo >reached; exec cat >/dev/null; }\nexec %s/fake/ssh "$@"\n' "$PWD" "$BATS_TEST_DIRNAME" >stop/ssh
	chmod +x stop/ssh
	PATH="$PWD/stop:$PATH" "$brinell" nightly night 3>&- &
	read -r _ <reached
	kill -9 $!
	wait $! 2>/dev/null || true
	rm reached
	first=$(nights)
	[ ! -e "nights/$first/summary.txt" ]
	cp "nights/$first/01-run/journal.jsonl" before
	# The run of the comparison is still ending when the night goes on.
	journal=nights/$first/02-compare/round-1/01-b/journal.jsonl
	exec 8<"$journal"
	flock 8
	"$brinell" nightly night >output 2>&1 3>&- 8>&- &
	until grep -q -- "-> FLOCK .*:$(stat -c %i "$journal") " /proc/locks; do kill -0 $!; done
	exec 8>&-
	wait $!
	[ "$(nights)" = "$first" ]
	[[ $(<output) == *"continuing the interrupted night"*"new: 0"*"too noisy, more boots are needed: "* ]]
	grep -q "waiting up to 30 s for another brinell to end this run" "nights/$first/02-compare/round-1/01-b.log"
	[ "$(wc -l <fired)" -eq 5 ]
	cmp before "nights/$first/01-run/journal.jsonl"
}

@test "old nights are removed, and nothing else" {
	mkdir -p nights/20200101T000000Z nights/mine
	nightly
	mv "nights/$(cd nights && echo 202[1-9]*)" nights/20211111T000000Z
	nightly
	mv "nights/$(cd nights && echo 202[2-9]*)" nights/20221111T000000Z
	nightly
	[ -d nights/mine ] && [ -d nights/20200101T000000Z ] && [ -d nights/20221111T000000Z ]
	[ ! -e nights/20211111T000000Z ]
	# The clock was set back: this night is the oldest by its name, and stays.
	rm -r nights/*T*
	nightly && age 1 && nightly
	for name in nights/*T*; do mv "$name" "nights/209${name#nights/20?}"; done
	nightly
	[ "$status" -eq 0 ]
	[ -s "nights/$(cd nights && echo 202*)/summary.txt" ]
}

@test "a step that can not run does not keep the others from running" {
	sed -i 's|^run|run --bench ssh:fake no-such-scenario\nrun|' night
	nightly
	[ "$status" -eq 1 ]
	[[ $output == *"no-such-scenario: could not be run: bad usage"*"no-such-scenario"*"full log: nights/"*"scenario.yaml: ok: 1 pass"* ]]
}

# The budget of the night is spent: NIGHT
spend() {
	rm "nights/$1/summary.txt" nights/"$1"/*.code
	grep -q '"budget_s": 21600' "nights/$1/night.json"
	sed -i 's/"budget_s": 21600/"budget_s": 1/; s/"began": [0-9]*/"began": 1/' "nights/$1/night.json"
}

@test "no step starts after the budget of time, and one that had begun is finished" {
	nightly
	first=$(nights)
	spend "$first"
	rm -r "nights/$first/01-run"
	nightly
	[ "$status" -eq 1 ]
	[[ $output == *"not run: the budget of time was spent"* ]]
	[ "$(wc -l <fired)" -eq 1 ]
	printf 'run --bench ssh:fake scenario.yaml\n' >>night
	rm -r nights
	nightly
	first=$(nights)
	spend "$first"
	rm -r "nights/$first/02-run"
	sed -i '/"type":"intent"/,$d' "nights/$first/01-run/journal.jsonl"
	nightly
	[ "$status" -eq 1 ]
	[[ $output == *"scenario.yaml: ok: 1 pass"*"not run: the budget of time was spent"* ]]
	[ "$(wc -l <fired)" -eq 4 ]
}

@test "a second nightly is refused while the first one runs" {
	mkdir nights
	run flock nights "$brinell" nightly night
	[ "$status" -eq 4 ]
	[[ $output == *"another brinell nightly writes to nights: wait until it has ended"* ]]
	[ "$(ls nights)" = "" ]
	[ ! -s fired ]
}

@test "an index that is damaged is kept, and made again from all nights" {
	sed -i 's/process: contained/process: killed/; /signal:/d; /code:/d' scenario.yaml
	nightly
	age 1
	truncate -s 3000 nights/history.db
	nightly
	[ "$status" -eq 1 ]
	[[ $output == *"it is kept as nights/history.db.bad, and made again"*"new: 0"*"still there: 1"* ]]
	[ "$(stat -c %s nights/history.db.bad)" -eq 3000 ]
	[ "$("$brinell" history --index nights/history.db list | wc -l)" -eq 2 ]
}

@test "a run that can not be read is left out of the history" {
	nightly
	first=$(nights)
	rm "nights/$first/summary.txt" nights/history.db
	echo >"nights/$first/01-run/journal.jsonl"
	nightly
	[ "$status" -eq 0 ]
	[[ $output == *"not added to the history"*"new: 0"* ]]
	[ -s "nights/$first/summary.txt" ]
}

@test "a step that a signal ends is named, and the next one runs" {
	printf 'run --bench ssh:fake scenario.yaml\n' >>night
	mkdir stop
	# shellcheck disable=SC2016 # of the script that is written
	printf '#!/bin/sh\nmkdir %s/once 2>/dev/null && kill -9 $PPID\nexec %s/fake/ssh "$@"\n' "$PWD" "$BATS_TEST_DIRNAME" >stop/ssh
	chmod +x stop/ssh
	PATH="$PWD/stop:$PATH" nightly
	[ "$status" -eq 1 ]
	[[ $output == *"killed by a signal, 'brinell resume' finishes it"*"01-run.log"*"scenario.yaml: ok: 1 pass"* ]]
}

@test "a bad file is refused with its line, and nothing starts" {
	refuse() { # LINE MESSAGE
		printf 'out nights\n%s\n' "$1" >night
		nightly
		[ "$status" -eq 2 ] && [[ $output == *"$2"* ]] && [ ! -e nights ]
	}
	refuse "sleep 5" "night, line 2: 'sleep' is none of out, keep"
	refuse "keep none" "night, line 2: 'none' is not a number of nights"
	refuse "budget soon" "night, line 2: 'soon' is not a time such as 6h"
	refuse "keep" "'keep' needs one value"
	refuse "run 'einj/*" "night, line 2: a quote has no end"
	refuse $'run \xff' "night, line 2: a word is not UTF-8"
	refuse "run --out x einj/single" "'--out' is not allowed"
	refuse "compare --alpha 0.1 --across kernel perf/boot" "night, line 2: 'compare' needs --a or --b"
	refuse "run" "'run' needs the arguments of 'brinell run'"
	refuse "" "there is no line 'run ...' or 'compare ...'"
	echo 'run einj/single' >night
	nightly
	[ "$status" -eq 2 ]
	[[ $output == *"there is no line 'out DIRECTORY'"* ]]
	run "$brinell" nightly /no/such/file
	[ "$status" -eq 2 ]
}

@test "a value with a blank is quoted as in a shell" {
	cp scenario.yaml "it's slow.yaml"
	cat >night <<'END'
out nights
run --bench "ssh:fake" it\'s" slow".yaml
run --bench ssh:fake no/*
END
	nightly
	[ "$status" -eq 1 ]
	[[ $output == *"run --bench ssh:fake 'it'\\''s slow.yaml': ok: 1 pass"* ]]
	# A shell takes it too.
	[[ $output == *"run --bench ssh:fake 'no/*': could not be run"* ]]
}

@test "a dry run names the lines of all steps that can not run, and runs none" {
	run "$brinell" nightly --dry-run night
	[ "$status" -eq 0 ]
	printf 'run --trails 2 scenario.yaml\nrun no-such-scenario\ncompare --b speed=11 scenario.yaml\ncalibrate --with bench=ssh:fake scenario.yaml\n' >>night
	run "$brinell" nightly --dry-run night
	[ "$status" -eq 2 ]
	[[ $output == *"night, line 7: 'run --trails 2 scenario.yaml' can not be run"*"night, line 8: "*"night, line 9: 'compare --b speed=11 scenario.yaml' can not be run"* ]]
	[[ $output != *"line 6"* && $output != *"line 10"* ]]
	[ ! -e nights ] && [ ! -s fired ]
}
