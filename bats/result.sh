#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: bats/result.sh [--plain] FILE NAME COMMAND...
# Runs a test under a timeout (TEST_TIMEOUT seconds, default 300) and leaves its TAP lines in FILE when all of them pass,
# in FILE.failed otherwise, with the output of the test on standard output. --plain: the command prints no TAP, its exit
# status is the result.
set -uo pipefail

plain=false
[ "$1" != --plain ] || { plain=true && shift; }
file=$1
name=$2
shift 2
mkdir -p "$(dirname "$file")"
rm -f "$file" "$file.failed"
out=$file.out
# Freed memory is kept long enough to see that it is used, not for the whole of a short program. A fault in memory is reported with the
# caller of malloc() alone; ASAN_OPTIONS=malloc_context_size=30:handle_sigill=1 records its whole stack, and takes a fifth longer.
export ASAN_OPTIONS=${ASAN_OPTIONS:-quarantine_size_mb=2:malloc_context_size=2:handle_sigill=1}

timeout --kill-after=10 "${TEST_TIMEOUT:-300}" "$@" >"$out" 2>&1
status=$?
if $plain; then
	[ $status -ne 0 ] || echo "ok $name" >"$file.failed"
else
	# cmocka writes a skipped test as "not ok N # SKIP NAME", with version 1.1.7 as "ok"; its reason is the line that the test printed before.
	awk '/^skipped: / { reason = substr($0, 10) }
		/^(not )?ok [0-9]+ # SKIP/ { sub(/^not /, ""); print $0 ": " reason; next }
		/^(not )?ok /' "$out" >"$file.failed"
fi
# A known failure (# TODO) is no failure; a test that ends badly, or without any result, is one.
failed=false
! grep -a '^not ok ' "$file.failed" 2>/dev/null | grep -aviq '# *todo' || failed=true
if ! $failed && { [ $status -ne 0 ] || ! [ -s "$file.failed" ]; }; then
	echo "not ok $name ended with status $status" >>"$file.failed"
	failed=true
fi
if $failed; then
	tail -n 60 "$out"
else
	mv "$file.failed" "$file"
fi
rm -f "$out"
exit 0
