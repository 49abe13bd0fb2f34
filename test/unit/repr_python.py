#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""repr_python.py FILTER - what the formatter writes is what this Python's repr() and ctime() write."""
import os
import random
import struct
import subprocess
import sys
import time
import unicodedata

SEED = int(os.environ.get("MYR_SEED", "1"))
number = 0


def written(filter_, values):
    feed = b"".join(kind + struct.pack(">I", len(data)) + data for kind, data in values)
    out = subprocess.run([filter_], input=feed, stdout=subprocess.PIPE, check=True).stdout
    texts, at = [], 0
    while at < len(out):
        n = struct.unpack_from(">I", out, at)[0]
        texts.append(out[at + 4:at + 4 + n])
        at += 4 + n
    return texts


def expected(kind, data):
    if kind == b"b":
        return repr(data).encode()
    if kind == b"s":
        return repr(data.decode(errors="surrogateescape")).encode()
    return time.ctime(int(data)).encode()


def case(name, filter_, values, skip=None):
    global number
    number += 1
    if skip:
        print(f"ok {number} - {name} # SKIP {skip}")
        return True
    got = written(filter_, values)
    wrong = [(v, g) for v, g in zip(values, got) if g != expected(*v)]
    good = len(got) == len(values) and not wrong
    print(f"{'ok' if good else 'not ok'} {number} - {name}")
    for value, text in wrong[:5]:
        print(f"# {value!r}: {text!r}, and Python writes {expected(*value)!r}")
    return good


def points():
    return [b"".join(chr(p).encode(errors="surrogatepass") for p in range(first, first + 64))
            for first in range(0, sys.maxunicode + 1, 64)]


def mixed(random_):
    """Bytes that are nearly UTF-8: characters of all lengths, cut and changed here and there."""
    kinds = [lambda: random_.randrange(0x80), lambda: random_.randrange(0x800), lambda: random_.randrange(0xd800),
             lambda: random_.randrange(0x10000, 0x110000), lambda: ord(random_.choice("'\"\\\t\n"))]
    data = bytearray("".join(chr(random_.choice(kinds)()) for _ in range(random_.randrange(60))).encode())
    for _ in range(random_.choice([0, 0, 1, 4])):
        if data:
            data[random_.randrange(len(data))] = random_.randrange(256)
    return bytes(data)


def main():
    filter_, random_ = sys.argv[1], random.Random(SEED)
    other = None if unicodedata.unidata_version == "14.0.0" else f"this Python has Unicode {unicodedata.unidata_version}"
    singles = [bytes([n]) for n in range(256)]
    print("1..6")
    good = [
        case("each byte, as bytes and as str", filter_, [(k, b) for k in (b"b", b"s") for b in singles]),
        case("pairs of bytes", filter_, [(k, bytes([a, b])) for k in (b"b", b"s") for a in range(0, 256, 3) for b in range(256)]),
        case("every code point", filter_, [(b"s", data) for data in points()], other),
        case(f"random text, MYR_SEED={SEED}", filter_, [(b"s", mixed(random_)) for _ in range(20000)], other),
        case(f"random bytes, MYR_SEED={SEED}", filter_,
             [(b"b", random_.randbytes(random_.choice([3, 40, 100000]))) for _ in range(300)]),
        case("times", filter_, [(b"c", str(random_.randrange(1 << 34)).encode()) for _ in range(2000)]),
    ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
