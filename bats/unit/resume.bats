#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Controllers that are killed or interrupted at any moment, and runs that are resumed: no root, no rig.
# shellcheck disable=SC2030,SC2031,SC2154 # `run` sets its variables in the very shell of a test; fake/engine sets the others

load fake/engine

setup_file() {
	cc -D_GNU_SOURCE -shared -fPIC -o "$BATS_FILE_TMPDIR/die_at.so" "$BATS_TEST_DIRNAME/fake/die_at.c" -ldl
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

@test "a run whose controller is about to end is resumed as soon as it has" {
	FAKE=good "$brinell" run --bench ssh:fake --out "$out" "$scenario"
	sed -i '/"type":"end"/d' "$out/journal.jsonl"
	cd "$BATS_TEST_TMPDIR"
	mkfifo locked release
	{ flock 9; echo >locked; read -r _ <release; } 9<"$out/journal.jsonl" 3>&- &
	read -r _ <locked
	exec 8>release
	FAKE=good "$brinell" resume "$out" 2>messages 3>&- 8>&- &
	controller=$!
	until grep -q -- "-> FLOCK .* $controller " /proc/locks; do kill -0 $controller; done
	exec 8>&-
	wait $controller
	grep -q "waiting up to 30 s for another brinell to end this run" messages
	[ "$(records resume)" -eq 1 ]
}

# Kills the controller at a record and resumes: TYPE [DIE_TORN=1]
die_and_resume() {
	rm -rf "$out" "$FAKE_FIRED"
	touch "$FAKE_FIRED"
	run env FAKE=good DIE_AT="$1" "${@:2}" ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" \
		LD_PRELOAD="$BATS_FILE_TMPDIR/die_at.so" \
		"$brinell" run --bench ssh:fake --out "$out" --trials 2 "$scenario"
	echo "killed at the first $*: $status"
	[ "$status" -eq 137 ]
	FAKE=good run "$brinell" resume "$out"
	echo "resumed after $*: $output"
}

# Both trials have their one verdict, and no fault was fired but once for its intent.
check_whole() {
	[ "$(tr -d ' \n' <"$out/results.json" | grep -oE '"trial":"000[12]","scenario"' | sort -u | wc -l)" -eq 2 ]
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
		intent) # no record says whether it was fired: not again
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
	run env FAKE=good DIE_AT=outcome DIE_TORN=1 ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" \
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
	[[ $output != *KTAP* && $output != *"ok 1"* ]]
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
