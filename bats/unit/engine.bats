#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The trial engine against an agent that dies, lies and sends rubbish: no root, no rig.
# shellcheck disable=SC2030,SC2031 # `run` sets its variables in the very shell of a test

setup_file() {
	cc -D_GNU_SOURCE -shared -fPIC -o "$BATS_FILE_TMPDIR/die_at.so" "$BATS_TEST_DIRNAME/fake/die_at.c" -ldl
}

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

records() { # TYPE: how many records of it
	grep -c "\"type\":\"$1\"" "$out/journal.jsonl"
}

verdict() { # TRIAL
	sed -n "/\"trial\": \"$1\"/,/\"verdict\":/s/.*\"verdict\": \"\([a-z]*\)\".*/\1/p" "$out/results.json"
}

fired() { wc -l <"$FAKE_FIRED"; }

# Waits until the journal of the run holds a record of the type: TYPE CONTROLLER
await_record() {
	grep -q -m1 "\"type\":\"$1\"" < <(tail --pid="$2" --retry -s 0.1 -n +1 -F "$out/journal.jsonl" 2>/dev/null)
}

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

@test "a source that floods is cut off and counted, and the others are kept" {
	run_it chatty --set deadline=60s
	[ "$(records event)" -lt 10100 ]
	[ "$(records close)" -eq 1 ]
	[[ $(grep '"type":"dropped"' "$out/journal.jsonl") == *'"source":"h0 trace"'*'"events":2000'* ]]
	grep -q '"event":"over-budget"' "$out/journal.jsonl"
	[ "$(verdict 0001)" = inconclusive ] # an IOMMU fault may be among what was lost
	"$brinell" show "$out" 0001 | grep -q "Sending SIGBUS to memory:4242"
}

@test "an agent cannot speak as the console, the bench or the engine" {
	FAKE=usurper run "$brinell" run --bench ssh:fake --out "$out" "$BATS_TEST_DIRNAME/fake/died.yaml"
	[ "$status" -eq 3 ]
	[ "$(verdict 0001)" = inconclusive ]
	[ "$(grep -c 'refused: the agent spoke as' "$out/journal.jsonl")" -eq 3 ]
	[ "$(grep -cE '"body":\{"witness":"(console|engine)"' "$out/journal.jsonl")" -eq 0 ]
}

@test "a run stops after its first failure when it is asked to, and can be resumed" {
	sed 's/process: contained/process: killed/; /signal:/d; /code:/d' "$scenario" >"$BATS_TEST_TMPDIR/failing.yaml"
	FAKE=good run "$brinell" run --stop-on-fail --bench ssh:fake --out "$out" "$BATS_TEST_TMPDIR/failing.yaml" "$scenario"
	[ "$status" -eq 1 ]
	[ "$(fired)" -eq 1 ]
	[[ $output == *"brinell resume"* ]]
	FAKE=good run "$brinell" resume "$out"
	[ "$(fired)" -eq 2 ]
	[ "$(verdict 0002)" = pass ]
}

@test "the seed decides the order of a shuffled run" {
	order() { "$brinell" run --dry-run --shuffle --seed "$1" 'mce/*' | cut -d' ' -f3; }
	[ "$(order 1)" = "$(order 1)" ]
	[ "$(order 1)" != "$(order 2)" ]
	[ "$(order 1 | sort)" = "$(order 2 | sort)" ]
}

@test "a fault that nobody saw is inconclusive, not a pass" {
	run_it unproven
	[ "$status" -ne 0 ]
	[ "$(verdict 0001)" != pass ]
}

@test "evidence of another page and another process proves nothing" {
	run_it stranger
	[ "$status" -ne 0 ]
	[ "$(verdict 0001)" != pass ]
}

