#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Drives what the larger targets of the Makefile do: demo, check-fast, check, check-guests, check-xen, bench. Prints what it does and
# how long it will take, keeps going after a failure, and ends with one plain line of counts.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

log=$(mktemp -d "${TMPDIR:-/tmp}/brinell-check.XXXXXX")
memory=
trap 'rm -rf "$log" "$memory"' EXIT
results=$log/results.tap
: >"$results"
jobs=$(nproc)

say() { printf '\n== %s\n' "$*" >&2; }

# Runs a test and adds its results to those of the whole.
tap() { # NAME COMMAND...
	local name=$1
	shift
	bats/result.sh "$log/part.tap" "$name" "$@"
	cat "$log"/part.tap* | tee -a "$results"
}

# What has failed in a file of TAP; a failure that is known and noted is none (# TODO).
failures() { # FILE
	grep -a '^not ok ' "$1" | grep -aiv '# *todo'
}

check() { # DESCRIPTION COMMAND...: one check that is no test program
	local description=$1 out=$log/part
	shift
	if "$@" >"$out" 2>&1; then
		echo "ok $description" >>"$results"
	else
		echo "not ok $description" | tee -a "$results"
		tail -n 60 "$out"
	fi
}

finish() {
	local passed failed skipped
	skipped=$(grep -aciE '^ok .*# *skip' "$results")
	passed=$(($(grep -ac '^ok ' "$results") - skipped))
	failed=$(failures "$results" | wc -l)
	if [ "$skipped" -gt 0 ]; then
		say "skipped"
		grep -aiE '^ok .*# *skip' "$results" >&2
	fi
	if grep -aiq '^not ok .*# *todo' "$results"; then
		say "known failures"
		grep -ai '^not ok .*# *todo' "$results" >&2
	fi
	if [ "$failed" -gt 0 ]; then
		say "failed"
		failures "$results" >&2
	fi
	printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

build() {
	say "building (about 30 s when nothing is built yet)"
	make -s -j"$jobs" WERROR="${WERROR:-}" all || exit 1
}

# Tests write into memory if there is room, because they sync each record that they write: they wait for the disk otherwise.
write_to_memory() {
	local free_mib
	free_mib=$(df --output=avail -BM /dev/shm 2>/dev/null | tail -n 1 | tr -dc 0-9)
	[ -z "${TMPDIR:-}" ] && [ "${free_mib:-0}" -ge 256 ] || return
	memory=$(mktemp -d /dev/shm/brinell-check.XXXXXX) || return
	# Tests run programs there.
	cp /bin/true "$memory" && "$memory/true" && export TMPDIR=$memory
}

# Style, unit tests, and the corpora of the fuzzers. The result of each stands until the test or what it reads has changed.
fast() {
	say "style, unit tests with AddressSanitizer and UBSan, fuzz corpora (about 1 minute when nothing is built yet)"
	write_to_memory
	find build/style build/asan/results -name '*.failed' -delete 2>/dev/null
	# Tests wait more than they compute.
	if ! make -s -k -j$((jobs * 2)) SANITIZE=1 WERROR=1 styles results replays benches 2>&1 | tee "$log/build"; then
		echo "not ok the sanitized build" | tee -a "$results"
		tail -n 60 "$log/build"
		# Results of what could not be built are those of before.
		make -s -k -n SANITIZE=1 WERROR=1 styles results replays 2>/dev/null |
			grep -oE 'build/(style|asan/results)/[a-z0-9_.]+\.tap' | xargs -r rm -f
	fi
	collect "$(cat build/results.list)"
}

# Adds the results that make has brought up to date.
collect() { # FILES
	local file missing=0
	for file in $1; do
		if [ -f "$file" ]; then
			cat "$file"
		elif [ -f "$file.failed" ]; then
			cat "$file.failed"
		else
			missing=$((missing + 1))
		fi
	done >>"$results"
	[ "$missing" -eq 0 ] || echo "not ok the results of $missing programs were not made: the build has failed" >>"$results"
}

fuzz() { # SECONDS
	say "fuzzing every parser for $1 s each, from the corpora"
	if ! make -s -j"$jobs" fuzzers >"$log/build" 2>&1; then
		echo "not ok the fuzzers build" | tee -a "$results"
		tail -n 60 "$log/build"
		return
	fi
	local fuzzer
	for fuzzer in build/fuzz/fuzz_*; do
		[ -f "$fuzzer" ] && [ -x "$fuzzer" ] &&
			check "${fuzzer##*/} for $1 s" bats/fuzz.sh "$1" "$fuzzer"
	done
}

rig() {
	say "the rig: every scenario of one emulated host (about 4 minutes)"
	build/brinell rig build intel || {
		echo "not ok the image of the rig" | tee -a "$results"
		return
	}
	scenarios hosts "einj/*" "mce/*" "hwpoison/*" "dma/*"
	local test
	for test in bats/rig/*.bats; do
		say "${test##*/} (about 2 minutes)"
		TEST_TIMEOUT=1800 tap "${test##*/}" bats --tap "$test"
	done
}

