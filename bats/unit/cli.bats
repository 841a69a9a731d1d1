#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The command line as a stranger meets it: every mistake gets a clear message and its exit code, and nothing is started.

setup() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	brinell=${BRINELL:-$top/build/asan/brinell}
	cd "$BATS_TEST_TMPDIR" || return 1
	export XDG_CACHE_HOME="$BATS_TEST_TMPDIR/cache"
}

nothing_started() {
	[ ! -e brinell-runs ]
	[ ! -e "$XDG_CACHE_HOME" ]
}

write_scenario() { # NAME: the scenario of the engine's tests, to be spoilt
	cp "$BATS_TEST_DIRNAME/fake/scenario.yaml" "$1"
}

run_of() { # GOLDEN DIRECTORY: a finished run
	mkdir "$2"
	cp "$BATS_TEST_DIRNAME/golden/$1/journal.jsonl" "$2"
}

@test "without a command it shows the commands and fails" {
	run "$brinell"
	[ "$status" -eq 2 ]
	[[ $output == *"usage: brinell COMMAND"* ]]
}

@test "every command explains itself" {
	run "$brinell" --help
	[ "$status" -eq 0 ]
	for command in run check resume judge show report compare list doctor inject rig agent; do
		[[ $output == *"  $command "* ]]
		"$brinell" $command --help | grep -q "^usage: brinell $command"
	done
}

@test "an unknown command is named" {
	run "$brinell" rnu
	[ "$status" -eq 2 ]
	[[ $output == *"'rnu'"* ]]
}

@test "an unknown scenario is refused and near names are shown" {
	run "$brinell" run einj/sinlge
	[ "$status" -eq 2 ]
	[[ $output == *"einj/sinlge"* ]]
	nothing_started
}

@test "no scenario at all is refused" {
	run "$brinell" run
	[ "$status" -eq 2 ]
	nothing_started
}

@test "an unknown bench is refused" {
	write_scenario x.yaml
	run "$brinell" run --bench nowhere x.yaml
	[ "$status" -eq 2 ]
	[[ $output == *"'nowhere'"*"list benches"* ]]
	nothing_started
}

@test "a bench without an address is refused" {
	write_scenario x.yaml
	for bench in ssh ssh: "ssh:," "ssh:a," ssh:,a ssh:-oProxyCommand=true; do
		run "$brinell" run --bench "$bench" x.yaml
		[ "$status" -eq 2 ]
	done
	nothing_started
}

@test "a directory that can not be that of a run is refused" {
	write_scenario x.yaml
	mkdir theirs
	ln -s /tmp theirs/artifacts
	: >file
	for out in "" file file/run theirs; do
		run "$brinell" run --bench ssh:nowhere.invalid --out "$out" x.yaml
		[ "$status" -eq 2 ]
	done
	[ ! -e theirs/journal.jsonl ]
	nothing_started
}

@test "output that is lost is an error of every command" {
	run_of "pass-contained" good
	for command in --help "run --help" "list scenarios" "list --json" "show good" "show good 1" "judge good" \
		"report good --format html" "inject mce-inject --preset corrected --dry-run" doctor; do
		# shellcheck disable=SC2086
		run bash -c '"$0" "$@" >/dev/full' "$brinell" $command
		[ "$status" -eq 4 ]
		[[ $output == *"standard output"* || $output == *"writing"* ]]
	done
	# The reader of the pipe has ended before the first byte.
	run bash -c '{ sleep 0.3; "$0" list scenarios; echo "$?" >code; } | true; cat code' "$brinell"
	[ "${lines[-1]}" -eq 4 ]
}

@test "closed standard streams get into no journal" {
	write_scenario x.yaml
	env PATH="$BATS_TEST_DIRNAME/fake:$PATH" FAKE=good FAKE_FIRED="$BATS_TEST_TMPDIR/fired" \
		"$brinell" run --bench ssh:fake --trials 2 --out closed x.yaml <&- >&- 2>&-
	run grep -av '^{' closed/journal.jsonl
	[ "$status" -eq 1 ]
	[ "$(grep -ac '"type":"verdict"' closed/journal.jsonl)" -eq 2 ]
}

