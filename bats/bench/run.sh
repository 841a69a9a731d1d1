#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: bats/bench/run.sh [PART...]
# Measures the figures of docs/benchmarks.md, side by side in one run: boot, journal, trials, scale, compare, plugin, demo, and of guests:
# start, idle, pattern, poison, downtime, library, gmem, moved and xen (all without arguments, about 80 minutes on two cores, most of it for guests). Ends
# with a block that can be put into that page. The variables below say how much is done; SCALE_RUN is a run of einj/single whose
# trials are multiplied for the part scale, instead of a new one. Nothing else should run on the machine meanwhile.
# The parts are called by their names, which shellcheck does not see.
# shellcheck disable=SC2317
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

rounds_boot=${BOOT_ROUNDS:-9}
rounds_plugin=${PLUGIN_ROUNDS:-7}
trials=${TRIALS:-200}
rounds_start=${START_ROUNDS:-10}
rounds_idle=${IDLE_ROUNDS:-12}
rounds_pattern=${PATTERN_ROUNDS:-15}
trials_poison=${POISON_TRIALS:-100}
trials_downtime=${DOWNTIME_TRIALS:-10}
operations_gmem=${GMEM_OPERATIONS:-500}
rounds_gmem=${GMEM_ROUNDS:-5}
trials_scale=${SCALE_TRIALS:-100000}
trials_many=${MANY_TRIALS:-20000}
rounds_xen=${XEN_ROUNDS:-15}

scratch=$(mktemp -d "${TMPDIR:-/tmp}/brinell-bench.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
block=$scratch/block
failed=0

say() { printf '\n== %s\n' "$*" >&2; }

# A part that fails is named and the others go on.
part() { # NAME COMMAND...
	local name=$1 status out=$scratch/out
	shift
	"$@" >"$out" 2>"$scratch/err" && status=0 || status=$?
	cat "$out" >&2
	printf '%s\n' "$name" >>"$block"
	grep -v '^round ' "$out" | sed 's/^/    /' >>"$block"
	if [ "$status" -ne 0 ]; then
		failed=1
		tail -n 20 "$scratch/err" >&2
		printf '    ended with status %d\n' "$status" | tee -a "$block" >&2
	fi
	printf '\n' >>"$block"
}

# A root file system of busybox and an init of these lines.
archive() { # NAME LINE...
	local name=$1 root=$scratch/$1 line
	shift
	mkdir -p "$root/bin" "$root/dev" "$root/tmp"
	cp "$(command -v busybox)" "$root/bin/busybox"
	for line in '#!/bin/busybox sh' "$@"; do
		printf '%s\n' "$line"
	done >"$root/init"
	chmod 755 "$root/init"
	(cd "$root" && find . | cpio --quiet -o -H newc -R +0:+0) >"$scratch/$name.cpio"
	printf '%s\n' "$scratch/$name.cpio"
}

boot() {
	local image
	image=$(archive bare \
		'/bin/busybox mount -t devtmpfs dev /dev' \
		'exec /bin/busybox sh -c "echo bench: shell; exec /bin/busybox sh" <>/dev/console >&0 2>&1')
	build/bench/host boot "$image" "$rounds_boot"
}

plugin() {
	local image
	image=$(archive work \
		'/bin/busybox mount -t devtmpfs dev /dev' \
		'exec <>/dev/console >&0 2>&1' \
		'/bin/busybox dd if=/dev/zero of=/tmp/data bs=1M count=64 2>/dev/null' \
		'/bin/busybox sha256sum /tmp/data >/dev/null' \
		'echo bench: begin' \
		'/bin/busybox sha256sum /tmp/data /tmp/data >/dev/null' \
		'echo bench: end' \
		'exec /bin/busybox sh')
	build/bench/host plugin "$image" "$rounds_plugin"
}

journal() {
	mkdir -p "$scratch/journal" && build/bench/journal "$scratch/journal"
}

trials() {
	local began=$EPOCHREALTIME status
	build/brinell run --trials "$trials" --out "$scratch/trials" einj/single >"$scratch/ktap"
	status=$?
	build/bench/summary "$scratch/trials" || return
	awk -v began="$began" -v ended="$EPOCHREALTIME" -v trials="$trials" 'BEGIN {
		printf "%-20s %.1f s for %d trials and one boot, %.2f s a trial\n", "whole run", ended - began, trials,
			(ended - began) / trials }'
	[ -z "${EINJ_MEM_UC:-}" ] || ras_tools
	return "$status"
}

