#!/bin/sh
# SPDX-License-Identifier: MIT
# exports.sh HEADER LIBRARY... - the libraries export all that the header declares, and nothing else.
set -u
. "$(dirname "$0")/tap.sh"
header=$1
shift

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# Declared: functions are myr_NAME( after MYR_API; data come in one list of their own.
awk '
	/^extern MYR_API/ { data = 1 }
	data { gsub(/\/\*.*\*\//, ""); line = $0; sub(/^.*struct myr_framing/, "", line)
	       while (match(line, /myr_[a-z0-9_]+/)) { print substr(line, RSTART, RLENGTH); line = substr(line, RSTART + RLENGTH) }
	       if ($0 ~ /;/) data = 0; next }
	/^MYR_API/ { if (match($0, /myr_[a-z0-9_]+[ ]*\(/)) { name = substr($0, RSTART, RLENGTH); gsub(/[ (]/, "", name); print name } }
' "$header" | sort -u >"$work/declared"

case_is "the header declares functions and data" \
	"$([ "$(wc -l <"$work/declared")" -gt 60 ] && grep -qx myr_prefix16 "$work/declared" || cat "$work/declared")"
for library; do
	case $library in
	*.a) nm -g --defined-only "$library" ;;
	*)   nm -D --defined-only "$library" ;;
	esac | awk 'NF == 3 && $2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u >"$work/exported"
	name=$(basename "$library")
	case_is "$name exports something" "$([ -s "$work/exported" ] || echo 'no symbols')"
	case_is "$name exports only myr_ names" "$(grep -v '^myr_' "$work/exported")"
	case_is "$name defines all that is declared" "$(comm -23 "$work/declared" "$work/exported")"
	case_is "$name exports nothing that is not declared" "$(comm -13 "$work/declared" "$work/exported")"
done
done_with_cases
