#!/bin/sh
# SPDX-License-Identifier: MIT
# header.sh TOP [CFLAGS...] - <myriad.h> compiles alone as C99, C11, C17 and C++17, without a warning;
# so does each internal header, as the library is compiled.
set -u
. "$(dirname "$0")/tap.sh"
top=$1
shift

public() { # COMPILER LANGUAGE STANDARD
	printf '#include <myriad.h>\n#include <myriad.h>\nint main(void) { return 0; }\n' |
		"$1" -x "$2" -std="$3" -Wall -Wextra -Wpedantic -Wshadow -Werror -I"$top/include" -fsyntax-only - 2>&1
}

try() {
	if command -v "$1" >/dev/null; then
		case_is "$1 $3" "$(public "$@")"
	else
		case_skipped "$1 $3" "no $1"
	fi
}

for standard in c99 c11 c17; do
	try gcc c $standard
	try clang c $standard
done
try g++ c++ c++17
try clang++ c++ c++17

complaints=
for header in "$top"/src/*/*.h; do
	complaints="$complaints$(${CC:-cc} -x c -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror "$@" \
		-I"$top/src" -I"$top/include" -fsyntax-only -include "$header" /dev/null 2>&1)"
done
case_is "each internal header compiles alone" "$complaints"
done_with_cases
