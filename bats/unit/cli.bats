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

@test "without a command it shows the commands and fails" {
	run "$brinell"
	[ "$status" -eq 2 ]
	[[ $output == *"usage: brinell COMMAND"* ]]
}

@test "every command explains itself" {
	run "$brinell" --help
	[ "$status" -eq 0 ]
	for command in run resume judge show report list doctor inject rig agent; do
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

@test "an unknown report format lists the known ones" {
	run "$brinell" report . --format pdf
	[ "$status" -eq 2 ]
	[[ $output == *ktap* && $output == *junit* ]]
}

@test "lists are for people and for programs" {
	for what in scenarios injectors workloads witnesses benches reports; do
		run "$brinell" list $what
		[ "$status" -eq 0 ]
		[ "${#lines[@]}" -ge 1 ]
		"$brinell" list $what --json | tr -d '\n' | grep -qE '^[[{].*[]}]$'
	done
	run "$brinell" list nonsense
	[ "$status" -eq 2 ]
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
