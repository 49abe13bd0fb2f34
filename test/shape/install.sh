#!/bin/sh
# SPDX-License-Identifier: MIT
# install.sh TOP BUILD - what is installed is complete, and a program builds against it by pkg-config,
# shared and static, even one that has functions of the same names as ours.
set -u
. "$(dirname "$0")/tap.sh"
top=$1 build=$2

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
root=$work/root

case_is "meson install" "$(meson install -C "$build" --no-rebuild --destdir "$root" >"$work/log" 2>&1 || cat "$work/log")"

pc=$(find "$root" -name myriad.pc)
export PKG_CONFIG_SYSROOT_DIR="$root" PKG_CONFIG_PATH="${pc%/*}"
lib=$root$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --variable=libdir myriad)
bin=$root$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --variable=prefix myriad)/bin

missing=
for file in "$bin/myriad" "$lib/libmyriad.so" "$lib/libmyriad.so.0" "$lib/libmyriad.a" \
	"$root$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --variable=includedir myriad)/myriad.h"; do
	[ -e "$file" ] || missing="$missing ${file#"$root"}"
done
case_is "program, libraries, header and myriad.pc are installed" "$missing"
case_is "the version is the same everywhere" \
	"$([ "$("$bin/myriad" -V)" = "myriad $(pkg-config --modversion myriad)" ] || "$bin/myriad" -V 2>&1)"

# Asks a server for its engines: needs the library at run time, but no network.
cat >"$work/user.c" <<'EOF'
#include <myriad.h>
#include <stdio.h>

int conn_fail(void) { return 1; }       /* names of the library's own */
int outq_gather(void) { return 2; }
int loop_turn(void) { return 3; }

int main(void)
{
	return printf("%s\n", myr_engines()[0]) + conn_fail() + outq_gather() + loop_turn() < 0;
}
EOF

cc=${CC:-cc}
case_is "a program links the shared library" \
	"$($cc -o "$work/shared" "$work/user.c" $(pkg-config --cflags --libs myriad) 2>&1)"
case_is "and runs with it" "$(LD_LIBRARY_PATH=$lib "$work/shared" 2>&1 >/dev/null || echo failed)"
case_is "it needs the library by its soname" \
	"$(objdump -p "$work/shared" | grep -q 'NEEDED *libmyriad\.so\.0$' || objdump -p "$work/shared" | grep NEEDED)"
case_is "a program links the static library" \
	"$($cc -o "$work/static" "$work/user.c" $(pkg-config --cflags myriad) "$lib/libmyriad.a" \
		$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --static --libs-only-l myriad | sed 's/-lmyriad//') -pthread 2>&1)"
case_is "and runs" "$("$work/static" 2>&1 >/dev/null || echo failed)"
done_with_cases
