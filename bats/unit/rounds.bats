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
	mv slow "it's slow"
	compare 4 --b "qemu=$PWD/it's slow"
	[ "$status" -eq 1 ]
	[ "$(jq -r .command out/compared.json)" = "brinell compare --boots 4 --budget 5 --alpha 0.2 --a bench=ssh:fake --b bench=ssh:fake --b 'qemu=$PWD/it'\\''s slow' $scenario" ]
	grep -q '<code>brinell compare --boots 4 .*</code>' out/report.html
	[[ $(grep 'fake/poison victim.cost' <<<"$output") == *"regressed: confirmed by a second round"* ]]
	[ "$(grep -c 'victim.cost' <<<"$output")" -eq 1 ]
	# Two rounds, and one run of each side to see where the time goes.
	[ "$(wc -l <fired)" -eq 18 ]
	[[ $output == *"fake/poison, host: points of the samples: -30.0 work, +30.0 wait<2>; out/profile/fake-poison.svg"* ]]
	grep -q 'wait&lt;2&gt;: 50.00 % of A, 80.00 % of B' out/profile/fake-poison.svg
	xmllint --noout out/profile/fake-poison.svg
	grep -q '<li>wait&lt;2&gt;: +30.0 points of the samples</li>' out/report.html
	[ "$(grep -c 'wait&lt;2&gt;: 50.00 % of A' out/report.html)" -eq 1 ]
	[ "$(cd out/round-1 && echo ./*-[ab])" = "./01-a ./01-b ./02-a ./02-b ./03-a ./03-b ./04-a ./04-b" ]
	first=$(stat -c %Y%y out/round-1/02-b/journal.jsonl) second=$(stat -c %Y%y out/round-1/02-a/journal.jsonl)
	[[ $first < $second ]] # A B B A
	grep -q '<span class="v regressed">regressed</span> <span class="soft">confirmed by a second round' out/report.html
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
	# shellcheck disable=SC2016 # of the script that is written
	printf '#!/bin/sh\ncd %s\n[ -p reached ] && [ "$(wc -l <fired)" -eq %s ] && { echo >reached; exec cat >/dev/null; }\nexec %s/fake/ssh "$@"\n' "$PWD" "$1" "$BATS_TEST_DIRNAME" >slow/ssh
	export PATH="$PWD/slow:$PATH"
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

