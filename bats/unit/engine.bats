#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The trial engine against an agent that ends, sends false evidence and sends rubbish: no root, no rig.
# shellcheck disable=SC2030,SC2031,SC2154 # `run` sets its variables in the very shell of a test; fake/engine sets the others

load fake/engine

@test "a fault that two witnesses saw passes" {
	run_it good
	[ "$status" -eq 0 ]
	[[ $output == *"ok 1 "* ]]
	[ "$(verdict 0001)" = pass ]
	[ "$(records intent)" -eq 1 ]
	[ "$(wc -l <"$FAKE_FIRED.restored")" -eq 1 ]
	for report in report.html junit.xml results.json ktap.txt; do
		[ -s "$out/$report" ]
	done
}

@test "the machine is in the first record of its boot, and in the reports" {
	run_it good --trials 2
	[ "$(grep '"type":"boot"' "$out/journal.jsonl" | grep -c '"cpu":"Fake 9000"')" -eq 1 ]
	grep -q '<property name="cpu" value="Fake 9000"/>' "$out/junit.xml"
	grep -q '<dt>cmdline</dt><dd>quiet</dd>' "$out/report.html"
	"$brinell" report "$out" --format json | grep -q '"cpu": *"Fake 9000"'
}

@test "a source that floods is cut off and counted, and the others are kept" {
	run_it chatty --set deadline=60s
	[ "$(records event)" -lt 120 ]
	[ "$(records close)" -eq 1 ]
	[[ $(grep '"type":"dropped"' "$out/journal.jsonl") == *'"source":"h0 trace"'*'"events":16'* ]]
	grep -q '"event":"over-budget"' "$out/journal.jsonl"
	grep -q "Kernel panic - not syncing: Fatal exception" "$out/journal.jsonl" # there is a reserve for how the kernel fares
	[ "$(verdict 0001)" = inconclusive ] # an IOMMU fault may be among what was lost
	"$brinell" show "$out" 0001 | grep -q "Sending SIGBUS to memory:4242"
}

@test "reports of memory that can not be charged are cut to what has a meaning" {
	run_it oom
	[ "$(verdict 0001)" = pass ]
	[ "$(grep -c 'invoked oom-killer' "$out/journal.jsonl")" -eq 40 ]
	[ "$(grep -c 'Out of memory and no killable' "$out/journal.jsonl")" -eq 40 ]
	# The first ten are whole, and what follows a line that is no part of a report.
	[ "$(grep -c 'anon 331776' "$out/journal.jsonl")" -eq 10 ]
	[ "$(grep -c 'pgfault 866' "$out/journal.jsonl")" -eq 11 ]
	[ "$(grep -c 'memory 7 is offline' "$out/journal.jsonl")" -eq 1 ]
	[ "$(grep -c '"event":"folded","lines":5,' "$out/journal.jsonl")" -eq 29 ]
	[ "$(grep -c '"event":"folded","lines":4,' "$out/journal.jsonl")" -eq 1 ]
	[ "$(records dropped)" -eq 0 ]
}

@test "a trial that may last longer may have more evidence" {
	run_it chatty --set deadline=2min
	[ "$(records dropped)" -eq 0 ]
	[ "$(records event)" -gt 120 ]
}

@test "a storm is shrunk with several tries of each schedule" {
	sed 's/^  - inject: .*/  - inject: {with: gmem-storm, vcpus: 2, touchers: 1, faults: [slot, log]}/; /^  - touch/d; s/^settle: .*/settle: 10ms/' "$scenario" >"$BATS_TEST_TMPDIR/storm.yaml"
	FAKE=dies-after run "$brinell" run --bench ssh:fake --out "$out" "$BATS_TEST_TMPDIR/storm.yaml"
	FAKE=good run "$brinell" shrink --tries 2 "$out" 0001
	echo "$output"
	[ "$status" -eq 0 ]
	# Without the toucher; with no and with half of the conversions by guests; with ranges of 4K and 32K; with half of the memory; with
	# either fault. Not with one vCPU, which the toucher needs, nor with memory smaller than a range.
	[ "$(grep -c '"type":"trial"' "$out/shrunk-0001/pass-1/journal.jsonl")" -eq 16 ]
	FAKE=good run "$brinell" shrink --tries 0 "$out" 0001
	[ "$status" -eq 2 ]
}

