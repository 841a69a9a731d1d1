#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The command line as a stranger meets it: every mistake gets a clear message and its exit code, and nothing is started.

# What several tests read: the help of each command, a list of the whole library, and a few of its scenarios, which are faster to read.
setup_file() {
	setup
	cd "$BATS_FILE_TMPDIR" || return 1
	env -u BRINELL_LIBRARY "$brinell" list scenarios >library
	mkdir few
	(cd "$top/harness/scenario/library" && cp -r --parents einj mce kvm/migration/dirty.yaml "$made/few")
	"$brinell" --help >help
	mkdir helps
	sed -n 's/^  \([a-z]*\)  *.*/\1/p' help | while read -r command; do
		"$brinell" "$command" --help >"helps/$command"
	done
	# The agent beside the sanitized program is of the other build, which a test of the installation may make at this moment.
	cp "$brinell" alone
}

setup() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	brinell=${BRINELL:-$top/build/asan/brinell}
	made=$BATS_FILE_TMPDIR
	export BRINELL_LIBRARY=$made/few
	cd "${BATS_TEST_TMPDIR:-$made}" || return 1
	export XDG_CACHE_HOME="$PWD/cache"
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
	for command in run check resume shrink judge show report compare history nightly list doctor inject rig agent; do
		grep -q "^  $command " "$made/help"
		grep -q "^usage: brinell $command" "$made/helps/$command"
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

@test "an argument that is not UTF-8 is refused, and not left out" {
	write_scenario $'\xff.yaml'
	run "$brinell" run --dry-run $'./\xff.yaml'
	[ "$status" -eq 2 ]
	[[ $output == *"argument 3, './?.yaml', is not UTF-8"* ]]
	run "$brinell" run --set $'deadline=\xff' "$BATS_TEST_DIRNAME/fake/scenario.yaml"
	[ "$status" -eq 2 ]
	[[ $output == *"not UTF-8"* ]]
	nothing_started
	# A library whose scenarios have no name in JSON.
	mkdir -p $'lib\xff/mine'
	write_scenario $'lib\xff/mine/one.yaml'
	BRINELL_LIBRARY=$'lib\xff' run "$brinell" run --dry-run 'mine/*'
	[ "$status" -eq 2 ]
	[[ $output == *"not UTF-8"* ]]
}

@test "a scenario that can not be read is named with the reason" {
	mkdir dir.yaml
	run "$brinell" run ./dir.yaml
	[ "$status" -eq 2 ]
	[[ $output == *"./dir.yaml: Is a directory"* ]]
	ln -s loop.yaml loop.yaml
	run "$brinell" run ./loop.yaml
	[ "$status" -eq 2 ]
	[[ $output == *"./loop.yaml: Too many levels"* ]]
	nothing_started
}

@test "a file that may not grow is an error with its reason, and loses nothing" {
	run_of pass-contained r
	rm -f r/report.html
	run bash -c 'ulimit -f 8; "$0" judge r >out 2>&1' "$brinell"
	[ "$status" -eq 4 ]
	grep -q 'writing r/results.json: File too large' out
	cmp r/journal.jsonl "$BATS_TEST_DIRNAME/golden/pass-contained/journal.jsonl"
	[ ! -e r/report.html ]
	run "$brinell" judge r
	[ "$status" -eq 0 ]
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
	for command in --help "run --help" "list scenarios einj/single" "list benches --json" "show good" "show good 1" "judge good" \
		"report good --format html" "inject mce-inject --preset corrected --dry-run" doctor; do
		# shellcheck disable=SC2016,SC2086
		run bash -c '"$0" "$@" >/dev/full' "$made/alone" $command
		[ "$status" -eq 4 ]
		[[ $output == *"standard output"* || $output == *"writing"* ]]
	done
	# A pipe without a reader.
	mkfifo unread
	exec 8<>unread
	exec 9>unread 8>&-
	# shellcheck disable=SC2016
	run bash -c '"$0" list scenarios einj/single >&9' "$brinell"
	exec 9>&-
	[ "$status" -eq 4 ]
}

