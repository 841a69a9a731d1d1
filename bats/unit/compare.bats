#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# brinell compare on generated runs: each verdict, each exit code, and input that is broken.
# shellcheck disable=SC2030,SC2031,SC2154 # `run` sets its variables in the very shell of a test

setup() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	brinell=${BRINELL:-$top/build/asan/brinell}
	cd "$BATS_TEST_TMPDIR" || return 1
	mkdir a b
}

# A run whose trials, each in a boot of its own, have one sample: DIR METRIC-FIELDS SAMPLE...
write_run() {
	local directory=$1 fields=$2 trial=0 sample separator=
	shift 2
	[ -d "$directory" ] || mkdir -p "$directory"
	{
		printf '{"run":"r","version":"0.1.0","complete":true,"trials":['
		for sample; do
			printf '%s{"trial":"%04d","scenario":"perf/case","bench":"kvm","verdict":"%s",'"${budgets:-}"'"metrics":{"time":{%s,"value":%s,"samples":[%s],"host":"h0","boot":"%s-%d"}}}' \
				"$separator" $((++trial)) "${verdict:-pass}" "$fields" "$sample" "$sample" "$directory" "${boot:-$trial}"
			separator=,
		done
		printf ']}\n'
	} >"$directory/results.json"
}

time='"unit":"ns","direction":"lower"'
speed='"unit":"1/s","direction":"higher"'
base=(1000 1010 990 1005 995 1002 998 1001)
slow=(1100 1111 1089 1106 1095 1103 1098 1102)

# Verdict of the metric: the one of the rate of failures is not asked for.
verdict_is() {
	[[ $(grep 'perf/case time' <<<"$output") =~ [[:space:]]$1([[:space:]:]|$) ]]
}

@test "a time that grows by a tenth regressed, and a speed that does improved" {
	write_run a "$time" "${base[@]}"
	write_run b "$time" "${slow[@]}"
	run "$brinell" compare a b
	[ "$status" -eq 1 ]
	verdict_is regressed
	[[ $output == *"+10.0% [+9."*"1 regressed, 0 improved"* ]]
	run "$brinell" compare b a
	[ "$status" -eq 0 ]
	verdict_is improved
	write_run a "$speed" "${base[@]}"
	write_run b "$speed" "${slow[@]}"
	run "$brinell" compare a b
	[ "$status" -eq 0 ]
	verdict_is improved
}

@test "a change within the budget is none, however sure" {
	write_run a "$time" "${base[@]}"
	write_run b "$time" "${slow[@]}"
	run "$brinell" compare --budget 12 a b
	[ "$status" -eq 0 ]
	verdict_is no-change-shown
	[[ $output == *" 0.0002 "* ]]
}

@test "a scenario's own budgets decide, and what it does not declare is not compared" {
	budgets='"budgets":{"time":12,"speed":1},' write_run a "$time" "${base[@]}"
	budgets='"budgets":{"time":12,"speed":1},' write_run b "$time" "${slow[@]}"
	run "$brinell" compare a b
	[ "$status" -eq 0 ]
	verdict_is no-change-shown
	[[ $(grep 'perf/case speed' <<<"$output") == *"not-comparable: it was not measured" ]]
	budgets='"budgets":{"speed":1},' write_run b "$time" "${slow[@]}"
	run "$brinell" compare a b
	[[ $output != *"perf/case time"* ]]
}

@test "a run against itself shows no change" {
	write_run a "$time" "${base[@]}"
	run "$brinell" compare a a
	[ "$status" -eq 0 ]
	verdict_is no-change-shown
	write_run a "$time" 7 7 7 7 7 7
	run "$brinell" compare a a
	[ "$status" -eq 0 ]
	verdict_is no-change-shown
}

@test "noise above the budget is named, and so are too few boots" {
	write_run a "$time" 1000 1500 700 1300 800 1600 600 1200
	run "$brinell" compare a a
	[ "$status" -eq 0 ]
	verdict_is too-noisy
	[[ $output == *"only a change of "*" % would be found"* ]]
	write_run a "$time" 1000
	write_run b "$time" 2000
	run "$brinell" compare a b
	[ "$status" -eq 0 ]
	verdict_is too-noisy
	[[ $output == *"1 and 1 boots can not show a change; 4 on each side can"* ]]
}

