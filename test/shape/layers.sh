#!/bin/sh
# SPDX-License-Identifier: MIT
# layers.sh TOP [LIBRARY_TEST] - includes point down; what shows only <myriad.h> sees only that;
# conn/ makes no system call; and whoever makes one goes through the table.
set -u
. "$(dirname "$0")/tap.sh"
cd "$1" || exit 1
archive=${2:-}

# Lines "file:include" of the quoted or bracketed includes of some files.
includes() { # quoted|bracketed FILE...
	case $1 in quoted) form='"[^"]*"' ;; *) form='<[^>]*>' ;; esac
	shift
	grep -o "^[[:space:]]*#[[:space:]]*include[[:space:]]*$form" "$@" /dev/null |
		sed 's/:.*include[[:space:]]*["<]/:/; s/[">]$//'
}

layer() { # NAME ALLOWED: a pattern of what its files may include between quotes
	case_is "$1/ includes only what is below it" "$(includes quoted src/$1/*.[chS] | grep -Ev ":($2)\$")"
}

case_is "every source file is built" "$(
	for file in src/*/*.c src/*/*.S; do
		grep -q "'${file#src/}'" src/meson.build || echo "$file: not in src/meson.build"
	done)"

layer base  'myriad\.h|base/.*'
layer io    'myriad\.h|(base|io)/.*'
layer conn  'myriad\.h|(base|io|conn)/.*'
layer serve 'myriad\.h|(base|io|conn|serve)/.*'
layer service 'service/.*'
layer cli     '(cli|service)/.*'

case_is "examples/ include nothing between quotes" "$(includes quoted examples/*.c)"

# Anything else in brackets is libc's; what is not installed by libc or the kernel has such a name.
case_is "cli/, service/ and examples/ use <myriad.h> and libc" \
	"$(includes bracketed src/cli/*.[ch] src/service/*.[ch] examples/*.c |
		grep -E ':(liburing|openssl/|valgrind/|sanitizer/|cmocka)')"

case_is "libedit and jansson are each seen by one file" \
	"$(includes bracketed src/*/*.[ch] | grep -E ':(editline/|histedit|readline/|jansson)' |
		grep -Ev '^src/cli/(edit\.c:editline/readline|report\.c:jansson)\.h$')"

case_is "conn/ includes no header of sockets or polling" \
	"$(includes bracketed src/conn/*.[ch] |
		grep -E ':(sys/(socket|epoll|select|eventfd|un)|netinet/.*|arpa/inet|netdb|poll|liburing).*\.h$')"

calls='socket|bind|listen|accept4|connect|shutdown|[gs]etsockopt|getsockname|recv|send|sendmsg'
calls="$calls|recvmmsg|read|write|close|socketpair|eventfd|select|poll|epoll_create1|epoll_ctl|epoll_wait|fork|waitid"
case_is "conn/ calls no sys_ function of descriptors or processes" \
	"$(grep -nE "\bsys_($calls)[[:space:]]*\(" src/conn/*.[ch])"

# In the test library the only object that may name the real calls is the table.
names=$(sed -n 's/^\tX([^,]*, \([a-z0-9_]*\),.*/\1/p' src/base/sys.h | grep -Ev '^(malloc|calloc|realloc)$' | paste -sd'|')
if [ -z "$archive" ]; then
	:
elif [ -z "$names" ]; then
	case_is "base/sys.h lists the system calls" "src/base/sys.h: no X() line found"
else
	case_is "system calls go through base/sys.h" \
		"$(nm -A -u "$archive" 2>/dev/null | grep -v 'base_sys\.c' | grep -E " U ($names)\$" |
			sed 's/.*src_//; s/\.c\.o:.* U /.c: /')"
fi
done_with_cases
