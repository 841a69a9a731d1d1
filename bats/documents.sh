#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: bats/documents.sh FILE...
# Prints what documents name and the tree does not have: targets of links, paths and scenarios in backticks, and numbers of scenarios
# ("42 scenarios `kvm/*`"). Fails if there is one.
# shellcheck disable=SC2016 # backticks are those of the documents
set -uo pipefail
cd "$(dirname "$0")/.." || exit
library=harness/scenario/library
status=0

# Prints FILE:LINE:TEXT of each match in the documents.
matches() { # PATTERN FILE...
	grep -noHE -e "$@" | tr -d '`'
}

wrong() { # FILE LINE TEXT
	echo "$1:$2: $3"
	status=1
}

while IFS=: read -r file line text; do
	[ -e "$(dirname "$file")/${text#*(}" ] || wrong "$file" "$line" "there is no file '${text#*(}'"
done < <(matches '\]\([^):#]+' "$@")

while IFS=: read -r file line text; do
	compgen -G "$text" >/dev/null || wrong "$file" "$line" "there is no file '$text'"
done < <(matches '`(bats|harness|inject|reports|workloads)/[^` ]+`' "$@")

while IFS=: read -r file line text; do
	# A directory may be that of perf's counts ("kvm/exits").
	compgen -G "$library/$text.yaml" >/dev/null || [[ $text == */exits ]] ||
		wrong "$file" "$line" "there is no scenario '$text'"
done < <(matches '`('"$(cd $library && echo */ | sed 's|/ |\||g; s|/$||')"')/[a-z0-9/*-]+`' "$@")

while IFS=: read -r file line text; do
	mapfile -t scenarios < <(compgen -G "$library/${text##* }.yaml")
	[ "${text%% *}" -eq ${#scenarios[@]} ] || wrong "$file" "$line" "'$text': there are ${#scenarios[@]}"
done < <(matches '[0-9]+ (scenarios )?`[a-z/]+/[a-z-]*\*`' "$@")
exit $status