@test "many samples of one boot are one" {
	boot=1 write_run a "$time" "${base[@]}"
	boot=1 write_run b "$time" "${slow[@]}"
	run "$brinell" compare a b
	[ "$status" -eq 0 ]
	verdict_is too-noisy
	[[ $output == *"1 and 1 boots"* ]]
	run "$brinell" compare --json a b
	[[ $(tr -d ' \n' <<<"$output") == *'"boots":1,"samples":8'*'"bootstrap_percent":{"value":10.04'* ]]
	first=$output
	run "$brinell" compare --json a b
	[ "$output" = "$first" ]
}

@test "without a record of the boots each trial is one, and the table marks it" {
	write_run a "$time" "${base[@]}"
	write_run b "$time" "${slow[@]}"
	sed -i 's/,"samples":[^}]*//g' a/results.json b/results.json
	run "$brinell" compare a b
	[ "$status" -eq 1 ]
	[[ $output == *"each trial counts as one"* ]]
}

@test "units and directions that differ are not compared" {
	write_run a "$time" "${base[@]}"
	write_run b '"unit":"us","direction":"lower"' "${slow[@]}"
	run "$brinell" compare a b
	verdict_is not-comparable
	[[ $output == *"the unit differs"* ]]
	write_run b '"unit":"ns","direction":"higher"' "${slow[@]}"
	run "$brinell" compare a b
	verdict_is not-comparable
	[[ $output == *"the direction differs"* ]]
}

@test "without a scenario in common nothing is compared" {
	write_run a "$time" "${base[@]}"
	write_run b "$time" "${slow[@]}"
	sed -i 's,perf/case,perf/other,g' b/results.json
	run "$brinell" compare a b
	[ "$status" -eq 3 ]
	[[ $output == *"only in A"*"only in B"*"0 regressed, 0 improved, 0 too-noisy, 0 no-change-shown, 4 not-comparable"* ]]
	write_run a "$time"
	run "$brinell" compare a a
	[ "$status" -eq 3 ]
}

@test "two runs of one scenario without a metric in common have nothing to compare" {
	write_run a "$time" "${base[@]}"
	write_run b "$time" "${slow[@]}"
	sed -i 's/"metrics":{"time"/"metrics":{"speed"/g' b/results.json
	run "$brinell" compare a b
	[ "$status" -eq 0 ] # the rates of failure are compared
	[[ $(grep 'perf/case time' <<<"$output") == *"not-comparable: only in A" ]]
	[[ $(grep 'perf/case speed' <<<"$output") == *"not-comparable: only in B" ]]
}

@test "another bench is not compared without --across" {
	write_run a "$time" "${base[@]}"
	write_run b "$time" "${slow[@]}"
	sed -i 's/"bench":"kvm"/"bench":"intel"/g' b/results.json
	run "$brinell" compare a b
	[ "$status" -eq 3 ]
	[[ $output == *"bench differs: A has kvm, B has intel; --across"* ]]
	run "$brinell" compare --across bench a b
	[ "$status" -eq 1 ]
	[[ $output == *"bench differs: A has kvm, B has intel"* ]]
	run "$brinell" compare --across weather a b
	[ "$status" -eq 2 ]
	[[ $output == *"weather"*"guest-kernel"* && $output != *" kernel,"*" kernel,"* ]]
}

# Seals a changed journal anew: the CRC-32C of each line.
seal() {
	# shellcheck disable=SC2016 # perl's variables
	perl -ne 's/,"crc":"\w+"\}$//; chomp; my $c = 0xffffffff;
		for (unpack "C*") { $c ^= $_; $c = $c & 1 ? ($c >> 1) ^ 0x82f63b78 : $c >> 1 for 1..8 }
		printf qq(%s,"crc":"%08x"}\n), $_, $c ^ 0xffffffff'
}

@test "journals of two kernels are not compared without --across" {
	cp "$BATS_TEST_DIRNAME/golden/pass-guest-contained/journal.jsonl" a
	sed 's/"kernel":"7.2.12+deb13-amd64"/"kernel":"7.3.1"/g' a/journal.jsonl | seal >b/journal.jsonl
	run "$brinell" compare a b
	[ "$status" -eq 3 ]
	[[ $output == *"kernel differs: A has 7.2.12+deb13-amd64, B has 7.3.1; --across"* ]]
	run "$brinell" compare --across qemu,kernel a b
	[ "$status" -eq 0 ]
	[[ $output == *"kvm/case trial_time"*"too-noisy"* ]]
	[[ $output != *"each trial counts as one"* ]]
}

