#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Scenarios that a script writes are what it writes now.

setup() {
	library=$BATS_TEST_DIRNAME/../../harness/scenario/library
}

@test "the matrix of Xen in the library is that of make-matrix" {
	"$library/xen/make-matrix" "$BATS_TEST_TMPDIR"
	[ "$(find "$BATS_TEST_TMPDIR" -name '*.yaml' | wc -l)" -eq 121 ]
	for file in "$BATS_TEST_TMPDIR"/*.yaml; do
		diff "$file" "$library/xen/"
	done
	[ "$(grep -l 'Written by make-matrix' "$library"/xen/*.yaml | wc -l)" -eq 121 ]
}

@test "every cell that is known to fail is a cell, and names a page of findings" {
	while read -r cell _ _; do
		file=$library/xen/$cell.yaml
		page=$(grep -oE 'docs/findings/[a-z-]+\.md' "$file")
		[ -s "$library/../../../$page" ]
	done <"$library/xen/known-failures"
}

@test "a selection of at least ten cells is for every check" {
	[ "$(grep -lE '^tags: .*xen-quick' "$library"/xen/*.yaml | wc -l)" -ge 10 ]
}
