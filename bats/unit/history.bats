#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# brinell history on generated runs: what changed, what is new, and an index that is damaged.
# shellcheck disable=SC2030,SC2031,SC2154 # `run` sets its variables in the very shell of a test

setup() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	brinell=${BRINELL:-$top/build/asan/brinell}
	cd "$BATS_TEST_TMPDIR" || return 1
}

# The run of a night: NIGHT TIME [VERDICT]
write_night() {
	local directory run
	printf -v directory 'runs/night-%02d' "$1"
	printf -v run '202611%02dT010000Z-0' "$1"
	[ -d "$directory" ] || mkdir -p "$directory"
	printf '{"run":"%s","version":"0.%d","complete":true,"trials":[
		{"trial":"0001","scenario":"perf/case","bench":"kvm","verdict":"pass","metrics":{"time":{"unit":"ms","direction":"lower","value":%s,"samples":[%s],"boot":"%s"}}},
		{"trial":"0002","scenario":"einj/case","bench":"kvm","verdict":"%s","metrics":{}}]}\n' \
		"$run" "$1" "$2" "$2" "$directory" "${3:-pass}" >"$directory/results.json"
}

# Ten nights at about 100 ms, then six at about 120 ms.
write_nights() {
	local night=0 time
	mkdir -p runs/night-{01..16}
	for time in 100 102 99 101 100 98 101 100 99 102 120 119 121 122 120 118; do
		write_night $((++night)) "$time"
	done
}

history() { run "$brinell" history "$@"; }

@test "a metric that changed is found, with the last run before and the first after" {
	write_nights
	history add runs
	[ "$status" -eq 0 ]
	[[ $output == *"16 runs added, 0 skipped"* ]]
	history trend perf/case time
	[ "$status" -eq 0 ]
	[ "$(grep -c '^202611' <<<"$output")" -eq 16 ]
	[[ $output == *"perf/case time on kvm regressed by +20.0 %, 100 to 120 ms: last before run 20261110T010000Z-0 (brinell 0.10), first after run 20261111T010000Z-0 (brinell 0.11)"* ]]
	history check
	[ "$status" -eq 0 ]
	[[ $output == *"new in the last run: 0"*"still there: 1"*"gone: 0"* ]]
	history trend perf/case tmie
	[ "$status" -eq 2 ]
	[[ $output == *"no run has the metric 'tmie' of the scenario 'perf/case'; there is: "*"time"* ]]
	history trend perf/cse time
	[ "$status" -eq 2 ]
	[[ $output == *"no run measured the scenario 'perf/cse'"* ]]
}

@test "a regression is new in the run that makes it known, and a failure in its own" {
	local night
	write_nights
	history add runs/night-0? runs/night-10
	for night in 11 12 13 14 15 16; do
		history add "runs/night-$night"
		history check
		[ "$status" -eq 0 ] || break
	done
	[ "$status" -eq 1 ]
	[[ $output == *"new in the last run: 1"*"regressed by"*"first after run 20261111"*"still there: 0"* ]]
	write_night 17 120 fail
	history add runs/night-17
	history check
	[ "$status" -eq 1 ]
	[[ $output == *"einj/case on kvm failed in 1 of 1 trials: run 20261117"*"still there"* ]]
	write_night 18 120
	history add runs/night-18
	history check
	[ "$status" -eq 0 ]
	[[ $output == *"gone: 1"*"einj/case on kvm failed"* ]]
}