@test "an agent cannot report as the console, the bench or the engine" {
	FAKE=usurper run "$brinell" run --bench ssh:fake --out "$out" "$BATS_TEST_DIRNAME/fake/died.yaml"
	[ "$status" -eq 3 ]
	[ "$(verdict 0001)" = inconclusive ]
	[ "$(grep -c 'refused: the agent reports as' "$out/journal.jsonl")" -eq 3 ]
	[ "$(grep -cE '"body":\{"witness":"(console|engine)"' "$out/journal.jsonl")" -eq 0 ]
}

@test "a run stops after its first failure with --stop-on-fail, and can be resumed" {
	sed 's/process: contained/process: killed/; /signal:/d; /code:/d' "$scenario" >"$BATS_TEST_TMPDIR/failing.yaml"
	FAKE=good run "$brinell" run --stop-on-fail --bench ssh:fake --out "$out" "$BATS_TEST_TMPDIR/failing.yaml" "$scenario"
	[ "$status" -eq 1 ]
	[ "$(fired)" -eq 1 ]
	[[ $output == *"brinell resume"* ]]
	FAKE=good run "$brinell" resume "$out"
	[ "$(fired)" -eq 2 ]
	[ "$(verdict 0002)" = pass ]
}

@test "a run is repeated until a trial fails" {
	sed 's/process: contained/process: killed/; /signal:/d; /code:/d' "$scenario" >"$BATS_TEST_TMPDIR/failing.yaml"
	FAKE=good run "$brinell" run --until-fail --trials 3 --bench ssh:fake --out "$out" "$scenario" "$BATS_TEST_TMPDIR/failing.yaml"
	[ "$status" -eq 1 ]
	[ "$(records verdict)" -eq 2 ]
	[[ $output == *"1..6"* ]]
	run "$brinell" run --dry-run --until-fail mce/srar mce/srao mce/fatal
	[ "${#lines[@]}" -eq 999 ]
	out=$out-2
	run_it good --until-fail --trials 3
	[ "$status" -eq 0 ]
	[ "$(records verdict)" -eq 3 ]
}

@test "the deadline of a run ends the trial, and resume runs the rest" {
	run_it deaf --deadline 2s --trials 2 --set deadline=60s
	[ "$status" -eq 3 ]
	[[ $output == *"the deadline of the run is over"*"brinell resume"* ]]
	grep -q '"cause":"interrupted"' "$out/journal.jsonl"
	[ "$(wc -l <"$FAKE_FIRED.restored")" -eq 1 ]
	FAKE=good run "$brinell" resume "$out"
	[ "$(verdict 0001)" != pass ]
	[ "$(verdict 0002)" = pass ]
}

@test "the seed decides the order of a shuffled run" {
	order() { "$brinell" run --dry-run --shuffle --seed "$1" 'mce/*' | cut -d' ' -f3; }
	[ "$(order 1)" = "$(order 1)" ]
	[ "$(order 1)" != "$(order 2)" ]
	[ "$(order 1 | sort)" = "$(order 2 | sort)" ]
}

@test "a fault without evidence is inconclusive, not a pass" {
	run_it unproven
	[ "$status" -ne 0 ]
	[ "$(verdict 0001)" != pass ]
}

@test "evidence of another page and another process proves nothing" {
	run_it stranger
	[ "$status" -ne 0 ]
	[ "$(verdict 0001)" != pass ]
}