@test "an agent that dies after the fault is not asked again, and the run goes on" {
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
	[[ $output == *"speaks protocol 99"*"speaks 1"* ]]
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

@test "kill -9 after the intent: resume closes the trial from its evidence and fires nothing again" {
	FAKE=deaf "$brinell" run --bench ssh:fake --out "$out" --trials 2 --set deadline=60s "$scenario" 3>&- &
	controller=$!
	await_record intent $controller
	kill -9 $controller
	wait $controller || true
	before=$(fired)
	FAKE=good run "$brinell" resume "$out"
	[ "$(records resume)" -eq 1 ]
	[ "$(fired)" -eq $((before + 1)) ]
	[ "$(grep -c '"type":"verdict","trial":"0001"' "$out/journal.jsonl")" -eq 1 ]
	[ "$(verdict 0001)" != pass ]
	[ "$(verdict 0002)" = pass ]
}

# Kills the controller at a record and resumes: TYPE [DIE_TORN=1]
die_and_resume() {
	rm -rf "$out" "$FAKE_FIRED"
	touch "$FAKE_FIRED"
	run env FAKE=good DIE_AT="$1" "${@:2}" ASAN_OPTIONS=verify_asan_link_order=0 \
		LD_PRELOAD="$BATS_FILE_TMPDIR/die_at.so" \
		"$brinell" run --bench ssh:fake --out "$out" --trials 2 "$scenario"
	echo "killed at the first $*: $status"
	[ "$status" -eq 137 ]
	FAKE=good run "$brinell" resume "$out"
	echo "resumed after $*: $output"
}

# Both trials have their one verdict, and no fault was fired but once for its intent.
check_whole() {
	[ "$(grep -oE '"trial": "000[12]"' "$out/results.json" | sort -u | wc -l)" -eq 2 ]
	for trial in 0001 0002; do
		[ "$(grep -c "\"type\":\"verdict\",\"trial\":\"$trial\"" "$out/journal.jsonl")" -eq 1 ]
		[ "$(grep -c "\"type\":\"close\",\"trial\":\"$trial\"" "$out/journal.jsonl")" -eq 1 ]
		[ "$(grep -c "\"type\":\"intent\",\"trial\":\"$trial\"" "$out/journal.jsonl")" -eq 1 ]
	done
	[ "$(fired)" -le 2 ]
	[ "$(verdict 0002)" = pass ]
}

@test "kill -9 right behind any record: one verdict a trial, no fault fired twice, none lost" {
	for type in run trial boot event witnesses step facts intent outcome usage close verdict; do
		die_and_resume "$type"
		check_whole
		case $type in
		intent) # nobody knows whether it was fired: not again
			[ "$(fired)" -eq 1 ]
			[ "$(verdict 0001)" = inconclusive ]
			;;
		outcome)
			[ "$(fired)" -eq 2 ]
			[ "$(verdict 0001)" != pass ]
			;;
		*)
			[ "$(fired)" -eq 2 ]
			[ "$(verdict 0001)" = pass ]
			;;
		esac
	done
}

@test "kill -9 in the middle of any record: the torn end is kept beside, and nothing else differs" {
	die_and_resume run DIE_TORN=1
	[ "$status" -eq 2 ]
	[ "$(fired)" -eq 0 ]
	for type in trial boot event witnesses step facts intent outcome usage close verdict; do
		die_and_resume "$type" DIE_TORN=1
		ls "$out"/journal.jsonl.torn-*
		check_whole
		# An intent that is not whole was not followed by its fault; an outcome was.
		[ "$(fired)" -eq 2 ]
	done
}

@test "an intent that a damaged line may hide is not fired again" {
	run env FAKE=good DIE_AT=outcome DIE_TORN=1 ASAN_OPTIONS=verify_asan_link_order=0 \
		LD_PRELOAD="$BATS_FILE_TMPDIR/die_at.so" \
		"$brinell" run --bench ssh:fake --out "$out" --trials 2 "$scenario"
	[ "$(fired)" -eq 1 ]
	sed -i 's/"type":"intent"/"type":"intemt"/' "$out/journal.jsonl"
	FAKE=good run "$brinell" resume "$out"
	[ "$(fired)" -eq 2 ]
	[ "$(verdict 0001)" = inconclusive ]
	[ "$(verdict 0002)" = pass ]
}

@test "a run that is resumed when it is whole changes no verdict" {
	run_it good --trials 2
	cp "$out/results.json" "$BATS_TEST_TMPDIR/before"
	FAKE=good run "$brinell" resume "$out"
	[ "$status" -eq 0 ]
	[[ $output != *KTAP* && $output != *ok* ]]
	[ "$(fired)" -eq 2 ]
	[ "$(grep -c '"verdict": *"pass"' "$out/results.json")" -eq "$(grep -c '"verdict": *"pass"' "$BATS_TEST_TMPDIR/before")" ]
}

@test "resume prints one whole KTAP document for the run" {
	run_it good --trials 3
	head -n "$(grep -n '"type":"verdict"' "$out/journal.jsonl" | sed -n '2s/:.*//p')" "$out/journal.jsonl" >"$out/cut"
	mv "$out/cut" "$out/journal.jsonl"
	FAKE=good "$brinell" resume "$out" >"$BATS_TEST_TMPDIR/resumed.ktap"
	diff "$BATS_TEST_TMPDIR/resumed.ktap" "$out/ktap.txt"
	prove --exec cat "$BATS_TEST_TMPDIR/resumed.ktap"
	[ "$(grep -c '^ok ' "$out/ktap.txt")" -eq 3 ]
}

@test "Ctrl-C: the journal is whole, and resume finishes the run" {
	FAKE=deaf "$brinell" run --bench ssh:fake --out "$out" --trials 2 --set deadline=60s "$scenario" 3>&- &
	controller=$!
	await_record intent $controller
	kill -INT $controller
	code=0
	wait $controller || code=$?
	[ "$code" -eq 3 ]
	grep -q '"cause":"interrupted"' "$out/journal.jsonl"
	FAKE=good run "$brinell" resume "$out"
	[ "$(verdict 0002)" = pass ]
	[ "$(grep -c '"type":"verdict","trial":"0001"' "$out/journal.jsonl")" -eq 1 ]
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

@test "a skipped trial fails a run only when it is asked to" {
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