# Seconds, processor seconds and peak memory of a command on the journal of many trials, beside the least that reading it takes.
cost() { # NAME COMMAND...
	local name=$1 seconds cpu memory
	shift
	read -r seconds cpu memory < <(build/bench/scale measure "$@")
	least_seconds=${least_seconds:-$seconds} least_cpu=${least_cpu:-$cpu}
	awk -v name="$name" -v seconds="$seconds" -v cpu="$cpu" -v memory="$memory" -v base="$least_seconds" -v cpubase="$least_cpu" 'BEGIN {
		printf "%-24s %7.2f s, %7.2f s of processor, %4d MB; ratio %.1f, of processor %.1f\n", name, seconds, cpu, memory / 1024,
			seconds / base, cpu / cpubase }'
}

# A run of many trials against a fake agent: what the controller's memory is meanwhile, and what its end takes.
many() {
	local out=$scratch/scale/many ktap=$scratch/scale/many.ktap pid number at=1000 last status
	PATH=$PWD/bats/unit/fake:$PATH build/brinell run --bench ssh:fake --trials "$trials_many" --out "$out" \
		bats/unit/fake/scenario.yaml >"$ktap" &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		number=$(tail -n 1 "$ktap" | sed -n 's/^ok \([0-9]*\) .*/\1/p')
		if [ "${number:-0}" -ge "$at" ] && [ -e "/proc/$pid/status" ]; then
			printf '%-24s %5d kB resident\n' "after $number trials" \
				"$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status")"
			at=$((at < 10000 ? 10000 : at + 10000))
		fi
		[ "${number:-0}" -ge "$trials_many" ] || last=$EPOCHREALTIME
	done
	wait "$pid"
	status=$?
	awk -v last="$last" -v ended="$EPOCHREALTIME" 'BEGIN {
		printf "%-24s at most %.1f s, with all reports\n", "end of the run", ended - last }'
	return "$status"
}

scale() {
	local base=${SCALE_RUN:-$scratch/scale/base} all=$scratch/scale/all tenth=$scratch/scale/tenth page=$scratch/scale/page format least_seconds='' least_cpu=''
	mkdir -p "$scratch/scale"
	many || return
	[ -n "${SCALE_RUN:-}" ] || build/brinell run --trials 30 --out "$base" einj/single >"$scratch/ktap" || return
	build/bench/scale multiply "$base" "$trials_scale" "$all" || return
	build/bench/scale multiply "$base" "$((trials_scale / 10))" "$tenth" || return
	printf '%s trials, %d MB of journal\n' "$trials_scale" "$(($(stat -c %s "$all/journal.jsonl") / 1000000))"
	wc -l "$all/journal.jsonl" >/dev/null
	# shellcheck disable=SC2016
	cost 'wc -l and CRC-32C' sh -c 'wc -l <"$1"; build/bench/scale crc "$1"' sh "$all/journal.jsonl"
	for format in json ktap junit; do
		cost "report $format" build/brinell report "$all" --format "$format"
	done
	cost 'show DIR TRIAL' build/brinell show "$all" "$((trials_scale / 2))"
	least_seconds='' least_cpu=''
	cost 'judge, a tenth' build/brinell judge "$tenth"
	cost 'judge, all' build/brinell judge "$all"
	build/bench/scale multiply "$base" 10000 "$page" || return
	cost 'report html, 10000' build/brinell report "$page" --format html --output "$page/report.html"
	command -v chromium >/dev/null || return 0
	cp bats/bench/page.html "$page/"
	printf '%-24s %s, %d MB\n' 'Chromium' "$(chromium --headless=new --no-sandbox --disable-gpu --allow-file-access-from-files \
		--user-data-dir="$scratch/scale/chromium" --timeout=60000 --dump-dom "file://$page/page.html" 2>/dev/null |
		sed -n 's/.*<p id="result">\(.*\)<\/p>.*/\1/p')" "$(($(stat -c %s "$page/report.html") / 1000000))"
}

