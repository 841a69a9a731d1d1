#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: coverage.sh ROOM TEST
# Prints which share of the lines and branches of a room its test has reached, by gcov, and each branch that it has not. Fails when
# there is one. The room uses no other.
set -euo pipefail
cd "$(dirname "$0")/.."
room=$1 test=$2 out=build/coverage/$1

rm -rf "$out" && mkdir -p "$out"
wrapped=$(sed -n 's/^[ *]*wraps: //p' "bats/unit/$test.c")
# shellcheck disable=SC2086 # flags
gcc -D_GNU_SOURCE -I. -std=gnu17 -O0 -g --coverage -dumpdir "$out/" ${wrapped:+-Wl,--wrap=$wrapped} -o "$out/$test" "bats/unit/$test.c" \
	"$room"/*.c -lcmocka -lm
"$out/$test" >"$out/log" 2>&1 || {
	cat "$out/log"
	exit 1
}
for source in "$room"/*.c; do
	gcov -b -t -o "$out/$(basename "$source" .c).gcda" "$source" >"$out/$(basename "$source").gcov" 2>/dev/null
done
# A branch belongs to the line before it.
awk '
	/^ *[0-9#=*-]+: *[0-9]+:/ { split($0, part, ":"); line = $0; sub(/^[^:]*:[^:]*:/, "", line); number = part[2] + 0
		file = FILENAME; sub(/.*\//, "", file); sub(/\.gcov$/, "", file)
		if (part[1] !~ /-/) { lines[file]++; reached[file] += part[1] !~ /#|=/ } }
	/^branch/ { branches[file]++; if (/taken 0%|never/) print file ":" number ": a branch is never taken:" line; else taken[file]++ }
	END {
		for (file in lines) {
			printf "%-12s %3d of %3d lines, %3d of %3d branches\n", file, reached[file], lines[file], taken[file], branches[file]
			bad += taken[file] < branches[file] || reached[file] < lines[file]
		}
		exit bad > 0
	}' "$out"/*.c.gcov