# The journal of c, from its line NUMBER on some SECONDS later.
jump() { # NUMBER SECONDS
	awk -v from="$1" -v by="$2" 'NR < from { print; next }
		{ match($0, /"time_ns":[0-9]*/); rest = substr($0, RSTART + RLENGTH - 9)
			print substr($0, 1, RSTART + 9) substr($0, RSTART + 10, RLENGTH - 19) + by rest }' c/journal.jsonl | seal >d/journal.jsonl
}

@test "an incomplete run is marked, and a time over which the clock jumped is none" {
	write_run a "$time" "${base[@]}"
	sed -i 's/"complete":true/"complete":false/' a/results.json
	run "$brinell" compare a a
	[[ $output == *"A: a (run r, brinell 0.1.0, bench kvm, incomplete)"* ]]
	mkdir c d
	cp "$BATS_TEST_DIRNAME/golden/pass-guest-contained/journal.jsonl" c
	jump 5 -86400
	run "$brinell" compare c d
	[ "$status" -eq 0 ]
	[[ $(grep 'kvm/case trial_time' <<<"$output") == *"only in A" ]]
	[[ $(grep 'kvm/case injector_time' <<<"$output") == *"10 ms"*"10 ms"* ]]
	jump 5 86400
	run "$brinell" compare c d
	[ "$status" -eq 3 ]
	[[ $(grep 'kvm/case trial_time' <<<"$output") == *"only in A" ]]
}

@test "failures that become frequent regressed, and their times do not count" {
	write_run a "$time" "${base[@]}" "${base[@]}" "${base[@]}"
	verdict=fail write_run b "$time" "${slow[@]}" "${slow[@]}" "${slow[@]}"
	run "$brinell" compare a b
	[ "$status" -eq 1 ]
	[[ $output == *"perf/case failures"*"0 of 24 "*"24 of 24 "*"+100.0 points"*"regressed"* ]]
	[[ $output == *"perf/case time"*"only in A"* ]]
	run "$brinell" compare b a
	[ "$status" -eq 0 ]
	[[ $output == *"1 improved"* ]]
}

@test "numbers at the limits of a double are compared or refused, never miscounted" {
	write_run a "$time" -1 -2 -3 -4 -5 -6 0 0
	run "$brinell" compare a a
	[ "$status" -eq 0 ]
	verdict_is too-noisy
	write_run a "$time" -1e308 -1e308 -1e308 -1e308
	write_run b "$time" 1e308 1e308 1e308 1e308
	run "$brinell" compare a b
	verdict_is not-comparable
	[[ $output == *"too large for a number"* ]]
	write_run a "$time" 0 0 0 0
	write_run b "$time" 5 5 5 5
	run "$brinell" compare a b
	[ "$status" -eq 1 ]
	verdict_is regressed
}

@test "input that is no run is refused with its place" {
	write_run a "$time" "${base[@]}"
	run "$brinell" compare a nowhere
	[ "$status" -eq 2 ]
	[[ $output == *"nowhere: No such file"* ]]
	mkdir empty
	run "$brinell" compare a empty
	[ "$status" -eq 2 ]
	[[ $output == *"empty contains no run"* ]]
	for text in '{"trials":[' '{"trials":[{"x":NaN}]}' '{"trials":[{"x":1e999}]}' '[]' '{"trials":{}}'; do
		mkdir -p bad
		echo "$text" >bad/results.json
		run "$brinell" compare a bad
		[ "$status" -eq 2 ]
		[[ $output == *"bad/results.json"* ]]
	done
	write_run bad "$time" 1000 '"fast"'
	run "$brinell" compare a bad
	[ "$status" -eq 2 ]
	[[ $output == *"bad: trial 0002: a sample of the metric 'time' is not a number"* ]]
	for option in --budget=-1 --budget=nan --budget=5x --alpha=0 --seed=; do
		run "$brinell" compare "$option" a a
		[ "$status" -eq 2 ]
	done
	run "$brinell" compare a
	[ "$status" -eq 2 ]
}