# Two runs of 1,000 metrics with 30 samples each, and an index of 100,000 trials that 100 nights have made.
compare() {
	local nights=$scratch/nights sides=$scratch/sides least_seconds='' least_cpu=''
	bats/bench/make-nights -v nights=2 -v scenarios=200 -v trials=30 -v out="$sides" || return
	bats/bench/make-nights -v nights=100 -v scenarios=100 -v trials=10 -v out="$nights" || return
	set -- "$sides"/*
	cat "$sides"/*/results.json >/dev/null
	cost 'jq . of both runs' jq . "$1/results.json" "$2/results.json"
	cost 'compare, 1000 metrics' build/brinell compare "$1" "$2"
	least_seconds='' least_cpu=''
	cost 'jq . of 100000 trials' jq . "$nights"/*/results.json
	cost 'history add' build/brinell history --index "$nights.db" add "$nights"
	cost 'history trend' build/brinell history --index "$nights.db" trend perf/scenario-042 metric_of_some_length_3
	cost 'history check' build/brinell history --index "$nights.db" check
	printf '%-24s %.1f MB\n' 'the index' "$(($(stat -c %s "$nights.db") / 100000))e-1"
}

# The same fault by einj_mem_uc of ras-tools, which EINJ_MEM_UC names: a static program.
ras_tools() {
	local delay
	for delay in 1 0; do
		# shellcheck disable=SC2016
		build/brinell rig run intel --file "$EINJ_MEM_UC:/root/einj_mem_uc" -- /bin/sh -c 'modprobe einj
			mount -t debugfs debugfs /sys/kernel/debug; chmod 755 /root/einj_mem_uc
			read -r began _ </proc/uptime; /root/einj_mem_uc -f -i -c 5 -d '"$delay"' single; read -r ended _ </proc/uptime
			echo "uptimes $began $ended"' 2>/dev/null | awk -v delay="$delay" '$1 == "uptimes" {
			printf "%-20s %.2f s an injection with a delay of %d s (5 injections)\n", "ras-tools", ($3 - $2) / 5, delay }'
	done
}

# The packages of ./setup are there: their download and installation are not in these figures.
demo() {
	local turn began status=0
	for turn in 'first time, empty cache' 'second time'; do
		began=$EPOCHREALTIME
		XDG_CACHE_HOME=$scratch/cache make -s demo >"$scratch/demo" 2>&1 || status=$?
		awk -v turn="$turn" -v began="$began" -v ended="$EPOCHREALTIME" -v status="$status" 'BEGIN {
			printf "make demo, %s: %.1f s, exit status %d\n", turn, ended - began, status }'
	done
	[ "$status" -eq 0 ] || tail -n 40 "$scratch/demo" >&2
	return "$status"
}

# The figures of guests: on an emulated host each, but for idle, the guest of which is a machine of its own.
start() { build/bench/guest start "$rounds_start"; }
idle() { build/bench/idle "$rounds_idle"; }
pattern() { build/bench/guest pattern "$rounds_pattern"; }

# Figures of a run with guests. The tests judge its verdicts; its figures count if the run finished.
scenarios() { # NAME ARGUMENT...
	local name=$1 began=$EPOCHREALTIME status=0
	shift
	build/brinell run --out "$scratch/$name" "$@" >"$scratch/ktap" || status=$?
	build/bench/summary "$scratch/$name" || return
	awk -v began="$began" -v ended="$EPOCHREALTIME" -v status="$status" 'BEGIN {
		printf "%-20s %.1f s, the boot of the host included; exit status %d\n", "whole run", ended - began, status }'
}

poison() { scenarios poison --trials "$trials_poison" kvm/hwpoison-load; }
downtime() { scenarios downtime --trials "$trials_downtime" bats/bench/downtime.yaml; }
library() { scenarios library 'kvm/*'; }

# Its figures are printed on the console of an emulated host, with those of the kernel's own test in turn.
gmem() {
	local release peer=$scratch/peer/ready/private_mem_conversions_test
	release=$(build/brinell rig run gmem -- uname -r 2>/dev/null | tail -n 1 | tr -d '\r')
	mkdir -p "$scratch/peer"
	printf 'release %s\n' "$release" >"$scratch/peer/request"
	bats/bench/make_peer.sh build "$scratch/peer" >/dev/null || return
	build/brinell rig run gmem --file build/bench/gmem --file "$peer" --file bats/bench/peer.sh --timeout 20min -- \
		sh /root/peer.sh "$operations_gmem" "$rounds_gmem" | tr -d '\r'
	return "${PIPESTATUS[0]}"
}

# The processor time that the emulator of a host has used, in seconds, at each line "bench: WORD" of its console, until its run ends.
used_at_marks() { # PID-OF-RIG-RUN CONSOLE
	local line='' part emulator='' stat
	until [ -e "$2" ]; do
		kill -0 "$1" || return
		sleep 0.02
	done
	while :; do
		if ! IFS= read -r part; then
			line+=$part
			kill -0 "$1" 2>/dev/null || break
			sleep 0.02
			continue
		fi
		line+=${part%$'\r'}
		if [[ $line == *'bench: '* ]]; then
			[ "$emulator" ] || emulator=$(pgrep -P "$(pgrep -d, -P "$1")" | head -n 1)
			read -r -a stat <"/proc/$emulator/stat"
			echo "${line##*bench: } $((stat[13] + stat[14]))"
		fi
		line=''
	done <"$2" | awk -v hertz="$(getconf CLK_TCK)" '{ print $1, $2 / hertz }'
}

# The median of the first column of its input, the interval that has that of all such rounds with a confidence of 95 %, and the extremes. The
# interval is between two of the values (the sign test), whatever their distribution is.
median() { # NAME
	sort -n | awk -v name="$1" '{ all[NR] = $1 } END {
		chance = 0.5 ^ NR
		for (least = 0; (below += chance) <= 0.025; least++)
			chance *= (NR - least) / (least + 1)
		printf "%-28s median %.3f", name, (all[int((NR + 1) / 2)] + all[int(NR / 2) + 1]) / 2
		if (least)
			printf ", %.3f to %.3f with 95 %% confidence", all[least], all[NR + 1 - least]
		printf "; %d rounds, %.3f to %.3f\n", NR, all[1], all[NR] }'
}

# A program beside xl suspends its guest, as the agent does it for its own migrations. The guests move in turns, each as often before the other
# as behind it, so that both sides have the same load of the machine, and a round compares what was measured within seconds. The
# emulator's processor time counts what both cost without what other programs take.
moved() {
	local run said=$scratch/conversation rounds=$scratch/rounds
	build/brinell rig build xen >&2 && build/brinell rig run xen -- true >&2 || return
	build/brinell rig run xen --artifacts "$scratch/host" --file build/bench/suspend --file bats/bench/xen_mover.sh --timeout 20min -- \
		busybox sh /root/xen_mover.sh "$rounds_xen" >"$said" &
	run=$!
	used_at_marks "$run" "$scratch/host/console.log" |
		awk '$1 == "ended" { used[side] = $2 - last; if (++n % 2 == 0 && n > 2) print used["xl"], used["mover"] }
			{ side = $1; last = $2 }' >"$scratch/used"
	wait "$run"
	tr -d '\r' <"$said" | awk '$1 == "moved" { print $2, $3 }' | paste -d ' ' - "$scratch/used" >"$rounds"
	sed 's/^/round /' "$rounds"
	if [ "$(awk 'NF == 4' "$rounds" | wc -l)" -ne "$rounds_xen" ]; then
		tail -n 20 "$said" >&2
		return 1
	fi
	awk '{ print $1 }' "$rounds" | median 'xl migrate, s'
	awk '{ print $2 }' "$rounds" | median 'mover, s'
	awk '{ print $2 / $1 }' "$rounds" | median 'mover / xl migrate'
	awk '{ print $3 }' "$rounds" | median 'xl migrate, s of processor'
	awk '{ print $4 }' "$rounds" | median 'mover, s of processor'
	awk '{ print $4 / $3 }' "$rounds" | median 'mover / xl, of processor'
}

xen() { scenarios xen 'xen/*'; }

machine() {
	printf '%d cores, %s, QEMU %s%s\n' "$(nproc)" \
		"$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)" \
		"$(qemu-system-x86_64 --version | sed -n "s/^QEMU emulator version \([0-9.]*\).*/\1/p")" \
		"${hosts:+, emulated kernel $(build/brinell rig run -- uname -r 2>/dev/null | tail -n 1 | tr -d '\r')}"
	if pgrep -c qemu-system >/dev/null; then
		echo 'The machine was busy with another emulator: do not compare these figures with others.'
	fi
}

