# SPDX-License-Identifier: MIT
"""Where a program of the tutorials listens or connects, so that tests can move it.

The tutorials' own ports are the defaults; TUTORIAL_PORT and TUTORIAL_HOST replace them.  A server tells its real
address on stderr, because most of the originals print nothing when they are ready.
"""
import os
import sys


def port(usual):
    return int(os.environ.get("TUTORIAL_PORT", usual))


def host(usual):
    return os.environ.get("TUTORIAL_HOST", usual)


def delay(usual):
    return float(os.environ.get("TUTORIAL_DELAY", usual))


def ready(sock):
    print("ready tcp:%s:%d" % sock.getsockname()[:2], file=sys.stderr, flush=True)


def say(*parts):
    """A line as Python 2 printed it: bytes go out as they are."""
    sys.stdout.buffer.write(b"".join(p if isinstance(p, bytes) else str(p).encode() for p in parts) + b"\n")
    sys.stdout.buffer.flush()
