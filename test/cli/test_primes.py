# SPDX-License-Identifier: MIT
"""primes: work for a processor, done elsewhere while the loop serves others."""

import socket
import struct

import pytest
from conftest import engines, read_exactly, run

ENGINES = engines()
COUNTS = {0: 0, 1: 0, 2: 1, 3: 2, 4: 2, 10: 4, 100: 25, 65536: 6542, 65537: 6543, 65538: 6543, 131075: 12251,
          1000000: 78498, 10000000: 664579}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("where", [[], ["--inline"]], ids=["offloaded", "inline"])
def test_counts(serve, engine, where):
    server = serve("primes", 0, "-e", engine, *where)
    asked = "".join(f"{n}\n" for n in COUNTS).encode()
    assert server.ask(asked) == "".join(f"{n}\n" for n in COUNTS.values()).encode()


@pytest.mark.parametrize("line", [b"+5", b"-5", b"", b" 5", b"5 ", b"0x5", b"five", b"\0", b"\xff", b"1000001", b"9" * 200,
                                  b"18446744073709551617", b"\x1b[2J"])
def test_what_is_no_number_is_told_and_the_rest_is_answered(serve, line):
    server = serve("primes", 0, "--max", "1000000")
    error = b"error: not a number from 0 to 1000000\n"
    assert server.ask(line + b"\n" + b"10\n") == error + b"4\n"


@pytest.mark.parametrize("engine", [e for e in ENGINES if e != "iterative"])
def test_others_are_served_meanwhile(serve, engine):
    """A worker that counted itself would answer nobody before the long one is done: that takes many seconds."""
    server = serve("primes", 0, "-e", engine, "--max", "10000000000", "--drain-timeout", "100ms")
    with server.connect() as long:
        long.sendall(b"3000000000\n")
        for _ in range(3):
            with server.connect() as s:
                s.sendall(b"100\n")
                assert read_exactly(s, 3) == b"25\n"
        long.setblocking(False)
        with pytest.raises(BlockingIOError):
            long.recv(1)
    server.process.kill()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_lost_client_is_not_counted_for(serve, engine):
    """Its question would take half a minute: longer than the drain, so that it would be cut."""
    server = serve("primes", 0, "-e", engine, "--max", "10000000000", "--drain-timeout", "10s")
    with server.connect() as s:
        s.sendall(b"10\n10000000000\n")
        assert read_exactly(s, 2) == b"4\n"
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    status, last = server.stop()
    assert status == 0 and ", 0 cut, " in last
    assert not any("left behind" in line for line in server.err.all())


@pytest.mark.parametrize("engine", ENGINES)
def test_a_cut_ends_the_work(serve, engine):
    server = serve("primes", 0, "-e", engine, "--max", "10000000000", "--drain-timeout", "100ms")
    with server.connect() as s:
        s.sendall(b"10\n10000000000\n")
        assert read_exactly(s, 2) == b"4\n"
        status, last = server.stop()
        assert status == 0 and ", 1 cut, " in last
        assert not any("left behind" in line for line in server.err.all())


def test_a_max_above_what_it_counts_is_refused():
    status, _, err = run("serve", "primes", 0, "--max", "99999999999")
    assert status == 2 and "a number from 2 to 10000000000" in err


def test_max_is_checked():
    status, _, err = run("serve", "primes", 0, "--max", "many")
    assert status == 2 and "max" in err