@test "a change within the budget is none" {
	write_nights
	sed -i 's/"metrics":{"time"/"budgets":{"time":25},&/' runs/*/results.json
	history add runs
	history trend perf/case time
	[[ $output == *"regressed by +20.0 %"* ]]
	history check
	[[ $output == *"new in the last run: 0"*"still there: 0"*"gone: 0"* ]]
	rm brinell-runs/history.db
	sed -i 's/"budgets":{"time":25}/"budgets":{"speed":5}/' runs/*/results.json
	history add runs
	history check
	[[ $output == *"still there: 0"* ]]
	rm brinell-runs/history.db
	sed -i 's/"budgets":{"speed":5}/"budgets":{"time":15}/' runs/*/results.json
	history add runs
	history check
	[[ $output == *"still there: 1"* ]]
}

@test "each bench has a history of its own" {
	write_nights
	# The other bench has always been slower, and fails from its last night on.
	cp -r runs other
	sed -i 's/kvm/slow/; s/-0"/-1"/; s/"value":[0-9]*,"samples":\[[0-9]*\]/"value":300,"samples":[300]/' other/*/results.json
	sed -i 's/"verdict":"pass","metrics":{}/"verdict":"fail","metrics":{}/' other/night-16/results.json
	history add runs other
	history trend perf/case time
	[ "$status" -eq 2 ]
	[[ $output == *"it was measured on kvm, slow: give one of these benches"* ]]
	history trend perf/case time fast
	[ "$status" -eq 2 ]
	history trend perf/case time slow
	[ "$status" -eq 0 ]
	[ "$(grep -c '^202611.* 300 ms' <<<"$output")" -eq 16 ]
	history trend perf/case time kvm
	[[ $output == *"perf/case time on kvm regressed by +20.0 %, 100 to 120 ms"* ]]
	history check
	[[ $output == *"new in the last run: 1"*"einj/case on slow failed"*"still there: 1"*"time on kvm regressed"*"gone: 0"* ]]
	history otava
	[[ $output == *'"perf/case time on kvm","perf/case time on slow"'* ]]
}

@test "nights that are all alike have no news" {
	local night
	for night in 1 2 3 4 5 6 7 8 9 10 11 12; do
		write_night "$night" $((100 + night * 7 % 5))
	done
	history add runs
	history check
	[ "$status" -eq 0 ]
	[[ $output == *"new in the last run: 0"*"still there: 0"*"gone: 0"* ]]
}

@test "a metric whose unit or direction changed begins anew" {
	local night
	write_nights
	# From the 11th night on a version of microseconds: 120 ms are none of its values.
	for night in 11 12 13 14 15 16; do
		sed -i 's/"unit": *"ms"/"unit":"us"/' "runs/night-$night/results.json"
	done
	history add runs/night-0? runs/night-10
	history check
	[[ $output == *"new in the last run: 0"* ]]
	history add runs/night-11
	history check
	[ "$status" -eq 0 ]
	[[ $output == *"new in the last run: 0"*"still there: 0"*"gone: 0"* ]]
	history add runs
	history trend perf/case time
	[ "$(grep -c '^202611' <<<"$output")" -eq 16 ]
	[[ $output != *"regressed"* ]]
	rm brinell-runs/history.db
	sed -i 's/"us"/"ms"/; s/"lower"/"higher"/' runs/night-1[1-6]/results.json
	history add runs
	history check
	[[ $output == *"new in the last run: 0"*"still there: 0"*"gone: 0"* ]]
}

@test "values at the limits of a double neither raise alarms nor end the command" {
	local night=0 time
	for time in -1e308 -1e308 -1e308 1e308 1e308 1e308 -7 0 0 1; do
		write_night $((++night)) "$time"
	done
	history add runs
	[[ $output == *"10 runs added, 0 skipped"* ]]
	history trend perf/case time
	[ "$status" -eq 0 ]
	[ "$(grep -c '^202611' <<<"$output")" -eq 10 ]
	history check
	[ "$status" -eq 0 ]
	history --json check
	jq -e . <<<"$output"
}

