#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Fuzz each target for some seconds with clang's libFuzzer; what is found stays in build-fuzz/.
#
#	test/fuzz/run.sh [SECONDS] [TARGET]...
#	CC=gcc test/fuzz/run.sh 0		only replay the corpus, with any compiler
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
out=$top/build-fuzz
seconds=${1:-30}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- framing endpoint escape
flags="-D_GNU_SOURCE -std=gnu11 -g -O1 -I$top/src -I$top/include -I$top/test"
mkdir -p "$out"
cd "$top"

for target; do
	case $target in
	framing)  sources="src/conn/framing.c" ;;
	endpoint) sources="src/base/addr.c src/base/log.c src/base/sys.c" ;;
	escape)   sources="src/base/log.c src/base/sys.c" ;;
	*)        echo "$0: no target $target" >&2; exit 2 ;;
	esac
	if [ "$seconds" -eq 0 ]; then
		${CC:-cc} $flags -fsanitize=address,undefined -fno-sanitize-recover=undefined \
			"test/fuzz/fuzz_$target.c" test/fuzz/replay.c $sources -o "$out/replay_$target"
		"$out/replay_$target" test/fuzz/corpus/"$target"/*
		continue
	fi
	clang $flags -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		"test/fuzz/fuzz_$target.c" $sources -o "$out/fuzz_$target"
	mkdir -p "$out/$target"
	"$out/fuzz_$target" -max_total_time="$seconds" -max_len=600 -print_final_stats=1 \
		-artifact_prefix="$out/$target-" "$out/$target" "test/fuzz/corpus/$target" 2>&1 |
		grep -E 'ERROR|SUMMARY|Assert|endpoint "|in one piece|in others|byte [0-9]|Test unit written|stat::number_of_executed'
	! ls "$out/$target"-crash-* "$out/$target"-leak-* 2>/dev/null
done