# Each of them alone and all of them; a trial that is tried again writes a warning to standard error.
@test "closed standard streams get into no journal" {
	write_scenario x.yaml
	for closed in '<&-' '>&-' '2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
		rm -rf closed once
		env PATH="$BATS_TEST_DIRNAME/fake:$PATH" FAKE=dies-before FAKE_ONCE="$PWD/once" FAKE_FIRED="$PWD/fired" \
			bash -c "\"$brinell\" run --bench ssh:fake --trials 2 --out closed x.yaml $closed"
		run grep -av '^{' closed/journal.jsonl
		[ "$status" -eq 1 ]
		[ "$(grep -ac '"type":"trial"' closed/journal.jsonl)" -eq 3 ]
		[ "$(grep -ac '"type":"verdict"' closed/journal.jsonl)" -eq 2 ]
	done
}

# Messages of OpenSSH 9.2 and of the shell of the host; a carriage return ends their lines.
@test "the reason of an ssh failure is the reason of the trial" {
	write_scenario x.yaml
	mkdir bin empty
	cat >bin/ssh <<-'END'
		#!/bin/sh
		printf 'Warning: Permanently added the key of a host.\r\n%s\r\n' "$SAYS" >&2
		exit "$ENDS"
	END
	chmod +x bin/ssh
	while IFS='|' read -r code message remedy; do
		rm -rf out
		run env PATH="$PWD/bin:$PATH" SAYS="$message" ENDS="$code" "$brinell" run --bench ssh:me@there --out out x.yaml
		[ "$status" -eq 4 ]
		[[ $output == *"# reason: hello: the agent on me@there is gone: $message ("*"$remedy"*")"* ]]
	done <<-'END'
		255|ssh: Could not resolve hostname there: Name or service not known|name of the host
		255|me@there: Permission denied (publickey,password).|ssh-copy-id
		255|Host key verification failed.|compare the key
		255|ssh: connect to host there port 22: Connection refused|start sshd
		127|bash: line 1: exec: brinell-agent: not found|install brinell-agent
	END
	run env PATH="$PWD/empty" "$brinell" run --bench ssh:me@there --out none x.yaml
	[ "$status" -eq 4 ]
	[[ $output == *"# reason: hello: the agent on me@there is gone: cannot run ssh: No such file"*openssh-client* ]]
}

@test "the standard error of an agent is limited" {
	write_scenario x.yaml
	mkdir bin
	cat >bin/ssh <<-'END'
		#!/bin/sh
		seq 100000 >&2
		exit 255
	END
	chmod +x bin/ssh
	run env PATH="$PWD/bin:$PATH" "$brinell" run --bench ssh:there --out out x.yaml
	[ "$status" -eq 4 ]
	[ "${#lines[@]}" -lt 250 ]
	[[ $output == *"# reason: hello: the agent on there is gone: 100000"* ]]
}

@test "no command passes control characters of an agent or a journal to the terminal" {
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

@test "what a scenario file holds is printed as text" {
	mkdir library
	write_scenario library/x.yaml
	sed -i 's/^title: .*/title: "a\\e[31m\\u202e\\x9btitle"/; s/^scenario: .*/scenario: x/; s/^objective: .*/objective: "b\\u2066"/' library/x.yaml
	BRINELL_LIBRARY=$PWD/library "$brinell" list scenarios >said
	grep -q 'a.*title' said
	BRINELL_LIBRARY=$PWD/library "$brinell" list scenarios --json >>said
	"$brinell" inject qemu-mce --guest $'g\e[31m\u202e' --dry-run >>said 2>&1 || true
	run env LC_ALL=C grep -aP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]' said
	[ "$status" -eq 1 ]
}

@test "a lost report is one error" {
	run_of "pass-contained" good
	for format in json html ktap; do
		run bash -c '"$0" report good --format "$1" >/dev/full' "$brinell" $format
		[ "$status" -eq 4 ]
		[ "$(grep -c 'error:' <<<"$output")" -eq 1 ]
	done
	run bash -c '"$0" compare good good >/dev/full' "$brinell"
	[ "$status" -ne 0 ]
	[ "$(grep -c 'error:' <<<"$output")" -eq 1 ]
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
	for option in "--deadline=soon" "--deadline=0" "--trials=0" "--trials=many" "--seed=-1" "--set=nothing" "--set==x"; do
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
	PATH="$BATS_TEST_DIRNAME/fake:$PATH" run "$brinell" run --dry-run --trials 2 --seed 7 --bench ssh:fake good.yaml
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[1]} == "0002  "*" 2  on ssh:fake  seed "* ]]
	nothing_started
}

