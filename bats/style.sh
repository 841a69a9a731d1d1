#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: bats/style.sh format|shell|rooms|documents|licence RESULT [FILE...]
# Checks the style of files, and leaves the result in RESULT as bats/result.sh does.
set -uo pipefail
check=$1
result=$2
shift 2

# Prints each file without a licence in its first two lines.
name_unlicensed() { # FILE...
	awk 'FNR == 1 { files[FILENAME] }
		FNR <= 2 && /SPDX/ { licensed[FILENAME] }
		FNR == 2 { nextfile }
		END { for (file in files) if (!(file in licensed)) { print file; bad = 1 } exit bad }' "$@"
}

case $check in
format)
	format=${CLANG_FORMAT:-clang-format}
	version=$("$format" --version 2>/dev/null | grep -oE 'version [0-9]+' | grep -oE '[0-9]+')
	if [ "$version" = 14 ]; then
		bats/result.sh --plain "$result" "sources are formatted as .clang-format says" "$format" --dry-run -Werror "$@"
	else
		bats/result.sh "$result" formatting \
			echo "ok formatting # SKIP clang-format is version ${version:-none}; the layout is defined by version 14"
	fi
	;;
shell) bats/result.sh --plain "$result" "shell parts pass shellcheck" shellcheck --external-sources "$@" ;;
rooms) bats/result.sh --plain "$result" "rooms include what rooms.mk allows" bats/rooms.sh ;;
documents) bats/result.sh --plain "$result" "documents name what exists" bats/documents.sh "$@" ;;
licence)
	export -f name_unlicensed
	# shellcheck disable=SC2016 # the inner shell expands it
	bats/result.sh --plain "$result" "every source names its licence" bash -c 'name_unlicensed "$@"' sh "$@"
	;;
esac