@test "no command hands the terminal what an agent or a journal says" {
	mkdir bin
	write_scenario x.yaml
	cat >bin/ssh <<-'END'
		#!/bin/bash
		hello='"event":"hello","protocol":1,"version":"x","boot_id":"a","kernel":"6.1\u001b[31m","hostname":"h\u202e\u009b","rig":false,"pid":1,"processors":1,"time_ns":1'
		echo "{$hello}"
		while read -r line; do
			id=${line#*\"id\":}
			echo "{\"id\":${id%%[,\}]*},\"ok\":{$hello,\"findings\":[{\"name\":\"n\\u001b]0;x\\u0007\",\"ok\":false,\"reason\":\"r\\u2066\\u001b[2J\",\"remedy\":\"m\\u001b[H\"}]}}"
		done
	END
	chmod +x bin/ssh
	run env PATH="$PWD/bin:$PATH" "$brinell" doctor --bench ssh:liar
	[[ $output == *why:*r* ]]
	printf '%s' "$output" >said
	run env PATH="$PWD/bin:$PATH" "$brinell" run --bench ssh:liar --out lies x.yaml
	printf '%s' "$output" >>said
	run "$brinell" show lies 1
	printf '%s' "$output" >>said
	run env LC_ALL=C grep -aP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]' said
	[ "$status" -eq 1 ]
}

@test "a kernel that is not there is refused" {
	write_scenario x.yaml
	run "$brinell" run --kernel /nonexistent/bzImage x.yaml
	[ "$status" -eq 2 ]
	[[ $output == *"/nonexistent/bzImage"* ]]
	nothing_started
}

@test "numbers that are none are refused" {
	write_scenario x.yaml
	for option in "--trials=0" "--trials=many" "--seed=-1" "--set=nothing" "--set==x"; do
		run "$brinell" run "$option" x.yaml
		[ "$status" -eq 2 ]
	done
	nothing_started
}

@test "an unknown key in a scenario is refused with file, line and column" {
	write_scenario x.yaml
	echo "expects: {}" >>x.yaml
	line=$(grep -n expects x.yaml | cut -d: -f1)
	run "$brinell" run x.yaml
	[ "$status" -eq 2 ]
	[[ $output == *"x.yaml:$line:1: "*"expects"* ]]
	nothing_started
}

@test "a value of the wrong type is refused with its place" {
	write_scenario x.yaml
	sed -i 's/^deadline: .*/deadline: [5s]/' x.yaml
	run "$brinell" run x.yaml
	[ "$status" -eq 2 ]
	[[ $output == *"x.yaml:"*deadline* ]]
	nothing_started
}

@test "touching a page that no workload owns is refused" {
	write_scenario x.yaml
	sed -i 's/- touch: victim/- touch: stranger/' x.yaml
	run "$brinell" run x.yaml
	[ "$status" -eq 2 ]
	[[ $output == *"x.yaml:"*stranger* ]]
	nothing_started
}

@test "a huge file, a file with NUL bytes and an empty file are refused" {
	head -c 2000000 /dev/zero | tr '\0' '#' >huge.yaml
	printf 'scenario: a\0b\n' >nul.yaml
	: >empty.yaml
	for file in huge nul empty; do
		run "$brinell" run "$file.yaml"
		[ "$status" -eq 2 ]
		[[ $output == *"$file.yaml"* ]]
	done
	nothing_started
}

@test "scenario files are checked without a run, and a dry run prints the plan" {
	write_scenario good.yaml
	write_scenario bad.yaml
	echo "oops: 1" >>bad.yaml
	run "$brinell" check good.yaml
	[ "$status" -eq 0 ]
	[[ $output == good.yaml:* ]]
	run "$brinell" check bad.yaml good.yaml
	[ "$status" -eq 2 ]
	[[ $output == *bad.yaml:*oops*good.yaml:* ]]
	run "$brinell" run --dry-run --trials 2 --seed 7 --bench ssh:fake good.yaml
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[1]} == "0002  "*" 2  on ssh:fake  seed "* ]]
	nothing_started
}

@test "one bad scenario among good ones starts none" {
	write_scenario good.yaml
	write_scenario bad.yaml
	echo "oops: 1" >>bad.yaml
	run "$brinell" run good.yaml bad.yaml
	[ "$status" -eq 2 ]
	nothing_started
}