# Scenarios on the rig; what it can do may not be skipped there.
scenarios() { # NAME PATTERN...
	local name=$1
	shift
	TEST_TIMEOUT=7200 tap "$name" build/brinell run --out "$log/$name" "$@"
	check "no scenario of $name is skipped on the rig" \
		bash -c "[ -s '$log/$name/ktap.txt' ] && ! grep -a 'SKIP' '$log/$name/ktap.txt' | grep -av 'SKIP known failure'"
}

guests() { # quick|all
	build/brinell rig build kvm || {
		echo "not ok the image of the rig with guests" | tee -a "$results"
		return
	}
	case $1 in
	quick)
		say "guests on emulated hosts: a selection (about 5 minutes)"
		scenarios guests-quick @guests-quick
		say "conversions of guest memory: a selection (about 2 minutes, the first time 4 more)"
		scenarios gmem-quick @gmem-quick
		say "guests of Xen on an emulated host: a selection of the matrix (about 5 minutes)"
		scenarios xen-quick @xen-quick
		;;
	all)
		say "guests on emulated hosts, one host (about 5 minutes)"
		scenarios guests "kvm/*"
		say "guests that migrate between two emulated hosts (about 20 minutes)"
		scenarios migrations "kvm/migration/*"
		say "conversions of guest memory (about 4 minutes)"
		# Some need what only kernels of your own have, and are skipped.
		TEST_TIMEOUT=3600 tap gmem build/brinell run --out "$log/gmem" "gmem/*"
		say "conversations with the agent about guests (about 10 minutes)"
		TEST_TIMEOUT=1800 tap guests.bats bats --tap bats/guests/guests.bats
		TEST_TIMEOUT=1800 tap pair.bats bats --tap bats/guests/pair.bats
		;;
	esac
}

xen() {
	build/brinell rig build xen || {
		echo "not ok the image of the rig with Xen" | tee -a "$results"
		return
	}
	say "guests of Xen on one and on two emulated hosts: the whole matrix (about 60 minutes)"
	scenarios xen "xen/*"
	say "programs and emulators that are killed during a migration of Xen (about 20 minutes)"
	TEST_TIMEOUT=3600 tap xen.bats bats --tap bats/guests/xen.bats
	build/brinell rig build xen-ept || {
		echo "not ok the image of the rig with Xen and EPT" | tee -a "$results"
		return
	}
	say "guests of Xen with EPT, on a host in the emulator Bochs: a selection (about 20 minutes)"
	scenarios xen-ept @xen-ept --bench xen-ept
}

case ${1:-} in
demo)
	./setup || exit 1
	build
	say "the rig's image (some 120 MB are fetched the first time, about 1 minute)"
	build/brinell rig build intel || exit 1
	say "the demo: an emulated host, real faults, about 1 minute"
	build/brinell run @demo
	status=$?
	directory=$(readlink -f brinell-runs/latest)
	printf '\nReport: %s\n' "$directory/report.html" >&2
	exit $status
	;;
check-fast)
	# It needs no root, so it installs nothing.
	./setup --check
	fast
	finish
	;;
check)
	./setup || exit 1
	say "all tests: about 25 minutes on two cores"
	WERROR=1 build
	fast
	check "every branch of the statistics is tested" make -s coverage
	fuzz "${FUZZ_SECONDS:-5}"
	rig
	guests quick
	finish
	;;
check-guests)
	./setup || exit 1
	WERROR=1 build
	guests all
	finish
	;;
check-xen)
	./setup || exit 1
	WERROR=1 build
	xen
	finish
	;;
bench)
	./setup || exit 1
	build
	exec bats/bench/run.sh
	;;
*)
	echo "usage: bats/run.sh demo|check|check-fast|check-guests|check-xen|bench (make runs it)" >&2
	exit 2
	;;
esac; exit # the shell reads no further: the file may have changed meanwhile