@test "a run is added once, found by the beginning of its id or its name, and shown" {
	write_nights
	history add runs
	history add runs
	[[ $output == *"0 runs added, 0 skipped"* ]]
	history pin release 20261103
	[ "$status" -eq 0 ]
	history show release
	[ "$status" -eq 0 ]
	[[ $output == "20261103T010000Z-0"*"perf/case"*"time"*"99 ms (1)"* ]]
	history list
	[ "$(wc -l <<<"$output")" -eq 16 ]
	[[ $output == *"20261103T010000Z-0  0 of 2 failed  brinell 0.3"*"pinned: release"* ]]
	history show 202611
	[ "$status" -eq 2 ]
	[[ $output == *"several runs match"* ]]
	history show nothing
	[ "$status" -eq 2 ]
	[[ $output == *"there is no run or baseline 'nothing'"* ]]
	history trend perf/case speed
	[ "$status" -eq 2 ]
}

@test "a run that moved, or that was not complete, replaces what the index has of it" {
	write_night 1 100
	sed -i 's/"complete": *true/"complete": false/' runs/night-01/results.json
	grep -q '"complete": false' runs/night-01/results.json
	history add runs/night-01
	write_night 1 200
	history add runs/night-01
	[[ $output == *"1 runs added"* ]]
	history show latest
	[[ $output == *"perf/case"*"time"*"200 ms (1)"* ]]
	mv runs elsewhere
	sed -i 's/perf\/case/perf\/other/' elsewhere/night-01/results.json
	history add elsewhere/night-01
	[[ $output == *"1 runs added"* ]]
	history show latest
	[[ $output == *"perf/other"* && $output != *"perf/case"* ]]
	history list
	[ "$(wc -l <<<"$output")" -eq 1 ]
}

@test "all runs are written for Otava, a row each in the order of time" {
	write_nights
	history add runs
	history otava
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = $'time,run,version,"perf/case time"\r' ]
	[ "${lines[3]}" = $'"2026-11-03T01:00:00Z","20261103T010000Z-0","0.3",99\r' ]
	[ "${#lines[@]}" -eq 17 ]
}

@test "a run that can not be read is left out, and named" {
	write_nights
	echo '{' >runs/night-03/results.json
	history add runs
	[ "$status" -eq 0 ]
	[[ $output == *"runs/night-03/results.json, line"*"skipped"*"15 runs added, 1 skipped"* ]]
	history add runs/night-03
	[ "$status" -eq 2 ]
	history add nowhere
	[ "$status" -eq 2 ]
}

@test "an index that is damaged, of another form, or not there is refused, and made again" {
	write_nights
	history list
	[ "$status" -eq 2 ]
	[[ $output == *"there is no index brinell-runs/history.db; 'brinell history add DIR' creates it"* ]]
	history --index index.db add runs
	[ "$status" -eq 0 ]
	history --index index.db --json list
	before=$output
	head -c 3000 index.db >torn.db
	history --index torn.db list
	[ "$status" -eq 4 ]
	[[ $output == *"it is only an index: remove it, and add the runs again"* ]]
	cp "$BATS_TEST_FILENAME" text.db
	history --index text.db list
	[ "$status" -eq 4 ]
	rm index.db
	history --index index.db add runs
	history --index index.db --json list
	[ "$output" = "$before" ]
	[ "$(printf '\0\0\0\x63' | dd of=index.db bs=1 seek=60 conv=notrunc status=none; echo $?)" -eq 0 ]
	history --index index.db list
	[ "$status" -eq 2 ]
	[[ $output == *"index of format 99"* ]]
}

@test "kill -9 in the middle of an import leaves an index that is whole" {
	write_nights
	history add runs
	"$brinell" history --json list >before
	rm brinell-runs/history.db
	# The import stops at its last run, which is a FIFO.
	mkdir runs/zz
	mkfifo runs/zz/results.json
	"$brinell" history add runs 3>&- &
	exec 8>runs/zz/results.json
	kill -9 $!
	wait $! 2>/dev/null || true
	exec 8>&-
	history list
	[ "$status" -eq 0 ]
	[ "$output" = "" ]
	rm -r runs/zz
	history add runs
	[ "$status" -eq 0 ]
	"$brinell" history --json list >after
	cmp before after
}