@test "commands on a directory that is no run are refused" {
	mkdir empty
	for command in judge show "report --format ktap" resume; do
		# shellcheck disable=SC2086
		run "$brinell" ${command%% *} empty ${command#"${command%% *}"}
		[ "$status" -eq 2 ]
		[[ $output == *empty* ]]
	done
	run "$brinell" show /nonexistent
	[ "$status" -eq 2 ]
}

@test "a FIFO or a directory in place of a journal is refused" {
	mkdir -p fifo directory/journal.jsonl
	mkfifo fifo/journal.jsonl
	for place in fifo directory; do
		for command in judge show resume; do
			run timeout 10 "$brinell" $command $place
			[ "$status" -eq 2 ]
			[[ $output == *$place/journal.jsonl* ]]
		done
	done
}

@test "an unknown report format lists the known ones" {
	run "$brinell" report . --format pdf
	[ "$status" -eq 2 ]
	[[ $output == *ktap* && $output == *junit* ]]
}

@test "lists are for people and for programs" {
	for what in scenarios injectors workloads witnesses benches reports steps hypervisors; do
		run "$brinell" list $what
		[ "$status" -eq 0 ]
		[ "${#lines[@]}" -ge 1 ]
		"$brinell" list $what --json | tr -d '\n' | grep -qE '^[[{].*[]}]$'
	done
	run "$brinell" list nonsense
	[ "$status" -eq 2 ]
}

@test "each hypervisor of rooms.mk is listed with the agents that have it" {
	run "$brinell" list hypervisors
	hypervisors=$(awk -F'[ ,)]+' '/call room, harness.hypervisor.[a-z]+,/ { sub(/.*\//, "", $3); print $3 }' "$top/rooms.mk")
	for name in $hypervisors; do
		agents=$(awk -F'[ ,)]+' -v room="harness/hypervisor/$name" '/call program/ { for (i = 4; i <= NF; i++) if ($i == room) print $3 }' "$top/rooms.mk" | sort | paste -sd' ')
		[ "$agents" ]
		[[ $output == *"$name "*"(in $agents)"* ]]
	done
	[ "$hypervisors" ]
}

@test "the library ships at least thirty scenarios, and the demo at least twelve" {
	[ "$("$brinell" list scenarios | grep -cE '^(einj|mce|hwpoison)/')" -ge 30 ]
	[ "$(grep -lE '^tags: .*\bdemo\b' "$top"/harness/scenario/library/*/*.yaml | wc -l)" -ge 12 ]
}

@test "an unknown injector and an unknown option are refused" {
	run "$brinell" inject nothing
	[ "$status" -eq 2 ]
	[[ $output == *einj* ]]
	run "$brinell" inject einj --tpye memory-correctable
	[ "$status" -eq 2 ]
	[[ $output == *tpye* ]]
}

@test "an injection into a machine that is not expendable is refused" {
	[ ! -e /etc/brinell/expendable ] || skip "this machine is declared expendable"
	run "$brinell" inject hwpoison --method corrupt-pfn --pfn 0x1000
	[ "$status" -ne 0 ]
	[[ $output == *expendable* ]]
}

@test "a dry run prints the writes and makes none" {
	run "$brinell" inject mce-inject --preset corrected --dry-run
	[ "$status" -eq 0 ]
	[[ $output == *mce-inject/bank* ]]
}

@test "the doctor of this machine tells what is missing and what to do" {
	run "$brinell" doctor
	[ "$status" -eq 0 ]
	[[ $output == *expendable* ]]
	"$brinell" doctor --json | tr -d '\n' | grep -q '"findings"'
	run "$brinell" doctor --bench nowhere
	[ "$status" -eq 2 ]
}

@test "an unknown rig profile is refused" {
	run "$brinell" rig up sparc
	[ "$status" -eq 2 ]
	[[ $output == *sparc* ]]
	nothing_started
}

@test "an installation works from wherever it was put, and can be repeated" {
	[ -x "$top/build/brinell" ] || make -s -C "$top" all
	make -s -C "$top" install DESTDIR="$PWD/image" PREFIX=/opt/brinell
	make -s -C "$top" install DESTDIR="$PWD/image" PREFIX=/opt/brinell
	run "$PWD/image/opt/brinell/bin/brinell" list scenarios
	[ "$status" -eq 0 ]
	[ "$(grep -cE '^(einj|mce|hwpoison)/' <<<"$output")" -eq "$("$brinell" list scenarios | grep -cE '^(einj|mce|hwpoison)/')" ]
	"$PWD/image/opt/brinell/bin/brinell-agent" --help | grep -q '^usage: '
}