@test "sides that differ in what they were not told to are not compared" {
	printf '#!/bin/sh\nFAKE_CMDLINE=other exec %s/fake/ssh "$@"\n' "$BATS_TEST_DIRNAME" >slow/ssh
	compare 1 --b "qemu=$PWD/slow"
	[ "$status" -eq 3 ]
	[[ $output == *"command-line differs: A has quiet, B has other; --across"* ]]
	rm -r out
	compare 1 --b "qemu=$PWD/slow" --across command-line
	[ "$status" -eq 0 ]
	rm -r out
	compare 1 --b "qemu=$PWD/slow" --b argument=other
	[ "$status" -eq 0 ]
	[[ $output == *"command-line differs: A has quiet, B has other"* && $output != *"--across"* ]]
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

# A bench on which a fault costs MORE in each run of the numbers that a pattern names, counted from 0.
uneven() { # PATTERN MORE
	touch fired
	# shellcheck disable=SC2016 # of the script that is written
	printf '#!/bin/sh\ncase $(wc -l <%s/fired) in %s) export FAKE_SLOW=%s ;; esac\nexec %s/fake/ssh "$@"\n' "$PWD" "$1" "$2" "$BATS_TEST_DIRNAME" >slow/ssh
	export PATH="$PWD/slow:$PATH"
}

calibrate() { # BOOTS OPTIONS...
	local boots=$1
	shift
	run "$brinell" calibrate --with bench=ssh:fake --boots "$boots" --out cal "$@" "$scenario"
}

@test "a calibration finds the noise and the boots that a comparison takes from it" {
	calibrate 7
	[ "$status" -eq 0 ]
	[[ $output == *"7 runs of each side, A B B A"*"14 trials: how long they take is not known"* ]]
	[ "$(wc -l <fired)" -eq 14 ]
	# sd(100 + 1:14 %% 3) is 0.829, of a median of 101.
	[[ $(grep '^fake/poison victim.cost' <<<"$output") == *" 101 ns ±0.8% (14) "*" 5% "*"0 of 7" ]]
	[[ $output == *"in turns (compare --a --b): 0 of 7 (0.0 %), confirmed 0 of 0"* ]]
	boots=$(jq '.metrics[0].boots_wanted' cal/calibration.json)
	[ "$boots" -eq 4 ]
	run "$brinell" compare --boots auto --out out --a bench=ssh:fake --b bench=ssh:fake "$scenario"
	[ "$status" -eq 0 ]
	[[ $output == *"$boots boots of each side show the budgets, says the calibration cal"*"$boots runs of each side"*"trials: about "*", as they took last"* ]]
	[ "$(wc -l <fired)" -eq $((14 + 2 * boots)) ]
	[[ $output != *"raises false alarms"* ]]
	# Of another bench, or of this one without the scenario, there is none.
	sed 's,^scenario: .*,scenario: fake/other,' "$scenario" >other.yaml
	run "$brinell" compare --boots auto --out other --a bench=ssh:fake --b bench=ssh:fake other.yaml
	[ "$status" -eq 2 ]
	[[ $output == *"--boots auto needs a calibration"* ]]
	run "$brinell" compare --boots auto --out other --a bench=ssh:strange --b bench=ssh:strange "$scenario"
	[ "$status" -eq 2 ]
	[[ $output == *"--boots auto needs a calibration"* ]]
}

@test "a bench that alarms by itself is named, by the calibration and in a comparison" {
	# Every second and third of four runs is faster: the side B of A B B A, or A.
	uneven '1|2|5|6|9|10|13|14' 20
	calibrate 8
	[ "$status" -eq 1 ]
	[[ $(grep '^fake/poison victim.cost' <<<"$output") == *" 5 of 9" ]]
	[[ $output == *"in turns (compare --a --b): 5 of 9 (55.6 %), confirmed 1 of 1, which every such comparison on this bench will say"*"one after the other (compare DIR DIR): 0 of 9 (0.0 %), confirmed 0 of 0"* ]]
	run "$brinell" compare --boots 1 --out out --a bench=ssh:fake --b bench=ssh:fake "$scenario"
	[[ $output == *"This bench raises false alarms: a metric changed by itself in 5 of 9 comparisons (55.6 %, more than 5 %) with the sides in turns, see cal."* ]]
	[ "$(jq .calibration.noisy out/compared.json)" = true ]
	FAKE_CPU=new run "$brinell" compare --boots 1 --out new --a bench=ssh:fake --b bench=ssh:fake "$scenario"
	[[ $output == *"the calibration cal is of another cpu, and says nothing"* && $output != *"raises false alarms"* ]]
	run "$brinell" compare out/round-1/01-a out/round-1/01-b
	[[ $output != *"raises false alarms"* ]]
}

@test "an alarm of a calibration that the runs after it do not repeat is not confirmed" {
	uneven '1|2|5|6' 20
	calibrate 8
	[ "$status" -eq 1 ]
	[[ $output =~ "in turns (compare --a --b): "[1-3]" of 9 (".*" %), confirmed 0 of 1" ]]
}

@test "a bench that drifts alarms with its sides one after the other, and the run is named" {
	uneven '8|9|1[0-5]' 20
	calibrate 8
	[ "$status" -eq 0 ]
	[[ $(grep '^fake/poison victim.cost' <<<"$output") == *"0 of 9, changed at run 9" ]]
	[[ $output =~ "one after the other (compare DIR DIR): "[1-3]" of 9 (".*"%), confirmed 0 of ".*", which every such comparison" ]]
	run "$brinell" run --bench ssh:fake --out run "$scenario"
	grep -q 'This bench raises false alarms: a metric changed by itself in . of 9' run/report.html
}

@test "a calibration that was cut off makes only the runs that are missing" {
	calibrate 4
	[ "$status" -eq 0 ]
	rm -r cal/round-1/03-b cal/calibration.json
	run "$brinell" resume cal
	[ "$status" -eq 0 ]
	[ "$(wc -l <fired)" -eq 9 ]
	[[ $output == *"0 of 1 (0.0 %)"* ]]
	[ -s cal/calibration.json ]
	# A run of another machine among them is none of this bench.
	sed 's/Fake 9000/Fake 9001/' cal/round-1/02-a/journal.jsonl >other
	perl -ne 's/,"crc":"\w+"\}$//; chomp; my $c = 0xffffffff;
		for (unpack "C*") { $c ^= $_; $c = $c & 1 ? ($c >> 1) ^ 0x82f63b78 : $c >> 1 for 1..8 }
		printf qq(%s,"crc":"%08x"}\n), $_, $c ^ 0xffffffff' other >cal/round-1/02-a/journal.jsonl
	run "$brinell" resume cal
	[ "$status" -eq 4 ]
	[[ $output == *"cal/round-1/02-a ran on something else than the runs before: cpu differs"* ]]
}

@test "a dirty host is not measured, and a clean one says so in the journal" {
	run "$brinell" run --bench ssh:fake --out clean "$scenario"
	[ "$status" -eq 0 ]
	grep -q '"text":"HardwareCorrupted 0 kB".*"event":"clean-bill"' clean/journal.jsonl
	[[ $("$brinell" show clean 1) == *"HardwareCorrupted 0 kB"* ]]
	FAKE=dirty run "$brinell" run --bench ssh:fake --out dirty --fail-on-skip "$scenario"
	[ "$status" -eq 1 ]
	[[ $output == *"SKIP h0 is not fit to measure: HardwareCorrupted is 4 kB; boot it anew"* ]]
	grep -q '"clean":false' dirty/journal.jsonl
	# A trial that was skipped says nothing about how long it takes.
	rm "$XDG_CACHE_HOME/brinell/durations.json"
	FAKE=dirty "$brinell" run --bench ssh:fake --out skipped "$scenario"
	run "$brinell" run --bench ssh:fake --out again "$scenario"
	[[ $output == *"1 trials: how long they take is not known"* ]]
	[ "$(wc -l <fired)" -eq 2 ]
	sed -i '/^metrics:/d' "$scenario"
	FAKE=dirty run "$brinell" run --bench ssh:fake "$scenario"
	[ "$status" -eq 0 ]
}

@test "a calibration that can show nothing is refused" {
	calibrate 3
	[ "$status" -eq 2 ]
	[[ $output == *"fewer than 4 boots show nothing"* ]]
	run "$brinell" calibrate
	[ "$status" -eq 2 ]
	FAKE=unproven calibrate 4
	[ "$status" -eq 3 ]
	[[ $output == *"no trial that passed has measured anything"* ]]
}
