#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# brinell calibrate: the runs of a bench against a fake agent, no root, no rig.
# shellcheck disable=SC2030,SC2031,SC2154 # `run` sets its variables in the very shell of a test; fake/rounds sets the others

load fake/rounds

# One whole calibration for all tests.
setup_file() {
	enter "$BATS_FILE_TMPDIR"
	calibrate 8
	keep_result
}

calibrate() { # BOOTS OPTIONS...
	local boots=$1
	shift
	run "$brinell" calibrate --with bench=ssh:fake --boots "$boots" --out cal "$@" "$scenario"
}

# Replaces text in every record of journals, with the checksums that they need then: EXPRESSION JOURNAL...
forge() {
	# shellcheck disable=SC2016 # of perl
	perl -i -pe 'BEGIN { our $change = eval "sub { " . shift . " }" or die $@ }
		my $before = $_;
		our $change->();
		if ($_ ne $before) {
			s/,"crc":"\w+"\}$//; chomp; my $c = 0xffffffff;
			for (unpack "C*") { $c ^= $_; $c = $c & 1 ? ($c >> 1) ^ 0x82f63b78 : $c >> 1 for 1..8 }
			$_ = sprintf qq(%s,"crc":"%08x"}\n), $_, $c ^ 0xffffffff;
		}' "$@"
}

# The calibration of a bench on which a fault costs 20 ns more in runs of these numbers, counted from 0 as they were made.
uneven() { # NUMBER...
	local runs number
	cp -rp "$whole/cal" .
	rm cal/calibration.json
	mapfile -t runs < <(cd cal/round-1 && stat -c '%.9Y %n' -- */journal.jsonl | sort | cut -d' ' -f2)
	[ "${#runs[@]}" -eq 16 ]
	for number; do
		# A verdict of another judge is not read.
		# shellcheck disable=SC2016 # of perl
		forge 's/("cost":\{"value":)(\d+)/$1 . ($2 + 20)/e; s/"judged":\{"by":"/$&x/' "cal/round-1/${runs[number]}"
	done
	run "$brinell" resume cal
	[ ! -e fired ]
}

@test "a calibration finds the noise and the boots that a comparison takes from it" {
	cd "$whole"
	[ "$(<status)" -eq 0 ]
	[ "$("$brinell" show cal)" = "$(sed -n '/^cal: /,$p' said)" ]
	"$brinell" report cal --format json | jq -e .in_turns
	run "$brinell" report cal --format html
	[ "$status" -eq 2 ]
	[[ $output == *"'cal' is a calibration, which has the formats json; each of its runs has all"* ]]
	[[ $(<said) == *"8 runs of each side, A B B A"*"16 trials: how long they take is not known"* ]]
	[ "$(wc -l <fired)" -eq 16 ]
	# sd(100 + 1:16 %% 3) is 0.816, of a median of 101.
	[[ $(grep '^fake/poison victim.cost' said) == *" 101 ns ±0.8% (16) "*" 5% "*"0 of 9" ]]
	[[ $(<said) == *"in turns (compare --a --b): 0 of 9 (0.0 %), confirmed 0 of "* ]]
	boots=$(jq '.metrics[0].boots_wanted' cal/calibration.json)
	[ "$boots" -eq 4 ]
	cp -r . "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR"
	run "$brinell" compare --boots auto --out out --a bench=ssh:fake --b bench=ssh:fake "$scenario"
	[ "$status" -eq 0 ]
	[[ $output == *"$boots boots of each side show the budgets, by the calibration cal"*"$boots runs of each side"*"trials: about "*", as they took last"* ]]
	[ "$(wc -l <fired)" -eq $((16 + 2 * boots)) ]
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
	uneven 1 2 5 6 9 10 13 14
	[ "$status" -eq 1 ]
	[[ $(grep '^fake/poison victim.cost' <<<"$output") == *" 5 of 9" ]]
	[[ $output == *"in turns (compare --a --b): 5 of 9 (55.6 %), confirmed 1 of 1; every such comparison on this bench will warn of it"*"one after the other (compare DIR DIR): 0 of 9 (0.0 %), confirmed 0 of 0"* ]]
	run "$brinell" compare --boots 1 --out out --a bench=ssh:fake --b bench=ssh:fake "$scenario"
	[[ $output == *"This bench raises false alarms: a metric changed without a cause in 5 of 9 comparisons (55.6 %, more than 5 %) with the sides in turns, see cal."* ]]
	[ "$(jq .calibration.noisy out/compared.json)" = true ]
	FAKE_CPU=new run "$brinell" compare --boots 1 --out new --a bench=ssh:fake --b bench=ssh:fake "$scenario"
	[[ $output == *"the calibration cal is of another cpu, and does not apply"* && $output != *"raises false alarms"* ]]
	run "$brinell" compare out/round-1/01-a out/round-1/01-b
	[[ $output != *"raises false alarms"* ]]
}

@test "an alarm of a calibration that the runs after it do not repeat is not confirmed" {
	uneven 1 2 5 6
	[ "$status" -eq 1 ]
	[[ $output =~ "in turns (compare --a --b): "[1-3]" of 9 (".*" %), confirmed 0 of 1" ]]
}

@test "a bench that drifts alarms with its sides one after the other, and the run is named" {
	uneven 8 9 10 11 12 13 14 15
	[ "$status" -eq 0 ]
	[[ $(grep '^fake/poison victim.cost' <<<"$output") == *"0 of 9, changed at run 9" ]]
	[[ $output =~ "one after the other (compare DIR DIR): "[1-3]" of 9 (".*"%), confirmed 0 of ".*"; every such comparison" ]]
	run "$brinell" run --bench ssh:fake --out run "$scenario"
	grep -q 'This bench raises false alarms: a metric changed without a cause in . of 9' run/report.html
}

@test "a calibration that was cut off makes only the runs that are missing" {
	cp -rp "$whole/cal" .
	rm -r cal/round-1/03-b cal/calibration.json
	run "$brinell" resume cal
	[ "$status" -eq 0 ]
	[ "$(wc -l <fired)" -eq 1 ]
	[[ $output == *"0 of 9 (0.0 %)"* ]]
	[ -s cal/calibration.json ]
	# A run of another machine among them is none of this bench.
	forge 's/Fake 9000/Fake 9001/' cal/round-1/02-a/journal.jsonl
	run "$brinell" resume cal
	[ "$status" -eq 4 ]
	[[ $output == *"cal/round-1/02-a has another fingerprint than the runs before: cpu differs"* ]]
}

@test "a calibration that can show nothing is refused" {
	calibrate 3
	[ "$status" -eq 2 ]
	[[ $output == *"fewer than 4 boots can not show a change"* ]]
	run "$brinell" calibrate
	[ "$status" -eq 2 ]
	sed -i 's/^settle: .*/settle: 1ms/' "$scenario"
	FAKE=unproven calibrate 4
	[ "$status" -eq 3 ]
	[[ $output == *"no passed trial has a metric"* ]]
}
