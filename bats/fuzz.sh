#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: bats/fuzz.sh SECONDS FUZZER...
# Runs libFuzzer targets from their corpora under bats/fuzz/corpus.
# What is found goes into build/fuzz/found and is never written into the corpus by itself.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1
shift
mkdir -p build/fuzz/found
for fuzzer in "$@"; do
	name=${fuzzer##*/fuzz_}
	corpus=bats/fuzz/corpus/$name
	grown=build/fuzz/grown/$name
	[ -n "$(ls -A "$corpus")" ] || {
		echo "$corpus is empty: there is nothing to start from" >&2
		exit 1
	}
	mkdir -p "$grown"
	"$fuzzer" -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 -print_final_stats=1 \
		-artifact_prefix="build/fuzz/found/$name-" "$grown" "$corpus"
done