@test "an agent that dies after the fault gets no further call, and the run goes on" {
	FAKE_ONCE=$BATS_TEST_TMPDIR/once run_it dies-after --trials 2
	[ "$status" -ne 0 ]
	[ "$(verdict 0001)" != pass ]
	[ "$(verdict 0002)" = pass ]
	[ "$(fired)" -eq 2 ]
}

@test "an agent that dies before the fault gets a second attempt" {
	FAKE_ONCE=$BATS_TEST_TMPDIR/once run_it dies-before
	[ "$(records trial)" -eq 2 ]
	[ "$(fired)" -eq 1 ]
	[ "$(verdict 0001)" = pass ]
}

@test "rubbish in the middle of a trial is an event, not a crash" {
	run_it rubbish
	[ "$status" -eq 0 ]
	grep -q '"witness":"protocol"' "$out/journal.jsonl"
}

@test "a line without end is dropped, the trial goes on" {
	run_it flood
	[ "$status" -eq 0 ]
	grep -q 'bytes was dropped' "$out/journal.jsonl"
}

@test "an agent of another protocol version is refused with both numbers" {
	run_it version
	[ "$status" -eq 4 ]
	[[ $output == *"has protocol 99"*"has 1"* ]]
	[ "$(fired)" -eq 0 ]
}

@test "an agent that does not answer runs into the deadline" {
	run_it deaf --set deadline=1s
	[ "$status" -ne 0 ]
	grep -q '"cause":"deadline"' "$out/journal.jsonl"
	[ "$(verdict 0001)" != pass ]
	# What the injector may have set is put back all the same.
	[ "$(wc -l <"$FAKE_FIRED.restored")" -eq 1 ]
}

@test "a host that is not declared expendable is not broken" {
	run_it careful
	[ "$status" -eq 4 ]
	[[ $(cat "$out/journal.jsonl") == *"not declared expendable"* ]]
	[ "$(records intent)" -eq 0 ]
	[ "$(fired)" -eq 0 ]
}

@test "a host that comes back with another boot_id has died" {
	run_it rebooted
	[ "$status" -ne 0 ]
	grep -q '"event":"host-died"' "$out/journal.jsonl"
}

@test "Ctrl-C, and once more: the agent has its time to put back what was set" {
	FAKE=twice "$brinell" run --bench ssh:fake --out "$out" --set deadline=60s "$scenario" 2>"$BATS_TEST_TMPDIR/said" 3>&- &
	controller=$!
	await_record intent $controller
	kill -INT $controller
	wait $controller || true
	[ -e "$FAKE_FIRED.left" ]
	run cat "$BATS_TEST_TMPDIR/said"
	[[ $output == *"interrupted"* ]]
	[[ $output != *"put everything back"* ]]
}

@test "two runs at the same time do not disturb each other" {
	FAKE=good "$brinell" run --bench ssh:fake --out "$out-a" --trials 3 "$scenario" 3>&- &
	other=$!
	FAKE=good run "$brinell" run --bench ssh:fake --out "$out-b" --trials 3 "$scenario"
	[ "$status" -eq 0 ]
	wait $other
}

@test "a directory that holds a run already is refused" {
	run_it good
	run_it good
	[ "$status" -eq 2 ]
	[ "$(fired)" -eq 1 ]
}

@test "a skipped trial fails a run only with --fail-on-skip" {
	sed 's/^scenario:.*/&\nrequires: ["hwpoison:corrupt-pfn"]/' "$scenario" >"$BATS_TEST_TMPDIR/needs.yaml"
	scenario=$BATS_TEST_TMPDIR/needs.yaml
	run_it good
	[ "$status" -eq 0 ]
	[[ $output == *"ok 1 "*"# SKIP"* ]]
	out=$BATS_TEST_TMPDIR/strict
	run_it good --fail-on-skip
	[ "$status" -eq 1 ]
	[[ $output == *fail-on-skip* ]]
}