@test "a dry run lists which trials would skip or fail, and why" {
	write_scenario needs.yaml
	sed -i 's/^scenario:.*/&\nrequires: ["hwpoison:corrupt-pfn"]/' needs.yaml
	PATH="$BATS_TEST_DIRNAME/fake:$PATH" run "$brinell" run --dry-run --bench ssh:fake needs.yaml kvm/migration/dirty
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == *"would skip: needs hwpoison:corrupt-pfn"* ]]
	[[ ${lines[1]} == *"would skip: a migration needs two hosts"* ]]
	run "$brinell" run --dry-run --bench ssh:nowhere.invalid needs.yaml
	[ "$status" -eq 0 ]
	[[ $output == *"would fail: "*nowhere.invalid* ]]
	run "$brinell" run --dry-run kvm/migration/dirty einj/single
	[ "$status" -eq 0 ]
	[[ $output != *would* ]]
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

@test "only a trial that did not pass is shrunk" {
	run "$brinell" shrink
	[ "$status" -eq 2 ]
	run_of pass-conversion-done run
	"$brinell" judge run >/dev/null
	run "$brinell" shrink run 0001
	[ "$status" -eq 2 ]
	[[ $output == *"trial 0001 passed"* ]]
	run "$brinell" shrink run 0002
	[ "$status" -eq 2 ]
	[[ $output == *"has no trial 0002"* ]]
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

@test "a FIFO or a directory in place of an input is refused" {
	write_scenario x.yaml
	mkfifo fifo
	mkdir directory
	for place in fifo directory; do
		run timeout 10 "$brinell" check $place
		[ "$status" -eq 2 ]
		run timeout 10 "$brinell" run --kernel $place x.yaml
		[ "$status" -eq 2 ]
		[[ $output == *"--kernel $place"* ]]
	done
	run "$brinell" run --modules x.yaml x.yaml
	[ "$status" -eq 2 ]
	"$brinell" check <(cat x.yaml)
	nothing_started
}

@test "a FIFO, a directory or a link in place of a report is replaced or named" {
	run_of "pass-contained" good
	: >victim
	for report in results.json report.html junit.xml ktap.txt; do
		rm -f good/$report
		mkfifo good/$report
		timeout 20 "$brinell" judge good
		[ -f good/$report ]
		rm good/$report
		ln -s "$PWD/victim" good/$report
		"$brinell" judge good
		[ ! -L good/$report ]
		rm good/$report
		mkdir good/$report
		run "$brinell" judge good
		[ "$status" -eq 4 ]
		[[ $output == *good/$report* ]]
		rmdir good/$report
	done
	[ ! -s victim ]
}

@test "nothing is written into a directory of another user" {
	[ "$(id -u)" -eq 0 ] || skip "only root can make one"
	write_scenario x.yaml
	run_of "pass-contained" theirs
	mkdir empty
	chown 65534 theirs empty
	for command in "judge theirs" "resume theirs" "run --bench ssh:nowhere.invalid --out empty x.yaml"; do
		# shellcheck disable=SC2086
		run "$brinell" $command
		[ "$status" -eq 2 ]
		[[ $output == *"belongs to another user"* ]]
	done
	[ "$(ls theirs)" = journal.jsonl ]
	[ -z "$(ls empty)" ]
	"$brinell" show theirs
}

@test "a link in place of the artifacts stops a resume" {
	run_of "pending-unfinished-run" cut
	mkdir elsewhere
	ln -s "$PWD/elsewhere" cut/artifacts
	run "$brinell" resume cut
	[ "$status" -eq 2 ]
	[[ $output == *cut/artifacts* ]]
}

@test "an unknown report format lists the known ones" {
	run "$brinell" report . --format pdf
	[ "$status" -eq 2 ]
	[[ $output == *ktap* && $output == *junit* ]]
}

@test "lists are for people and for programs" {
	[ "$(wc -l <"$made/library")" -ge 1 ]
	"$brinell" list scenarios --json | jq -e 'type == "array"'
	for what in injectors workloads witnesses benches reports steps hypervisors; do
		run "$brinell" list $what
		[ "$status" -eq 0 ]
		[ "${#lines[@]}" -ge 1 ]
		"$brinell" list $what --json | tr -d '\n' | grep -qE '^[[{].*[]}]$'
	done
	run "$brinell" list nonsense
	[ "$status" -eq 2 ]
	run "$brinell" list benches nonsense
	[ "$status" -eq 2 ]
}

@test "scenarios are listed by pattern and by tag" {
	run "$brinell" list scenarios 'mce/*' einj/single
	[ "$status" -eq 0 ]
	[ "$(grep -vc '^mce/' <<<"$output")" -eq 1 ]
	[[ ${lines[-1]} == einj/single* ]]
	run "$brinell" list scenarios @demo
	[ "$(grep -c demo <<<"$output")" -eq "${#lines[@]}" ]
	[ "$("$brinell" list scenarios @demo --json | jq length)" -eq "${#lines[@]}" ]
	run "$brinell" list scenarios @no-such-tag
	[ "$status" -eq 2 ]
}

@test "a run and a trial are shown as JSON" {
	run_of "pass-contained" good
	[ "$("$brinell" show good --json | jq -r '.trials[0].verdict')" = pass ]
	[ "$("$brinell" show --json good 1 | jq -r '.result.code')" = as-expected ]
	[ "$("$brinell" show good 1 --json | jq '[.events[] | select(.type == "intent")] | length')" -eq 1 ]
	run "$brinell" show good 1 2
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
	[ "$(grep -cE '^(einj|mce|hwpoison)/' "$made/library")" -ge 30 ]
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

@test "the doctor of this machine names what is missing and what to do" {
	run "$made/alone" doctor
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *expendable* ]]
	[[ $output == *" scenarios would run here"*"would skip: a migration needs two hosts"* ]]
	"$made/alone" doctor --json >doctor.json
	[ "$(jq '.findings | length' doctor.json)" -gt 3 ]
	[ "$(jq '.scenarios | length' doctor.json)" -eq "$(find "$made/few" -name '*.yaml' | wc -l)" ]
	[ "$(jq '[.scenarios[] | select(.runs == false and .reason == null)] | length' doctor.json)" -eq 0 ]
	run "$brinell" doctor --bench nowhere
	[ "$status" -eq 2 ]
}