parts="boot journal trials scale compare plugin demo start idle pattern poison downtime library gmem moved xen"
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $parts
for name in "$@"; do
	case " $parts " in
	*" $name "*) ;;
	*)
		echo "usage: bats/bench/run.sh [${parts// /|}]..." >&2
		exit 2
		;;
	esac
done
make -s benches build/brinell-guest || exit 1
# Parts that need no emulated host start none.
hosts=
for name in "$@"; do
	case $name in
	journal | compare) ;;
	scale) [ -n "${SCALE_RUN:-}" ] || hosts=yes ;;
	*) hosts=yes ;;
	esac
done
[ -z "$hosts" ] || build/brinell rig build intel >&2 || exit 1
machine >"$block"
echo >>"$block"
for name in "$@"; do
	case $name in
	boot)
		say "power-on to the agent's hello, and the same machine to a bare shell: $rounds_boot rounds of some 15 s"
		part 'Boot' boot
		;;
	journal)
		say 'the journal and a bare loop of write and fdatasync'
		part 'Journal' journal
		;;
	trials)
		say "$trials trials of einj/single in one boot, some 0.4 s each"
		part 'Trials' trials
		;;
	scale)
		say "a run of $trials_many trials against a fake agent, judge and reports of $trials_scale trials: some 10 minutes"
		part 'Scale' scale
		;;
	compare)
		say 'comparisons of many metrics, and an index of many trials: generated runs, no emulated host'
		part 'Comparisons' compare
		;;
	plugin)
		say "the emulator's processor time for sha256sum of 128 MiB, with the idle plugin and without it: $rounds_plugin rounds"
		part 'Plugin' plugin
		;;
	demo)
		say 'make demo with an empty cache, and once more: some 3 minutes'
		part 'Demo' demo
		;;
	start)
		say "start of a guest to its hello, and the same by hand: $rounds_start rounds of some 40 s"
		part 'Guest: start' start
		;;
	idle)
		say "what an armed program costs its guest: $rounds_idle rounds of some 20 s"
		part 'Guest: armed and idle' idle
		;;
	pattern)
		say 'pattern in a guest, and a plain read of the same memory'
		part 'Guest: pattern' pattern
		;;
	poison)
		say "$trials_poison trials of kvm/hwpoison-load, one guest each"
		part 'Guest: poison' poison
		;;
	downtime)
		say "$trials_downtime migrations between two hosts, some 50 s each"
		part 'Guest: downtime' downtime
		;;
	library)
		say 'all of kvm/*'
		part 'Guest: all scenarios' library
		;;
	gmem)
		say "conversions of guest memory: $rounds_gmem rounds of $operations_gmem operations"
		part 'Conversions of guest memory' gmem
		;;
	moved)
		say "guests of Xen: the mover beside xl, $rounds_xen rounds of some 15 s"
		part 'Guests of Xen: the mover' moved
		;;
	xen)
		say 'guests of Xen: the whole matrix'
		part 'Guests of Xen' xen
		;;
	esac
done
say "for docs/benchmarks.md"
cat "$block"
exit $failed
