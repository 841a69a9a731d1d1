#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# `make install`, as a user calls it.

@test "an installation works from wherever it was put, and can be repeated" {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	cd "$BATS_TEST_TMPDIR" || return 1
	# The options of the make that runs the tests are not those of an installation. The sanitized program is the one that has been built.
	unset MAKEFLAGS MFLAGS MAKEOVERRIDES
	make -s -C "$top" install SANITIZE=1 DESTDIR="$PWD/image" PREFIX=/opt/brinell
	make -s -C "$top" install SANITIZE=1 DESTDIR="$PWD/image" PREFIX=/opt/brinell
	run "$PWD/image/opt/brinell/bin/brinell" list scenarios
	[ "$status" -eq 0 ]
	[ "$(grep -cE '^(einj|mce|hwpoison)/' <<<"$output")" -eq "$("$top/build/asan/brinell" list scenarios | grep -cE '^(einj|mce|hwpoison)/')" ]
	"$PWD/image/opt/brinell/bin/brinell-agent" --help | grep -q '^usage: '
	[ -s "$PWD/image/opt/brinell/share/man/man1/brinell.1" ]
	[ -s "$PWD/image/opt/brinell/share/bash-completion/completions/brinell" ]
	grep -q '^ExecStart=/opt/brinell/bin/brinell nightly /etc' "$PWD/image/opt/brinell/lib/systemd/system/brinell-nightly.service"
	grep -q '^ExecStart=/opt/brinell/bin/brinell nightly --continue /etc' "$PWD/image/opt/brinell/lib/systemd/system/brinell-nightly-continue.service"
}
