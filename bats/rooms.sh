#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Compares the #include lines with rooms.mk: prints each that the table does not allow, and fails if there is one.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t files < <(sed -nE 's/^\$\(call room, *([^,)]*).*/\1/p' rooms.mk | while read -r room; do ls "$room"/*.[ch]; done)
awk '
	FILENAME == "rooms.mk" {
		if ($0 !~ /^\$\(call room,/)
			next
		gsub(/^\$\(call room, *|\)$/, "")
		count = split($0, parts, / *, */)
		room = parts[1]
		allowed[room, room] = 1
		count = split(parts[2], used, " ")
		for (i = 1; i <= count; i++)
			for (key in allowed) {
				split(key, pair, SUBSEP)
				if (pair[1] == used[i])
					allowed[room, pair[2]] = 1
			}
		next
	}
	/^#include "/ {
		room = FILENAME
		sub(/\/[^\/]*$/, "", room)
		name = $2
		gsub(/"/, "", name)
		sub(/\/[^\/]*$/, "", name)
		if (!((room, name) in allowed)) {
			print FILENAME ":" FNR ": " room " may not include " name " (rooms.mk)"
			bad = 1
		}
	}
	END { exit bad }
' rooms.mk "${files[@]}"