@test "an unknown rig profile is refused" {
	run "$brinell" rig up sparc
	[ "$status" -eq 2 ]
	[[ $output == *sparc* ]]
	nothing_started
}

@test "the manual page has every command and option of the help" {
	"$top/harness/programs/make-man" "$brinell" >brinell.1
	sed 's/[\]//g' brinell.1 >plain
	text=$(<plain)
	for help in "$made"/helps/*; do
		grep -qx ".SS ${help##*/}" brinell.1
		while read -r option; do
			[[ $text == *"$option"* ]]
		done < <(grep -oE -- '--[a-z][a-z-]+' "$help")
	done
	[[ $(sed -n '/^.SH COMMANDS/,$p' plain) == *"victim.page=thp"* ]]
	! command -v groff >/dev/null || [ -z "$(groff -man -ww -z brinell.1 2>&1)" ]
}

@test "bash completes commands, options and names" {
	"$top/harness/programs/make-completion" "$brinell" >completion
	completes() { # WORD...: what the last can become
		# shellcheck disable=SC2016
		bash -c '. ./completion; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _brinell; echo "${COMPREPLY[*]}"' - "$@"
	}
	[ "$(completes "$brinell" che)" = check ]
	[ "$(completes "$brinell" run --stop)" = --stop-on-fail ]
	[ "$(completes "$brinell" run einj/sing)" = "$("$brinell" list scenarios 'einj/sing*' | cut -d ' ' -f 1 | paste -sd ' ')" ]
	[ "$(completes "$brinell" run --bench kvm-p)" = kvm-pair ]
	[ "$(completes "$brinell" report x --format ju)" = junit ]
	[ "$(completes "$brinell" list inj)" = injectors ]
	[ "$(completes "$brinell" inject hwpoison --meth)" = --method ]
}