@test "a page begins with what regressed most" {
	write_run a "$time" "${base[@]}"
	write_run b "$time" "${slow[@]}"
	jq -c '.trials[].metrics |= (.zeal = .time | .same = .time)' a/results.json >all && mv all a/results.json
	jq -c --slurpfile a a/results.json '.trials |= [range(length) as $i | .[$i] | .metrics.zeal = .metrics.time |
		.metrics.zeal.samples[0] *= 2 | .metrics.same = $a[0].trials[$i].metrics.time]' b/results.json >all && mv all b/results.json
	run "$brinell" compare --html page.html a b
	[ "$status" -eq 1 ]
	[ "$(grep -o '<h3>[^<]*' page.html | paste -sd ' ')" = '<h3>perf/case zeal <h3>perf/case time <h3>perf/case same' ]
	grep -q '<span class="soft">p 0.0005 after Holm' page.html
}

@test "the history of a row is that of its bench" {
	write_run a "$time" "${base[@]}"
	write_run b "$time" "${slow[@]}"
	local night side
	for side in a b; do
		jq '.trials += [.trials[] | .scenario = "perf/other" | .bench = "intel"]' $side/results.json >both.json
		mv both.json $side/results.json
	done
	for night in 01 02 03; do
		write_run "runs/$night" "$time" 1000
		write_run "runs/1$night" "$time" 7000
		sed -i "s/\"run\":\"r\"/\"run\":\"202611${night}T010000Z-0\"/" "runs/$night/results.json"
		sed -i "s/\"run\":\"r\"/\"run\":\"202611${night}T010000Z-1\"/; s/kvm/intel/" "runs/1$night/results.json"
	done
	"$brinell" history --index nights.db add runs
	run "$brinell" compare --html page.html --index nights.db a b
	[ "$status" -eq 1 ]
	[ "$(grep -c 'runs of the history' page.html)" -eq 1 ]
	grep -q '3 runs of the history, the oldest on the left, from 1 us to 1 us' page.html
}

@test "a page has each sample as a dot, and the history with its changes" {
	write_run a "$time" "${base[@]}"
	write_run b "$time" "${slow[@]}"
	sed -i 's,perf/case,perf/<i>,g' a/results.json b/results.json
	local night
	for night in 01 02 03 04 05 06 07 08 09 10 11 12; do
		write_run "runs/$night" "$time" $((10#$night > 6 ? 1100 : 1000))
		sed -i "s,perf/case,perf/<i>,g; s/\"run\":\"r\"/\"run\":\"202611${night}T010000Z-0\"/" "runs/$night/results.json"
	done
	"$brinell" history --index nights.db add runs
	run "$brinell" compare --html page.html --index nights.db a b
	[ "$status" -eq 1 ]
	[ "$(grep -o '<i style' page.html | wc -l)" -eq $((8 + 8 + 12)) ]
	grep -q '<h3>perf/&lt;i&gt; time</h3>.*<span class="v regressed">regressed</span>' page.html
	grep -q '12 runs of the history, the oldest on the left, from 1 us to 1.1 us; regressed by +10.0 % with run 20261107T010000Z-0' page.html
	grep -q '<tr><td>bench</td><td colspan="2">kvm</td></tr>' page.html
	grep -q '<th colspan="2">A and B</th>' page.html
	sed -i 's/"bench":"kvm"/"bench":"intel"/g' b/results.json
	run "$brinell" compare --html page.html a b
	[ "$status" -eq 3 ]
	grep -q 'bench differs: A has kvm, B has intel. Nothing is compared' page.html
	grep -q '<tr class="differs"><td>bench</td>' page.html
	grep -q '<th>A</th><th>B</th></tr>' page.html
	run "$brinell" compare --html no/such/page.html a a
	[ "$status" -eq 4 ]
	[[ $output == *"writing no/such/page.html: No such file"* ]]
}

@test "a metric that has two humps is marked" {
	write_run a "$time" 100 101 102 103 104 100 200 201 202 203 204 200
	run "$brinell" compare a a
	[[ $output == *"(two humps)"* ]]
}

@test "a counter that took turns with others is marked, and so is one that the machine lacks" {
	write_run a "$time"',"counted":0.37' "${base[@]}"
	write_run b "$time" "${slow[@]}"
	run "$brinell" compare a b
	verdict_is regressed
	[[ $output == *"counted during 37 % of the time"* ]]
	sed -i 's/"counted":0.37/"counted":0/; s/"value":[0-9]*,"samples":\[[0-9]*\]/"value":null,"samples":[]/g' a/results.json
	run "$brinell" compare a b
	verdict_is not-comparable
	[[ $output == *"a side has no sample; counted during 0 % of the time"* ]]
}
