#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Prints for the Makefile which rooms each test, fuzzer and benchmark links, rooms.FILE := ROOM..., and which function a test puts its
# own in place of (a line "wraps: NAME" of it): wraps.FILE := NAME.
set -euo pipefail
cd "$(dirname "$0")/.."

# Each file with the rooms that it names itself, and the headers of tests that it includes.
awk '
	/^#include "bats\// { sub(/^#include "/, ""); sub(/".*/, ""); used[FILENAME] = used[FILENAME] " " $0; next }
	/^#include "/ { sub(/^#include "/, ""); sub(/\/[^\/]*".*/, ""); rooms[FILENAME] = rooms[FILENAME] " " $0; next }
	/^[ \/*]*rooms: / { sub(/.*rooms: /, ""); sub(/ *\*\/.*/, ""); rooms[FILENAME] = rooms[FILENAME] " " $0 }
	/^[ \/*]*wraps: / { sub(/.*wraps: /, ""); wraps[FILENAME] = $1 }
	function all(file, seen,   parts, count, i, text) {
		if (index(seen, "|" file "|"))
			return ""
		text = rooms[file]
		count = split(used[file], parts, " ")
		for (i = 1; i <= count; i++)
			text = text all(parts[i], seen "|" file "|")
		return text
	}
	END {
		for (i = 1; i < ARGC; i++) {
			name = ARGV[i]
			sub(/\.c$/, "", name)
			if (ARGV[i] ~ /\.c$/)
				print "rooms." name " := $(sort" all(ARGV[i], "") ")"
			if (wraps[ARGV[i]])
				print "wraps." name " := " wraps[ARGV[i]]
		}
	}
' bats/*/*.[ch]
